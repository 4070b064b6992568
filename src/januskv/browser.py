"""The page for browsers: static files, and the server's state as JSON.

The files contain no data and are for everybody who may connect; the data they show comes from the API, which requires a
log-in. The policy lets the page load only its own files, and connect only to this server.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from .compat.server.access import NOBODY_KNOWN, LoginNeeded, Visitor, refusal_to, user_of_request
from .compat.server.acl.rights import User
from .compat.timely.callers import COOKIE
from .compat.timely.errors import ApiError, nobody
from .compat.web.overview import overview

if TYPE_CHECKING:
    from .http import HttpListener

HOME: Final = "index.html"
OVERVIEW: Final = "/api/server"
_KINDS: Final = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Revalidated each time, and sent only if it has changed.
    "Cache-Control": "no-cache",
}


@lru_cache(maxsize=1)
def page_files() -> dict[str, tuple[bytes, str, str]]:
    """The files of the page by name: content, type, and a tag that changes with the content."""
    found = {}
    for file in (files("januskv") / "page").iterdir():
        kind = _KINDS.get(file.name.rpartition(".")[2])
        if kind is not None:
            data = file.read_bytes()
            found[file.name] = data, kind, hashlib.blake2b(data, digest_size=12).hexdigest()
    return found


class BrowserPage:
    """Serves the page on a listener's connections."""

    def __init__(self, listener: HttpListener) -> None:
        self.listener = listener
        self.server = listener.server

    def add_to(self, application: web.Application) -> None:
        """Add the paths to an application, all but that of the page itself."""
        for name in page_files():
            application.router.add_get(f"/page/{name}", self.file)
        application.router.add_get(OVERVIEW, self.overview)

    def home(self, request: web.Request) -> web.Response:
        """The page itself."""
        response = self._file(request, HOME)
        response.headers["Vary"] = "Accept"
        return response

    async def file(self, request: web.Request) -> web.Response:
        """A file of the page."""
        return self._file(request, request.path.removeprefix("/page/"))

    def _file(self, request: web.Request, name: str) -> web.Response:
        data, kind, tag = page_files()[name]
        if any(each.value == tag or each.value == "*" for each in request.if_none_match or ()):
            response = web.Response(status=304, headers=_HEADERS)
        else:
            response = web.Response(body=data, content_type=kind, charset="utf-8", headers=_HEADERS)
            response.enable_compression()
        response.etag = tag
        return response

    async def overview(self, request: web.Request) -> web.Response:
        """The server's state, for users who may run INFO. Raises ApiError and LoginsSlowed."""
        connection = self.listener.by_protocol.get(request.protocol)
        visitor = NOBODY_KNOWN if connection is None else connection.visitor
        user = self._user(request, visitor)
        refused = refusal_to(self.server, user, b"INFO", visitor.peer)
        if refused:
            raise ApiError(403, refused)
        return web.Response(body=orjson.dumps(overview(self.server, user)), content_type="application/json")

    def _user(self, request: web.Request, visitor: Visitor) -> User:
        """Whom a request acts for: its header or its session tells. Raises ApiError and LoginsSlowed."""
        header = request.headers.get("Authorization")
        if header is None:
            session = self.listener.session_of(
                request.headers.get("Origin"), request.headers.get("Host", ""), request.cookies.get(COOKIE)
            )
            caller = self.listener.timely.callers.of_session(session)
            if caller is not None and caller.account is not None:
                return caller.account
        try:
            return user_of_request(self.server, header, visitor, b"HTTP")
        except LoginNeeded:
            raise nobody() from None
