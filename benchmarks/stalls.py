"""How long a client waits while another one keeps the server busy: JanusKV compared with redis-server.

    python benchmarks/stalls.py [--only UNLINK,KEYS] [--scale 0.1] [--rounds 3] [--repeats 4]
        [--servers redis,janus] [--tree DIR] [--before DIR] [--interval-us 1000] [--list]

For each heavy command, a bystander (load/bystander.c) sends PING each millisecond on a connection of its own, whether
or not the previous one has been answered, while another client runs the command. The table has, for each command and
server, the command's own time (the median of the rounds) and the waits of all PINGs that were due from the command's
begin to a tenth of a second after its end, when memory may still be given back: p99, p99.9 and longest.
The first row, IDLE, is the noise of machine and method: the same PINGs on a server that does nothing.

A longest wait of JanusKV over 20 ms and over that of redis-server is printed in bold. The column "disturbed" is the time
for which a server was ready to run and another program had its core; a round with much of it is measured again, a few
times at most. Run it on an otherwise idle machine, or under `nice -n -10`.

`--scale 0.1` uses a tenth of the data. `--tree DIR` measures the JanusKV (compiled in place) of another directory;
`--before DIR` adds one, for a table of before and after. At full size the largest data take 6 GB of memory; data is
created for one command at a time, or for a few that share them, and each server is ended before the next one starts.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from servers import (
    Server,
    _await_ping,
    compiled_tool,
    encode,
    free_port,
    have_the_machine,
    markdown,
    origin,
    pin_to_client_core,
    receive,
    started,
    words,
)

SERVERS = ("redis", "before", "janus")
# The longest wait that JanusKV promises.
TARGET_MS = 20.0
# PINGs due up to this long after the command's end count too.
SETTLE_S = 0.1
# A round is measured again when its server waited for its core longer than this and this share of the round.
MOST_DISTURBED_S = 0.002
MOST_DISTURBED_SHARE = 0.02
# After this time a command is given up.
LIMIT_S = 300.0

MILLION = 1_000_000
_MARKER = b"bystander-marker"
_MARKED = b"$%d\r\n%b\r\n" % (len(_MARKER), _MARKER)
_CHUNK = 2000

# The measured action. It may return a note that the table shows instead of its time.
Heavy = Callable[[], str | None]
Turns = Generator[Heavy, None, None]


# ---------------------------------------------------------------- one server and its client


@dataclass
class Bench:
    """A server of one kind, the client that keeps it busy, and the scale."""

    kind: str
    scale: float
    interval_us: int
    folder: Path
    trees: dict[str, str]
    options: tuple[str, ...] = ()
    port: int = 0
    http_port: int = 0
    server: Server | None = None
    client: socket.socket | None = None
    _running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self, *, ready: bool = True) -> None:
        """Start the server; wait until it answers, unless ``ready`` is false."""
        self.port = self.port or free_port()
        self.http_port = self.http_port or free_port()
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), *self.options]
        environment = {}
        if self.kind == "redis":
            binary = shutil.which("redis-server") or sys.exit("redis-server is not installed")
            argv = [binary, *options]
        else:
            argv = [sys.executable, "-m", "januskv", "--http-port", str(self.http_port), *options]
            if tree := self.trees.get(self.kind):
                environment = {"PYTHONPATH": str(Path(tree).resolve() / "src")}
        process, _ = self._running.enter_context(started(self.kind, argv, "compiled", environment=environment))
        self.server = Server(self.kind, self.port, self.http_port, process.pid)
        if ready:
            _await_ping(self.server, process)
            self.join()

    def join(self) -> None:
        """Connect the client that keeps the server busy."""
        assert self.server is not None
        self.server.check_identity()
        self.client = self.connect()

    def connect(self) -> socket.socket:
        """Another client."""
        assert self.server is not None
        sock = self.server.connect()
        sock.settimeout(LIMIT_S)
        return sock

    def stop(self) -> None:
        """End the server; its folder stays."""
        if self.client is not None:
            self.client.close()
        self.client = self.server = None
        self._running.close()

    def size(self, full: int) -> int:
        """A number of members, or of bytes, at the scale that was asked for."""
        return max(1, int(full * self.scale))

    def call(self, *args: bytes | str | int, may_fail: bool = False) -> bytes:
        """Run a command and read its whole reply; the reply's first bytes. Raises RuntimeError on an error."""
        return self.send(
            encode(*(arg if isinstance(arg, bytes) else str(arg).encode() for arg in args)), may_fail=may_fail
        )

    def send(self, requests: bytes, *, may_fail: bool = False) -> bytes:
        """Send requests and read all replies, which end where that to an ECHO begins."""
        assert self.client is not None
        sock = self.client
        sock.sendall(requests)
        sock.sendall(encode(b"ECHO", _MARKER))
        head, tail = b"", b""
        buffer = bytearray(1 << 20)
        while not tail.endswith(_MARKED):
            count = sock.recv_into(buffer)
            if not count:
                raise ConnectionError("closed by the server")
            if len(head) < 256:
                head += bytes(buffer[: min(count, 256)])
            tail = tail + bytes(buffer[:count]) if count < 64 else bytes(buffer[count - 64 : count])
            tail = tail[-64:]
        if head.startswith(b"-") and not may_fail:
            raise RuntimeError(f"{requests[:60]!r} was answered with {head[:200]!r}")
        return head

    def fill(self, head: Sequence[bytes], part: bytes, count: int, first: int = 0) -> None:
        """Run ``head`` with numbered parts: ``part`` is RESP, eight ``#`` in it stand for a number."""
        per = part.count(b"$")
        for at in range(first, first + count, _CHUNK):
            number = min(_CHUNK, first + count - at)
            begin = b"*%d\r\n" % (len(head) + per * number) + encode(*head).partition(b"\n")[2]
            self.send(begin + numbered(part, at, number))

    def run_each(self, command: bytes, count: int, first: int = 0) -> None:
        """Run numbered commands: ``command`` is RESP, eight ``#`` in it stand for a number."""
        for at in range(first, first + count, _CHUNK):
            self.send(numbered(command, at, min(_CHUNK, first + count - at)))

    def wait_for(self, section: str, name: str, wanted: Callable[[str], bool]) -> None:
        """Wait until a field of INFO is as wanted."""
        assert self.server is not None
        limit = time.monotonic() + LIMIT_S
        while not wanted(self.server.info(section).get(name, "")):
            if time.monotonic() > limit:
                raise RuntimeError(f"{name} of INFO {section} does not come to its end")
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait until the server has little to do, but not forever."""
        assert self.server is not None
        for _ in range(20):
            before = self.server.cpu_seconds()
            time.sleep(0.5)
            if self.server.cpu_seconds() - before < 0.05:
                return

    def idle(self, seconds: float = 3.0) -> str:
        """Do nothing; return how much processor time the server uses meanwhile."""
        assert self.server is not None
        before, since = self.server.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        return f"CPU {(self.server.cpu_seconds() - before) / (time.monotonic() - since):.0%}"


def numbered(template: bytes, first: int, count: int) -> bytes:
    """The template ``count`` times, with consecutive numbers where it has eight ``#``."""
    rows: npt.NDArray[np.uint8] = np.tile(np.frombuffer(template, np.uint8), (count, 1))
    number = np.arange(first, first + count)
    for place in re.finditer(rb"########", template):
        for digit in range(8):
            rows[:, place.end() - 1 - digit] = 48 + number // 10**digit % 10
    return rows.tobytes()


