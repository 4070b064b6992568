"""Documents of events as text: what a block keeps of them, and what is made of it again.

A document is kept as the JSON texts of its values, in order, with a NUL between two (JSON text has none); its names are
those of its shape (``event_shapes.py``), once for all documents alike. The compiled implementation is ``event_text.pyx``.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import orjson

from .event_shapes import Shape, Shapes
from .instants import instant_of_unix, instant_text

# Columns of a block: times, shapes, where each record ends in the text, and the text.
Times = Any
Ends: TypeAlias = "array[int]"

_SCALAR: Final = frozenset(b'"-0123456789tfn')
# Texts of values that a search remembers with their values.
_MOST_KNOWN: Final = 4096


def pack(document: dict[str, Any]) -> bytes:
    """The record of a document: the texts of its values."""
    return b"\0".join([orjson.dumps(value) for value in document.values()])


def records_of(events: Sequence[dict[str, Any]], known: Shapes) -> tuple[list[Shape], list[bytes]]:
    """Shapes and records of documents; some are kept whole (``WHOLE``)."""
    shapes = [known.of(tuple(event)) for event in events]
    pairs = zip(shapes, events, strict=True)
    return shapes, [orjson.dumps(event) if shape.whole else pack(event) for shape, event in pairs]


def shift(ends: Ends, start: int, by: int) -> None:
    """Add a number to the ends from one on: what becomes of them when text is put in before."""
    for at in range(start, len(ends)):
        ends[at] += by


def document_text(shape: Shape, record: bytes) -> bytes:
    """The JSON text of a document."""
    if shape.whole:
        return record
    if not shape.keys:
        return b"{}"
    values = record.split(b"\0")[shape.leap :]
    return b"".join([part for pair in zip(shape.keys, values, strict=True) for part in pair]) + b"}"


def texts(
    times: Times, shapes: list[Shape], ends: Ends, text: bytearray, rows: Sequence[int], with_time: bool, closing: bytes
) -> bytes:
    """The texts of some events, one behind the other, each with a closing text.

    With ``with_time`` an event is written as Ditto does: ``{"item":{"_time":"2024-01-01T00:00:00Z","value":{...}}``, else
    as its document alone.
    """
    found = []
    for row in rows:
        shape = shapes[row]
        record = bytes(text[ends[row - 1] if row else 0 : ends[row]])
        document = document_text(shape, record)
        if with_time:
            leap_ns = leap_of(shape, record)
            time = instant_text(instant_of_unix(times[row], leap_ns)).encode()
            found.append(b'{"item":{"_time":"' + time + b'","value":' + document + b"}" + closing)
        else:
            found.append(document + closing)
    return b"".join(found)


def unix_time(text: str) -> int | None:
    """The time of a plain Datetime in ns since 1970; None for one that is not plain, and perhaps none (``instants.py``).

    Here none is plain: only the compiled implementation reads some by itself.
    """
    return None


def elements(body: bytes) -> list[tuple[int, int]] | None:
    """Where the elements of a JSON array begin and end in its text, which need not be JSON inside; None if it is not divided.

    Here none is: only the compiled implementation can do that more quickly than all can be parsed.
    """
    return None


def leap_of(shape: Shape, record: bytes) -> int:
    """The fraction of a leap second, in ns, that an event lies in; -1 for none."""
    return int(record.split(b"\0", 1)[0]) if shape.leap else -1


def documents(
    shapes: list[Shape],
    ends: Ends,
    text: bytearray,
    rows: Sequence[int],
    names: tuple[str, ...] | None,
    known: dict[bytes, Any],
) -> list[dict[str, Any]]:
    """The documents of some events; with ``names`` only these members of them, for those who only look.

    ``known`` remembers values by their text for as long as the caller keeps it.
    """
    found: list[dict[str, Any]] = []
    for row in rows:
        shape = shapes[row]
        record = bytes(text[ends[row - 1] if row else 0 : ends[row]])
        if names is None:
            found.append(orjson.loads(document_text(shape, record)))
        elif shape.whole:
            whole = orjson.loads(record)
            found.append({name: whole[name] for name in names if name in whole})
        else:
            slots = shape.slots
            wanted = [(name, slots[name]) for name in names if name in slots]
            values = record.split(b"\0") if wanted else []
            found.append({name: _value(values[slot], known) for name, slot in wanted})
    return found


def _value(text: bytes, known: dict[bytes, Any]) -> Any:
    try:
        return known[text]
    except KeyError:
        value = orjson.loads(text)
        if text[0] in _SCALAR and len(known) < _MOST_KNOWN:
            known[text] = value
        return value
