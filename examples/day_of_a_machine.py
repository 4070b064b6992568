"""A day of this machine's figures: 86,400 readings of /proc, stored, downsampled, printed.

    pip install redis
    januskv &
    python examples/day_of_a_machine.py [--port 6379]

Reads load, free memory and processor time from /proc as fast as it can, and stores the readings as if there was one a
second since midnight. Rules keep the mean of every minute; queries ask for hours. Linux only.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import redis

DAY_S = 86_400
ROWS_A_COMMAND = 1000


def readings() -> tuple[float, float, float]:
    """One-minute load, free memory in MiB, busy share of the processors since the start."""
    with open("/proc/loadavg") as file:
        load = float(file.read().split()[0])
    with open("/proc/meminfo") as file:
        free = next(int(line.split()[1]) for line in file if line.startswith("MemFree")) / 1024
    with open("/proc/stat") as file:
        ticks = list(map(int, file.readline().split()[1:]))
    return load, round(free, 1), round(1 - ticks[3] / sum(ticks), 4)


def prepare(series: Any, names: list[str]) -> None:
    """Make a series for each figure, and one for its means of a minute."""
    for name in names:
        series.create(name, labels={"figure": name, "step": "second"}, duplicate_policy="last")
        series.create(f"{name}:minute", labels={"figure": name, "step": "minute"}, duplicate_policy="last")
        series.createrule(name, f"{name}:minute", "avg", 60_000)


def main() -> None:
    """Sample, store, query, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=6379)
    client = redis.Redis(port=parser.parse_args().port, protocol=2, decode_responses=True)
    series, names = client.ts(), ["load", "free", "busy"]
    prepare(series, names)
    midnight = int(time.time()) // DAY_S * DAY_S * 1000
    started = time.perf_counter()
    batch: list[tuple[str, int, float]] = []
    for second in range(DAY_S):
        at = midnight + second * 1000
        batch += [(name, at, value) for name, value in zip(names, readings(), strict=True)]
        if second % ROWS_A_COMMAND == ROWS_A_COMMAND - 1 or second == DAY_S - 1:
            batch.sort()  # the samples of one series together: they are then added as columns
            series.madd(batch)
            batch = []
    print(f"{3 * DAY_S} samples read and stored in {time.perf_counter() - started:.1f} s")
    for name in names:
        info, minutes = series.info(name), series.info(f"{name}:minute")
        print(f"{name}: {info.memory_usage / info.total_samples:.1f} bytes a sample, {minutes.total_samples} minutes")
        hours = series.range(name, "-", "+", aggregation_type="max", bucket_size_msec=3_600_000)
        print("  highest of each hour:", *(f"{value:g}" for _, value in hours))


if __name__ == "__main__":
    main()
