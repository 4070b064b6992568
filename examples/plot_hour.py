"""An hour of this machine's own figures as a picture, from the HTTP API of Timely and OpenTSDB.

    pip install matplotlib
    januskv &
    python examples/plot_hour.py --collect 60 [--port 8379] [--to hour.png]

``--collect`` puts load, free memory and busy processors of this machine into the server, once a second for so long (Linux); run it in
the background, or have collectd write to the server and name its metrics: ``--metric load.load.shortterm``. Then, or alone
without it, the last hour is asked for in averages of ten seconds, a line for each value of the tag ``host``.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from typing import Any

FIGURES = ("machine.load", "machine.memory.free", "machine.cpu.busy")


def ask(port: int, path: str, document: Any) -> Any:
    """Send a document to the server; what it answers. Ends the program where it refuses, or is not there."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(document).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"the server refuses: {error.read().decode()}")
    except OSError as error:
        sys.exit(f"no server on port {port}: {error}; januskv starts one")
    return json.loads(text) if text else None


def ticks() -> tuple[int, int]:
    """What the processors have done since the start: all, and nothing."""
    with open("/proc/stat") as file:
        fields = list(map(int, file.readline().split()[1:9]))
    return sum(fields), fields[3] + fields[4]


def free_bytes() -> int:
    """Memory that programs can still have."""
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))


def collect(port: int, seconds: int) -> None:
    """Put a reading of each figure a second."""
    host = socket.gethostname()
    before, idle_before = ticks()
    for _ in range(seconds):
        time.sleep(1)
        total, idle = ticks()
        busy = 1 - (idle - idle_before) / max(total - before, 1)
        before, idle_before = total, idle
        readings = dict(zip(FIGURES, (os.getloadavg()[0], free_bytes(), busy), strict=True))
        now_ms = time.time_ns() // 1_000_000
        points = [
            {"metric": metric, "timestamp": now_ms, "value": value, "tags": {"host": host}}
            for metric, value in readings.items()
        ]
        ask(port, "/api/put", points)


def last_hour(port: int, metric: str) -> list[dict[str, Any]]:
    """The series of a metric, one for each host; none where nothing is known of it."""
    if metric not in ask(port, "/api/suggest", {"type": "metrics", "m": metric, "max": -1}):
        return []
    query = {"metric": metric, "downsample": "10s-avg", "tags": {"host": ".*"}}
    found: list[dict[str, Any]] = ask(port, "/api/query", {"start": "1h-ago", "queries": [query]})
    return found


def draw(figures: dict[str, list[dict[str, Any]]], path: str) -> None:
    """Draw each metric into a panel of its own."""
    try:
        import matplotlib
    except ImportError:
        sys.exit("this example draws with matplotlib: pip install matplotlib, or pip install 'januskv[examples]'")
    matplotlib.use("Agg")
    from datetime import datetime

    import matplotlib.pyplot as plt

    _, panels = plt.subplots(len(figures), sharex=True, squeeze=False, figsize=(9, 1 + 2 * len(figures)))
    for panel, (metric, series) in zip(panels[:, 0], figures.items(), strict=True):
        for each in series:
            rows = [(datetime.fromtimestamp(int(second)), float(value)) for second, value in each["dps"].items()]
            panel.plot(*zip(*rows, strict=True), label=each["tags"]["host"])
        panel.set_ylabel(metric)
        panel.legend(loc="upper left")
    plt.gcf().autofmt_xdate()
    plt.tight_layout()
    plt.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description="Plot the last hour of this machine's figures.")
    parser.add_argument("--port", type=int, default=8379, help="HTTP port of the server")
    parser.add_argument("--collect", type=int, default=0, metavar="SECONDS", help="put figures for so long first")
    parser.add_argument("--metric", action="append", help="metric to plot, instead of those that --collect puts")
    parser.add_argument("--to", default="hour.png", metavar="FILE", help="where the picture goes")
    options = parser.parse_args()
    collect(options.port, options.collect)
    wanted = options.metric or FIGURES
    figures = {metric: found for metric in wanted if (found := last_hour(options.port, metric))}
    if not figures:
        sys.exit(f"nothing is known of {', '.join(wanted)} in the last hour: --collect 60 puts some figures")
    draw(figures, options.to)
    print(f"{options.to}: {', '.join(f'{metric} of {len(series)} hosts' for metric, series in figures.items())}")


if __name__ == "__main__":
    main()
