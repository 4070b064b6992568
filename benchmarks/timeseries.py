"""Time series on JanusKV beside the same rows in other stores, in one run.

    python benchmarks/timeseries.py [--samples 1000000] [--rounds 3] [--builds compiled] [--peers influxdb,victoria]

The peers: a sorted set of redis-server, which has no series (a row is a member "time:value" with its time as score,
and a client that wants buckets reads all rows); InfluxDB and VictoriaMetrics over HTTP, if installed.
One connection unless stated otherwise; requests are made beforehand; replies are read to their end, those of
RESP by hiredis, those of HTTP as bytes. Prints a Markdown table of medians over the rounds, queries the median of
five: rates in thousand samples per second, queries in milliseconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import hiredis
from series_stores import SeriesStore, installed, series_store
from servers import (
    BUILDS,
    Server,
    encode,
    have_the_machine,
    januskv,
    markdown,
    origin,
    pin_to_client_core,
    redis_server,
    words,
)

STEP_MS = 1000
START_MS = 1_600_000_000_000
CONNECTIONS = 50
REPEATS = 5
SERIES = 1000  # of the query over many
FUNCTIONS = ("avg", "min", "max", "p99", "twa")
BUCKETS = 1000


def sample(number: int) -> tuple[int, str]:
    """Time and value of a row: a temperature with two decimals, once a second."""
    return START_MS + number * STEP_MS, f"{20 + number * 7919 % 1000 / 100:.2f}"


class Client:
    """One connection that counts replies and bytes."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sock: socket.socket = server.connect()
        self.reader = hiredis.Reader()

    def ask(self, request: bytes, replies: int = 1) -> tuple[float, int]:
        """Send requests and read their replies; seconds and bytes. Raises RuntimeError on an error."""
        started = time.perf_counter()
        self.sock.sendall(request)
        size = 0
        while replies:
            data = self.sock.recv(1 << 20)
            if not data:
                raise ConnectionError("closed by the server")
            size += len(data)
            self.reader.feed(data)
            while (reply := self.reader.gets()) is not False:
                for each in reply[:1] if isinstance(reply, list) else (reply,):
                    if isinstance(each, hiredis.ReplyError):
                        raise RuntimeError(f"{request[:60]!r}: {each}")
                replies -= 1
        return time.perf_counter() - started, size


def repeated(query: Callable[[], float]) -> float:
    """The median of some runs of a query, in milliseconds."""
    return statistics.median(query() for _ in range(REPEATS)) * 1000


def crowd(server: Server, kind: str, count: int) -> float:
    """Seconds for rows, one per command, by many connections, sixteen in a batch each."""
    clients = [Client(server) for _ in range(CONNECTIONS)]
    share = count // CONNECTIONS // 16
    batches = [
        [b"".join(one(kind, b"crowd%d" % at, turn * 16 + i) for i in range(16)) for turn in range(share)]
        for at in range(CONNECTIONS)
    ]
    started = time.perf_counter()
    for turn in range(share):
        for client, theirs in zip(clients, batches, strict=True):
            client.sock.sendall(theirs[turn])
        for client in clients:
            client.ask(b"", 16)
    spent = time.perf_counter() - started
    for client in clients:
        client.sock.close()
    return spent


def rows(first: int, count: int, late: float = 0.0) -> list[int]:
    """Numbers of rows in the order in which they are sent; a share of them comes up to 50 places too late."""
    numbers = list(range(first, first + count))
    drawn = random.Random(1)
    for at in range(count - 50):
        if drawn.random() < late:
            to = at + drawn.randrange(1, 50)
            numbers[at], numbers[to] = numbers[to], numbers[at]
    return numbers


def one(kind: str, key: bytes, number: int) -> bytes:
    """The command that stores one row."""
    at, value = sample(number)
    if kind == "redis":
        return encode(b"ZADD", key, b"%d" % at, b"%d:%s" % (at, value.encode()))
    return encode(b"TS.ADD", key, b"%d" % at, value.encode())


def many(kind: str, key: bytes, numbers: Sequence[int]) -> bytes:
    """The command that stores many rows."""
    argv: list[bytes] = []
    for number in numbers:
        at, value = sample(number)
        text = b"%d" % at
        argv += [text, text + b":" + value.encode()] if kind == "redis" else [key, text, value.encode()]
    return encode(b"ZADD", key, *argv) if kind == "redis" else encode(b"TS.MADD", *argv)


