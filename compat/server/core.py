"""The base of all parts of a server. A part gets this and the parts below it; none knows the whole server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from januskv.commands.table import CommandTable
from januskv.storage.store import Store

from .accounting import Accounts
from .acl.users import Users
from .clients import Clients
from .config import Config
from .logs import LimitedLog
from .monitors import Monitors
from .outbox import Outbox
from .points import PointReceiver
from .process import Process, Timer
from .state import State
from .tls import Tls

if TYPE_CHECKING:
    from .native_requests import NativeRequests


# The version of Redis whose behaviour ours follows, for INFO, HELLO and LOLWUT.
REDIS_VERSION: Final = "7.4.0"
REDIS_VERSION_NUM: Final = 0x070400


class Core:
    """The data, the commands, the configuration, the clients, and their statistics."""

    def __init__(self, store: Store, table: CommandTable, config: Config) -> None:
        self.store = store
        self.table = table
        self.config = config
        self.started_ms = store.clock.now_ms
        self.accounts = Accounts(store, table, config)
        self.process = Process()
        self.outbox = Outbox()
        self.limited_log = LimitedLog()
        self.state = State(table)
        self.users = Users(table, config, self.accounts, store.clock)
        self.clients = Clients(config, self.users, self.accounts, self.process, self.state, self.limited_log)
        self.tls = Tls(self.clients, store.clock)
        self.monitors = Monitors(table, self.clients, self.state)
        self.native: NativeRequests  # see serve_native
        self.points = PointReceiver(self.state)  # see serve_points

    def serve_native(self, native: NativeRequests) -> None:
        """Set the native protocol, a layer above the server."""
        self.native = native

    def serve_points(self, points: PointReceiver) -> None:
        """Set the receiver that stores points, a layer above the server."""
        self.points = points

    def later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Schedule a call."""
        return self.process.later(delay_s, call)
