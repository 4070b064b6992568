"""The change feed: every change of every key is reported here once.

WATCH, statistics, keyspace notifications, client tracking, blocked clients, subscriptions and the
log are listeners. Commands do not notify them: the engine's write operations do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .reclaiming import Reclaimer

# (keyspace, event, key, detail). The keyspace is a ``Keyspace``, a layer above the feed. The event has the name that
# Redis' keyspace notifications use ("set", "del", "expired", ...) or one of ours; the key is b"" where all keys of the
# keyspace are meant (OF_ALL_KEYS in event_table.py). The detail is what a log needs beyond the key's new state.
Listener = Callable[[Any, str, bytes, tuple[object, ...]], None]


class Feed:
    """Counts changes and hands them to listeners, in the order in which they subscribed.

    ``changes`` counts since start and never decreases; a listener must not raise. ``extra`` is how many more elements than
    changes there were: a change that adds three members adds 2, the second of two changes that count as one subtracts 1.
    While the feed is ``held``, expired keys are absent but not removed, so nothing changes by itself. While it is
    ``undivided``, the changes are those of one transaction, and nothing may come between them in the log. ``reclaimer``
    takes the big values that changes leave behind.
    """

    __slots__ = ("asked", "changes", "extra", "held", "listeners", "reclaimer", "undivided", "wanted")

    def __init__(self) -> None:
        self.changes: int = 0
        self.extra: int = 0
        self.held: bool = False
        self.undivided: bool = False
        self.listeners: list[Listener] = []
        # Events that change nothing ("keymiss", "new"): which listener wants which, and those that any listener wants.
        self.asked: dict[str, frozenset[str]] = {}
        self.wanted: frozenset[str] = frozenset()
        self.reclaimer: Reclaimer = Reclaimer()

    @property
    def elements(self) -> int:
        """How many elements have changed since start, as Redis counts them: expiry does not count."""
        return self.changes + self.extra

    def subscribe(self, listener: Listener) -> None:
        """Call the listener for every change from now on; a second subscription changes nothing."""
        if listener not in self.listeners:
            self.listeners = [*self.listeners, listener]

    def unsubscribe(self, listener: Listener) -> None:
        """Stop calling the listener; no error if it was not subscribed."""
        self.listeners = [each for each in self.listeners if each != listener]

    def want(self, who: str, events: Iterable[str]) -> None:
        """Publish these events, which change nothing, for one listener; replaces the set it wanted before."""
        self.asked[who] = frozenset(events)
        self.wanted = frozenset().union(*self.asked.values())

    def publish(self, keyspace: Any, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Hand one change to all listeners."""
        listeners = self.listeners  # replaced, never changed, on (un)subscribing
        for listener in listeners:
            listener(keyspace, event, key, detail)
