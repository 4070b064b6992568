"""Which index a filter could be looked up in, and what the index would be asked.

An index gives at least the events that the filter keeps, and the filter still decides about each of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from typing import Literal as Choice

from januskv.storage.instants import instant_or_none

from .nodes import All, Call, Compare, Literal, Node, member_path

Scalar: TypeAlias = "str | int | float | bool | None"
Kind: TypeAlias = Choice["eq", "in", "prefix", "range", "ne"]

# The best first.
_RANKS: Final[dict[Kind, int]] = {"eq": 0, "in": 1, "prefix": 2, "range": 3, "ne": 4}
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_BOUND_NAMES: Final = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


@dataclass(frozen=True, slots=True)
class Bound:
    """An end of a range; its value belongs to it or not."""

    value: str | int | float
    included: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What an index is asked for.

    ``eq``, ``prefix`` and ``ne`` have one of ``values``, ``in`` has any number. A null among them also means events
    without the member. A range has a bound at least, and ends of one type: it is about values of this type only.
    """

    kind: Kind
    values: tuple[Scalar, ...] = ()
    lower: Bound | None = None
    upper: Bound | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """``path`` is the member that an index is about; None, with no terms, where all events must be looked at."""

    path: tuple[str, ...] | None = None
    terms: Terms | None = None
    shown: tuple[tuple[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The plan as ``describe`` shows it."""
        if self.path is None:
            return {"full_scan": {}}
        return {"index_scan": {**dict(self.shown), "path": list(self.path)}}


FULL_SCAN: Final = Plan()


@dataclass(frozen=True, slots=True)
class _Candidate:
    kind: Kind
    path: tuple[str, ...]
    values: tuple[Scalar, ...]
    operator: str = ""


def plan_of(node: Node) -> Plan:
    """The plan of a filter: the best of the conditions that must all hold, the leftmost of those that are as good."""
    candidates = [found for part in _conditions(node) if (found := _candidate(part)) is not None]
    if not candidates:
        return FULL_SCAN
    best = min(candidates, key=lambda each: _RANKS[each.kind])
    if best.kind == "range":
        return _range(best.path, [each for each in candidates if each.kind == "range" and each.path == best.path])
    shown: dict[Kind, Any] = {"eq": best.values[:1], "in": (list(best.values),), "prefix": best.values[:1]}
    return Plan(
        best.path, Terms(best.kind, best.values), tuple((best.kind, value) for value in shown.get(best.kind, ()))
    )


def _conditions(node: Node) -> Iterable[Node]:
    """The operands of ``&&``, those of ``&&`` in parentheses among them."""
    pending = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, All):
            pending += reversed(part.operands)
        else:
            yield part


def _candidate(node: Node) -> _Candidate | None:
    match node:
        case Compare("in", subject, Literal(list() as elements)):
            return _membership(subject, elements)
        case Compare(operator, Literal(value), subject) if operator != "in":
            return _comparison(_FLIPPED.get(operator, operator), subject, value)
        case Compare(operator, subject, Literal(value)) if operator != "in":
            return _comparison(operator, subject, value)
        case Call("contains", (Literal(list() as elements), subject)):
            return _membership(subject, elements)
        case Call("starts_with" | "beginsWith", (subject, Literal(str() as prefix))):
            path = member_path(subject)
            return None if path is None else _Candidate("prefix", path, (prefix,))
        case _:
            return None


def _comparison(operator: str, subject: Node, value: Any) -> _Candidate | None:
    path = member_path(subject)
    if path is None or isinstance(value, (list, dict)):
        return None
    kinds: dict[str, Kind] = {"==": "eq", "!=": "ne"}
    return _Candidate(kinds.get(operator, "range"), path, (value,), operator)


def _membership(subject: Node, elements: list[Any]) -> _Candidate | None:
    path = member_path(subject)
    if path is None or any(isinstance(element, (list, dict)) for element in elements):
        return None
    return _Candidate("in", path, tuple(elements))


# ------------------------------------------------------------ ranges


def _range(path: tuple[str, ...], candidates: list[_Candidate]) -> Plan:
    """All ranges of a path as one."""
    shown: dict[str, Any] = {}
    lower = _tightest([each for each in candidates if each.operator in (">", ">=")], -1)
    upper = _tightest([each for each in candidates if each.operator in ("<", "<=")], 1)
    for end in (lower, upper):
        if end is not None:
            shown[_BOUND_NAMES[end.operator]] = end.values[0]
    return Plan(path, _range_terms([each.values[0] for each in candidates], lower, upper), tuple(shown.items()))


def _tightest(ends: list[_Candidate], direction: int) -> _Candidate | None:
    """The end that leaves the least; the leftmost where they cannot be compared."""
    tightest: _Candidate | None = None
    for end in ends:
        if tightest is None or _is_tighter(end, tightest, direction):
            tightest = end
    return tightest


def _is_tighter(end: _Candidate, other: _Candidate, direction: int) -> bool:
    value, other_value = _ordinal(end.values[0]), _ordinal(other.values[0])
    if value is None or other_value is None or value[0] != other_value[0]:
        return False
    if value[1] == other_value[1]:
        return end.operator in ("<", ">") and other.operator in ("<=", ">=")
    is_greater: bool = value[1] > other_value[1]
    return is_greater == (direction < 0)


def _ordinal(value: Scalar) -> tuple[str, Any] | None:
    """What bounds of one kind are compared by."""
    if isinstance(value, str):
        instant = instant_or_none(value)
        return ("string", value) if instant is None else ("instant", instant)
    return None if value is None or isinstance(value, bool) else ("number", value)


def _range_terms(values: list[Scalar], lower: _Candidate | None, upper: _Candidate | None) -> Terms:
    kinds = {None if (ordinal := _ordinal(value)) is None else ordinal[0] for value in values}
    if None in kinds or ("number" in kinds and len(kinds) > 1):
        # Nothing is before or after a null, and nothing is between a number and a string.
        return Terms("in", ())
    if "instant" in kinds:
        # Datetimes among the values are not compared as strings, in whose order an index has them.
        return Terms("range", lower=Bound("", included=True))
    return Terms("range", lower=_bound(lower), upper=_bound(upper))


def _bound(end: _Candidate | None) -> Bound | None:
    if end is None:
        return None
    value = end.values[0]
    if value is None or isinstance(value, bool):
        raise ValueError("a range has numbers or strings as its ends")
    return Bound(value, included=end.operator in ("<=", ">="))
