"""Native commands that run in steps (see ``commands.work``), a slice of a millisecond at a time.

The client is halted meanwhile, so its requests keep their order; others are served between the slices. All such commands
together get one slice per round of the loop, in turn, and at most MOST_AT_ONCE of them run concurrently: the others
wait, and hold no resources.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from januskv.commands.declare import Flag
from januskv.commands.params import NativeError
from januskv.commands.status import Status
from januskv.commands.table import Command
from januskv.commands.work import Body, Work, at_once
from januskv.storage.sessions import Session

from .client import Client
from .client_context import ClientContext
from .core import Core
from .late_parts import run_part
from .pause import Pause
from .stopwatch import now_ns
from .tracking import Tracking

MOST_AT_ONCE: Final = 8
SLICE_NS: Final = 1_000_000
# A reply is handed to the transport in pieces of about this size.
_PIECE_BYTES: Final = 1 << 16
_WHILE_PAUSED_S: Final = 0.01


class LongCommand:
    """A command that runs in steps, and the client that gets the reply."""

    __slots__ = ("body", "client", "command", "over_resp", "session", "silent", "spent_ns", "token", "work")

    def __init__(
        self, client: Client, command: Command, body: Any, token: int | None, work: Work, *, over_resp: bool
    ) -> None:
        self.client = client
        self.command = command
        self.body = body
        self.token = token
        self.work = work
        self.over_resp = over_resp
        self.silent = over_resp and client.reply_mode in ("off", "skipping")
        self.session: Session | None = None  # the session that it acts in
        self.spent_ns = 0


class LongCommands:
    """The commands of a server that run in steps."""

    def __init__(self, core: Core, pause: Pause, tracking: Tracking) -> None:
        self.core, self.pause, self.tracking = core, pause, tracking
        self.begun: dict[Client, LongCommand] = {}  # the next in turn comes first
        self.waiting: dict[Client, LongCommand] = {}
        self.called = False

    def __contains__(self, client: Client) -> bool:
        """Whether a command of the client is under way."""
        return client in self.begun or client in self.waiting

    # ------------------------------------------------------------ beginning and end

    def take(self, context: ClientContext, command: Command, body: Any, token: int | None, work: Work) -> Body | None:
        """Begin a command; return its reply, or None if that comes later. Raises what its steps raise."""
        client = context.client
        if client is None or context.in_transaction:
            return at_once(work.steps)
        long = LongCommand(client, command, body, token, work, over_resp=not context.as_json)
        if command.in_keyspace:
            long.session = client.session if token is None else self.core.store.sessions.by_token[token]
        if len(self.begun) < MOST_AT_ONCE:
            started = now_ns()
            reply = _slice(work)
            if reply is not None:
                return reply
            long.spent_ns = now_ns() - started
            self.begun[client] = long
        else:
            self.waiting[client] = long
        client.connection.halted = client.connection.sending = True
        self.call(0)
        return None

    def forget(self, client: Client) -> None:
        """Free the resources of the client's command, if one is under way."""
        self.waiting.pop(client, None)
        if self.begun.pop(client, None) is not None and self.waiting:
            following = next(iter(self.waiting))
            self.begun[following] = self.waiting.pop(following)

    # ------------------------------------------------------------ slices

    def call(self, delay_s: float) -> None:
        """Schedule the next slice, once."""
        if not self.called:
            self.called = True
            self.core.later(delay_s, self.go_on)

    def go_on(self) -> None:
        """Run a slice of the next command in turn. A pause holds those that write."""
        self.called = False
        now_ms = self.core.store.clock.tick()
        may_go_on = (
            client
            for client, long in self.begun.items()
            if not (self.pause.until_ms and Flag.WRITE in long.command.flags)
        )
        client = next(may_go_on, None)
        if client is None:
            if self.begun:
                self.call(_WHILE_PAUSED_S)
            return
        long = self.begun[client] = self.begun.pop(client)
        self.advance(long, now_ms)
        if self.begun:
            self.call(0)

    def advance(self, long: LongCommand, now_ms: int) -> None:
        """Run a slice of a command, and reply if it was the last one."""
        client = long.client
        client.connection.active_ms = now_ms
        pieces, spent_ns = run_part(self.core.store.feed, self.tracking, client, partial(self.done, long, now_ms))
        long.spent_ns += spent_ns
        client.connection.check_output(long.work.parts.size)
        if pieces is not None and not client.connection.closing:
            self.forget(client)
            # Its call was counted when it began.
            self.core.accounts.ended(long.command, long.spent_ns, long.body, client)
            _answer(long, list(pieces))

    def done(self, long: LongCommand, now_ms: int) -> Iterator[bytes] | None:
        """Run a slice of a command: the reply in pieces if it was the last one, or failed."""
        try:
            self.check(long, now_ms)
            reply = _slice(long.work)
            return None if reply is None else self.core.native.reply_pieces(long.command, reply, long.token)
        except Exception as error:
            return iter((self.core.native.failure(long.command, error),))

    def check(self, long: LongCommand, now_ms: int) -> None:
        """Check whether a command may continue. Raises NativeError."""
        session = long.session
        if session is not None:
            if session.ended:
                raise NativeError(Status.SESSION_NOT_EXIST, "the session has ended", token=long.token)
            session.renew(now_ms)
        if self.core.state.write_fault and Flag.WRITE in long.command.flags:
            raise NativeError(Status.UNKNOWN, self.core.state.write_fault)


def _slice(work: Work) -> Body | None:
    """Run steps of a command for some time; return the reply after the last one. Raises what they raise."""
    until_ns = now_ns() + SLICE_NS
    try:
        while True:
            next(work.steps)
            if now_ns() >= until_ns:
                return None
    except StopIteration as end:
        reply: Body = end.value
        return reply


def _answer(long: LongCommand, pieces: list[bytes]) -> None:
    """Send a reply, and let the client continue."""
    connection, size = long.client.connection, sum(map(len, pieces))
    if not long.silent and size > _PIECE_BYTES:
        if long.over_resp:
            pieces.insert(0, b"$%d\r\n" % size)
            pieces.append(b"\r\n")
            connection.send_pieces(_even(pieces))
        else:
            connection.send_pieces(connection.native_pieces(_even(pieces)))
        return
    connection.sending = False
    if not long.silent:
        text = b"".join(pieces)
        connection.push_bytes(connection.encoded(text) if long.over_resp else connection.encoded_native(text))
    connection.sent()


def _even(pieces: list[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of a reasonable size. Sent ones are freed."""
    pieces.reverse()
    while pieces:
        some: list[bytes] = []
        size = 0
        while pieces and size < _PIECE_BYTES:
            some.append(pieces.pop())
            size += len(some[-1])
        yield b"".join(some)
