"""The steps of a path: from an element to the elements that the step selects.

A ``Single`` step gives one element at most, a ``Several`` step any number. Expressions tell the two
apart: a path of single steps is the value that it finds, any other path is an array of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import Inapplicable
from .evaluation import Evaluation, Expression, JsonValue, Node
from .values import is_true

_INDEX = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class Single:
    """A step that selects one element at most."""

    __slots__ = ()

    def child(self, node: Node, evaluation: Evaluation) -> Node | None:
        raise NotImplementedError


class Several:
    """A step that selects any number of elements, and pays for them."""

    __slots__ = ()

    def children(self, node: Node, evaluation: Evaluation) -> Sequence[Node]:
        raise NotImplementedError


Step = Single | Several


class Route:
    """Steps after each other."""

    __slots__ = ("single", "singles", "steps")

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)
        self.singles = tuple(step for step in steps if isinstance(step, Single))
        self.single = len(self.singles) == len(self.steps)

    def first(self, node: Node | None, evaluation: Evaluation) -> Node | None:
        """Where a route of single steps leads."""
        for step in self.singles:
            if node is None:
                break
            node = step.child(node, evaluation)
        return node

    def every(self, node: Node, evaluation: Evaluation) -> list[Node]:
        """All elements that the route leads to, in visiting order; an element may come twice."""
        nodes = [node]
        for step in self.steps:
            evaluation.budget.spend(len(nodes))
            if isinstance(step, Single):
                nodes = [child for each in nodes if (child := step.child(each, evaluation)) is not None]
            else:
                nodes = [child for each in nodes for child in step.children(each, evaluation)]
            if not nodes:
                break
        return nodes

    @property
    def repeats(self) -> bool:
        """Whether it can lead to an element twice."""
        descents = sum(isinstance(step, Descent) for step in self.steps)
        return descents > 1 or any(_repeats(step) for step in self.steps)


# ---------------------------------------------------------------- single steps


class Member(Single):
    """``.name`` and ``['name']``. ``.length`` of an array or string is its length, ``.2`` of an array an item."""

    __slots__ = ("index", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.index = int(name) if _INDEX.fullmatch(name) else None

    def child(self, node: Node, evaluation: Evaluation) -> Node | None:
        value, name = node[2], self.name
        if isinstance(value, dict):
            return (node, name, value[name]) if name in value else None
        if name == "length" and isinstance(value, (list, str)):
            return node, name, len(value)
        return None if self.index is None else _item(node, self.index)


class Index(Single):
    """``[2]``, ``[-1]``."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def child(self, node: Node, evaluation: Evaluation) -> Node | None:
        return _item(node, self.index)


def _item(node: Node, index: int) -> Node | None:
    value = node[2]
    if not isinstance(value, list):
        return None
    if index < 0:
        index += len(value)
    return (node, index, value[index]) if 0 <= index < len(value) else None


class Parent(Single):
    """``^``: the element that holds this one; nothing holds the root."""

    __slots__ = ()

    def child(self, node: Node, evaluation: Evaluation) -> Node | None:
        return node[0]


@dataclass(frozen=True, slots=True, eq=False)
class Computed(Single):
    """``[(expression)]``: the member or item that an expression names; ``@`` is the object or array."""

    expression: Expression
    cost: int

    def child(self, node: Node, evaluation: Evaluation) -> Node | None:
        evaluation.budget.spend(self.cost)
        try:
            key = self.expression.value(node, evaluation)
        except Inapplicable:
            return None
        value = node[2]
        if isinstance(key, str) and isinstance(value, dict):
            return (node, key, value[key]) if key in value else None
        return _item(node, key) if type(key) is int and key >= 0 else None


# ---------------------------------------------------------------- several


def _elements(value: JsonValue) -> Iterable[tuple[str | int, JsonValue]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _size(value: JsonValue) -> int:
    return len(value) if isinstance(value, (dict, list)) else 0


class Wildcard(Several):
    """``*``: all members or items."""

    __slots__ = ()

    def children(self, node: Node, evaluation: Evaluation) -> Sequence[Node]:
        evaluation.budget.spend(_size(node[2]))
        return [(node, part, item) for part, item in _elements(node[2])]


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Several):
    """``[1:3]``, ``[::-1]``."""

    bounds: slice

    def children(self, node: Node, evaluation: Evaluation) -> Sequence[Node]:
        value = node[2]
        if not isinstance(value, list):
            return ()
        indexes = range(*self.bounds.indices(len(value)))
        evaluation.budget.spend(len(indexes))
        return [(node, index, value[index]) for index in indexes]


@dataclass(frozen=True, slots=True, eq=False)
class Filter(Several):
    """``[?(expression)]``: the members or items for which an expression is true."""

    expression: Expression
    cost: int

    def children(self, node: Node, evaluation: Evaluation) -> Sequence[Node]:
        evaluation.budget.spend(_size(node[2]) * self.cost)
        test = self.expression.value
        kept: list[Node] = []
        for part, item in _elements(node[2]):
            child: Node = (node, part, item)
            try:
                if is_true(test(child, evaluation)):
                    kept.append(child)
            except Inapplicable:
                continue
        return kept


@dataclass(frozen=True, slots=True, eq=False)
class Branch(Several):
    """A path among the items of a bracket, ``[@.a.b, $.c]``."""

    route: Route
    absolute: bool

    def children(self, node: Node, evaluation: Evaluation) -> Sequence[Node]:
        return self.route.every(evaluation.root if self.absolute else node, evaluation)


@dataclass(frozen=True, slots=True, eq=False)
class Union(Several):
    """``[0, 'name', 2:5]``: what each item selects, item after item."""

    items: tuple[Step, ...]

    def children(self, node: Node, evaluation: Evaluation) -> Sequence[Node]:
        evaluation.budget.spend(len(self.items))
        found: list[Node] = []
        for item in self.items:
            found += _selected(item, node, evaluation)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Descent(Several):
    """``..``: what a step selects in an element and in all elements below it, outer ones first."""

    step: Step

    def children(self, node: Node, evaluation: Evaluation) -> Sequence[Node]:
        found: list[Node] = []
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if isinstance(each[2], (dict, list)):
                evaluation.budget.spend(1 + len(each[2]))
                found += _selected(self.step, each, evaluation)
                inner: list[Node] = [
                    (each, part, item) for part, item in _elements(each[2]) if isinstance(item, (dict, list))
                ]
                waiting += reversed(inner)
        return found


def _selected(step: Step, node: Node, evaluation: Evaluation) -> Sequence[Node]:
    """What any step selects in one element."""
    if not isinstance(step, Single):
        return step.children(node, evaluation)
    child = step.child(node, evaluation)
    return () if child is None else (child,)


def _repeats(step: Step) -> bool:
    """Whether a step can lead to an element that another one, or itself, has led to."""
    if isinstance(step, Descent):
        return _repeats(step.step)
    return isinstance(step, (Union, Branch, Parent))
