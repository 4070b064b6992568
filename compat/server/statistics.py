"""A server's statistics: totals, rates, slow commands and latency events. ``accounting`` fills them in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .client import Client


@dataclass(slots=True)
class Stats:
    """Counters since start or CONFIG RESETSTAT, named as INFO shows them."""

    total_connections_received: int = 0
    rejected_connections: int = 0
    closed_net_input_bytes: int = 0  # of connections that are closed; see Clients.net_bytes
    closed_net_output_bytes: int = 0
    closed_reads: int = 0  # of connections that are closed; see Clients.reads_and_writes
    closed_writes: int = 0
    total_error_replies: int = 0
    unexpected_error_replies: int = 0
    client_query_buffer_limit_disconnections: int = 0
    client_output_buffer_limit_disconnections: int = 0
    protocol_errors: int = 0
    tls_handshakes_accepted: int = 0
    tls_handshakes_failed: int = 0
    tls_handshakes_timed_out: int = 0
    tls_handshakes_displaced: int = 0  # ended for newer ones, as there were too many
    unauthenticated_clients_timed_out: int = 0
    timely_points_received: int = 0  # and stored
    timely_lines_refused: int = 0  # lines that are not points, and points that are not stored
    login_failures: int = 0
    logins_slowed: int = 0  # refused unseen, as too many of the address have failed
    denied: dict[str, int] = field(default_factory=dict)  # command, key, channel, auth -> count
    errors: dict[str, int] = field(default_factory=dict)  # code word -> count


@dataclass(frozen=True, slots=True)
class SlowEntry:
    """One line of the slow log."""

    number: int
    time_s: int
    usec: int
    argv: list[bytes]
    address: str
    client_name: bytes


class SlowLog:
    """The newest slow commands, newest first."""

    # Arguments beyond these are cut, so that the log does not keep big values alive (as in Redis).
    MOST_ARGS = 32
    MOST_BYTES = 128

    def __init__(self) -> None:
        self.entries: deque[SlowEntry] = deque()
        self.next_number = 0

    def add(self, argv: list[bytes], usec: int, time_s: int, client: Client | None, most: int) -> None:
        """Note a command, keeping at most ``most`` entries."""
        address, name = (client.address, client.name) if client is not None else ("", b"")
        self.entries.appendleft(SlowEntry(self.next_number, time_s, usec, self._cut(argv), address, name))
        self.next_number += 1
        self.trim(most)

    def trim(self, most: int) -> None:
        """Drop the oldest entries beyond ``most``."""
        while len(self.entries) > max(most, 0):
            self.entries.pop()

    def _cut(self, argv: list[bytes]) -> list[bytes]:
        shown = argv if len(argv) <= self.MOST_ARGS else argv[: self.MOST_ARGS - 1]
        cut = [
            arg if len(arg) <= self.MOST_BYTES else arg[: self.MOST_BYTES] + b"... (%d more bytes)" % (len(arg) - 128)
            for arg in shown
        ]
        if len(argv) > self.MOST_ARGS:
            cut.append(b"... (%d more arguments)" % (len(argv) - self.MOST_ARGS + 1))
        return cut


class LatencyEvent:
    """The durations of one kind of event: the newest samples, and the longest since LATENCY RESET."""

    __slots__ = ("longest_ms", "samples")

    def __init__(self) -> None:
        self.samples: deque[tuple[int, int]] = deque(maxlen=160)  # (second, ms), one per second, newest last
        self.longest_ms = 0


class LatencyEvents:
    """Events that took latency-monitor-threshold or longer, by kind."""

    def __init__(self) -> None:
        self.by_kind: dict[str, LatencyEvent] = {}

    def add(self, kind: str, time_s: int, ms: int) -> None:
        """Note an event; of those within one second the longest is kept."""
        event = self.by_kind.setdefault(kind, LatencyEvent())
        event.longest_ms = max(event.longest_ms, ms)
        if event.samples and event.samples[-1][0] == time_s:
            ms = max(ms, event.samples.pop()[1])
        event.samples.append((time_s, ms))


class Rates:
    """How fast counters grow, over the last 16 samples."""

    _SAMPLES = 16

    def __init__(self) -> None:
        self.samples: dict[str, deque[tuple[int, int]]] = {}

    def add(self, name: str, time_ms: int, total: int) -> None:
        """Note the present value of a counter."""
        self.samples.setdefault(name, deque(maxlen=self._SAMPLES)).append((time_ms, total))

    def per_second(self, name: str) -> float:
        """The growth of a counter per second; 0 while unknown."""
        samples = self.samples.get(name)
        if not samples or samples[-1][0] <= samples[0][0]:
            return 0.0
        return max(samples[-1][1] - samples[0][1], 0) * 1000 / (samples[-1][0] - samples[0][0])

    def reset(self) -> None:
        """Forget all samples."""
        self.samples.clear()