def bulk(text: bytes) -> bytes:
    """An argument as RESP."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


# ---------------------------------------------------------------- what is measured


@dataclass(frozen=True)
class Scenario:
    """A heavy command: its data, and its preparation before each round."""

    name: str
    about: str
    rounds: Callable[[Bench], Turns]
    data: Callable[[Bench], None] | None
    only_janus: bool
    offline: bool
    forks: bool
    options: tuple[str, ...]


SCENARIOS: list[Scenario] = []
_IN_MEMORY = ("--save", "", "--appendonly", "no")
_LOGGED = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")


def scenario(
    name: str,
    about: str,
    data: Callable[[Bench], None] | None = None,
    *,
    only_janus: bool = False,
    offline: bool = False,
    forks: bool = False,
    options: tuple[str, ...] = _IN_MEMORY,
) -> Callable[[Callable[[Bench], Turns]], None]:
    """Declare a scenario: a generator that makes ready before each ``yield`` and yields what is measured.

    Neighbours with the same ``data`` and ``options`` share a server. ``offline``: the server is started by what is
    measured. ``forks``: a child of the server shares its core, which does not count as a disturbance.
    """

    def declare(rounds: Callable[[Bench], Turns]) -> None:
        SCENARIOS.append(Scenario(name, about, rounds, data, only_janus, offline, forks, options))

    return declare


def simple(
    name: str, about: str, data: Callable[[Bench], None], *command: bytes | str | int, only_janus: bool = False
) -> None:
    """Declare a scenario that is one command, which leaves the data as they are."""

    def rounds(bench: Bench) -> Turns:
        def run() -> None:
            bench.call(*command)

        while True:
            yield run

    scenario(name, about, data, only_janus=only_janus)(rounds)


def keys(bench: Bench) -> None:
    """5 M keys with values of 20 bytes."""
    bench.fill([b"MSET"], bulk(b"key:########") + bulk(b"x" * 20), bench.size(5 * MILLION))


def million_of_everything(bench: Bench) -> None:
    """A sorted set, a set twice, a hash and a list with a million members each."""
    count = bench.size(MILLION)
    for name in (b"z", b"z2"):
        bench.fill(
            [b"ZADD", name], bulk(b"########") + bulk(b"member:########"), count, 0 if name == b"z" else count // 2
        )
    for name in (b"s", b"s2"):
        bench.fill([b"SADD", name], bulk(b"member:########"), count, 0 if name == b"s" else count // 2)
    bench.fill([b"HSET", b"h"], bulk(b"field:########") + bulk(b"value:########"), count)
    bench.fill([b"RPUSH", b"l"], bulk(b"########"), count)


@scenario("IDLE", "nothing is run: the noise")
def idle(bench: Bench) -> Turns:
    while True:
        yield bench.idle


# ---- sweeps over 5 M keys

simple(
    "KV_FIND",
    "KV_FIND, 5 M keys, no hit",
    keys,
    b'{"KV_FIND":{"rsp":"keys","path":"$.none"}}',
    only_janus=True,
)
simple("KV_KEYS", "KV_KEYS, 5 M keys", keys, b'{"KV_KEYS":{}}', only_janus=True)


def _export(bench: Bench, cursor: bytes, count: int) -> bytes:
    head = bench.call(b'{"SV_EXPORT":{"from":0,"cnt":%d,"cursor":%b}}' % (count, cursor))
    cursor_member = re.search(rb'"cursor":(\d+)', head)
    if cursor_member is None:
        raise RuntimeError(f"SV_EXPORT was answered with {head!r}")
    return cursor_member[1]


@scenario("SV_EXPORT", "SV_EXPORT of 5 M keys in one call", keys, only_janus=True)
def sv_export(bench: Bench) -> Turns:
    def run() -> None:
        _export(bench, b"0", 5 * MILLION)

    while True:
        yield run


@scenario("SV_EXPORT_ALL", "SV_EXPORT of 5 M keys, 1,000 a call", keys, only_janus=True)
def sv_export_all(bench: Bench) -> Turns:
    def run() -> None:
        cursor = b"0"
        while (cursor := _export(bench, cursor, 1000)) != b"0":
            pass

    while True:
        yield run


simple("KEYS", "KEYS *, 5 M keys", keys, b"KEYS", b"*")


def _scan(bench: Bench, cursor: bytes, count: int) -> bytes:
    return bench.call(b"SCAN", cursor, b"COUNT", count).split(b"\r\n")[2]


@scenario("SCAN", "SCAN, the second call, 5 M keys", keys)
def scan_second(bench: Bench) -> Turns:
    while True:
        cursor = _scan(bench, b"0", 10)

        def run(cursor: bytes = cursor) -> None:
            _scan(bench, cursor, 10)

        yield run


@scenario("SCAN_ALL", "SCAN of 5 M keys, 1,000 a call", keys)
def scan_all(bench: Bench) -> Turns:
    def run() -> None:
        cursor = b"0"
        while (cursor := _scan(bench, cursor, 1000)) != b"0":
            pass

    while True:
        yield run


@scenario("FLUSHALL", "FLUSHALL of 5 M keys", keys)
def flushall(bench: Bench) -> Turns:
    def run() -> None:
        bench.call(b"FLUSHALL")

    while True:
        yield run
        keys(bench)


# ---- many clients, many sessions


def _sessions(count: int) -> Callable[[Bench], Turns]:
    def rounds(bench: Bench) -> Turns:
        body = b'{"SH_NEW":{"name":"user:########","expiry":{"duration":86400,"deleteSession":true}}}'
        bench.run_each(encode(body), bench.size(count))
        bench.settle()
        while True:
            yield bench.idle

    return rounds


scenario("SESSIONS_100K", "100,000 sessions, idle", only_janus=True)(_sessions(100_000))
scenario("SESSIONS_300K", "300,000 sessions, idle", only_janus=True)(_sessions(300_000))


@scenario("UNREAD_LRANGE", "400 clients that do not read an LRANGE of 5 MB, idle")
def unread_lrange(bench: Bench) -> Turns:
    bench.fill([b"RPUSH", b"l"], bulk(b"%032d########" % 0), 100_000)
    with contextlib.ExitStack() as stack:
        for _ in range(bench.size(400)):
            sock = socket.socket()
            stack.enter_context(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", bench.port))
            sock.sendall(encode(b"LRANGE", b"l", b"0", b"-1"))
        bench.call(b"PING")
        bench.settle()
        while True:
            yield bench.idle


@scenario("UNREAD_SETS", "100,000 SETs in one write by a client that does not read")
def unread_sets(bench: Bench) -> Turns:
    count = bench.size(100_000)
    requests = numbered(encode(b"SET", b"key:########", b"x" * 20), 0, count)

    while True:
        bench.call(b"FLUSHALL")
        with bench.connect() as sock:

            def run(sock: socket.socket = sock) -> None:
                sock.sendall(requests)
                while not bench.call(b"EXISTS", b"key:%08d" % (count - 1)).startswith(b":1"):
                    time.sleep(0.001)

            yield run


# ---- large messages


def _web_socket(bench: Bench) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", bench.http_port), timeout=LIMIT_S)
    key = base64.b64encode(os.urandom(16))
    sock.sendall(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % (bench.http_port, key)
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += receive(sock, 1)
    if b" 101 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(f"no WebSocket: {head!r}")
    return sock


@scenario("WS_60MB", "KV_SET of 60 MB in a WebSocket message", only_janus=True)
def web_socket_message(bench: Bench) -> Turns:
    text = b'{"KV_SET":{"keys":{"big":"' + b"x" * bench.size(60 * MILLION) + b'"}}}'
    mask = os.urandom(4)
    covered = np.frombuffer(text.ljust(-(-len(text) // 4) * 4), np.uint32) ^ np.frombuffer(mask, np.uint32)
    frame = b"\x81\xff" + len(text).to_bytes(8, "big") + mask + covered.tobytes()[: len(text)]
    with _web_socket(bench) as sock:

        def run() -> None:
            sock.sendall(frame)
            head = receive(sock, 2)
            reply = receive(sock, head[1])
            if b'"st":1' not in reply:
                raise RuntimeError(f"KV_SET was answered with {bytes(reply[:200])!r}")

        while True:
            yield run


@scenario("SET_60MB", "SET of 60 MB")
def set_60mb(bench: Bench) -> Turns:
    request = encode(b"SET", b"big", b"x" * bench.size(60 * MILLION))

    def run() -> None:
        bench.send(request)

    while True:
        yield run


@scenario("TS_EMPTY", "TS.MRANGE with EMPTY, 20 M buckets of 20 series", only_janus=True)
def ts_mrange_empty(bench: Bench) -> Turns:
    for number in range(20):
        bench.call(b"TS.CREATE", b"t%d" % number, b"LABELS", b"kind", b"far")
        bench.call(b"TS.MADD", b"t%d" % number, 0, 1, b"t%d" % number, bench.size(MILLION), 2)

    def run() -> str | None:
        head = bench.call(
            *(b"TS.MRANGE", b"-", b"+", b"AGGREGATION", b"avg", 1, b"EMPTY", b"FILTER", b"kind=far"), may_fail=True
        )
        return "refused" if head.startswith(b"-") else None

    while True:
        yield run


# ---- freeing


def _freeing(verb: bytes) -> Callable[[Bench], Turns]:
    def rounds(bench: Bench) -> Turns:
        bench.fill([b"SADD", b"source"], bulk(b"member:########"), bench.size(15 * MILLION))

        def run() -> None:
            bench.call(verb, b"s1", b"s2", b"s3")

        while True:
            for name in (b"s1", b"s2", b"s3"):
                bench.call(b"SUNIONSTORE", name, b"source")
            time.sleep(1)
            yield run

    return rounds


scenario("UNLINK", "UNLINK of three sets of 15 M members")(_freeing(b"UNLINK"))
scenario("DEL", "DEL of three sets of 15 M members")(_freeing(b"DEL"))


@scenario("EXPIRY", "1 M keys expire at once")
def expiry(bench: Bench) -> Turns:
    count = bench.size(MILLION)
    assert bench.server is not None
    while True:
        before = int(bench.server.info("stats")["expired_keys"])
        due_ms = int(time.time() * 1000) + max(3000, int(20_000 * bench.scale))
        bench.run_each(encode(b"SET", b"key:########", b"x" * 20, b"PXAT", b"%d" % due_ms), count)
        time.sleep(max(0.0, due_ms / 1000 - 0.2 - time.time()))

        def run(wanted: int = before + count) -> None:
            bench.wait_for("stats", "expired_keys", lambda text: int(text) >= wanted)

        yield run


# ---- strings of 500 MB


def long_string(bench: Bench) -> None:
    """A string of 500 MB, as SET stores it."""
    assert bench.client is not None
    size = bench.size(500 * MILLION)
    bench.client.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n" % size)
    piece = bytes(range(256)) * 4096
    for at in range(0, size, len(piece)):
        bench.client.sendall(piece[: size - at])
    bench.send(b"\r\n")


@scenario("APPEND", "10 APPENDs to a string of 500 MB")
def append(bench: Bench) -> Turns:
    request = encode(b"APPEND", b"big", b"0123456789") * 10

    def run() -> None:
        bench.send(request)

    while True:
        bench.call(b"DEL", b"big")
        long_string(bench)
        yield run


simple("BITCOUNT", "BITCOUNT of 500 MB", long_string, b"BITCOUNT", b"big")

# ---- collections of a million

simple("ZRANGE", "ZRANGE 0 -1 WITHSCORES, 1 M", million_of_everything, b"ZRANGE", b"z", 0, -1, b"WITHSCORES")


@scenario("ZREMRANGEBYRANK", "ZREMRANGEBYRANK of 1 M", million_of_everything)
def zremrangebyrank(bench: Bench) -> Turns:
    def run() -> None:
        bench.call(b"ZREMRANGEBYRANK", b"copy", 0, -1)

    while True:
        bench.call(b"COPY", b"z", b"copy")
        time.sleep(0.5)
        yield run


simple("ZUNIONSTORE", "ZUNIONSTORE of 2 x 1 M", million_of_everything, b"ZUNIONSTORE", b"dest", 2, b"z", b"z2")
simple("SMEMBERS", "SMEMBERS, 1 M", million_of_everything, b"SMEMBERS", b"s")
simple("SINTERSTORE", "SINTERSTORE of 2 x 1 M", million_of_everything, b"SINTERSTORE", b"dest", b"s", b"s2")
simple("HGETALL", "HGETALL, 1 M", million_of_everything, b"HGETALL", b"h")
simple("LRANGE", "LRANGE 0 -1, 1 M", million_of_everything, b"LRANGE", b"l", 0, -1)
simple("SORT", "SORT of a list, 1 M", million_of_everything, b"SORT", b"l")

# ---- many commands, or many keys, in one


@scenario("MSET", "MSET of 100,000 keys")
def mset(bench: Bench) -> Turns:
    count = bench.size(100_000)
    parts = numbered(bulk(b"key:########") + bulk(b"x" * 20), 0, count)
    request = b"*%d\r\n$4\r\nMSET\r\n" % (1 + 2 * count) + parts

    def run() -> None:
        bench.send(request)

    while True:
        bench.call(b"FLUSHALL")
        yield run


@scenario("EXEC", "EXEC of 100,000 SETs")
def exec_many(bench: Bench) -> Turns:
    assert bench.client is not None
    count = bench.size(100_000)
    queued = numbered(encode(b"SET", b"key:########", b"x" * 20), 0, count)

    def run() -> None:
        bench.call(b"EXEC")

    while True:
        bench.call(b"FLUSHALL")
        sock = bench.client
        sock.sendall(encode(b"MULTI") + queued)
        answer = b"+OK\r\n" + b"+QUEUED\r\n" * count
        if receive(sock, len(answer)) != answer:
            raise RuntimeError("a command was not queued")
        yield run


# ---- saving and loading


@scenario("BGSAVE", "BGSAVE of 5 M keys", keys, forks=True, options=_LOGGED)
def bgsave(bench: Bench) -> Turns:
    def run() -> None:
        bench.call(b"BGSAVE")
        bench.wait_for("persistence", "rdb_bgsave_in_progress", "0".__eq__)

    while True:
        bench.wait_for("persistence", "aof_rewrite_in_progress", "0".__eq__)
        yield run


@scenario("BGREWRITEAOF", "BGREWRITEAOF of 5 M keys", keys, forks=True, options=_LOGGED)
def bgrewriteaof(bench: Bench) -> Turns:
    def run() -> None:
        bench.call(b"BGREWRITEAOF")
        time.sleep(0.05)
        bench.wait_for("persistence", "aof_rewrite_in_progress", "0".__eq__)

    while True:
        bench.wait_for("persistence", "aof_rewrite_in_progress", "0".__eq__)
        yield run


@scenario("LOAD", "start with 5 M keys in the log", keys, offline=True, options=_LOGGED)
def load(bench: Bench) -> Turns:
    def run() -> None:
        bench.start(ready=False)
        limit = time.monotonic() + LIMIT_S
        while True:
            assert bench.server is not None
            with contextlib.suppress(ConnectionRefusedError), bench.connect() as sock:
                sock.sendall(b"EXISTS key:00000000\r\n")
                if sock.recv(1) == b":":
                    break
            if time.monotonic() > limit:
                raise RuntimeError("the server does not load its data")
            time.sleep(0.02)
        bench.join()

    while True:
        bench.wait_for("persistence", "aof_rewrite_in_progress", "0".__eq__)
        bench.stop()
        yield run


def million_keys(bench: Bench) -> None:
    """1 M keys with values of 20 bytes."""
    bench.fill([b"MSET"], bulk(b"key:########") + bulk(b"x" * 20), bench.size(MILLION))


@scenario("KV_SAVE", "KV_SAVE of 1 M keys", million_keys, only_janus=True, forks=True)
def kv_save(bench: Bench) -> Turns:
    def run() -> None:
        head = bench.call(b'{"KV_SAVE":{"name":"stalls"}}')
        if b'"st":121' not in head:
            raise RuntimeError(f"KV_SAVE was answered with {head!r}")

    while True:
        yield run


# ---------------------------------------------------------------- measuring


@dataclass
class Round:
    """The result of one run of a heavy command."""

    seconds: float
    note: str | None
    waited_ms: npt.NDArray[np.float64]
    disturbed_s: float


def _ready_to_run_s(pid: int) -> float:
    """For how long the server's thread was runnable but waited: another program had its core."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def measure(bench: Bench, heavy: Heavy, *, offline: bool) -> Round:
    """Run a heavy command beside the bystander. Raises RuntimeError when one of them fails."""
    records = bench.folder / "pings"
    argv = [str(compiled_tool("bystander.c")), "-p", str(bench.port), "-i", str(bench.interval_us), "-o", str(records)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=pin_to_client_core
    ) as bystander:
        assert bystander.stdout is not None
        try:
            if not offline and not bystander.stdout.readline():
                raise RuntimeError("the bystander was not answered")
            before_s = 0.0 if bench.server is None else _ready_to_run_s(bench.server.pid)
            begun = time.monotonic_ns()
            note = heavy()
            ended = time.monotonic_ns()
            time.sleep(SETTLE_S)
            assert bench.server is not None
            disturbed_s = _ready_to_run_s(bench.server.pid) - before_s
            _, problems = bystander.communicate(timeout=LIMIT_S)
        except BaseException:
            bystander.kill()
            raise
    if bystander.returncode:
        raise RuntimeError(problems.decode().strip() or f"the bystander ended with {bystander.returncode}")
    due, waited = np.fromfile(records, np.uint64).reshape(-1, 2).astype(np.int64).T
    records.unlink()
    counted = waited[(due >= begun) & (due <= ended + int(SETTLE_S * 1e9))]
    return Round((ended - begun) / 1e9, note, np.sort(counted) / 1e6, disturbed_s)


