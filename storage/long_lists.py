"""Long lists: elements in blocks, so that work at both ends and in the middle moves the pointers of one block only."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, ClassVar, Final, overload

from .places import Places
from .values import element_to_json

BLOCK: Final = 1024


class LongList:
    """A list of elements for those that have many. Reads like a list; slices are lists."""

    kind: ClassVar[str] = "list"
    __slots__ = ("blocks", "places")

    def __init__(self, items: list[Any]) -> None:
        self.blocks: list[list[Any]] = [items[at : at + BLOCK] for at in range(0, len(items), BLOCK)]
        self.places: Places = Places(self.blocks)

    def __len__(self) -> int:
        return self.places.size

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.blocks)

    def __reversed__(self) -> Iterator[Any]:
        return chain.from_iterable(map(reversed, reversed(self.blocks)))

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        """One element, or a list of those from one index up to another. O(log N + M)."""
        if isinstance(index, slice):
            start, stop, _ = index.indices(self.places.size)
            return self.part(start, stop)
        at, before = self.places.locate(index + self.places.size if index < 0 else index)
        return self.blocks[at][index + self.places.size - before if index < 0 else index - before]

    def part(self, start: int, stop: int) -> list[Any]:
        """The elements from one index up to another, without that."""
        found: list[Any] = []
        if start >= stop:
            return found
        at, before = self.places.locate(start)
        wanted = stop - start
        start -= before
        while wanted > 0:
            some = self.blocks[at][start : start + wanted]
            found += some
            wanted -= len(some)
            start = 0
            at += 1
        return found

    def __setitem__(self, index: int, item: Any) -> None:
        at, before = self.places.locate(index + self.places.size if index < 0 else index)
        self.blocks[at][index + self.places.size - before if index < 0 else index - before] = item

    def insert(self, index: int, item: Any) -> None:
        """Put an element before another one, or behind the last."""
        if index >= self.places.size:
            self.push(False, [item])
            return
        at, before = self.places.locate(index)
        block = self.blocks[at]
        block.insert(index - before, item)
        self._split(at)
        self.places.changed(at, 1)

    def _split(self, at: int) -> None:
        """Halve a block that has become too long."""
        block = self.blocks[at]
        if len(block) > BLOCK:
            half = len(block) // 2
            self.blocks.insert(at + 1, block[half:])
            del block[half:]

    def push(self, at_head: bool, new: list[Any]) -> None:
        """Push elements one after another: at the head they end up in reverse order. O(M)."""
        blocks = self.blocks
        if at_head:
            for item in new:
                if not blocks or len(blocks[0]) >= BLOCK:
                    blocks.insert(0, [item])
                else:
                    blocks[0].insert(0, item)
            self.places.changed(0, len(new))
            return
        changed = max(len(blocks) - 1, 0)
        for item in new:
            if not blocks or len(blocks[-1]) >= BLOCK:
                blocks.append([item])
            else:
                blocks[-1].append(item)
        self.places.changed(changed, len(new))

    def take(self, at_head: bool, count: int) -> list[Any]:
        """Remove up to so many elements and give them in the order of removal. O(M)."""
        blocks = self.blocks
        taken: list[Any] = []
        while len(taken) < count and blocks:
            block = blocks[0 if at_head else -1]
            wanted = count - len(taken)
            if at_head:
                taken += block[:wanted]
                del block[:wanted]
            else:
                taken += block[-wanted:][::-1]
                del block[-wanted:]
            if not block:
                del blocks[0 if at_head else -1]
        self.places.changed(0 if at_head else max(len(blocks) - 1, 0), -len(taken))
        return taken

    def remove_at(self, indexes: Iterable[int]) -> None:
        """Remove the elements at these indexes."""
        for index in sorted(indexes, reverse=True):
            at, before = self.places.locate(index)
            del self.blocks[at][index - before]
            if not self.blocks[at]:
                del self.blocks[at]
            self.places.changed(at, -1)

    def keep(self, first: int, end: int) -> None:
        """Remove all elements but those from one index up to another, without that. O(M) with M elements removed."""
        self.take(False, len(self) - end)
        self.take(True, first)

    # ------------------------------------------------------------ as a value

    def to_json(self) -> Any:
        """An array."""
        return [element_to_json(item) for item in self]

    @property
    def size_bytes(self) -> int:
        """Memory that the list takes, nearly."""
        some = self.blocks[0][:5] if self.blocks else []
        return 56 * len(self.blocks) + len(self) * (8 + sum(map(sys.getsizeof, some)) // max(len(some), 1))

    def copy(self) -> LongList:
        """An independent list of the same elements."""
        return LongList(copy.deepcopy(list(self)))

    def to_state(self) -> tuple[list[Any]]:
        """The elements."""
        return (list(self),)

    @classmethod
    def from_state(cls, state: tuple[list[Any]]) -> LongList:
        """The list of a state."""
        return cls(state[0])

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert self.places.blocks is self.blocks
        assert all(len(block) <= BLOCK for block in self.blocks)
        self.places.check()
