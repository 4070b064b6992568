"""Shared by all tests: a server without sockets, servers with sockets, and their clocks."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from januskv.commands.table import Command
from januskv.compat.commands import build_table
from januskv.compat.native.face import NativeFace
from januskv.compat.server.blocking import Wait
from januskv.compat.server.config import Config
from januskv.compat.server.connection import Connection
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import Outcomes
from januskv.compat.server.server import Server
from januskv.compat.timely.ingest import Ingest
from januskv.resp.decoder import ReplyReader
from januskv.resp.encoder import encode
from januskv.resp.inline import split_words
from januskv.resp.replies import Entries, FlatMap, Framed, SampleNumber, Shaped, Sliced, SpeltDouble
from januskv.storage.clock import ManualClock
from januskv.storage.store import Store

# Property tests try the same examples each time, and take as long as the machine needs; with JANUSKV_FUZZ_SECONDS they try others.
settings.register_profile(
    "januskv",
    deadline=None,
    derandomize=not os.environ.get("JANUSKV_FUZZ_SECONDS"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("januskv")

# What is collected stays: the garbage collector need not walk over hundreds of thousands of objects again and again.
gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks() -> Iterator[None]:
    """In this process a sync looks whether the file is open, and leaves the disk alone. Servers in processes of their own sync."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, _sync)
        yield


def _sync(fd: int) -> None:
    os.fstat(fd)


def words(command: str | bytes) -> list[bytes]:
    """A command line in redis-cli's quoting, as arguments."""
    found = split_words(command.encode() if isinstance(command, str) else command)
    assert found, command
    return found


def encoded(*argv: bytes | str | int) -> bytes:
    """A command as RESP."""
    parts = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in argv]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class FakeTransport:
    """Collects what a connection writes."""

    def __init__(self, peer: tuple[str, int] = ("127.0.0.1", 50_000)) -> None:
        self.written = b""
        self.closed = self.aborted = False
        self.peer = peer
        self.unread = 0
        self.high_water: int | None = None  # None: asyncio's default
        self.reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.closed, "read after close"
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None) -> None:
        self.high_water = high

    def write(self, data: bytes) -> None:
        assert not self.closed, "written after close"
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def get_extra_info(self, name: str) -> Any:
        return {"peername": self.peer, "sockname": ("127.0.0.1", 6379)}.get(name)

    def get_write_buffer_size(self) -> int:
        return self.unread


class Wire:
    """A client of a server without sockets: bytes in, bytes out."""

    def __init__(self, house: House, peer: tuple[str, int] = ("127.0.0.1", 50_000)) -> None:
        self.transport = FakeTransport(peer)
        self.connection = Connection(house.server, house.server.dispatcher, house.native)
        self.connection.connection_made(self.transport)

    def send(self, data: bytes) -> bytes:
        """Send bytes; return the bytes that came back."""
        self.transport.written = b""
        self.connection.data_received(data)
        return self.transport.written

    def __call__(self, *argv: bytes | str | int) -> Any:
        """Run one command; return its reply as a tagged value."""
        found = self.replies(encoded(*argv))
        assert len(found) == 1, found
        return found[0]

    def line(self, command: str) -> Any:
        """Run one command line in redis-cli's quoting."""
        return self(*words(command))

    def replies(self, data: bytes) -> list[Any]:
        """Send bytes; return the replies that came back."""
        reader = ReplyReader()
        reader.feed(self.send(data))
        found = []
        while (reply := reader.gets()) is not None:
            found.append(reply[1])
        assert not reader.buffer
        return found


class FakeTimer:
    """A call that ``House.run_timers`` makes, unless it is cancelled."""

    def __init__(self, timers: list[tuple[float, Callable[[], None]]], call: Callable[[], None]) -> None:
        self.timers, self.call = timers, call

    def cancel(self) -> None:
        self.timers[:] = [timer for timer in self.timers if timer[1] is not self.call]


class House:
    """A whole server without sockets, with a clock that stands still."""

    def __init__(self, **config: Any) -> None:
        self.clock = ManualClock()
        self.store = Store(clock=self.clock)
        self.server = Server(self.store, build_table(), Config(**{"appendonly": False, **config}))
        self.server.config.on_change = lambda parameter: self.server.config_changed()
        self.native = NativeFace(self.server)
        self.ingest = Ingest(self.server)
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.server.process.later = self.later

    def connect(self, peer: tuple[str, int] = ("127.0.0.1", 50_000)) -> Wire:
        return Wire(self, peer)

    def later(self, delay_s: float, call: Callable[[], None]) -> FakeTimer:
        self.timers.append((delay_s, call))
        return FakeTimer(self.timers, call)

    def run_timers(self, up_to_s: float = 0) -> None:
        """Make the calls due by then, and those that they schedule, until none is left."""
        while due := [timer for timer in self.timers if timer[0] <= up_to_s]:
            self.timers[:] = [timer for timer in self.timers if timer[0] > up_to_s]
            for _, call in due:
                call()

    def advance(self, ms: int) -> None:
        """Move the clock and run the periodic tasks."""
        self.clock.advance(ms)
        while self.server.upkeep.run_cron():
            pass
        self.store.sessions.check()
        for keyspace in self.store.keyspaces():
            keyspace.check()


