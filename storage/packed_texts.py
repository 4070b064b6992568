"""A row of byte strings in one: the middle of a long list, without an object for each element.

``texts`` is the strings joined, ``ends`` where each of them ends. The compiled implementation (``packed_texts.pyx``) does the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import accumulate, chain
from typing import Any, Final, overload

# More bytes together than these are not worth packing, and slow to move.
MOST_BYTES: Final = 1 << 18


class Texts:
    """An immutable row of byte strings. Reads like a list; slices are lists."""

    __slots__ = ("ends", "texts")

    def __init__(self, texts: bytes, ends: array[int]) -> None:
        self.texts = texts
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> Any:
        """One string, by a non-negative index, or a list of those of a slice."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self.ends))
            return self.part(start, stop) if step == 1 else [self[at] for at in range(start, stop, step)]
        return self.texts[self._begin(index) : self.ends[index]]

    def part(self, start: int, stop: int) -> list[bytes]:
        """The strings from one index up to another, both within the row."""
        texts, ends = self.texts, self.ends[start:stop]
        return [texts[begin:end] for begin, end in zip(chain((self._begin(start),), ends), ends, strict=False)]

    def _begin(self, index: int) -> int:
        return self.ends[index - 1] if index else 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.part(0, len(self)))

    def __reversed__(self) -> Iterator[bytes]:
        return reversed(self.part(0, len(self)))

    @property
    def size_bytes(self) -> int:
        """Roughly the memory that the row takes."""
        return 65 + self.ends.itemsize * len(self.ends) + len(self.texts)

    def framed(self, start: int, stop: int, mark: bytes, end: bytes, backwards: bool = False) -> bytes:
        """The strings from one index to another, as ``framed`` gives them; the last one first if backwards."""
        some = self[start:stop]
        return framed(some[::-1] if backwards else some, mark, end) or b""

    def places_of(self, wanted: bytes, start: int, stop: int) -> list[int]:
        """Where strings are equal to one, from one index up to another."""
        if wanted not in self.texts:
            return []
        return [at for at, text in enumerate(self.part(start, stop), start) if text == wanted]

    def replaced(self, index: int, item: object) -> Texts | None:
        """A row with another string in a place; None where it does not fit."""
        if type(item) is not bytes:
            return None
        start, stop, ends = self._begin(index), self.ends[index], self.ends
        more = len(item) - (stop - start)
        size = ends[-1] + more
        if size > MOST_BYTES:
            return None
        if more:
            ends = array(_width(size), ends[:index]) + array(_width(size), [end + more for end in ends[index:]])
        return Texts(b"".join((self.texts[:start], item, self.texts[stop:])), ends)


def _width(size: int) -> str:
    """The type code of the ends of a row of so many bytes."""
    return "H" if size < 1 << 16 else "I"


def framed(items: list[Any], mark: bytes, end: bytes) -> bytes | None:
    """Byte strings in one: mark, length, end, the string, end for each. None if one of them is something else."""
    if not _are_bytes(items):
        return None
    heads = {length: b"%b%d%b" % (mark, length, end) for length in set(map(len, items))}
    return b"".join([part for item in items for part in (heads[len(item)], item, end)])


def _are_bytes(items: list[Any]) -> bool:
    return {bytes}.issuperset(map(type, items))


def joined(first: Texts, second: Texts) -> Texts | None:
    """Two rows as one; None if they are too big together."""
    return row_of([*first, *second])


def row_of(items: list[Any]) -> Texts | None:
    """Byte strings as a row; None if one of them is something else, or if they are too big."""
    if not items or not _are_bytes(items):
        return None
    texts = b"".join(items)
    if len(texts) > MOST_BYTES:
        return None
    return Texts(texts, array(_width(len(texts)), accumulate(map(len, items))))
