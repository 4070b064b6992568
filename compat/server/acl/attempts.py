"""Failed log-ins by address: after some, further ones from there are refused without being looked at, for a while that grows.

Nothing waits, and the table is bounded. Who comes from this machine is let be: by its programs, or through a proxy here, one
client could otherwise shut out all others.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

from januskv.compat.server.accounting import Accounts
from januskv.compat.server.config import Config
from januskv.compat.server.faults import LoginsSlowed
from januskv.storage.clock import Clock

# Addresses that are known at a time; the one that has failed longest ago makes room for another.
MOST_ADDRESSES: Final = 1024
# Failures are forgotten so long after the last one, or after the end of the time in which log-ins are refused.
_FORGOTTEN_MS: Final = 60_000
_MOST_DOUBLINGS: Final = 20


class Place(Protocol):
    """Where a log-in comes from: a client, or the peer of a request. ``network`` is who an address belongs to."""

    @property
    def network(self) -> str: ...
    @property
    def is_local(self) -> bool: ...


@dataclass(slots=True)
class _Failures:
    count: int
    last_ms: int
    until_ms: int = 0  # log-ins are refused before


class Attempts:
    """The failed log-ins of a server."""

    def __init__(self, clock: Clock, config: Config, accounts: Accounts) -> None:
        self.clock, self.config, self.accounts = clock, config, accounts
        self._by_network: OrderedDict[str, _Failures] = OrderedDict()  # the one that failed longest ago first

    def __len__(self) -> int:
        return len(self._by_network)

    def check(self, place: Place | None) -> None:
        """Raise LoginsSlowed while log-ins from an address are refused."""
        failures = self._known(place)
        now_ms = self.clock.now_ms
        if failures is not None and now_ms < failures.until_ms:
            self.accounts.stats.logins_slowed += 1
            raise LoginsSlowed((failures.until_ms - now_ms + 999) // 1000)

    def failed(self, place: Place | None) -> None:
        """Count a log-in that has failed."""
        self.accounts.stats.login_failures += 1
        most = self.config.max_login_failures_per_address
        if place is None or place.is_local or not place.network or not most:
            return
        failures = self._known(place)
        now_ms = self.clock.now_ms
        if failures is None:
            while len(self._by_network) >= MOST_ADDRESSES:
                self._by_network.popitem(last=False)
            failures = self._by_network[place.network] = _Failures(0, now_ms)
        self._by_network.move_to_end(place.network)
        failures.count += 1
        failures.last_ms = now_ms
        if failures.count >= most:
            doublings = min(failures.count - most, _MOST_DOUBLINGS)
            failures.until_ms = now_ms + 1000 * min(1 << doublings, self.config.max_login_delay)

    def _known(self, place: Place | None) -> _Failures | None:
        """The failures of an address that count still."""
        if place is None or not self._by_network or not self.config.max_login_failures_per_address:
            return None
        failures = self._by_network.get(place.network)
        # A clock that has been set back must not make the time longer.
        if failures is not None and not (
            failures.last_ms <= self.clock.now_ms < max(failures.until_ms, failures.last_ms) + _FORGOTTEN_MS
        ):
            del self._by_network[place.network]
            return None
        return failures
