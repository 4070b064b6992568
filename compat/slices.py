"""Replies that are too big to be made in one go: sent in pieces, with the loop free for other clients in between.

The client is halted meanwhile, as in a pause, so its later commands and pushed messages keep their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from januskv.commands.context import Context
from januskv.resp.encoder import encode
from januskv.resp.replies import NO_REPLY, RawReply, Reply

from .blocking import may_wait

if TYPE_CHECKING:
    from .connection import Connection

# Replies of more items than this are worth sending in slices, of so many items each.
MANY: Final = 20_000
_ITEMS: Final = 4096
_LEAST_PIECE: Final = 1 << 16

# No more pieces while so many bytes wait for the client to read them.
_UNREAD_BYTES: Final = 1 << 20
_WHILE_UNREAD_S: Final = 0.002


def in_slices(ctx: Context, pieces: Iterator[bytes]) -> Reply:
    """Answer with the pieces of one reply, each made when the one before has been sent.

    What they are made from must not change meanwhile. Where a reply cannot be sent in pieces (in EXEC, in scripts,
    at the native doors) they are put together.
    """
    if not may_wait(ctx) or ctx.client.reply_mode in ("off", "skipping"):
        return RawReply(b"".join(pieces))
    connection = ctx.client.connection
    connection.halted = True
    ctx.server.later(0, _Sending(connection, pieces).go_on)
    return NO_REPLY


def _as_they_are(items: list[Any]) -> Any:
    return items


class Items(Protocol):
    """A sequence whose slices are lists."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> list[Any]: ...


def items_in_slices(ctx: Context, items: Items, head: bytes, shape: Callable[[list[Any]], Any] = _as_they_are) -> Reply:
    """Answer with a collection of many items, encoded some at a time. ``head`` is what the reply begins with.

    ``shape`` makes an array, or for pairs a map or an array, of some of the items.
    """
    protocol = 2 if ctx.client is None else ctx.client.protocol

    def pieces() -> Iterator[bytes]:
        yield head
        for at in range(0, len(items), _ITEMS):
            wire = encode(shape(items[at : at + _ITEMS]), protocol)
            yield wire[wire.index(b"\n") + 1 :]

    return in_slices(ctx, pieces())


def together(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth a turn each."""
    some: list[bytes] = []
    size = 0
    for piece in pieces:
        some.append(piece)
        size += len(piece)
        if size >= _LEAST_PIECE:
            yield b"".join(some)
            some, size = [], 0
    if some:
        yield b"".join(some)


# Strings of more bytes than this are sent in parts of so many.
LONG: Final = 4 << 20
_PART: Final = 1 << 20


def string_in_slices(ctx: Context, text: bytes) -> Reply:
    """Answer with a string, which is copied a part at a time where it is long."""
    if len(text) <= LONG:
        return text

    def pieces() -> Iterator[bytes]:
        yield b"$%d\r\n" % len(text)
        for at in range(0, len(text), _PART):
            yield text[at : at + _PART]
        yield b"\r\n"

    return in_slices(ctx, pieces())


class _Sending:
    """A reply that is on its way."""

    __slots__ = ("connection", "pieces")

    def __init__(self, connection: Connection, pieces: Iterator[bytes]) -> None:
        self.connection = connection
        self.pieces = pieces
        connection.sending = True

    def go_on(self) -> None:
        """Send the next piece, or let the client's next command run."""
        connection = self.connection
        server = connection.server
        if connection.transport is None or connection.closing:
            return
        if connection.transport.get_write_buffer_size() > _UNREAD_BYTES:
            server.later(_WHILE_UNREAD_S, self.go_on)
            return
        piece = next(self.pieces, None)
        if piece is None:
            connection.sent()
            return
        connection.encoder.write_raw(piece)
        connection.flush()
        server.later(0, self.go_on)
