"""JSON values in expressions: truth, equality, order and arithmetic. What cannot be computed is null."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TypeAlias

from .evaluation import Budget, JsonValue

Number: TypeAlias = "int | float"
# The budget pays for comparing containers, whose size belongs to the document and not to the path.
Operator: TypeAlias = "Callable[[JsonValue, JsonValue, Budget], JsonValue]"

_LEAST_INT, _MOST_INT = -(1 << 63), (1 << 64) - 1


def is_true(value: JsonValue) -> bool:
    """The truth of a bare value: null, false and what is empty are not true. 0 is."""
    if value is True:
        return True
    if value is None or value is False:
        return False
    return isinstance(value, (int, float)) or len(value) > 0


def is_number(value: JsonValue) -> bool:
    """Whether a value is a number; true and false are none, although Python counts them so."""
    return type(value) is int or type(value) is float


def as_number(result: Number) -> JsonValue:
    """A computed number as JSON holds it: beyond 64 bits a float, beyond floats null."""
    if type(result) is int and _LEAST_INT <= result <= _MOST_INT:
        return result
    inexact = float(result)
    return inexact if math.isfinite(inexact) else None


def equal(left: JsonValue, right: JsonValue, budget: Budget) -> bool:
    """Equality of the same type, deeply; numbers by value, so that 1 is 1.0 but not true."""
    if not isinstance(left, (list, dict)):
        return _same_scalar(left, right)
    pairs: list[tuple[JsonValue, JsonValue]] = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            budget.spend(len(one))
            pairs += zip(one, other, strict=True)
        elif isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
            budget.spend(len(one))
            pairs += [(item, other[name]) for name, item in one.items()]
        elif isinstance(one, (list, dict)) or not _same_scalar(one, other):
            return False
    return True


def _same_scalar(one: JsonValue, other: JsonValue) -> bool:
    """Equality where one is not a container. An int equals a float, but a bool only a bool."""
    return one == other and (type(one) is bool) == (type(other) is bool)


def _equals(left: JsonValue, right: JsonValue, budget: Budget) -> JsonValue:
    return equal(left, right, budget)


def _differs(left: JsonValue, right: JsonValue, budget: Budget) -> JsonValue:
    return not equal(left, right, budget)


def _ordered(compare: Callable[[Number | str, Number | str], bool]) -> Operator:
    """Order among numbers and among strings (by code); null, which is not true, between anything else."""

    def apply(left: JsonValue, right: JsonValue, budget: Budget) -> JsonValue:
        if isinstance(left, str) and isinstance(right, str):
            return compare(left, right)
        if isinstance(left, (int, float)) and isinstance(right, (int, float)) and is_number(left) and is_number(right):
            return compare(left, right)
        return None

    return apply


def _arithmetic(compute: Callable[[Number, Number], Number]) -> Operator:
    """Arithmetic on two numbers; null for anything else, and for a division by zero."""

    def apply(left: JsonValue, right: JsonValue, budget: Budget) -> JsonValue:
        if not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
            return None
        if type(left) is bool or type(right) is bool:
            return None
        try:
            return as_number(compute(left, right))
        except (ZeroDivisionError, OverflowError, ValueError):
            return None

    return apply


def _quotient(left: Number, right: Number) -> Number:
    """Division; between integers it drops the fraction, as the dialect does: 7 / 2 is 3, -7 / 2 is -3."""
    if type(left) is float or type(right) is float:
        return left / right
    whole = abs(left) // abs(right)
    return whole if (left < 0) == (right < 0) else -whole


def _remainder(left: Number, right: Number) -> Number:
    """What division leaves, with the sign of the left side: -7 % 2 is -1."""
    if type(left) is float or type(right) is float:
        return math.fmod(left, right)
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def negative(value: JsonValue) -> JsonValue:
    """Unary minus; null for what is not a number."""
    return as_number(-value) if isinstance(value, (int, float)) and is_number(value) else None


# Symbol -> what it computes.
OPERATORS: dict[str, Operator] = {
    "==": _equals,
    "!=": _differs,
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "+": _arithmetic(operator.add),
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(_quotient),
    "%": _arithmetic(_remainder),
}
