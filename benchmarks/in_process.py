"""Nanoseconds of processor time per command without sockets: a connection whose transport discards its output.

    python benchmarks/in_process.py [--builds compiled,plain] [--batches 1,16,64] [--rounds 3]

Runs itself once for each build. 100,000 random keys that all exist, values of 32 bytes; a batch stands for one read of
the socket. Prints a Markdown table of medians.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from servers import encode, have_the_machine, markdown, numbers, origin, pin_to_server_core, words

KEYS = [b"key:%012d" % number for number in range(100_000)]
COUNTERS = [b"counter:%012d" % number for number in range(100_000)]
VALUE = b"0123456789abcdef0123456789abcdef"
COMMANDS = 100_000


class Nowhere:
    """A transport that discards output, but notes whether it was an error."""

    def __init__(self) -> None:
        self.last = b""

    def write(self, data: bytes) -> None:
        """Keep only the newest bytes."""
        self.last = data

    def close(self) -> None:
        """Nothing to close."""

    abort = close

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        """An address of this machine."""
        return ("127.0.0.1", 1) if name.endswith("name") else None

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0


def make_connection() -> Any:
    """A connection to a whole server without sockets; the only place that depends on how it is assembled."""
    from januskv.compat.commands import build_table
    from januskv.compat.native.face import NativeFace
    from januskv.compat.server.config import Config
    from januskv.compat.server.connection import Connection
    from januskv.compat.server.server import Server
    from januskv.storage.store import Store

    server = Server(Store(), build_table(), Config())
    connection = Connection(server, server.dispatcher, NativeFace(server))
    connection.connection_made(Nowhere())
    return connection


# Name -> a function that makes a request.
REQUESTS: dict[str, Callable[[random.Random], bytes]] = {
    "ping": lambda draw: encode(b"PING"),
    "set": lambda draw: encode(b"SET", draw.choice(KEYS), VALUE),
    "set ex": lambda draw: encode(b"SET", draw.choice(KEYS), VALUE, b"EX", b"1000"),
    "get": lambda draw: encode(b"GET", draw.choice(KEYS)),
    "incr": lambda draw: encode(b"INCR", draw.choice(COUNTERS)),
    "mset 10": lambda draw: encode(b"MSET", *(word for key in draw.sample(KEYS, 10) for word in (key, VALUE))),
    "KV_SET line": lambda draw: b'{"KV_SET":{"keys":{"%b":"%b"}}}\n' % (draw.choice(KEYS), VALUE),
    "KV_GET line": lambda draw: b'{"KV_GET":{"keys":["%b"]}}\n' % draw.choice(KEYS),
}


def fresh_connection() -> Any:
    """A connection to a server that holds all keys and counters."""
    connection = make_connection()
    for key, counter in zip(KEYS, COUNTERS, strict=True):
        connection.data_received(encode(b"MSET", key, VALUE, counter, b"0"))
    return connection


def cost_ns(name: str, batch: int, rounds: int) -> float:
    """Processor time of one command, in batches of a size. Raises RuntimeError when it is answered with an error."""
    draw = random.Random(1)
    connection = fresh_connection()
    reads = [b"".join(REQUESTS[name](draw) for _ in range(batch)) for _ in range(COMMANDS // batch)]
    spent = []
    for _ in range(rounds):
        started = time.process_time_ns()
        for read in reads:
            connection.data_received(read)
        spent.append((time.process_time_ns() - started) / (len(reads) * batch))
    last = connection.transport.last
    if last.startswith(b"-") or (last.startswith(b"{") and b'"st":1' not in last) or not last:
        raise RuntimeError(f"{name} was answered with {last[:200]!r}")
    return statistics.median(spent)


def measure_all(args: argparse.Namespace) -> None:
    """Measure the build of this process; print figures by name and batch, and which build it is, as JSON."""
    from januskv.compat.server.process import build

    pin_to_server_core()
    found = {name: {batch: cost_ns(name, batch, args.rounds) for batch in args.batches} for name in REQUESTS}
    print(json.dumps({"build": build(), "ns": found}))


def main() -> None:
    """Run this script for every build and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=words("compiled", "plain"), default=["compiled", "plain"])
    parser.add_argument("--batches", type=numbers, default=[1, 16, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure_all(args)
        return
    have_the_machine()
    rows = []
    for build in args.builds:
        environment = os.environ | {"JANUSKV_PURE": "1" if build == "plain" else "0"}
        argv = [sys.executable, __file__, "--measure", "--rounds", str(args.rounds)]
        argv += ["--batches", ",".join(str(batch) for batch in args.batches)]
        found = json.loads(subprocess.run(argv, env=environment, stdout=subprocess.PIPE, check=True).stdout)
        if found["build"] != build:
            sys.exit(f"this is the {found['build']} build, not the {build} one")
        for batch in args.batches:
            rows.append([f"{build}, {batch}", *(f"{found['ns'][name][str(batch)]:.0f}" for name in REQUESTS)])
    print(origin())
    print(markdown(["build, batch", *REQUESTS], rows))
    print("\nNanoseconds of processor time per command.")


if __name__ == "__main__":
    main()
