"""The functions of filters. What does not fit their arguments gives None."""

from __future__ import annotations

from collections.abc import Callable
from math import fsum, isfinite
from typing import Any, Final, TypeAlias

from .regexes import search_or_none
from .values import equal, text_of

One: TypeAlias = "Callable[[Any], Any]"
Two: TypeAlias = "Callable[[Any, Any], Any]"

_LEAST_INTEGER, _MOST_INTEGER = -(1 << 63), (1 << 64) - 1
_NUMBERS: Final = frozenset((int, float))


def length(value: Any) -> int | None:
    """Elements of an array, members of an object or characters of a string."""
    if type(value) is list or type(value) is dict:
        return len(value)
    text = text_of(value)
    return None if text is None else len(text)


def total(value: Any) -> int | float | None:
    """The sum of an array of numbers, correctly rounded; None if it is not finite."""
    if type(value) is not list:
        return None
    kinds = set(map(type, value))
    if not kinds <= _NUMBERS:
        return None
    if float not in kinds:
        exact = sum(value)
        return exact if _LEAST_INTEGER <= exact <= _MOST_INTEGER else float(exact)
    try:
        inexact = fsum(value)
    except OverflowError:
        return None
    return inexact if isfinite(inexact) else None


def contains(container: Any, value: Any) -> bool | None:
    """Whether an array has an element that equals a value, or a string has another one in it."""
    if type(container) is list:
        return is_among(value, container)
    text = text_of(container)
    if text is None:
        return None
    part = text_of(value)
    return part is not None and part in text


def is_in(value: Any, container: Any) -> bool | None:
    """The operator ``in``: for arrays only."""
    return is_among(value, container) if type(container) is list else None


def is_among(value: Any, elements: list[Any]) -> bool:
    """Whether an element equals a value."""
    if type(value) is str and value in elements:
        return True
    return any(equal(element, value) for element in elements)


def starts_with(value: Any, prefix: Any) -> bool | None:
    text, start = text_of(value), text_of(prefix)
    return None if text is None or start is None else text.startswith(start)


def ends_with(value: Any, suffix: Any) -> bool | None:
    text, end = text_of(value), text_of(suffix)
    return None if text is None or end is None else text.endswith(end)


def matches(value: Any, pattern: Any) -> bool | None:
    """Whether a pattern that comes from a document is found in a string."""
    text, expression = text_of(value), text_of(pattern)
    if text is None or expression is None:
        return None
    search = search_or_none(expression)
    return None if search is None else search(text)


OF_ONE: Final[dict[str, One]] = {"length": length, "sum": total}
OF_TWO: Final[dict[str, Two]] = {
    "contains": contains,
    "starts_with": starts_with,
    "beginsWith": starts_with,
    "ends_with": ends_with,
    "endsWith": ends_with,
    "regex": matches,
}
ARITIES: Final[dict[str, int]] = {**dict.fromkeys(OF_ONE, 1), **dict.fromkeys(OF_TWO, 2)}
