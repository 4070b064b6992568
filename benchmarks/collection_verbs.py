"""Commands of collections at small and large sizes beside redis-server in one run.

    python benchmarks/collection_verbs.py [--rounds 3] [--sizes 10,1000,1000000] [--builds compiled]

One connection, sixteen requests in a batch, made beforehand; replies are read to their end by hiredis. Prints a Markdown
table of the median ratios ours/Redis (above 1: ours is faster). Their memory: ``collection_memory.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import hiredis
from servers import (
    BUILDS,
    Server,
    encode,
    have_the_machine,
    januskv,
    markdown,
    numbers,
    origin,
    pin_to_client_core,
    redis_server,
    words,
)

BATCH = 16
MOST_S = 0.6  # of one measurement


class Client:
    """One connection."""

    def __init__(self, server: Server) -> None:
        self.sock = server.connect()
        self.reader = hiredis.Reader()

    def ask(self, request: bytes, replies: int) -> None:
        """Send requests and read their replies. Raises RuntimeError on an error."""
        self.sock.sendall(request)
        while replies:
            data = self.sock.recv(1 << 20)
            if not data:
                raise ConnectionError("closed by the server")
            self.reader.feed(data)
            while (reply := self.reader.gets()) is not False:
                if isinstance(reply, hiredis.ReplyError):
                    raise RuntimeError(f"{request[:60]!r}: {reply}")
                replies -= 1


def member(number: int) -> bytes:
    """The name of a member."""
    return b"member:%09d" % number


def filling(kind: str, key: bytes, size: int, begin: int = 0) -> Iterator[bytes]:
    """Commands that create a collection of this many members, with consecutively numbered names."""
    if kind == "stream":
        for number in range(begin, begin + size):
            yield encode(b"XADD", key, b"*", b"field", member(number))
        return
    for first in range(begin, begin + size, 1000):
        chosen = range(first, min(begin + size, first + 1000))
        if kind == "hash":
            yield encode(b"HSET", key, *[part for n in chosen for part in (member(n), b"value:%d" % n)])
        elif kind == "zset":
            yield encode(b"ZADD", key, *[part for n in chosen for part in (b"%d" % (n * 7919 % size), member(n))])
        else:
            verb = b"RPUSH" if kind == "list" else b"SADD"
            yield encode(verb, key, *[member(n) for n in chosen])


def verbs(size: int) -> dict[str, tuple[str, Callable[[int], bytes]]]:
    """Label -> kind, and the command number n."""
    drawn = random.Random(1)
    chosen = [drawn.randrange(size) for _ in range(1024)]

    def pick(number: int) -> int:
        return chosen[number & 1023]

    found: dict[str, tuple[str, Callable[[int], bytes]]] = {
        "HSET": ("hash", lambda n: encode(b"HSET", b"hash", member(pick(n)), b"v%d" % n)),
        "HGET": ("hash", lambda n: encode(b"HGET", b"hash", member(pick(n)))),
        "LPUSH, LPOP": ("list", lambda n: encode(b"LPUSH", b"list", b"x") if n % 2 else encode(b"LPOP", b"list")),
        "LINDEX": ("list", lambda n: encode(b"LINDEX", b"list", b"%d" % pick(n))),
        "LRANGE of 10": ("list", lambda n: encode(b"LRANGE", b"list", b"%d" % pick(n), b"%d" % (pick(n) + 9))),
        "SADD, SREM": ("set", lambda n: encode(b"SADD" if n % 2 else b"SREM", b"set", b"new%d" % (n // 2))),
        "SISMEMBER": ("set", lambda n: encode(b"SISMEMBER", b"set", member(pick(n)))),
        "SRANDMEMBER": ("set", lambda n: encode(b"SRANDMEMBER", b"set")),
        "ZADD": ("zset", lambda n: encode(b"ZADD", b"zset", b"%d" % (n * 31 % 1000), member(pick(n)))),
        "ZSCORE": ("zset", lambda n: encode(b"ZSCORE", b"zset", member(pick(n)))),
        "ZRANK": ("zset", lambda n: encode(b"ZRANK", b"zset", member(pick(n)))),
        "ZRANGE of 10": ("zset", lambda n: encode(b"ZRANGE", b"zset", b"%d" % pick(n), b"%d" % (pick(n) + 9))),
        "XADD": ("stream", lambda n: encode(b"XADD", b"stream", b"MAXLEN", b"~", b"%d" % size, b"*", b"f", b"v%d" % n)),
        "XREAD of 10": ("stream", lambda n: encode(b"XREAD", b"COUNT", b"10", b"STREAMS", b"stream", b"0")),
    }
    if size <= 1000:
        found["HGETALL"] = ("hash", lambda n: encode(b"HGETALL", b"hash"))
        found["SINTER"] = ("set", lambda n: encode(b"SINTER", b"set", b"other"))
        found["ZRANGE of all"] = ("zset", lambda n: encode(b"ZRANGE", b"zset", b"0", b"-1", b"WITHSCORES"))
    return found


def rate(client: Client, command: Callable[[int], bytes]) -> float:
    """Requests per second."""
    batches = [b"".join(command(at * BATCH + i) for i in range(BATCH)) for at in range(64)]
    client.ask(batches[0], BATCH)
    done = 0
    started = time.perf_counter()
    while (spent := time.perf_counter() - started) < MOST_S:
        client.ask(batches[done % len(batches)], BATCH)
        done += 1
    return done * BATCH / spent


def speeds(server: Server, size: int) -> dict[str, float]:
    """Label -> requests per second, of one server with collections of one size."""
    server.flush()
    client = Client(server)
    for kind in ("hash", "list", "set", "zset", "stream"):
        for command in filling(kind, kind.encode(), size):
            client.ask(command, 1)
    for command in filling("set", b"other", min(size, 1000)):
        client.ask(command, 1)
    return {label: rate(client, command) for label, (_, command) in verbs(size).items()}


def main() -> None:
    """Run the rounds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=numbers, default=[10, 1000, 1_000_000])
    parser.add_argument("--builds", type=words(*BUILDS), default=["compiled"])
    args = parser.parse_args()
    have_the_machine()
    found: dict[tuple[str, int, str], list[float]] = {}
    with contextlib.ExitStack() as stack:
        redis, *ours = [stack.enter_context(redis_server()), *(stack.enter_context(januskv(b)) for b in args.builds)]
        pin_to_client_core()
        for size in args.sizes:
            for number in range(args.rounds if size < 100_000 else 1):
                theirs = speeds(redis, size)
                for server in ours:
                    for label, value in speeds(server, size).items():
                        found.setdefault((label, size, server.name), []).append(value / theirs[label])
                print(f"{size} members, round {number + 1}", file=sys.stderr, flush=True)
    print(origin())
    heads = [f"{size:,} members, {build}" for build in args.builds for size in args.sizes]
    table = []
    for label in dict.fromkeys(label for label, _, _ in found):
        cells = [found.get((label, size, build)) for build in args.builds for size in args.sizes]
        table.append([label, *("" if cell is None else f"{statistics.median(cell):.2f}" for cell in cells)])
    print(markdown(["ours/Redis, requests a second", *heads], table))


if __name__ == "__main__":
    main()
