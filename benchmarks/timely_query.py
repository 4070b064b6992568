"""Processor time of queries over a metric of many series, in process: no sockets, no JSON.

    python benchmarks/timely_query.py [--series 1000] [--hours 24] [--step 10] [--values 10] [--rounds 5]

The series have a sample every ten seconds and two tags: host, of its own, and rack, of which there are a few. Prints a
Markdown table: milliseconds of processor time (the median of some rounds), million samples per second, and the longest
step between two points where a query gives way to other clients.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from array import array
from typing import Any

from servers import have_the_machine, markdown, origin, pin_to_server_core

START_MS = 1_893_456_000_000
MINUTE_MS = 60_000


def filled(series: int, hours: int, step_s: int, values: int, shifted: bool) -> Any:
    """A keyspace with the metric; ``shifted``: no two series have samples at the same times."""
    from januskv.storage.clock import ManualClock
    from januskv.storage.metrics import series_for
    from januskv.storage.store import Store

    keyspace = Store(clock=ManualClock()).databases[0]
    count = hours * 3600 // step_s
    drawn = random.Random(1)
    column = [round(20 + drawn.gauss(0, 5), 2) for _ in range(count + series)]
    for number in range(series):
        tags = {b"host": b"h%04d" % number, b"rack": b"r%d" % (number % values)}
        _, found = series_for(keyspace, b"cpu", tags)
        first = START_MS + (number if shifted else 0)
        times = array("q", range(first, first + count * step_s * 1000, step_s * 1000))
        found.extend(times, array("d", column[number : number + count]))
    return keyspace


def measured(keyspace: Any, query: Any, rounds: int) -> tuple[float, float, int]:
    """Milliseconds of processor time, those of the longest step, and rows."""
    from januskv.storage.metric_queries import query_steps

    spent, longest, rows = [], 0.0, 0
    for _ in range(rounds):
        begun = time.process_time()
        steps = query_steps(keyspace, query, lambda visibility: not visibility)
        worst = 0.0
        while True:
            step = time.process_time()
            try:
                next(steps)
            except StopIteration as end:
                rows = sum(len(group.times) for group in end.value)
                break
            finally:
                worst = max(worst, time.process_time() - step)
        spent.append((time.process_time() - begun) * 1000)
        longest = worst * 1000 if not longest else min(longest, worst * 1000)
    return statistics.median(spent), longest, rows


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--step", type=int, default=10)
    parser.add_argument("--values", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    have_the_machine()
    pin_to_server_core()
    from januskv.storage.metric_queries import Downsample, MetricQuery, Rate, TagFilter

    end_ms = START_MS + args.hours * 3_600_000 - 1

    def asked(**more: Any) -> Any:
        given = {
            "filters": (TagFilter(b"rack"),),
            "downsample": Downsample(MINUTE_MS, "avg"),
        } | more
        return MetricQuery(b"cpu", START_MS, end_ms, **given)

    queries = {
        "1m-avg by rack": asked(),
        "1m-avg by host": asked(filters=(TagFilter(b"host"),)),
        "1m-dev by rack": asked(downsample=Downsample(MINUTE_MS, "dev")),
        "1m-max by rack": asked(downsample=Downsample(MINUTE_MS, "max")),
        "1m-p99 by rack": asked(downsample=Downsample(MINUTE_MS, "p99")),
        "1d-p99 of all": asked(filters=(), downsample=Downsample(86_400_000, "p99")),
        "1m-avg of rates by rack": asked(rate=Rate(1000, counter=True)),
        "1m-avg by host, sum": asked(filters=(TagFilter(b"host"),), aggregator="sum"),
        "1m-avg by host, p99": asked(filters=(TagFilter(b"host"),), aggregator="p99"),
        "one host": asked(filters=(TagFilter(b"host", (b"h0007",)),)),
        "all samples of racks r1 and r2": asked(filters=(TagFilter(b"rack", (b"r1", b"r2")),), downsample=None),
    }
    table = []
    for label, shifted in (("", False), (", shifted", True)):
        keyspace = filled(args.series, args.hours, args.step, args.values, shifted)
        samples = args.series * args.hours * 3600 // args.step
        for name, query in queries.items():
            spent, longest, rows = measured(keyspace, query, args.rounds)
            share = {"one host": args.series, "all samples of racks r1 and r2": args.values / 2}.get(name, 1)
            rate = samples / share / spent / 1000
            table.append([name + label, f"{spent:.1f}", f"{rate:.0f}", f"{longest:.2f}", f"{rows:,}"])
    print(origin())
    print(markdown([f"{samples:,} samples", "ms", "million/s", "longest step, ms", "rows"], table))


if __name__ == "__main__":
    main()
