"""A row of byte strings in one: what the middle of a long list needs, without an object for each element.

``texts`` are the strings joined, ``ends`` where each of them ends. The compiled implementation (``packed_texts.pyx``) does the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, Final, overload

# More bytes than these together are not worth it, and slow to move.
MOST_BYTES: Final = 1 << 18


class Texts:
    """Byte strings in a row that cannot be changed. Reads like a list; slices are lists."""

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
        """One string, by an index that is not negative, or a list of those from one index up to another."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self.ends)))]
        return self.texts[self.ends[index - 1] if index else 0 : self.ends[index]]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self[:])

    def __reversed__(self) -> Iterator[bytes]:
        return reversed(self[:])

    @property
    def size_bytes(self) -> int:
        """Memory that the row takes, nearly."""
        return 65 + self.ends.itemsize * len(self.ends) + len(self.texts)

    def framed(self, start: int, stop: int, mark: bytes, end: bytes, backwards: bool = False) -> bytes:
        """The strings from one index up to another, as ``framed`` gives them; the last one first if backwards."""
        some = self[start:stop]
        return framed(some[::-1] if backwards else some, mark, end) or b""

    def places_of(self, wanted: bytes, start: int, stop: int) -> list[int]:
        """Where strings are equal to one, from one index up to another."""
        return [at for at in range(start, min(stop, len(self))) if self[at] == wanted]

    def replaced(self, index: int, item: object) -> Texts | None:
        """A row with another string in a place; None where it does not fit."""
        items: list[Any] = self[:]
        items[index] = item
        return row_of(items)


def framed(items: list[Any], mark: bytes, end: bytes) -> bytes | None:
    """Byte strings in one: mark, length, end, the string, end for each. None if one of them is something else."""
    if any(type(item) is not bytes for item in items):
        return None
    return b"".join([b"%b%d%b%b%b" % (mark, len(item), end, item, end) for item in items])


def joined(first: Texts, second: Texts) -> Texts | None:
    """Two rows as one; None if they are too big together."""
    return row_of([*first, *second])


def row_of(items: list[Any]) -> Texts | None:
    """Byte strings as a row; None if one of them is something else, or if they are too big."""
    if not items or any(type(item) is not bytes for item in items):
        return None
    texts = b"".join(items)
    if len(texts) > MOST_BYTES:
        return None
    ends = array("H" if len(texts) < 1 << 16 else "I")
    end = 0
    for item in items:
        end += len(item)
        ends.append(end)
    return Texts(texts, ends)