def measured(bench: Bench, each: Scenario, rounds: int, most_repeats: int) -> list[Round]:
    """``rounds`` rounds of a scenario; a disturbed one is repeated, up to ``most_repeats`` times in all."""
    results: list[Round] = []
    repeats = 0
    turns = each.rounds(bench)
    with contextlib.closing(turns):
        while len(results) < rounds:
            one = measure(bench, next(turns), offline=each.offline)
            limit_s = MOST_DISTURBED_S + MOST_DISTURBED_SHARE * one.seconds
            if one.disturbed_s > limit_s and not each.forks and repeats < most_repeats:
                repeats += 1
                continue
            results.append(one)
    return results


def cells(results: list[Round]) -> tuple[str, list[float], float]:
    """The command's own time, p99, p99.9 and longest wait of the PINGs, and the longest disturbance."""
    waited = np.sort(np.concatenate([one.waited_ms for one in results]))
    note = results[len(results) // 2].note
    own = note or f"{statistics.median(one.seconds for one in results) * 1000:,.0f}"
    at = [float(waited[min(len(waited) - 1, int(len(waited) * share))]) for share in (0.99, 0.999, 1.0)]
    return own, at, max(one.disturbed_s for one in results) * 1000


def groups(chosen: list[Scenario]) -> Iterator[list[Scenario]]:
    """Consecutive scenarios that share data and options, and so a server."""
    group: list[Scenario] = []
    for each in chosen:
        if group and not (each.data is not None and (each.data, each.options) == (group[0].data, group[0].options)):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def run_group(group: list[Scenario], kind: str, given: argparse.Namespace) -> dict[str, list[Round]]:
    """All scenarios of a group on one server."""
    mine = [each for each in group if kind != "redis" or not each.only_janus]
    if not mine:
        return {}
    results: dict[str, list[Round]] = {}
    trees = {"janus": given.tree, "before": given.before}
    with tempfile.TemporaryDirectory(prefix="januskv-stalls-") as folder:
        bench = Bench(kind, given.scale, given.interval_us, Path(folder), trees, mine[0].options)
        try:
            bench.start()
            if mine[0].data is not None:
                mine[0].data(bench)
            for each in mine:
                print(f"{each.name} on {kind}", file=sys.stderr, flush=True)
                try:
                    results[each.name] = measured(bench, each, given.rounds, given.repeats)
                except (RuntimeError, OSError) as error:
                    print(f"{each.name} on {kind} failed: {error}", file=sys.stderr, flush=True)
                    break  # the state of its server is unknown
        finally:
            bench.stop()
    return results


def number(value: float) -> str:
    """Milliseconds with their significant digits."""
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def table(chosen: list[Scenario], servers: list[str], results: dict[tuple[str, str], list[Round]]) -> str:
    """The Markdown table."""
    rows = []
    for each in chosen:
        figures = {kind: cells(results[each.name, kind]) for kind in servers if (each.name, kind) in results}
        if not figures:
            continue
        best = max(TARGET_MS, figures["redis"][1][2] if "redis" in figures else 0.0)
        row = [each.about, *(figures[kind][0] if kind in figures else "" for kind in servers)]
        for at in range(3):
            for kind in servers:
                text = number(figures[kind][1][at]) if kind in figures else ""
                late = at == 2 and kind != "redis" and kind in figures and figures[kind][1][at] > best
                row.append(f"**{text}**" if late else text)
        rows.append([*row, number(max(each[2] for each in figures.values()))])
    what = ("time", "PING p99", "p99.9", "longest")
    heads = ["while another client runs", *(f"{name}, {kind}" for name in what for kind in servers), "disturbed"]
    return markdown(heads, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = [each.name for each in SCENARIOS]
    parser.add_argument("--only", type=words(*names), default=names, metavar="NAME,...", help="see --list")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full data size; default 1")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=4, help="of rounds that were disturbed, at most; default 4")
    parser.add_argument("--servers", type=words(*SERVERS), help="default redis,janus")
    parser.add_argument("--tree", help="measure the JanusKV of this directory")
    parser.add_argument("--before", help="measure the JanusKV of this directory too")
    parser.add_argument("--interval-us", type=int, default=1000, help="between two PINGs; default 1000")
    parser.add_argument("--list", action="store_true", help="print the names of the heavy commands")
    given = parser.parse_args()
    if given.list:
        print("\n".join(f"{each.name:16} {each.about}" for each in SCENARIOS))
        return
    chosen = [each for each in SCENARIOS if each.name in given.only]
    servers = given.servers or ["redis", *(["before"] if given.before else []), "janus"]
    if "before" in servers and not given.before:
        parser.error("the server 'before' needs --before DIR")
    have_the_machine()
    pin_to_client_core()
    results: dict[tuple[str, str], list[Round]] = {}
    expected = 0
    for group in groups(chosen):
        for kind in servers:
            expected += sum(kind != "redis" or not each.only_janus for each in group)
            for name, rounds in run_group(group, kind, given).items():
                results[name, kind] = rounds
    print(origin())
    print(f"Milliseconds; {given.rounds} rounds; a PING each {given.interval_us / 1000:g} ms; scale {given.scale:g}.\n")
    print(table(chosen, servers, results))
    sys.exit(len(results) < expected)


if __name__ == "__main__":
    main()
