"""The API of Timely and OpenTSDB on the HTTP port: aiohttp around the operations of ``compat.timely``, which know no sockets.

Operations and long answers are made in steps (``web_api.Turns``). A client that goes away ends its query.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Iterable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from aiohttp import HttpVersion11, web

from .compat.server.accepted import packing, ranked
from .compat.server.access import NOBODY_KNOWN, Visitor
from .compat.server.bodies import BadPacking, BodyTooLong, UnknownCoding
from .compat.server.faults import LoginsSlowed
from .compat.timely import answers
from .compat.timely.callers import ANONYMOUS, COOKIE, Caller
from .compat.timely.errors import ApiError, BadRequest, Unauthenticated
from .compat.timely.operations import OPERATIONS, TimelyFace, run
from .compat.timely.properties import Properties
from .compat.timely.requests import document_of, document_of_parameters
from .web_api import (
    MOST_RUNNING,
    NotLogged,
    Turns,
    asks_before,
    common_headers,
    confirmed,
    is_trusted,
    load,
    pause_over,
    read_body,
)

if TYPE_CHECKING:
    from .http import HttpListener

# As Timely's; arrays of points, which it does not take, may be longer.
MOST_BODY: Final = 64 * 1024
MOST_POINTS_BODY: Final = 1 << 20
# Shorter answers are sent as they are.
_WORTH_PACKING: Final = 1024
_HSTS_S: Final = 604_800
_METHODS: Final = "GET, POST, OPTIONS"
_HEADERS: Final = "content-type, authorization"
_PREFLIGHT_S: Final = 600

# path -> operation, methods
_PATHS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "/version": ("version", ("GET", "POST")),
    "/api/put": ("put", ("POST",)),
    "/api/suggest": ("suggest", ("GET", "POST")),
    "/api/search/lookup": ("lookup", ("GET", "POST")),
    "/api/query": ("query", ("GET", "POST")),
    "/api/aggregators": ("aggregators", ("GET", "POST")),
    "/api/metrics": ("metrics", ("GET", "POST")),
    "/api/cache": ("cache", ("GET", "POST")),
    "/api/version": ("opentsdb-version", ("GET", "POST")),
    "/api/config": ("config", ("GET", "POST")),
    "/api/config/filters": ("config-filters", ("GET", "POST")),
    "/api/annotation": ("annotations", ("GET", "POST")),
    "/api/annotations": ("annotations", ("GET", "POST")),
}
assert {operation for operation, _ in _PATHS.values()} == set(OPERATIONS)
# Operations whose documents say nothing: a body is read and passed over.
_WITHOUT_DOCUMENT: Final = frozenset(
    {"version", "aggregators", "metrics", "cache", "opentsdb-version", "config", "config-filters", "annotations"}
)
_LOGIN: Final = "/login"
_SECURE: Final = "/secure-me"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_api(path: str) -> bool:
    """Whether a path belongs to the API, also where nothing is behind it."""
    return path in _PATHS or path in (_LOGIN, _SECURE) or path.startswith("/api/")


class TimelyPages:
    """Serves the API on a listener's connections."""

    def __init__(self, listener: HttpListener, face: TimelyFace, turns: Turns) -> None:
        self.listener = listener
        self.server = listener.server
        self.face = face
        self.turns = turns
        self._running = asyncio.Semaphore(MOST_RUNNING)

    def add_to(self, application: web.Application) -> None:
        """Add the paths to an application."""
        router = application.router
        for path, (operation, methods) in _PATHS.items():
            for method in methods:
                router.add_route(method, path, self._handler(operation))
        router.add_route("GET", _LOGIN, self.no_certificate)
        router.add_route("POST", _LOGIN, self.login)
        router.add_route("GET", _SECURE, self.secure)

    # ------------------------------------------------------------ requests

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The response of a handler, or the document of its error; with what every response of the API has."""
        try:
            if asks_before(request):
                response: web.StreamResponse = self._preflight()
            else:
                response = await handler(request)
        except web.HTTPException as error:  # there is no such path, or it has no such method
            response = self.error(
                ApiError(error.status, "unhandled method type" if error.status == 405 else error.reason),
                {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {},
            )
        except ApiError as error:
            response = self.error(error)
        except LoginsSlowed as error:
            response = self.error(ApiError(429, str(error)), {"Retry-After": str(error.seconds)})
        if not response.prepared:
            response.headers.update(self._common_headers(request))
        return response

    def refused(self, request: web.Request, error: ApiError) -> web.StreamResponse:
        """The response to a request that may not come in."""
        response = self.error(error)
        response.headers.update(self._common_headers(request))
        return response

    def _common_headers(self, request: web.Request) -> dict[str, str]:
        return common_headers(self.server, request)

    def _preflight(self) -> web.Response:
        """The answer to a browser that asks whether a page may send a request; an operation is not touched."""
        return web.Response(
            headers={
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": _HEADERS,
                "Access-Control-Max-Age": str(_PREFLIGHT_S),
            }
        )

    def error(self, error: ApiError, headers: dict[str, str] | None = None) -> web.Response:
        """The document of an error."""
        more = dict(headers or {})
        if error.status == 401:
            more["WWW-Authenticate"] = "Bearer"  # 'Basic' would open a dialog in browsers
        return web.Response(
            status=error.status,
            body=b"".join(answers.pieces(error.document())),
            content_type="application/json",
            headers=more,
        )

    async def _body(self, request: web.Request) -> bytes:
        """The body of a request, unpacked. Raises ApiError for one that is too long."""
        try:
            body = await read_body(request, MOST_POINTS_BODY)
        except UnknownCoding:
            raise ApiError(415, "Unsupported content encoding", "Bodies may be packed with gzip or deflate") from None
        except BodyTooLong as error:
            raise _too_long(error.most) from None
        except BadPacking as error:
            raise BadRequest("The body cannot be unpacked", str(error)) from None
        if len(body) > _most_body(request.path, body):
            raise _too_long(_most_body(request.path, body))
        return body

    # ------------------------------------------------------------ operations

    def _handler(self, operation: str) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = await self._body(request)
            connection = self.listener.by_protocol.get(request.protocol)
            if connection is not None:
                connection.heard()
            document = self._document(operation, request, body)
            if operation == "query":
                await load("numpy")
            caller = await self._caller(operation, request)
            async with self._running:
                if operation == "put":
                    await pause_over(self.server)
                value = await self.turns.drive(run(operation, document, caller, self.face))
                if operation == "put":
                    await self._confirmed()
            return await self._response(operation, request, document, value)

        return handle

    def _document(self, operation: str, request: web.Request, body: bytes) -> Any:
        """What an operation gets: the document of the body, or of the parameters. Raises ApiError."""
        if operation in _WITHOUT_DOCUMENT:
            return {}
        if request.method == "GET":
            return document_of_parameters(operation, list(request.query.items()), strict=self.face.dialect.strict)
        document = document_of(body, constants=operation == "put")
        if operation == "query" and isinstance(document, dict) and _flag(request, "arrays"):
            document["arrays"] = True
        return document

    async def _caller(self, operation: str, request: web.Request) -> Caller:
        """Who asks. What is open to everybody is asked by nobody; points are put by whoever it is. Raises ApiError and LoginsSlowed."""
        if OPERATIONS[operation].open and operation != "put":
            return ANONYMOUS
        # Pages of any origin may not use what a browser knows of its user.
        cookie = request.cookies.get(COOKIE) if is_trusted(self.server, request) else None
        header = request.headers.get("Authorization")
        config = self.server.config
        if header is not None and (config.timely_jwt_key or config.timely_jwt_key_file):
            await load("jwt")
        try:
            return self.face.callers.caller_of(cookie, header, self._visitor(request))
        except Unauthenticated:
            if operation == "put" and self.face.ingest.may_put(None):
                return ANONYMOUS
            raise

    def _visitor(self, request: web.Request) -> Visitor:
        connection = self.listener.by_protocol.get(request.protocol)
        return NOBODY_KNOWN if connection is None else connection.visitor

    async def _confirmed(self) -> None:
        """Wait until the log has what was stored. Raises ApiError if that fails."""
        try:
            await confirmed(self.server)
        except NotLogged as error:
            raise ApiError(503, "Points were not made safe", str(error)) from None

    # ------------------------------------------------------------ responses

    async def _response(self, operation: str, request: web.Request, document: Any, value: Any) -> web.StreamResponse:
        """The response that tells what an operation gives."""
        if operation == "put":
            return await self._put_response(request, document, value)
        if operation == "version":
            return web.Response(text=f"{value}\n")
        if operation == "metrics" and _wants_html(request.headers.getall("Accept", [])):
            return await self._pieces(request, answers.metrics_page(value["metrics"]), "text/html; charset=utf-8")
        return await self._pieces(request, answers.pieces(value), "application/json")

    async def _put_response(self, request: web.Request, document: Any, outcome: dict[str, Any]) -> web.StreamResponse:
        """As Timely, 200 and nothing; as OpenTSDB, 204, or counts and errors for who asks for them."""
        failed, details = outcome["failed"], _flag(request, "details")
        if details or _flag(request, "summary"):
            shown = outcome if details else {name: outcome[name] for name in ("success", "failed")}
            return await self._pieces(request, answers.pieces(shown), "application/json", 400 if failed else 200)
        if failed:
            error = outcome["errors"][0]["error"]
            raise BadRequest(f"{failed} of {failed + outcome['success']} points are not stored", f"The first: {error}")
        if isinstance(document, list) or isinstance(document.get("tags"), dict):
            return web.Response(status=204)
        return web.Response(content_type="application/json")

    async def _pieces(
        self, request: web.Request, pieces: Generator[bytes, None, None], kind: str, status: int = 200
    ) -> web.StreamResponse:
        """A response of pieces that are made one after the other: as a whole if there is one, else as they come."""
        made = await self.turns.piece(pieces)
        more = await self.turns.piece(pieces)
        headers = {"Content-Type": kind}
        name = packing(request.headers.getall("Accept-Encoding", []))
        coding = None if name is None else web.ContentCoding(name)
        if more is None:
            response: web.StreamResponse = web.Response(status=status, body=made, headers=headers)
            if coding is not None and len(made or b"") >= _WORTH_PACKING:
                response.enable_compression(coding)
            return response
        response = web.StreamResponse(status=status, headers={**headers, **self._common_headers(request)})
        if coding is not None:
            response.enable_compression(coding)
        if request.version == HttpVersion11:
            response.enable_chunked_encoding()
        connection = self.listener.by_protocol.get(request.protocol)
        await response.prepare(request)
        try:
            await response.write(made or b"")
            while more is not None:
                await response.write(more)
                if connection is not None:
                    connection.heard()
                more = await self.turns.piece(pieces)
            await response.write_eof()
        finally:
            pieces.close()
        return response

    # ------------------------------------------------------------ log-in

    async def no_certificate(self, request: web.Request) -> web.Response:
        """Certificates of clients are nothing that the server asks for."""
        return web.Response(status=401, content_type="application/json")

    async def login(self, request: web.Request) -> web.Response:
        """Begin a session for the user and password of a JSON document; the cookie is its id."""
        given = Properties(document_of(await self._body(request)), "the request", ("username", "password"))
        user, password = given.text("username"), given.text("password")
        if user is None or password is None:
            raise BadRequest("Username or password is missing", "The request has 'username' and 'password'")
        session = self.face.callers.login(user, password, self._visitor(request))
        if session is None:
            self.server.limited_log.note("timely-login", "log-in to the Timely API refused: wrong user or password")
            return web.Response(status=401, content_type="application/json")
        seconds = self.server.config.timely_session_max_age
        response = web.Response(content_type="application/json")
        response.set_cookie(
            COOKIE,
            session,
            max_age=seconds,
            expires=formatdate(time.time() + seconds, usegmt=True),
            path="/",
            secure=request.secure,
            httponly=True,
            samesite="Lax",
        )
        return response

    async def secure(self, request: web.Request) -> web.Response:
        """Where Timely sends those that come without TLS."""
        error = ApiError(404, "Returning HTTP Strict Transport Security response")
        return self.error(error, {"Strict-Transport-Security": f"max-age={_HSTS_S}"})


def _most_body(path: str, body: bytes) -> int:
    """How long a body may be: arrays of points longer than all others."""
    return MOST_POINTS_BODY if path == "/api/put" and body[:256].lstrip()[:1] == b"[" else MOST_BODY


def _too_long(most: int) -> ApiError:
    return ApiError(413, "Request entity too large", f"A body has up to {most} bytes here")


def _flag(request: web.Request, name: str) -> bool:
    """Whether a parameter of the target is set; without a value it is."""
    return request.query.get(name, "false").lower() in ("", "true", "1")


def _wants_html(headers: Iterable[str]) -> bool:
    """Whether HTML is to be sent, which is so unless JSON is asked for before it."""
    for name, quality in ranked(headers):
        if quality <= 0:
            break
        if name in ("text/html", "text/*", "*/*"):
            return True
        if name in ("application/json", "application/*"):
            return False
    return True
