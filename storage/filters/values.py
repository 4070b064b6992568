"""JSON values in filters: truth, equality and order between two. What has no order gives None."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any, Final, TypeAlias

from januskv.storage.instants import instant_or_none, instant_text

Document: TypeAlias = "dict[str, Any]"
# The comparison that an operator makes of two numbers, strings or instants.
Comparison: TypeAlias = "Callable[[Any, Any], bool]"

COMPARISONS: Final[dict[str, Comparison]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class EventTime:
    """The value of ``_time``: a string to functions, an instant when it is compared."""

    __slots__ = ("instant",)

    def __init__(self, instant: int) -> None:
        self.instant = instant

    def text(self) -> str:
        return instant_text(self.instant)


def is_true(value: Any) -> bool:
    """Whether a value is true where a boolean is wanted: not so null, false and what is empty. 0 is true."""
    if value is None or value is False:
        return False
    kind = type(value)
    return len(value) > 0 if kind is str or kind is list or kind is dict else True


def text_of(value: Any) -> str | None:
    """The text of a string; None for anything else."""
    if type(value) is str:
        return value
    return value.text() if type(value) is EventTime else None


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: deeply, of one type, numbers by value."""
    if type(one) is not list and type(one) is not dict:
        return _same_scalar(one, other)
    # Without recursion: documents may nest deeper than Python calls.
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        kind = type(one)
        if kind is not type(other) or (kind is not list and kind is not dict):
            if not _same_scalar(one, other):
                return False
        elif kind is list:
            if len(one) != len(other):
                return False
            pairs += zip(one, other, strict=True)
        else:
            if one.keys() != other.keys():
                return False
            pairs += [(value, other[name]) for name, value in one.items()]
    return True


def _same_scalar(one: Any, other: Any) -> bool:
    """Equality where one is not a container, or both are of different types."""
    if type(one) is EventTime or type(other) is EventTime:
        instant = _instant_of(one)
        return instant is not None and instant == _instant_of(other)
    return one == other and (type(one) is bool) == (type(other) is bool)


def _instant_of(value: Any) -> int | None:
    if type(value) is EventTime:
        return value.instant
    return instant_or_none(value) if type(value) is str else None


def compare(comparison: Comparison, one: Any, other: Any) -> bool | None:
    """How two numbers, strings or times compare; None for anything else. Datetimes compare as instants."""
    kind, other_kind = type(one), type(other)
    if kind is int or kind is float:
        return comparison(one, other) if other_kind is int or other_kind is float else None
    if kind is str and other_kind is str:
        instant = instant_or_none(one)
        if instant is None:
            return comparison(one, other)
        other_instant = instant_or_none(other)
        return comparison(one, other) if other_instant is None else comparison(instant, other_instant)
    if kind is EventTime or other_kind is EventTime:
        instant, other_instant = _instant_of(one), _instant_of(other)
        return None if instant is None or other_instant is None else comparison(instant, other_instant)
    return None
