"""A compiled path and what it selects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from .errors import PathTooCostly

Location = tuple[str | int, ...]
# Where an element is, and the element.
Match = tuple[Location, Any]

# Elements that one evaluation may visit; a path such as $..*..* visits far more than the document has.
MOST_VISITS = 1_000_000


class Budget:
    """How many elements the evaluation of one path may still visit, and the root that ``$`` means."""

    __slots__ = ("left", "root")

    def __init__(self, root: Any) -> None:
        self.root = root
        self.left = MOST_VISITS

    def spend(self, visits: int = 1) -> None:
        """Count visits. Raises PathTooCostly."""
        self.left -= visits
        if self.left < 0:
            raise PathTooCostly


class Step(Protocol):
    """One step of a path: from the elements selected so far to the next ones."""

    def apply(self, nodes: list[Match], budget: Budget) -> list[Match]: ...


class Path:
    """A compiled path; ``evaluate`` it against as many documents as you like."""

    __slots__ = ("members", "steps")

    def __init__(self, steps: Sequence[Step], members: Sequence[str | int] | None) -> None:
        self.steps = tuple(steps)
        # The names and indexes of a path without anything else, for the short way.
        self.members = None if members is None else tuple(members)

    def evaluate(self, nodes: list[Match], budget: Budget) -> list[Match]:
        """What the steps select, beginning with the given elements; may name a location twice."""
        for step in self.steps:
            if not nodes:
                break
            nodes = step.apply(nodes, budget)
        return nodes

    def find(self, root: Any) -> list[Match]:
        """The selected elements in visiting order, each location once. Raises PathTooCostly."""
        if self.members is not None:
            found = _walk(root, self.members)
            return [] if found is None else [found]
        return list(_unique(self.evaluate([((), root)], Budget(root))))

    def matches(self, root: Any) -> bool:
        """Whether anything is selected. Raises PathTooCostly."""
        if self.members is not None:
            return _walk(root, self.members) is not None
        return bool(self.evaluate([((), root)], Budget(root)))

    def replace(self, root: Any, value: Any) -> tuple[Any, int]:
        """The document with every selected element replaced, and how many were. The given one is not changed.

        An element inside another selected one is counted but gone with it. Raises PathTooCostly.
        """
        locations = [location for location, _ in self.find(root)]
        changed: set[int] = set()
        count = 0
        for location in sorted(locations, key=len, reverse=True):
            if not location:
                root = value
                count += 1
            elif _exists(root, location):
                root = _replaced(root, location, value, changed)
                count += 1
        return root, count


def _unique(matches: Iterable[Match]) -> Iterable[Match]:
    seen: set[Location] = set()
    for match in matches:
        if match[0] not in seen:
            seen.add(match[0])
            yield match


def _walk(root: Any, members: tuple[str | int, ...]) -> Match | None:
    location: list[str | int] = []
    value = root
    for member in members:
        if type(value) is dict and type(member) is str and member in value:
            value = value[member]
        elif type(value) is list and type(member) is int and -len(value) <= member < len(value):
            member %= len(value)
            value = value[member]
        elif member == "length" and type(value) in (list, str):
            value = len(value)
        else:
            return None
        location.append(member)
    return tuple(location), value


def _exists(root: Any, location: Location) -> bool:
    """Whether a location is an element; what ``.length`` and functions give is none."""
    value = root
    for member in location:
        if type(value) is dict and member in value:
            value = value[member]
        elif type(value) is list and type(member) is int and member < len(value):
            value = value[member]
        else:
            return False
    return True


def _replaced(container: Any, location: Location, value: Any, copied: set[int]) -> Any:
    """The container with one element replaced; containers on the way are copied, each once."""
    if id(container) not in copied:
        container = container.copy()
        copied.add(id(container))
    member = location[0]
    container[member] = value if len(location) == 1 else _replaced(container[member], location[1:], value, copied)
    return container


def normalised(location: Location) -> str:
    """A location as text: ``$['member'][0]``, with quotes and backslashes in names escaped."""
    return "$" + "".join(
        f"[{part}]" if type(part) is int else "['" + str(part).replace("\\", "\\\\").replace("'", "\\'") + "']"
        for part in location
    )
