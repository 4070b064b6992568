"""The cost of the log: JanusKV and redis-server with the same ``appendfsync``, in interleaved rounds.

    python benchmarks/durability.py [--rounds 3] [--seconds 1.5] [--pipelines 1,16] [--keys 1000000]
        [--samples 10000000] [--parts rates,load,pause]

Rates: SET of redis-benchmark, 50 clients, 100,000 keys, on servers without a log and with each policy; for both,
the medians of the rounds' ratios. Load: start with keys (and samples) from a snapshot until PING is answered.
Pause: the times of consecutive PINGs while a snapshot of the keys is written.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from servers import (
    Server,
    _await_ping,
    encode,
    expect,
    free_port,
    have_the_machine,
    markdown,
    numbers,
    origin,
    receive,
    run_client,
    started,
    words,
)

POLICIES = ("always", "everysec", "no")
CLIENTS = 50
KEYSPACE = 100_000


@contextlib.contextmanager
def server(kind: str, policy: str, folder: Path) -> Iterator[Server]:
    """A server with its data in a folder; the policy "" is one without a log."""
    log = ["--appendonly", "yes", "--appendfsync", policy] if policy else ["--appendonly", "no"]
    folder.mkdir(parents=True, exist_ok=True)
    common = ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *log]
    port = free_port()
    if kind == "redis":
        binary = shutil.which("redis-server") or sys.exit("redis-server is not installed")
        argv = [binary, "--port", str(port), *common]
    else:
        argv = [sys.executable, "-m", "januskv", "--port", str(port), "--http-port", "-1", *common]
    with started(kind, argv, "compiled") as (process, _):
        found = Server(kind, port, 0, process.pid)
        _await_ping(found, process)
        found.check_identity()
        yield found


def rate(target: Server, pipeline: int, count: int) -> float:
    """SETs per second."""
    argv = ["redis-benchmark", "-p", str(target.port), "-c", str(CLIENTS), "-P", str(pipeline), "-n", str(count)]
    text = run_client([*argv, "-r", str(KEYSPACE), "-t", "set", "--csv"])
    return float(next(csv.DictReader(io.StringIO(text[text.index('"test"') :])))["rps"])


def rates(folder: Path, rounds: int, seconds: float, pipelines: list[int]) -> str:
    """The table of rates."""
    rows = []
    for pipeline in pipelines:
        with contextlib.ExitStack() as stack:
            targets = {
                (kind, policy): stack.enter_context(server(kind, policy, folder / f"{kind}-{policy}-{pipeline}"))
                for policy in ("", *POLICIES)
                for kind in ("redis", "janus")
            }
            found: dict[tuple[str, str], list[float]] = {name: [] for name in targets}
            counts = {name: max(5000, int(rate(each, pipeline, 5000) * seconds)) for name, each in targets.items()}
            for turn in range(rounds):
                names = list(targets)
                for name in names[turn:] + names[:turn]:
                    found[name].append(rate(targets[name], pipeline, counts[name]))
        for policy in ("", *POLICIES):
            ours, theirs = found["janus", policy], found["redis", policy]
            beside = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            costs = [
                f"{statistics.median(a / b for a, b in zip(found[k, policy], found[k, ''], strict=True)):.2f}"
                for k in ("janus", "redis")
            ]
            kilo = [f"{statistics.median(each) / 1000:.1f}" for each in (theirs, ours)]
            rows.append([f"{policy or 'no log'}, pipeline {pipeline}", *kilo, f"{beside:.2f}", *costs])
    heads = ["thousand SET/s", "redis", "janus", "janus/redis", "janus to no log", "redis to no log"]
    return markdown(heads, rows)


def fill_series(target: Server, samples: int) -> None:
    """Samples of ten series, a thousand per command."""
    with target.connect() as sock:
        for number in range(10):
            expect(sock, encode(b"TS.CREATE", b"series:%d" % number), b"+OK\r\n")
        for first in range(0, samples, 1000):
            name = b"series:%d" % (first // 1000 % 10)
            parts = [word for n in range(first, first + 1000) for word in (name, b"%d" % (n * 10), b"%d.5" % (n % 100))]
            sock.sendall(encode(b"TS.MADD", *parts))
            got = b""
            while got.count(b"\r\n") < 1001:
                got += sock.recv(1 << 16)
            if b"-" in got:
                raise RuntimeError(f"TS.MADD was refused: {got[:200]!r}")


def pauses(target: Server) -> list[float]:
    """Milliseconds of each PING while a snapshot is written."""
    found = []
    with target.connect() as sock, target.connect() as asking:
        started_s = time.perf_counter()
        asking.sendall(encode(b"BGREWRITEAOF"))
        while True:
            before = time.perf_counter()
            expect(sock, encode(b"PING"), b"+PONG\r\n")
            now = time.perf_counter()
            found.append((now - before) * 1000)
            if len(found) % 200 == 0 and now - started_s > 0.2:
                fields = target.info("persistence")
                if fields["aof_rewrite_in_progress"] == fields["rdb_bgsave_in_progress"] == "0":
                    break
        receive(asking, 1)
    return sorted(found)


def load_seconds(kind: str, folder: Path) -> float:
    """The time of a start until PING is answered."""
    before = time.perf_counter()
    with server(kind, "everysec", folder) as target:
        expect(sock := target.connect(), encode(b"PING"), b"+PONG\r\n")
        sock.close()
        return time.perf_counter() - before


def loads(folder: Path, keys: int, samples: int, parts: list[str]) -> str:
    """The table of starts and pauses; redis-server has no samples."""
    rows = []
    for kind in ("redis", "janus"):
        with server(kind, "everysec", folder / f"{kind}-keys") as target:
            target.fill(b"key:", keys, b"x" * 20)
            found = pauses(target)
        size = len(found)
        row = [kind, f"{found[size // 2]:.3f}", f"{found[size * 99 // 100]:.3f}", f"{found[-1]:.1f}"]
        with_load = "load" in parts
        row.append(f"{load_seconds(kind, folder / f'{kind}-keys'):.2f}" if with_load else "")
        if kind == "janus" and with_load:
            with server(kind, "everysec", folder / "samples") as target:
                fill_series(target, samples)
            row.append(f"{load_seconds(kind, folder / 'samples'):.2f}")
        else:
            row.append("")
        rows.append(row)
    heads = [f"{keys} keys", "PING p50, ms", "p99, ms", "longest, ms", "start, s", f"start with {samples} samples, s"]
    return markdown(heads, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--pipelines", type=numbers, default=[1, 16])
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--parts", type=words("rates", "load", "pause"), default=["rates", "load", "pause"])
    given = parser.parse_args()
    have_the_machine()
    folder = Path(tempfile.mkdtemp(prefix="januskv-durability-"))
    try:
        tables = []
        if "rates" in given.parts:
            tables.append(rates(folder, given.rounds, given.seconds, given.pipelines))
        if "load" in given.parts or "pause" in given.parts:
            tables.append(loads(folder, given.keys, given.samples, given.parts))
        print(origin())
        print("\n\n".join(tables))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
