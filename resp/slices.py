"""Replies of many items, encoded and sent in pieces, so that the loop serves other clients in between.

The client is halted meanwhile, as in a pause, so its later commands and pushed messages keep their place. No piece is
made while the transport's buffer is full: ``Channel.resume_writing`` is called when the client has read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, Protocol

from .encoder import array_head, encode, map_head, number_rows
from .replies import Entries, FlatMap, Framed, Reply, SampleNumber, Shaped, Sliced

# Replies of more than MANY items are sent in slices of _ITEMS items.
MANY: Final = 20_000
_ITEMS: Final = 4096
_LEAST_PIECE: Final = 1 << 16
# Strings of more than LONG bytes are sent in parts of _PART bytes.
LONG: Final = 4 << 20
_PART: Final = 1 << 20
# Rows of samples that are encoded at a time; replies of more are sliced.
SAMPLES: Final = 16_384


class Items(Protocol):
    """A sequence whose slices are lists."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Any: ...


def _as_they_are(items: list[Any]) -> Any:
    return items


Shape = Callable[[list[Any]], Any]


class Many(Sliced):
    """A collection of many items. ``shape`` makes a reply value of some of them, always of the same size per item."""

    __slots__ = ("items", "shape")

    def __init__(self, items: Items, shape: Shape = _as_they_are) -> None:
        self.items = items
        self.shape = shape

    def pieces(self, protocol: int) -> Iterator[bytes]:
        """The head with the count of all, and the items without the heads of their slices."""
        for at in range(0, len(self.items), _ITEMS):
            some = self.items[at : at + _ITEMS]
            head, _, wire = encode(self.shape(some), protocol).partition(b"\n")
            if at == 0:
                yield b"%c%d\r\n" % (head[0], int(head[1:]) * len(self.items) // len(some))
            yield wire


def items_reply(items: Items, shape: Shape = _as_they_are) -> Reply:
    """A collection as a reply; one of many items is sliced."""
    if len(items) > MANY:
        return Many(items, shape)
    shaped: Reply = shape(items[:])
    return shaped


class EntryParts(Sliced):
    """Many entries of a stream, which come in parts."""

    __slots__ = ("count", "parts")

    def __init__(self, count: int, parts: Iterable[list[tuple[int, tuple[bytes, ...]]]]) -> None:
        self.count = count
        self.parts = parts

    @property
    def many(self) -> bool:
        """Whether it is worth sending in pieces."""
        return self.count > MANY

    def pieces(self, protocol: int) -> Iterator[bytes]:
        """The head and the parts, those that are small together."""
        parts = (encode(Entries(part), protocol).partition(b"\n")[2] for part in self.parts)
        return together(chain((array_head(self.count),), parts))


class FramedParts(Sliced):
    """A ``Framed`` of many items."""

    __slots__ = ("framed",)

    def __init__(self, framed: Framed) -> None:
        self.framed = framed

    def pieces(self, protocol: int) -> Iterator[bytes]:
        """The head and the parts; small ones are joined."""
        frame = self.framed.frame
        parts = (frame(part, b"$", b"\r\n") for part in self.framed.parts)
        return together(chain((array_head(self.framed.count),), parts))


def framed_reply(count: int, parts: Collection[Any], frame: Callable[[Any, bytes, bytes], bytes]) -> Reply:
    """Byte strings that their container frames, see ``Framed``; many of them are sliced."""
    framed = Framed(count, parts, frame)
    return FramedParts(framed) if count > MANY else framed


class LongText(Sliced):
    """A part of a string, copied piece by piece where it is long; ``after`` is called when it has been sent."""

    __slots__ = ("after", "end", "start", "text")

    def __init__(self, text: bytes, start: int, end: int, after: Callable[[], object] | None = None) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.after = after

    def pieces(self, protocol: int) -> Iterator[bytes]:
        """The size and the parts."""
        yield b"$%d\r\n" % (self.end - self.start)
        for at in range(self.start, self.end, _PART):
            yield self.text[at : min(at + _PART, self.end)]
        yield b"\r\n"
        if self.after is not None:
            self.after()


class SampleRows(Sliced):
    """Rows of samples, [time, value, ...]: buffers of the times and of at least one column of values."""

    __slots__ = ("columns", "times")

    def __init__(self, times: Any, columns: Sequence[Any]) -> None:
        self.times = times
        self.columns = columns

    @property
    def many(self) -> bool:
        """Whether it is worth sending in pieces."""
        return len(self.times) > SAMPLES

    def pieces(self, protocol: int) -> Iterator[bytes]:
        """The head and the rows."""
        yield array_head(len(self.times))
        for at in range(0, len(self.times), SAMPLES):
            part = slice(at, at + SAMPLES)
            if len(self.columns) == 1:
                yield number_rows(self.times[part], self.columns[0][part], protocol)
            else:
                columns = [map(SampleNumber, memoryview(column[part]).tolist()) for column in self.columns]
                rows = list(zip(memoryview(self.times[part]).tolist(), *columns, strict=True))
                yield encode(rows, protocol).partition(b"\n")[2]


class Together(Sliced):
    """An array or a map of sliced replies that have many items together."""

    __slots__ = ("reply",)

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def pieces(self, protocol: int) -> Iterator[bytes]:
        """The items, one after the other; small ones are joined."""
        return together(_walk(self.reply, protocol))


def together(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are each worth a turn of the loop."""
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


def _walk(reply: Any, protocol: int) -> Iterator[bytes]:
    while isinstance(reply, Shaped):
        reply = reply.shape(protocol == 3)
    if isinstance(reply, Sliced):
        yield from reply.pieces(protocol)
    elif isinstance(reply, FlatMap | list | tuple):
        items = reply.items if isinstance(reply, FlatMap) else reply
        yield map_head(len(items) // 2, protocol) if isinstance(reply, FlatMap) else array_head(len(items))
        for item in items:
            yield from _walk(item, protocol)
    else:
        yield encode(reply, protocol)
