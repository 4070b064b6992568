"""Sessions: keyspaces with a token, a name and expiry settings (specs: NemesisDB 0.6.3)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

from .clock import Clock
from .errors import NoSuchSession, SessionExists
from .feed import Feed
from .keyspace import Keyspace

# The token of a shared session has this bit set and follows from its name; a private one is random
# without it. Both are far above any database number, so SELECT cannot mistake one for the other.
SHARED_BIT = 1 << 63
LEAST_TOKEN = 1 << 32


def shared_token(name: str) -> int:
    """The token of the shared session of a name: always the same, also after a restart."""
    digest = hashlib.blake2b(name.encode(), digest_size=8, person=b"januskv-sh").digest()
    return int.from_bytes(digest, "big") | SHARED_BIT


class Session:
    """A keyspace with a token. ``duration_s`` 0 means that it never expires."""

    __slots__ = ("deadline_ms", "delete_on_expiry", "duration_s", "ended", "keyspace", "name", "shared", "token")

    def __init__(
        self, token: int, name: str, shared: bool, keyspace: Keyspace, duration_s: int, delete_on_expiry: bool
    ) -> None:
        self.token = token
        self.name = name
        self.shared = shared
        self.keyspace = keyspace
        self.duration_s = duration_s
        self.delete_on_expiry = delete_on_expiry
        self.deadline_ms = 0
        self.ended = False

    def renew(self, now_ms: int) -> None:
        """Count the session's time from now on."""
        self.deadline_ms = now_ms + self.duration_s * 1000


class Sessions:
    """All open sessions by token.

    ``on_end`` is called with each session that ends, so that connections inside it can be told.
    """

    def __init__(self, clock: Clock, feed: Feed) -> None:
        self.clock = clock
        self.feed = feed
        self.by_token: dict[int, Session] = {}
        self.on_end: Callable[[Session], None] = lambda session: None

    def __len__(self) -> int:
        return len(self.by_token)

    def open_new(self, name: str, *, shared: bool, duration_s: int = 0, delete_on_expiry: bool = False) -> Session:
        """Open a session; a private one gets a random token. Raises SessionExists for a shared name in use."""
        token = shared_token(name) if shared else self._free_token()
        if token in self.by_token:
            raise SessionExists(token)
        keyspace = Keyspace(-1, self.clock, self.feed)
        session = Session(token, name, shared, keyspace, duration_s, delete_on_expiry)
        session.renew(self.clock.now_ms)
        self.by_token[token] = session
        keyspace.changed("session_new", b"", (session,))
        return session

    def reopen(self, token: int, name: str, *, shared: bool, duration_s: int, delete_on_expiry: bool) -> Session | None:
        """Open a session of before with its token, its time beginning anew; None, and nothing is done, if it is open."""
        if token in self.by_token:
            return None
        session = Session(token, name, shared, Keyspace(-1, self.clock, self.feed), duration_s, delete_on_expiry)
        session.renew(self.clock.now_ms)
        self.by_token[token] = session
        session.keyspace.changed("session_new", b"", (session,))
        return session

    def _free_token(self) -> int:
        while True:
            token = secrets.randbits(63)
            if token >= LEAST_TOKEN and token not in self.by_token:
                return token

    def shared_by_name(self, name: str) -> Session | None:
        """The open shared session of a name."""
        return self.by_token.get(shared_token(name))

    def look_up(self, token: int) -> Session:
        """The open session of a token, without renewing it. Raises NoSuchSession."""
        try:
            return self.by_token[token]
        except KeyError:
            raise NoSuchSession(token) from None

    def enter(self, token: int) -> Session:
        """The open session of a token, for a command that uses it: its time starts anew. Raises NoSuchSession."""
        session = self.look_up(token)
        session.renew(self.clock.now_ms)
        return session

    def end(self, token: int) -> None:
        """End a session with all its data. Raises NoSuchSession."""
        session = self.look_up(token)
        del self.by_token[token]
        session.ended = True
        session.keyspace.clear()
        session.keyspace.changed("session_end", b"", (session,))
        self.on_end(session)

    def end_all(self) -> int:
        """End every session; give how many there were."""
        tokens = list(self.by_token)
        for token in tokens:
            self.end(token)
        return len(tokens)

    def sweep(self) -> None:
        """Deal with the sessions whose time is up: end them, or empty them and start their time anew."""
        now_ms = self.clock.now_ms
        over = [s for s in self.by_token.values() if s.duration_s and s.deadline_ms <= now_ms]
        for session in over:
            if session.delete_on_expiry:
                self.end(session.token)
            else:
                session.keyspace.clear()
                session.renew(now_ms)