def events(numbers: Sequence[int]) -> bytes:
    """TS_ADD_EVT of many rows as a RESP command."""
    times, values = zip(*map(sample, numbers), strict=True)
    body = {"ts": "events", "t": times, "evt": [{"value": float(value)} for value in values]}
    return encode(b"TS_ADD_EVT", json.dumps(body).encode())


def adding(client: Client, kind: str, count: int) -> Iterator[tuple[str, float]]:
    """Label and thousand rows per second of each way to store rows."""
    for pipeline, total in ((1, count // 20), (16, count // 4), (64, count // 4)):
        commands = [one(kind, b"p%d" % pipeline, number) for number in range(total)]
        batches = [b"".join(commands[i : i + pipeline]) for i in range(0, total, pipeline)]
        sizes = [min(pipeline, total - i) for i in range(0, total, pipeline)]
        spent = sum(client.ask(batch, size)[0] for batch, size in zip(batches, sizes, strict=True))
        yield f"one a command, pipeline {pipeline}", total / spent / 1000
    yield f"one a command, {CONNECTIONS} connections, 16 each", total / crowd(client.server, kind, total) / 1000
    total = count // 4
    late = [one(kind, b"late", number) for number in rows(0, total, 0.1)]
    spent = sum(client.ask(b"".join(late[i : i + 64]), len(late[i : i + 64]))[0] for i in range(0, total, 64))
    yield "a tenth late, pipeline 64", total / spent / 1000
    if kind != "redis":
        client.ask(encode(b"TS.CREATE", b"m"))
    spent = sum(client.ask(many(kind, b"m", range(i, i + 100)))[0] for i in range(0, total, 100))
    yield "100 a command", total / spent / 1000
    if kind != "redis":
        client.ask(encode(b"TS.CREATE", b"n"))
    spent = sum(client.ask(many(kind, b"n", range(i, i + 10_000)))[0] for i in range(0, total, 10_000))
    yield "10,000 a command", total / spent / 1000
    if kind != "redis":
        client.ask(encode(b"TS_CREATE", b'{"name":"events","type":"Ordered"}'))
        spent = sum(client.ask(events(range(i, i + 10_000)))[0] for i in range(0, total, 10_000))
        yield "10,000 events a command", total / spent / 1000


def memory(client: Client) -> int:
    """The memory of the long series, as the server reports it."""
    client.sock.sendall(encode(b"MEMORY", b"USAGE", b"long", b"SAMPLES", b"0"))
    return int(client.sock.recv(100)[1:])


def querying(client: Client, kind: str, count: int) -> Iterator[tuple[str, float]]:
    """Label and milliseconds of each query, and bytes per sample."""
    if kind != "redis":
        client.ask(encode(b"TS.CREATE", b"long"))
    for first in range(0, count, 10_000):
        client.ask(many(kind, b"long", range(first, min(count, first + 10_000))))
    yield "bytes a sample", memory(client) / count
    query = b"ZRANGEBYSCORE long -inf +inf WITHSCORES" if kind == "redis" else b"TS.RANGE long - +"
    yield "all rows, ms", repeated(lambda: client.ask(encode(*query.split()))[0])
    yield "all rows, bytes each", client.ask(encode(*query.split()))[1] / count
    for wanted in (100, 1000):
        low = START_MS + count // 2 * STEP_MS
        high = low + (wanted - 1) * STEP_MS
        verb = b"ZRANGEBYSCORE" if kind == "redis" else b"TS.RANGE"
        part = encode(verb, b"long", b"%d" % low, b"%d" % high)
        yield f"{wanted:,} rows in the middle, ms", repeated(lambda part=part: client.ask(part)[0])
    if kind == "redis":
        return
    bucket = count * STEP_MS // BUCKETS
    for name in FUNCTIONS:
        request = encode(*f"TS.RANGE long - + AGGREGATION {name} {bucket}".encode().split())
        yield f"{name} in {BUCKETS} buckets, ms", repeated(lambda request=request: client.ask(request)[0])
    for number in range(SERIES):
        labels = f"LABELS kind many host h{number % 10}"
        client.ask(encode(*f"TS.CREATE many:{number} {labels}".encode().split()))
        client.ask(many(kind, b"many:%d" % number, range(100)))
    query = b"TS.MRANGE - + AGGREGATION avg 10000 FILTER kind=many GROUPBY host REDUCE sum"
    yield f"{SERIES} series of 100 grouped, ms", repeated(lambda: client.ask(encode(*query.split()))[0])
    for number in range(100):
        client.ask(encode(*f"TS.CREATE wide:{number} LABELS kind wide host h{number % 10}".encode().split()))
        client.ask(many(kind, b"wide:%d" % number, range(10_000)))
    wide = b"TS.MRANGE - + AGGREGATION avg 1000000 FILTER kind=wide"
    yield "100 series of 10,000 in 10 buckets, ms", repeated(lambda: client.ask(encode(*wide.split()))[0])
    wide += b" GROUPBY host REDUCE max"
    yield "100 series of 10,000 grouped, ms", repeated(lambda: client.ask(encode(*wide.split()))[0])


def over_http(store: SeriesStore, count: int) -> Iterator[tuple[str, float]]:
    """The same for a store with an HTTP API, where supported."""
    store.empty()

    def lines(series: str, numbers: Sequence[int]) -> bytes:
        return "".join([f"{series} value={value} {at}\n" for at, value in map(sample, numbers)]).encode()

    for size, total in ((100, count // 16), (10_000, count)):
        bodies = [lines("long", range(i, min(i + size, total))) for i in range(0, total, size)]
        yield f"{size:,} a command", total / sum(map(store.write, bodies)) / 1000
    store.settle()
    low, high = START_MS, START_MS + count * STEP_MS
    yield "all rows, ms", repeated(lambda: store.all_rows(low, high)[0])
    yield "all rows, bytes each", store.all_rows(low, high)[1] / count
    for wanted in (100, 1000):
        begin = low + count // 2 * STEP_MS
        end = begin + (wanted - 1) * STEP_MS
        yield f"{wanted:,} rows in the middle, ms", repeated(lambda b=begin, e=end: store.all_rows(b, e)[0])
    for name in FUNCTIONS:
        spent = [store.buckets(name, low, high, count * STEP_MS // BUCKETS) for _ in range(REPEATS)]
        if None not in spent:
            yield f"{name} in {BUCKETS} buckets, ms", statistics.median(spent) * 1000
    for number in range(SERIES):
        store.write(lines(f"many,host=h{number % 10},number={number}", range(100)))
    store.settle()
    yield f"{SERIES} series of 100 grouped, ms", repeated(lambda: store.grouped(low, low + 100 * STEP_MS, 10_000))


def measured(
    server: Server, kind: str, count: int, what: Callable[..., Iterator[tuple[str, float]]]
) -> dict[str, float]:
    """Run one half of the benchmark on an empty server."""
    server.flush()
    return dict(what(Client(server), kind, count))


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--builds", type=words(*BUILDS), default=["compiled"])
    parser.add_argument("--peers", type=words("influxdb", "victoria", "none"), default=installed())
    args = parser.parse_args()
    have_the_machine()
    found: list[list[dict[str, float]]] = []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(redis_server()), *(stack.enter_context(januskv(b)) for b in args.builds)]
        for server in servers:
            server.check_identity()
        stores = [stack.enter_context(series_store(name)) for name in args.peers if name != "none"]
        pin_to_client_core()
        for number in range(args.rounds):
            found.append([])
            for at, server in enumerate(servers):
                kind = "redis" if at == 0 else "ours"
                done = measured(server, kind, args.samples, adding) | measured(server, kind, args.samples, querying)
                found[-1].append(done)
                print(f"round {number + 1}: {server.name}", file=sys.stderr, flush=True)
            for store in stores:
                found[-1].append(dict(over_http(store, args.samples)))
                print(f"round {number + 1}: {store.name}", file=sys.stderr, flush=True)
    labels = list(found[0][1])
    table = []
    for label in labels:
        cells = [[done[at][label] for done in found if label in done[at]] for at in range(len(found[0]))]
        table.append([label, *(f"{statistics.median(cell):.4g}" if cell else "" for cell in cells)])
    print(origin())
    print(markdown([f"{args.samples:,} samples", "redis", *args.builds, *(store.name for store in stores)], table))
    print("\nThousand rows a second where nothing else is said.")


if __name__ == "__main__":
    main()
