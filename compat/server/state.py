"""What state a server is in, and whether plain commands may therefore go straight to their handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from januskv.commands.table import Command, CommandTable

if TYPE_CHECKING:
    from januskv.storage.durability.generations import Recovery


class State:
    """The state that all connections of a server share. It is changed by the methods, which keep ``hot`` right.

    ``hot`` has the commands that may run without the checks of ``dispatch``: all plain ones, or none while
    the server is in a special state. It is emptied and filled, so that every connection that has it follows at once.
    """

    def __init__(self, table: CommandTable) -> None:
        self.table = table
        self.hot: dict[bytes, Command] = table.hot()
        self.loading = False
        self.recovery: Recovery | None = None  # what is being loaded, while it is
        self.ending = False  # new connections are refused
        self.paused = False
        self.monitored = False
        self.time_all = False  # time every command by itself, quick ones too
        self.write_fault = ""  # why data cannot be made safe: writes are refused then
        self.on_writable: Callable[[], object] = lambda: None  # called when writes that waited may go on, or try to

    def set_loading(self, loading: bool) -> None:
        """Refuse most commands while data is loaded."""
        self.loading = loading
        self.choose()
        if not loading:
            self.on_writable()

    def set_recovery(self, recovery: Recovery | None) -> None:
        """Note what is being loaded; None when it is over."""
        self.recovery = recovery

    def end(self) -> None:
        """Refuse new connections from now on."""
        self.ending = True

    def set_paused(self, paused: bool) -> None:
        """Note whether there is a pause."""
        self.paused = paused
        self.choose()

    def set_monitored(self, monitored: bool) -> None:
        """Note whether anybody watches all commands."""
        self.monitored = monitored
        self.choose()

    def set_time_all(self, time_all: bool) -> None:
        """Time each command by itself, or let those of a batch share their time."""
        self.time_all = time_all
        self.choose()

    def set_write_fault(self, fault: str) -> None:
        """Refuse writes, for this reason; none: no longer."""
        self.write_fault = fault
        self.choose()
        if not fault:
            self.on_writable()

    @property
    def writes_wait(self) -> bool:
        """Whether a write has to wait that cannot be refused: while data is loaded, in a pause, or as it could not be logged."""
        return bool(self.paused or self.loading or self.write_fault)

    def choose(self) -> None:
        """Choose again whether plain commands may go straight to their handlers."""
        straight = not (self.monitored or self.loading or self.paused or self.time_all or self.write_fault)
        if straight and not self.hot:
            self.hot.update(self.table.hot())
        elif not straight and self.hot:
            self.hot.clear()
