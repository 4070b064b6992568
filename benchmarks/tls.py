"""JanusKV and redis-server under TLS: redis-benchmark in interleaved rounds, and waits beside handshakes that stay half-open.

    python benchmarks/tls.py [--rounds 5] [--tests ping_mbulk,set,get,incr,mset] [--pipelines 1,16] [--sizes 3,512]
        [--builds compiled] [--seconds 1.5] [--spread] [--half-open 1000]

A certificate with an RSA key of 2048 bits is made for the run; clients need none. The first table is that of
``redis_side_by_side.py``, with TLS. For the second one a client under TLS sends PING after PING for five seconds, alone, and
while so many others connect at once, begin a handshake and do not go on with it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from redis_side_by_side import SIZELESS, compare
from servers import BUILDS, Server, Tls, have_the_machine, markdown, numbers, origin, pin_to_client_core, start, words

WATCHED_S = 5.0


def hello(tls: Tls) -> bytes:
    """The first bytes of a handshake."""
    sent = ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=tls.certificate)
    session = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return sent.read()


@contextlib.contextmanager
def half_open(server: Server, data: bytes, count: int) -> Iterator[None]:
    """Another process opens connections, sends the first bytes of a handshake and nothing more."""
    child = os.fork()
    if child == 0:
        socks = []
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", server.tls_port))
            sock.sendall(data)
            socks.append(sock)
        signal.pause()
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def waits_ms(server: Server, tls: Tls, count: int) -> list[float]:
    """How long each PING waits; in ascending order."""
    context = ssl.create_default_context(cafile=tls.certificate)
    data = hello(tls)
    with (
        socket.create_connection(("127.0.0.1", server.tls_port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sock,
        half_open(server, data, count),
    ):
        found = []
        end = time.monotonic() + WATCHED_S
        while (begun := time.monotonic()) < end:
            sock.sendall(b"PING\r\n")
            sock.recv(100)
            found.append((time.monotonic() - begun) * 1000)
    return sorted(found)


def waits_row(server: Server, tls: Tls, count: int) -> list[str]:
    """A line of the second table."""
    found = waits_ms(server, tls, count)
    shown = [statistics.median(found), found[int(len(found) * 0.99)], found[int(len(found) * 0.999)], found[-1]]
    return [server.name, f"{count:,}", *(f"{each:.2f}" for each in shown)]


def main() -> None:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tests", type=words(), default=["ping_mbulk", "set", "get", "incr", "mset"])
    parser.add_argument("--pipelines", type=numbers, default=[1, 16])
    parser.add_argument("--sizes", type=numbers, default=[3, 512])
    parser.add_argument("--builds", type=words(*BUILDS), default=["compiled"])
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one run on Redis")
    parser.add_argument("--spread", action="store_true", help="show the least and the greatest ratio too")
    parser.add_argument(
        "--half-open", type=int, default=1000, help="handshakes that stay half-open; 0: no second table"
    )
    args = parser.parse_args()
    have_the_machine()
    rows = []
    waits = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        tls = Tls.make(Path(folder))
        servers = [stack.enter_context(start(build, tls)) for build in ("redis", *args.builds)]
        for pipeline in args.pipelines:
            for test in args.tests:
                for size in args.sizes[:1] if test in SIZELESS else args.sizes:
                    rows.append(compare(servers, test, pipeline, size, args))
                    print("  ".join(rows[-1]), file=sys.stderr, flush=True)
        if args.half_open:
            pin_to_client_core()
            for count in (0, args.half_open):
                for server in servers:
                    waits.append(waits_row(server, tls, count))
                    print("  ".join(waits[-1]), file=sys.stderr, flush=True)
    print(origin())
    heads = ["test", "P", "bytes", "Redis krps", "Redis µs CPU"]
    for build in args.builds:
        heads += [f"{build} rps", "CPU"]
    print(markdown(heads, rows))
    if waits:
        print()
        print(markdown(["server", "half-open", "median ms", "99 %", "99.9 %", "longest"], waits))


if __name__ == "__main__":
    main()
