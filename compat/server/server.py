"""The state that all connections share: table, store, clients, configuration, statistics. No sockets."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from januskv.commands.table import Command, CommandTable
from januskv.resp.replies import Simple
from januskv.storage.store import Store

from .accounting import Accounts
from .blocking import Waiting
from .client import Client, Watches
from .config import Config
from .logs import LimitedLog
from .long_commands import LongCommands
from .notifications import Notifier
from .outbox import Outbox
from .parameters import ConfigError
from .pause import Pause
from .process import Process
from .pubsub import PubSub
from .save_queue import SaveQueue
from .tracking import Tracking
from .upkeep import Upkeep

if TYPE_CHECKING:
    from januskv.storage.durability.generations import Recovery
    from januskv.storage.sessions import Session

    from .channel import Channel
    from .context import ServerContext
    from .dispatch import Dispatcher
    from .native_requests import NativeRequests
    from .persistence import Persistence

log = logging.getLogger("januskv")

# Modules with a compiled twin that carry the hot path.
_COMPILED = (
    "januskv.resp.parser",
    "januskv.resp.encoder",
    "januskv.compat.server.channel",
    "januskv.compat.server.connection",
    "januskv.compat.server.dispatch",
    "januskv.storage.keyspace",
)

# What INFO, HELLO and LOLWUT call the version of Redis whose behaviour ours follows.
REDIS_VERSION = "7.4.0"


# Why a new connection is refused, on either port.
FULL = "max number of clients reached"
PROTECTED = (
    "JanusKV is running in protected mode because protected mode is enabled and no password is "
    "set for the default user. In this mode connections are only accepted from the loopback interface. "
    "To serve other machines set a password (requirepass), or set protected-mode to no."
)


class Timer(Protocol):
    """A call that has been put off."""

    def cancel(self) -> object:
        """Have it not made, and forget what it would need; no error if it has been."""


class NoTimer:
    """The timer of a server that no event loop drives."""

    def cancel(self) -> None:
        """There is nothing to cancel."""


class Server:
    """One running server. The composition root (``januskv.app``) makes one and hangs listeners on it."""

    def __init__(self, store: Store, table: CommandTable, config: Config) -> None:
        self.store = store
        self.table = table
        self.config = config
        self.hot: dict[bytes, Command] = table.hot()
        self.clients: dict[int, Client] = {}
        self.http_connections = 0  # those of the HTTP port that are no clients: pages, and unfinished requests
        self.monitors: set[Client] = set()
        self.watches = Watches(store.feed)
        self.waiting = Waiting(self)
        self.long_commands = LongCommands(self)
        self.pubsub = PubSub(store.feed)
        self.notifier = Notifier(self)
        self.tracking = Tracking(self)
        self.saves = SaveQueue(self)
        self.accounts = Accounts(store, table, config)
        self.process = Process()
        self.outbox = Outbox()
        self.started_ms = store.clock.now_ms
        self.loading = False
        self.ending = False  # new connections are refused
        self.pause = Pause(self)
        self.upkeep = Upkeep(self)
        self.time_all = False  # time every command by itself, quick ones too
        self.peak_clients = 0
        self.next_client_id = 0
        self.later: Callable[[float, Callable[[], None]], Timer] = lambda delay_s, call: (
            NoTimer()
        )  # the loop's call_later
        store.sessions.on_end = self.sessions_ended
        self.dispatcher: Dispatcher  # sets itself
        self.native: NativeRequests  # the face sets itself
        self.persistence: Persistence | None = None  # set by the composition root
        self.recovery: Recovery | None = None  # what is being loaded, while it is
        self.write_fault = ""  # why data cannot be made safe: writes are refused then
        self.limited_log = LimitedLog()
        self.config_changed()

    # ------------------------------------------------------------ clients

    def new_client_id(self) -> int:
        self.next_client_id += 1
        return self.next_client_id

    def add_client(self, client: Client) -> None:
        """Register a connection that has been accepted."""
        self.clients[client.id] = client
        self.accounts.stats.total_connections_received += 1
        self.peak_clients = max(self.peak_clients, len(self.clients))

    def accept(self, connection: Channel) -> None:
        """Take a new connection in, or refuse it: too many clients, or protected mode."""
        client, transport = connection.client, connection.transport
        client.describe(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            self.process.tune_socket(sock)
        refusal = self.accept_refusal(client)
        if refusal is not None:
            self.accounts.stats.rejected_connections += 1
            parameter, text = refusal
            if parameter:
                self.limited_log.note(parameter, f"client {client.address} refused: {parameter}")
            connection.refuse(text)
            return
        self.add_client(client)

    def accept_refusal(self, client: Client) -> tuple[str, str] | None:
        """Why a new connection cannot be served: the parameter that decides, and a RESP error; None if it can."""
        if self.ending:
            return "", "ERR the server is ending"
        if self.full:
            return "maxclients", f"ERR {FULL}"
        if self.protected and not client.is_local:
            return "protected-mode", f"DENIED {PROTECTED}"
        return None

    @property
    def full(self) -> bool:
        """Whether there are as many connections as may be, those that ask for pages included."""
        return bool(len(self.clients) + self.http_connections >= self.config.maxclients)

    @property
    def protected(self) -> bool:
        """Whether only this machine is served: in protected mode, as long as there is no password."""
        return bool(self.config.protected_mode and not self.config.requirepass)

    def remove_client(self, client: Client) -> None:
        """Forget a connection that is gone."""
        if self.clients.pop(client.id, None) is not None:
            self.accounts.stats.closed_net_input_bytes += client.connection.bytes_in
            self.accounts.stats.closed_net_output_bytes += client.connection.bytes_out
        self.monitors.discard(client)
        self.watches.forget(client)
        self.waiting.forget(client)
        self.pubsub.forget(client)
        self.tracking.turn_off(client)
        self.refresh_hot()

    def config_changed(self) -> None:
        """Take over what is computed from the configuration, after CONFIG SET and at start."""
        self.accounts.config_changed()
        self.store.sessions.token_bits = self.config.token_bits
        self.store.max_string_bytes = self.config.proto_max_bulk_len
        # Sharing a batch's time is too coarse for thresholds near what a quick command takes.
        self.time_all = self.config.slow_threshold_us < 1000
        self.refresh_hot()
        self.notifier.configure(self.config.notify_keyspace_events)
        self.tracking.limit()
        if self.persistence is not None:
            self.persistence.config_changed()
        self.each_client(self.clients.values(), lambda client: client.refresh())

    def prepare_change(self, values: dict[str, Any]) -> None:
        """Do what must have worked before CONFIG SET may give parameters new values. Raises ConfigError."""
        wanted = values.get("maxclients", 0)
        if (most := self.process.most_clients(wanted)) < wanted:
            raise ConfigError(
                f"The operating system is not able to handle the specified number of clients, try with {most}",
                "maxclients",
            )
        before = self.config.bind, self.process.tcp_port
        bind, port = values.get("bind", before[0]), values.get("port", before[1])
        moves = (bind, port) != before
        if moves:
            try:
                self.process.rebind(bind, port)
            except ConfigError as error:
                raise ConfigError(str(error), "bind" if "bind" in values else "port") from error
        try:
            self.prepare_keeping(values)
        except ConfigError as error:
            if moves:
                self.process.rebind(*before)
            raise ConfigError(str(error), "appendonly" if "appendonly" in values else "save") from error

    def prepare_keeping(self, values: dict[str, Any]) -> None:
        """Begin or end to keep data as new values of parameters ask for. Raises ConfigError."""
        if self.persistence is not None:
            if "appendonly" in values:
                self.persistence.switch_log(values["appendonly"])
        elif any(
            values.get(name, False) not in (False, (), getattr(self.config, name)) for name in ("appendonly", "save")
        ):
            self.process.begin_keeping(bool(values.get("appendonly", False)))

    def allows_protected(self, client: Client | None, command: Command) -> bool:
        """Whether DEBUG or MODULE may be used by this client, or by who is none."""
        setting = getattr(self.config, f"enable_{command.text_name.partition('|')[0]}_command")
        return bool(setting == "yes" or (setting == "local" and client is not None and client.is_local))

    def feed_monitors(self, context: ServerContext, argv: list[bytes]) -> None:
        """Show a command to the clients that watch with MONITOR."""
        line = monitor_line(context, argv)
        self.each_client(self.monitors, lambda monitor: monitor.push(Simple(line)))

    def each_client(self, clients: Iterable[Client], act: Callable[[Client], object]) -> None:
        """Do something to clients. One for which that fails is closed, and the others are served all the same."""
        for client in list(clients):
            try:
                act(client)
            except Exception as error:
                client.connection.failed(error)

    @property
    def build(self) -> str:
        """Whether the hot path is compiled: ``compiled`` or ``plain``."""
        modules = [sys.modules[name] for name in _COMPILED if name in sys.modules]
        return "plain" if any(str(module.__file__).endswith(".py") for module in modules) else "compiled"

    def set_monitor(self, client: Client, watching: bool) -> None:
        """Let a client watch all commands, or no longer."""
        if client.monitoring != watching:
            client.monitoring = watching
            (self.monitors.add if watching else self.monitors.discard)(client)
            client.refresh()
            self.refresh_hot()

    def set_loading(self, loading: bool) -> None:
        """Refuse most commands while data is loaded."""
        self.loading = loading
        self.refresh_hot()

    def sessions_ended(self, sessions: Collection[Session]) -> None:
        """Tell the connections inside sessions that these are no more; those that wait there get an error."""
        ended = frozenset(sessions)

        def tell(client: Client) -> None:
            client.refresh()
            self.waiting.give_up(client, "UNBLOCKED the selected session has ended")

        self.each_client([client for client in self.clients.values() if client.session in ended], tell)

    def refresh_hot(self) -> None:
        """Choose anew whether plain commands may go straight to their handlers.

        The one dict is emptied and filled, so every connection that holds it follows at once.
        """
        straight = not (self.monitors or self.loading or self.pause.until_ms or self.time_all or self.write_fault)
        if straight and not self.hot:
            self.hot.update(self.table.hot())
        elif not straight and self.hot:
            self.hot.clear()

    # ------------------------------------------------------------ statistics

    def net_bytes(self) -> tuple[int, int]:
        """Bytes received and sent by all connections since start or CONFIG RESETSTAT."""
        received, sent = self.accounts.stats.closed_net_input_bytes, self.accounts.stats.closed_net_output_bytes
        for client in self.clients.values():
            received += client.connection.bytes_in
            sent += client.connection.bytes_out
        return received, sent


def quoted(data: bytes) -> bytes:
    """Bytes in Redis' quotes, as MONITOR and the logs show them."""
    shown = bytearray(b'"')
    for byte in data:
        shown += _QUOTED[byte]
    return bytes(shown + b'"')


_ESCAPES = {ord("\\"): b"\\\\", ord('"'): b'\\"', 10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b"}
_QUOTED = [_ESCAPES.get(byte, bytes([byte]) if 32 <= byte < 127 else b"\\x%02x" % byte) for byte in range(256)]


def monitor_line(context: ServerContext, argv: list[bytes]) -> bytes:
    """One line of MONITOR: time, database, address, arguments."""
    now = time.time_ns() // 1000
    client, index = context.client, context.keyspace.index
    session = None if client is None else client.session
    place = b"%d" % index if session is None else b"session:%d" % session.token
    words = b" ".join(map(quoted, argv))
    address = context.caller.shown
    if client is not None and client.unix_socket:
        address = f"unix:{address.removesuffix(':0')}"
    return b"%d.%06d [%s %s] %s" % (now // 10**6, now % 10**6, place, address.encode(), words)
