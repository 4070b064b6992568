"""Bytes of memory a key: a million keys with values of 100 bytes, with and without a deadline.

python benchmarks/memory.py [--keys 1000000] [--builds compiled]
"""

from __future__ import annotations

import argparse
import contextlib

from bulk import resp
from servers import Server, januskv, redis_server

BATCH = 1000


def growth(server: Server, count: int, *extra: bytes) -> float:
    """Fill an empty server; the growth of its memory in bytes a key."""
    server.flush()
    before = server.resident_bytes()
    with server.connect() as sock:
        for start in range(0, count, BATCH):
            names = [b"key:%012d" % i for i in range(start, start + BATCH)]
            sock.sendall(b"".join(resp(b"SET", name, b"v" * 88 + name[4:], *extra) for name in names))
            left = BATCH * len(b"+OK\r\n")
            while left:
                left -= len(sock.recv(left))
    return (server.resident_bytes() - before) / count


def main() -> None:
    """Fill fresh servers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--builds", type=lambda text: text.split(","), default=["compiled"])
    args = parser.parse_args()
    makers = [redis_server, *(lambda build=build: januskv(build) for build in args.builds)]
    print("| server | SET | SET ... EX |\n|---|---|---|")
    for make in makers:
        found = []
        name = ""
        for extra in ((), (b"EX", b"100000")):
            with contextlib.ExitStack() as stack:
                server = stack.enter_context(make())
                if server is None:
                    break
                name = server.name
                found.append(growth(server, args.keys, *extra))
        if found:
            print(f"| {name} | {found[0]:.0f} | {found[1]:.0f} |", flush=True)
    print("\nBytes a key.")


if __name__ == "__main__":
    main()
