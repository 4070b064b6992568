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

# A token has so many bits unless 'token-bits' says otherwise: JavaScript, and whatever else reads the numbers of JSON as
# doubles, keeps them exactly. The highest bit is set in the token of a shared session, which follows from its name; a
# private one is random without it. Sessions that were opened with other tokens keep them.
TOKEN_BITS: Final = 53
# Both are far above any database number, so SELECT cannot mistake one for the other.
LEAST_TOKEN: Final = 1 << 32
# Some clients keep 32 bits of a database number, with a sign. What they make of a token is never as near to zero as this.
LEAST_CUT: Final = 1 << 20


def shared_token(name: str, bits: int = TOKEN_BITS, attempt: int = 0) -> int:
    """The token of the shared session of a name: always the same. Another one for each attempt, should one be unfit."""
    digest = hashlib.blake2b(
        name.encode(), digest_size=8, salt=attempt.to_bytes(8, "big"), person=b"januskv-sh"
    ).digest()
    highest = 1 << bits - 1
    return int.from_bytes(digest, "big") & (highest - 1) | highest


def is_cut_token(number: int) -> bool:
    """Whether a number below all tokens may be what a client with 32 bits has made of one, and is not a database's."""
    return abs(number) >= LEAST_CUT


def _is_fit(token: int) -> bool:
    """Whether no client that keeps 32 bits of a token takes it for the number of a database."""
    return token >= LEAST_TOKEN and LEAST_CUT <= token & 0xFFFFFFFF <= (1 << 32) - LEAST_CUT


class Session:
    """A keyspace with a token. ``duration_s`` 0 means that it never expires.

    ``renewed`` is where a session adds itself when its time starts again, once; see ``Sessions.take_renewed``.
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
        """Count the session's time from now on."""
        self.deadline_ms = now_ms + self.duration_s * 1000
        if not self.unnoted:
            self.unnoted = True
            self.renewed[self] = None


class Sessions:
    """All open sessions by token.

    ``times`` has the sessions that expire, each by the deadline that it had when it was last looked at: one that is used
    restarts its time again and again, and is filed again only when that deadline has passed.
    ``renewed`` has the sessions whose time was restarted and which the log has not noted yet.
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
        self.to_note: list[Session] = []  # that were renewed and are to be noted now
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
        """Have a session as it is described, without a report of the change; one that is there keeps its keys."""
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
        """A session that is not open, for a connection that asked for it: it has ended, so nothing can be done in it."""
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
        """End those of the sessions that are open; give how many were."""
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
        """End every session; give how many there were."""
        return self.end_some(list(self.by_token))

    def sweep(self, most: int) -> bool:
        """Deal with up to ``most`` sessions whose time may be up; whether there are more to be looked at.

        One whose time is up is ended, or emptied and its time starts again; one that was renewed meanwhile is left alone.
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
        """Have those taken next whose time was restarted so far; those that were to be taken before still are."""
        self.to_note += self.renewed
        self.renewed.clear()

    def take_renewed(self, most: int) -> list[Session]:
        """Up to ``most`` of the sessions whose time was restarted, and which are open; none where there are no more."""
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
