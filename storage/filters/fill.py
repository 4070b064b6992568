"""Members that are absent get constants, or what the result before has in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from .values import Document

_PREVIOUS: Final = "$PREVIOUS"
_MOST_LEVELS: Final = 128

# Stands for "there is no previous value"; null is one.
_NOTHING: Final = object()

# What an object becomes, given the previous one or anything that is not an object.
_FillObject: TypeAlias = "Callable[[Document, Any], Document]"


class BadTemplate(ValueError):
    """A template that nests too deep."""


class Fill:
    """A template, and the last document that it was applied to."""

    def __init__(self, template: Mapping[str, Any]) -> None:
        """Raises BadTemplate."""
        self._fill = _filling(template, 1)
        self._previous: Any = _NOTHING

    def apply(self, document: Document) -> Document:
        """The document with its gaps filled: the same one if there are none, else a copy that shares values.

        What is returned is the previous result of the next call, and must not be changed.
        """
        filled = self._fill(document, self._previous)
        self._previous = filled
        return filled


def _filling(template: Mapping[str, Any], level: int) -> _FillObject:
    if level > _MOST_LEVELS:
        raise BadTemplate(f"the template has more than {_MOST_LEVELS} levels")
    objects = {name: _filling(value, level + 1) for name, value in template.items() if isinstance(value, dict)}
    others = {name: value for name, value in template.items() if name not in objects}

    def fill(document: Document, previous: Any) -> Document:
        before: Document = previous if type(previous) is dict else {}
        added: Document = {}
        for name, value in others.items():
            if name not in document:
                added[name] = before.get(name) if value == _PREVIOUS else value
        for name, fill_object in objects.items():
            present = document.get(name, _NOTHING)
            if present is _NOTHING:
                added[name] = fill_object({}, before.get(name))
            elif type(present) is dict:
                filled = fill_object(present, before.get(name))
                if filled is not present:
                    added[name] = filled
        if not added:
            return document
        return {**document, **added}

    return fill
