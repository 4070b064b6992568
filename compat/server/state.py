"""The state of a server, and whether it allows plain commands on the fast path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from januskv.commands.table import Command, CommandTable

if TYPE_CHECKING:
    from januskv.storage.durability.generations import Recovery


class State:
    """The state that all connections of a server share. It is changed by the methods, which keep ``fast`` up to date.

    ``fast`` has the commands that may run without the checks of ``dispatch``: all plain ones, or none while
    the server is in a special state. It is emptied and refilled in place, so that all connections that share it follow immediately.
    """

    def __init__(self, table: CommandTable) -> None:
        self.table = table
        self.fast: dict[bytes, Command] = table.fast()
        self.loading = False
        self.recovery: Recovery | None = None  # the loading in progress, if any
        self.ending = False  # new connections are rejected
        self.paused = False
        self.monitored = False
        self.time_all = False  # time each command separately, quick ones too
        self.busy = ""  # what others are told while a script runs long
        self.write_fault = ""  # why data cannot be made durable: writes are rejected then
        self.on_writable: Callable[[], object] = lambda: None  # called when waiting writes may continue, or try to

    def set_loading(self, loading: bool) -> None:
        """Reject most commands while data is loaded."""
        self.loading = loading
        self.choose()
        if not loading:
            self.on_writable()

    def set_recovery(self, recovery: Recovery | None) -> None:
        """Set the loading in progress; None when it has ended."""
        self.recovery = recovery

    def end(self) -> None:
        """Reject new connections from now on."""
        self.ending = True

    def set_paused(self, paused: bool) -> None:
        """Note whether there is a pause."""
        self.paused = paused
        self.choose()

    def set_monitored(self, monitored: bool) -> None:
        """Note whether any client watches all commands."""
        self.monitored = monitored
        self.choose()

    def set_time_all(self, time_all: bool) -> None:
        """Time each command separately, or let those of a batch share their time."""
        self.time_all = time_all
        self.choose()

    def set_write_fault(self, fault: str) -> None:
        """Reject writes, for this reason; "" accepts them again."""
        self.write_fault = fault
        self.choose()
        if not fault:
            self.on_writable()

    def set_busy(self, text: str) -> None:
        """Refuse most commands, with this text, while a script runs; none: no longer."""
        self.busy = text
        self.choose()

    @property
    def writes_wait(self) -> bool:
        """Whether a write that cannot be rejected has to wait: while data is loaded, in a pause, or if it could not be logged."""
        return bool(self.paused or self.loading or self.write_fault)

    def choose(self) -> None:
        """Decide again whether plain commands may take the fast path."""
        plain = not (self.monitored or self.loading or self.paused or self.time_all or self.write_fault or self.busy)
        if plain and not self.fast:
            self.fast.update(self.table.fast())
        elif not plain and self.fast:
            self.fast.clear()
