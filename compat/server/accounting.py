"""Counts calls, their times and their outcome: a single place for all ways to run commands.

A call is counted when it begins, its time when it is answered: immediately, or later if it waits or runs in steps. The
commands of a transaction, and those that come as JSON, are counted like all others.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from januskv.commands.declare import Flag
from januskv.commands.table import Command, CommandTable
from januskv.resp.replies import ErrorReply
from januskv.storage.store import Store

from .client import Client
from .config import Config
from .faults import INTERNAL, RespError, fault_of
from .json_text import dumps
from .statistics import LatencyEvents, Rates, SlowLog, Stats

log = logging.getLogger("januskv")


class Accounts:
    """The counters of a server, its slow log and its latency events.

    ``slow_ns`` is the time from which a call is treated as slow.
    """

    def __init__(self, store: Store, table: CommandTable, config: Config) -> None:
        self.store: Store = store
        self.table: CommandTable = table
        self.config: Config = config
        self.stats: Stats = Stats()
        self.rates: Rates = Rates()
        self.slowlog: SlowLog = SlowLog()
        self.latency: LatencyEvents = LatencyEvents()
        self.slow_ns: int = 0

    def config_changed(self) -> None:
        """Apply thresholds, and whether times are kept by command."""
        self.slow_ns = min(self.config.slow_threshold_us * 1000, sys.maxsize)
        for command in self.table.everything():
            command.tracks_times = self.config.latency_tracking

    def reset(self) -> None:
        """Reset all counters (CONFIG RESETSTAT)."""
        for command in self.table.everything():
            command.reset_counters()
        self.stats = Stats()
        self.rates.reset()

    @property
    def commands_processed(self) -> int:
        """Commands run since start or CONFIG RESETSTAT."""
        return sum(command.calls for command in self.table.everything())

    # ------------------------------------------------------------ calls

    def began(self, command: Command) -> None:
        """Count a call that is answered later; ``ended`` will give its time."""
        command.calls += 1

    def ended(self, command: Command, spent_ns: int, request: Any, client: Client | None) -> None:
        """Note that a call that had begun is answered. ``request`` is its command line, or the body of a native one."""
        command.took(spent_ns, 1)
        if spent_ns >= self.slow_ns:
            self.note_slow(command, spent_ns, request, client)

    def ran(self, command: Command, spent_ns: int, request: Any, client: Client | None) -> None:
        """Count a call that has begun and ended."""
        command.calls += 1
        command.took(spent_ns, 1)
        if spent_ns >= self.slow_ns:
            self.note_slow(command, spent_ns, request, client)

    def batch(
        self,
        earlier: list[tuple[Command, int]] | None,
        last: Command,
        count: int,
        spent_ns: int,
        request: Any,
        client: Client | None,
    ) -> None:
        """Count quick commands: ``earlier`` ones, and ``count`` times the ``last`` one. They share the time."""
        if earlier is None:
            last.calls += count
            last.took(spent_ns, count)
            if count == 1 and spent_ns >= self.slow_ns:
                self.note_slow(last, spent_ns, request, client)
            return
        runs = [*earlier, (last, count)]
        total = sum([count for _, count in runs])  # not a generator: the method is compiled
        for command, count in runs:
            command.calls += count
            command.took(spent_ns * count // total, count)

    def rejected(self, command: Command) -> None:
        """Count a call that was rejected before it began."""
        command.rejected += 1

    def failed(self, command: Command) -> None:
        """Count a call that has ended with an error."""
        command.failed += 1

    # ------------------------------------------------------------ errors and slow calls

    def error(self, text: str) -> None:
        """Count an error reply by its code word."""
        code = text.partition(" ")[0]
        stats = self.stats
        stats.total_error_replies += 1
        if code in stats.errors or len(stats.errors) < 128:  # user scripts can invent codes
            stats.errors[code] = stats.errors.get(code, 0) + 1

    def unexpected(self, name: str, error: Exception) -> None:
        """Log and count an error that a command should not have raised."""
        log.error("unexpected error in %s", name, exc_info=error)
        self.stats.unexpected_error_replies += 1

    def failure(self, command: Command, error: Exception) -> ErrorReply:
        """The error reply for an exception of a handler. An unexpected one is logged and reported without details."""
        self.failed(command)
        text = self.error_text(command.name, error)
        if not (isinstance(error, RespError) and error.counted):
            self.error(text)
        return ErrorReply(text)

    def error_text(self, name: str, error: Exception) -> str:
        """The RESP error of an exception; the traceback of an unexpected one is logged."""
        if isinstance(error, RespError):
            return error.text
        fault = fault_of(error)
        if fault is not None:
            return fault.resp
        self.unexpected(name, error)
        return INTERNAL.resp

    def note_slow(self, command: Command, spent_ns: int, request: Any, client: Client | None) -> None:
        """Log a slow call, by the thresholds that CONFIG sets."""
        if Flag.SKIP_SLOWLOG in command.flags:
            return
        config, usec = self.config, spent_ns // 1000
        now_s = self.store.clock.now_ms // 1000
        if 0 <= config.slowlog_log_slower_than <= usec:
            argv = request if type(request) is list else [command.name.encode(), dumps(request)]
            self.slowlog.add(command.without_secrets(argv), usec, now_s, client, config.slowlog_max_len)
        threshold_ms = config.latency_monitor_threshold
        if threshold_ms and usec >= threshold_ms * 1000:
            self.latency.add("fast-command" if Flag.FAST in command.flags else "command", now_s, usec // 1000)
