"""Points, and the JSON documents that they come in.

| form | example |
|---|---|
| 0.0.2 | ``{"metric":"disk.used","timestamp":1893456000000,"value":41.5,"tags":[{"key":"host","value":"db7"}]}`` |
| from 0.0.3 on | ``{"name":"disk.used","timestamp":1893456000000,"measure":41.5,"tags":[{"host":"db7"}]}`` |
| OpenTSDB | ``{"metric":"disk.used","timestamp":1893456000,"value":41.5,"tags":{"host":"db7"}}``, and arrays of it |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from januskv.storage.metrics import VISIBILITY_LABEL

from .numbers import double_of, long_of

# Of one series: its key, times and values, in the order of their lines.
Run = tuple[bytes, tuple[int, ...], tuple[float, ...]]
# Gives key, time in ms and value of a line; None if it holds no point.
ReadLine = Callable[[bytes], tuple[bytes, int, float] | None]

_SECONDS_END: Final = 10**10  # OpenTSDB's timestamps of up to ten digits are seconds


@dataclass(slots=True)
class Point:
    """A value of a metric. ``tags`` are without the visibility."""

    metric: bytes
    time_ms: int
    value: float
    tags: dict[bytes, bytes]
    visibility: bytes = b""


@dataclass(frozen=True, slots=True)
class PutFault:
    """Why a point is not stored; ``about_visibility``: its visibility is not an expression, of which clients are told; ``forbidden``: its
    sender may not write the series."""

    message: str
    about_visibility: bool = False
    forbidden: bool = False


class BadPoint(Exception):
    """A document or a line holds no point; the text says why."""


def read_points(document: object, *, strict: bool = False) -> list[Point | PutFault]:
    """The points of a JSON document, of each the reason where it is none.

    ``strict``: as Timely, a single object whose tags are an array, with times in milliseconds.
    """
    if not isinstance(document, list):
        return [_read(document, strict)]
    if strict:
        return [PutFault("a point is a JSON object")]
    return [_read(each, strict) for each in document]


def _read(document: object, strict: bool) -> Point | PutFault:
    try:
        if not isinstance(document, dict):
            raise BadPoint("a point is a JSON object")
        return _point_of(document, strict)
    except BadPoint as error:
        return PutFault(str(error))


def _point_of(document: dict[str, Any], strict: bool) -> Point:
    metric = _text(_either(document, "metric", "name"), "metric")
    value = _number(_either(document, "value", "measure"))
    time_ms = _integer(document.get("timestamp"))
    held = document.get("tags", [])
    if isinstance(held, dict):
        if strict:
            raise BadPoint("tags are an array of objects")
        if abs(time_ms) < _SECONDS_END:
            time_ms *= 1000
        pairs = list(held.items())
    else:
        pairs = _pairs(held)
    tags = {_text(name, "tag"): _text(text, "tag value") for name, text in pairs}
    return made_point(metric, time_ms, value, tags)


def made_point(metric: bytes, time_ms: int, value: float, tags: dict[bytes, bytes]) -> Point:
    """A point whose tags may have its visibility among them; takes it out of them."""
    return Point(metric, time_ms, value, tags, tags.pop(VISIBILITY_LABEL, b""))


def _either(document: Mapping[str, Any], name: str, other: str) -> Any:
    value = document.get(name)
    return document.get(other) if value is None else value


def _pairs(held: object) -> list[tuple[object, object]]:
    """Names and values of an array of tags: objects with the members ``key`` and ``value``, or with one member."""
    if not isinstance(held, Sequence) or isinstance(held, str):
        raise BadPoint("tags are an array of objects")
    pairs: list[tuple[object, object]] = []
    for tag in held:
        if not isinstance(tag, dict) or not tag:
            raise BadPoint("a tag is an object")
        if tag.keys() == {"key", "value"}:
            pairs.append((tag["key"], tag["value"]))
        elif len(tag) == 1:
            pairs += tag.items()
        else:
            raise BadPoint("a tag has one name")
    return pairs


def _text(held: object, what: str) -> bytes:
    """A text as bytes; numbers and truth values are taken as their JSON text, as Timely's mapper does."""
    if isinstance(held, bool):
        return b"true" if held else b"false"
    if isinstance(held, int | float):
        return str(held).encode()
    if not isinstance(held, str):
        raise BadPoint(f"the {what} is missing" if held is None else f"the {what} is not text")
    try:
        return held.encode()
    except UnicodeEncodeError:
        raise BadPoint(f"the {what} is not text") from None


def _integer(held: object) -> int:
    if isinstance(held, str):
        found = long_of(held.strip().encode(errors="replace"))
        if found is not None:
            return found
    elif isinstance(held, int) and not isinstance(held, bool):
        if -(1 << 63) <= held < 1 << 63:
            return held
    elif isinstance(held, float) and held.is_integer() and abs(held) < 1 << 63:
        return int(held)
    raise BadPoint("the timestamp is missing" if held is None else "the timestamp is not an integer")


def _number(held: object) -> float:
    if isinstance(held, str):
        found = double_of(held.encode(errors="replace"))
        if found is not None:
            return found
    elif isinstance(held, int | float) and not isinstance(held, bool):
        try:
            return float(held)
        except OverflowError:
            raise BadPoint("the value is too great") from None
    raise BadPoint("the value is missing" if held is None else "the value is not a number")
