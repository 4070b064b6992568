"""Trees to nested functions of a root and an instant: what they decide by the tree alone is decided once.

An expression is made in one of two ways. Its *value* is that of the language: comparisons of what has no order are
None. Its *test* is only asked whether it is true, so it gives a bool. ``otherwise``, None or False, is what comparisons
and functions give that do not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from januskv.storage.instants import instant_or_none

from .comparisons import member_test
from .functions import OF_ONE, OF_TWO, is_in
from .nodes import All, Array, Call, Compare, Either, Literal, Node, Not, Path, Root, Time, Where, member_path
from .paths import Test, compiled
from .regexes import search
from .values import COMPARISONS, Comparison, EventTime, compare, equal, is_true, text_of

# The root, which is the document or inside [? ] the element, and the instant of the event.
Evaluate: TypeAlias = "Callable[[Any, int], Any]"

_FLIPPED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def value_of(node: Node) -> Evaluate:
    """A function that gives the value of an expression."""
    match node:
        case Literal(value):
            return lambda root, instant: value
        case Root():
            return lambda root, instant: root
        case Time():
            return lambda root, instant: EventTime(instant)
        case Path():
            return _path(node)
        case Array(items):
            each = [value_of(item) for item in items]
            return lambda root, instant: [item(root, instant) for item in each]
        case Call():
            return _call(node, None)
        case Not() | All() | Either():
            return test_of(node)
        case Compare():
            return _compare(node, None)


def test_of(node: Node) -> Test:
    """A function that says whether an expression is true."""
    match node:
        case Not(operand):
            test = test_of(operand)
            return lambda root, instant: not test(root, instant)
        case All(operands):
            return _all([test_of(operand) for operand in operands])
        case Either(operands):
            return _either([test_of(operand) for operand in operands])
        case Compare():
            return _compare(node, False)
        case Call(name) if name in OF_TWO:
            return _call(node, False)
        case Literal(value):
            known = is_true(value)
            return lambda root, instant: known
        case _:
            get = value_of(node)
            return lambda root, instant: is_true(get(root, instant))


def _all(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda root, instant: first(root, instant) and second(root, instant)

    def all_of(root: Any, instant: int) -> bool:
        for test in tests:  # noqa: SIM110 (a generator would double the time)
            if not test(root, instant):
                return False
        return True

    return all_of


def _either(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda root, instant: first(root, instant) or second(root, instant)

    def one_of(root: Any, instant: int) -> bool:
        for test in tests:  # noqa: SIM110 (as above)
            if test(root, instant):
                return True
        return False

    return one_of


def _path(path: Path) -> Evaluate:
    names = member_path(path)
    if names is not None and len(names) == 1:
        name = names[0]
        return lambda root, instant: root.get(name)
    walk = compiled(path.steps, _test_of_where)
    if isinstance(path.base, Root):
        return walk
    base = value_of(path.base)
    return lambda root, instant: walk(base(root, instant), instant)


def _test_of_where(where: Where) -> Test:
    return test_of(where.test)


# ------------------------------------------------------------ functions


def _call(call: Call, otherwise: bool | None) -> Evaluate:
    if call.name in OF_ONE:
        of_one, argument = OF_ONE[call.name], value_of(call.arguments[0])
        return lambda root, instant: of_one(argument(root, instant))
    left, right = call.arguments
    if call.name == "regex" and isinstance(right, Literal) and isinstance(right.value, str):
        return _regex(left, right.value, otherwise)
    if call.name == "contains" and isinstance(left, Literal) and isinstance(left.value, list):
        return _membership(right, left.value)
    of_two, first, second = OF_TWO[call.name], value_of(left), value_of(right)
    if otherwise is None:
        return lambda root, instant: of_two(first(root, instant), second(root, instant))
    return lambda root, instant: of_two(first(root, instant), second(root, instant)) is True


def _regex(subject: Node, pattern: str, otherwise: bool | None) -> Evaluate:
    get, found_in = value_of(subject), search(pattern)

    def regex(root: Any, instant: int) -> bool | None:
        text = text_of(get(root, instant))
        return otherwise if text is None else found_in(text)

    return regex


def _membership(subject: Node, elements: list[Any]) -> Evaluate:
    """Whether a value is among elements that are known."""
    get = value_of(subject)
    strings = frozenset(element for element in elements if type(element) is str)
    numbers = frozenset(element for element in elements if type(element) is int or type(element) is float)
    others = [element for element in elements if type(element) not in (str, int, float)]

    def is_member(root: Any, instant: int) -> bool:
        value = get(root, instant)
        kind = type(value)
        if kind is str:
            return value in strings
        if kind is int or kind is float:
            return value in numbers
        return any(equal(element, value) for element in (elements if kind is EventTime else others))

    return is_member


# ------------------------------------------------------------ comparisons


def _compare(node: Compare, otherwise: bool | None) -> Evaluate:
    operator, left, right = node.operator, node.left, node.right
    if operator == "in":
        return _in(left, right, otherwise)
    if isinstance(left, Literal) and not isinstance(right, Literal):
        operator, left, right = _FLIPPED[operator], right, left
    if isinstance(right, Literal):
        names = member_path(left)
        if names is not None and len(names) == 1:
            test = member_test(names[0], operator, right.value, otherwise)
            if test is not None:
                return test
        if isinstance(left, Time):
            return _time_test(operator, right.value, otherwise)
    one, other = value_of(left), value_of(right)
    if operator == "==":
        return lambda root, instant: equal(one(root, instant), other(root, instant))
    if operator == "!=":
        return lambda root, instant: not equal(one(root, instant), other(root, instant))
    return _ordered(COMPARISONS[operator], one, other, otherwise)


def _ordered(comparison: Comparison, one: Evaluate, other: Evaluate, otherwise: bool | None) -> Evaluate:
    if otherwise is None:
        return lambda root, instant: compare(comparison, one(root, instant), other(root, instant))
    return lambda root, instant: compare(comparison, one(root, instant), other(root, instant)) is True


def _in(left: Node, right: Node, otherwise: bool | None) -> Evaluate:
    if isinstance(right, Literal) and isinstance(right.value, list):
        return _membership(left, right.value)
    one, other = value_of(left), value_of(right)
    if otherwise is None:
        return lambda root, instant: is_in(one(root, instant), other(root, instant))
    return lambda root, instant: is_in(one(root, instant), other(root, instant)) is True


def _time_test(operator: str, literal: Any, otherwise: bool | None) -> Evaluate:
    """``_time`` against what is known: instants against a Datetime, and nothing equals or orders anything else."""
    wanted = instant_or_none(literal) if isinstance(literal, str) else None
    if operator == "==":
        return lambda root, instant: instant == wanted
    if operator == "!=":
        return lambda root, instant: instant != wanted
    if wanted is None:
        return lambda root, instant: otherwise
    comparison, bound = COMPARISONS[operator], wanted
    return lambda root, instant: comparison(instant, bound)
