"""The log of what users were denied, as ACL LOG shows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from januskv.compat.server.accounting import Accounts
from januskv.compat.server.client import Client, Peer
from januskv.compat.server.config import Config
from januskv.storage.clock import Clock

# Denials that are alike and no further apart are one entry, if it is among the newest.
_LIKE_WITHIN_MS: Final = 60_000
_LOOK_BACK: Final = 10
# Bytes of a key, a channel or a name that are kept: they come from clients with few rights.
_MOST_KEPT: Final = 1024


@dataclass(slots=True)
class Entry:
    """Denials that are alike. ``reason``: command, key, channel or auth; ``context``: toplevel, multi or lua."""

    number: int
    reason: str
    context: str
    name: bytes
    user: str
    client: bytes
    first_ms: int
    last_ms: int
    count: int = 1


class AclLog:
    """The newest denials, newest first. They are counted even if none is kept."""

    def __init__(self, clock: Clock, config: Config, accounts: Accounts) -> None:
        self.clock, self.config, self.accounts = clock, config, accounts
        self.entries: deque[Entry] = deque()
        self.next_number = 0
        # Describes a client in the form of CLIENT LIST; the server sets it.
        self.describe: Callable[[Client], bytes] = lambda client: b""

    def add(self, reason: str, context: str, name: bytes, user: str, client: Client | Peer | None) -> None:
        """Note a denial."""
        denied = self.accounts.stats.denied
        denied[reason] = denied.get(reason, 0) + 1
        if not self.config.acllog_max_len:
            self.entries.clear()
            return
        now_ms = self.clock.now_ms
        name, user = name[:_MOST_KEPT], user[:_MOST_KEPT]
        about = b""
        if client is not None:
            about = client.described if isinstance(client, Peer) else self.describe(client)
        like = next(
            (
                each
                for each in islice(self.entries, _LOOK_BACK)
                if (each.reason, each.context, each.name, each.user) == (reason, context, name, user)
                and now_ms - each.last_ms <= _LIKE_WITHIN_MS
            ),
            None,
        )
        if like is not None:
            self.entries.remove(like)
            like.client, like.last_ms, like.count = about, now_ms, like.count + 1
        else:
            like = Entry(self.next_number, reason, context, name, user, about, now_ms, now_ms)
            self.next_number += 1
        self.entries.appendleft(like)
        self.trim()

    def trim(self) -> None:
        """Drop the oldest entries beyond ``acllog-max-len``."""
        while len(self.entries) > self.config.acllog_max_len:
            self.entries.pop()

    def newest(self, count: int) -> list[Entry]:
        """Up to so many entries, newest first."""
        return list(islice(self.entries, max(count, 0)))

    def reset(self) -> None:
        """Forget all entries."""
        self.entries.clear()
