"""Long lists: both ends open, the middle packed.

    head     the first elements in reverse, so that pushing and popping are O(1)
    blocks   the elements in the middle: rows of byte strings (packed_texts.py), or lists of elements that are not strings
    tail     the last elements

An end that has grown to ``most`` moves its inner half to the blocks; an empty one takes the block next to it, or half of
the other end. ``most`` grows with the list, up to 2 * BLOCK: small lists are packed except for a quarter at each end,
big ones except for about a thousand elements at each end.
"""

from __future__ import annotations

import copy
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, ClassVar, Final, overload

from .packed_texts import Texts, framed, joined, row_of
from .places import Places
from .values import element_to_json, text_of

Block = Texts | list[Any]
# A block, and the first index and the end in it.
Piece = tuple[Block, int, int]

BLOCK: Final = 1024
LEAST_OPEN: Final = 8
SMALL_BLOCK: Final = 64  # blocks grow to this size before another is added


class LongList:
    """A list of many elements. Reads like a list; slices are lists."""

    kind: ClassVar[str] = "list"
    __slots__ = ("blocks", "head", "most", "places", "tail")

    def __init__(self, items: list[Any]) -> None:
        self.head: list[Any] = []
        self.blocks: list[Block] = []
        self.tail: list[Any] = []
        self.places: Places = Places(self.blocks)
        self.most: int = LEAST_OPEN
        self.push(False, items)

    def __len__(self) -> int:
        return len(self.head) + self.places.size + len(self.tail)

    def __iter__(self) -> Iterator[Any]:
        return chain(reversed(self.head), chain.from_iterable(self.blocks), self.tail)

    def __reversed__(self) -> Iterator[Any]:
        return chain(reversed(self.tail), chain.from_iterable(map(reversed, reversed(self.blocks))), self.head)

    # ------------------------------------------------------------ both ends

    def push(self, at_head: bool, new: list[Any]) -> None:
        """Push elements one after another: at the head they end up in reverse order. O(M)."""
        end = self.head if at_head else self.tail
        end += new
        if len(end) >= self.most:
            self._close(at_head)

    def _close(self, at_head: bool) -> None:
        """Move the inner part of an end that has grown to the blocks."""
        self.most = max(LEAST_OPEN, min(len(self) // 4, 2 * BLOCK))
        end = self.head if at_head else self.tail
        count = len(end) - self.most // 2
        if len(end) < self.most or count <= 0:
            return
        inner = end[:count]
        del end[:count]
        if at_head:
            inner.reverse()
        new = _in_blocks(inner)
        blocks = self.blocks
        if blocks and len(new) == 1 and self._merge(at_head, new[0]):
            return
        if at_head:
            blocks[:0] = new
            self.places.changed(0, count)
        else:
            blocks += new
            self.places.changed(len(blocks) - len(new), count)

    def _merge(self, at_head: bool, new: Block) -> bool:
        """Add a small block to the one at an end, if that is small too; return whether it was."""
        at = 0 if at_head else len(self.blocks) - 1
        near = self.blocks[at]
        if not isinstance(near, Texts) or not isinstance(new, Texts) or len(near) + len(new) > SMALL_BLOCK:
            return False
        merged = joined(new, near) if at_head else joined(near, new)
        if merged is None:
            return False
        self.blocks[at] = merged
        self.places.changed(at, len(new))
        return True

    def _reopen(self, at_head: bool) -> bool:
        """Fill an empty end from its neighbour; return whether there was anything."""
        end, other = (self.head, self.tail) if at_head else (self.tail, self.head)
        blocks = self.blocks
        if blocks:
            at = 0 if at_head else len(blocks) - 1
            end += blocks[at]
            if at_head:
                end.reverse()
            del blocks[at]
            self.places.changed(at, -len(end))
        else:
            count = (len(other) + 1) // 2
            end += other[:count]
            end.reverse()
            del other[:count]
        return bool(end)

    def take(self, at_head: bool, count: int) -> list[Any]:
        """Remove up to ``count`` elements and return them in the order of removal. O(M)."""
        end = self.head if at_head else self.tail
        if count == 1 and end:
            return [end.pop()]
        taken: list[Any] = []
        while count > 0 and (end or self._reopen(at_head)):
            some = end[-count:]
            del end[-count:]
            some.reverse()
            taken += some
            count -= len(some)
        return taken

    def pop(self, at_head: bool) -> Any:
        """Remove and return the first or the last element. Raises IndexError if there is none."""
        end = self.head if at_head else self.tail
        if not end:
            self._reopen(at_head)
        return end.pop()

    def keep(self, first: int, end: int) -> None:
        """Keep only the elements from one index to another, end exclusive. O(M) with M elements removed."""
        self._drop(False, len(self) - end)
        self._drop(True, first)

    def _drop(self, at_head: bool, count: int) -> None:
        """Remove ``count`` elements from an end, or all if there are fewer."""
        end = self.head if at_head else self.tail
        while count > 0:
            if not end:
                if self.blocks and len(self.blocks[0 if at_head else -1]) <= count:
                    block = self.blocks.pop(0 if at_head else -1)
                    count -= len(block)
                    self.places.changed(0 if at_head else len(self.blocks), -len(block))
                    continue
                if not self._reopen(at_head):
                    return
            dropped = min(count, len(end))
            del end[-dropped:]
            count -= dropped

    # ------------------------------------------------------------ by index

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        """One element, or a list of those in a slice. O(log N + M)."""
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            return self.part(start, stop)
        return self.item(index + len(self) if index < 0 else index)

    def item(self, index: int) -> Any:
        """The element at a non-negative index."""
        head = self.head
        if index < len(head):
            return head[len(head) - 1 - index]
        index -= len(head)
        if index >= self.places.size:
            return self.tail[index - self.places.size]
        at, before = self.places.locate(index)
        return self.blocks[at][index - before]

    def part(self, start: int, stop: int) -> list[Any]:
        """The elements from one index to another, end exclusive."""
        found: list[Any] = []
        for block, first, end in self._pieces(start, stop):
            found += block[first:end]
        return found

    def framed(self, start: int, stop: int, mark: bytes, end: bytes) -> bytes | None:
        """``part`` as one string, see ``packed_texts.framed``; None if some are not byte strings."""
        found: list[bytes] = []
        for piece in self._pieces(start, stop):
            some = framed_piece(piece, mark, end)
            if some is None:
                return None
            found.append(some)
        return found[0] if len(found) == 1 else b"".join(found)

    def pieces(self, start: int, stop: int) -> list[Piece]:
        """A snapshot of the elements from one index to another, to be read later. O(blocks)."""
        return [
            piece if isinstance(piece[0], Texts) else (piece[0][piece[1] : piece[2]], 0, piece[2] - piece[1])
            for piece in self._pieces(start, stop)
        ]

    def places_of(self, wanted: bytes, start: int, stop: int, backwards: bool) -> Iterator[int]:
        """Indexes of the elements that commands see as a given byte string, in a range of indexes, forwards or backwards."""
        pieces = self._pieces(start, stop)
        before = stop if backwards else start
        for block, first, end in reversed(pieces) if backwards else pieces:
            if backwards:
                before -= end - first
            if isinstance(block, Texts):
                found = block.places_of(wanted, first, end)
            else:
                found = [at for at in range(first, end) if (each := block[at]) == wanted or text_of(each) == wanted]
            for at in reversed(found) if backwards else found:
                yield before + at - first
            if not backwards:
                before += end - first

    def _pieces(self, start: int, stop: int) -> list[Piece]:
        """Where the elements from one index to another are: blocks, with the first index and the end in each."""
        found: list[Piece] = []
        if start >= stop:
            return found
        size = len(self.head)
        if start < size:
            some = self.head[max(size - stop, 0) : size - start]
            some.reverse()
            found.append((some, 0, len(some)))
        start, stop = max(start - size, 0), stop - size
        size = self.places.size
        if start < min(stop, size):
            at, before = self.places.locate(start)
            while before < stop and at < len(self.blocks):
                block = self.blocks[at]
                count = len(block)
                found.append((block, max(start - before, 0), min(stop - before, count)))
                before += count
                at += 1
        if stop > size:
            found.append((self.tail, max(start - size, 0), min(stop - size, len(self.tail))))
        return found

    def __setitem__(self, index: int, item: Any) -> None:
        head = self.head
        if index < 0:
            index += len(self)
        if index < len(head):
            head[len(head) - 1 - index] = item
            return
        index -= len(head)
        if index >= self.places.size:
            self.tail[index - self.places.size] = item
            return
        at, before = self.places.locate(index)
        block = self.blocks[at]
        if isinstance(block, list):
            block[index - before] = item
            return
        row = block.replaced(index - before, item)
        if row is None:
            items = block[:]
            items[index - before] = item
            self.blocks[at] = items
        else:
            self.blocks[at] = row

    def insert(self, index: int, item: Any) -> None:
        """Insert an element before another one, or at the end."""
        size = len(self.head)
        if index < size:
            self.head.insert(size - index, item)
            if len(self.head) >= self.most:
                self._close(True)
            return
        index -= size
        if index >= self.places.size:
            self.tail.insert(index - self.places.size, item)
            if len(self.tail) >= self.most:
                self._close(False)
            return
        at, before = self.places.locate(index)
        items = self.blocks[at][:]
        items.insert(index - before, item)
        half = len(items) if len(items) <= BLOCK else len(items) // 2
        self.blocks[at : at + 1] = _in_blocks(items[:half]) + _in_blocks(items[half:])
        self.places.changed(at, 1)

    def remove_at(self, indexes: Iterable[int]) -> None:
        """Remove the elements at these indexes. O(M + blocks)."""
        gone = sorted(indexes)
        size, last = len(self.head), len(self.head) + self.places.size
        low, high = bisect_left(gone, size), bisect_left(gone, last)
        if high < len(gone):
            self.tail[:] = _without(self.tail, gone[high:], last)
        if low < high:
            kept: list[Block] = []
            at, before = self.places.locate(gone[low] - size)
            first, before = at, before + size
            while low < high:
                block = self.blocks[at]
                end = bisect_left(gone, before + len(block), low, high)
                if low == end:
                    kept.append(block)
                elif end - low < len(block):
                    kept += _in_blocks(_without(block[:], gone[low:end], before))
                self.places.changed(at, low - end)
                at, before, low = at + 1, before + len(block), end
            self.blocks[first:at] = kept
            self.places.changed(first, 0)
        low = bisect_left(gone, size)
        if low:
            self.head[:] = _without(self.head[::-1], gone[:low], 0)[::-1]

    # ------------------------------------------------------------ as a value

    def to_json(self) -> Any:
        """An array."""
        return [element_to_json(item) for item in self]

    @property
    def size_bytes(self) -> int:
        """Roughly the memory that the list takes."""
        size = sum(map(sys.getsizeof, (self, self.head, self.tail, self.blocks))) + 100
        for block in (self.head, self.tail, *self.blocks):
            if isinstance(block, list):
                size += len(block) * (8 + sum(map(sys.getsizeof, block[:5])) // max(len(block[:5]), 1))
            else:
                size += block.size_bytes
        return size

    def copy(self) -> LongList:
        """An independent list of the same elements."""
        other = LongList([])
        other.head, other.tail = copy.deepcopy(self.head), copy.deepcopy(self.tail)
        other.blocks = [block if isinstance(block, Texts) else copy.deepcopy(block) for block in self.blocks]
        other.places = Places(other.blocks)
        other.most = self.most
        return other

    def to_state(self) -> tuple[list[Any]]:
        """The elements."""
        return (list(self),)

    @classmethod
    def from_state(cls, state: tuple[list[Any]]) -> LongList:
        """The list from its state."""
        return cls(state[0])

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert self.places.blocks is self.blocks
        assert all(len(block) <= BLOCK for block in self.blocks)
        assert max(len(self.head), len(self.tail)) <= max(self.most, BLOCK)  # an opened block becomes a whole end
        self.places.check()


def framed_piece(piece: Piece, mark: bytes, end: bytes, backwards: bool = False) -> bytes | None:
    """The elements of a piece as one string, see ``packed_texts.framed``; None if some are not byte strings."""
    block, first, behind = piece
    if isinstance(block, Texts):
        return block.framed(first, behind, mark, end, backwards)
    some = block[first:behind]
    return framed(some[::-1] if backwards else some, mark, end)


def _without(items: list[Any], gone: list[int], before: int) -> list[Any]:
    """Elements without those at some ascending indexes, which count from ``before`` on."""
    if len(gone) * 16 < len(items):
        for index in reversed(gone):
            del items[index - before]
        return items
    unwanted = set(gone)
    return [item for at, item in enumerate(items, before) if at not in unwanted]


def _in_blocks(items: list[Any]) -> list[Block]:
    """Elements in blocks, packed if they are byte strings."""
    rows: list[Block] = []
    for at in range(0, len(items), BLOCK):
        some = items if len(items) <= BLOCK else items[at : at + BLOCK]
        row = row_of(some)
        rows.append(some if row is None else row)
    return rows
