"""Expressions: what stands in filters and between the parentheses of functions.

Operators form flat rows, so that an expression of thousands of terms is no deeper than one of two: it is
as deep as its parentheses, and the parser limits those.
"""

from __future__ import annotations

from dataclasses import dataclass

from .evaluation import Evaluation, Expression, JsonValue, Node
from .functions import Call
from .regexes import regex
from .steps import Route
from .values import OPERATORS, Operator, is_true, negative


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A value that is written in the path."""

    literal: JsonValue

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        return self.literal


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A path of single steps as a value: what it finds, or null."""

    route: Route

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        found = self.route.first(node, evaluation)
        return None if found is None else found[2]


@dataclass(frozen=True, slots=True, eq=False)
class Collected:
    """Any other path as a value: an array of all that it finds."""

    route: Route

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        return [each[2] for each in self.route.every(node, evaluation)]


def selection(route: Route) -> Expression:
    """A path from ``@`` as a value."""
    return Found(route) if route.single else Collected(route)


@dataclass(frozen=True, slots=True, eq=False)
class FromRoot:
    """A path from ``$``."""

    selection: Expression

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        return self.selection.value(evaluation.root, evaluation)


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """Steps into what an expression gives: ``tokenize(@.name, ' ')[0]``."""

    whole: Expression
    selection: Expression

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        return self.selection.value((None, "", self.whole.value(node, evaluation)), evaluation)


@dataclass(frozen=True, slots=True, eq=False)
class Once:
    """An expression without ``@``: evaluated once, however many elements ask."""

    expression: Expression

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        known = evaluation.known
        if id(self) not in known:
            known[id(self)] = self.expression.value(node, evaluation)
        return known[id(self)]


def once_if_constant(call: Call) -> Expression:
    """A function call, evaluated once if no argument depends on ``@``: ``avg($.list[*].price)``."""
    return Once(call) if all(isinstance(each, (Literal, Once)) for each in call.arguments) else call


@dataclass(frozen=True, slots=True, eq=False)
class Not:
    """``!``."""

    operand: Expression

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        return not is_true(self.operand.value(node, evaluation))


@dataclass(frozen=True, slots=True, eq=False)
class Negative:
    """Unary minus."""

    operand: Expression

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        return negative(self.operand.value(node, evaluation))


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """``=~ /pattern/i``: whether a string has a match somewhere; null, which is not true, for no string."""

    operand: Expression
    pattern: str
    ignore_case: bool

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        text = self.operand.value(node, evaluation)
        if not isinstance(text, str):
            return None
        return regex(self.pattern, self.ignore_case).found_in(text, evaluation.budget)


@dataclass(frozen=True, slots=True, eq=False)
class AllOf:
    """``&&``: the first value that is not true, or the last. What comes after it is not evaluated."""

    operands: tuple[Expression, ...]

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        value: JsonValue = None
        for operand in self.operands:
            value = operand.value(node, evaluation)
            if not is_true(value):
                break
        return value


@dataclass(frozen=True, slots=True, eq=False)
class AnyOf:
    """``||``: the first value that is true, or the last. What comes after it is not evaluated."""

    operands: tuple[Expression, ...]

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        value: JsonValue = None
        for operand in self.operands:
            value = operand.value(node, evaluation)
            if is_true(value):
                break
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Operators applied from left to right: ``@.a * 2 - @.b + 1``. What binds tighter on the right is one operand."""

    first: Expression
    rest: tuple[tuple[Operator, Expression], ...]

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        value = self.first.value(node, evaluation)
        for apply, operand in self.rest:
            value = apply(value, operand.value(node, evaluation), evaluation.budget)
        return value


def joined(left: Expression, symbol: str, right: Expression) -> Expression:
    """Two operands with an operator between them; a left one that is such a row itself grows."""
    if symbol == "||":
        return AnyOf((*left.operands, right) if isinstance(left, AnyOf) else (left, right))
    if symbol == "&&":
        return AllOf((*left.operands, right) if isinstance(left, AllOf) else (left, right))
    link = (OPERATORS[symbol], right)
    if isinstance(left, Chain):
        return Chain(left.first, (*left.rest, link))
    return Chain(left, (link,))
