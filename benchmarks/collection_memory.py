"""Bytes per member of collections, small and large, compared with redis-server.

    python benchmarks/collection_memory.py [--counts 1x1000000,1000x1000,10000x100,100000x10] [--builds compiled]

Members have 16 bytes (``member:`` and nine digits), values of hashes 7 to 13, scores are integers. Of the
small collections, those of ``own`` have no members in common; those of ``shared`` all have the same, like the objects of an
application. Every figure comes from a fresh server, filled in pipelined batches: the growth of its resident memory,
keys included. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys
import time

from collection_verbs import Client, filling
from servers import BUILDS, Server, have_the_machine, markdown, origin, pin_to_client_core, start, words

KINDS = ("hash", "list", "set", "zset", "stream")
BATCH = 200  # commands
SETTLE_S = 0.5


def bytes_a_member(server: Server, kind: str, count: int, size: int, *, shared: bool) -> float:
    """Growth of the process for this many collections, per member."""
    client = Client(server)
    before = server.resident_bytes()
    waiting: list[bytes] = []
    for number in range(count):
        waiting += filling(kind, b"%s:%d" % (kind.encode(), number), size, 0 if shared else number * size)
        if len(waiting) >= BATCH or number == count - 1:
            client.ask(b"".join(waiting), len(waiting))
            waiting = []
    time.sleep(SETTLE_S)
    return (server.resident_bytes() - before) / count / size


def shape(text: str) -> tuple[int, int]:
    """``100000x10``: how many collections, and of how many members."""
    count, _, size = text.partition("x")
    return int(count), int(size)


def main() -> None:
    """Fill the servers one after the other and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1x1000000,1000x1000,10000x100,100000x10")
    parser.add_argument("--kinds", type=words(*KINDS), default=list(KINDS))
    parser.add_argument("--builds", type=words(*BUILDS), default=["compiled"])
    args = parser.parse_args()
    have_the_machine()
    pin_to_client_core()
    rows = []
    for count, size in map(shape, args.counts.split(",")):
        for kind in args.kinds:
            for shared in (False, True) if count > 1 and kind != "list" and kind != "stream" else (False,):
                found = []
                for build in ("redis", *args.builds):
                    with start(build) as server:
                        found.append(bytes_a_member(server, kind, count, size, shared=shared))
                names = "shared" if shared else "own"
                ours = [cell for each in found[1:] for cell in (f"{each:.0f}", f"{each / found[0]:.2f}")]
                rows.append([f"{kind}, {count:,} of {size:,}", names, f"{found[0]:.0f}", *ours])
                print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    heads = ["bytes a member", "names", "redis"]
    for build in args.builds:
        heads += [build, "ratio"]
    print(origin())
    print(markdown(heads, rows))


if __name__ == "__main__":
    main()