class Caller:
    """Runs Redis commands directly from the table, without a connection: values are returned, errors raised."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.context = ServerContext(house.server)

    def __call__(self, *argv: bytes | str | int) -> Any:
        line = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in argv]
        command = self.house.server.table.find(line)
        assert command is not None, argv
        assert command.min_args <= len(line) <= command.max_args, argv
        return _plain(self.house, command, self.context, line, command.run(self.context, line))


def _plain(house: House, command: Command, context: ServerContext, line: list[bytes], result: Any) -> Any:
    """The result of a handler, as easily compared values."""
    if isinstance(result, Wait):
        return result.instead()
    if isinstance(result, Outcomes):
        return house.server.dispatcher.outcomes(command, result)
    return basic(result)


def basic(reply: Any) -> Any:
    """A reply value as basic ones, as in RESP2."""
    if isinstance(reply, FlatMap):
        return {reply.items[at]: basic(reply.items[at + 1]) for at in range(0, len(reply.items), 2)}
    if isinstance(reply, Shaped):
        return basic(reply.shape(False))
    if isinstance(reply, list | tuple):
        return type(reply)(map(basic, reply))
    if isinstance(reply, dict):
        return {key: basic(value) for key, value in reply.items()}
    if isinstance(reply, Entries | Framed | SampleNumber | SpeltDouble | Sliced):
        reader = ReplyReader()
        reader.feed(encode(reply))
        found = reader.gets()
        assert found is not None
        return found[1]
    return reply


@pytest.fixture
def call(house: House) -> Caller:
    return Caller(house)


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def make_house() -> Callable[..., House]:
    return House


@pytest.fixture
def wire(house: House) -> Wire:
    return house.connect()


# ---------------------------------------------------------------- processes


class Process:
    """A server process on ports of the kernel's choice, ended by its pid."""

    def __init__(
        self,
        argv: list[str],
        port: int,
        http_port: int,
        folder: str,
        process: subprocess.Popen[bytes],
        start_log: str = "",
    ) -> None:
        self.argv, self.port, self.http_port, self.folder, self.process = argv, port, http_port, folder, process
        self.start_log = start_log  # its log until it was ready

    @property
    def pid(self) -> int:
        return self.process.pid

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def check_identity(self, password: str = "") -> None:
        """Fail unless the server on the port is the process that was started here."""
        if "--requirepass" in self.argv:
            password = self.argv[self.argv.index("--requirepass") + 1]
        with self.connect() as sock:
            if password:
                sock.sendall(b"AUTH " + password.encode() + b"\r\n")
            sock.sendall(b"INFO server\r\n")
            text = b""
            while b"process_id:" not in text or not text.split(b"process_id:")[1].count(b"\n"):
                text += sock.recv(65536)
        assert int(text.split(b"process_id:")[1].split(b"\r\n")[0]) == self.pid


def rewrite(path: Path, data: bytes) -> None:
    """Give a file other content, as a new file: emptying one would have ext4 write it to the disk at once, which takes 2 ms."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def januskv_process(
    *options: str, environment: dict[str, str] | None = None, open_files: int | None = None, password: str = ""
) -> Iterator[Process]:
    """A januskv process on ports that the kernel chose; its start-up line names them."""
    folder = tempfile.mkdtemp(prefix="januskv-test-")
    argv = [sys.executable, "-m", "januskv", "--port", "-1", "--http-port", "-1", "--bind", "127.0.0.1"]
    argv += options if {"--save", "--appendonly", "--dir"} & set(options) else ["--save", "no", *options]
    process = subprocess.Popen(
        argv if open_files is None else ["sh", "-c", f'ulimit -n {open_files} && exec "$0" "$@"', *argv],
        cwd=folder,
        stdout=subprocess.PIPE,
        env=os.environ | (environment or {}),
    )
    assert process.stdout is not None
    line = start_log = ""
    while " ready: " not in line:
        line = process.stdout.readline().decode()
        assert line, "the server ended before it was ready"
        start_log += line
    ports = [int(part.split(",")[0].split()[0]) for part in line.split("127.0.0.1:")[1:]]
    server = Process(argv, ports[0], ports[1], folder, process, start_log)
    try:
        server.check_identity(password)
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def redis_process(*options: str) -> Iterator[Process]:
    """A redis-server process, the oracle."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    folder = tempfile.mkdtemp(prefix="januskv-redis-")
    port = free_port()
    argv = [binary, "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder, *options]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = b""
    while b"Ready to accept" not in line:
        line = process.stdout.readline()
        assert line, "redis-server ended before it was ready"
    server = Process(argv, port, 0, folder, process)
    try:
        server.check_identity()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def janus() -> Iterator[Process]:
    with januskv_process("--enable-debug-command", "yes") as server:
        yield server


@pytest.fixture(scope="session")
def oracle() -> Iterator[Process]:
    with redis_process("--enable-debug-command", "yes") as server:
        yield server


@pytest.fixture
def start_januskv() -> Iterator[Callable[..., Process]]:
    """Starts januskv processes with options of the test's own."""
    with contextlib.ExitStack() as stack:
        yield lambda *options, **more: stack.enter_context(januskv_process(*options, **more))


@pytest.fixture
def start_redis() -> Iterator[Callable[..., Process]]:
    """Starts redis-server processes with options of the test's own."""
    with contextlib.ExitStack() as stack:
        yield lambda *options: stack.enter_context(redis_process(*options))


@pytest.fixture(scope="session")
def split_line() -> Callable[[str | bytes], list[bytes]]:
    return words


@pytest.fixture(scope="session")
def encode_command() -> Callable[..., bytes]:
    return encoded
