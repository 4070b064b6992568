"""A stream: entries in the order of their ids, in blocks, with consumer groups.

An *id* is one integer, ``ms << 64 | seq``, so ids compare as Redis' pairs do. An entry's fields are a
flat tuple ``(name, value, name, value ...)``.

Blocks hold as many entries as Redis' nodes do (``stream-node-max-entries`` and ``-bytes``, counted in the
bytes of Redis' listpacks), because approximate trimming removes whole nodes and that is visible. The last
RUN entries and up to as many more are in two lists; those before them are packed into byte strings (runs), where an
entry takes its values and some 30 bytes. Besides the last block, at most one is unpacked at a time: the one last read.

    blocks   [Block, Block, ...]       bases   [first id of each block]   -> bisect finds an id's block
"""

from __future__ import annotations

import marshal
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, Final

from .errors import IdsExhausted, IdTooSmall, StorageError
from .stream_groups import Group
from .stream_ids import distance_bytes, id_text, ids_of, integer_bytes, parts_of, texts_bytes
from .values import name_to_json, text_from_bytes

SEQ_BITS = 64
MAX_PART = (1 << 64) - 1
MAX_ID = (1 << 128) - 1
MOST_READ = (1 << 63) - 1  # most entries that a group may count as read

Fields = tuple[bytes, ...]
Entry = tuple[int, Fields]

# Redis' nodes are limited to 1 GiB; entries are limited here too, since a block is unpacked as a whole.
MOST_BYTES = 1 << 30
MOST_ENTRIES = 10_000

# This many entries at the end of a stream are never packed; when there are twice as many, the older half is.
RUN: Final = 16

_EMPTY_LISTPACK = 7
_ENTRY_SIZES = 56  # what an entry of an open block costs besides its fields: id, slots in two lists


def make_id(ms: int, seq: int) -> int:
    """An id from its two parts."""
    return ms << SEQ_BITS | seq


def id_of_text(text: bytes) -> int:
    """The id from a text that ``id_text`` made."""
    ms, _, seq = text.partition(b"-")
    return int(ms) << SEQ_BITS | int(seq)


# ---------------------------------------------------------------- blocks


class Block:
    """Some consecutive entries: packed in runs, as lists of ids and fields, or both.

    The first ``run_count`` entries are in the runs. The lists, if any, hold those from number ``start`` on: all (0), or
    only those that are not in a run (``run_count``).
    ``base`` and ``top`` are the first and last id that were ever in it; ``deleted`` counts removed entries, and ``size``
    is the size of Redis' node without its two counters: both decide when the block is full.
    """

    __slots__ = ("base", "count", "deleted", "ids", "names", "rows", "run_count", "runs", "size", "start", "top")

    def __init__(self, base: int, names: Fields) -> None:
        self.base: int = base
        self.top: int = base
        self.names: Fields = names
        self.count: int = 0
        self.deleted: int = 0
        self.ids: list[int] | None = []
        self.rows: list[Fields] | None = []
        self.start: int = 0
        self.runs: list[bytes] = []
        self.run_count: int = 0
        self.size: int = _EMPTY_LISTPACK + integer_bytes(len(names)) + texts_bytes(names, 0, 1) + integer_bytes(0)

    def full(self, entry_bytes: int, most_bytes: int, most_entries: int) -> bool:
        """Whether an entry whose texts have this many bytes needs a new block."""
        size = self.size + integer_bytes(self.count) + integer_bytes(self.deleted)
        return size + entry_bytes >= most_bytes or self.count + self.deleted >= most_entries

    def append(self, entry_id: int, fields: Fields) -> None:
        """Append an entry. The block must have lists."""
        names = self.names
        width = len(names)
        if len(fields) == 2 * width and (fields[0] == names[0] if width == 1 else fields[::2] == names):
            if width == 1:  # share the names' objects
                fields = (names[0], fields[1])
            elif width == 2:
                fields = (names[0], fields[1], names[1], fields[3])
            else:
                fields = tuple([part for pair in zip(names, fields[1::2], strict=True) for part in pair])
            size = texts_bytes(fields, 1, 2) + 2 + integer_bytes(width + 3)
        else:
            width = len(fields) // 2
            size = texts_bytes(fields, 0, 1) + 2 + integer_bytes(width) + integer_bytes(2 * width + 4)
        self.size += size + distance_bytes(entry_id, self.base)
        self.top = entry_id
        self.count += 1
        assert self.ids is not None
        assert self.rows is not None
        self.ids.append(entry_id)
        self.rows.append(fields)
        if self.count - self.run_count >= 2 * RUN:
            self.pack(RUN)

    def pack(self, left: int) -> None:
        """Pack the entries of the lists except for the last ones, and remove them from the lists."""
        ids, rows = self.ids, self.rows
        assert ids is not None
        assert rows is not None
        begin, end = self.run_count - self.start, len(ids) - left
        if begin < end:
            ms, seqs = parts_of(ids[begin:end], self.base)
            self.runs.append(marshal.dumps((ms, seqs, self.names, rows[begin:end])))
            self.run_count += end - begin
        del ids[:end], rows[:end]
        self.start = self.run_count

    def seal(self) -> None:
        """Pack the remaining entries, and drop the lists."""
        self.pack(0)
        self.ids = self.rows = None

    def resume(self) -> None:
        """Create lists for new entries."""
        self.ids, self.rows = [], []
        self.start = self.run_count

    def open(self) -> None:
        """Unpack all entries into the lists."""
        ids: list[int] = []
        rows: list[Fields] = []
        for run in self.runs:
            ms, seqs, self.names, some = marshal.loads(run)
            ids += ids_of(ms, seqs, self.base)
            rows += some
        if self.ids is not None:
            assert self.rows is not None
            ids += self.ids
            rows += self.rows
        self.ids, self.rows, self.start = ids, rows, 0

    def begins_by(self, entry_id: int) -> bool:
        """Whether the lists hold all entries from an id on."""
        return self.ids is not None and (self.start == 0 or (len(self.ids) > 0 and self.ids[0] <= entry_id))

    def copy(self) -> Block:
        """An independent block, which shares what is packed."""
        other = Block(self.base, ())
        other.top, other.names, other.count = self.top, self.names, self.count
        other.deleted, other.size, other.start = self.deleted, self.size, self.start
        other.runs, other.run_count = list(self.runs), self.run_count
        other.ids = None if self.ids is None else list(self.ids)
        other.rows = None if self.rows is None else list(self.rows)
        return other

    def size_bytes(self) -> int:
        """Roughly the memory that it takes."""
        size = 200 + sum([41 + len(run) for run in self.runs])
        if self.rows is not None:
            size += sum([_ENTRY_SIZES + 56 + sum([33 + len(text) for text in row[1::2]]) for row in self.rows])
        return size


