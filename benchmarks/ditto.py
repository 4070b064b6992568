"""Events of sensors: stored in batches of 1,000, read, and looked for by a member, beside other stores; what an event takes of memory.

    python benchmarks/ditto.py [--events 1000000] [--rounds 3] [--stores januskv,sqlite,redis,influxdb] [--ways plain,log,index]

JanusKV takes JSON lines over the HTTP API of Ditto, Redis fields in a stream by pipelined XADD, InfluxDB its line protocol. SQLite is in
the process of the client, without a connection: a table of times and texts in a file with a write-ahead log (synchronous=NORMAL). Rows are the same and
requests made beforehand; each store has a way without persistence (SQLite and InfluxDB know none), JanusKV and Redis one with their log
(appendfsync everysec), and all but Redis one in which the member is indexed before the rows come: by SQLite as an expression, by
InfluxDB as a tag. Stores and ways take turns within a round and each begins empty.

Then 100,000 events are read at once, and those of one sensor out of a thousand; what comes back is received and not parsed. The processor time is that of
the server's process, to a second after the end of what it was asked. Last another client sends PING each millisecond (load/bystander.c) to JanusKV only,
while it does the same again. Servers have one core and the client another.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import hiredis
import numpy as np
import orjson
from series_stores import SeriesStore, installed, series_store
from servers import (
    Server,
    encode,
    expect,
    have_the_machine,
    januskv,
    markdown,
    origin,
    pin_to_client_core,
    receive,
    redis_server,
    words,
)
from timely import LIMIT_S, Rate, timed, with_pings

START_MS = 1_700_000_000_000
STEP_MS = 100
SENSORS = 1000
BATCH = 1000
READ = 100_000
REPEATS = 5
# Of every line: the time, with which all lines begin alike.
TIME = len('{"_time":"2023-11-14T22:13:20.000Z",')
WANTED = "s007"
SERIES = "/api/v1/timeseries/bench"
WAYS = ("plain", "log", "index")


def lines_of(events: int) -> Iterator[bytes]:
    """So many events of sensors in turn, as JSON lines."""
    chance = random.Random(1)
    second, text = 0, ""
    for number in range(events):
        time_ms = START_MS + number * STEP_MS
        if time_ms // 1000 != second:
            second = time_ms // 1000
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        event = {
            "_time": f"{text}.{time_ms % 1000:03}Z",
            "sensor": f"s{number % SENSORS:03}",
            "site": f"lon{chance.randrange(7)}",
            "celsius": round(chance.uniform(-5, 30), 2),
            "humidity": chance.randrange(100),
            "pascal": chance.randrange(98_000, 104_000),
            "volt": round(chance.uniform(3, 4.2), 2),
            "ok": chance.random() >= 0.01,
        }
        yield orjson.dumps(event) + b"\n"


def document(line: bytes) -> bytes:
    """The text of an event without its time."""
    return b"{" + line[TIME:-1]


def batches(pieces: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """What is sent at once."""
    return (pieces[at : at + BATCH] for at in range(0, len(pieces), BATCH))


# ---------------------------------------------------------------- stores


class Store(Protocol):
    """A store with the rows. ``pid`` is the process that does its work."""

    pid: int

    def prepare(self, lines: Sequence[bytes]) -> list[Any]:
        """The requests that store rows."""

    def put(self, requests: list[Any]) -> None:
        """Send them."""

    def read(self) -> int:
        """Receive the first rows; how many came."""

    def find(self) -> int:
        """Receive the rows of one sensor; how many came."""

    def used(self) -> tuple[int | None, int | None]:
        """Bytes that the process has in RAM; and those that the store says it needs for the rows."""


class Janus:
    """JanusKV by HTTP."""

    def __init__(self, server: Server, index: bool) -> None:
        self.server, self.pid = server, server.pid
        self.http = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=LIMIT_S)
        # What serves requests is loaded by the first one.
        for path in ("/api/v1/timeseries/warm", SERIES):
            self.ask("POST", f"{path}/indexes", b'{"path":"sensor"}')
        self.ask("POST", "/api/v1/timeseries/warm/events", b'{"_time":"2023-11-14T22:13:20Z","sensor":"s007"}')
        self.ask("GET", "/api/v1/timeseries/warm/events?filter=sensor=='s007'")
        if not index:
            self.ask("DELETE", f"{SERIES}/indexes?path=sensor")

    def ask(self, method: str, target: str, body: bytes = b"") -> bytes:
        """The body of the answer to a request. Raises RuntimeError on an error."""
        self.http.request(method, target, body or None)
        answer = self.http.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{target}: {answer.status} {data[:300]!r}")
        return data

    def prepare(self, lines: Sequence[bytes]) -> list[Any]:
        return [b"".join(batch) for batch in batches(lines)]

    def put(self, requests: list[Any]) -> None:
        for body in requests:
            self.ask("POST", f"{SERIES}/events", body)

    def read(self) -> int:
        return self.ask("GET", f"{SERIES}/events?limit={READ}").count(b"\n")

    def find(self) -> int:
        filtered = urllib.parse.quote(f"sensor == '{WANTED}'")
        found = self.ask("GET", f"{SERIES}/events?limit={READ}&timeout_millis=60000&filter={filtered}")
        return found.count(b'"_time"')

    def used(self) -> tuple[int | None, int | None]:
        return self.server.resident_bytes(), usage(self.server)


def usage(server: Server) -> int:
    """MEMORY USAGE of all of the key."""
    with server.connect() as sock:
        sock.sendall(encode(b"MEMORY", b"USAGE", b"bench", b"SAMPLES", b"0"))
        found = sock.recv(100)
    return int(found[1:]) if found.startswith(b":") else 0


class Redis:
    """A stream of Redis."""

    def __init__(self, server: Server) -> None:
        self.server, self.pid = server, server.pid
        self.sock = server.connect()
        self.size = 0  # of the answer with the rows

    def prepare(self, lines: Sequence[bytes]) -> list[Any]:
        requests = []
        for number, batch in enumerate(batches(lines)):
            ids = [b"%d-0" % (START_MS + STEP_MS * (BATCH * number + at)) for at in range(len(batch))]
            adds = (encode(b"XADD", b"bench", name, *fields(line[:-1])) for name, line in zip(ids, batch, strict=True))
            requests.append((b"".join(adds), b"".join(b"$%d\r\n%b\r\n" % (len(name), name) for name in ids)))
        return requests

    def put(self, requests: list[Any]) -> None:
        for request, reply in requests:
            expect(self.sock, request, reply)

    def read(self) -> int:
        self.sock.sendall(encode(b"XRANGE", b"bench", b"-", b"+", b"COUNT", b"%d" % READ))
        if self.size:
            receive(self.sock, self.size)
        else:  # the first one tells how long it is
            reader = hiredis.Reader()
            while (found := reader.gets()) is False:
                piece = self.sock.recv(1 << 16)
                self.size += len(piece)
                reader.feed(piece)
            return len(found)
        return READ

    def find(self) -> int:
        raise NotImplementedError("streams have no filters")

    def used(self) -> tuple[int | None, int | None]:
        return self.server.resident_bytes(), usage(self.server)


def fields(line: bytes) -> Iterator[bytes]:
    """Names and values of an event, without its time."""
    for name, value in orjson.loads(line).items():
        if name != "_time":
            yield name.encode()
            yield value.encode() if isinstance(value, str) else orjson.dumps(value)


class Sqlite:
    """A table of SQLite in this process."""

    def __init__(self, folder: str, index: bool) -> None:
        self.pid = os.getpid()
        self.file = Path(folder) / "events.db"
        self.base = sqlite3.connect(self.file, isolation_level=None)
        self.base.execute("PRAGMA journal_mode=WAL")
        self.base.execute("PRAGMA synchronous=NORMAL")
        self.base.execute("CREATE TABLE events (time INTEGER PRIMARY KEY, event TEXT NOT NULL)")
        if index:
            self.base.execute("CREATE INDEX sensor ON events (json_extract(event, '$.sensor'))")

    def prepare(self, lines: Sequence[bytes]) -> list[Any]:
        rows = [((START_MS + STEP_MS * at) * 10**6, document(line).decode()) for at, line in enumerate(lines)]
        return list(batches(rows))

    def put(self, requests: list[Any]) -> None:
        for rows in requests:
            self.base.execute("BEGIN")
            self.base.executemany("INSERT OR REPLACE INTO events VALUES (?, ?)", rows)
            self.base.execute("COMMIT")

    def read(self) -> int:
        return len(self.base.execute("SELECT time, event FROM events ORDER BY time LIMIT ?", [READ]).fetchall())

    def find(self) -> int:
        where = "json_extract(event, '$.sensor') = ?"
        query = f"SELECT time, event FROM events WHERE {where} ORDER BY time LIMIT ?"
        return len(self.base.execute(query, [WANTED, READ]).fetchall())

    def used(self) -> tuple[int | None, int | None]:
        self.base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return None, self.file.stat().st_size


class Influx:
    """A measurement of InfluxDB; with an index the sensor is a tag."""

    def __init__(self, store: SeriesStore, index: bool) -> None:
        self.store, self.pid = store, store.pid
        self.form = b"bench,sensor=%b %b %d\n" if index else b'bench sensor="%b",%b %d\n'
        store.empty()

    def prepare(self, lines: Sequence[bytes]) -> list[Any]:
        rows = []
        for at, line in enumerate(lines):
            sensor, *rest = self.members(orjson.loads(document(line)))
            rows.append(self.form % (sensor, b",".join(rest), START_MS + STEP_MS * at))
        return [b"".join(batch) for batch in batches(rows)]

    @staticmethod
    def members(event: dict[str, Any]) -> Iterator[bytes]:
        """The name of the sensor, then all else as fields."""
        yield event.pop("sensor").encode()
        for name, value in event.items():
            text = orjson.dumps(value).decode()
            yield f"{name}={text}{'i' if type(value) is int else ''}".encode()

    def put(self, requests: list[Any]) -> None:
        for body in requests:
            self.store.write(body)

    def read(self) -> int:
        self.ask(f"SELECT * FROM bench LIMIT {READ}")
        return READ

    def find(self) -> int:
        self.ask(f"SELECT * FROM bench WHERE sensor = '{WANTED}' LIMIT {READ}")
        return 0  # not counted

    def ask(self, query: str) -> None:
        self.store.ask("GET", "/query", {"db": "bench", "epoch": "ns", "q": query})

    def used(self) -> tuple[int | None, int | None]:
        return None, None


@contextlib.contextmanager
def store_of(name: str, way: str) -> Iterator[Store]:
    """An empty store. The way is one of ``ways_of``."""
    if name == "januskv":
        with januskv(logging=way == "log") as server:
            yield Janus(server, way == "index")
    elif name == "redis":
        with redis_server(logging=way == "log") as server:
            yield Redis(server)
    elif name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="januskv-bench-") as folder:
            yield Sqlite(folder, way == "index")
    else:
        with series_store(name) as store:
            yield Influx(store, way == "index")


def ways_of(name: str, wanted: Sequence[str]) -> list[str]:
    """The ways of a store that there are."""
    missing = {"januskv": "", "redis": "index"}.get(name, "log")
    return [way for way in wanted if way != missing]


# ---------------------------------------------------------------- figures


@dataclass(frozen=True)
class Found:
    """What one store did in one way."""

    put: Rate
    read: Rate  # of one reading
    find_s: float | None
    resident_bytes: int | None  # what the process grew by
    told_bytes: int | None


def measured(name: str, way: str, lines: Sequence[bytes]) -> Found:
    """Fill a store and ask it."""
    with store_of(name, way) as store:
        before = store.used()[0]
        put = stored(store, lines)
        resident, told = store.used()
        read = timed(store.pid, lambda: repeat(lambda: check(store.read(), READ)))
        find_s = None
        if name != "redis":
            wanted = len(lines) // SENSORS if name != "influxdb" else 0
            find_s = statistics.median(seconds(lambda: check(store.find(), wanted)) for _ in range(REPEATS))
    grown = None if resident is None or before is None else resident - before
    return Found(put, Rate(read.seconds / REPEATS, read.cpu_s / REPEATS), find_s, grown, told)


def stored(store: Store, lines: Sequence[bytes]) -> Rate:
    """Store all rows by requests that are gone afterwards."""
    requests = store.prepare(lines)
    return timed(store.pid, lambda: store.put(requests))


def repeat(act: Callable[[], None]) -> None:
    for _ in range(REPEATS):
        act()


def check(found: int, wanted: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{found} rows came, and not {wanted}")


def seconds(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def table(args: argparse.Namespace, found: dict[tuple[str, str], list[Found]]) -> str:
    """Medians of the rounds."""
    rows = []
    for (name, way), rounds in found.items():

        def median(of: Callable[[Found], float | None], rounds: list[Found] = rounds) -> float | None:
            known = [value for each in rounds if (value := of(each)) is not None]
            return statistics.median(known) if known else None

        figures = [
            (median(lambda each: args.events / each.put.seconds / 1000), "{:.0f}"),
            (median(lambda each: each.put.cpu_s / args.events * 1e6), "{:.2f}"),
            (median(lambda each: READ / each.read.seconds / 1000), "{:,.0f}"),
            (median(lambda each: each.read.cpu_s / READ * 1e6), "{:.2f}"),
            (median(lambda each: None if each.find_s is None else each.find_s * 1000), "{:.1f}"),
            (median(lambda each: None if each.resident_bytes is None else each.resident_bytes / args.events), "{:.0f}"),
            (median(lambda each: None if each.told_bytes is None else each.told_bytes / args.events), "{:.0f}"),
        ]
        shown = name if way == "plain" else f"{name}, {way}"
        rows.append([shown, *("" if value is None else form.format(value) for value, form in figures)])
    heads = [f"{args.events:,} events", "thousand a second in", "µs CPU each", "thousand a second out", "µs CPU each"]
    heads += ["1 of 1,000, ms", "bytes of RAM each", "bytes as told"]
    return markdown(heads, rows)


def gains(found: dict[tuple[str, str], list[Found]]) -> str:
    """How much faster the rows of one sensor are found by an index: medians of the rounds."""
    told = []
    for name in dict.fromkeys(name for name, _ in found):
        if (name, "plain") in found and (name, "index") in found:
            pairs = zip(found[name, "plain"], found[name, "index"], strict=True)
            ratio = statistics.median(plain.find_s / index.find_s for plain, index in pairs)  # type: ignore[operator]
            told.append(f"{name} {ratio:.0f}")
    return f"One sensor without index beside with it, times: {', '.join(told)}." if told else ""


def pings(lines: Sequence[bytes]) -> str:
    """What PINGs of another client wait while JanusKV is busy with one."""
    rows = []
    with januskv() as server:
        store = Janus(server, index=False)
        requests = store.prepare(lines)
        for shown, act in (
            ("nothing", lambda: time.sleep(2)),
            ("events come in", lambda: store.put(requests)),
            (f"{READ:,} go out, {4 * REPEATS} times", lambda: [store.read() for _ in range(4 * REPEATS)]),
            (
                f"one sensor is looked for, {REPEATS} times",
                lambda: repeat(lambda: check(store.find(), len(lines) // SENSORS)),
            ),
        ):
            waited = with_pings(server, act)
            rows.append([shown, *(f"{np.percentile(waited, share):.2f}" for share in (50, 99, 99.9, 100))])
    return markdown(["PING meanwhile, ms", "p50", "p99", "p99.9", "longest"], rows)


def main() -> None:
    known = ["januskv", "sqlite", "redis", *(name for name in installed() if name == "influxdb")]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stores", type=words("januskv", "sqlite", "redis", "influxdb"), default=known)
    parser.add_argument("--ways", type=words(*WAYS), default=list(WAYS))
    args = parser.parse_args()
    if args.events < READ:
        parser.error(f"--events is to be {READ} or more")
    have_the_machine()
    pin_to_client_core()
    lines = list(lines_of(args.events))
    text = sum(map(len, lines)) / len(lines)
    turns = [(name, way) for name in args.stores for way in ways_of(name, args.ways)]
    found: dict[tuple[str, str], list[Found]] = {turn: [] for turn in turns}
    for number in range(args.rounds):
        for name, way in turns if number % 2 == 0 else reversed(turns):
            print(f"round {number + 1}: {name}, {way}", file=sys.stderr)
            found[name, way].append(measured(name, way, lines))
    tables = [table(args, found), gains(found)]
    if "januskv" in args.stores:
        print("pings", file=sys.stderr)
        tables.append(pings(lines))
    print(origin())
    print(f"A line has {text:.0f} bytes; {text - TIME:.0f} are the document without its time, as compact JSON.\n")
    print("\n\n".join(filter(None, tables)))


if __name__ == "__main__":
    main()
