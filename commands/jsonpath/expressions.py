"""Filter expressions: values, operators, and paths as values."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .path import Budget, Match, Path

_LEAST_INT, _MOST_INT = -(1 << 63), (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """What ``@`` means (``$`` is the budget's root)."""

    current: Match
    budget: Budget


class Expression(Protocol):
    """Gives a JSON value in a scope; what does not exist or cannot be computed is None."""

    def value(self, scope: Scope) -> Any: ...


def truth(value: Any) -> bool:
    """The truth of a bare value: all but null, false and what is empty. 0 is true."""
    return value is not None and value is not False and value != "" and value != [] and value != {}


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, true, false or null."""

    literal: Any

    def value(self, scope: Scope) -> Any:
        return self.literal


@dataclass(frozen=True, slots=True)
class Selection:
    """A path as a value: null for nothing, the element for one, an array for several."""

    path: Path
    absolute: bool

    def value(self, scope: Scope) -> Any:
        budget = scope.budget
        start: Match = ((), budget.root) if self.absolute else scope.current
        found = self.path.evaluate([start], budget)
        if not found:
            return None
        return found[0][1] if len(found) == 1 else [value for _, value in found]


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression

    def value(self, scope: Scope) -> Any:
        return not truth(self.operand.value(scope))


@dataclass(frozen=True, slots=True)
class Negative:
    operand: Expression

    def value(self, scope: Scope) -> Any:
        value = self.operand.value(scope)
        return -value if is_number(value) else None


@dataclass(frozen=True, slots=True)
class And:
    left: Expression
    right: Expression

    def value(self, scope: Scope) -> Any:
        return truth(self.left.value(scope)) and truth(self.right.value(scope))


@dataclass(frozen=True, slots=True)
class Or:
    left: Expression
    right: Expression

    def value(self, scope: Scope) -> Any:
        return truth(self.left.value(scope)) or truth(self.right.value(scope))


@dataclass(frozen=True, slots=True)
class Binary:
    """Comparison and arithmetic."""

    apply: Callable[[Any, Any], Any]
    left: Expression
    right: Expression

    def value(self, scope: Scope) -> Any:
        return self.apply(self.left.value(scope), self.right.value(scope))


@dataclass(frozen=True, slots=True)
class Regex:
    """``=~``: the expression is searched anywhere in a string."""

    search: Callable[[str], Any]
    operand: Expression

    def value(self, scope: Scope) -> Any:
        value = self.operand.value(scope)
        return type(value) is str and self.search(value) is not None


# ---------------------------------------------------------------- operators


def is_number(value: Any) -> bool:
    """Whether a value is a number; true and false are none."""
    return type(value) is int or type(value) is float


def equal(left: Any, right: Any) -> bool:
    """Equality of the same type, deeply; numbers by value, so 1 is 1.0 but not true."""
    if type(left) is bool or type(right) is bool:
        return left is right
    if is_number(left) and is_number(right):
        return bool(left == right)
    if type(left) is not type(right):
        return False
    if type(left) is list:
        return len(left) == len(right) and all(map(equal, left, right))
    if type(left) is dict:
        return left.keys() == right.keys() and all(equal(item, right[name]) for name, item in left.items())
    return bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def apply(left: Any, right: Any) -> bool:
        comparable = (is_number(left) and is_number(right)) or (type(left) is str and type(right) is str)
        return comparable and compare(left, right)

    return apply


def _arithmetic(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        if not (is_number(left) and is_number(right)):
            return None
        try:
            result = compute(left, right)
            return result if type(result) is float or _LEAST_INT <= result <= _MOST_INT else float(result)
        except (ZeroDivisionError, OverflowError):
            return None

    return apply


def _not_equal(left: Any, right: Any) -> bool:
    return not equal(left, right)


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": equal,
    "!=": _not_equal,
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
}
SUMS: dict[str, Callable[[Any, Any], Any]] = {"+": _arithmetic(operator.add), "-": _arithmetic(operator.sub)}
PRODUCTS: dict[str, Callable[[Any, Any], Any]] = {
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(operator.truediv),
    "%": _arithmetic(operator.mod),
}
