"""JanusKV and redis-server under redis-benchmark, in interleaved rounds.

    python benchmarks/redis_side_by_side.py [--rounds 5] [--tests set,get,incr,mset,ping_mbulk]
        [--pipelines 1,16,64] [--sizes 3,512] [--builds compiled,plain]

Prints a Markdown table: Redis' requests per second, and for each build the median of the ratios
ours/Redis of the rounds, with the ratio of processor time per request (below 1 is better).
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence

from servers import Server, januskv, on_client_core, redis_server

# Requests of one run by pipeline: about one to three seconds each.
REQUESTS = {1: 150_000, 16: 800_000, 64: 1_200_000}
SLOWER = {"mset": 4}  # tests that do more in a request get fewer of them


def measure(server: Server, test: str, pipeline: int, size: int) -> tuple[float, float]:
    """One run: requests per second, and the server's processor time per request in microseconds."""
    count = REQUESTS.get(pipeline, 400_000) // SLOWER.get(test, 1)
    argv = [
        *on_client_core(), "redis-benchmark", "-p", str(server.port), "-c", "50", "-P", str(pipeline),
        "-n", str(count), "-r", "100000", "-d", str(size), "-t", test, "--csv",
    ]  # fmt: skip
    before = server.cpu_seconds()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    spent = server.cpu_seconds() - before
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    return float(rows[-1]["rps"]), spent / count * 1e6


def table(servers: Sequence[Server], args: argparse.Namespace) -> list[str]:
    """The lines of the result table."""
    ours = servers[1:]
    heads = [f"{server.name} rps | CPU" for server in ours]
    lines = [
        f"| P | size | test | Redis krps (µs CPU) | {' | '.join(heads)} |",
        "|---|---|---|---|" + "---|---|" * len(ours),
    ]
    for pipeline in args.pipelines:
        for size in args.sizes:
            for test in args.tests:
                rates: list[list[float]] = [[] for _ in servers]
                costs: list[list[float]] = [[] for _ in servers]
                for _ in range(args.rounds):
                    for i, server in enumerate(servers):
                        rate, cost = measure(server, test, pipeline, size)
                        rates[i].append(rate)
                        costs[i].append(cost)
                redis_rate, redis_cost = statistics.median(rates[0]), statistics.median(costs[0])
                cells = []
                for i in range(1, len(servers)):
                    ratio = statistics.median(a / b for a, b in zip(rates[i], rates[0], strict=True))
                    cpu = statistics.median(a / b for a, b in zip(costs[i], costs[0], strict=True))
                    cells.append(f"{ratio:.2f} | {cpu:.2f}")
                line = f"| {pipeline} | {size} | {test} | {redis_rate / 1000:.0f} ({redis_cost:.2f}) | {' | '.join(cells)} |"
                print(line, file=sys.stderr, flush=True)
                lines.append(line)
    return lines


def main() -> None:
    """Run the rounds and print the table."""

    def numbers(text: str) -> list[int]:
        return [int(word) for word in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--tests", type=lambda text: text.split(","), default=["ping_mbulk", "set", "get", "incr", "mset"]
    )
    parser.add_argument("--pipelines", type=numbers, default=[1, 16, 64])
    parser.add_argument("--sizes", type=numbers, default=[3, 512])
    parser.add_argument("--builds", type=lambda text: text.split(","), default=["compiled", "plain"])
    args = parser.parse_args()
    if shutil.which("redis-benchmark") is None:
        sys.exit("redis-benchmark is not installed")
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        if redis is None:
            sys.exit("redis-server is not installed")
        servers = [redis, *(stack.enter_context(januskv(build)) for build in args.builds)]
        lines = table(servers, args)
    print(f"`python benchmarks/redis_side_by_side.py {' '.join(sys.argv[1:])}`\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
