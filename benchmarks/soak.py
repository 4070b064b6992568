"""A long mixed load: clients of all kinds come, go, block, subscribe, track, do not read and are killed.

Memory, open files and the number of clients must stay flat, and a bystander's PINGs short; both are checked all the time.
At the end the clients leave, the keys are deleted, and the rest is compared with the state after the warm-up. The log
must not contain tracebacks. The exit status is 1 if any of this fails.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import random
import re
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import hiredis
from servers import Server, compiled_tool, encode, have_the_machine, markdown, origin, started

# Keys of each type that are written; writes replace old values, so the data does not grow.
KEYS = 300
MEMBERS = 400
# How much memory may grow from the end of the warm-up to the end: allocators keep some freed memory.
MOST_GROWTH = 0.12
GROWTH_BYTES = 24 << 20
# Descriptors of snapshots and connections that are about to be closed.
SPARE_FILES = 8

# The load shares a processor with the bystander, which would otherwise wait for the load.
_LOAD_NICENESS = 10
# Pause between two pipelines of a client; without it the server would always be busy, and every client wait.
_PAUSE_S = 0.02
# Commands that examine all keys or series take milliseconds each. They are rare, and never in a transaction, which
# runs in one go.
_OVER_ALL = ("KV_FIND", "TS.MRANGE")
_SHARE_OVER_ALL = 0.1
# Commands that took longer than this are named at the end.
_SLOW_US = 4_000

Words = list[Any]


class Gone(Exception):
    """The server has closed the connection."""


class Client:
    """A RESP connection of the load."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.replies = hiredis.Reader()

    @classmethod
    async def connect(cls, port: int) -> Client:
        """A new connection. Raises OSError."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, *words: Any) -> None:
        """Send a command without waiting for its reply."""
        self.writer.write(encode(*(word if isinstance(word, bytes) else str(word).encode() for word in words)))

    async def reply(self) -> Any:
        """The next reply or message. Raises Gone."""
        while (found := self.replies.gets()) is False:
            try:
                data = await self.reader.read(1 << 16)
            except ConnectionError as error:
                raise Gone from error
            if not data:
                raise Gone
            self.replies.feed(data)
        return found

    async def ask(self, *words: Any) -> Any:
        """The reply to a command; errors are values. Raises Gone."""
        self.send(*words)
        return await self.reply()

    def leave(self) -> None:
        """Close the connection, abruptly in half of the cases."""
        if random.random() < 0.5:
            self.writer.transport.abort()
        else:
            self.writer.close()


class Load:
    """The whole load, and its counters."""

    def __init__(self, server: Server, log: Path, seed: int) -> None:
        self.server, self.log = server, log
        self.random = random.Random(seed)
        self.ending = asyncio.Event()
        self.done: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    # ------------------------------------------------------------ kinds of clients

    def command(self) -> Words:
        """A command of any type over a bounded set of keys."""
        draw = self.random
        n, m, text = draw.randrange(KEYS), draw.randrange(MEMBERS), "x" * draw.choice((1, 10, 100, 5000))
        return draw.choice(
            (
                ["SET", f"s{n}", text, "EX", draw.randrange(1, 30)],
                ["SET", f"s{n}", text],
                ["GET", f"s{n}"],
                ["APPEND", f"l{n % 5}", text[:50]],
                ["SETRANGE", f"l{n % 5}", m, "abc"],
                ["DEL", f"l{n % 5}"],
                ["INCR", f"n{n}"],
                ["MSET", f"s{n}", 1, f"s{m}", 2],
                ["HSET", f"h{n}", f"f{m}", text[:60]],
                ["HPEXPIRE", f"h{n}", draw.randrange(10, 3000), "FIELDS", 1, f"f{m}"],
                ["HGETALL", f"h{n}"],
                ["RPUSH", f"q{n}", text[:60], n, m],
                ["LPOP", f"q{n}", 3],
                ["LTRIM", f"q{n}", 0, MEMBERS],
                ["SADD", f"set{n}", m],
                ["SPOP", f"set{n}"],
                ["SINTERSTORE", f"set{m % KEYS}", f"set{n}", f"set{m % 7}"],
                ["ZADD", f"z{n}", m / 7, f"m{m}"],
                ["ZRANGE", f"z{n}", 0, -1, "WITHSCORES"],
                ["ZPOPMIN", f"z{n}"],
                ["XADD", f"x{n}", "MAXLEN", 200, "*", "a", text[:60]],
                ["XRANGE", f"x{n}", "-", "+", "COUNT", 20],
                ["PFADD", f"p{n}", m],
                ["SETBIT", f"b{n}", m * 50, 1],
                ["GEOADD", f"g{n}", m % 180, m % 80, f"m{m}"],
                ["TS.ADD", f"t{n % 40}", "*", m, "RETENTION", 2000, "ON_DUPLICATE", "LAST", "LABELS", "kind", "soak"],
                ["TS.MRANGE", "-", "+", "AGGREGATION", "avg", 100, "FILTER", "kind=soak"],
                ["EXPIRE", f"h{n}", draw.randrange(1, 60)],
                ["PEXPIRE", f"z{n}", draw.randrange(1, 5000)],
                ["RENAME", f"set{n}", f"set{m % KEYS}"],
                ["COPY", f"z{n}", f"z{m % KEYS}", "REPLACE"],
                ["UNLINK", f"x{n}", f"q{n}"],
                ["SCAN", 0, "COUNT", 50],  # abandoned
                ["HSCAN", f"h{n}", 0],
                ["SORT", f"set{n}", "LIMIT", 0, 10],
                ["KV_SET", f'{{"keys":{{"j{n}":{{"a":[{m},null],"b":"{text[:40]}"}}}}}}'],
                ["KV_FIND", '{"path":"$.a","rsp":"keys"}'],
                ["TS_ADD_EVT", f'{{"ts":"ev","t":[{m}],"evt":[{{"n":{n}}}]}}'],
                ["NOSUCH", text[:20]],
                ["LPUSH", f"s{n}", "wrong type, or not"],
                ["OBJECT", "ENCODING", f"h{n}"],
                ["MEMORY", "USAGE", f"z{n}"],
            )
        )

    async def pipelining(self) -> None:
        """Pipelines and transactions over all types, for a while."""
        client = await Client.connect(self.server.port)
        if self.random.random() < 0.5:
            await client.ask("HELLO", 3)
        for _ in range(self.random.randrange(20, 200)):
            in_transaction = self.random.random() < 0.1
            share = 0.0 if in_transaction else _SHARE_OVER_ALL
            commands = [self.command() for _ in range(self.random.choice((1, 4, 16, 64)))]
            commands = [each for each in commands if each[0] not in _OVER_ALL or self.random.random() < share]
            if in_transaction:
                commands = [["MULTI"], *commands, [self.random.choice(("EXEC", "DISCARD"))]]
            for command in commands:
                client.send(*command)
            for _ in commands:
                self.note(await client.reply())
            self.done["commands"] += len(commands)
            await asyncio.sleep(_PAUSE_S)
        client.leave()

    async def blocking(self) -> None:
        """Blocking commands of several kinds, some abandoned by disconnecting."""
        client = await Client.connect(self.server.port)
        for _ in range(20):
            n = self.random.randrange(KEYS)
            client.send(
                *self.random.choice(
                    (
                        ["BLPOP", f"q{n}", "none", 0.05],
                        ["BLMOVE", f"q{n}", f"q{n}", "LEFT", "RIGHT", 0.05],
                        ["BZPOPMIN", f"z{n}", "none", 0.05],
                        ["XREAD", "BLOCK", 50, "STREAMS", f"x{n}", "$"],
                        ["WAITAOF", 1, 0, 30],
                        ["WAIT", 1, 20],
                    )
                )
            )
            if self.random.random() < 0.1:
                break
            self.note(await client.reply())
            self.done["waits"] += 1
        client.leave()

    async def subscribing(self) -> None:
        """Reads messages of channels and of changed keys for a while."""
        client = await Client.connect(self.server.port)
        client.send("SUBSCRIBE", "news")
        client.send("PSUBSCRIBE", "__keyevent@0__:*")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.random.uniform(0.2, 2)):
                while True:
                    await client.reply()
                    self.done["messages"] += 1
        client.leave()

    async def tracking(self) -> None:
        """Reads with client-side caching, and drops invalidated keys."""
        client = await Client.connect(self.server.port)
        await client.ask("HELLO", 3)
        await client.ask("CLIENT", "TRACKING", "ON", *self.random.choice(([], ["BCAST"], ["NOLOOP"])))
        for _ in range(100):
            client.send("GET", f"s{self.random.randrange(KEYS)}")
            await client.reply()
            self.done["tracked"] += 1
            await asyncio.sleep(0.005)
        client.leave()

    async def deaf(self) -> None:
        """Requests much and reads nothing, until it is killed or disconnects."""
        client = await Client.connect(self.server.port)
        number = await client.ask("CLIENT", "ID")
        await client.ask("RPUSH", "huge", *range(2000))
        await client.ask("LTRIM", "huge", 0, 30_000)
        for _ in range(40):
            client.send("LRANGE", "huge", 0, -1)
        await asyncio.sleep(self.random.uniform(0.1, 1))
        killer = await Client.connect(self.server.port)
        self.note(await killer.ask("CLIENT", "KILL", "ID", number))
        killer.leave()
        client.leave()
        self.done["deaf"] += 1

    async def half_open(self) -> None:
        """Sends half a request, to either port, and stays for a while."""
        port, part = self.random.choice(
            (
                (self.server.port, b"*2\r\n$3\r\nGET\r\n$1000\r\nabc"),
                (self.server.port, b'{"KV_GET":{"keys":['),
                (self.server.http_port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"),
                (self.server.http_port, b""),
            )
        )
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(part)
        await asyncio.sleep(self.random.uniform(0.1, 3))
        writer.close()
        self.done["half"] += 1

    async def json_lines(self) -> None:
        """A session over JSON lines: opened, filled, ended or left to expire."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        expiry = self.random.choice(('{"duration":1,"deleteSession":true}', '{"duration":0,"deleteSession":false}'))
        writer.write(b'{"SH_NEW":{"name":"soak","expiry":%s}}\n' % expiry.encode())
        found = re.search(rb'"tkn":(\d+)', await reader.readline())
        token = found[1] if found else b"0"
        for n in range(30):
            writer.write(b'{"KV_SET":{"tkn":%s,"keys":{"k%d":[1,2,{"x":"y"}]}}}\n' % (token, n))
            writer.write(b'{"KV_GET":{"tkn":%s,"keys":["k%d"]}}\n' % (token, n))
            await reader.readline()
            await reader.readline()
            self.done["json"] += 2
        writer.write(b'{"SH_END":{"tkn":%s}}\n' % token)
        await reader.readline()
        writer.close()

    async def web_socket(self) -> None:
        """Native commands over a WebSocket, and pages of the HTTP port."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.http_port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{self.server.http_port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        for n in range(30):
            text = b'{"KV_SET":{"keys":{"w%d":{"a":%d}}}}' % (n, n)
            writer.write(bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text)
            head = await reader.readexactly(2)
            await reader.readexactly(head[1])
            self.done["websocket"] += 1
        if self.random.random() < 0.5:
            writer.write(bytes((0x88, 0x80, 0, 0, 0, 0)))
        writer.close()

    async def pages(self) -> None:
        """The pages for operators' tools."""
        async with aiohttp.ClientSession() as session:
            for path in ("metrics", "healthz", "readyz"):
                async with session.get(f"http://127.0.0.1:{self.server.http_port}/{path}") as answer:
                    await answer.read()
                    self.errors["page"] += answer.status != 200
                    self.done["pages"] += 1

    async def operating(self) -> None:
        """Operators' actions meanwhile: rewrites, saves, pauses, parameters, inspection of everything."""
        client = await Client.connect(self.server.port)
        commands: list[Words] = [
            ["BGREWRITEAOF"],
            ["KV_SAVE", '{"name":"soak"}'],
            ["CLIENT", "PAUSE", 20, "WRITE"],
            ["CLIENT", "PAUSE", 5, "ALL"],
            ["CONFIG", "SET", "slowlog-log-slower-than", 20000],
            ["INFO", "all"],
            ["CLIENT", "LIST"],
            ["SV_INFO", "{}"],
            ["SH_INFO_ALL", "{}"],
            ["LATENCY", "LATEST"],
            ["SLOWLOG", "GET", 5],
            ["PUBLISH", "news", "x" * 100],
            ["FLUSHDB"],
            ["SWAPDB", 1, 2],
            ["DBSIZE"],
            ["CONFIG", "SET", "notify-keyspace-events", self.random.choice(("", "KEA"))],
        ]
        self.note(await client.ask(*self.random.choice(commands)))
        self.done["operating"] += 1
        client.leave()

    def note(self, reply: Any) -> None:
        """Count error replies; internal errors of the server are counted separately."""
        if isinstance(reply, hiredis.ReplyError):
            text = str(reply)
            self.errors["internal" if "internal error" in text else "replies"] += 1
        elif isinstance(reply, list):
            for each in reply:
                self.note(each)

    # ------------------------------------------------------------ all of it

    async def repeat(self, act: Callable[[], Awaitable[None]], pause_s: float) -> None:
        """Repeat an action until the end. Connections that the server closes are part of it."""
        while not self.ending.is_set():
            try:
                await act()
            except (Gone, ConnectionError, asyncio.IncompleteReadError, aiohttp.ClientError):
                self.done["closed"] += 1
            await asyncio.sleep(pause_s * self.random.uniform(0.5, 1.5))


