"""Sessions: keyspaces with a token, a name and expiry settings (specs: NemesisDB 0.6.3)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterable
from itertools import count
from typing import Final

from .clock import Clock
from .errors import NoSuchSession, SessionExists
from .feed import Feed
from .keyspace import Keyspace
from .timetable import LAST_MS, Timetable

# The bits of a token unless 'token-bits' says otherwise: clients that read JSON numbers as doubles, such as JavaScript,
# keep them exactly. The highest bit is set in the token of a shared session, which is derived from its name; a private
# token is random without it. Sessions opened with other tokens keep them.
TOKEN_BITS: Final = 53
# Both are far above any database number, so SELECT cannot mistake one for the other.
LEAST_TOKEN: Final = 1 << 32
# Some clients truncate a database number to a signed 32-bit integer. A truncated token is never as close to zero as this.
LEAST_CUT: Final = 1 << 20


def shared_token(name: str, bits: int = TOKEN_BITS, attempt: int = 0) -> int:
    """The token of the shared session of a name: always the same. Each attempt gives another one, should one be unfit."""
    digest = hashlib.blake2b(
        name.encode(), digest_size=8, salt=attempt.to_bytes(8, "big"), person=b"januskv-sh"
    ).digest()
    highest = 1 << bits - 1
    return int.from_bytes(digest, "big") & (highest - 1) | highest


def is_cut_token(number: int) -> bool:
    """Whether a number below all tokens may be a token that a client has truncated to 32 bits, and is not a database number."""
    return abs(number) >= LEAST_CUT


def _is_fit(token: int) -> bool:
    """Whether a token truncated to 32 bits cannot be taken for a database number."""
    return token >= LEAST_TOKEN and LEAST_CUT <= token & 0xFFFFFFFF <= (1 << 32) - LEAST_CUT


class Session:
    """A keyspace with a token. ``duration_s`` 0 means that it never expires.

    ``renewed`` is where a session adds itself, once, when its time restarts; see ``Sessions.take_renewed``.
    """

    __slots__ = (
        "deadline_ms",
        "delete_on_expiry",
        "duration_s",
        "ended",
        "keyspace",
        "missing",
        "name",
        "renewed",
        "shared",
        "token",
        "unnoted",
    )

    def __init__(
        self,
        token: int,
        name: str,
        shared: bool,
        keyspace: Keyspace,
        duration_s: int,
        delete_on_expiry: bool,
        renewed: dict[Session, None],
    ) -> None:
        self.token = token
        self.name = name
        self.shared = shared
        self.keyspace = keyspace
        self.duration_s = duration_s
        self.delete_on_expiry = delete_on_expiry
        self.deadline_ms = 0
        self.ended = False
        self.missing = False  # it has never been open, see ``Sessions.missing``
        self.renewed = renewed
        self.unnoted = False  # in ``renewed``

    def renew(self, now_ms: int) -> None:
        """Restart the session's time."""
        self.deadline_ms = now_ms + self.duration_s * 1000
        if not self.unnoted:
            self.unnoted = True
            self.renewed[self] = None


