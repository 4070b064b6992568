"""Strings: what commands read and change, whatever the stored form.

Changing part of a long string costs the length of the change, not of the string: a string of more than ``LEAST`` bytes
that APPEND, SETRANGE, SETBIT, BITFIELD or PFADD has changed is a ``LongString``; all others are bytes, or JSON scalars.
The log gets the parts that have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from .bits import Bits, differences
from .errors import StringTooLong, WrongType
from .long_text import LongString
from .numbers import add_as_text, as_number
from .values import kind_of, plus, text_of

if TYPE_CHECKING:
    from .keyspace import Keyspace

LEAST: Final = 4096


# ---------------------------------------------------------------- reading


def string_text(value: object) -> bytes:
    """The bytes of a string value. Raises WrongType for other kinds."""
    if type(value) is bytes:
        return value
    if kind_of(value) != "string":
        raise WrongType
    return text_of(value)


def data_of(value: object) -> Bits:
    """A string value to be read right away: ``len``, slices. Raises WrongType for other kinds."""
    return value if type(value) is LongString else string_text(value)


def size_of(value: object) -> int:
    """The length of a string value, 0 for None. Raises WrongType for other kinds."""
    return 0 if value is None else len(data_of(value))


# ---------------------------------------------------------------- changes in place


def opened(keyspace: Keyspace, key: bytes, text: bytes) -> LongString:
    """A buffer in which a key's string that is not a LongString is changed, and which is then passed to ``edited``.

    A long text is moved into it, so that nothing else refers to it and it need not be copied.
    """
    value = LongString(text)
    if len(text) > LEAST and type(keyspace.data.get(key)) is bytes:
        keyspace.data[key] = value
    return value


def editable(keyspace: Keyspace, key: bytes) -> LongString:
    """The bytes of a key, to be changed and passed to ``edited``; empty if it is absent. Raises WrongType.

    The first change copies a long string to which the caller has a reference.
    """
    value = keyspace.get(key)
    if type(value) is LongString:
        return value
    return opened(keyspace, key, b"" if value is None else string_text(value))


def edited(
    keyspace: Keyspace, key: bytes, data: LongString, parts: Iterable[tuple[int, int]], event: str, elements: int = 1
) -> None:
    """Store a key's changed string, and report the parts (first byte, end) that differ, each counting as a change."""
    keyspace.feed.extra += elements - 1
    if len(data) <= LEAST:
        keyspace.replace(key, data.text(), event)
        return
    value = keyspace.data.get(key)
    if value is not None and type(value) is not bytes and type(value) is not LongString:
        keyspace.replace(key, data, event)  # a number has no parts that could be rewritten
        return
    operands: list[int | bytes] = []
    for first, end in parts:
        operands += (first, data[first:end])
    keyspace.replace(key, data, event, ("string.write", *operands))


def append(keyspace: Keyspace, key: bytes, part: bytes, most_bytes: int) -> int:
    """Append bytes to a key's string, which may be absent; return its length. Raises WrongType, StringTooLong."""
    value = keyspace.get(key)
    start = size_of(value)
    end = start + len(part)
    if end > most_bytes:
        raise StringTooLong
    if end <= LEAST:
        keyspace.replace(key, part if value is None else string_text(value) + part, "append")
        return end
    value = None  # only the keyspace may refer to a string that is changed in place
    data = editable(keyspace, key)
    data.write(start, part)
    edited(keyspace, key, data, ((start, end),), "append")
    return end


def overwrite(
    keyspace: Keyspace, key: bytes, offset: int, part: bytes, most_bytes: int, event: str = "setrange"
) -> int:
    """Write bytes at an offset of a key's string, padded with zeros if shorter; return its length. Raises WrongType, StringTooLong."""
    data = editable(keyspace, key)
    end = offset + len(part)
    if end > most_bytes:
        raise StringTooLong
    data.write(offset, part)
    edited(keyspace, key, data, ((offset, end),), event)
    return len(data)


def set_bit(keyspace: Keyspace, key: bytes, offset: int, bit: bool) -> bool:
    """Set or clear a bit of a key's string, padded with zeros if shorter; return whether it was set. Raises WrongType."""
    data = editable(keyspace, key)
    byte, mask = offset >> 3, 0x80 >> (offset & 7)
    grows = byte >= len(data)
    held = 0 if grows else data[byte]
    was_set = held & mask != 0
    if grows or was_set != bit:
        data.write(byte, bytes((held & ~mask | (mask if bit else 0),)))
        edited(keyspace, key, data, ((byte, byte + 1),), "setbit")
    return was_set


def put_text(keyspace: Keyspace, key: bytes, old: bytes, new: bytes, event: str, elements: int) -> None:
    """Replace a text by another; if only a few bytes differ, only those are reported."""
    value = keyspace.get(key)
    parts = differences(old, new) if len(old) == len(new) and value is not None else None
    if parts is None:
        keyspace.feed.extra += elements - 1
        keyspace.replace(key, new, event)
        return
    data = value if isinstance(value, LongString) else opened(keyspace, key, old)
    data.write(0, new)
    edited(keyspace, key, data, parts, event, elements)


# ---------------------------------------------------------------- counters


def add_integer(keyspace: Keyspace, key: bytes, increment: int) -> int:
    """Add to a counter, which begins at 0; the sum. A JSON integer stays one. Raises WrongType, NotAnInteger, IncrementOverflow."""
    value = keyspace.get(key)
    if value is None:
        keyspace.put(key, increment, "incrby")
        return increment
    if type(value) is int:
        total = plus(value, increment)
        keyspace.replace(key, total, "incrby")
    else:
        total = plus(string_text(value), increment)
        keyspace.replace(key, b"%d" % total, "incrby")
    return total


def add_decimal(keyspace: Keyspace, key: bytes, increment: bytes) -> bytes:
    """Add to a decimal number, which begins at 0; the sum as text. A JSON number stays one if JSON spells the sum the same way.

    Raises WrongType, NotAFloat, IncrementNotFinite.
    """
    value: Any = keyspace.get(key)
    total = add_as_text(b"0" if value is None else string_text(value), increment)
    keyspace.replace(key, as_number(total) if type(value) in (int, float) else total, "incrbyfloat")
    return total


# ---------------------------------------------------------------- replay


def _write_again(keyspace: Keyspace, key: bytes, *operands: int | bytes) -> None:
    data = keyspace.data.get(key)
    if type(data) is not LongString:
        data = opened(keyspace, key, b"" if data is None else data)  # type: ignore[arg-type]
    for offset, part in zip(operands[::2], operands[1::2], strict=True):
        data.write(offset, part)  # type: ignore[arg-type]
    keyspace.data[key] = data


EFFECTS: Final[dict[str, Callable[..., None]]] = {"string.write": _write_again}
