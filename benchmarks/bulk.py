"""10,000 keys in one command: KV_SET and KV_GET as JSON line and as RESP verb, beside MSET and MGET of the same.

    python benchmarks/bulk.py [--rounds 11] [--builds compiled,plain] [--keys 10000]

Values of 32 bytes in a keyspace of 100,000; one request at a time over one connection. Each round draws new keys and
runs every command a few times on every server. Prints a Markdown table of medians.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import socket
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from servers import (
    BUILDS,
    Server,
    encode,
    have_the_machine,
    markdown,
    origin,
    pin_to_client_core,
    receive,
    start,
    undisturbed,
    words,
)

KEYSPACE = 100_000
VALUE = b"0123456789abcdef0123456789abcdef"
REPEATS = 4
EVERYTHING = [b"key:%012d" % number for number in range(KEYSPACE)]
# The command that each one is compared with.
BASE = {"MSET": "MSET", "KV_SET line": "MSET", "KV_SET verb": "MSET"}
BASE |= {"MGET": "MGET", "KV_GET line": "MGET", "KV_GET verb": "MGET"}


class Exchange(NamedTuple):
    """A request and its only correct reply."""

    request: bytes
    reply: bytes


def bulk(data: bytes) -> bytes:
    """Bytes as a RESP bulk string."""
    return b"$%d\r\n%b\r\n" % (len(data), data)


def exchanges(names: Sequence[bytes]) -> dict[str, Exchange]:
    """Label -> the request for these keys, and its reply."""
    pairs = b",".join(b'"%b":"%b"' % (name, VALUE) for name in names)
    listed = b",".join(b'"%b"' % name for name in names)
    set_body, get_body = b'{"keys":{%b}}' % pairs, b'{"keys":[%b]}' % listed
    set_reply, get_reply = b'{"KV_SET_RSP":{"st":1}}', b'{"KV_GET_RSP":{"st":1,"keys":{%b}}}' % pairs
    return {
        "MSET": Exchange(encode(b"MSET", *(word for name in names for word in (name, VALUE))), b"+OK\r\n"),
        "KV_SET line": Exchange(b'{"KV_SET":%b}\n' % set_body, set_reply + b"\n"),
        "KV_SET verb": Exchange(encode(b"KV_SET", set_body), bulk(set_reply)),
        "MGET": Exchange(encode(b"MGET", *names), b"*%d\r\n" % len(names) + bulk(VALUE) * len(names)),
        "KV_GET line": Exchange(b'{"KV_GET":%b}\n' % get_body, get_reply + b"\n"),
        "KV_GET verb": Exchange(encode(b"KV_GET", get_body), bulk(get_reply)),
    }


def timed(sock: socket.socket, exchange: Exchange) -> float:
    """Seconds from sending a request to the end of its reply. Raises RuntimeError on another reply."""
    started = time.perf_counter()
    sock.sendall(exchange.request)
    found = receive(sock, len(exchange.reply), exchange.reply)
    spent = time.perf_counter() - started
    if found != exchange.reply:
        raise RuntimeError(f"{exchange.request[:40]!r} was answered with {found[:200]!r}")
    return spent


class Cell(NamedTuple):
    """The result of one command on one server in a round."""

    kkeys_per_s: float
    cpu_s: float


Round = dict[tuple[str, int], Cell]  # by command and number of the server


def one_round(servers: Sequence[Server], socks: Sequence[socket.socket], names: Sequence[bytes], first: int) -> Round:
    """Run every command on every server, beginning with one of them."""
    found: Round = {}
    for label, exchange in exchanges(names).items():
        for i in [*range(first, len(servers)), *range(first)]:
            if servers[i].name == "redis" and label.startswith("KV_"):
                continue
            before = servers[i].cpu_seconds()
            seconds = statistics.median(timed(socks[i], exchange) for _ in range(REPEATS))
            found[label, i] = Cell(len(names) / seconds / 1000, servers[i].cpu_seconds() - before)
    return found


def table(servers: Sequence[Server], rounds: Sequence[Round], keys: int) -> str:
    """The medians of all rounds. The first server is Redis."""
    rows = []
    for label, base in BASE.items():
        row = [label]
        for i in range(len(servers)):
            cells = [done[label, i] for done in rounds if (label, i) in done]
            if not cells:
                row += [""] * (2 if i == 0 else 3)
                continue
            row.append(f"{statistics.median(cell.kkeys_per_s for cell in cells):.0f}")
            if i > 0:
                theirs = [done[base, 0].kkeys_per_s for done in rounds]
                ratios = [cell.kkeys_per_s / their for cell, their in zip(cells, theirs, strict=True)]
                row.append(f"{statistics.median(ratios):.2f}")
            # The kernel's tick is coarse, so processor time is summed over all rounds.
            row.append(f"{sum(cell.cpu_s for cell in cells) / (len(cells) * REPEATS * keys) * 1e9:.0f}")
        rows.append(row)
    heads = ["command", "redis", "ns CPU"]
    for server in servers[1:]:
        heads += [server.name, "ratio", "ns CPU"]
    return markdown(heads, rows)


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--builds", type=words(*BUILDS), default=["compiled", "plain"])
    parser.add_argument("--keys", type=int, default=10_000)
    args = parser.parse_args()
    have_the_machine()
    drawn = random.Random(1)
    rounds: list[Round] = []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(start(build)) for build in ("redis", *args.builds)]
        pin_to_client_core()
        for server in servers:
            server.fill(b"key:", KEYSPACE, VALUE)
        socks = [stack.enter_context(server.connect()) for server in servers]
        for number in range(args.rounds):
            names = drawn.sample(EVERYTHING, args.keys)
            rounds.append(undisturbed(partial(one_round, servers, socks, names, number % len(servers))))
            print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
    print(origin())
    print(table(servers, rounds, args.keys))
    print(
        "\nThousand keys per second; median of the ratios to Redis' MSET or MGET; processor time of the server per key."
    )


if __name__ == "__main__":
    main()
