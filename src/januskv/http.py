"""The HTTP port: WebSocket at ``/`` for native JSON and at ``/websocket`` for the API of Timely, and pages.

A connection begins with ``HttpConnection``, which reads the head of the first request: a WebSocket upgrade of ``/`` or
``/websocket`` goes to our own WebSocket connection (a message there costs a fraction of what a general HTTP framework spends on it),
everything else to aiohttp, which is loaded for the first page that is asked for (``januskv.pages``). There the ``HttpConnection`` stays in between: it counts the connection and limits its time.

Who may come in is asked for each request: Host and Origin (``compat.hosts``), protected mode, the password. The pages
in ``HEALTH`` tell nothing but that the server lives, and are for whoever asks, also when there are too many clients.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
import time
from collections.abc import Callable
from typing import Any, Protocol

from .compat.native.face import NativeFace
from .compat.native.websocket import WebSocketConnection
from .compat.server.access import (
    NOBODY_KNOWN,
    SESSION_USER,
    LoginNeeded,
    Visitor,
    act_for,
    authenticate,
    credentials,
    user_of_request,
)
from .compat.server.client import format_address, is_loopback, peer_of
from .compat.server.clients import FULL, PROTECTED, UNAUTHENTICATED
from .compat.server.faults import LoginsSlowed
from .compat.server.hosts import WebAccess, path_of, split_target
from .compat.server.logs import LimitedLog
from .compat.server.server import Server
from .compat.server.websocket import WebSocketChannel
from .compat.timely.callers import COOKIE
from .compat.timely.operations import TimelyFace
from .compat.timely.websocket import TimelyWebSocket
from .resp.websocket import HandshakeError, UpgradeRequest
from .storage.errors import StillLoading

log = logging.getLogger("januskv")

_MAX_HEAD = 16 * 1024
_BEGINS_LIKE_A_REQUEST = re.compile(rb"[A-Z]{1,20}( |$)")

# How long a client may take to send a request, head and body.
REQUEST_S = 10.0
# How long the server may take for an answer, or for the next piece of one, once the request is there.
ANSWER_S = 60.0
# How long a connection is kept for the next request; 'timeout' can make it less.
IDLE_S = 75.0
# How long a client may leave a page unread.
UNREAD_S = 30.0
# How long a connection may take to end once one side has ended it.
LEAVING_S = 2.0
# Clients that are refused are heard first: an answer before the question is lost where the question arrives after the
# end of the connection, and health is told to everybody. So many at a time, each for so long; others are refused unheard.
MOST_GUESTS = 16
GUEST_S = 2.0
# Time limits are looked at this often.
_CRON_S = 0.5
_ASKS_FOR_LOGIN = "WWW-Authenticate: Basic\r\n"
TIMELY_WEBSOCKET = "/websocket"
WEBSOCKETS = frozenset({"/", TIMELY_WEBSOCKET})
HEALTH = frozenset({"/healthz", "/readyz"})


class Refusal(HandshakeError):
    """A request is refused; the log gets the parameter that decides, and the value that it refuses."""

    def __init__(self, status: int, parameter: str, text: str, value: str = "") -> None:
        super().__init__(status, {403: "Forbidden", 503: "Service Unavailable"}[status], text)
        self.parameter = parameter
        self.value = value


def web_access(server: Server) -> WebAccess:
    """The Hosts and Origins that may come in."""
    config = server.config
    return WebAccess(config.bind, config.http_allowed_hosts, config.http_allowed_origins)


def unwanted(server: Server, hosts: list[str], origins: list[str]) -> Refusal | None:
    """The refusal of a request for its Hosts, that of an absolute target included, or its Origins."""
    fault = web_access(server).fault(hosts, origins)
    return None if fault is None else Refusal(403, fault.parameter, fault.text, fault.value)


def asks_for_websocket(data: bytes) -> bool:
    """Whether a request for a WebSocket has arrived, as a whole; what is wrong with it is said elsewhere."""
    end = data.find(b"\r\n\r\n", 0, _MAX_HEAD)
    first = data[: data.find(b"\r\n")].split(b" ")
    if end < 0 or len(first) != 3 or path_of(first[1].decode("latin-1")) not in WEBSOCKETS:
        return False
    try:
        return UpgradeRequest.read(data[: end + 4]) is not None
    except HandshakeError:
        return True


class HttpConnection(asyncio.Protocol):
    """Reads the head of the first request, hands the connection to whoever serves it, and ends it in time."""

    def __init__(self, listener: HttpListener) -> None:
        self.listener = listener
        self.server = listener.server
        self.transport: Any = None
        self.peer: Any = None
        self.head = bytearray()
        self.pages: Any = None  # aiohttp's protocol, once it has the connection
        self.visitor = NOBODY_KNOWN
        self.refusal: Refusal | None = None  # for the connection as a whole: only health is told
        self.owes = True  # something has arrived, or must arrive, that has had no answer
        self.works = False  # a request has arrived whole, and its answer is being made
        self.since_s = 0.0  # since when it is so, or is not
        self.unread_since_s: float | None = None
        self.leaving_since_s: float | None = None

    # ------------------------------------------------------------ transport events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected: count it, or see whether it is refused."""
        self.transport = transport
        self.peer = transport.get_extra_info("peername")
        sock = transport.get_extra_info("socket")
        if sock is not None:
            self.server.process.tune_socket(sock)
        self.since_s = self.listener.now_s()
        self.visitor = self.listener.visitor_of(transport)
        self.refusal = self.listener.refusal_of(self)
        if self.refusal is None:
            self.listener.admit(self)
        elif not self.listener.hear(self):
            self.refuse(self.refusal)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.listener.forget(self)
        self.transport = None
        if self.pages is not None:
            self.pages.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Take received bytes; once the head of the first request is whole, decide who serves it."""
        if self.pages is not None:
            if not self.owes:
                self.owes, self.since_s = True, self.listener.now_s()
                if asks_for_websocket(data) and not self.transport.is_closing():
                    self.leave_pages()
            if self.pages is not None:
                self.pages.data_received(data)
                return
        if self.transport is None or self.transport.is_closing():
            return
        searched = max(len(self.head) - 3, 0)
        self.head += data if self.head else data.lstrip(b"\r\n")
        end = self.head.find(b"\r\n\r\n", searched, _MAX_HEAD)
        try:
            if end >= 0:
                self.begin(bytes(self.head[: end + 4]), bytes(self.head[end + 4 :]))
            elif len(self.head) >= _MAX_HEAD and b"\r\n" not in self.head[:_MAX_HEAD]:
                raise HandshakeError(400, "Bad Request", f"the head of a request is limited to {_MAX_HEAD} bytes")
            elif len(self.head) >= _MAX_HEAD:
                raise HandshakeError(431, "Request Header Fields Too Large", f"limited to {_MAX_HEAD} bytes")
            elif self.head and _BEGINS_LIKE_A_REQUEST.match(self.head[:21]) is None:
                raise HandshakeError(400, "Bad Request", "this is not an HTTP request")
        except HandshakeError as error:
            self.refuse(error)

    def eof_received(self) -> bool:
        """The client sends no more: a request that it has sent is answered."""
        if self.pages is None or not self.owes:
            return False
        self.leaving_since_s = self.listener.now_s()
        self.pages.close()
        return True

    def pause_writing(self) -> None:
        """A page is left unread."""
        self.unread_since_s = self.listener.now_s()
        if self.pages is not None:
            self.pages.pause_writing()

    def resume_writing(self) -> None:
        """The client reads on."""
        self.unread_since_s = None
        if self.pages is not None:
            self.pages.resume_writing()

    # ------------------------------------------------------------ the first request

    def begin(self, head: bytes, rest: bytes) -> None:
        """Let the first request be served. Raises HandshakeError where it is refused."""
        first = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        path = path_of(first[1]) if len(first) == 3 else ""
        if self.refusal is not None and path not in HEALTH:
            raise self.refusal
        upgrade = UpgradeRequest.read(head) if path in WEBSOCKETS else None
        if upgrade is None:
            self.to_pages(head + rest)
        else:
            self.to_websocket(upgrade, rest, self.timely_socket if path == TIMELY_WEBSOCKET else self.native_socket)

    def to_pages(self, data: bytes) -> None:
        """Hand the connection to aiohttp, once it is there."""
        if self.listener.pages is None:
            self.head = bytearray(data)
            self.transport.pause_reading()
            self.listener.load_pages_for(self)
            return
        self.head.clear()
        self.pages = self.listener.pages.protocol(self)
        self.pages.connection_made(self.transport)
        if self.unread_since_s is not None:
            self.pages.pause_writing()
        self.pages.data_received(data)

    def leave_pages(self) -> None:
        """Take the connection back from aiohttp, which has answered all that there was: the next request is another one's."""
        pages, self.pages = self.pages, None
        self.listener.by_protocol.pop(pages, None)
        pages.transport = None  # which it would close
        pages.connection_lost(None)

    def to_websocket(
        self, upgrade: UpgradeRequest, rest: bytes, connect: Callable[[UpgradeRequest], WebSocketChannel]
    ) -> None:
        """Make it a WebSocket. Raises HandshakeError."""
        server, transport = self.server, self.transport
        answer = upgrade.accept()
        authority = split_target(upgrade.target)[0]
        hosts = [upgrade.headers.get("host", ""), *([] if authority is None else [authority])]
        origin = upgrade.headers.get("origin")
        refusal = unwanted(server, hosts, [] if origin is None else [origin])
        if refusal is not None:
            raise refusal
        connection = connect(upgrade)
        self.listener.forget(self)
        self.transport = None
        transport.set_protocol(connection)
        transport.write(answer)
        connection.connection_made(transport)
        if rest:
            connection.data_received(rest)

    def native_socket(self, upgrade: UpgradeRequest) -> WebSocketChannel:
        """A WebSocket for native JSON. Raises HandshakeError."""
        connection = WebSocketConnection(self.server, self.listener.native)
        connection.client.describe(self.transport)
        self.log_in(connection, upgrade.authorization)
        if self.server.clients.crowds(connection.client):
            self.server.accounts.stats.rejected_connections += 1
            raise Refusal(503, "max-unauthenticated-clients-per-address", UNAUTHENTICATED)
        return connection

    def timely_socket(self, upgrade: UpgradeRequest) -> WebSocketChannel:
        """A WebSocket for the API of Timely, which asks at each request who may do what."""
        headers = upgrade.headers
        session = self.listener.session_of(headers.get("origin"), headers.get("host", ""), upgrade.cookies.get(COOKIE))
        return TimelyWebSocket(self.listener.timely, session, upgrade.authorization, self.visitor)

    def log_in(self, connection: WebSocketConnection, header: str | None) -> None:
        """Log a WebSocket in as its Authorization header or its certificate says. One that has to log in may do so by a command, too.

        Raises HandshakeError where credentials are wrong.
        """
        server, client = self.server, connection.client
        login = None if header is None else credentials(header)
        try:
            if login is not None and login[0] == SESSION_USER:
                client.act_for(server.users.default, authenticated=not server.users.locked)
                if not authenticate(server, client, *login, b"WEBSOCKET"):
                    raise HandshakeError(401, "Unauthorized", "no such session", _ASKS_FOR_LOGIN)
            else:
                act_for(server, client, user_of_request(server, header, self.visitor, b"WEBSOCKET"))
        except LoginNeeded:
            if header is not None:
                raise HandshakeError(401, "Unauthorized", "wrong user name or password", _ASKS_FOR_LOGIN) from None
            client.act_for(server.users.default, authenticated=False)
        except LoginsSlowed as error:
            after = f"Retry-After: {error.seconds}\r\n"
            raise HandshakeError(429, "Too Many Requests", str(error), after) from None
        except StillLoading:
            raise HandshakeError(503, "Service Unavailable", "loading") from None

    def refuse(self, error: HandshakeError) -> None:
        """Answer with an error, and end the connection."""
        if isinstance(error, Refusal):
            self.listener.refused(error, self.peer)
        self.transport.write(error.response())
        self.transport.close()

    # ------------------------------------------------------------ time

    def heard(self) -> None:
        """The request that is owed an answer has arrived whole, or a piece of its answer has been made."""
        self.works, self.since_s = True, self.listener.now_s()

    def goes_on(self) -> None:
        """A good deal of the request that is owed an answer has arrived: the rest has as much time again."""
        self.since_s = self.listener.now_s()

    def answered(self, last: bool) -> None:
        """A page has been made for the request that was owed an answer; perhaps the last one."""
        self.owes, self.works, self.since_s = False, False, self.listener.now_s()
        if last:
            self.leaving_since_s = self.since_s

    def run_cron(self, now_s: float) -> None:
        """End the connection if one of its times is over."""
        transport = self.transport
        if self.leaving_since_s is None and transport.is_closing():
            self.leaving_since_s = now_s
        if self.leaving_since_s is not None:
            if now_s - self.leaving_since_s >= (UNREAD_S if transport.get_write_buffer_size() else LEAVING_S):
                transport.abort()
        elif self.unread_since_s is not None and now_s - self.unread_since_s >= UNREAD_S:
            transport.abort()
        elif self.unread_since_s is None and now_s - self.since_s >= self.patience_s():
            if self.owes and self.pages is None:
                self.refuse(HandshakeError(408, "Request Timeout", "the request did not arrive in time"))
            else:
                transport.close()

    def patience_s(self) -> float:
        """How long the connection may stay in the state that it is in."""
        if self.works:
            return ANSWER_S
        if self.owes:
            return REQUEST_S if self.refusal is None else GUEST_S
        return min(IDLE_S, self.server.config.timeout or IDLE_S)