@contextlib.contextmanager
def bystander(server: Server, records: Path) -> Iterator[None]:
    """A client that only sends PING during the load; at its end ``records`` has its measurements."""
    argv = [str(compiled_tool("bystander.c")), "-p", str(server.port), "-i", "5000", "-o", str(records)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.communicate(timeout=150)
    if process.returncode:
        raise RuntimeError(f"the bystander ended with {process.returncode}")


def waits_ms(records: Path, begun_ns: int) -> Iterator[tuple[float, float]]:
    """When each PING was due, in seconds since the beginning, and how many ms it took."""
    for due_ns, waited_ns in struct.iter_unpack("=QQ", records.read_bytes()):
        yield (due_ns - begun_ns) / 1e9, waited_ns / 1e6


def measure(server: Server) -> tuple[int, int]:
    """Memory and open files of the server."""
    return server.resident_bytes(), len(os.listdir(f"/proc/{server.pid}/fd"))


def percentile(values: list[float], share: float) -> float:
    """The value below which a share of them lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


async def run(
    server: Server, log: Path, seconds: float, seed: int, every_s: float
) -> tuple[list[list[str]], list[str]]:
    """Rows of the table, and the problems found."""
    load = Load(server, log, seed)
    plan: list[tuple[Callable[[], Awaitable[None]], int, float]] = [
        (load.pipelining, 6, 0.05),
        (load.blocking, 6, 0.05),
        (load.subscribing, 3, 0.1),
        (load.tracking, 3, 0.1),
        (load.deaf, 2, 0.3),
        (load.half_open, 6, 0.1),
        (load.json_lines, 3, 0.05),
        (load.web_socket, 3, 0.05),
        (load.pages, 1, 0.5),
        (load.operating, 1, 0.7),
    ]
    tasks = [asyncio.create_task(load.repeat(act, pause)) for act, count, pause in plan for _ in range(count)]
    rows: list[list[str]] = []
    begun = time.monotonic()
    baseline = measure(server)
    while (past := time.monotonic() - begun) < seconds - 0.1:
        await asyncio.sleep(min(every_s, seconds - past))
        failed = [task for task in tasks if task.done()]
        for task in failed:
            task.result()  # raises the exception that ended it
        memory, files = measure(server)
        rows.append([f"{time.monotonic() - begun:.0f} s", f"{memory / 1e6:.1f}", str(files), f"{load.done.total():,}"])
        print(" ".join(rows[-1]), file=sys.stderr, flush=True)
        if time.monotonic() - begun < seconds / 3:
            baseline = memory, baseline[1]
    load.ending.set()
    await asyncio.gather(*tasks)
    await tell_slow(load.server)
    problems = await look_back(load, baseline)
    print(f"done: {dict(load.done)}, errors: {dict(load.errors)}", file=sys.stderr)
    return rows, problems


async def tell_slow(server: Server) -> None:
    """Print which commands took long, and how often: each delayed all other clients for that time."""
    client = await Client.connect(server.port)
    found = iter(await client.ask("LATENCY", "HISTOGRAM"))
    client.leave()
    for name, (_, calls, _, table) in zip(found, found, strict=True):
        steps = list(zip(table[::2], table[1::2], strict=True))
        slow = calls - max((count for us, count in steps if us <= _SLOW_US), default=0)
        if slow > 0:
            print(f"{name.decode()}: {slow} of {calls} calls took up to {steps[-1][0]} us", file=sys.stderr)


async def look_back(load: Load, baseline: tuple[int, int]) -> list[str]:
    """Empty the server, wait until all work in progress has ended, and compare."""
    server = load.server
    client = await Client.connect(server.port)
    await client.ask("FLUSHALL")
    await client.ask("SH_END_ALL", "{}")
    client.leave()
    for _ in range(100):
        await asyncio.sleep(0.1)
        memory, files = measure(server)
        if files <= baseline[1] + SPARE_FILES and memory <= baseline[0] * (1 + MOST_GROWTH) + GROWTH_BYTES:
            break
    problems = []
    if files > baseline[1] + SPARE_FILES:
        problems.append(f"{files} open files, {baseline[1]} at the beginning")
    if memory > baseline[0] * (1 + MOST_GROWTH) + GROWTH_BYTES:
        problems.append(f"{memory / 1e6:.1f} MB of memory, {baseline[0] / 1e6:.1f} after the warm-up")
    told = load.log.read_text(errors="replace")
    if "Traceback" in told:
        problems.append(f"a traceback in the log: {told[told.index('Traceback') :][:3000]}")
    if load.errors["internal"] or load.errors["page"]:
        problems.append(f"errors of the server's own: {dict(load.errors)}")
    for kind in ("commands", "waits", "messages", "tracked", "deaf", "json", "websocket", "pages", "operating"):
        if not load.done[kind]:
            problems.append(f"nothing was done of the kind {kind}")
    return problems


@contextlib.contextmanager
def logging_server() -> Iterator[tuple[Server, Path]]:
    """A JanusKV that logs its changes, with limits that the load approaches."""
    argv = [sys.executable, "-m", "januskv", "--port", "-1", "--http-port", "-1", "--bind", "127.0.0.1"]
    argv += ["--appendonly", "yes", "--dir", "data", "--sessions-required", "no"]
    argv += ["--auto-aof-rewrite-min-size", "8mb", "--client-output-buffer-limit", "normal 64mb 16mb 5"]
    with started("januskv", argv) as (process, log):
        deadline = time.monotonic() + 60
        while (ready := re.search(r"ready: (.*)\n", log.read_text())) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"januskv did not start: {log.read_text()[-500:]}")
            time.sleep(0.05)
        port, http_port = (int(text) for text in re.findall(r"127\.0\.0\.1:(\d+)", ready[1])[:2])
        server = Server("soak", port, http_port, process.pid)
        server.check_identity()
        yield server, log


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1800, help="how long (default: 1800)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=60, help="seconds for each row of the table (default: 60)")
    parser.add_argument("--most-p999", type=float, metavar="MS", help="fail where PING p99.9 of all is more")
    given = parser.parse_args()
    random.seed(given.seed)
    have_the_machine()
    with logging_server() as (server, log):
        records, begun_ns = log.with_name("pings"), time.monotonic_ns()
        with bystander(server, records):
            os.nice(_LOAD_NICENESS)
            rows, problems = asyncio.run(run(server, log, given.seconds, given.seed, given.every))
        waits = list(waits_ms(records, begun_ns))
    for number, row in enumerate(rows):
        here = [waited for due, waited in waits if number * given.every <= due < (number + 1) * given.every]
        row += [f"{percentile(here, share):.1f}" for share in (0.5, 0.99, 0.999, 1)]
    every = [waited for _, waited in waits]
    rows.append(["all", "", "", "", *(f"{percentile(every, share):.1f}" for share in (0.5, 0.99, 0.999, 1))])
    if given.most_p999 is not None and percentile(every, 0.999) > given.most_p999:
        problems.append(f"PING p99.9 of {percentile(every, 0.999):.1f} ms")
    print(origin())
    print(markdown(["after", "MB", "files", "done", "PING p50 ms", "p99", "p99.9", "max"], rows))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
