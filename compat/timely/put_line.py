"""One line of ``put``, and what must hold of a point, whichever way it comes."""

from __future__ import annotations

from typing import Final

from januskv.storage.chunks import MOST_TIME
from januskv.storage.errors import BadVisibility
from januskv.storage.metrics import NAME_LABEL
from januskv.storage.visibility import parse

from .numbers import FIRST_MS, double_of, long_of
from .points import BadPoint, Point, made_point

# Java's trim takes all of these away.
_BLANKS: Final = bytes(range(33))


MOST_LINE: Final = 64 << 10


class BadPointVisibility(BadPoint):
    """The visibility of a point is not an expression; the text is the parser's."""


def point_of_line(line: bytes, *, seconds: bool) -> Point:
    """The point of a line without its end; with ``seconds`` small timestamps are seconds. Raises BadPoint."""
    if len(line) > MOST_LINE:
        raise BadPoint("the line is too long")
    operation, *words = [word for word in line.split(b" ") if word] if line[:1] != b" " else [b""]
    if operation != b"put":
        raise BadPoint("there is no such operation")
    if len(words) < 3:
        raise BadPoint("metric, time and value are needed")
    metric, time_text, value_text, *tag_texts = words
    time_ms, value = long_of(time_text), double_of(value_text)
    if time_ms is None:
        raise BadPoint("the timestamp is not an integer")
    if value is None:
        raise BadPoint("the value is not a number")
    if seconds and time_ms < FIRST_MS:
        time_ms *= 1000
    tags: dict[bytes, bytes] = {}
    for text in tag_texts:
        name, equals, tag_value = text.partition(b"=")
        if not equals:
            raise BadPoint("a tag has no =")
        tags[name.strip(_BLANKS)] = tag_value.strip(_BLANKS)
    return made_point(metric, time_ms, value, tags)


def check_point(point: Point) -> None:
    """See that a point can be stored. Raises BadPoint, and BadPointVisibility, of which clients are told."""
    if not 0 <= point.time_ms <= MOST_TIME:
        raise BadPoint("the timestamp is before 1970 or too far ahead")
    _check_text(point.metric, "metric")
    for name, value in point.tags.items():
        _check_text(name, "tag")
        if value:
            _check_text(value, "tag value")
    if NAME_LABEL in point.tags:
        raise BadPoint(f"the tag {NAME_LABEL.decode()} is the metric's name")
    if point.visibility:
        _check_text(point.visibility, "visibility")
        try:
            parse(point.visibility)
        except BadVisibility as error:
            raise BadPointVisibility(str(error)) from error


def _check_text(text: bytes, what: str) -> None:
    if not text:
        raise BadPoint(f"the {what} is empty")
    if b"\0" in text:
        raise BadPoint(f"the {what} has a NUL")
    try:
        text.decode()
    except UnicodeDecodeError:
        raise BadPoint(f"the {what} is not UTF-8") from None
