"""What the parser makes of a filter: a tree of expressions.

Parentheses are gone, and so is what is the same for all events: ``$args`` and paths into it are literals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Member:
    """``.name``, ``[name]`` or ``['name']``."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """``[n]``; a negative one counts from the end."""

    index: int


@dataclass(frozen=True, slots=True)
class Every:
    """``[*]``: the rest of the path for each element."""


@dataclass(frozen=True, slots=True)
class Where:
    """``[? test]``: the rest of the path for each element that passes."""

    test: Node


@dataclass(frozen=True, slots=True)
class Flatten:
    """``[]``."""


Step: TypeAlias = "Member | Index | Every | Where | Flatten"


@dataclass(frozen=True, slots=True)
class Literal:
    """A JSON value that is known before any event is."""

    value: Any


@dataclass(frozen=True, slots=True)
class Root:
    """The document of the event; inside ``[? ]`` the element under test."""

    is_element: bool


@dataclass(frozen=True, slots=True)
class Time:
    """``_time`` of the event."""


@dataclass(frozen=True, slots=True)
class Path:
    """Steps from a value on. A base that is a path ends its projections."""

    base: Node
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """An array with items that depend on the event."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function with as many arguments as it takes."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    operand: Node


@dataclass(frozen=True, slots=True)
class All:
    """``&&`` between two or more."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """``||`` between two or more."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """One of ``== != < <= > >= in`` between two."""

    operator: str
    left: Node
    right: Node


Node: TypeAlias = "Literal | Root | Time | Path | Array | Call | Not | All | Either | Compare"


def member_path(node: Node) -> tuple[str, ...] | None:
    """The names of a path of members alone, from the document of the event; None for any other expression."""
    if not isinstance(node, Path) or not isinstance(node.base, Root) or node.base.is_element:
        return None
    names = tuple(step.name for step in node.steps if isinstance(step, Member))
    return names if len(names) == len(node.steps) else None
