"""Blocks of events: some hundred events of a series in columns, their documents as text (``event_text.py``).

    times[i]      in the user's unit: 64 bits each or, where one does not fit, a list of integers of any size
    shapes[i]     the names of the document's members
    ends[i]       where its record ends in ``text``
    deadlines[i]  the ms that is the event's last one, 0 for one that does not expire; None where no event of the block does
    soonest       the first of the deadlines, 0 for none
    owner         the series, or rather its token, that may change the block; everybody else only reads it

Events stand in order of time; those of one time in the order in which they came, before those of the leap second behind it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress, repeat
from typing import Any, Final

from .event_shapes import WHOLE, Shape, Shapes
from .event_text import document_text, leap_of, shift

MOST_ROWS: Final = 512
MOST_BYTES: Final = 1 << 16
LEAST_TIME, MOST_TIME = -(1 << 63), (1 << 63) - 1

# Time, shape, record and deadline of an event.
Row = tuple[int, Shape, bytes, int]
# A block as the log and snapshots have it: times, numbers of shapes, ends, text, deadlines.
State = tuple[Any, bytes, bytes, bytes, bytes | None]


class Block:
    """Some events in order. It need not be full, and is never empty in a series."""

    __slots__ = ("deadlines", "ends", "owner", "shapes", "soonest", "text", "times")

    def __init__(self, owner: object = None) -> None:
        self.owner = owner
        self.times: Any = array("q")
        self.shapes: list[Shape] = []
        self.ends: array[int] = array("I")
        self.text = bytearray()
        self.deadlines: array[int] | None = None
        self.soonest = 0

    def __len__(self) -> int:
        return len(self.shapes)

    def copy(self, owner: object) -> Block:
        """An independent block with the same events."""
        block = Block(owner)
        block.times, block.shapes, block.ends, block.text = self.times[:], self.shapes[:], self.ends[:], self.text[:]
        block.deadlines = None if self.deadlines is None else self.deadlines[:]
        block.soonest = self.soonest
        return block

    def has_room(self, rows: int, size: int) -> bool:
        """Whether so many events, and bytes of text, may be added."""
        return len(self.shapes) + rows <= MOST_ROWS and len(self.text) + size <= MOST_BYTES

    # ------------------------------------------------------------ writing

    def append(self, time: int, shape: Shape, record: bytes, deadline: int) -> None:
        """Add an event behind all others."""
        if not LEAST_TIME <= time <= MOST_TIME:
            self.widen()
        self.times.append(time)
        self.shapes.append(shape)
        self.text += record
        self.ends.append(len(self.text))
        if deadline or self.deadlines is not None:
            self._append_deadline(deadline)

    def _append_deadline(self, deadline: int) -> None:
        if self.deadlines is None:
            self.deadlines = array("q", bytes(8 * (len(self.shapes) - 1)))
        self.deadlines.append(deadline)
        if deadline and (not self.soonest or deadline < self.soonest):
            self.soonest = deadline

    def extend(self, other: Block) -> None:
        """Add the events of another block behind all others."""
        before, size = len(self.shapes), len(self.text)
        if type(other.times) is list or type(self.times) is list:
            self.widen()
            self.times.extend(other.times)
        else:
            self.times += other.times
        self.shapes += other.shapes
        self.text += other.text
        self.ends += other.ends
        shift(self.ends, before, size)
        if other.deadlines is not None or self.deadlines is not None:
            if self.deadlines is None:
                self.deadlines = array("q", bytes(8 * before))
            self.deadlines += other.deadlines or array("q", bytes(8 * len(other)))
            self.soonest = min(filter(None, (self.soonest, other.soonest)), default=0)

    def insert(self, at: int, row: Row) -> None:
        """Put an event in front of the one at a place."""
        time, shape, record, deadline = row
        if not LEAST_TIME <= time <= MOST_TIME:
            self.widen()
        start = self.start(at)
        self.times.insert(at, time)
        self.shapes.insert(at, shape)
        self.text[start:start] = record
        self.ends.insert(at, start)
        shift(self.ends, at, len(record))
        if deadline or self.deadlines is not None:
            if self.deadlines is None:
                self.deadlines = array("q", bytes(8 * (len(self.shapes) - 1)))
            self.deadlines.insert(at, deadline)
            self.soonest = _soonest(self.deadlines)

    def cut(self, start: int, stop: int) -> None:
        """Remove the events from one place to in front of another."""
        first, last = self.start(start), self.start(stop)
        del self.times[start:stop], self.shapes[start:stop], self.text[first:last], self.ends[start:stop]
        shift(self.ends, start, first - last)
        if self.deadlines is not None:
            del self.deadlines[start:stop]
            self.soonest = _soonest(self.deadlines)

    def without(self, rows: Sequence[int], owner: object) -> Block:
        """A block without the events at some places, of which it has others."""
        kept = bytearray(b"\1") * len(self.shapes)
        for row in rows:
            kept[row] = 0
        block = Block(owner)
        times = compress(self.times, kept)
        block.times = list(times) if type(self.times) is list else array("q", times)
        block.shapes = list(compress(self.shapes, kept))
        starts = [0, *self.ends[:-1]]
        records = [bytes(self.text[start:end]) for start, end in compress(zip(starts, self.ends, strict=True), kept)]
        block.ends = array("I", accumulate(map(len, records)))
        block.text = bytearray(b"".join(records))
        if self.deadlines is not None:
            block.deadlines = array("q", compress(self.deadlines, kept))
            block.soonest = _soonest(block.deadlines)
        return block

    def widen(self) -> None:
        """Let times be of any size."""
        if type(self.times) is not list:
            self.times = list(self.times)

    # ------------------------------------------------------------ reading

    def start(self, at: int) -> int:
        """Where the record at a place begins in the text; for the place behind the last: where the text ends."""
        return self.ends[at - 1] if at else 0

    def record(self, at: int) -> bytes:
        """The record at a place."""
        return bytes(self.text[self.start(at) : self.ends[at]])

    def deadline(self, at: int) -> int:
        """When the event at a place expires, 0 for never."""
        return 0 if self.deadlines is None else self.deadlines[at]

    def leap(self, at: int) -> int:
        """The fraction of a leap second that the event at a place lies in, -1 for none."""
        shape = self.shapes[at]
        return leap_of(shape, self.record(at)) if shape.leap else -1

    def rows(self) -> Iterator[Row]:
        """All events."""
        for at in range(len(self.shapes)):
            yield self.times[at], self.shapes[at], self.record(at), self.deadline(at)

    def first_at(self, time: int, leap: int = -1) -> int:
        """The place of the first event that is not before a time, or a fraction of the leap second behind it."""
        at = bisect_left(self.times, time)
        while leap >= 0 and at < len(self.times) and self.times[at] == time and self.leap(at) < leap:
            at += 1
        return at

    def behind(self, time: int) -> int:
        """The place behind the last event that is not after a time."""
        return bisect_right(self.times, time)

    def visible(self, rows: Sequence[int], now_ms: int) -> Sequence[int]:
        """Those of some places whose events have not expired."""
        deadlines = self.deadlines
        if deadlines is None or not self.soonest or self.soonest >= now_ms:
            return rows
        return [row for row in rows if not deadlines[row] or deadlines[row] >= now_ms]

    @property
    def size_bytes(self) -> int:
        """Memory that the block takes."""
        columns = 12 if self.deadlines is None else 20
        return 400 + (columns + (8 if type(self.times) is not list else 40)) * len(self.shapes) + len(self.text)

    # ------------------------------------------------------------ as bytes

    def to_state(self, numbers: dict[int, int]) -> State:
        """The block as the log and snapshots have it; ``numbers``: that of each shape, by its ``id``."""
        wide = type(self.times) is list
        shapes = array("H", [numbers[id(shape)] for shape in self.shapes])
        return (
            list(self.times) if wide else self.times.tobytes(),
            shapes.tobytes(),
            self.ends.tobytes(),
            bytes(self.text),
            None if self.deadlines is None else self.deadlines.tobytes(),
        )

    @classmethod
    def from_state(cls, state: State, shapes: list[Shape], owner: object) -> Block:
        """The block of a state. Raises ValueError for what is none."""
        times, numbers, ends, text, deadlines = state
        block = cls(owner)
        block.times = list(times) if type(times) is not bytes else array("q", times)
        block.shapes = [shapes[number] for number in array("H", numbers)]
        block.ends = array("I", ends)
        block.text = bytearray(text)
        if deadlines is not None:
            block.deadlines = array("q", deadlines)
            block.soonest = _soonest(block.deadlines)
        if not len(block.times) == len(block.shapes) == len(block.ends) > 0 or block.ends[-1] != len(block.text):
            raise ValueError("the columns of a block of events do not fit together")
        return block

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert len(self.times) == len(self.shapes) == len(self.ends) > 0
        assert list(self.ends) == sorted(self.ends)
        assert self.ends[-1] == len(self.text)
        order = [(time, self.leap(at)) for at, time in enumerate(self.times)]
        assert order == sorted(order)
        assert self.deadlines is None or len(self.deadlines) == len(self.times)
        assert self.soonest == _soonest(self.deadlines or ())


def _soonest(deadlines: Iterable[int]) -> int:
    return min(filter(None, deadlines), default=0)


def blocks_of(rows: Iterable[Row], owner: object = None) -> list[Block]:
    """Blocks, none too full, of events that are in order."""
    return list(block_by_block(rows, owner))


def block_by_block(rows: Iterable[Row], owner: object = None) -> Iterator[Block]:
    """The same, one after the other."""
    block: Block | None = None
    for row in rows:
        if block is None or not block.has_room(1, len(row[2])):
            if block is not None:
                yield block
            block = Block(owner)
        block.append(*row)
    if block is not None:
        yield block


def merged(old: Sequence[Row], new: Iterable[Row]) -> Iterator[Row]:
    """Events in order, of old ones and new ones, which are in order; a new one stands instead of the old ones at its place."""
    at = 0
    for row in new:
        place = place_of(row)
        while at < len(old) and place_of(old[at]) < place:
            yield old[at]
            at += 1
        while at < len(old) and place_of(old[at]) == place:
            at += 1
        yield row
    yield from old[at:]


def blocks_of_columns(
    times: Sequence[int],
    shapes: list[Shape],
    records: list[bytes],
    deadlines: Sequence[int] | None,
    owner: object = None,
) -> list[Block]:
    """The same of columns side by side; ``deadlines`` is None where none expires. Blocks are made in one go."""
    blocks: list[Block] = []
    for start in range(0, len(shapes), MOST_ROWS):
        part = slice(start, start + MOST_ROWS)
        text = b"".join(records[part])
        if len(text) > MOST_BYTES:
            some = repeat(0) if deadlines is None else deadlines[part]
            blocks += blocks_of(zip(times[part], shapes[part], records[part], some, strict=False), owner)
            continue
        block = Block(owner)
        block.times = _column(times[part])
        block.shapes = shapes[part]
        block.ends = array("I", accumulate(map(len, records[part])))
        block.text = bytearray(text)
        if deadlines is not None and any(deadlines[part]):
            block.deadlines = array("q", deadlines[part])
            block.soonest = _soonest(block.deadlines)
        blocks.append(block)
    return blocks


def _column(times: Sequence[int]) -> Any:
    try:
        return array("q", times)
    except OverflowError:
        return list(times)


def place_of(row: Row) -> tuple[int, int]:
    """Where an event stands among all: its time, and the fraction of the leap second behind that if it lies in it."""
    time, shape, record, _ = row
    return time, leap_of(shape, record) if shape.leap else -1


def place_at(block: Block, row: int) -> tuple[int, int]:
    """The same of a row of a block."""
    return block.times[row], block.leap(row)


def numbered(blocks: Iterable[Block]) -> dict[int, Shape]:
    """The shapes of some blocks by their ``id``, in the order of their numbers."""
    found: dict[int, Shape] = {}
    for block in blocks:
        found.update({id(shape): shape for shape in dict.fromkeys(block.shapes)})
    return found


def pack_blocks(blocks: Sequence[Block]) -> tuple[list[Any], list[State]]:
    """Blocks as the log and snapshots have them: the names of each shape, and the columns."""
    shapes = numbered(blocks)
    numbers = {each: number for number, each in enumerate(shapes)}
    names = [None if shape.names is None else [shape.leap, list(shape.names)] for shape in shapes.values()]
    return names, [block.to_state(numbers) for block in blocks]


def unpack_blocks(state: tuple[list[Any], list[State]], known: Shapes, owner: object) -> list[Block]:
    """The blocks of such a state. Raises ValueError for what is none."""
    names, blocks = state
    shapes = [WHOLE if each is None else known.of(tuple(each[1]), each[0]) for each in names]
    if any(shape is WHOLE and each is not None for shape, each in zip(shapes, names, strict=True)):
        return _again([Block.from_state(each, _shapes_of(names), owner) for each in blocks], known, owner)
    return [Block.from_state(each, shapes, owner) for each in blocks]


def _shapes_of(names: list[Any]) -> list[Shape]:
    return [WHOLE if each is None else Shape(tuple(each[1]), each[0]) for each in names]


def _again(blocks: list[Block], known: Shapes, owner: object) -> list[Block]:
    """The same blocks with shapes that are known; where there are too many, documents are kept whole."""
    return blocks_of((adopted(row, known) for block in blocks for row in block.rows()), owner)


def adopted(row: Row, known: Shapes) -> Row:
    """The same event with a shape of somebody else's."""
    time, shape, record, deadline = row
    if shape.whole:
        return row
    assert shape.names is not None
    mine = known.of(shape.names, shape.leap)
    return time, mine, document_text(shape, record) if mine.whole else record, deadline


def adopt(block: Block, known: Shapes, mapping: dict[Shape, Shape]) -> bool:
    """Give a block shapes of somebody else's; False where there are too many, and the block has to be made again.

    ``mapping`` remembers which stands for which.
    """
    for shape in dict.fromkeys(block.shapes):
        if shape not in mapping:
            mine = shape if shape.whole else known.of(shape.names or (), shape.leap)
            if mine.whole and not shape.whole:
                return False
            mapping[shape] = mine
    if len(mapping) == 1:
        block.shapes = [mapping[block.shapes[0]]] * len(block.shapes)
    else:
        block.shapes = [mapping[shape] for shape in block.shapes]
    return True
