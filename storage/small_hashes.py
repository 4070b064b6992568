"""Small hashes in one string: a few short fields and values without an object for each.

    count (2 bytes), then for each field, in the order of a dict: its length (1 byte), what its value is (1 byte), its
    name, the value

    up to LONGEST    bytes, so many
    255, 254         an integer, a float, in 8 bytes
    253, 252, 251    true, false, the JSON null

The compiled implementation (``small_hashes.pyx``) does the same.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final

from .null import NULL

# Hashes with more fields, or with longer names or values, are dicts. So are those with arrays or objects in them.
# Redis-server's limit.
MOST_FIELDS: Final = 512
LONGEST: Final = 64

_INT: Final = struct.Struct("=q")
_FLOAT: Final = struct.Struct("=d")
_CONSTANTS: Final[dict[int, Any]] = {253: True, 252: False, 251: NULL}


class SmallHash:
    """Elements under fields. Reads like a dict, but for ``keys``, ``values`` and ``items``, which are lists."""

    kind: ClassVar[str] = "hash"
    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        self.text = text

    def __len__(self) -> int:
        return int.from_bytes(self.text[:2], sys.byteorder)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.to_dict())

    def __contains__(self, field: object) -> bool:
        return field in self.to_dict()

    def __getitem__(self, field: bytes) -> Any:
        return self.to_dict()[field]

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == (other.to_dict() if isinstance(other, SmallHash) else other)

    __hash__ = None  # type: ignore[assignment]

    def get(self, field: bytes, default: Any = None) -> Any:
        """The element of a field; the default if there is none."""
        return self.to_dict().get(field, default)

    def keys(self) -> list[bytes]:
        """The fields."""
        return list(self.to_dict())

    def values(self) -> list[Any]:
        """The elements."""
        return list(self.to_dict().values())

    def items(self) -> list[tuple[bytes, Any]]:
        """Fields with their elements."""
        return list(self.to_dict().items())

    def flat(self) -> list[Any]:
        """Fields and elements by turns."""
        return [part for pair in self.to_dict().items() for part in pair]

    def to_dict(self) -> dict[bytes, Any]:
        """Fields with their elements."""
        text = self.text
        found: dict[bytes, Any] = {}
        at = 2
        for _ in range(len(self)):
            length, tag = text[at], text[at + 1]
            at += 2
            name = text[at : at + length]
            at += length
            if tag <= LONGEST:
                found[name] = text[at : at + tag]
                at += tag
            elif tag in _CONSTANTS:
                found[name] = _CONSTANTS[tag]
            else:
                (found[name],) = (_INT if tag == 255 else _FLOAT).unpack_from(text, at)
                at += 8
        return found

    def as_json(self, text: Callable[[bytes], Any]) -> dict[str, Any]:
        """An object; ``text`` gives the JSON form of bytes that are not UTF-8."""
        return {name.decode(errors="replace"): _as_json(value, text) for name, value in self.to_dict().items()}

    def put(self, fields: dict[bytes, Any]) -> int:
        """Set fields; how many are new, or -1 where they do not fit: then nothing has changed."""
        held = self.to_dict()
        before = len(held)
        held.update(fields)
        text = _packed(held)
        if text is None:
            return -1
        self.text = text
        return len(held) - before

    def remove(self, field: bytes) -> bool:
        """Remove a field; whether it was there."""
        held = self.to_dict()
        if field not in held:
            return False
        del held[field]
        text = _packed(held)
        assert text is not None
        self.text = text
        return True

    def copy(self) -> SmallHash:
        """An independent hash with the same fields."""
        return SmallHash(self.text)

    @property
    def size_bytes(self) -> int:
        """Memory that the hash takes."""
        return sys.getsizeof(self) + sys.getsizeof(self.text)


def _as_json(value: Any, text: Callable[[bytes], Any]) -> Any:
    if type(value) is not bytes:
        return None if value is NULL else value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return text(value)


def _packed(fields: dict[bytes, Any]) -> bytes | None:
    if len(fields) > MOST_FIELDS:
        return None
    parts = [len(fields).to_bytes(2, sys.byteorder)]
    for name, value in fields.items():
        kind = type(value)
        if kind is bytes:
            tag, shown = len(value), value
        elif kind is int and -1 << 63 <= value < 1 << 63:
            tag, shown = 255, _INT.pack(value)
        elif kind is float:
            tag, shown = 254, _FLOAT.pack(value)
        elif kind is bool:
            tag, shown = (253 if value else 252), b""
        elif value is NULL:
            tag, shown = 251, b""
        else:
            return None
        if len(name) > LONGEST or len(shown) > LONGEST:
            return None
        parts += (bytes((len(name), tag)), name, shown)
    return b"".join(parts)


def small(fields: dict[bytes, Any]) -> SmallHash | None:
    """Fields as a small hash; None if they are too many, too long, or hold arrays or objects."""
    text = _packed(fields)
    return None if text is None else SmallHash(text)
