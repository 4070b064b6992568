"""TLS of a server: the context in force, and the handshakes that are not over yet.

Handshakes cost processor time, so only a few steps are done in a round of the event loop; and they can be left half-open, so
there are limits to their number and time. Who comes when there are too many displaces the one that has been silent longest,
so that half-open ones keep nobody out; those that only wait for their turn here are neither displaced nor timed out.
"""

from __future__ import annotations

import logging
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from januskv.storage.clock import Clock

from .client import format_address
from .clients import Clients
from .tls_settings import ATTRIBUTES, build, reason_of
from .tls_stream import TlsStream

# Ports that speak TLS, by attribute.
PORTS = ("tls_port", "tls_http_port", "tls_timely_port")


class Tls:
    """The TLS of a server."""

    def __init__(self, clients: Clients, clock: Clock) -> None:
        self.clients, self.clock = clients, clock
        self.config, self.accounts, self.process = clients.config, clients.accounts, clients.process
        self.context: ssl.SSLContext | None = None
        self.unfinished: dict[TlsStream, int] = {}  # since when, the longest first
        self._silent: dict[TlsStream, None] = {}  # those that need more of their client, the longest first
        self._waiting: deque[TlsStream] = deque()  # those that can go on
        self._called = False

    # ------------------------------------------------------------ the context

    def prepare(self, values: Mapping[str, Any]) -> ssl.SSLContext | None:
        """The context for new values of parameters, by attribute; None where no port needs one.

        Files are read again whenever one of their parameters is set, if only to the same value. Raises ConfigError.
        """

        def value(attribute: str) -> Any:
            return values.get(attribute, getattr(self.config, attribute))

        if not any(value(port) for port in PORTS):
            return None
        if self.context is not None and not ATTRIBUTES & values.keys():
            return self.context
        return build({attribute: value(attribute) for attribute in ATTRIBUTES})

    def use(self, context: ssl.SSLContext | None) -> None:
        """Use a context for connections from now on; those that are open keep theirs."""
        self.context = context

    # ------------------------------------------------------------ handshakes

    def stream(self, connect: Callable[[], Any]) -> TlsStream:
        """A new connection under TLS; ``connect`` makes the protocol inside."""
        return TlsStream(self, connect)

    def begin(self, stream: TlsStream) -> ssl.SSLContext | None:
        """Count a new stream, and give it the context in force; None if it may not go on."""
        stats = self.accounts.stats
        if self.context is None or self.clients.state.ending:
            return None
        if len(self.unfinished) >= self.config.tls_max_handshakes or self.clients.full:
            if not self._silent:
                stats.rejected_connections += 1
                parameter = "maxclients" if self.clients.full else "tls-max-handshakes"
                self.clients.limited_log.note(parameter, f"client {_peer(stream)} refused: {parameter}")
                return None
            longest = next(iter(self._silent))
            self._over(longest)
            stats.tls_handshakes_displaced += 1
            self._note(longest, "displaced by a newer one, as there are too many")
            longest.abort()
        self.unfinished[stream] = self.clock.now_ms
        self._silent[stream] = None
        self.clients.handshake_begun()
        return self.context

    def progress(self, stream: TlsStream) -> None:
        """A stream can go on, in its turn; at once while a script runs, as nobody else is served then."""
        self._silent.pop(stream, None)
        if self.clients.state.busy:
            stream.step()
            return
        self._waiting.append(stream)
        self._call()

    def waits(self, stream: TlsStream) -> None:
        """The next step needs more of the client."""
        self._silent[stream] = None

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self.process.later(0, self._go_on)

    def _go_on(self) -> None:
        self._called = False
        for _ in range(min(self.config.max_new_tls_connections_per_cycle, len(self._waiting))):
            self._waiting.popleft().step()
        if self._waiting:
            self._call()

    def succeeded(self, stream: TlsStream) -> None:
        """The handshake is over."""
        if self._over(stream):
            self.accounts.stats.tls_handshakes_accepted += 1

    def failed(self, stream: TlsStream, reason: str | Exception) -> None:
        """The handshake has failed, and the connection is closed."""
        if self._over(stream):
            self.accounts.stats.tls_handshakes_failed += 1
            self._note(stream, reason if isinstance(reason, str) else reason_of(reason))

    def run_cron(self, now_ms: int) -> None:
        """End the handshakes that take too long."""
        limit_ms = self.config.tls_handshake_timeout * 1000
        due = []
        for stream, since_ms in self.unfinished.items():
            if now_ms - since_ms < limit_ms:
                break
            if stream in self._silent:
                due.append(stream)
        for stream in due:
            self._over(stream)
            self.accounts.stats.tls_handshakes_timed_out += 1
            self._note(stream, "it takes too long")
            stream.abort()

    def end(self) -> None:
        """End all that are not over, as the server ends."""
        for stream in list(self.unfinished):
            self._over(stream)
            stream.abort()

    def _over(self, stream: TlsStream) -> bool:
        """Forget a handshake; whether it was known."""
        self._silent.pop(stream, None)
        if self.unfinished.pop(stream, None) is None:
            return False
        self.clients.handshake_over()
        return True

    def _note(self, stream: TlsStream, reason: str) -> None:
        line = f"TLS handshake with {_peer(stream)} has failed: {reason}"
        self.clients.limited_log.note("tls handshake", line, logging.INFO)


def _peer(stream: TlsStream) -> str:
    return format_address(stream.get_extra_info("peername")) or "a client"
