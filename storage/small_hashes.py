"""Small hashes: a few short fields and values, told apart from big ones by their form.

The compiled implementation (``small_hashes.pyx``) keeps each in one string, without an object for each field and value:

    count (2 bytes), then for each field, in the order of a dict: its length (1 byte), the type of its value (1 byte), its
    name, the value

    up to LONGEST    bytes, this many
    255, 254         an integer, a float, in 8 bytes
    253, 252, 251    true, false, the JSON null

To read that string in Python takes a hundred times as long as a look into a dict. So this implementation has a dict, and the
limits of the string.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, ClassVar, Final

from .null import NULL

# Hashes with more fields, or with longer names or values, are dicts. So are those that contain arrays or
# objects. Redis-server's limit.
MOST_FIELDS: Final = 512
LONGEST: Final = 64


class SmallHash:
    """Elements under fields. Reads like a dict, except that ``keys``, ``values`` and ``items`` return lists."""

    kind: ClassVar[str] = "hash"
    __slots__ = ("fields",)

    def __init__(self, fields: dict[bytes, Any]) -> None:
        self.fields = fields

    def __len__(self) -> int:
        return len(self.fields)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.keys())

    def __contains__(self, field: object) -> bool:
        return field in self.fields

    def __getitem__(self, field: bytes) -> Any:
        return self.fields[field]

    def __eq__(self, other: object) -> bool:
        return self.fields == (other.fields if isinstance(other, SmallHash) else other)

    __hash__ = None  # type: ignore[assignment]

    def get(self, field: bytes, default: Any = None) -> Any:
        """The element of a field; the default if there is none."""
        return self.fields.get(field, default)

    def keys(self) -> list[bytes]:
        """The fields."""
        return list(self.fields)

    def values(self) -> list[Any]:
        """The elements."""
        return list(self.fields.values())

    def items(self) -> list[tuple[bytes, Any]]:
        """Fields with their elements."""
        return list(self.fields.items())

    def flat(self) -> list[Any]:
        """Fields and elements by turns."""
        return list(chain.from_iterable(self.fields.items()))

    def to_dict(self) -> dict[bytes, Any]:
        """Fields with their elements, as a dict of its own."""
        return self.fields.copy()

    def as_json(self, text: Callable[[bytes], Any]) -> dict[str, Any]:
        """An object; ``text`` gives the JSON form of bytes that are not UTF-8."""
        return {name.decode(errors="replace"): _as_json(value, text) for name, value in self.fields.items()}

    def put(self, fields: dict[bytes, Any]) -> int:
        """Set fields; how many are new, or -1 where they do not fit: then nothing has changed."""
        held = self.fields
        added = len(fields.keys() - held.keys())
        if len(held) + added > MOST_FIELDS or not _are_short(fields):
            return -1
        held.update(fields)
        return added

    def remove(self, field: bytes) -> bool:
        """Remove a field; whether it was there."""
        if field not in self.fields:
            return False
        del self.fields[field]
        return True

    def copy(self) -> SmallHash:
        """An independent hash with the same fields."""
        return SmallHash(self.fields.copy())

    @property
    def size_bytes(self) -> int:
        """Memory that the hash takes."""
        return sum(map(sys.getsizeof, chain((self, self.fields), self.fields, self.fields.values())))


def _as_json(value: Any, text: Callable[[bytes], Any]) -> Any:
    if type(value) is not bytes:
        return None if value is NULL else value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return text(value)


def _are_short(fields: dict[bytes, Any]) -> bool:
    """Whether all names and values are such as a small hash holds."""
    for name, value in fields.items():
        kind = type(value)
        if kind is bytes:
            if len(value) > LONGEST:
                return False
        elif kind is int:
            if not -1 << 63 <= value < 1 << 63:
                return False
        elif kind is not float and kind is not bool and value is not NULL:
            return False
        if len(name) > LONGEST:
            return False
    return True


def small(fields: dict[bytes, Any]) -> SmallHash | None:
    """Fields as a small hash; None if they are too many, too long, or hold arrays or objects."""
    if len(fields) > MOST_FIELDS or not _are_short(fields):
        return None
    return SmallHash(fields.copy())
