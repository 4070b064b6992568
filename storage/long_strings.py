"""Strings that are changed in their middle or at their end: kept so that a change costs its own length, not the string's.

A string of more than ``LEAST`` bytes that APPEND, SETRANGE, SETBIT, BITFIELD or PFADD has changed is a
``LongString``; all others are bytes. The log gets the parts that have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from .bits import differences
from .long_text import LongString

if TYPE_CHECKING:
    from .keyspace import Keyspace

__all__ = ["LEAST", "LongString", "edited", "opened", "put_text"]

LEAST: Final = 4096


def opened(keyspace: Keyspace, key: bytes, text: bytes) -> LongString:
    """What the string of a key that is not a LongString is changed in, and then given to ``edited``.

    A long text moves there at once, so that nobody else has it and it need not be copied.
    """
    value = LongString(text)
    if len(text) > LEAST and type(keyspace.data.get(key)) is bytes:
        keyspace.data[key] = value
    return value


def edited(
    keyspace: Keyspace, key: bytes, data: LongString, parts: Iterable[tuple[int, int]], event: str, elements: int = 1
) -> None:
    """Store what a key's string has become, and report the parts (first byte, end) that differ. It counts as so many changes."""
    keyspace.feed.extra += elements - 1
    if len(data) <= LEAST:
        keyspace.replace(key, data.text(), event)
        return
    value = keyspace.data.get(key)
    if value is not None and type(value) not in (bytes, LongString):
        keyspace.replace(key, data, event)  # a number has no parts that could be written again
        return
    operands: list[int | bytes] = []
    for first, end in parts:
        operands += (first, data[first:end])
    keyspace.replace(key, data, event, ("string.write", *operands))


def put_text(keyspace: Keyspace, key: bytes, old: bytes, new: bytes, event: str, elements: int) -> None:
    """Put a text in the place of an older one; where only a few bytes differ, only those are reported."""
    value = keyspace.get(key)
    parts = differences(old, new) if len(old) == len(new) and value is not None else None
    if parts is None:
        keyspace.feed.extra += elements - 1
        keyspace.replace(key, new, event)
        return
    data = value if isinstance(value, LongString) else opened(keyspace, key, old)
    data.write(0, new)
    edited(keyspace, key, data, parts, event, elements)


def _write_again(keyspace: Keyspace, key: bytes, *operands: int | bytes) -> None:
    data = keyspace.data.get(key)
    if type(data) is not LongString:
        data = opened(keyspace, key, b"" if data is None else data)  # type: ignore[arg-type]
    for offset, part in zip(operands[::2], operands[1::2], strict=True):
        data.write(offset, part)  # type: ignore[arg-type]
    keyspace.data[key] = data


EFFECTS: Final[dict[str, Callable[..., None]]] = {"string.write": _write_again}
