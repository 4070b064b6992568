"""A compiled path and what it selects in a document."""

from __future__ import annotations

from typing import TypeAlias

from .errors import Inapplicable
from .evaluation import Budget, Evaluation, JsonValue, Location, Node, is_element, location_of
from .functions import Call
from .steps import Route

# Where an element is, and the element.
Match: TypeAlias = "tuple[Location, JsonValue]"
# Member or index -> what to replace below it; an empty one stands for the element itself.
_Places: TypeAlias = "dict[str | int, _Places]"


class Path:
    """A compiled path; it may be used for any number of documents. Documents are never changed.

    Each method takes a budget; without one it gets a fresh budget of the usual size. Give several calls
    the same budget where they answer one request. All raise PathTooCostly when the budget is spent.
    """

    __slots__ = ("_head", "_repeats", "_route")

    def __init__(self, route: Route, head: Call | None) -> None:
        self._route = route
        # The function that the path begins with; the route then leads into its result.
        self._head = head
        self._repeats = route.repeats

    def find(self, root: JsonValue, budget: Budget | None = None) -> list[Match]:
        """The selected elements with their locations, in visiting order, each location once.

        The result of a function at the head of a path is one element, with the location of the root.
        """
        matches = [(location_of(node), node[2]) for node in self._nodes(root, budget)]
        if not self._repeats:
            return matches
        once: dict[Location, JsonValue] = {}
        for location, value in matches:
            once.setdefault(location, value)
        return list(once.items())

    def matches(self, root: JsonValue, budget: Budget | None = None) -> bool:
        """Whether anything is selected."""
        return bool(self._nodes(root, budget))

    def replace(self, root: JsonValue, value: JsonValue, budget: Budget | None = None) -> tuple[JsonValue, int]:
        """The document with a value in place of every selected element, and how many those were.

        What did not change is shared with the given document. An element inside another selected one
        is counted, and gone with it. Computed elements (lengths, results of functions) are not part of
        the document: they are not counted.
        """
        if self._head is not None:
            return root, 0
        locations = {location_of(node) for node in self._nodes(root, budget) if is_element(node)}
        if not locations:
            return root, 0
        places: _Places = {}
        # Inner elements first: an outer one then forgets what was to be replaced in it.
        for location in sorted(locations, key=len, reverse=True):
            _mark(places, location)
        return _replaced(root, places, value), len(locations)

    def _nodes(self, root: JsonValue, budget: Budget | None) -> list[Node]:
        evaluation = Evaluation(root, budget)
        start = evaluation.root
        if self._head is not None:
            try:
                start = (None, "", self._head.value(start, evaluation))
            except Inapplicable:
                return []
        if not self._route.single:
            return self._route.every(start, evaluation)
        node = self._route.first(start, evaluation)
        return [] if node is None else [node]


def _mark(places: _Places, location: Location) -> None:
    """Note a location as one to replace."""
    for part in location:
        places = places.setdefault(part, {})
    places.clear()


def _replaced(container: JsonValue, places: _Places, value: JsonValue) -> JsonValue:
    """A value with the noted places replaced; containers on the way are copied. As deep as the locations are."""
    if not places:
        return value
    if isinstance(container, dict):
        members = dict(container)
        for part, inner in places.items():
            members[str(part)] = _replaced(container[str(part)], inner, value)
        return members
    assert isinstance(container, list)
    items = list(container)
    for part, inner in places.items():
        items[int(part)] = _replaced(container[int(part)], inner, value)
    return items
