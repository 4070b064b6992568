"""Nanoseconds a command without sockets: a connection with a transport that throws its output away.

    python benchmarks/in_process.py

Runs itself once for each build. 100,000 random keys, values of 32 bytes, batches of 1, 16 and 64 requests.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bulk import resp

KEYS = [b"key:%012d" % i for i in range(100_000)]
VALUE = b"x" * 32
COMMANDS = 100_000
ROUNDS = 3


class Nowhere:
    """A transport that forgets what is written."""

    def write(self, data: bytes) -> None:
        """Throw the bytes away."""

    def close(self) -> None:
        """There is nothing to close."""

    abort = close

    def get_extra_info(self, name: str) -> Any:
        """An address of this machine."""
        return ("127.0.0.1", 1) if name.endswith("name") else None

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0


def make_connection() -> Any:
    """A connection to a whole server without sockets."""
    from januskv.compat.commands import build_table
    from januskv.compat.config import Config
    from januskv.compat.connection import Connection
    from januskv.compat.dispatch import Dispatcher
    from januskv.compat.native import NativeFace
    from januskv.compat.server import Server
    from januskv.storage.store import Store

    server = Server(Store(), build_table(), Config())
    Dispatcher(server)
    connection = Connection(server, server.dispatcher, NativeFace(server))
    connection.connection_made(Nowhere())
    return connection


def makers(draw: random.Random) -> dict[str, Callable[[], bytes]]:
    """By name: what makes one request."""
    return {
        "ping": lambda: resp(b"PING"),
        "set": lambda: resp(b"SET", draw.choice(KEYS), VALUE),
        "get": lambda: resp(b"GET", draw.choice(KEYS)),
        "incr": lambda: resp(b"INCR", b"n" + draw.choice(KEYS)),
        "mset 10": lambda: resp(b"MSET", *(part for _ in range(10) for part in (draw.choice(KEYS), VALUE))),
        "KV_SET line": lambda: b'{"KV_SET":{"keys":{"%b":"%b"}}}\n' % (draw.choice(KEYS), VALUE),
        "KV_GET line": lambda: b'{"KV_GET":{"keys":["%b"]}}\n' % draw.choice(KEYS),
    }


def measure() -> None:
    """Measure the build of this process and print its rows."""
    connection = make_connection()
    draw = random.Random(1)
    build = connection.server.build
    for key in KEYS:
        connection.data_received(resp(b"SET", key, VALUE))
    for batch in (1, 16, 64):
        cells = []
        for make in makers(draw).values():
            chunks = [b"".join(make() for _ in range(batch)) for _ in range(COMMANDS // batch)]
            spent = []
            for _ in range(ROUNDS):
                started = time.process_time_ns()
                for chunk in chunks:
                    connection.data_received(chunk)
                spent.append((time.process_time_ns() - started) / (len(chunks) * batch))
            cells.append(f"{statistics.median(spent):.0f}")
        print(f"| {build}, {batch} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the table of both builds."""
    if "--measure" in sys.argv:
        measure()
        return
    names = list(makers(random.Random(1)))
    print(f"| build, batch | {' | '.join(names)} |\n|---|{'---|' * len(names)}", flush=True)
    for pure in ("0", "1"):
        subprocess.run([sys.executable, __file__, "--measure"], env=os.environ | {"JANUSKV_PURE": pure}, check=True)
    print("\nNanoseconds of processor time a command.")


if __name__ == "__main__":
    main()
