"""The composition root: builds the server, opens its listeners, runs its periodic tasks, and ends it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import uvloop

from . import __version__, plain_reason
from .compat.commands import build_table
from .compat.native.face import NativeFace
from .compat.native.saves import load_at_start
from .compat.server.acl.files import FileError
from .compat.server.acl.rules import RuleError
from .compat.server.busy import Door
from .compat.server.config import Config
from .compat.server.connection import Connection
from .compat.server.faults import RespError
from .compat.server.logs import NOTICE
from .compat.server.parameters import ConfigError, Parameter
from .compat.server.process import build
from .compat.server.server import Server
from .compat.server.upkeep import attempted
from .compat.timely.connection import TimelyConnection
from .compat.timely.datagrams import Datagrams
from .compat.timely.ingest import Ingest
from .http import HttpListener
from .open_files import TooFewFiles, fit_clients, most_clients
from .process import (
    LOG_LEVELS,
    Foreground,
    Supervisor,
    go_to_background,
    open_standard_files,
    pid_file,
    reopen_log,
    set_up_logging,
)
from .process_title import still_shown
from .redis_files import hints
from .storage.clock import ShiftedClock
from .storage.durability.generations import DirectoryTaken, Recovery
from .storage.durability.journal import Opening
from .storage.durability.records import Damaged
from .storage.durability.saves import BadSave
from .storage.errors import KeyHoldsSeries
from .storage.store import Store

log = logging.getLogger("januskv")

# At shutdown an idle connection gets this long to read its replies.
_GRACE_S = 1.0
_FREEZE_EVERY_S = 30.0
# With at most this many memory blocks more than at the start, a full collection costs a few milliseconds.
_SMALL_HEAP = 200_000
# Garbage collector thresholds: young objects per collection, and collections before older generations are examined;
# examining 10,000 objects costs about 1 ms.
_YOUNG_OBJECTS = 25_000
_YOUNG_ROUNDS = 4
# While data is loaded, clients are served this often.
_LOAD_SLICE_S = 0.01
# Below this size loading is finished before a log line about it would help.
_LONG_LOAD_BYTES = 10_000_000


# How redis.conf writes "all addresses".
_ANYWHERE = {"*": "0.0.0.0", "::*": "::"}

# Datagrams taken before others are served, and how often it is checked whether points are accepted again.
_MOST_DATAGRAMS = 64
_DATAGRAMS_AGAIN_S = 0.05
_MOST_DATAGRAM_BYTES = 65536
# The port of datagrams; the others are for connections.
_UDP = "timely-udp-port"
# The ports by parameter, and where their numbers are kept.
_LISTENERS = {
    "port": "tcp_port",
    "http-port": "http_port",
    "timely-port": "timely_port",
    _UDP: "timely_udp_port",
    "tls-port": "tls_port",
    "tls-http-port": "tls_http_port",
    "tls-timely-port": "tls_timely_port",
}
# Those of the data port, which are heard while a script runs long.
_DATA = ("port", "tls-port")


class StartError(Exception):
    """The server cannot start; the text says why."""


class DatagramListener:
    """Receives the datagrams of some sockets. Those that come before it begins, or while points wait, stay in the kernel."""

    def __init__(self, datagrams: Datagrams, sockets: list[socket.socket]) -> None:
        self.datagrams = datagrams
        self.sockets = sockets
        self.timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Begin to receive datagrams."""
        self.timer = None
        loop = asyncio.get_running_loop()
        for sock in self.sockets:
            loop.add_reader(sock, self.read, sock)

    def read(self, sock: socket.socket) -> None:
        """Receive the datagrams of a socket."""
        for _ in range(_MOST_DATAGRAMS):
            if self.datagrams.waits:
                self.rest()
                return
            try:
                data, address = sock.recvfrom(_MOST_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # an ICMP error for something never sent: no reason to end the listener
                log.warning("receiving datagrams: %s", error.strerror)
                return
            self.datagrams.take(data, address)

    def rest(self) -> None:
        """Leave datagrams in the kernel for a while."""
        self.end_reading()
        self.timer = asyncio.get_running_loop().call_later(_DATAGRAMS_AGAIN_S, self.begin)

    def end_reading(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self.sockets:
            loop.remove_reader(sock)

    def close(self) -> None:
        """Stop receiving datagrams."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        else:
            self.end_reading()
        for sock in self.sockets:
            sock.close()
        self.sockets = []


Listener = asyncio.Server | DatagramListener


class Adopted(asyncio.Protocol):
    """Hands the transport of a socket to a connection that has lived without one."""

    def __init__(self, connection: Any, unsent: bytes) -> None:
        self.connection = connection
        self.unsent = unsent

    def connection_made(self, transport: Any) -> None:
        """The loop serves the socket from now on."""
        transport.set_protocol(self.connection)
        self.connection.transport = transport
        if self.unsent:
            transport.write(self.unsent)
        if self.connection.closing:
            transport.close()


def _duplicate(sock: Any) -> socket.socket:
    """A listening socket that can be closed without closing the listener's."""
    return socket.socket(sock.family, sock.type, sock.proto, fileno=os.dup(sock.fileno()))


class App:
    """A running server process, or one of several servers in a test."""

    def __init__(self, config: Config, store: Store | None = None) -> None:
        for name in ("timely-database", "ditto-database"):
            if getattr(config, name.replace("-", "_")) >= config.databases:
                raise StartError(f"{name}: there is no such database")
        if store is None:
            clock = ShiftedClock() if config.enable_debug_command != "no" else None
            store = Store(config.databases, clock)
        self.config = config
        self.server = Server(store, build_table(), config)
        self.native = NativeFace(self.server)
        self.http = HttpListener(self.server, self.native)
        self.ingest = Ingest(self.server)
        self.listeners: list[Listener] = []
        # (which port, address as configured, its number) -> the listener
        self.bound: dict[tuple[str, str, int], list[Listener]] = {}
        self.opening: set[asyncio.Task[Any]] = set()  # listeners whose sockets are open already
        self.factories: dict[str, Callable[[], Any]] = {"port": self.connect, "timely-port": self.connect_timely}
        self.factories |= {
            f"tls-{name}": partial(self.connect_tls, name) for name in ("port", "http-port", "timely-port")
        }
        self.ended = asyncio.Event()
        self.supervisor = Supervisor("no")
        self.ending = False
        self.save_refused = False  # a signal did not end the server because the snapshot failed
        self.failed = False  # acknowledged data could not be written at the end
        self._cron_timer: asyncio.TimerHandle | None = None
        self._freezing: asyncio.TimerHandle | None = None
        self._blocks_at_start = sys.getallocatedblocks()  # memory blocks; small objects take one each
        self._unix_path = ""
        self._unix_listener: asyncio.Server | None = None

    # ------------------------------------------------------------ start

    async def start(self) -> None:
        """Open all listeners. Raises StartError, with nothing left open."""
        loop = asyncio.get_running_loop()
        process = self.server.process
        process.later = loop.call_later
        self.server.outbox.soon = loop.call_soon
        self.server.process.stop = self.stop
        self.server.process.tune_socket = self.tune_socket
        self.server.process.exit_now = self.exit_now
        self.server.busy.doors = self.doors
        self.server.busy.adopt = self.adopt
        self.server.process.begin_keeping = lambda logging: self.server.begin_keeping(
            logging, loop.call_soon_threadsafe
        )
        self.server.process.rebind = self.rebind
        self.config.on_change = self.config_changed
        try:
            self.server.users.begin()
        except (RuleError, FileError) as error:
            raise StartError(f"users: {error}") from None
        if self.config.aclfile and self.config.requirepass:
            log.warning("'requirepass' gives way to the default user of the ACL file, if that has one")
        opening = self.open_directory()
        self.server.state.set_loading(True)
        try:
            self.server.tls.use(self.server.tls.prepare({}))
            self.factories["http-port"] = await self.http.start()
            for name, attribute in _LISTENERS.items():
                setattr(process, attribute, await self.listen(name, getattr(self.config, name.replace("-", "_"))))
            await self.listen_unix()
        except ConfigError as error:
            if opening is not None:
                opening.abandon()
            await self.close()
            raise StartError(f"{error.parameter}: {error}") from error
        except OSError as error:
            if opening is not None:
                opening.abandon()
            await self.close()
            raise StartError(error.strerror or str(error)) from error
        try:
            await self.load(opening)
            if self.ending:
                return
            self.load_save()
            self.look_for_redis_data()
        except StartError:
            await self.close()
            raise
        self.server.state.set_loading(False)
        self.config_changed(None)
        self.begin_datagrams()
        self.run_cron()
        self.freeze()
        if build() == "plain":
            log.warning("running as plain Python, which is slower: %s", plain_reason())
        log.log(NOTICE, "%s", self.ready_line())

    def open_directory(self) -> Opening | None:
        """Lock the data directory, if data is persisted. Raises StartError."""
        config = self.config
        if not config.keeps_data:
            return None
        try:
            return Opening(config.dir, self.server.store, cut_torn_tail=config.log_load_truncated)
        except DirectoryTaken as error:
            raise StartError(f"{error}; 'dir' names another directory, 'save no' keeps nothing") from error
        except Damaged as error:
            raise StartError(str(error)) from error
        except OSError as error:
            reason = error.strerror or error
            raise StartError(
                f"data directory {config.dir}: {reason}; 'dir' names another, 'save no' keeps nothing"
            ) from error

    async def load(self, opening: Opening | None) -> None:
        """Load the data directory, if there is one; clients get LOADING errors meanwhile. Raises StartError."""
        if opening is None:
            return
        started = time.monotonic()
        path, server = self.config.dir, self.server
        server.state.set_recovery(opening.recovery)
        gc.disable()  # there is no garbage yet, and searching for it would take longer than loading
        try:
            await self.replay(opening.recovery)
            if self.ending:
                log.log(NOTICE, "ended while loading, nothing has been changed")
                opening.abandon()
                return
            journal = opening.journal(logging=self.config.appendonly)
        except (Damaged, OSError) as error:
            opening.abandon()
            if isinstance(error, Damaged):
                raise StartError(f"{error}; 'januskv check-log {path}' says more") from error
            raise StartError(f"data directory {path}: {error.strerror or error}") from error
        finally:
            gc.freeze()  # or the first collection would examine everything loaded
            gc.enable()
            server.state.set_recovery(None)
        persistence = server.keep(journal, asyncio.get_running_loop().call_soon_threadsafe)
        seconds = time.monotonic() - started
        log.log(NOTICE, "%s: %d keys loaded in %.3f seconds", path, persistence.keys_loaded, seconds)

    async def replay(self, recovery: Recovery) -> None:
        """Load in slices, until all is loaded or the server is to end. Raises Damaged, OSError."""
        told = time.monotonic()
        if recovery.total_bytes >= _LONG_LOAD_BYTES:
            log.log(NOTICE, "loading %s, %.0f MB", self.config.dir, recovery.total_bytes / 1e6)
        while not self.ending and not recovery.go_on(_LOAD_SLICE_S):
            self.server.store.free_some()
            await asyncio.sleep(0)
            if time.monotonic() - told >= 1:
                told = time.monotonic()
                log.log(NOTICE, "loading: %.0f %%, %.0f s left", 100 * recovery.share, recovery.left_s())

    def look_for_redis_data(self) -> None:
        """Log that files of redis-server in the directory are not loaded, if there is no data of ours."""
        if not any(len(each) for each in self.server.store.keyspaces()):
            for hint in hints([self.config.dir, "."]):
                log.warning("%s", hint)

    def load_save(self) -> None:
        """Load the save that the configuration names. Raises StartError."""
        name = self.server.config.load_name
        if name:
            try:
                log.log(NOTICE, "%s", load_at_start(self.server, name))
            except (BadSave, KeyHoldsSeries, OSError) as error:
                raise StartError(f"the save {name!r} cannot be loaded: {error}") from error

    def connect(self) -> Any:
        """Create the protocol of a new connection to the data port."""
        return Connection(self.server, self.server.dispatcher, self.native)

    def exit_now(self) -> None:
        """End the process as it is: a script has the thread, and what it has changed is not to be kept."""
        log.log(NOTICE, "ending while a script runs, without what it has changed")
        logging.shutdown()
        if self._unix_path:
            os.unlink(self._unix_path)
        os._exit(0)

    def doors(self) -> list[Door]:
        """What new connections to the data port come through, for who accepts them while the loop cannot."""
        found = [
            (each, self.factories[place[0]])
            for place, listeners in self.bound.items()
            for each in listeners
            if place[0] in _DATA and not isinstance(each, DatagramListener)
        ]
        if self._unix_listener is not None:
            found.append((self._unix_listener, self.connect))
        return [(_duplicate(sock), make) for listener, make in found for sock in listener.sockets]

    def adopt(self, sock: socket.socket, connection: Any, unsent: bytes) -> None:
        """Give the loop a connection that was accepted without it."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(lambda: Adopted(connection, unsent), sock))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    def connect_tls(self, name: str) -> Any:
        """Create the protocol of a new connection to a port with TLS; what is inside is that of the port of this name."""
        return self.server.tls.stream(self.factories[name])

    def connect_timely(self) -> Any:
        """Create the protocol of a new connection to Timely's port."""
        return TimelyConnection(self.server, self.ingest)

    def begin_datagrams(self) -> None:
        """Begin to receive datagrams, including those that came while data was loaded."""
        for listener in self.listeners:
            if isinstance(listener, DatagramListener):
                listener.begin()

    async def listen(self, name: str, port: int) -> int:
        """Bind every configured address on one port (0 in the configuration: no listener at all); return the port.

        The port -1 asks the kernel for one, which all addresses then share.
        """
        if port == 0:
            return 0
        port = max(port, 0)
        loop = asyncio.get_running_loop()
        for word in self.config.bind.split():
            address, optional = word.lstrip("-"), word.startswith("-")
            host = _ANYWHERE.get(address, address)
            listener: Listener
            try:
                if name == _UDP:
                    sockets = open_sockets(host, port)
                    port = sockets[0].getsockname()[1]
                    listener = DatagramListener(Datagrams(self.ingest), sockets)
                else:
                    listener = await loop.create_server(
                        self.factories[name], host, port, backlog=self.config.tcp_backlog, reuse_address=True
                    )
                    port = listener.sockets[0].getsockname()[1]
            except OSError as error:
                if optional:
                    continue
                raise OSError(error.errno, f"cannot bind {host}:{port}: {error.strerror or error}") from error
            self.listeners.append(listener)
            self.bound[name, address, port] = [listener]
        return port

    def rebind(self, bind: str, port: int, tls_port: int) -> None:
        """Change the listening addresses, and the numbers of the data ports; connections stay. Raises ConfigError.

        New sockets are opened before old ones are closed. So an address that overlaps an old one ('*') cannot be bound to
        the same port.
        """
        if self.ending:
            raise ConfigError("the server is ending")
        fresh: dict[tuple[str, str, int], list[socket.socket]] = {}
        wanted: set[tuple[str, str, int]] = set()
        process = self.server.process
        numbers = {name: getattr(process, attribute) for name, attribute in _LISTENERS.items()}
        numbers |= {"port": port, "tls-port": tls_port}
        try:
            for name, number in numbers.items():
                for word in bind.split() if number else []:
                    address, number = word.lstrip("-"), max(numbers[name], 0)
                    if (name, address, number) not in self.bound:
                        try:
                            backlog = None if name == _UDP else self.config.tcp_backlog
                            sockets = open_sockets(_ANYWHERE.get(address, address), number, backlog)
                        except OSError:
                            if word.startswith("-"):
                                continue
                            raise
                        number = numbers[name] = sockets[0].getsockname()[1]
                        fresh[name, address, number] = sockets
                    wanted.add((name, address, number))
        except OSError as error:
            for sockets in fresh.values():
                for sock in sockets:
                    sock.close()
            raise ConfigError(
                "Failed to bind to specified addresses."
                if bind != self.config.bind
                else "Unable to listen on this port. Check server logs."
            ) from error
        for place, sockets in fresh.items():
            self.bound[place] = []
            if place[0] == _UDP:
                datagrams = DatagramListener(Datagrams(self.ingest), sockets)
                datagrams.begin()
                self.bound[place].append(datagrams)
                self.listeners.append(datagrams)
                continue
            for sock in sockets:
                task = asyncio.get_running_loop().create_task(self.serve_socket(place, sock))
                self.opening.add(task)
                task.add_done_callback(self.opening.discard)
        for place in self.bound.keys() - wanted:
            for listener in self.bound.pop(place):
                self.listeners.remove(listener)
                listener.close()
        process.tcp_port, process.tls_port = numbers["port"], numbers["tls-port"]
        tls = f", with TLS port {process.tls_port}" if process.tls_port else ""
        log.log(NOTICE, "listening on %s, port %d%s", bind or "no address", process.tcp_port, tls)

    async def serve_socket(self, place: tuple[str, str, int], sock: socket.socket) -> None:
        """Accept connections on a listening socket."""
        listener = await asyncio.get_running_loop().create_server(
            self.factories[place[0]], sock=sock, backlog=self.config.tcp_backlog
        )
        if self.ending or place not in self.bound:  # no longer wanted
            listener.close()
            return
        self.bound[place].append(listener)
        self.listeners.append(listener)

    async def listen_unix(self) -> None:
        """Bind the unix socket, if one is configured; a stale one from an earlier run is replaced."""
        path = self.config.unixsocket
        if not path:
            return
        loop = asyncio.get_running_loop()
        if os.path.exists(path) and _is_served(path):
            raise OSError(98, f"cannot bind {path}: another server listens there")
        if os.path.exists(path):
            os.unlink(path)
        try:
            self._unix_listener = await loop.create_unix_server(self.connect, path)
            self.listeners.append(self._unix_listener)
        except OSError as error:
            raise OSError(error.errno, f"cannot bind {path}: {error.strerror or error}") from error
        self._unix_path = self.server.process.unix_socket = path
        permissions = int(self.config.unixsocketperm, 8)
        if permissions:
            os.chmod(path, permissions)

    def ready_line(self) -> str:
        """The listeners, for the log."""
        host = (self.config.bind.split() or ["no address"])[0].lstrip("-")
        parts = []
        if self.server.process.tcp_port:
            parts.append(f"RESP and JSON lines on {host}:{self.server.process.tcp_port}")
        if self.server.process.http_port:
            parts.append(f"HTTP and WebSocket on {host}:{self.server.process.http_port}")
        if self._unix_path:
            parts.append(f"unix socket {self._unix_path}")
        if self.server.process.timely_port:
            parts.append(f"Timely lines on {host}:{self.server.process.timely_port}")
        for port, what in (
            (self.server.process.tls_port, "RESP and JSON lines"),
            (self.server.process.tls_http_port, "HTTP and WebSocket"),
            (self.server.process.tls_timely_port, "Timely lines"),
        ):
            if port:
                parts.append(f"{what} with TLS on {host}:{port}")
        if self.server.process.timely_udp_port:
            parts.append(f"Timely datagrams on {host}:{self.server.process.timely_udp_port}")
        return f"JanusKV {__version__} ({build()}, pid {os.getpid()}) ready: {', '.join(parts)}"

    # ------------------------------------------------------------ running

    def run_cron(self) -> None:
        """Run the periodic tasks (expiry, idle clients, statistics), then schedule the next run."""
        if self.ending:
            return
        loop = asyncio.get_running_loop()
        more = attempted(self.server.upkeep.run_cron)
        delay_s = 0.005 if more else 1 / self.config.hz
        self._cron_timer = loop.call_later(delay_s, self.run_cron)

    def freeze(self) -> None:
        """Exclude long-lived objects from garbage collection: examining them would stall the loop.

        A full collection costs 30 to 270 ms for each million containers, so it is done only while
        there are few; later only young objects are examined. Frozen objects that become cyclic garbage are
        never freed; so connections drop the references to their clients, and values do not refer to themselves.
        """
        if self.ending:
            return
        self._freezing = asyncio.get_running_loop().call_later(_FREEZE_EVERY_S, self.freeze)
        gc.set_threshold(_YOUNG_OBJECTS, _YOUNG_ROUNDS, sys.maxsize >> 32)
        if sys.getallocatedblocks() < self._blocks_at_start + _SMALL_HEAP:
            gc.unfreeze()
            gc.collect()
        else:
            gc.collect(1)
        gc.freeze()

    def config_changed(self, parameter: Parameter | None) -> None:
        """Apply a changed parameter (None: all) to everything derived from the configuration."""
        logging.getLogger("januskv").setLevel(LOG_LEVELS[self.config.loglevel])
        self.server.config_changed()

    def tune_socket(self, sock: socket.socket) -> None:
        """Set a new connection's options; unix sockets have none."""
        seconds = self.config.tcp_keepalive
        if sock.family == socket.AF_UNIX or not seconds:
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(seconds // 3, 1))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)

    # ------------------------------------------------------------ end

    def signalled(self) -> None:
        """End the server in order, with a snapshot if it needs one; if that fails, only a second signal ends it."""
        persistence = self.server.persistence
        if persistence is not None and not self.ending and not self.save_refused:
            try:
                persistence.save_at_end()
            except RespError as error:
                self.save_refused = True
                log.error("not ending: %s; a second signal ends the server without it", error.text.removeprefix("ERR "))
                return
        self.stop()

    def stop(self) -> None:
        """End the server in order; the second call ends the process immediately.

        After it returns no client is served: writes after the last snapshot would be lost.
        """
        if self.ending:
            log.warning("forced to exit")
            os._exit(1)
        self.ending = True
        self.server.state.end()
        self.supervisor.tell("STOPPING=1")
        log.log(NOTICE, "ending: closing %d connections", len(self.server.clients))
        self._refuse_all()
        asyncio.get_running_loop().create_task(self._end())

    def _refuse_all(self) -> None:
        """Stop accepting connections and requests; clients get the replies to earlier ones."""
        for listener in self.listeners:
            listener.close()
        self.server.tls.end()
        self.server.clients.each(self.server.clients.everyone(), lambda client: client.close())

    async def _end(self) -> None:
        try:
            await self.close()
        finally:
            self.ended.set()

    async def close(self) -> None:
        """Close listeners and connections, giving clients a moment to read their replies."""
        self.ending = True
        self.server.state.end()
        for timer in (self._cron_timer, self._freezing):
            if timer is not None:
                timer.cancel()
        self._refuse_all()
        await self.http.stop()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _GRACE_S
        while self.server.clients and loop.time() < deadline:
            await asyncio.sleep(0.01)
        for client in self.server.clients.everyone():
            client.connection.abort()
        if self._unix_path and os.path.exists(self._unix_path):
            os.unlink(self._unix_path)
        self.server.saves.close()
        if self.server.persistence is not None:
            try:
                self.server.persistence.close()
            except OSError as error:
                self.failed = True
                log.error("the last changes could not be written: %s", error.strerror)
            self.server.keep_no_more()


def open_sockets(host: str, port: int, backlog: int | None = None) -> list[socket.socket]:
    """Listening sockets for all addresses of a host (without a backlog: for datagrams); port 0: the kernel chooses one.

    Raises OSError.
    """
    kind_wanted = socket.SOCK_DGRAM if backlog is None else socket.SOCK_STREAM
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(
            socket.getaddrinfo(host, port, type=kind_wanted, flags=socket.AI_PASSIVE)
        ):
            sock = socket.socket(family, kind, protocol)
            sockets.append(sock)
            if backlog is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setblocking(False)
            sock.bind(address)
            if backlog is not None:
                sock.listen(backlog)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


# ---------------------------------------------------------------- the process


async def serve(config: Config, starter: Foreground) -> bool:
    """Run a server until a signal or SHUTDOWN ends it. Returns whether it ended without errors. Raises StartError."""
    try:
        fit_clients(config, NOTICE)
    except TooFewFiles as error:
        raise StartError(str(error)) from error
    app = App(config)
    app.server.process.most_clients = most_clients
    app.supervisor = Supervisor(config.supervised)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.signalled)
    loop.add_signal_handler(signal.SIGHUP, reopen_log)
    await app.start()
    if not app.ending:
        app.supervisor.tell(f"READY=1\nSTATUS={app.ready_line()}")
        starter.ready()
    await app.ended.wait()
    log.log(NOTICE, "JanusKV has ended, bye")
    return not app.failed


def run(config: Config) -> int:
    """Run a server as a process. Returns the exit status."""
    open_standard_files()
    try:
        set_up_logging(config)
    except OSError as error:
        print(f"januskv: logfile {config.logfile}: {error.strerror}", file=sys.stderr)
        return 1
    if still_shown():
        log.warning(
            "others can read the password in the list of processes: give it in a file (--config)"
            " or in the environment (JANUSKV_REQUIREPASS)"
        )
    if config.idle:
        log.warning("these parameters of redis.conf have no effect here: %s", ", ".join(config.idle))
    starter = Foreground()
    if config.daemonize and config.supervised == "no":
        side = go_to_background()
        if isinstance(side, int):
            return side
        starter = side
    try:
        with pid_file(config.pidfile):
            ended_well = uvloop.run(serve(config, starter))
    except StartError as error:
        log.error("cannot start: %s", error)
        return 1
    return 0 if ended_well else 1
