"""Strings that are changed in their middle or at their end: kept so that a change costs its own length, not the string's.

A string of more than ``LEAST`` bytes that APPEND, SETRANGE, SETBIT, BITFIELD or PFADD has changed is a
``LongString``; all others are bytes. The log gets the parts that have changed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from .keyspace import Keyspace

LEAST: Final = 4096


class LongString:
    """A string that can be changed in place. Who gives it away gives a copy."""

    kind: ClassVar[str] = "string"
    __slots__ = ("data",)

    def __init__(self, data: bytearray) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    @property
    def size_bytes(self) -> int:
        """Memory that the string takes."""
        return sys.getsizeof(self) + sys.getsizeof(self.data)


def edited(keyspace: Keyspace, key: bytes, data: bytearray, parts: Iterable[tuple[int, int]], event: str) -> None:
    """Store what a key's string has become, and report the parts (first byte, end) that differ.

    ``data`` is the string's own where it is a LongString, else a new one.
    """
    value = keyspace.data.get(key)
    if len(data) <= LEAST or type(value) not in (
        bytes,
        LongString,
    ):  # a number has no parts that could be written again
        keyspace.replace(key, bytes(data) if len(data) <= LEAST else LongString(data), event)
        return
    if type(value) is not LongString:
        keyspace.data[key] = LongString(data)
    operands: list[int | bytes] = []
    for first, end in parts:
        operands += (first, bytes(data[first:end]))
    keyspace.changed(event, key, ("string.write", *operands))


def write(data: bytearray, offset: int, part: bytes) -> None:
    """Put bytes at an offset, with zeros before it where the string is shorter."""
    if offset > len(data):
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(part)] = part


def _write_again(keyspace: Keyspace, key: bytes, *operands: int | bytes) -> None:
    value = keyspace.data[key]
    data = value.data if type(value) is LongString else bytearray(value)  # type: ignore[call-overload]
    for offset, part in zip(operands[::2], operands[1::2], strict=True):
        write(data, offset, part)  # type: ignore[arg-type]
    if type(value) is not LongString:
        keyspace.data[key] = LongString(data)


EFFECTS: Final[dict[str, Callable[..., None]]] = {"string.write": _write_again}
