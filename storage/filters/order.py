"""The order of JSON values, and the first rows in it.

    null < false < true < numbers < strings < arrays < objects

Times, which only ``_time`` gives, stand before all strings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush, heappushpop
from typing import Any, Final, TypeAlias

from .filter import Filter
from .values import Document, EventTime

__all__ = ["TopRows", "order_key", "reverse_key"]

Row: TypeAlias = "tuple[int, Document]"

# A key is flat, so that comparing two never takes more calls than Python allows: the rank of a value, then what
# values of the rank differ in. Arrays and objects are followed by their elements and by an end, which is less than
# any element; so the shorter one comes first. Members are sorted by name.
_END, _NULL, _FALSE, _TRUE, _NUMBER, _TIME, _STRING, _ARRAY, _OBJECT, _MEMBER = range(10)

# Of a heap in one go: about a millisecond for large ones.
_STEP_ROWS: Final = 256


def order_key(value: Any) -> tuple[Any, ...]:
    """A key that sorts JSON values. O(size of the value)."""
    kind = type(value)
    if kind is int or kind is float:
        return (_NUMBER, value)
    if kind is str:
        return (_STRING, value)
    if value is None:
        return (_NULL,)
    key: list[Any] = []
    _add_all(key, value)
    return tuple(key)


def reverse_key(value: Any) -> tuple[Any, ...]:
    """A key that sorts JSON values the other way round."""
    return tuple(_Reversed(part) if type(part) is str else -part for part in order_key(value))


class _Reversed:
    """A string that sorts the other way round."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __lt__(self, other: _Reversed) -> bool:
        return other.text < self.text


class _Name(str):
    """The name of a member, among what is still to be added to a key."""

    __slots__ = ()


_CLOSE: Final = object()


def _add_all(key: list[Any], value: Any) -> None:
    pending = [value]
    while pending:
        value = pending.pop()
        kind = type(value)
        if value is _CLOSE:
            key.append(_END)
        elif value is None:
            key.append(_NULL)
        elif kind is bool:
            key.append(_TRUE if value else _FALSE)
        elif kind is list:
            key.append(_ARRAY)
            pending.append(_CLOSE)
            pending += reversed(value)
        elif kind is dict:
            key.append(_OBJECT)
            pending.append(_CLOSE)
            for name in sorted(value, reverse=True):
                pending += (value[name], _Name(name))
        else:
            key += _scalar(kind, value)


def _scalar(kind: type, value: Any) -> tuple[int, Any]:
    if kind is str:
        return _STRING, value
    if kind is _Name:
        return _MEMBER, str(value)
    if kind is EventTime:
        return _TIME, value.instant
    return _NUMBER, value


class TopRows:
    """Rows in the order of some expressions, each ascending (a positive number) or descending; then by instant.

    With a limit only so many are kept. Adding a row is O(log n).
    """

    def __init__(self, orders: Sequence[tuple[Filter, int]], limit: int | None) -> None:
        self._limit = limit
        # The root of the heap is the row that goes first: out of the heap, and of the result too if there is no
        # limit. With a limit the root is the last of those that are kept, so keys are the other way round.
        self._is_reversed = limit is not None
        self._keys = [
            (filter.value, order_key if (sign > 0) != self._is_reversed else reverse_key) for filter, sign in orders
        ]
        self._heap: list[tuple[tuple[Any, ...], int, Document]] = []
        self._added = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, instant: int, document: Document) -> None:
        """Take a row, which must not be changed any more."""
        if self._limit == 0:
            return
        key: tuple[Any, ...] = ()
        for value, key_of in self._keys:
            key += key_of(value(document, instant))
        # The count keeps documents from being compared.
        self._added += 1
        if self._limit is None:
            heappush(self._heap, ((*key, instant), self._added, document))
            return
        entry = ((*key, -instant), -self._added, document)
        if len(self._heap) < self._limit:
            heappush(self._heap, entry)
        else:
            heappushpop(self._heap, entry)

    def rows_in_steps(self) -> Iterator[list[Row]]:
        """The rows in order, some at a time; lists may be empty. Takes them out."""
        steps = self._popped()
        if not self._is_reversed:
            yield from steps
            return
        backwards: list[Row] = []
        for rows in steps:
            backwards += rows
            yield []
        while backwards:
            rows = backwards[: -_STEP_ROWS - 1 : -1]
            del backwards[-_STEP_ROWS:]
            yield rows

    def _popped(self) -> Iterator[list[Row]]:
        heap, sign = self._heap, -1 if self._is_reversed else 1
        while heap:
            rows: list[Row] = []
            for _ in range(min(_STEP_ROWS, len(heap))):
                key, _added, document = heappop(heap)
                rows.append((sign * key[-1], document))
            yield rows
