"""The engine: numbered databases and sessions over one clock and one change feed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

from .clock import Clock
from .feed import Feed
from .keyspace import Keyspace
from .libraries import Libraries
from .sessions import Sessions
from .timetable import Timetable

# Sessions are examined this often, so one may outlive its deadline by as much (as in NemesisDB).
SWEEP_MS = 5_000
_SLICE = 64
# Freeing takes this long at a time for each waiting value, up to what clients may have to wait.
_FREEING_S = 0.002
_MOST_FREEING_S = 0.008


class Store:
    """All stored data. The thread of the event loop owns it."""

    def __init__(self, databases: int = 16, clock: Clock | None = None) -> None:
        self.clock = Clock() if clock is None else clock
        self.feed = Feed()
        self.agenda = Timetable(1, {})  # when each keyspace next has something due
        self.databases = [Keyspace(index, self.clock, self.feed, self.agenda) for index in range(databases)]
        self.sessions = Sessions(self.clock, self.feed, self.agenda)
        self.libraries = Libraries(self.databases[0])
        self.max_string_bytes = 512 << 20
        self.active_expiry = True  # False: keys expire only on access
        self._swept_ms = self.clock.now_ms
        self._sweeping = False
        self.expiry_s = 0.0  # spent on active expiry
        self.expiry_cuts = 0  # how often its time ran out before the work was done
        self._busy: deque[Keyspace] = deque()  # keyspaces with something due now

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
        """Free a slice of the removed big values; True if some are left."""
        reclaimer = self.feed.reclaimer
        return reclaimer.go_on(min(_FREEING_S * reclaimer.pending, _MOST_FREEING_S))

    def run_cron(self, budget_s: float = 0.001) -> bool:
        """Do a slice of the work that is due: freeing big values, expiring keys and sessions. True if some is left.

        Call it ten times a second, or sooner while it returns True. It costs nothing unless something is due.
        """
        now_ms = self.clock.tick()
        stop = time.perf_counter() + budget_s
        if abs(now_ms - self._swept_ms) >= SWEEP_MS:
            self._swept_ms = now_ms
            self._sweeping = True
        while self._sweeping:
            self._sweeping = self.sessions.sweep(_SLICE)
            if time.perf_counter() > stop:
                break
        freeing = self.free_some()
        more = self._cron_keyspaces(stop) if self.active_expiry else False
        return more or self._sweeping or freeing

    def _cron_keyspaces(self, stop: float) -> bool:
        """Expire keys of the keyspaces in turn, some of each at a time, until a time; return whether there is more to do."""
        agenda, busy = self.agenda, self._busy
        began = time.perf_counter()
        due = agenda.look(_SLICE, self.clock.now_ms)
        while due or busy:
            for keyspace in due:
                agenda.remove(keyspace)
            busy.extend(due)
            keyspace = busy.popleft()
            if keyspace.run_cron(_SLICE):
                busy.append(keyspace)
            else:
                keyspace.wake()
            if time.perf_counter() > stop:
                break
            due = [] if busy else agenda.look(_SLICE, self.clock.now_ms)
        self.expiry_s += time.perf_counter() - began
        more = bool(busy or agenda.overdue)
        self.expiry_cuts += more
        return more
