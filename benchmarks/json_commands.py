"""Native JSON commands over JSON lines and WebSocket, compared with NemesisDB's figures on a similar machine.

    python benchmarks/json_commands.py [--rounds 3] [--builds compiled,plain] [--pipelines 1,16]
        [--modes line,ws] [--kinds kv_set,kv_get,kv_set10,kv_get10] [--size 32]

50 clients, random keys of 100,000 that all exist, values of 32 bytes. redis-benchmark's SET, GET, MSET and MGET of
the same sizes run on redis-server in the same rounds, for scale. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from collections.abc import Sequence
from functools import partial

import redis_side_by_side
from servers import (
    Server,
    compiled_tool,
    have_the_machine,
    januskv,
    markdown,
    numbers,
    origin,
    redis_server,
    run_client,
    undisturbed,
    words,
)

KEYSPACE = 100_000
LIMIT_S = 60
KINDS = ("kv_set", "kv_get", "kv_set10", "kv_get10")
MODES = ("line", "ws")
# NemesisDB 0.6.3 (C++, WebSocket, 50 clients), thousand keys per second by kind and pipeline. The published figures for
# ten keys per command do not name the pipeline; they are compared with the deeper one.
NEMESIS = {("kv_set", 1): 168, ("kv_get", 1): 166, ("kv_set", 16): 400, ("kv_get", 16): 330, ("kv_set10", 16): 1190}
# The share of these figures that each transport should reach.
WANTED = {"line": 1.0, "ws": 0.5}
# The tests of redis_side_by_side that do the same work.
ALIKE = {"kv_set": "set", "kv_get": "get", "kv_set10": "mset", "kv_get10": "mget10"}


def keys_of(kind: str) -> int:
    """Keys in one command."""
    return 10 if kind.endswith("10") else 1


def count_of(kind: str, pipeline: int) -> int:
    """Requests of one run: one to three seconds."""
    return (200_000 if pipeline == 1 else 600_000) // (4 if keys_of(kind) == 10 else 1)


def load(server: Server, mode: str, kind: str, pipeline: int, size: int) -> tuple[float, float]:
    """One run of the load generator: thousand keys per second, and the server's processor time per request in µs.

    Raises RuntimeError when a reply is not the expected one.
    """
    port = server.port if mode == "line" else server.http_port
    count = count_of(kind, pipeline)
    argv = [str(compiled_tool("jsonload.c")), "-p", str(port), "-m", mode, "-k", kind, "-c", "50", "-P", str(pipeline)]
    argv += ["-n", str(count), "-r", str(KEYSPACE), "-d", str(size), "-t", str(LIMIT_S)]
    before = server.cpu_seconds()
    found = json.loads(run_client(argv))
    spent = server.cpu_seconds() - before
    if found["misses"]:
        raise RuntimeError(f"{server.name}: {found['misses']} replies to {kind} without the values")
    return found["keys_per_s"] / 1000, spent / count * 1e6


def beside(redis: Server, kind: str, pipeline: int, size: int) -> float:
    """Thousand keys per second of the equivalent Redis command."""
    count = count_of(kind, pipeline)
    return redis_side_by_side.measure(redis, ALIKE[kind], pipeline, size, count).rps * keys_of(kind) / 1000


def compare(
    redis: Server, servers: Sequence[Server], mode: str, kind: str, pipeline: int, args: argparse.Namespace
) -> list[str]:
    """Run the rounds of one kind; a row of the table."""
    theirs: list[float] = []
    runs: list[list[tuple[float, float]]] = [[] for _ in servers]
    for _ in range(args.rounds):
        theirs.append(undisturbed(partial(beside, redis, kind, pipeline, args.size)))
        for server, done in zip(servers, runs, strict=True):
            done.append(undisturbed(partial(load, server, mode, kind, pipeline, args.size)))
    nemesis = NEMESIS.get((kind, pipeline))
    wanted = nemesis * WANTED[mode] if nemesis is not None else None
    row = [f"{kind} {mode}", str(pipeline), f"{wanted:.0f}" if wanted is not None else ""]
    for done in runs:
        rate, cost = (statistics.median(values) for values in zip(*done, strict=True))
        row += [f"{rate:.0f}", f"{rate / wanted:.2f}" if wanted is not None else "", f"{cost:.1f}"]
    return [*row, f"{statistics.median(theirs):.0f}"]


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--builds", type=words("compiled", "plain", "before"), default=["compiled", "plain"])
    parser.add_argument("--pipelines", type=numbers, default=[1, 16])
    parser.add_argument("--modes", type=words(*MODES), default=list(MODES))
    parser.add_argument("--kinds", type=words(*KINDS), default=list(KINDS))
    parser.add_argument("--size", type=int, default=32)
    args = parser.parse_args()
    have_the_machine()
    rows = []
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        servers = [stack.enter_context(januskv(build)) for build in args.builds]
        for server in (redis, *servers):
            server.fill(b"key:", KEYSPACE, b"x" * args.size)
        for pipeline in args.pipelines:
            for mode in args.modes:
                for kind in args.kinds:
                    rows.append(compare(redis, servers, mode, kind, pipeline, args))
                    print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    heads = ["command", "P", "wanted"]
    for build in args.builds:
        heads += [build, "of wanted", "µs CPU"]
    print(origin())
    print(markdown([*heads, "Redis SET GET MSET MGET"], rows))
    print("\nThousand keys a second; processor time of the server a request. Wanted: NemesisDB's figure, half of it by")
    print("WebSocket.")


if __name__ == "__main__":
    main()
