"""The engine: numbered databases and sessions over one clock and one change feed."""

from __future__ import annotations

import time
from collections.abc import Iterator

from .clock import Clock
from .feed import Feed
from .keyspace import Keyspace
from .sessions import Sessions

# Sessions are looked at this often, so one may outlive its deadline by as much (as NemesisDB).
SWEEP_MS = 5_000
_EXPIRY_SLICE = 64
# Freeing goes on this long at a time for each value that waits, within what others may have to wait.
_FREEING_S = 0.002
_MOST_FREEING_S = 0.008


class Store:
    """Everything that is stored. The thread of the event loop owns it."""

    def __init__(self, databases: int = 16, clock: Clock | None = None) -> None:
        self.clock = Clock() if clock is None else clock
        self.feed = Feed()
        self.databases = [Keyspace(index, self.clock, self.feed) for index in range(databases)]
        self.sessions = Sessions(self.clock, self.feed)
        self.max_string_bytes = 512 << 20
        self.active_expiry = True  # False: keys expire only when they are looked at
        self._swept_ms = self.clock.now_ms
        self._next_keyspace = 0

    def keyspaces(self) -> Iterator[Keyspace]:
        """All databases, then the keyspaces of all sessions."""
        yield from self.databases
        for session in self.sessions.by_token.values():
            yield session.keyspace

    def flush_all(self) -> None:
        """Empty the numbered databases; sessions stay (``Sessions.end_all`` ends those)."""
        for keyspace in self.databases:
            keyspace.clear()

    def free_some(self) -> bool:
        """Do a slice of the freeing of big values that are no longer there; True if some is left."""
        reclaimer = self.feed.reclaimer
        return reclaimer.go_on(min(_FREEING_S * reclaimer.pending, _MOST_FREEING_S))

    def tend(self, budget_s: float = 0.001) -> bool:
        """Do a slice of the work that is due: big values to free, expired keys and sessions. True if some is left.

        Call it ten times a second, or again soon while it gives True.
        """
        now_ms = self.clock.tick()
        if abs(now_ms - self._swept_ms) >= SWEEP_MS:
            self._swept_ms = now_ms
            self.sessions.sweep()
            for keyspace in self.keyspaces():
                keyspace.scans.drop_idle(now_ms)
        freeing = self.free_some()
        if not self.active_expiry:
            return freeing
        deadline = time.perf_counter() + budget_s
        for keyspace in self.keyspaces():
            if keyspace.field_due:
                keyspace.expire_fields(_EXPIRY_SLICE)
        waiting = [keyspace for keyspace in self.keyspaces() if keyspace.due or keyspace.overdue]
        while waiting:
            waiting = [keyspace for keyspace in waiting if keyspace.expire_some(_EXPIRY_SLICE)]
            if time.perf_counter() > deadline:
                break
        return freeing or bool(waiting)
