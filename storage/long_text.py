"""The bytes of a long string: changed in place, handed out whole. Compiled (``long_text.pyx``), neither copies the string.

Compiled, the bytes are an ordinary ``bytes`` object that is changed only while nothing else refers to it: once it has
been handed out, the next change makes a copy. This pure-Python module copies each time.
"""

from __future__ import annotations

import sys
from typing import ClassVar, overload


class LongString:
    """A string that can be changed in place. Reads like bytes: ``len``, one byte, slices."""

    kind: ClassVar[str] = "string"
    __slots__ = ("data",)

    def __init__(self, text: bytes) -> None:
        self.data = bytearray(text)

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> bytes: ...

    def __getitem__(self, index: int | slice) -> int | bytes:
        """One byte, or those of a slice."""
        return bytes(self.data[index]) if isinstance(index, slice) else self.data[index]

    def write(self, offset: int, part: bytes) -> None:
        """Write bytes at an offset, padding a shorter string with zeros. O(M), and what it grows by."""
        if offset > len(self.data):
            self.data.extend(bytes(offset - len(self.data)))
        self.data[offset : offset + len(part)] = part

    def text(self) -> bytes:
        """The whole string, unaffected by later changes. O(1) where compiled."""
        return bytes(self.data)

    def view(self) -> memoryview:
        """A view of the bytes, to be read and released right away: the string cannot be changed meanwhile."""
        return memoryview(self.data)

    @property
    def size_bytes(self) -> int:
        """Memory that the string takes."""
        return sys.getsizeof(self) + sys.getsizeof(self.data)
