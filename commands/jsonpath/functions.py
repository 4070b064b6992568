"""The functions of expressions. One that is given what it does not take raises Inapplicable."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import Inapplicable
from .evaluation import Budget, Evaluation, Expression, JsonValue, Node
from .regexes import BadRegex, regex_from_document
from .values import Number, as_number, equal, is_number

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
# Digits of an int64; more are read as a float, which costs the same however many there are.
_MOST_DIGITS = 20


# ---------------------------------------------------------------- what arguments are taken


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    raise Inapplicable


def _number(value: JsonValue) -> Number:
    if isinstance(value, (int, float)) and is_number(value):
        return value
    raise Inapplicable


def _array(value: JsonValue, budget: Budget) -> list[JsonValue]:
    if isinstance(value, list):
        budget.spend(len(value))
        return value
    raise Inapplicable


def _floats(value: JsonValue, budget: Budget) -> list[float]:
    return [float(_number(item)) for item in _array(value, budget)]


# ---------------------------------------------------------------- text


def starts_with(budget: Budget, text: JsonValue, start: JsonValue) -> JsonValue:
    return _text(text).startswith(_text(start))


def ends_with(budget: Budget, text: JsonValue, end: JsonValue) -> JsonValue:
    return _text(text).endswith(_text(end))


def contains(budget: Budget, whole: JsonValue, part: JsonValue) -> JsonValue:
    """Whether a string has a part, or an array an item."""
    if isinstance(whole, str):
        budget.spend(len(whole) >> 8)
        return _text(part) in whole
    return any(equal(item, part, budget) for item in _array(whole, budget))


def tokenize(budget: Budget, text: JsonValue, pattern: JsonValue) -> JsonValue:
    """The pieces of a string between matches of a regular expression."""
    try:
        return list(regex_from_document(_text(pattern), budget).split(_text(text), budget))
    except BadRegex:
        raise Inapplicable from None


def to_number(budget: Budget, value: JsonValue) -> JsonValue:
    """The number that a string writes; null where it writes none."""
    if not isinstance(value, str):
        return _number(value)
    budget.spend(len(value) >> 4)
    written = _DECIMAL.fullmatch(value)
    if written is None:
        return None
    if written[1] is None and written[2] is None and len(value) <= _MOST_DIGITS:
        return as_number(int(value))
    return as_number(float(value))


# ---------------------------------------------------------------- numbers


def absolute(budget: Budget, value: JsonValue) -> JsonValue:
    return as_number(abs(_number(value)))


def ceiling(budget: Budget, value: JsonValue) -> JsonValue:
    return float(math.ceil(_number(value)))


def floor(budget: Budget, value: JsonValue) -> JsonValue:
    return float(math.floor(_number(value)))


def total(budget: Budget, values: JsonValue) -> JsonValue:
    return as_number(sum(_floats(values, budget), start=0.0))


def product(budget: Budget, values: JsonValue) -> JsonValue:
    """The product of an array that is not empty."""
    numbers = _floats(values, budget)
    if not numbers:
        raise Inapplicable
    return as_number(math.prod(numbers))


def average(budget: Budget, values: JsonValue) -> JsonValue:
    """The mean of an array; null for an empty one."""
    numbers = _floats(values, budget)
    return as_number(sum(numbers) / len(numbers)) if numbers else None


def least(budget: Budget, values: JsonValue) -> JsonValue:
    """The least item of an array of numbers or of strings; null for an empty one."""
    items = _array(values, budget)
    if items and isinstance(items[0], str):
        return min(map(_text, items))
    return min(map(_number, items), default=None)


def greatest(budget: Budget, values: JsonValue) -> JsonValue:
    """The greatest item of an array of numbers or of strings; null for an empty one."""
    items = _array(values, budget)
    if items and isinstance(items[0], str):
        return max(map(_text, items))
    return max(map(_number, items), default=None)


# ---------------------------------------------------------------- containers


def keys(budget: Budget, value: JsonValue) -> JsonValue:
    """The names of the members of an object, in order."""
    if not isinstance(value, dict):
        raise Inapplicable
    budget.spend(len(value))
    return list(value)


def length(budget: Budget, value: JsonValue) -> JsonValue:
    """Items of an array, members of an object, characters of a string."""
    if isinstance(value, (str, list, dict)):
        return len(value)
    raise Inapplicable


# Name -> (function, how many arguments it takes).
FUNCTIONS: dict[str, tuple[Callable[..., JsonValue], int]] = {
    "abs": (absolute, 1),
    "avg": (average, 1),
    "ceil": (ceiling, 1),
    "contains": (contains, 2),
    "ends_with": (ends_with, 2),
    "floor": (floor, 1),
    "keys": (keys, 1),
    "length": (length, 1),
    "max": (greatest, 1),
    "min": (least, 1),
    "prod": (product, 1),
    "starts_with": (starts_with, 2),
    "sum": (total, 1),
    "to_number": (to_number, 1),
    "tokenize": (tokenize, 2),
}


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A function with its arguments."""

    function: Callable[..., JsonValue]
    arguments: tuple[Expression, ...]

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        return self.function(evaluation.budget, *[each.value(node, evaluation) for each in self.arguments])
