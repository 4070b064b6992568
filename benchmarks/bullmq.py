"""BullMQ adds jobs, one or sixteen at a time: its script on JanusKV and on redis-server, in interleaved rounds.

    python benchmarks/bullmq.py [--rounds 3] [--jobs 8000] [--builds compiled]

Node and BullMQ are those that tests/live/install-clients installs. The client takes most of the time, so the processor time
of the server for one job says more than the jobs a second. Prints a Markdown table like that of redis_side_by_side.py.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
from functools import partial

from servers import BUILDS, HERE, Server, have_the_machine, markdown, origin, run_client, start, undisturbed, words

MODULES = HERE.parent / ".clients" / "node"
TOGETHER = (1, 16)


def measure(server: Server, jobs: int, together: int) -> tuple[float, float]:
    """Jobs a second, and the server's microseconds for one."""
    server.flush()
    before = server.cpu_seconds()
    rate = float(
        run_client(["node", str(HERE / "load" / "bullmq.js"), str(MODULES), str(server.port), str(jobs), str(together)])
    )
    return rate, (server.cpu_seconds() - before) / jobs * 1e6


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=8000)
    parser.add_argument("--builds", type=words(*BUILDS), default=["compiled"])
    args = parser.parse_args()
    if not (MODULES / "node_modules" / "bullmq").exists():
        sys.exit("run tests/live/install-clients first")
    have_the_machine()
    rows = []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(start(build)) for build in ("redis", *args.builds)]
        for together in TOGETHER:
            runs: list[list[tuple[float, float]]] = [[] for _ in servers]
            for number in range(args.rounds):
                turn = number % len(servers)
                for i in [*range(turn, len(servers)), *range(turn)]:
                    runs[i].append(undisturbed(partial(measure, servers[i], args.jobs, together)))
            row = [str(together), *(f"{statistics.median(column):.0f}" for column in zip(*runs[0], strict=True))]
            for ours in runs[1:]:
                for kind in (0, 1):
                    pairs = zip(ours, runs[0], strict=True)
                    row.append(f"{statistics.median(our[kind] / their[kind] for our, their in pairs):.2f}")
            rows.append(row)
    heads = ["jobs at a time", "Redis jobs/s", "Redis µs CPU"]
    for build in args.builds:
        heads += [f"{build} jobs/s", "CPU"]
    print(origin())
    print(markdown(heads, rows))


if __name__ == "__main__":
    main()
