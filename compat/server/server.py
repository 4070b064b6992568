"""The state that all connections share: table, store, clients, configuration, statistics. No sockets."""

from __future__ import annotations

import logging
import os
import resource
import secrets
import sys
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from januskv.commands.declare import Flag
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
from .pubsub import PubSub
from .save_queue import SaveQueue
from .tracking import Tracking

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

# A connection that closes has this time to read what is left, and again as long as it reads this much in it.
_LINGER_MS: Final = 3_000
_LINGER_BYTES: Final = 1 << 19

# Clients are looked after so often, and at least so many of them each time.
_LOOK_EVERY_MS: Final = 100
_LOOKED_AT: Final = 200

# What INFO, HELLO and LOLWUT call the version of Redis whose behaviour ours follows.
REDIS_VERSION = "7.4.0"


# Why a new connection is refused, on either port.
FULL = "max number of clients reached"
PROTECTED = (
    "JanusKV is running in protected mode because protected mode is enabled and no password is "
    "set for the default user. In this mode connections are only accepted from the loopback interface. "
    "To serve other machines set a password (requirepass), or set protected-mode to no."
)


def resident_bytes() -> int:
    """Memory of this process that is in RAM; where the system does not tell, the most there has been."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return peak_resident_bytes()


def peak_resident_bytes() -> int:
    """The most memory that this process has had in RAM."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


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
        # Connections that are closing while replies are left to send: when to look whether they are read, and how
        # many bytes the client had taken at the last look. The first ones are due first.
        self.lingering: dict[Channel, tuple[int, int]] = {}
        self.watches = Watches(store.feed)
        self.waiting = Waiting(self)
        self.long_commands = LongCommands(self)
        self.pubsub = PubSub(store.feed)
        self.notifier = Notifier(self)
        self.tracking = Tracking(self)
        self.saves = SaveQueue(self)
        self.accounts = Accounts(store, table, config)
        self.outbox = Outbox()
        self.startup_memory = resident_bytes()
        self._sampled_ms = self._looked_ms = 0
        self._unlooked: list[Client] = []  # clients that have not been looked at in this round
        self._at_a_look = _LOOKED_AT
        self.started_ms = store.clock.now_ms
        self.run_id = secrets.token_hex(20)
        self.process_id = os.getpid()
        self.tcp_port = 0
        self.http_port = 0
        self.unix_socket = ""
        self.loading = False
        self.ending = False  # new connections are refused
        self.cron_paused = False  # by DEBUG PAUSE-CRON: nothing is done that time brings
        self.paused_until_ms = 0
        self.paused_writes_only = False
        self.pause_timer: Timer | None = None
        self.time_all = False  # time every command by itself, quick ones too
        self.peak_clients = 0
        self.next_client_id = 0
        self.stop: Callable[[], None] = lambda: None  # set by the composition root
        self.later: Callable[[float, Callable[[], None]], Timer] = lambda delay_s, call: (
            NoTimer()
        )  # the loop's call_later
        store.sessions.on_end = self.sessions_ended
        self.dispatcher: Dispatcher  # sets itself
        self.native: NativeRequests  # the face sets itself
        self.persistence: Persistence | None = None  # set by the composition root
        self.recovery: Recovery | None = None  # what is being loaded, while it is
        self.write_fault = ""  # why data cannot be made safe: writes are refused then
        # How many clients there is room for, up to a number; set by the composition root.
        self.most_clients: Callable[[int], int] = lambda wanted: wanted
        # Keeps data where nothing was kept so far, with a log or without; set by the composition root.
        self.begin_keeping: Callable[[bool], None] = keeps_nothing
        # Listens on other addresses, or on another port; set by the composition root.
        self.rebind: Callable[[str, int], None] = lambda bind, port: None
        self.limited_log = LimitedLog()
        self.tune_socket: Callable[[Any], None] = lambda sock: None  # set by the composition root
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
            self.tune_socket(sock)
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
        if (most := self.most_clients(wanted)) < wanted:
            raise ConfigError(
                f"The operating system is not able to handle the specified number of clients, try with {most}",
                "maxclients",
            )
        before = self.config.bind, self.tcp_port
        bind, port = values.get("bind", before[0]), values.get("port", before[1])
        moves = (bind, port) != before
        if moves:
            try:
                self.rebind(bind, port)
            except ConfigError as error:
                raise ConfigError(str(error), "bind" if "bind" in values else "port") from error
        try:
            self.prepare_keeping(values)
        except ConfigError as error:
            if moves:
                self.rebind(*before)
            raise ConfigError(str(error), "appendonly" if "appendonly" in values else "save") from error

    def prepare_keeping(self, values: dict[str, Any]) -> None:
        """Begin or end to keep data as new values of parameters ask for. Raises ConfigError."""
        if self.persistence is not None:
            if "appendonly" in values:
                self.persistence.switch_log(values["appendonly"])
        elif any(
            values.get(name, False) not in (False, (), getattr(self.config, name)) for name in ("appendonly", "save")
        ):
            self.begin_keeping(bool(values.get("appendonly", False)))

    def allows_protected(self, client: Client | None, command: Command) -> bool:
        """Whether DEBUG or MODULE may be used by this client, or by who is none."""
        setting = getattr(self.config, f"enable_{command.text_name.partition('|')[0]}_command")
        return bool(setting == "yes" or (setting == "local" and client is not None and client.is_local))

    def feed_monitors(self, context: ServerContext, argv: list[bytes]) -> None:
        """Show a command to the clients that watch with MONITOR."""
        line = monitor_line(context, argv)
        self.each_client(self.monitors, lambda monitor: monitor.push(Simple(line)))

    def tend(self) -> bool:
        """Do what time brings, ten times a second; True if there is more to do right now.

        A task that fails is logged, and tried again the next time; it keeps none of the others from running.
        """
        if self.cron_paused:
            return False
        more = not self.paused_until_ms and bool(attempted(self.store.tend))
        now_ms = self.store.clock.now_ms
        attempted(lambda: self.sample_rates(now_ms))
        if self.persistence is not None:
            more = bool(attempted(self.persistence.tend)) or more
        self.look_after_clients(now_ms)
        attempted(lambda: self.close_lingering(now_ms))
        return more

    def look_after_clients(self, now_ms: int) -> None:
        """Close those that are idle or do not read. Looks at a part of them ten times a second, at each once a second."""
        if abs(now_ms - self._looked_ms) < _LOOK_EVERY_MS:
            return
        self._looked_ms = now_ms
        if not self._unlooked:
            self._unlooked = list(self.clients.values())
            self._at_a_look = max(len(self._unlooked) // 10, _LOOKED_AT)
        some = self._unlooked[-self._at_a_look :]
        del self._unlooked[-self._at_a_look :]
        attempted(lambda: self.close_slow_readers(now_ms, some))
        if self.config.timeout and not self.paused_until_ms:
            attempted(lambda: self.close_idle(now_ms, some))

    def sample_rates(self, now_ms: int) -> None:
        """Note how far the counters are of which INFO shows the growth."""
        if now_ms - self._sampled_ms >= max(_LOOK_EVERY_MS, len(self.clients) // 10):
            self._sampled_ms = now_ms
            received, sent = self.net_bytes()
            self.accounts.rates.add("commands", now_ms, self.accounts.commands_processed)
            self.accounts.rates.add("input", now_ms, received)
            self.accounts.rates.add("output", now_ms, sent)

    def each_client(self, clients: Iterable[Client], act: Callable[[Client], object]) -> None:
        """Do something to clients. One for which that fails is closed, and the others are served all the same."""
        for client in list(clients):
            try:
                act(client)
            except Exception as error:
                client.connection.failed(error)

    def close_idle(self, now_ms: int, clients: list[Client]) -> None:
        """Close those of some clients that have neither sent nor read anything for too long; some may wait for ever."""
        since_ms = now_ms - self.config.timeout * 1000
        idle = [
            client
            for client in clients
            if client.active_ms < since_ms
            and not client.connection.lost
            and not client.monitoring
            and client.subscriptions is None
            and client not in self.waiting.by_client
            and not client.connection.has_read(now_ms)
        ]
        for client in idle:
            log.info("client %s closed: idle", client.address)
        self.each_client(idle, lambda client: client.kill())

    def linger(self, connection: Channel) -> None:
        """Let a connection that closes send what is left, for as long as the client reads it."""
        due_ms = self.store.clock.now_ms + _LINGER_MS
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
            if connection.taken_bytes - taken >= _LINGER_BYTES or connection.client in self.long_commands:
                self.linger(connection)
            else:
                log.info("client %s closed: its last replies are not read", connection.client.address)
                connection.kill()

    def close_slow_readers(self, now_ms: int, clients: list[Client]) -> None:
        """Close those of some clients that have left more unread than the soft limit of their class, for too long."""
        for client in clients:
            _, soft, seconds = self.config.output_limits(client)
            if not soft or client.connection.unread_bytes <= soft:
                client.over_soft_limit_ms = None
            elif client.over_soft_limit_ms is None:
                client.over_soft_limit_ms = now_ms
            elif now_ms - client.over_soft_limit_ms > seconds * 1000:
                self.accounts.stats.client_output_buffer_limit_disconnections += 1
                self.limited_log.note("soft output buffer", f"client {client.address} closed: soft output buffer limit")
                client.connection.abort()

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

    # ------------------------------------------------------------ CLIENT PAUSE

    def pause(self, timeout_ms: int, *, writes_only: bool) -> None:
        """Hold commands for a while. A longer pause that is in force is not shortened, nor a stricter one relaxed."""
        until_ms = self.store.clock.now_ms + timeout_ms
        self.paused_writes_only = writes_only and (self.paused_writes_only or not self.paused_until_ms)
        self.paused_until_ms = max(until_ms, self.paused_until_ms)
        self.store.feed.held = True
        self.refresh_hot()
        self.call_end_pause(self.paused_until_ms - self.store.clock.now_ms)

    def call_end_pause(self, delay_ms: int) -> None:
        """Have the pause ended after some time; there is one timer, however many pauses were asked for."""
        if self.pause_timer is not None:
            self.pause_timer.cancel()
        self.pause_timer = self.later(delay_ms / 1000, self.end_pause)

    def holds(self, command: Command, client: Client) -> bool:
        """Whether a command has to wait until a pause ends."""
        if not self.paused_until_ms:
            return False
        if not self.paused_writes_only:
            return Flag.ABOUT_CLIENTS not in command.flags
        writes = Flag.WRITE | Flag.MAY_REPLICATE
        if Flag.COMMITS in command.flags and client.queue is not None:
            return any(queued.flags & writes for queued, _ in client.queue)
        return bool(command.flags & writes) and client.queue is None

    def end_pause(self) -> None:
        """The timer of a pause: end it, unless it was prolonged meanwhile."""
        left_ms = self.paused_until_ms - self.store.clock.tick()
        if left_ms > 0:
            self.call_end_pause(left_ms)
        else:
            self.unpause()

    def unpause(self) -> None:
        """Let held commands run, in the order in which their clients connected."""
        if self.pause_timer is not None:
            self.pause_timer.cancel()
            self.pause_timer = None
        self.paused_until_ms = 0
        self.paused_writes_only = False
        self.store.feed.held = False
        self.refresh_hot()
        self.later(0, self.resume_parked)

    def parked_clients(self) -> list[Client]:
        """The clients whose next request a pause holds."""
        return [client for client in self.clients.values() if client.connection.parked is not None]

    def resume_parked(self) -> None:
        """Let the requests run that a pause has held."""
        self.each_client(self.parked_clients(), lambda client: client.connection.resume())

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
        straight = not (self.monitors or self.loading or self.paused_until_ms or self.time_all or self.write_fault)
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


def keeps_nothing(logging: bool) -> None:
    """Data cannot be kept. Raises ConfigError."""
    raise ConfigError("the server was started to keep nothing; start it with this setting")


def attempted(task: Callable[[], object]) -> object:
    """What a periodic task gives; None, and a traceback in the log, where it fails."""
    try:
        return task()
    except Exception as error:
        log.error("a periodic task has failed, it will be tried again", exc_info=error)
        return None


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
