"""The distinct values at some paths of events."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from heapq import merge
from typing import Any, Final, TypeAlias

import orjson

from januskv.storage.instants import instant_text

from . import lexer
from .errors import BadFilter
from .parser import TIME_NAME
from .values import Document

# Names, and None for [*].
Steps: TypeAlias = "tuple[str | None, ...]"

# That are sorted, or put behind one another, in one go: about a millisecond.
_STEP_VALUES: Final = 4000


class DistinctValues:
    """Collects values. ``roots`` are the members of documents that are looked at, ``uses_time`` whether ``_time`` is.

    Paths are texts such as ``site.labels[*]`` or, in version 1, lists of names. Arrays and objects at the end of a path
    count as ``[]`` and ``{}``.
    """

    def __init__(self, paths: Any, version: int = 2) -> None:
        """Raises BadFilter for what is not a list of paths."""
        if not isinstance(paths, list):
            raise BadFilter("paths are a list")
        read = _path_of_names if version == 1 else _path_of_text
        self._paths: dict[str, tuple[Steps, _Values]] = {}
        for each in paths:
            text, steps = read(each)
            self._paths.setdefault(text, (steps, _Values()))
        firsts = {steps[0] for steps, _ in self._paths.values()}
        self.roots: Final = frozenset(name for name in firsts if name is not None and name != TIME_NAME)
        self.uses_time: Final = TIME_NAME in firsts

    def add(self, document: Document, instant: int) -> None:
        """Take the values of an event."""
        for steps, values in self._paths.values():
            if steps[0] != TIME_NAME:
                values.add_all(_reached(document, steps))
            elif len(steps) == 1:
                values.instants.add(instant)

    def result(self) -> dict[str, list[Any]]:
        """Path -> its values in order, all in one go."""
        steps = self.result_in_steps()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: dict[str, list[Any]] = end.value
                return result

    def result_in_steps(self) -> Generator[None, None, dict[str, list[Any]]]:
        """The same in steps of about a millisecond; returns it in the end."""
        result: dict[str, list[Any]] = {}
        for text, (_, values) in self._paths.items():
            result[text] = yield from values.in_order()
        return result


class _Values:
    """The values at the end of one path."""

    __slots__ = ("constants", "instants", "numbers", "strings")

    def __init__(self) -> None:
        self.numbers: set[int | float] = set()
        self.strings: set[str] = set()
        self.instants: set[int] = set()
        # null, booleans and the placeholders, by their place in the order.
        self.constants: set[int] = set()

    def add_all(self, values: Iterable[Any]) -> None:
        for value in values:
            kind = type(value)
            if kind is str:
                self.strings.add(value)
            elif kind is int or kind is float:
                self.numbers.add(value)
            elif kind is bool:
                self.constants.add(2 if value else 1)
            else:
                self.constants.add(0 if value is None else 3 if kind is list else 4)

    def in_order(self) -> Generator[None, None, list[Any]]:
        found: list[Any] = [value for place, value in enumerate((None, False, True)) if place in self.constants]
        found += yield from _sorted(self.numbers)
        instants = yield from _sorted(self.instants)
        for start in range(0, len(instants), _STEP_VALUES):
            found += map(instant_text, instants[start : start + _STEP_VALUES])
            yield
        found += yield from _sorted(self.strings)
        placeholders: tuple[tuple[int, Any], ...] = ((3, []), (4, {}))
        found += [value for place, value in placeholders if place in self.constants]
        return found


def _sorted(values: set[Any]) -> Generator[None, None, list[Any]]:
    """Values that all compare with each other, in order."""
    if len(values) <= _STEP_VALUES:
        yield
        return sorted(values)
    pending = list(values)
    runs: list[list[Any]] = []
    for start in range(0, len(pending), _STEP_VALUES):
        runs.append(sorted(pending[start : start + _STEP_VALUES]))
        yield
    found: list[Any] = []
    for value in merge(*runs):
        found.append(value)
        if len(found) % (_STEP_VALUES // 4) == 0:
            yield
    return found


def _reached(document: Document, steps: Steps) -> list[Any]:
    """All values at the end of a path."""
    values: list[Any] = [document]
    for name in steps:
        if name is None:
            values = [element for value in values if type(value) is list for element in value]
        else:
            values = [value[name] for value in values if type(value) is dict and name in value]
    return values


# ------------------------------------------------------------ paths


def _path_of_names(names: Any) -> tuple[str, Steps]:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadFilter("a path is a list of names")
    return orjson.dumps(names).decode(), tuple(names)


def _path_of_text(text: Any) -> tuple[str, Steps]:
    if not isinstance(text, str):
        raise BadFilter("a path is a string")
    tokens = iter(lexer.tokens(text))
    token = next(tokens)
    steps: list[str | None] = []
    while token.kind != lexer.END:
        if token.kind == "[":
            steps.append(_in_brackets(tokens, is_first=not steps))
        elif not steps:
            steps.append(_expected(token, lexer.NAME).value)
        else:
            _expected(token, ".")
            steps.append(_expected(next(tokens), lexer.NAME).value)
        token = next(tokens)
    if not steps:
        raise BadFilter("a path has at least one name", 0)
    return text, tuple(steps)


def _in_brackets(tokens: Iterable[lexer.Token], is_first: bool) -> str | None:
    remaining = iter(tokens)
    token = next(remaining)
    if token.kind != "*" or is_first:
        _expected(token, lexer.STRING)
    _expected(next(remaining), "]")
    return None if token.kind == "*" else token.value


def _expected(token: lexer.Token, kind: str) -> lexer.Token:
    if token.kind != kind:
        raise BadFilter(f"{kind} is expected instead of {token.kind}", token.offset)
    return token
