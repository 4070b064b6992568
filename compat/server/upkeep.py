"""Periodic tasks: expiry, snapshots, samples of the rates, and checks for clients that are idle or do not read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from .blocking import Waiting
from .client import Client
from .core import Core
from .long_commands import LongCommands
from .pause import Pause
from .persistence import Persistence

log = logging.getLogger("januskv")

# A closing connection has this time to read the rest, renewed whenever it reads this much within it.
_LINGER_MS: Final = 3_000
_LINGER_BYTES: Final = 1 << 19

# How often clients are checked, and how many at least each time.
_LOOK_EVERY_MS: Final = 100
_LOOKED_AT: Final = 200


class Upkeep:
    """The periodic tasks of a server. ``stopped`` by DEBUG PAUSE-CRON: none of them run.

    ``lingering`` are the clients whose connections are closing while replies are left to send: when to check whether they
    are read, and how many bytes the client had taken at the last check. The first ones are due first.
    """

    def __init__(self, core: Core, pause: Pause, waiting: Waiting, long_commands: LongCommands) -> None:
        self.core, self.pause, self.waiting, self.long_commands = core, pause, waiting, long_commands
        self.persistence: Persistence | None = None  # see Server.keep
        self.stopped = False
        self.lingering: dict[Client, tuple[int, int]] = {}
        self.sampled_ms = self.looked_ms = 0
        self.unlooked: list[Client] = []  # clients not yet checked in this round
        self.at_a_look = _LOOKED_AT

    def run_cron(self) -> bool:
        """Run the periodic tasks, ten times a second; True if there is more to do right now.

        A failed task is logged, and retried the next time; it does not keep others from running.
        """
        if self.stopped:
            return False
        more = False
        if not self.pause.until_ms:
            more = bool(attempted(self.core.store.run_cron))
            more = bool(attempted(self.core.points.run_cron)) or more
        now_ms = self.core.store.clock.now_ms
        attempted(lambda: self.sample_rates(now_ms))
        if self.persistence is not None:
            more = bool(attempted(self.persistence.run_cron)) or more
        self.look_after_clients(now_ms)
        attempted(lambda: self.core.tls.run_cron(now_ms))
        attempted(lambda: self.close_unauthenticated(now_ms))
        attempted(lambda: self.close_lingering(now_ms))
        return more

    def look_after_clients(self, now_ms: int) -> None:
        """Close clients that are idle or do not read. Checks a part of them ten times a second, each one once a second."""
        if abs(now_ms - self.looked_ms) < _LOOK_EVERY_MS:
            return
        self.looked_ms = now_ms
        if not self.unlooked:
            self.unlooked = self.core.clients.everyone()
            self.at_a_look = max(len(self.unlooked) // 10, _LOOKED_AT)
        some = self.unlooked[-self.at_a_look :]
        del self.unlooked[-self.at_a_look :]
        attempted(lambda: self.close_slow_readers(now_ms, some))
        if self.core.config.timeout and not self.pause.until_ms:
            attempted(lambda: self.close_idle(now_ms, some))

    def sample_rates(self, now_ms: int) -> None:
        """Sample the counters whose growth INFO shows."""
        if now_ms - self.sampled_ms >= max(_LOOK_EVERY_MS, len(self.core.clients) // 10):
            self.sampled_ms = now_ms
            received, sent = self.core.clients.net_bytes()
            self.core.accounts.rates.add("commands", now_ms, self.core.accounts.commands_processed)
            self.core.accounts.rates.add("input", now_ms, received)
            self.core.accounts.rates.add("output", now_ms, sent)

    def close_idle(self, now_ms: int, clients: list[Client]) -> None:
        """Close clients that have neither sent nor read anything for too long; some kinds may wait for ever."""
        since_ms = now_ms - self.core.config.timeout * 1000
        idle = [
            client
            for client in clients
            if client.active_ms < since_ms
            and not client.connection.lost
            and not client.connection.stopped_reading
            and not client.monitoring
            and not client.streaming
            and client.subscriptions is None
            and client not in self.waiting.by_client
            and not client.connection.has_read(now_ms)
        ]
        for client in idle:
            log.info("client %s closed: idle", client.address)
        self.core.clients.each(idle, lambda client: client.kill())

    def close_unauthenticated(self, now_ms: int) -> None:
        """Close clients that have not logged in for too long. A pause keeps nobody from it."""
        limit_ms = self.core.config.unauthenticated_timeout * 1000
        due = []
        for client, since_ms in self.core.clients.unauthenticated.items() if limit_ms else ():
            if now_ms - since_ms < limit_ms:
                break
            due.append(client)
        for client in due:
            self.core.accounts.stats.unauthenticated_clients_timed_out += 1
            self.core.limited_log.note(
                "log-in", f"client {client.address} closed: it has not logged in in time", logging.INFO
            )
        self.core.clients.each(due, lambda client: client.kill())

    def linger(self, client: Client) -> None:
        """Let a closing connection send the rest, as long as the client reads it."""
        due_ms = self.core.store.clock.now_ms + _LINGER_MS
        self.lingering.setdefault(client, (due_ms, client.connection.taken_bytes))

    def forget(self, client: Client) -> None:
        """Remove a client from ``lingering``; no error if it was not there."""
        self.lingering.pop(client, None)

    def close_lingering(self, now_ms: int) -> None:
        """Close the connections whose client does not read the rest."""
        due = []
        for client, (due_ms, taken) in self.lingering.items():
            if due_ms > now_ms:
                break
            due.append((client, taken))
        for client, taken in due:
            del self.lingering[client]
            if client.connection.taken_bytes - taken >= _LINGER_BYTES or client in self.long_commands:
                self.linger(client)
            else:
                log.info("client %s closed: it does not read its last replies", client.address)
                client.connection.kill()

    def close_slow_readers(self, now_ms: int, clients: list[Client]) -> None:
        """Close clients whose unread output has been above the soft limit of their class for too long."""
        for client in clients:
            _, soft, seconds = self.core.config.output_limits(client)
            if not soft or client.connection.unread_bytes <= soft:
                client.over_soft_limit_ms = None
            elif client.over_soft_limit_ms is None:
                client.over_soft_limit_ms = now_ms
            elif now_ms - client.over_soft_limit_ms > seconds * 1000:
                self.core.accounts.stats.client_output_buffer_limit_disconnections += 1
                self.core.limited_log.note(
                    "soft output buffer", f"client {client.address} closed: soft output buffer limit"
                )
                client.connection.abort()


def attempted(task: Callable[[], object]) -> object:
    """The result of a periodic task; None, and a traceback in the log, if it fails."""
    try:
        return task()
    except Exception as error:
        log.error("a periodic task has failed, it will be retried", exc_info=error)
        return None
