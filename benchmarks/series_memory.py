"""Memory of series of samples: growth of the process per sample, and the server's own figures.

    python benchmarks/series_memory.py [--shapes 1x1000000,100x10000,10000x100] [--kinds fractions,whole,walk]

Each line is a fresh server that has already answered queries over another series, so that numpy is loaded. The
samples come by TS.ADD at pipeline 100, those of several series in turn. Prints a Markdown table of bytes per sample.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator

from servers import Server, encode, have_the_machine, januskv, markdown, origin, pin_to_client_core, receive, words
from timeseries import Client

START_MS = 1_600_000_000_000
STEP_MS = 1000
PIPELINE = 100
COLUMNS = 20  # of values: more series share them


def walk(drawn: random.Random, count: int) -> Iterator[str]:
    """A value that goes up or down by at most a half, with one decimal."""
    at = 200
    for _ in range(count):
        at += drawn.randrange(-5, 6)
        yield f"{at / 10}"


KINDS: dict[str, Callable[[random.Random, int], Iterator[str]]] = {
    "fractions": lambda drawn, count: (repr(drawn.random() * 100) for _ in range(count)),
    "whole": lambda drawn, count: (str(drawn.randrange(100)) for _ in range(count)),
    "walk": walk,
}


def warm_up(client: Client) -> None:
    """Have the server load all modules for series."""
    for number in range(3000):
        client.ask(encode(b"TS.ADD", b"warm", b"%d" % number, b"%d.5" % number))
    client.ask(encode(*b"TS.RANGE warm - + AGGREGATION avg 100".split()))
    client.ask(encode(b"TS.INFO", b"warm"))
    client.ask(encode(b"DEL", b"warm"))


def fill(client: Client, series: int, samples: int, kind: str) -> None:
    """Add samples to this many series."""
    columns = [list(KINDS[kind](random.Random(number), samples)) for number in range(min(series, COLUMNS))]
    batch: list[bytes] = []
    for at in range(samples):
        time = b"%d" % (START_MS + at * STEP_MS)
        for number in range(series):
            batch.append(encode(b"TS.ADD", b"s%d" % number, time, columns[number % COLUMNS][at].encode()))
            if len(batch) == PIPELINE:
                client.ask(b"".join(batch), PIPELINE)
                batch.clear()
    if batch:
        client.ask(b"".join(batch), len(batch))


def told(server: Server, series: int) -> tuple[float, float]:
    """``memoryUsage`` of TS.INFO and MEMORY USAGE, of all series together, extrapolated from the first twenty."""
    asked = min(series, COLUMNS)
    usage = info = 0
    with server.connect() as sock:
        for number in range(asked):
            sock.sendall(encode(b"MEMORY", b"USAGE", b"s%d" % number))
            usage += int(sock.recv(100)[1:])
            sock.sendall(encode(b"TS.INFO", b"s%d" % number))
            text = receive(sock, 1)
            while b"firstTimestamp" not in text:
                text += sock.recv(4096)
            info += int(text.split(b"memoryUsage\r\n:")[1].split(b"\r\n")[0])
    return info * series / asked, usage * series / asked


def measured(series: int, samples: int, kind: str) -> list[str]:
    """The line of the table."""
    with januskv() as server:
        server.check_identity()
        client = Client(server)
        warm_up(client)
        before = server.resident_bytes()
        fill(client, series, samples, kind)
        grown = server.resident_bytes() - before
        each = [value / (series * samples) for value in (grown, *told(server, series))]
    return [f"{series:,} × {samples:,}", kind, *(f"{value:.2f}" for value in each)]


def main() -> None:
    """Measure all shapes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=words(), default=["1x1000000", "100x10000", "10000x100"])
    parser.add_argument("--kinds", type=words(*KINDS), default=list(KINDS))
    args = parser.parse_args()
    have_the_machine()
    pin_to_client_core()
    shapes = [tuple(map(int, shape.split("x"))) for shape in args.shapes]
    table = [measured(series, samples, kind) for series, samples in shapes for kind in args.kinds]
    print(origin())
    print(markdown(["series × samples", "values", "process", "memoryUsage", "MEMORY USAGE"], table))


if __name__ == "__main__":
    main()
