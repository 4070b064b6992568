"""Ranks in a row of blocks: which block has the n-th element, and how many elements come before a block.

Elements are counted up to the block that is asked for; a count stays valid until an earlier block changes.
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
        # How many come before each block, as far as is known; None until first asked for.
        self.befores: list[int] | None = None

    def changed(self, at: int, by: int) -> None:
        """Note that a block has ``more`` elements more, or fewer if negative; or that it has been split or taken out."""
        self.size += by
        befores = self.befores
        if befores is not None and len(befores) > at + 1:
            del befores[at + 1 :]

    def _known(self) -> list[int]:
        if self.befores is None:
            self.befores = [0]
        return self.befores

    def before(self, at: int) -> int:
        """How many elements come before a block."""
        befores, blocks = self._known(), self.blocks
        known = len(befores)
        while known <= at:
            befores.append(befores[known - 1] + len(blocks[known - 1]))
            known += 1
        return befores[at]

    def locate(self, rank: int) -> tuple[int, int]:
        """The block of an existing rank, and how many elements come before it; searched from the nearer end."""
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
