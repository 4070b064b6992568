"""What time brings: expiry, snapshots, samples of the rates, and a look after clients that are idle or do not read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .channel import Channel
    from .client import Client
    from .server import Server

log = logging.getLogger("januskv")

# A connection that closes has this time to read what is left, and again as long as it reads this much in it.
_LINGER_MS: Final = 3_000
_LINGER_BYTES: Final = 1 << 19

# Clients are looked after so often, and at least so many of them each time.
_LOOK_EVERY_MS: Final = 100
_LOOKED_AT: Final = 200


class Upkeep:
    """The periodic tasks of a server. ``stopped`` by DEBUG PAUSE-CRON: nothing is done that time brings.

    ``lingering`` are the connections that are closing while replies are left to send: when to look whether they are read,
    and how many bytes the client had taken at the last look. The first ones are due first.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.stopped = False
        self.lingering: dict[Channel, tuple[int, int]] = {}
        self.sampled_ms = self.looked_ms = 0
        self.unlooked: list[Client] = []  # clients that have not been looked at in this round
        self.at_a_look = _LOOKED_AT

    def tend(self) -> bool:
        """Do what time brings, ten times a second; True if there is more to do right now.

        A task that fails is logged, and tried again the next time; it keeps none of the others from running.
        """
        if self.stopped:
            return False
        more = not self.server.pause.until_ms and bool(attempted(self.server.store.tend))
        now_ms = self.server.store.clock.now_ms
        attempted(lambda: self.sample_rates(now_ms))
        if self.server.persistence is not None:
            more = bool(attempted(self.server.persistence.tend)) or more
        self.look_after_clients(now_ms)
        attempted(lambda: self.close_lingering(now_ms))
        return more

    def look_after_clients(self, now_ms: int) -> None:
        """Close those that are idle or do not read. Looks at a part of them ten times a second, at each once a second."""
        if abs(now_ms - self.looked_ms) < _LOOK_EVERY_MS:
            return
        self.looked_ms = now_ms
        if not self.unlooked:
            self.unlooked = list(self.server.clients.values())
            self.at_a_look = max(len(self.unlooked) // 10, _LOOKED_AT)
        some = self.unlooked[-self.at_a_look :]
        del self.unlooked[-self.at_a_look :]
        attempted(lambda: self.close_slow_readers(now_ms, some))
        if self.server.config.timeout and not self.server.pause.until_ms:
            attempted(lambda: self.close_idle(now_ms, some))

    def sample_rates(self, now_ms: int) -> None:
        """Note how far the counters are of which INFO shows the growth."""
        if now_ms - self.sampled_ms >= max(_LOOK_EVERY_MS, len(self.server.clients) // 10):
            self.sampled_ms = now_ms
            received, sent = self.server.net_bytes()
            self.server.accounts.rates.add("commands", now_ms, self.server.accounts.commands_processed)
            self.server.accounts.rates.add("input", now_ms, received)
            self.server.accounts.rates.add("output", now_ms, sent)

    def close_idle(self, now_ms: int, clients: list[Client]) -> None:
        """Close those of some clients that have neither sent nor read anything for too long; some may wait for ever."""
        since_ms = now_ms - self.server.config.timeout * 1000
        idle = [
            client
            for client in clients
            if client.active_ms < since_ms
            and not client.connection.lost
            and not client.monitoring
            and client.subscriptions is None
            and client not in self.server.waiting.by_client
            and not client.connection.has_read(now_ms)
        ]
        for client in idle:
            log.info("client %s closed: idle", client.address)
        self.server.each_client(idle, lambda client: client.kill())

    def linger(self, connection: Channel) -> None:
        """Let a connection that closes send what is left, for as long as the client reads it."""
        due_ms = self.server.store.clock.now_ms + _LINGER_MS
        self.lingering.setdefault(connection, (due_ms, connection.taken_bytes))

    def close_lingering(self, now_ms: int) -> None:
        """Close the connections whose client does not read what is left to send."""
        due = []
        for connection, (due_ms, taken) in self.lingering.items():
            if due_ms > now_ms:
                break
            due.append((connection, taken))
        for connection, taken in due:
            del self.lingering[connection]
            if connection.taken_bytes - taken >= _LINGER_BYTES or connection.client in self.server.long_commands:
                self.linger(connection)
            else:
                log.info("client %s closed: its last replies are not read", connection.client.address)
                connection.kill()

    def close_slow_readers(self, now_ms: int, clients: list[Client]) -> None:
        """Close those of some clients that have left more unread than the soft limit of their class, for too long."""
        for client in clients:
            _, soft, seconds = self.server.config.output_limits(client)
            if not soft or client.connection.unread_bytes <= soft:
                client.over_soft_limit_ms = None
            elif client.over_soft_limit_ms is None:
                client.over_soft_limit_ms = now_ms
            elif now_ms - client.over_soft_limit_ms > seconds * 1000:
                self.server.accounts.stats.client_output_buffer_limit_disconnections += 1
                self.server.limited_log.note(
                    "soft output buffer", f"client {client.address} closed: soft output buffer limit"
                )
                client.connection.abort()


def attempted(task: Callable[[], object]) -> object:
    """What a periodic task gives; None, and a traceback in the log, where it fails."""
    try:
        return task()
    except Exception as error:
        log.error("a periodic task has failed, it will be tried again", exc_info=error)
        return None