class LoadedPages(Protocol):
    """What serves pages (``januskv.pages``), once it is loaded."""

    async def start(self) -> None:
        """Set it up."""

    async def stop(self) -> None:
        """End it, with its connections."""

    def protocol(self, connection: HttpConnection) -> Any:
        """A protocol of aiohttp's for one connection."""


class HttpListener:
    """Serves the HTTP port of a server."""

    def __init__(self, server: Server, native: NativeFace, now_s: Callable[[], float] = time.monotonic) -> None:
        self.server = server
        self.native = native
        self.timely = TimelyFace(server)
        self.now_s = now_s
        self.connections: set[HttpConnection] = set()  # all that are not WebSockets
        self.guests: set[HttpConnection] = set()  # those among them that are refused
        self.by_protocol: dict[Any, HttpConnection] = {}  # of those that aiohttp serves
        self._refusals = LimitedLog(now_s)
        self._timer: asyncio.TimerHandle | None = None
        self.pages: LoadedPages | None = None
        self._loading: asyncio.Task[None] | None = None
        self._waiting: list[HttpConnection] = []  # for the pages to be loaded

    async def start(self) -> Callable[[], asyncio.Protocol]:
        """Begin to look at the time; give the factory of protocols for new connections."""
        self.repeat_cron()
        return lambda: HttpConnection(self)

    def load_pages_for(self, connection: HttpConnection) -> None:
        """Load what serves pages, and then go on with a connection."""
        self._waiting.append(connection)
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self.load_pages())

    async def load_pages(self) -> None:
        """Load what serves pages, and go on with the connections that wait for it."""
        # It takes some tenths of a second: in a thread of its own, so that others are served in between.
        module = await asyncio.get_running_loop().run_in_executor(None, importlib.import_module, "januskv.pages")
        pages: LoadedPages = module.Pages(self)
        await pages.start()
        self.pages = pages
        for connection in self._waiting:
            if connection.transport is not None and not connection.transport.is_closing():
                connection.transport.resume_reading()
                connection.to_pages(bytes(connection.head))
        self._waiting.clear()

    async def stop(self) -> None:
        """Close all HTTP connections."""
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self.connections):
            if connection.pages is None:
                connection.transport.close()
        if self._loading is not None:
            await self._loading
        if self.pages is not None:
            await self.pages.stop()
        for connection in list(self.connections):
            connection.transport.abort()

    # ------------------------------------------------------------ connections

    def refusal_of(self, connection: HttpConnection) -> Refusal | None:
        """Why a new connection is not served, except with health."""
        if self.server.state.ending:
            return Refusal(503, "", "the server is ending")
        if self.protects_from(connection):
            return Refusal(403, "protected-mode", PROTECTED)
        if self.server.clients.full:
            return Refusal(503, "maxclients", FULL)
        return None

    def session_of(self, origin: str | None, host: str, cookie: str | None) -> str | None:
        """The session of a request with a cookie, which pages of any origin may not use."""
        return cookie if web_access(self.server).trusts(origin, host) else None

    def visitor_of(self, transport: Any) -> Visitor:
        """Who has connected; a certificate that should log in and is no user's is noted."""
        peer, name = peer_of(transport), self.server.clients.certificate_of(transport)
        if name:
            self.server.users.certified(name, peer)
        return Visitor(peer, name)

    def protects_from(self, connection: HttpConnection) -> bool:
        """Whether protected mode keeps this peer out."""
        return self.server.clients.protected and not is_loopback(connection.peer[0] if connection.peer else "")

    def admit(self, connection: HttpConnection) -> None:
        """Count a connection that is served, against 'maxclients'."""
        self.connections.add(connection)
        self.server.clients.http_opened()

    def hear(self, connection: HttpConnection) -> bool:
        """Let a refused connection say what it wants; False if too many do."""
        self.server.accounts.stats.rejected_connections += 1
        self.connections.add(connection)
        if len(self.guests) >= MOST_GUESTS:
            return False
        self.guests.add(connection)
        return True

    def forget(self, connection: HttpConnection) -> None:
        """A connection is gone, or has become a WebSocket."""
        self.connections.discard(connection)
        self.guests.discard(connection)
        if connection.refusal is None:
            self.server.clients.http_closed()
        if connection.pages is not None:
            self.by_protocol.pop(connection.pages, None)

    def repeat_cron(self) -> None:
        """Do what time brings; then call itself again."""
        self.run_cron()
        self._timer = asyncio.get_running_loop().call_later(_CRON_S, self.repeat_cron)

    def run_cron(self) -> None:
        """End the connections whose time is over."""
        now_s = self.now_s()
        for connection in list(self.connections):
            connection.run_cron(now_s)

    def refused(self, refusal: Refusal, peer: Any) -> None:
        """Log a refusal; of many of a kind, some."""
        if not refusal.parameter:
            return
        value = f", {refusal.value}" if refusal.value else ""
        line = f"HTTP request from {format_address(peer)} refused: {refusal.parameter}{value}"
        self._refusals.note(refusal.parameter, line)
