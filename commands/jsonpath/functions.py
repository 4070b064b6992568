"""The functions of filters. An argument of a wrong type gives null."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import re2

from .expressions import Expression, Scope, equal, is_number


def _numbers(value: Any) -> list[Any] | None:
    return value if type(value) is list and all(map(is_number, value)) else None


def contains(where: Any, what: Any) -> Any:
    if type(where) is str:
        return what in where if type(what) is str else None
    return any(equal(item, what) for item in where) if type(where) is list else None


def starts_with(text: Any, part: Any) -> Any:
    return text.startswith(part) if type(text) is str and type(part) is str else None


def ends_with(text: Any, part: Any) -> Any:
    return text.endswith(part) if type(text) is str and type(part) is str else None


def sum_(values: Any) -> Any:
    numbers = _numbers(values)
    return None if numbers is None else float(sum(numbers))


def prod(values: Any) -> Any:
    numbers = _numbers(values)
    return None if numbers is None else math.prod(map(float, numbers))


def avg(values: Any) -> Any:
    numbers = _numbers(values)
    return sum(map(float, numbers)) / len(numbers) if numbers else None


def _extreme(choose: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    def apply(values: Any) -> Any:
        if type(values) is not list or not values:
            return None
        comparable = _numbers(values) is not None or all(type(item) is str for item in values)
        return choose(values) if comparable else None

    return apply


def abs_(value: Any) -> Any:
    return abs(value) if is_number(value) else None


def _rounded(round_to: Callable[[float], int]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        return round_to(value) if is_number(value) and math.isfinite(value) else None

    return apply


def to_number(value: Any) -> Any:
    if is_number(value):
        return value
    if type(value) is not str or len(value) > 400 or "_" in value:
        return None
    try:
        return int(value)
    except ValueError:
        pass
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def keys(value: Any) -> Any:
    return list(value) if type(value) is dict else None


def length(value: Any) -> Any:
    return len(value) if type(value) in (str, list, dict) else None


def tokenize(text: Any, expression: Any) -> Any:
    if type(text) is not str or type(expression) is not str:
        return None
    try:
        return [part for part in re2.split(expression, text) if part]
    except re2.error:
        return None


# Name -> (function, number of arguments).
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "contains": (contains, 2),
    "starts_with": (starts_with, 2),
    "ends_with": (ends_with, 2),
    "sum": (sum_, 1),
    "prod": (prod, 1),
    "avg": (avg, 1),
    "min": (_extreme(min), 1),
    "max": (_extreme(max), 1),
    "abs": (abs_, 1),
    "ceil": (_rounded(math.ceil), 1),
    "floor": (_rounded(math.floor), 1),
    "to_number": (to_number, 1),
    "keys": (keys, 1),
    "length": (length, 1),
    "tokenize": (tokenize, 2),
}


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function with its arguments."""

    function: Callable[..., Any]
    arguments: tuple[Expression, ...]

    def value(self, scope: Scope) -> Any:
        scope.budget.spend()
        return self.function(*(argument.value(scope) for argument in self.arguments))
