"""What one evaluation of a path carries along: elements with their way back to the root, and what is left to spend."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from .errors import PathTooCostly

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
# Members and indexes from the root to an element.
Location: TypeAlias = "tuple[str | int, ...]"
# (the element that holds it, its member or index there, value). Locations are made of these only for
# hits: copying one per visited element would cost its depth each time.
Node: TypeAlias = "tuple[Node | None, str | int, JsonValue]"

# About a second of work. $..*..*..* visits far more elements than the document has.
MOST_WORK = 1_000_000


class Budget:
    """How much work evaluations may still do; one unit is about a visited element. May be shared by several."""

    __slots__ = ("left",)

    def __init__(self, left: int = MOST_WORK) -> None:
        self.left = left

    def spend(self, work: int) -> None:
        """Take work from what is left. Raises PathTooCostly."""
        self.left -= work
        if self.left < 0:
            raise PathTooCostly


class Evaluation:
    """One evaluation over one document, whose root ``$`` means."""

    __slots__ = ("budget", "known", "root")

    def __init__(self, root: JsonValue, budget: Budget | None) -> None:
        self.root: Node = (None, "", root)
        self.budget = Budget() if budget is None else budget
        # Values of expressions that are the same for every element, by the expression's identity.
        self.known: dict[int, JsonValue] = {}


class Expression(Protocol):
    """Gives a value for an element, ``@``."""

    def value(self, node: Node, evaluation: Evaluation) -> JsonValue:
        """The value; null for what does not exist. Raises Inapplicable and PathTooCostly."""
        ...


def location_of(node: Node) -> Location:
    """Members and indexes from the root to an element. O(depth)."""
    parts: list[str | int] = []
    holder, part, _ = node
    while holder is not None:
        parts.append(part)
        holder, part, _ = holder
    parts.reverse()
    return tuple(parts)


def is_element(node: Node) -> bool:
    """Whether an element is part of the document; a length is computed, there is nothing to replace."""
    holder, part, _ = node
    return holder is None or isinstance(holder[2], dict) or (isinstance(holder[2], list) and isinstance(part, int))


_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def normalised(location: Location) -> str:
    """A location as path text: ``$['member'][0]``, with quotes and backslashes in members escaped."""
    return "$" + "".join(
        f"[{part}]" if isinstance(part, int) else f"['{part.translate(_ESCAPES)}']" for part in location
    )
