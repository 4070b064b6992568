"""Points of metrics: put lines a second on one connection, and a query over a thousand series, beside other stores.

    python benchmarks/timely.py [--points 1000000] [--series 1000] [--rounds 3] [--only put,query] [--peers influxdb,victoria]

JanusKV takes lines of ``put`` on its data port, without and with its log, VictoriaMetrics on its port for them, InfluxDB its
line protocol over HTTP, in batches. The points are the same, each series in turn every ten seconds; requests are made
beforehand. A run ends when all points are stored: JanusKV replies to a ``version`` after the last line, VictoriaMetrics
counts the rows it has stored, InfluxDB answers each batch. Servers take turns within a round; each begins empty.

The processor time is that of the server's whole process, to the end of the run and a second longer, for deferred work.
All servers have one core.

The query is the mean of every minute for each of the hundred hosts that the series belong to, over a day of points every ten
seconds. Another client sends PING each millisecond meanwhile (load/bystander.c), to JanusKV only.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from series_stores import SeriesStore, installed, series_store
from servers import (
    Server,
    compiled_tool,
    cpu_seconds,
    have_the_machine,
    januskv,
    markdown,
    origin,
    pin_to_client_core,
    words,
)

METRIC = b"sys.cpu.user"
START_S = 1_700_006_400  # the beginning of a day
STEP_S = 10
HOSTS = 100
SEND_BYTES = 1 << 16
AFTERWARDS_S = 1.0
LIMIT_S = 300.0
BATCHES = (1000, 5000)
QUERIES = 5
SETTLE_S = 0.2


@dataclass(frozen=True)
class Rate:
    """The time of storing points."""

    seconds: float
    cpu_s: float


def put_lines(points: int, series: int) -> Iterator[bytes]:
    """Points as lines of put."""
    chance = random.Random(1)
    tags = [b"host=web%03d cpu=%d dc=lon" % (number % HOSTS, number // HOSTS) for number in range(series)]
    for number in range(points):
        time_s = START_S + STEP_S * (number // series)
        yield b"put %b %d %.2f %b\n" % (METRIC, time_s, chance.random() * 100, tags[number % series])


def influx_line(line: bytes) -> bytes:
    """A line of put in the line protocol of InfluxDB."""
    _, metric, seconds, value, *tags = line.split()
    return b"%b,%b value=%b %b\n" % (metric, b",".join(tags), value, seconds)


# ---------------------------------------------------------------- storing


def timed(pid: int, store: Callable[[], None]) -> Rate:
    """Store all points; seconds, and processor time of the server including work afterwards."""
    before_s, started_at = cpu_seconds(pid), time.perf_counter()
    store()
    seconds = time.perf_counter() - started_at
    time.sleep(AFTERWARDS_S)
    return Rate(seconds, cpu_seconds(pid) - before_s)


def put_to_januskv(server: Server, lines: Sequence[bytes]) -> Rate:
    """Send lines to the data port."""
    data = b"".join(lines)

    def send() -> None:
        with server.connect() as sock:
            for at in range(0, len(data), SEND_BYTES):
                sock.sendall(data[at : at + SEND_BYTES])
            sock.sendall(b"version\n")
            if not sock.recv(100):
                raise ConnectionError("closed by the server")

    rate = timed(server.pid, send)
    stored = int(server.info("stats")["timely_points_received"])
    if stored != len(lines):
        raise RuntimeError(f"{stored} points of {len(lines)} were stored")
    return rate


def put_to_victoria(store: SeriesStore, lines: Sequence[bytes]) -> Rate:
    """Send lines to the port for them, and wait until the rows are counted."""
    data = b"".join(lines)

    def send() -> None:
        with socket.create_connection(("127.0.0.1", store.put_port), timeout=60) as sock:
            for at in range(0, len(data), SEND_BYTES):
                sock.sendall(data[at : at + SEND_BYTES])
        deadline = time.monotonic() + LIMIT_S
        while victoria_rows(store) < len(lines):
            if time.monotonic() > deadline:
                raise RuntimeError("the rows do not come")
            time.sleep(0.005)

    return timed(store.pid, send)


def victoria_rows(store: SeriesStore) -> int:
    """How many rows of put lines VictoriaMetrics has stored."""
    store.http.request("GET", "/metrics")
    for line in store.http.getresponse().read().splitlines():
        if line.startswith(b'vm_rows_inserted_total{type="opentsdb"}'):
            return int(float(line.split()[-1]))
    raise RuntimeError("VictoriaMetrics counts no rows of put lines")


def put_to_influxdb(store: SeriesStore, lines: Sequence[bytes], batch: int) -> Rate:
    """Send the points in batches of the line protocol."""
    store.empty()
    bodies = [b"".join(map(influx_line, lines[first : first + batch])) for first in range(0, len(lines), batch)]

    def send() -> None:
        for body in bodies:
            store.ask("POST", "/write", {"db": "bench", "precision": "s"}, body)

    return timed(store.pid, send)


def storing(name: str, lines: Sequence[bytes]) -> Rate:
    """Store all points in a fresh server of this name."""
    if name.startswith("januskv"):
        with januskv(logging=name.endswith("log")) as server:
            return put_to_januskv(server, lines)
    kind, _, batch = name.partition(" ")
    with series_store(kind) as store:
        return put_to_influxdb(store, lines, int(batch)) if batch else put_to_victoria(store, lines)


def storing_table(args: argparse.Namespace) -> str:
    """Rates of all servers: the median of the rounds."""
    lines = list(put_lines(args.points, args.series))
    names = ["januskv", "januskv, log"]
    for peer in args.peers:
        names += [f"influxdb {batch}" for batch in BATCHES] if peer == "influxdb" else [peer]
    rates: dict[str, list[Rate]] = {name: [] for name in names}
    for number in range(args.rounds):
        for name in names if number % 2 == 0 else reversed(names):
            print(f"round {number + 1}: {name}", file=sys.stderr)
            rates[name].append(storing(name, lines))
    rows = []
    for name, found in rates.items():
        seconds, cpu_s = (
            statistics.median(each.seconds for each in found),
            statistics.median(each.cpu_s for each in found),
        )
        rows.append(
            [
                name,
                f"{args.points / seconds / 1000:.0f}",
                f"{args.points / cpu_s / 1000:.0f}",
                f"{cpu_s / args.points * 1e6:.2f}",
            ]
        )
    heads = [f"{args.points:,} points, {args.series:,} series", "thousand a second", "a CPU second", "µs CPU each"]
    return markdown(heads, rows)


# ---------------------------------------------------------------- querying

DAY_S = 86_400
MINUTE_S = 60
# Ends before the last bucket of the next day begins.
SPAN_MS = (START_S * 1000, (START_S + DAY_S) * 1000 - 1)


def pieces(lines: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    """Lines in lists of a size."""
    while piece := list(itertools.islice(lines, size)):
        yield piece


def fill_by_lines(sock: socket.socket, lines: Iterator[bytes]) -> None:
    for piece in pieces(lines, 10_000):
        sock.sendall(b"".join(piece))


def asked(http_port: int, method: str, path: str, body: bytes = b"") -> tuple[float, bytes]:
    """The seconds and the body of a reply. Raises RuntimeError on an error."""
    connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=LIMIT_S)
    started_at = time.perf_counter()
    connection.request(method, path, body or None)
    reply = connection.getresponse()
    data = reply.read()
    seconds = time.perf_counter() - started_at
    connection.close()
    if reply.status != 200:
        raise RuntimeError(f"{path}: {reply.status} {data[:300]!r}")
    return seconds, data


def query_januskv(server: Server) -> float:
    """Seconds of the query, whose reply must have all hosts and minutes."""
    query = {"metric": METRIC.decode(), "downsample": "1m-avg", "tags": {"host": "*"}}
    body = {"start": SPAN_MS[0], "end": SPAN_MS[1], "msResolution": True, "queries": [query]}
    seconds, data = asked(server.http_port, "POST", "/api/query", json.dumps(body).encode())
    found = json.loads(data)
    if len(found) != HOSTS or {len(each["dps"]) for each in found} != {DAY_S // MINUTE_S}:
        raise RuntimeError(f"the reply has {len(found)} groups")
    return seconds


def query_peer(store: SeriesStore) -> float:
    """The same for a peer."""
    if store.name == "influxdb":
        span = f"time >= {SPAN_MS[0]}ms AND time <= {SPAN_MS[1]}ms"
        query = f'SELECT MEAN(value) FROM "{METRIC.decode()}" WHERE {span} GROUP BY time(1m), host'
        return store.ask("GET", "/query", {"db": "bench", "epoch": "ms", "q": query})[0]
    query = f'avg(avg_over_time({{__name__="{METRIC.decode()}"}}[1m])) by (host)'
    times = {"start": str(START_S + MINUTE_S), "end": str(START_S + DAY_S), "step": "60s", "nocache": "1"}
    return store.ask("GET", "/api/v1/query_range", {"query": query, **times})[0]


def with_pings(server: Server, run: Callable[[], None]) -> np.ndarray:
    """The waits of a PING each millisecond, in ms, during an action."""
    with tempfile.TemporaryDirectory(prefix="januskv-bench-") as folder:
        records = Path(folder) / "pings"
        argv = [str(compiled_tool("bystander.c")), "-p", str(server.port), "-i", "1000", "-o", str(records)]
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=pin_to_client_core
        ) as bystander:
            assert bystander.stdout is not None
            try:
                bystander.stdout.readline()
                begun = time.monotonic_ns()
                run()
                ended = time.monotonic_ns()
                time.sleep(SETTLE_S)
                bystander.communicate(timeout=LIMIT_S)
            except BaseException:
                bystander.kill()
                raise
        due, waited = np.fromfile(records, np.uint64).reshape(-1, 2).astype(np.int64).T
    return waited[(due >= begun) & (due <= ended)] / 1e6


def query_table(args: argparse.Namespace) -> str:
    """Times of the query on all servers, and the waits of PINGs meanwhile."""
    points = args.series * DAY_S // STEP_S
    rows = []
    with januskv() as server:
        print("query: januskv", file=sys.stderr)
        with server.connect() as sock:
            fill_by_lines(sock, put_lines(points, args.series))
            sock.sendall(b"version\n")
            sock.recv(100)
        seconds: list[float] = []
        query_januskv(server)  # loads the modules that serve pages
        waited = with_pings(server, lambda: seconds.extend(query_januskv(server) for _ in range(QUERIES)))
        pings = [f"{np.percentile(waited, 99):.2f}", f"{waited.max():.2f}"]
        rows.append(["januskv", f"{statistics.median(seconds) * 1000:.0f}", *pings])
    for name in args.peers:
        print(f"query: {name}", file=sys.stderr)
        with series_store(name) as store:
            if name == "influxdb":
                store.empty()
                for piece in pieces(put_lines(points, args.series), BATCHES[-1]):
                    store.ask("POST", "/write", {"db": "bench", "precision": "s"}, b"".join(map(influx_line, piece)))
            else:
                with socket.create_connection(("127.0.0.1", store.put_port), timeout=LIMIT_S) as sock:
                    fill_by_lines(sock, put_lines(points, args.series))
                while victoria_rows(store) < points:
                    time.sleep(0.05)
                store.settle()
            query_peer(store)
            seconds = [query_peer(store) for _ in range(QUERIES)]
            rows.append([name, f"{statistics.median(seconds) * 1000:.0f}", "", ""])
    heads = [f"{points:,} points, {args.series:,} series", "query, ms", "PING p99, ms", "longest"]
    return markdown(heads, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=words("put", "query"), default=["put", "query"])
    parser.add_argument("--peers", type=words("influxdb", "victoria", "none"), default=installed())
    args = parser.parse_args()
    args.peers = [name for name in args.peers if name != "none"]
    have_the_machine()
    pin_to_client_core()
    tables = [table(args) for name, table in (("put", storing_table), ("query", query_table)) if name in args.only]
    print(origin())
    print("\n\n".join(tables))


if __name__ == "__main__":
    main()
