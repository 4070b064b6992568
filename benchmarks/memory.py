"""Memory per key: a million keys of 16 bytes with values of 100 bytes, without and with an expiry time.

    python benchmarks/memory.py [--keys 1000000] [--builds compiled,plain] [--size 100]

Every figure comes from a fresh server, filled over one connection in pipelined batches. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Callable

from servers import (
    BUILDS,
    Server,
    encode,
    expect,
    have_the_machine,
    markdown,
    numbers,
    origin,
    pin_to_client_core,
    start,
    words,
)

BATCH = 1000
# After the last write Redis still rehashes its table, and our garbage collector runs for a moment.
SETTLE_S = 1.0


def setting(*options: bytes) -> Callable[[socket.socket, range, int], None]:
    """A function that sets a batch of keys with SET and these options."""

    def load(sock: socket.socket, batch: range, size: int) -> None:
        commands = (encode(b"SET", b"key:%012d" % n, b"%0*d" % (size, n), *options) for n in batch)
        expect(sock, b"".join(commands), b"+OK\r\n" * len(batch))

    return load


def set_json(sock: socket.socket, batch: range, size: int) -> None:
    """Set a batch of keys to JSON strings, in one KV_SET."""
    pairs = b",".join(b'"key:%012d":"%0*d"' % (n, size, n) for n in batch)
    expect(sock, b'{"KV_SET":{"keys":{%b}}}\n' % pairs, b'{"KV_SET_RSP":{"st":1}}\n')


LOADS = {"SET": setting(), "SET … EX": setting(b"EX", b"100000"), "KV_SET": set_json}


def growth(server: Server, load: Callable[[socket.socket, range, int], None], count: int, size: int) -> float:
    """Fill an empty server; return the growth of its memory, in bytes per key. Raises RuntimeError if keys are missing."""
    before = server.resident_bytes()
    with server.connect() as sock:
        for first in range(0, count, BATCH):
            load(sock, range(first, min(first + BATCH, count)), size)
        expect(sock, encode(b"DBSIZE"), b":%d\r\n" % count)
    time.sleep(SETTLE_S)
    return (server.resident_bytes() - before) / count


def main() -> None:
    """Fill the servers one after the other and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=numbers, default=[1_000_000], help="one or several counts")
    parser.add_argument("--builds", type=words(*BUILDS), default=["compiled", "plain"])
    parser.add_argument("--size", type=int, default=100)
    args = parser.parse_args()
    have_the_machine()
    pin_to_client_core()
    rows = []
    for count in args.keys:
        for label, load in LOADS.items():
            found: list[float] = []
            # Redis does not have KV_SET: the comparison is with its SET.
            for build, wanted in [
                ("redis", LOADS["SET"] if label == "KV_SET" else load),
                *((b, load) for b in args.builds),
            ]:
                with start(build) as server:
                    found.append(growth(server, wanted, count, args.size))
            ours = [cell for each in found[1:] for cell in (f"{each:.0f}", f"{each / found[0]:.2f}")]
            rows.append([label, str(count), f"{found[0]:.0f}", *ours])
            print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    heads = ["written by", "keys", "redis"]
    for build in args.builds:
        heads += [build, "ratio"]
    print(origin())
    print(markdown(heads, rows))
    print("\nBytes of RAM per key (growth of resident memory, divided by the number of keys).")


if __name__ == "__main__":
    main()
