"""The steps of a path: they go from elements to the elements that they select in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from .expressions import Expression, Scope, truth
from .path import Budget, Match


class Selector(Protocol):
    """Selects children of one element."""

    def select(self, node: Match, budget: Budget) -> Iterator[Match]: ...


def children(node: Match) -> Iterator[Match]:
    """Members of an object or items of an array, in order."""
    location, value = node
    if type(value) is dict:
        for name, item in value.items():
            yield (*location, name), item
    elif type(value) is list:
        for index, item in enumerate(value):
            yield (*location, index), item


@dataclass(frozen=True, slots=True)
class Name:
    """``.name`` and ``['name']``; ``.length`` of an array or a string is its length."""

    name: str

    def select(self, node: Match, budget: Budget) -> Iterator[Match]:
        location, value = node
        if type(value) is dict:
            if self.name in value:
                yield (*location, self.name), value[self.name]
        elif self.name == "length" and type(value) in (list, str):
            yield (*location, "length"), len(value)


@dataclass(frozen=True, slots=True)
class Index:
    """``[2]``, ``[-1]``."""

    index: int

    def select(self, node: Match, budget: Budget) -> Iterator[Match]:
        location, value = node
        if type(value) is list and -len(value) <= self.index < len(value):
            index = self.index % len(value)
            yield (*location, index), value[index]


@dataclass(frozen=True, slots=True)
class Slice:
    """``[1:3]``, ``[::-1]``."""

    slice: slice

    def select(self, node: Match, budget: Budget) -> Iterator[Match]:
        location, value = node
        if type(value) is list:
            for index in range(*self.slice.indices(len(value))):
                yield (*location, index), value[index]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``*``."""

    def select(self, node: Match, budget: Budget) -> Iterator[Match]:
        return children(node)


@dataclass(frozen=True, slots=True)
class Filter:
    """``[?(expression)]``: the children for which the expression is true."""

    expression: Expression

    def select(self, node: Match, budget: Budget) -> Iterator[Match]:
        for child in children(node):
            budget.spend()
            if truth(self.expression.value(Scope(child, budget))):
                yield child


@dataclass(frozen=True, slots=True)
class Computed:
    """``[(expression)]``: the member or item that the expression names, with the element itself as ``@``."""

    expression: Expression

    def select(self, node: Match, budget: Budget) -> Iterator[Match]:
        key = self.expression.value(Scope(node, budget))
        if type(key) is str:
            yield from Name(key).select(node, budget)
        elif type(key) in (int, float) and key == int(key):
            yield from Index(int(key)).select(node, budget)


# ---------------------------------------------------------------- steps


def _select(selectors: tuple[Selector, ...], node: Match, budget: Budget) -> Iterator[Match]:
    for selector in selectors:
        yield from selector.select(node, budget)


@dataclass(frozen=True, slots=True)
class Children:
    """A step to selected children of each element."""

    selectors: tuple[Selector, ...]

    def apply(self, nodes: list[Match], budget: Budget) -> list[Match]:
        found: list[Match] = []
        for node in nodes:
            for match in _select(self.selectors, node, budget):
                budget.spend()
                found.append(match)
        return found


@dataclass(frozen=True, slots=True)
class Descendants:
    """``..``: selected children of each element and of all elements below it, outer ones first."""

    selectors: tuple[Selector, ...]

    def apply(self, nodes: list[Match], budget: Budget) -> list[Match]:
        found: list[Match] = []
        waiting = list(reversed(nodes))
        while waiting:
            node = waiting.pop()
            budget.spend()
            for match in _select(self.selectors, node, budget):
                budget.spend()
                found.append(match)
            waiting += reversed([child for child in children(node) if type(child[1]) in (dict, list)])
        return found


@dataclass(frozen=True, slots=True)
class Parent:
    """``^``: the element that holds each element; the root has none."""

    def apply(self, nodes: list[Match], budget: Budget) -> list[Match]:
        found: list[Match] = []
        for location, _ in nodes:
            if location:
                budget.spend(len(location))
                found.append((location[:-1], _at(budget.root, location[:-1])))
        return found


def _at(root: Any, location: tuple[str | int, ...]) -> Any:
    for member in location:
        root = root[member]
    return root


@dataclass(frozen=True, slots=True)
class Call:
    """A function at the head of a path: one element, with the root's location."""

    expression: Expression

    def apply(self, nodes: list[Match], budget: Budget) -> list[Match]:
        return [((), self.expression.value(Scope(node, budget))) for node in nodes]