# ---------------------------------------------------------------- streams


class Stream:
    """Entries in the order of their ids, and consumer groups by name.

    ``added`` counts all entries ever added; ``max_deleted`` is the greatest id that XDEL removed.
    Adding is O(1), finding an entry O(log n), a range of m entries O(log n + m).
    """

    __slots__ = ("added", "bases", "blocks", "groups", "last_id", "length", "max_deleted", "warm")

    kind = "stream"

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.bases: list[int] = []
        self.length: int = 0
        self.last_id: int = 0
        self.added: int = 0
        self.max_deleted: int = 0
        self.groups: dict[bytes, Group] = {}
        self.warm: Block | None = None  # an unpacked block that is not the last one

    def __len__(self) -> int:
        return self.length

    # ------------------------------------------------------------ adding

    def next_id(self, now_ms: int) -> int:
        """The id for an entry added now. Raises IdsExhausted."""
        fresh = now_ms << SEQ_BITS
        if fresh > self.last_id:
            return fresh
        if self.last_id == MAX_ID:
            raise IdsExhausted
        return self.last_id + 1

    def next_id_at(self, ms: int) -> int:
        """The next free id of a given millisecond. Raises IdTooSmall, IdsExhausted."""
        last = self.last_id
        if last >> SEQ_BITS < ms:
            return ms << SEQ_BITS
        if last >> SEQ_BITS > ms or last & MAX_PART == MAX_PART:
            raise self.no_greater_id()
        return last + 1

    def no_greater_id(self) -> StorageError:
        """The error for an id that is not greater than the last one."""
        return IdsExhausted() if self.last_id == MAX_ID else IdTooSmall()

    def add(self, entry_id: int, fields: Fields, most_bytes: int = 4096, most_entries: int = 100) -> None:
        """Append an entry. The limits are those of a block; 0 means the maximum. Raises IdTooSmall, IdsExhausted."""
        if entry_id <= self.last_id:
            raise self.no_greater_id()
        block = self.block_for(fields, most_bytes or MOST_BYTES, most_entries or MOST_ENTRIES)
        if block is None:
            block = Block(entry_id, fields[::2])
            self.blocks.append(block)
            self.bases.append(entry_id)
        block.append(entry_id, fields)
        self.length += 1
        self.added += 1
        self.last_id = entry_id

    def block_for(self, fields: Fields, most_bytes: int, most_entries: int) -> Block | None:
        """The last block, open, if there is one that takes the fields. A full one is packed."""
        if not self.blocks:
            return None
        block = self.blocks[-1]
        entry_bytes = 0
        for text in fields:
            entry_bytes += len(text)
        if block.full(entry_bytes, min(most_bytes, MOST_BYTES), min(most_entries, MOST_ENTRIES)):
            if block.ids is not None:
                block.seal()
                if self.warm is block:
                    self.warm = None
            return None
        if block.ids is None:
            block.resume()
        elif self.warm is block:
            self.warm = None
        return block

    # ------------------------------------------------------------ reading

    def opened(self, block: Block) -> Block:
        """The block with all entries in its lists; the one that was unpacked before it is packed again."""
        if block.ids is None:
            if self.warm is not None:
                self.warm.seal()
            block.open()
            self.warm = block
        elif block.start:
            block.open()
        return block

    def range(self, start: int, end: int, most: int = -1) -> list[Entry]:
        """Entries with start <= id <= end, oldest first, at most ``most`` (-1: all). O(log n + m)."""
        found: list[Entry] = []
        blocks = self.blocks
        index = max(bisect_right(self.bases, start) - 1, 0)
        while index < len(blocks) and blocks[index].base <= end and most != 0:
            block = blocks[index]
            if block.top >= start:
                if not block.begins_by(start):
                    block = self.opened(block)
                ids, rows = block.ids, block.rows
                assert ids is not None
                assert rows is not None
                low = bisect_left(ids, start) if block.base < start else 0
                high = bisect_right(ids, end) if block.top > end else len(ids)
                if 0 <= most < high - low:
                    high = low + most
                for at in range(low, high):
                    found.append((ids[at], rows[at]))
                if most > 0:
                    most -= max(high - low, 0)
            index += 1
        return found

    def range_reversed(self, start: int, end: int, most: int = -1) -> list[Entry]:
        """Entries with start <= id <= end, newest first, at most ``most`` (-1: all). O(log n + m)."""
        found: list[Entry] = []
        blocks = self.blocks
        index = bisect_right(self.bases, end) - 1
        while index >= 0 and blocks[index].top >= start and most != 0:
            block = self.opened(blocks[index])
            ids, rows = block.ids, block.rows
            assert ids is not None
            assert rows is not None
            low, high = bisect_left(ids, start), bisect_right(ids, end)
            if 0 <= most < high - low:
                low = high - most
            found += zip(ids[low:high][::-1], rows[low:high][::-1], strict=True)
            if most > 0:
                most -= max(high - low, 0)
            index -= 1
        return found

    def part(self, start: int, end: int, reverse: bool) -> tuple[int, Iterator[list[Entry]]]:
        """The number of entries with start <= id <= end, and a snapshot of them in batches. O(blocks).

        The oldest or the newest come first.
        """
        low = max(bisect_right(self.bases, start) - 1, 0)
        blocks = [block.copy() for block in self.blocks[low : bisect_right(self.bases, end)]]
        at_ends = {id(block): _inside(block, start, end) for block in blocks[:1] + blocks[-1:]}
        count = sum([block.count for block in blocks if id(block) not in at_ends]) + sum(map(len, at_ends.values()))

        def entries() -> Iterator[list[Entry]]:
            while blocks:
                block = blocks.pop()
                found = at_ends.pop(id(block), None)
                if found is None:
                    found = _inside(block, start, end)
                yield found[::-1] if reverse else found

        if not reverse:
            blocks.reverse()
        return count, entries()

    def get(self, entry_id: int) -> Fields | None:
        """The fields of one entry; None if the id does not exist. O(log n)."""
        index = bisect_right(self.bases, entry_id) - 1
        if index < 0 or self.blocks[index].top < entry_id:
            return None
        block = self.blocks[index]
        if not block.begins_by(entry_id):
            block = self.opened(block)
        ids, rows = block.ids, block.rows
        assert ids is not None
        assert rows is not None
        at = bisect_left(ids, entry_id)
        return rows[at] if at < len(ids) and ids[at] == entry_id else None

    def first_id(self) -> int:
        """The id of the first entry, 0 if there is none."""
        if not self.length:
            return 0
        ids = self.opened(self.blocks[0]).ids
        assert ids is not None
        return ids[0]

    def greatest_id(self) -> int:
        """The id of the last entry, 0 if there is none."""
        if not self.length:
            return 0
        block = self.blocks[-1]
        ids = block.ids or self.opened(block).ids
        assert ids is not None
        return ids[-1]

    # ------------------------------------------------------------ removing

    def delete(self, entry_id: int) -> bool:
        """Remove one entry as XDEL does; False if the id does not exist. O(log n)."""
        index = bisect_right(self.bases, entry_id) - 1
        if index < 0 or self.blocks[index].top < entry_id:
            return False
        block = self.opened(self.blocks[index])
        ids, rows = block.ids, block.rows
        assert ids is not None
        assert rows is not None
        at = bisect_left(ids, entry_id)
        if at == len(ids) or ids[at] != entry_id:
            return False
        if block.count == 1:
            self.drop_blocks(index, index + 1)
        else:
            self.cut(block, at, at + 1)
        self.length -= 1
        self.max_deleted = max(self.max_deleted, entry_id)
        return True

    def cut(self, block: Block, low: int, high: int) -> None:
        """Remove some, not all, entries of a block that has all in its lists."""
        assert block.ids is not None
        assert block.rows is not None
        del block.ids[low:high]
        del block.rows[low:high]
        block.runs, block.run_count = [], 0
        block.count -= high - low
        block.deleted += high - low

    def drop_blocks(self, low: int, high: int) -> None:
        """Remove whole blocks."""
        if self.warm is not None and self.warm in self.blocks[low:high]:
            self.warm = None
        del self.blocks[low:high]
        del self.bases[low:high]

    def trim_length(self, most: int, approximate: bool = False, limit: int = 0) -> int:
        """Remove the oldest entries until ``most`` are left; return how many were removed.

        Approximate: whole blocks only, and none that would bring the number removed above ``limit`` (0: no limit).
        """
        if self.length <= most:
            return 0
        left, gone = self.length, 0
        for block in self.blocks:
            if left <= most or (limit and self.length - left + block.count > limit) or left - block.count < most:
                break
            left -= block.count
            gone += 1
        self.drop_blocks(0, gone)
        if left > most and not approximate:
            self.cut(self.opened(self.blocks[0]), 0, left - most)
            left = most
        removed = self.length - left
        self.length = left
        return removed

    def trim_before(self, least_id: int, approximate: bool = False, limit: int = 0) -> int:
        """Remove the entries with smaller ids; return how many were removed. ``approximate`` as in ``trim_length``."""
        removed, gone = 0, 0
        for block in self.blocks:
            if (limit and removed + block.count > limit) or block.top >= least_id:
                break
            removed += block.count
            gone += 1
        self.drop_blocks(0, gone)
        if self.blocks and not approximate:
            block = self.opened(self.blocks[0])
            assert block.ids is not None
            low = bisect_left(block.ids, least_id)
            if low == block.count:  # all remaining entries: the greater ones have been deleted
                self.drop_blocks(0, 1)
            elif low:
                self.cut(block, 0, low)
            removed += low
        self.length -= removed
        return removed

    # ------------------------------------------------------------ progress of groups

    def deleted_from(self, start: int) -> bool:
        """Whether XDEL may have removed an entry from this id on, after the first remaining one."""
        if not self.length or self.max_deleted == 0 or start > self.max_deleted:
            return False
        return self.first_id() <= self.max_deleted

    def entries_up_to(self, entry_id: int) -> int | None:
        """How many entries were ever added up to an id; None if only counting would tell."""
        if not self.added:
            return 0
        if not self.length and entry_id <= self.last_id:
            return self.added
        if entry_id == self.last_id:
            return self.added
        if entry_id > self.last_id:
            return None
        first = self.first_id()
        if self.max_deleted == 0 or self.max_deleted < first:
            if entry_id < first:
                return self.added - self.length
            if entry_id == first:
                return self.added - self.length + 1
        return None

    def lag(self, group: Group) -> int | None:
        """How many entries the group still has to read; None if unknown."""
        if not self.added:
            return 0
        if group.entries_read is not None and not self.deleted_from(group.last_id):
            return self.added - group.entries_read
        read = self.entries_up_to(group.last_id)
        return None if read is None else self.added - read

    def advance(self, group: Group, entry_id: int) -> None:
        """Note that a group has read an entry, if it is newer than all that it has read."""
        if entry_id <= group.last_id:
            return
        if group.entries_read is not None and not self.deleted_from(entry_id):
            group.entries_read = min(group.entries_read + 1, MOST_READ)
        elif self.added:
            group.entries_read = self.entries_up_to(entry_id)
        group.last_id = entry_id

    # ------------------------------------------------------------ outer forms

    def to_json(self) -> list[Any]:
        """An array of ``[id, {name: value}]``... with the fields as a flat array, since names may repeat."""
        return [[id_text(entry_id).decode(), _fields_to_json(fields)] for entry_id, fields in self.range(0, MAX_ID)]

    def encoding(self, config: object) -> str:
        """OBJECT ENCODING, the only one of streams."""
        return "stream"

    def copy(self) -> Stream:
        """An independent copy. O(blocks), packed blocks share their bytes."""
        copied = Stream()
        if self.warm is not None:
            self.warm.seal()
            self.warm = None
        copied.blocks = [block.copy() for block in self.blocks]
        copied.bases = list(self.bases)
        copied.length, copied.last_id, copied.added = self.length, self.last_id, self.added
        copied.max_deleted = self.max_deleted
        copied.groups = {name: group.copy() for name, group in self.groups.items()}
        return copied

    def __deepcopy__(self, memo: object) -> Stream:
        return self.copy()

    def size_bytes(self, samples: int) -> int:
        """Roughly the memory that it takes; ``samples`` blocks are examined (0: all)."""
        looked_at = self.blocks if samples == 0 else self.blocks[:samples]
        size = 200 + sum(group.size_bytes() for group in self.groups.values())
        if looked_at:
            size += sum(block.size_bytes() + 60 for block in looked_at) * len(self.blocks) // len(looked_at)
        return size

    def to_state(self) -> tuple[Any, ...]:
        """Everything as plain data: counters, blocks with their entries, groups. Ids are text."""
        blocks = []
        for block in self.blocks:
            block = self.opened(block)
            assert block.ids is not None
            assert block.rows is not None
            entries = [(id_text(each), row) for each, row in zip(block.ids, block.rows, strict=True)]
            blocks.append((id_text(block.base), id_text(block.top), block.deleted, block.size, block.names, entries))
        groups = [(name, group.to_state()) for name, group in self.groups.items()]
        return id_text(self.last_id), self.added, id_text(self.max_deleted), blocks, groups

    @classmethod
    def from_state(cls, state: Any) -> Stream:
        """The stream from the state that ``to_state`` gave."""
        stream = cls()
        last_id, stream.added, max_deleted, blocks, groups = state
        stream.last_id, stream.max_deleted = id_of_text(last_id), id_of_text(max_deleted)
        for base, top, deleted, size, names, entries in blocks:
            block = Block(id_of_text(base), tuple(names))
            block.ids = [id_of_text(each) for each, _ in entries]
            block.rows = [tuple(row) for _, row in entries]
            block.top, block.deleted, block.size, block.count = id_of_text(top), deleted, size, len(entries)
            block.seal()
            stream.blocks.append(block)
            stream.bases.append(block.base)
            stream.length += block.count
        stream.groups = {name: Group.from_state(each) for name, each in groups}
        return stream

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert self.bases == [block.base for block in self.blocks]
        assert self.length == sum(block.count for block in self.blocks) <= self.added
        unpacked = [block for block in self.blocks[:-1] if block.ids is not None]
        assert unpacked in ([], [self.warm])
        before = -1
        for block in self.blocks:
            assert block.start in (0, block.run_count)
            assert block.count - block.run_count < 2 * RUN or block is self.blocks[-1] or block is self.warm
            ids, rows = self.opened(block).ids, block.rows
            assert ids is not None
            assert rows is not None
            assert len(ids) == len(rows) == block.count > 0
            assert before < block.base <= ids[0]
            assert ids[-1] <= block.top <= self.last_id
            assert ids == sorted(set(ids))
            before = block.top
        for group in self.groups.values():
            group.check()


def _inside(block: Block, start: int, end: int) -> list[Entry]:
    """The entries with start <= id <= end of a block of which this is the only user."""
    if block.ids is None or block.start:
        block.open()
    assert block.ids is not None
    assert block.rows is not None
    entries = list(zip(block.ids, block.rows, strict=True))
    if block.base < start or block.top > end:
        entries = entries[bisect_left(block.ids, start) : bisect_right(block.ids, end)]
    return entries


def _fields_to_json(fields: Fields) -> dict[str, Any] | list[Any]:
    """Fields as an object; as a flat array if a name occurs twice."""
    names = fields[::2]
    if len(set(names)) < len(names):
        return [text_from_bytes(text) for text in fields]
    return {name_to_json(name): text_from_bytes(value) for name, value in zip(names, fields[1::2], strict=True)}
