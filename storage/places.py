"""Ranks in a row of blocks: which block holds the n-th element, and how many stand before a block.

What stands before a block is counted up to the block that is asked for, and known until a block before it changes.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any


class Places:
    """Counts the elements of ``blocks``, a list of lists or rows that are never empty. ``size``: of all."""

    __slots__ = ("befores", "blocks", "size")

    def __init__(self, blocks: list[Any]) -> None:
        self.blocks: list[Any] = blocks
        self.size: int = sum(map(len, blocks))
        # How many stand before each block, as far as it is known; None until somebody asks.
        self.befores: list[int] | None = None

    def changed(self, at: int, by: int) -> None:
        """A block has so many elements more, or less if negative; or it has been split or taken out."""
        self.size += by
        befores = self.befores
        if befores is not None and len(befores) > at + 1:
            del befores[at + 1 :]

    def _known(self) -> list[int]:
        if self.befores is None:
            self.befores = [0]
        return self.befores

    def before(self, at: int) -> int:
        """How many elements stand before a block."""
        befores, blocks = self._known(), self.blocks
        known = len(befores)
        while known <= at:
            befores.append(befores[known - 1] + len(blocks[known - 1]))
            known += 1
        return befores[at]

    def locate(self, rank: int) -> tuple[int, int]:
        """The block of a rank that is taken, and how many stand before that block; looked for from the nearer end."""
        befores, blocks = self._known(), self.blocks
        if rank < befores[-1]:
            at = bisect_right(befores, rank) - 1
            return at, befores[at]
        if rank > self.size // 2:
            at = len(blocks) - 1
            before = self.size - len(blocks[at])
            while before > rank:
                at -= 1
                before -= len(blocks[at])
            return at, before
        at = len(befores) - 1
        before = befores[at]
        while before + len(blocks[at]) <= rank:
            before += len(blocks[at])
            befores.append(before)
            at += 1
        return at, before

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert all(self.blocks)
        assert self.size == sum(map(len, self.blocks))
        befores = self._known()
        assert befores == [sum(map(len, self.blocks[:at])) for at in range(len(befores))]
