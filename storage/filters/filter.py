"""Filters and other expressions, ready to be evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from .evaluation import test_of, value_of
from .parser import Parsed, parse
from .plans import Plan, plan_of
from .values import Document

Keeps: TypeAlias = "Callable[[Document, int], bool]"
Value: TypeAlias = "Callable[[Document, int], Any]"


class Filter:
    """An expression over a document and the instant of its event.

    ``keeps(document, instant)`` says whether it is true, ``value(document, instant)`` what it gives; neither raises.
    They look at no members of the document but ``roots``, and at the instant only if ``uses_time``.
    A value may be an EventTime where ``_time`` is, and shares arrays and objects with the document.
    """

    __slots__ = ("keeps", "plan", "roots", "uses_time", "value")

    def __init__(self, parsed: Parsed) -> None:
        self.keeps: Final[Keeps] = test_of(parsed.node)
        self.value: Final[Value] = value_of(parsed.node)
        self.roots: Final[frozenset[str] | None] = parsed.roots
        self.uses_time: Final = parsed.uses_time
        self.plan: Final[Plan] = plan_of(parsed.node)


def parse_filter(text: str, args: Mapping[str, Any] | None = None) -> Filter:
    """A filter, ready to be evaluated; ``args`` are the values of ``$args``. Raises BadFilter."""
    return Filter(parse(text, args))


def parse_expression(text: str, args: Mapping[str, Any] | None = None) -> Filter:
    """Any expression, of which the value is wanted, as a key to order by is. Raises BadFilter."""
    return parse_filter(text, args)
