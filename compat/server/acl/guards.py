"""The check of rights on the fast path: the common commands of a user whose rights are limited, without a search for their keys.

A guard knows for each command where its keys are. What it does not allow goes to the dispatcher, which decides with all rules and
says why: a guard never refuses anything, and allows only what the dispatcher would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from januskv.commands.declare import Flag, KeySpec
from januskv.commands.table import Command
from januskv.storage.glob import PREFIX, TEXT, form_of, matcher

READ: Final = 1
WRITE: Final = 2

_GENERAL = 3


def rights_of(flags: Sequence[str]) -> int:
    """The rights that a key spec's flags ask for; whether a key exists may be asked with any right."""
    return (READ if "access" in flags else 0) | (WRITE if {"insert", "update", "delete"}.intersection(flags) else 0)


class KeyPattern:
    """A pattern of keys with the rights to them."""

    __slots__ = ("_first", "_form", "_text", "matches", "pattern", "rights")

    def __init__(self, pattern: bytes, rights: int) -> None:
        self.pattern: bytes = pattern
        self.rights: int = rights
        self.matches: Callable[[bytes], bool] = matcher(pattern)
        form = form_of(pattern)
        self._form: int = _GENERAL if form is None else form[0]
        self._text: bytes = b"" if form is None else form[1]
        self._first: int = self._text[0] if self._text else -1  # most keys differ in the first byte

    def allows(self, name: bytes, rights: int) -> bool:
        """Whether it gives these rights to a key."""
        if self.rights & rights != rights:
            return False
        if self._first >= 0 and (not name or name[0] != self._first):
            return False
        if self._form == PREFIX:
            return name.startswith(self._text)
        if self._form == TEXT:
            return name == self._text
        return self.matches(name)


class _Place:
    """Where keys are: from ``first`` to ``last`` (from the end if negative) in steps, and the rights that they take."""

    __slots__ = ("first", "last", "rights", "step")

    def __init__(self, spec: KeySpec) -> None:
        self.first: int = spec.begin
        self.last: int = spec.begin + spec.last if spec.last >= 0 else spec.last
        self.step: int = spec.step
        # Where the arguments decide: the most that they can ask for.
        self.rights: int = rights_of(spec.flags) if spec.flags_of is None else READ | WRITE


class _Names:
    """The keys in the body of a native command, and the rights that they take."""

    __slots__ = ("find", "rights")

    def __init__(self, spec: KeySpec) -> None:
        assert spec.names is not None
        self.find: Callable[[dict[str, Any]], Iterable[str]] = spec.names
        self.rights: int = rights_of(spec.flags)


class _Plan:
    """What a command takes: keys at some places, or with some names, in one of some lists of patterns (None: all keys)."""

    __slots__ = ("choices", "names", "patterns", "places", "rights")

    def __init__(self, places: list[_Place], names: list[_Names], choices: list[list[KeyPattern] | None]) -> None:
        self.places = places
        self.names = names
        self.choices = choices
        # Of most commands: a key that is the first argument, and one list of patterns.
        self.patterns: list[KeyPattern] | None = None
        self.rights: int = 0
        if len(places) == len(choices) == 1 and places[0].first == places[0].last == 1:
            self.patterns, self.rights = choices[0], places[0].rights


class Part:
    """The commands and the patterns of keys of a selector. ``commands`` None: all commands; ``keys`` None: all keys."""

    def __init__(self, commands: set[Command] | None, keys: list[KeyPattern] | None) -> None:
        self.commands = commands
        self.keys = keys


class Guard:
    """Tells which requests of a user need no closer look. Made anew when the user's rights change."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._plans: dict[Command, _Plan] = {}
        # Of the last request: those of a pipeline are often alike.
        self._command: Command | None = None
        self._plan: _Plan | None = None

    def allows(self, command: Command, request: list[bytes]) -> bool:
        """Whether a command line with a valid number of words is allowed for sure. That of a native command never is."""
        if command is self._command:
            plan = self._plan
        else:
            if command.handle is not None:
                return False
            plan = self._plans.get(command)
            if plan is None:
                plan = self._plans[command] = self._plan_of(command)
            self._command, self._plan = command, plan
        assert plan is not None
        if plan.patterns is not None:
            return _is_allowed(plan.patterns, request[1], plan.rights)
        for keys in plan.choices:  # noqa: SIM110 - a generator would cost more than the check
            if keys is None or _are_allowed(plan, keys, request):
                return True
        return False

    def allows_body(self, command: Command, body: object) -> bool:
        """Whether a native command with this body is allowed for sure."""
        plan = self._plans.get(command)
        if plan is None:
            plan = self._plans[command] = self._plan_of(command)
        if type(body) is not dict:
            return False
        for keys in plan.choices:  # noqa: SIM110
            if keys is None or _are_names_allowed(plan, keys, body):
                return True
        return False

    def _plan_of(self, command: Command) -> _Plan:
        options = command.options
        specs = [spec for spec in options.keys if "not_key" not in spec.flags]
        places, names = [], []
        if options.channels or options.key_patterns:
            return _Plan([], [], [])
        if command.handle is not None:
            # Those that name no keys may concern all of them, or other sessions.
            if not specs or Flag.ADMIN in command.flags or any(spec.names is None for spec in specs):
                return _Plan([], [], [])
            names = [_Names(spec) for spec in specs]
        elif all(map(_is_plain, specs)):
            places = [_Place(spec) for spec in specs]
        else:
            return _Plan([], [], [])
        choices = [part.keys for part in self._parts if part.commands is None or command in part.commands]
        return _Plan(places, names, choices if specs else [None for _ in choices])


def _is_plain(spec: KeySpec) -> bool:
    """Whether its keys are always at the same places."""
    return (
        spec.search is None
        and spec.names is None
        and spec.keyword is None
        and not spec.numkeys
        and spec.limit <= 1
        and spec.begin > 0
    )


def _are_allowed(plan: _Plan, keys: list[KeyPattern], request: list[bytes]) -> bool:
    size = len(request)
    for place in plan.places:
        last = place.last if place.last >= 0 else size + place.last
        if last >= size:
            return False
        at = place.first
        while at <= last:
            if not _is_allowed(keys, request[at], place.rights):
                return False
            at += place.step
    return True


def _are_names_allowed(plan: _Plan, keys: list[KeyPattern], body: dict[str, Any]) -> bool:
    for each in plan.names:
        for name in each.find(body):
            if not _is_allowed(keys, name.encode(errors="surrogatepass"), each.rights):
                return False
    return True


def _is_allowed(keys: list[KeyPattern], name: bytes, rights: int) -> bool:
    for pattern in keys:  # noqa: SIM110
        if pattern.allows(name, rights):
            return True
    return False