class Sessions:
    """All open sessions by token.

    ``times`` has the sessions that expire, each by the deadline that it had when it was last examined: a session in use
    restarts its time often, and is filed again only when that deadline has passed.
    ``renewed`` has the sessions whose time was restarted and that the log has not noted yet.
    ``on_end`` is called with the sessions that have ended, so that connections inside them can be told.
    """

    def __init__(self, clock: Clock, feed: Feed, agenda: Timetable) -> None:
        self.clock = clock
        self.feed = feed
        self.agenda = agenda
        self.token_bits = TOKEN_BITS
        self.by_token: dict[int, Session] = {}
        self.shared: dict[str, Session] = {}  # the shared ones by their names
        self.times = Timetable(1, {})
        self.renewed: dict[Session, None] = {}
        self.to_note: list[Session] = []  # renewed sessions that are to be noted now
        self.on_end: Callable[[Collection[Session]], None] = lambda sessions: None

    def __len__(self) -> int:
        return len(self.by_token)

    def open_new(self, name: str, *, shared: bool, duration_s: int = 0, delete_on_expiry: bool = False) -> Session:
        """Open a session; a private one gets a random token. Raises SessionExists for a shared name in use."""
        if shared and (clash := self.shared.get(name)) is not None:
            raise SessionExists(clash.token)
        token = self._shared_token(name) if shared else self._free_token()
        return self._open(token, name, shared, duration_s, delete_on_expiry)

    def reopen(self, token: int, name: str, *, shared: bool, duration_s: int, delete_on_expiry: bool) -> Session | None:
        """Reopen a former session with its token, its time restarted; None, and nothing is done, if it is open.

        A shared one is open if one of its name is, whatever its token.
        """
        if token in self.by_token or (shared and name in self.shared):
            return None
        return self._open(token, name, shared, duration_s, delete_on_expiry)

    def _open(self, token: int, name: str, shared: bool, duration_s: int, delete_on_expiry: bool) -> Session:
        deadline_ms = self.clock.now_ms + duration_s * 1000
        session = self.put(token, name, shared, duration_s, delete_on_expiry, deadline_ms)
        session.keyspace.changed("session_new", b"", (session,))
        return session

    def put(
        self, token: int, name: str, shared: bool, duration_s: int, delete_on_expiry: bool, deadline_ms: int
    ) -> Session:
        """Create or update a session as described, without a report of the change; an existing one keeps its keys."""
        session = self.by_token.get(token)
        if session is None:
            keyspace = Keyspace(-1, self.clock, self.feed, self.agenda)
            session = Session(token, name, shared, keyspace, duration_s, delete_on_expiry, self.renewed)
            self.by_token[token] = session
            if shared:
                self.shared.setdefault(name, session)
        session.name, session.duration_s, session.delete_on_expiry = name, duration_s, delete_on_expiry
        session.deadline_ms = deadline_ms
        if duration_s:
            self.times.file(session, min(deadline_ms, LAST_MS))
        else:
            self.times.remove(session)
        return session

    def _free_token(self) -> int:
        while True:
            token = secrets.randbits(self.token_bits - 1)
            if _is_fit(token) and token not in self.by_token:
                return token

    def _shared_token(self, name: str) -> int:
        tokens = (shared_token(name, self.token_bits, attempt) for attempt in count())
        return next(token for token in tokens if _is_fit(token) and token not in self.by_token)

    def shared_by_name(self, name: str) -> Session | None:
        """The open shared session of a name."""
        return self.shared.get(name)

    def missing(self, token: int) -> Session:
        """A placeholder for a session that is not open, for a connection that asked for it: every command in it fails."""
        session = Session(token, "", False, Keyspace(-1, self.clock, self.feed, self.agenda), 0, False, self.renewed)
        session.ended = session.missing = True
        return session

    def look_up(self, token: int) -> Session:
        """The open session of a token, without renewing it. Raises NoSuchSession."""
        try:
            return self.by_token[token]
        except KeyError:
            raise NoSuchSession(token) from None

    def enter(self, token: int) -> Session:
        """The open session of a token, for a command that uses it: its time starts again. Raises NoSuchSession."""
        session = self.look_up(token)
        session.renew(self.clock.now_ms)
        return session

    def end(self, token: int) -> None:
        """End a session with all its data. Raises NoSuchSession."""
        self.look_up(token)
        self.end_some([token])

    def end_some(self, tokens: Iterable[int]) -> int:
        """End those of the sessions that are open; return how many were."""
        ended = [self.forget(token) for token in tokens if token in self.by_token]
        for session in ended:
            session.keyspace.clear()
            session.keyspace.changed("session_end", b"", (session,))
        if ended:
            self.on_end(ended)
        return len(ended)

    def forget(self, token: int) -> Session:
        """Take a session out of the maps, without a report. Raises NoSuchSession."""
        session = self.look_up(token)
        del self.by_token[token]
        if self.shared.get(session.name) is session:
            del self.shared[session.name]
        session.ended = True
        self.times.remove(session)
        self.renewed.pop(session, None)
        self.agenda.remove(session.keyspace)
        return session

    def end_all(self) -> int:
        """End every session; return how many there were."""
        return self.end_some(list(self.by_token))

    def sweep(self, most: int) -> bool:
        """Process up to ``most`` sessions that may have expired; return whether there are more to examine.

        An expired session is ended, or emptied and its time restarted; one that was renewed meanwhile is left alone.
        """
        now_ms = self.clock.now_ms
        over: list[int] = []
        for session in self.times.look(most, now_ms + 1):
            if session.deadline_ms <= now_ms:
                if session.delete_on_expiry:
                    over.append(session.token)
                    continue
                session.keyspace.clear()
                session.renew(now_ms)
            self.times.file(session, min(session.deadline_ms, LAST_MS))
        self.end_some(over)
        return bool(self.times.overdue)

    def note_renewed(self) -> None:
        """Queue the sessions renewed so far for noting, after those already queued."""
        self.to_note += self.renewed
        self.renewed.clear()

    def take_renewed(self, most: int) -> list[Session]:
        """Up to ``most`` of the queued sessions that are still open; empty if there are no more."""
        while self.to_note:
            taken = self.to_note[-most:]
            del self.to_note[-most:]
            for session in taken:
                session.unnoted = False
            alive = [session for session in taken if not session.ended]
            if alive:
                return alive
        return []

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        self.times.check()
        assert all(self.shared[each.name].shared for each in self.by_token.values() if each.shared)
        assert all(self.by_token[each.token] is each for each in self.shared.values())
        assert set(self.times.deadlines) == {each for each in self.by_token.values() if each.duration_s}
        assert all(filed <= each.deadline_ms for each, filed in self.times.deadlines.items())
        assert {*self.renewed, *self.to_note} >= {each for each in self.by_token.values() if each.unnoted}
        assert all(each.unnoted for each in self.renewed)
