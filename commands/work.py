"""Commands that would block the server too long: they run in steps, and other clients are served in between.

A handler returns a ``Work`` instead of its reply. Its steps take at most a millisecond, except for one huge value, and the
last one gives the reply. Long parts of a reply are gathered in a ``LongArray`` or a ``LongObject``: as JSON text, some
items at a time, which takes a fraction of the memory of the values and no time at the end.

The caller may run all steps at once (inside EXEC).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Final, TypeVar

import orjson

from januskv.storage.copying import keys_in_steps
from januskv.storage.keyspace import Keyspace
from januskv.storage.store import Store
from januskv.storage.values import is_series

T = TypeVar("T")
Body = dict[str, Any]
Steps = Generator[None, None, Body]

# Fewer keys (sessions, rows) than this are handled at once.
FEW: Final = 1000
# Number of them handled in a step.
STEP: Final = 256


class Later:
    """Returned by a handler that replies later; there is one instance, ``LATER``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "LATER"


LATER: Final = Later()


class Parts:
    """The long parts of one reply. ``size`` is that of their text so far."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0

    def array(self) -> LongArray:
        """A new array."""
        return LongArray(self)

    def object(self) -> LongObject:
        """A new object."""
        return LongObject(self)


class LongArray:
    """A JSON array of a reply that is gathered some items at a time."""

    __slots__ = ("parts", "pieces")
    ends = (b"[", b"]")

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.pieces: list[bytes] = []

    def extend(self, items: list[Any]) -> None:
        """Add items."""
        self._add(items)

    def extend_text(self, text: bytes) -> None:
        """Add items by their texts, with commas between them."""
        if text:
            self.pieces.append(b"," + text if self.pieces else text)
            self.parts.size += len(text) + 2

    def _add(self, items: Any) -> None:
        if items:
            self.extend_text(orjson.dumps(items)[1:-1])


class LongObject(LongArray):
    """A JSON object of a reply that is gathered some members at a time; names must not repeat."""

    __slots__ = ()
    ends = (b"{", b"}")

    def update(self, members: Body) -> None:
        """Add members."""
        self._add(members)


class Work:
    """A command that runs in steps, and the long parts of its reply if it has any."""

    __slots__ = ("parts", "steps")

    def __init__(self, steps: Steps, parts: Parts | None = None) -> None:
        self.steps = steps
        self.parts = Parts() if parts is None else parts


def at_once(steps: Steps) -> Body:
    """Run all steps. Returns the reply."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        reply: Body = end.value
        return reply


def text_of(reply: Body) -> Iterator[bytes]:
    """The JSON text of a reply with long parts, in pieces."""
    before = b"{"
    for name, value in reply.items():
        opening = before + orjson.dumps(name) + b":"
        if isinstance(value, LongArray):
            first, last = value.ends
            yield opening + first
            yield from value.pieces
            yield last
        elif type(value) is dict and value:
            yield opening
            yield from text_of(value)
        else:
            yield opening + orjson.dumps(value)
        before = b","
    yield b"}"


def batched(items: list[T], most: int = STEP) -> Iterator[list[T]]:
    """The items of a list that nobody else refers to, in batches; those that have been handled are freed."""
    items.reverse()
    while items:
        some = items[-most:]
        some.reverse()
        del items[-most:]
        yield some


# ---------------------------------------------------------------- walking over a keyspace


def key_batches(
    store: Store, keyspace: Keyspace, names: list[bytes] | None = None
) -> Iterator[tuple[Keyspace, list[bytes]]]:
    """The present keys of a keyspace (or some of them), in batches, each with the keyspace that they are in by then.

    Each comes once, also if it was removed meanwhile: the caller checks. The keys are followed
    through SWAPDB; the iteration ends when they are flushed.
    """
    data = keyspace.data
    copying = keys_in_steps(data)
    while names is None:
        try:
            next(copying)
            yield keyspace, []
        except StopIteration as end:
            names = end.value
    for some in batched(names):
        holder = next((each for each in (keyspace, *store.databases) if each.data is data), None)
        if holder is None:
            return
        yield holder, some


def live_batches(store: Store, keyspace: Keyspace, *, series: bool) -> Iterator[list[tuple[bytes, Any]]]:
    """Keys and values of all series of a keyspace, or of all others, without expired ones; see ``key_batches``."""
    for holder, names in key_batches(store, keyspace):
        data, deadlines, now_ms = holder.data, holder.deadlines, holder.clock.now_ms
        if deadlines:
            names = [name for name in names if deadlines.get(name, now_ms) >= now_ms]
        entries = [(name, value) for name in names if (value := data.get(name)) is not None]
        if series or holder.series_count:
            entries = [(name, value) for name, value in entries if is_series(value) is series]
        yield entries
