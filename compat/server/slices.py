"""Replies that are too big to be made in one go: sent in pieces, with the loop free for other clients in between.

The client is halted meanwhile, as in a pause, so its later commands and pushed messages keep their place. No piece is
made while the transport has more than it wants: it says when the client has read (``Channel.resume_writing``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

from januskv.commands.context import Context
from januskv.resp.encoder import encode
from januskv.resp.replies import NO_REPLY, RawReply, Reply
from januskv.storage.reclaiming import is_big

from .blocking import may_wait

# Replies of more items than this are worth sending in slices, of so many items each.
MANY: Final = 20_000
_ITEMS: Final = 4096
_LEAST_PIECE: Final = 1 << 16


def in_slices(ctx: Context, pieces: Iterator[bytes]) -> Reply:
    """Answer with the pieces of one reply, each made when the one before has been sent.

    What they are made from must not change meanwhile. Where a reply cannot be sent in pieces (in EXEC, in scripts,
    at the native doors) they are put together.
    """
    if not may_wait(ctx) or ctx.client.reply_mode in ("off", "skipping"):
        return RawReply(b"".join(pieces))
    ctx.client.connection.send_pieces(pieces)
    return NO_REPLY


def _as_they_are(items: list[Any]) -> Any:
    return items


class Items(Protocol):
    """A sequence whose slices are lists."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Any: ...


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


def string_in_slices(ctx: Context, text: bytes, start: int = 0, end: int | None = None) -> Reply:
    """Answer with a string, or with the part from one offset up to another; copied a bit at a time where it is long."""
    end = len(text) if end is None else end
    if end - start <= LONG:
        return text[start:end]

    def pieces() -> Iterator[bytes]:
        yield b"$%d\r\n" % (end - start)
        for at in range(start, end, _PART):
            yield text[at : min(at + _PART, end)]
        yield b"\r\n"
        if is_big(text):
            ctx.store.feed.reclaimer.take(text)  # the keys that had it may be gone

    return in_slices(ctx, pieces())
