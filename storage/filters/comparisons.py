"""Comparisons of a member of the document with a literal, by far the most frequent test: a function for each kind.

They know the type of one side, and so need neither the dispatch nor the extra calls of the general comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from januskv.storage.instants import instant_or_none

from .values import COMPARISONS, Comparison

# The document and the instant of the event.
Compared: TypeAlias = "Callable[[Any, int], Any]"


def member_test(name: str, operator: str, literal: Any, otherwise: bool | None) -> Compared | None:
    """A function that compares a member with a scalar; None for arrays and objects, which are compared deeply."""
    if isinstance(literal, (list, dict)):
        return None
    if operator == "==":
        return _equals(name, literal)
    if operator == "!=":
        return _differs(name, literal)
    if isinstance(literal, str):
        return _string_order(name, COMPARISONS[operator], literal, otherwise)
    if literal is None or isinstance(literal, bool):
        return lambda document, instant: otherwise
    return _NUMBER_ORDERS[operator](name, literal, otherwise)


def _equals(name: str, literal: Any) -> Compared:
    if literal is None or literal is True or literal is False:
        return lambda document, instant: document.get(name) is literal
    if type(literal) is str or literal not in (0, 1):
        return lambda document, instant: document.get(name) == literal

    # To Python False is 0 and True is 1.
    def equals(document: Any, instant: int) -> bool:
        value = document.get(name)
        return value == literal and type(value) is not bool

    return equals


def _differs(name: str, literal: Any) -> Compared:
    if literal is None or literal is True or literal is False:
        return lambda document, instant: document.get(name) is not literal
    if type(literal) is str or literal not in (0, 1):
        return lambda document, instant: document.get(name) != literal

    def differs(document: Any, instant: int) -> bool:
        value = document.get(name)
        return value != literal or type(value) is bool

    return differs


# Written out for each operator: calling one of a table would cost a third of the test.


def _less(name: str, literal: float, otherwise: bool | None) -> Compared:
    def less(document: Any, instant: int) -> bool | None:
        value = document.get(name)
        return value < literal if type(value) is int or type(value) is float else otherwise

    return less


def _at_most(name: str, literal: float, otherwise: bool | None) -> Compared:
    def at_most(document: Any, instant: int) -> bool | None:
        value = document.get(name)
        return value <= literal if type(value) is int or type(value) is float else otherwise

    return at_most


def _greater(name: str, literal: float, otherwise: bool | None) -> Compared:
    def greater(document: Any, instant: int) -> bool | None:
        value = document.get(name)
        return value > literal if type(value) is int or type(value) is float else otherwise

    return greater


def _at_least(name: str, literal: float, otherwise: bool | None) -> Compared:
    def at_least(document: Any, instant: int) -> bool | None:
        value = document.get(name)
        return value >= literal if type(value) is int or type(value) is float else otherwise

    return at_least


_NUMBER_ORDERS = {"<": _less, "<=": _at_most, ">": _greater, ">=": _at_least}


def _string_order(name: str, comparison: Comparison, literal: str, otherwise: bool | None) -> Compared:
    bound = instant_or_none(literal)

    def by_code_points(document: Any, instant: int) -> bool | None:
        value = document.get(name)
        return comparison(value, literal) if type(value) is str else otherwise

    def by_instants(document: Any, instant: int) -> bool | None:
        value = document.get(name)
        if type(value) is not str:
            return otherwise
        time = instant_or_none(value)
        return comparison(value, literal) if time is None else comparison(time, bound)

    return by_code_points if bound is None else by_instants
