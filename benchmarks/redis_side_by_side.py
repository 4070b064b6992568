"""JanusKV and redis-server under redis-benchmark, in interleaved rounds.

    python benchmarks/redis_side_by_side.py [--rounds 5] [--tests ping_mbulk,set,get,incr,mset]
        [--pipelines 1,16,64] [--sizes 3,512] [--builds compiled,plain] [--seconds 1.5] [--spread]
    python benchmarks/redis_side_by_side.py --tests eval,evalsha,evalsha_get,evalsha_limiter --pipelines 1,16

50 clients, 100,000 keys. A round runs the test once on every server; the order of the servers rotates
from round to round. Prints a Markdown table: the figures of Redis, and for each build the medians of the
rounds' ratios. The build "redis" is a second redis-server: its ratios show the noise of the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import shutil
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from servers import (
    BUILDS,
    Server,
    encode,
    expect,
    have_the_machine,
    markdown,
    numbers,
    origin,
    run_client,
    start,
    undisturbed,
    words,
)

CLIENTS = 50
KEYSPACE = 100_000

# The keys of a test, all set beforehand: a run measures neither growth nor misses.
PREFIXES = {
    "set": b"key:",
    "get": b"key:",
    "mset": b"key:",
    "mget": b"key:",
    "incr": b"counter:",
    "evalsha_get": b"key:",
}
# Tests that remove what another test has to add first.
FILLED_BY = {"lpop": "lpush", "rpop": "rpush", "spop": "sadd", "zpopmin": "zadd"}
# Tests that do not depend on the size of the value; they run once.
SIZELESS = {"ping", "ping_inline", "ping_mbulk", "incr", "mget10", "eval", "evalsha", "evalsha_limiter"}
# What scripts run: nothing, one command, and how many calls a user has made this minute.
SCRIPTS = {
    "evalsha": "return 1",
    "evalsha_get": "return redis.call('GET', KEYS[1])",
    "evalsha_limiter": "local n = redis.call('INCR', KEYS[1]) "
    "if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end return n",
}
_SHA = {name: hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest() for name, body in SCRIPTS.items()}
# Tests of ours as arguments of redis-benchmark; the others are its own.
COMMANDS = {
    "mget10": ["mget", *["key:__rand_int__"] * 10],
    "eval": ["eval", "return 1", "0"],
    "evalsha": ["evalsha", _SHA["evalsha"], "0"],
    "evalsha_get": ["evalsha", _SHA["evalsha_get"], "1", "key:__rand_int__"],
    "evalsha_limiter": ["evalsha", _SHA["evalsha_limiter"], "1", "user:__rand_int__", "60"],
}


class Run(NamedTuple):
    """The result of one run of redis-benchmark."""

    rps: float
    cpu_us: float  # the server's processor time for one request; nan if the run included other work


def measure(server: Server, test: str, pipeline: int, size: int, count: int) -> Run:
    """Run redis-benchmark once. Raises RuntimeError when the server answers with errors."""
    argv = ["redis-benchmark", "-p", str(server.tls_port or server.port), *server.client_options]
    argv += ["-c", str(CLIENTS), "-P", str(pipeline), "-n", str(count)]
    argv += ["-r", str(KEYSPACE), "-d", str(size), "--csv"]
    argv += COMMANDS.get(test) or ["-t", "ping_mbulk" if test == "ping" else test]
    errors, before = server.error_replies(), server.cpu_seconds()
    text = run_client(argv)
    spent = server.cpu_seconds() - before
    failed = server.error_replies() - errors
    if failed:
        raise RuntimeError(f"{server.name} answered {failed} requests of {test} with errors")
    # With CONFIG refused, redis-benchmark says so before its table.
    rows = list(csv.DictReader(io.StringIO(text[text.index('"test"') :])))
    # Some tests are preceded by another that fills what they read.
    return Run(float(rows[-1]["rps"]), spent / count * 1e6 if len(rows) == 1 else float("nan"))


def prepare(server: Server, test: str, size: int) -> None:
    """Empty the server and add the data of the test."""
    server.flush()
    name = "mget" if test == "mget10" else test
    if name in PREFIXES:
        server.fill(PREFIXES[name], KEYSPACE, b"0" if name == "incr" else b"x" * size)
    if test in SCRIPTS:
        with server.connect() as sock:
            sha = _SHA[test].encode()
            expect(sock, encode(b"SCRIPT", b"LOAD", SCRIPTS[test].encode()), b"$%d\r\n%b\r\n" % (len(sha), sha))
    if test in FILLED_BY:
        measure(server, FILLED_BY[test], 16, size, 500_000)


def prepare_and_measure(server: Server, test: str, pipeline: int, size: int, count: int) -> Run:
    """One run on a server with only the data of the test."""
    prepare(server, test, size)
    return measure(server, test, pipeline, size, count)


def choose_count(server: Server, test: str, pipeline: int, size: int, seconds: float) -> int:
    """How many requests make a run of about a number of seconds on this server."""
    rate = prepare_and_measure(server, test, pipeline, size, 20_000 * min(pipeline, 8)).rps
    return max(int(rate * seconds) // 10_000, 1) * 10_000


def middle(ratios: Sequence[float], spread: bool) -> str:
    """The median, and the range if wanted."""
    found = sorted(ratio for ratio in ratios if ratio == ratio)
    if not found:
        return "–"
    text = f"{statistics.median(found):.2f}"
    return f"{text} ({found[0]:.2f}–{found[-1]:.2f})" if spread else text


def compare(servers: Sequence[Server], test: str, pipeline: int, size: int, args: argparse.Namespace) -> list[str]:
    """Run the rounds of one test; a row of the table. The others are compared with the first server."""
    count = choose_count(servers[0], test, pipeline, size, args.seconds)
    runs: dict[int, list[Run]] = {i: [] for i in range(len(servers))}
    for number in range(args.rounds):
        turn = number % len(servers)
        for i in [*range(turn, len(servers)), *range(turn)]:
            runs[i].append(undisturbed(partial(prepare_and_measure, servers[i], test, pipeline, size, count)))
    theirs = runs[0]
    cost = statistics.median(run.cpu_us for run in theirs)
    row = [test, str(pipeline), str(size) if test not in SIZELESS else ""]
    row.append(f"{statistics.median(run.rps for run in theirs) / 1000:.0f}")
    row.append(f"{cost:.2f}" if cost == cost else "–")
    for i in range(1, len(servers)):
        pairs = list(zip(runs[i], theirs, strict=True))
        row.append(middle([ours.rps / their.rps for ours, their in pairs], args.spread))
        row.append(middle([ours.cpu_us / their.cpu_us for ours, their in pairs], args.spread))
    return row


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tests", type=words(), default=["ping_mbulk", "set", "get", "incr", "mset"])
    parser.add_argument("--pipelines", type=numbers, default=[1, 16, 64])
    parser.add_argument("--sizes", type=numbers, default=[3, 512])
    parser.add_argument("--builds", type=words(*BUILDS), default=["compiled", "plain"])
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one run on Redis")
    parser.add_argument("--spread", action="store_true", help="show the least and the greatest ratio too")
    args = parser.parse_args()
    if shutil.which("redis-benchmark") is None:
        sys.exit("redis-benchmark is not installed")
    have_the_machine()
    rows = []
    failed = False
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(start(build)) for build in ("redis", *args.builds)]
        for pipeline in args.pipelines:
            for test in args.tests:
                for size in args.sizes[:1] if test in SIZELESS else args.sizes:
                    try:
                        rows.append(compare(servers, test, pipeline, size, args))
                    except RuntimeError as error:  # earlier results are kept
                        failed = True
                        print(error, file=sys.stderr)
                        rows.append([test, str(pipeline), "", "error", *[""] * (2 * len(args.builds) + 1)])
                    print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    heads = ["test", "P", "bytes", "Redis krps", "Redis µs CPU"]
    for build in args.builds:
        heads += [f"{build} rps", "CPU"]
    print(origin())
    print(markdown(heads, rows))
    print(
        "\nRatios ours/Redis: requests per second (more is better), processor time of the server per request (less is better)."
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
