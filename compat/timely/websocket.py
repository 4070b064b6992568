"""A WebSocket of the Timely API: every text message is one request, replies come in the order of requests.

What the API does over HTTP it does here too; subscriptions there are only here. What is not a request is not answered, and a
request that fails ends the connection with its reason (Timely has no other way to say it).
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from januskv.compat.server.access import NOBODY_KNOWN, Visitor
from januskv.compat.server.json_text import JsonError, loads
from januskv.compat.server.server import Server
from januskv.compat.server.stopwatch import now_ns
from januskv.compat.server.websocket import WebSocketChannel
from januskv.resp import websocket as ws
from januskv.storage.errors import NoMatchingTags
from januskv.storage.metric_queries import choose_steps

from .answers import whole
from .callers import ANONYMOUS, Caller
from .errors import ApiError, UnknownProperty, no_matching_tags, of_engine
from .operations import OPERATIONS, run
from .subscription_requests import AddRequest, read_add, read_remove, read_subscription
from .subscriptions import MOST_STREAMS, Subscriber

if TYPE_CHECKING:
    from .operations import TimelyFace

log = logging.getLogger("januskv")

# Of a request that takes long so much is done at a time.
SLICE_NS: Final = 1_000_000
# What a client may send ahead, besides one message.
_AHEAD_BYTES: Final = 1 << 18
ONLY_TEXT: Final = "Unhandled web socket frame type, only TextWebSocketFrame is supported"
UNKNOWN_SUBSCRIPTION: Final = "Unknown subscription id, create subscription first"
CLOSE_REQUESTED: Final = "Client requested close."
TOO_MANY: Final = f"A socket has up to {MOST_STREAMS} subscriptions and metrics"

# What the API does over WebSocket besides subscriptions.
_OPERATIONS: Final = frozenset({"version", "put", "suggest", "lookup", "query", "aggregators", "metrics", "cache"})

Steps = Generator[None, None, None]


class TimelyWebSocket(WebSocketChannel):
    """Reads requests, runs them in order and writes the replies; and what subscriptions bring, between replies.

    ``session`` and ``authorization`` are those of the upgrade request, ``visitor`` is who has sent it.
    """

    def __init__(
        self,
        face: TimelyFace,
        session: str | None,
        authorization: str | None,
        visitor: Visitor = NOBODY_KNOWN,
    ) -> None:
        server: Server = face.server
        super().__init__(server, server.native, server.config.timely_max_frame)
        self.face = face
        self.cookie = session
        self.authorization = authorization
        self.visitor = visitor
        self.steps: Steps | None = None  # of the request that is under way
        self.stepping = False  # in the middle of one of these steps, which may end the connection
        self.subscriber: Subscriber | None = None
        self.heard_ms = self.clock.now_ms

    # ------------------------------------------------------------ transport events

    def data_received(self, data: bytes) -> None:
        """Take received bytes; whatever they are, the client lives."""
        self.heard_ms = self.clock.tick()
        super().data_received(data)

    def resume_writing(self) -> None:
        """The client reads on: requests and subscriptions go on too."""
        super().resume_writing()
        if self.parked is not None:
            self.resume()
        if self.subscriber is not None:
            self.subscriber.go_on()

    def refresh(self) -> None:
        """Take the limits over."""
        super().refresh()
        self.reader.max_message = self.server.config.timely_max_frame
        self.query_limit = min(self.query_limit, self.reader.max_message + _AHEAD_BYTES)

    # ------------------------------------------------------------ requests

    def must_wait(self, payload: bytes) -> bool:
        """Whether requests have to wait: points cannot be stored, or replies are left unread."""
        return self.write_paused or self.server.points.waits

    def take_binary(self) -> None:
        """Refuse a message that is not text."""
        self.end(ws.UNSUPPORTED, ONLY_TEXT)

    def take_text(self, payload: bytes) -> None:
        """Run a request."""
        try:
            document = loads(payload)
        except JsonError as error:
            self.pass_over(f"no JSON: {error}")
            return
        name = document.get("operation") if isinstance(document, dict) else None
        if not isinstance(name, str) or not (name in _OPERATIONS or name in _SUBSCRIBING):
            self.pass_over("no operation, or none that there is")
            return
        self.steps = self.perform(name, document)
        self.go_on()

    def pass_over(self, reason: str) -> None:
        """Log a message that is not answered."""
        self.server.limited_log.note("timely websocket", f"a message of {self.client.address} is passed over: {reason}")

    def perform(self, name: str, document: dict[str, Any]) -> Steps:
        """Do what is asked for, in steps. Raises ApiError."""
        if name in _SUBSCRIBING:
            yield from _SUBSCRIBING[name](self, document)
            return
        caller = self.known_caller(document) if OPERATIONS[name].open else self.caller(document)
        value = yield from run(name, document, caller, self.face)
        if name == "version":
            self.send_text(value.encode())
        elif name != "put":
            self.send_text((yield from whole(value)))

    def caller(self, document: dict[str, Any]) -> Caller:
        """Who asks. The session of the upgrade comes before the one in the request. Raises ApiError."""
        session = self.cookie
        if session is None:
            given = document.get("sessionId")
            session = given if isinstance(given, str) else None
        return self.face.callers.caller_of(session, self.authorization, self.visitor)

    def known_caller(self, document: dict[str, Any]) -> Caller:
        """Who asks for what everybody may ask for: nobody, where it is not known."""
        try:
            return self.caller(document)
        except ApiError:
            return ANONYMOUS

    def go_on(self) -> None:
        """Do some of the request that is under way; requests behind it wait until it is done."""
        steps = self.steps
        if steps is None:
            return
        until_ns = now_ns() + SLICE_NS
        self.stepping = True
        try:
            while now_ns() < until_ns:
                next(steps)
        except StopIteration:
            pass
        except Exception as error:
            self.fail(error)
        else:
            if self.steps is steps:  # the connection has not ended meanwhile
                self.halted = True
                self.server.later(0, self.go_on)
                return
        finally:
            self.stepping = False
        self.steps = None
        if self.halted and not self.closing:
            self.resume()

    def fail(self, error: Exception) -> None:
        """Pass over a request that says what nobody knows; end the connection with the reason why another one has failed."""
        if isinstance(error, UnknownProperty):
            self.pass_over(error.message)
            return
        if isinstance(error, NoMatchingTags):
            error = no_matching_tags()
        fault = error if isinstance(error, ApiError) else of_engine(error)
        if fault is None:
            self.failed(error)
        else:
            self.refuse_on(fault.message)

    # ------------------------------------------------------------ subscriptions

    def create(self, document: dict[str, Any]) -> Steps:
        """Begin a subscription."""
        self.caller(document)
        name = read_subscription(document, strict=self.strict)
        if self.subscriber is None:
            self.subscriber = Subscriber(self.face.subscriptions, self)
        if self.subscriber.stream_count >= MOST_STREAMS:
            self.refuse_on(TOO_MANY)
            return
        self.client.streaming = True
        self.subscriber.create(name)
        yield

    def add(self, document: dict[str, Any]) -> Steps:
        """Let a subscription follow a metric. Raises ApiError where nothing can match its tags."""
        caller = self.caller(document)
        asked = read_add(document, strict=self.strict)
        subscriber = self.subscriber
        if subscriber is None or asked.subscription not in subscriber.streams:
            self.end(ws.UNSUPPORTED, UNKNOWN_SUBSCRIPTION)
            return
        if subscriber.stream_count >= MOST_STREAMS:
            self.refuse_on(TOO_MANY)
            return
        yield from self.follow(subscriber, asked, caller)

    def follow(self, subscriber: Subscriber, asked: AddRequest, caller: Caller) -> Steps:
        """Let a subscription follow a metric, from when it is known that something matches. Raises ApiError."""
        hub = self.face.subscriptions
        may_read, allowed = self.face.may_read(caller), self.face.unchanged(caller)
        oldest_ms = self.face.age_off.oldest_ms(asked.metric, self.clock.now_ms)
        follower = hub.follower(
            asked.metric,
            asked.accepts(caller.may_see),
            start_ms=max(asked.start_ms, oldest_ms),
            end_ms=asked.end_ms,
            may_read=may_read,
        )
        hub.following.add(follower)  # what comes while series are looked for joins
        added = False
        try:
            keys = yield from choose_steps(
                hub.following.keyspace, asked.metric, asked.filters, caller.may_see, may_read
            )
            if asked.subscription in subscriber.streams:
                hub.following.look_through(follower, keys)
                delay_ms = self.server.config.timely_subscription_delay if asked.delay_ms is None else asked.delay_ms
                subscriber.add(asked.subscription, follower, delay_ms, allowed)
                added = True
        finally:
            if not added:
                hub.following.remove(follower)

    def remove(self, document: dict[str, Any]) -> Steps:
        """Let a subscription follow a metric no longer."""
        self.caller(document)
        name, metric = read_remove(document, strict=self.strict)
        if self.subscriber is not None:
            self.subscriber.remove(name, metric)
        yield

    def close_subscription(self, document: dict[str, Any]) -> Steps:
        """End a subscription, and the connection."""
        self.caller(document)
        name = read_subscription(document, strict=self.strict)
        if self.subscriber is not None:
            self.subscriber.stop(name)
        self.end(ws.NORMAL, CLOSE_REQUESTED)
        yield

    @property
    def strict(self) -> bool:
        """Whether only Timely's own forms are taken."""
        return bool(self.server.config.timely_strict)

    # ------------------------------------------------------------ output

    def send_text(self, message: bytes) -> None:
        """Send a text message."""
        if not self.closing:
            self.write_message(ws.frame(ws.TEXT, message))

    def ping(self) -> None:
        """Ask the client whether it lives."""
        if not self.closing:
            self.write_message(ws.frame(ws.PING, b""))

    def denied(self, data: bytes, text: str) -> tuple[bytes, bool]:
        """The end in place of messages, as most requests are not answered."""
        return ws.close_frame(ws.INTERNAL, "not logged"), False

    def encoded(self, message: Any) -> bytes:
        """Reply values are RESP's, and have no form here. Raises TypeError."""
        raise TypeError(f"a WebSocket of the Timely API carries no {type(message).__name__}")

    @property
    def unread_bytes(self) -> int:
        """Bytes that the client has not read, and what its subscriptions have for it besides."""
        unread = int(WebSocketChannel.unread_bytes.__get__(self))
        return unread if self.subscriber is None else unread + self.subscriber.backlog_bytes

    def check_output(self, held_bytes: int = 0) -> None:
        """Close a client that leaves more unread than it may; one with subscriptions is told why."""
        if self.subscriber is None:
            super().check_output(held_bytes)
        else:
            self.subscriber.look_at_backlog()

    # ------------------------------------------------------------ the end

    def refuse_on(self, reason: str) -> None:
        """End the connection since a request fails, or something about it is too much."""
        self.end(ws.POLICY, reason)

    def let_go(self) -> None:
        """Free what waits to be run or sent, subscriptions included."""
        super().let_go()
        steps, self.steps = self.steps, None
        if steps is not None and not self.stepping:
            steps.close()
        if self.subscriber is not None:
            self.subscriber.forget()


_SUBSCRIBING: Final = {
    "create": TimelyWebSocket.create,
    "add": TimelyWebSocket.add,
    "remove": TimelyWebSocket.remove,
    "close": TimelyWebSocket.close_subscription,
}
