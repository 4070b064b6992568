"""CLIENT PAUSE: all commands, or those that write, wait for a while."""

from __future__ import annotations

from januskv.commands.declare import Flag
from januskv.commands.table import Command

from .client import Client
from .core import Core
from .process import Timer


class Pause:
    """The pause of a server. ``until_ms`` is when it ends, 0 if there is none; connections park requests that have to wait."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.until_ms = 0
        self.writes_only = False
        self.timer: Timer | None = None  # one timer, however many pauses were asked for

    def begin(self, timeout_ms: int, *, writes_only: bool) -> None:
        """Hold commands for a while. A longer pause in force is not shortened, nor a stricter one relaxed."""
        core = self.core
        now_ms = core.store.clock.now_ms
        self.writes_only = writes_only and (self.writes_only or not self.until_ms)
        self.until_ms = max(now_ms + timeout_ms, self.until_ms)
        core.store.feed.held = True
        core.state.set_paused(True)
        self.call_end(self.until_ms - now_ms)

    def call_end(self, delay_ms: int) -> None:
        """Schedule the end of the pause."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.core.later(delay_ms / 1000, self.time_out)

    def time_out(self) -> None:
        """The timer: end the pause, unless it was prolonged meanwhile."""
        left_ms = self.until_ms - self.core.store.clock.tick()
        if left_ms > 0:
            self.call_end(left_ms)
        else:
            self.end()

    def end(self) -> None:
        """Let held commands run, in the order in which their clients connected."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.until_ms = 0
        self.writes_only = False
        self.core.store.feed.held = False
        self.core.state.set_paused(False)
        self.core.later(0, self.resume_parked)

    def holds(self, command: Command, client: Client) -> bool:
        """Whether a command has to wait."""
        if not self.until_ms:
            return False
        if not self.writes_only:
            return Flag.ABOUT_CLIENTS not in command.flags
        writes = Flag.WRITE | Flag.MAY_REPLICATE
        if Flag.COMMITS in command.flags and client.queue is not None:
            return any(queued.flags & writes for queued, _ in client.queue)
        return bool(command.flags & writes) and client.queue is None

    def parked_clients(self) -> list[Client]:
        """The clients whose next request is held."""
        return [client for client in self.core.clients.everyone() if client.connection.parked is not None]

    def resume_parked(self) -> None:
        """Run the requests that were held."""
        self.core.clients.each(self.parked_clients(), lambda client: client.connection.resume())
