"""10,000 keys in one command: KV_SET and KV_GET beside MSET and MGET of the same.

    python benchmarks/bulk.py [--rounds 11] [--builds compiled,plain]

Values of 32 bytes in a keyspace of 100,000; interleaved rounds, medians, thousand keys a second.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import socket
import statistics
import time

from servers import CLIENT_CORE, Server, januskv, pin, redis_server

KEYS, KEYSPACE, VALUE = 10_000, 100_000, b"x" * 32


def resp(*argv: bytes) -> bytes:
    """A command as RESP."""
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in argv)


def payloads(names: list[bytes]) -> dict[str, tuple[bytes, bytes]]:
    """By label: the request, and how the end of its answer looks."""
    pairs = b",".join(b'"%b":"%b"' % (name, VALUE) for name in names)
    listed = b",".join(b'"%b"' % name for name in names)
    set_body, get_body = b'{"keys":{%b}}' % pairs, b'{"keys":[%b]}' % listed
    return {
        "MSET": (resp(b"MSET", *(part for name in names for part in (name, VALUE))), b"+OK\r\n"),
        "MGET": (resp(b"MGET", *names), b"%b\r\n" % VALUE),
        "KV_SET line": (b'{"KV_SET":%b}\n' % set_body, b"}\n"),
        "KV_GET line": (b'{"KV_GET":%b}\n' % get_body, b"}\n"),
        "KV_SET verb": (resp(b"KV_SET", set_body), b"}\r\n"),
        "KV_GET verb": (resp(b"KV_GET", get_body), b"}\r\n"),
    }


def timed(sock: socket.socket, request: bytes, end: bytes, least: int) -> float:
    """Seconds from sending a request to the end of its answer, which has at least so many bytes."""
    started = time.perf_counter()
    sock.sendall(request)
    size, last = 0, b""
    while size < least or not last.endswith(end):
        data = sock.recv(1 << 20)
        size += len(data)
        last = (last + data)[-64:]
    return time.perf_counter() - started


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--builds", type=lambda text: text.split(","), default=["compiled", "plain"])
    args = parser.parse_args()
    drawn = random.Random(1)
    everything = [b"key:%08d" % i for i in range(KEYSPACE)]
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        servers: list[Server] = [stack.enter_context(januskv(build)) for build in args.builds]
        servers = ([redis] if redis is not None else []) + servers
        pin(CLIENT_CORE)
        socks = [stack.enter_context(server.connect()) for server in servers]
        for sock in socks:
            fill = payloads(everything)["MSET"]
            timed(sock, fill[0], fill[1], 5)
        rates: dict[tuple[str, str], list[float]] = {}
        for _ in range(args.rounds):
            requests = payloads(drawn.sample(everything, KEYS))
            for label, (request, end) in requests.items():
                for server, sock in zip(servers, socks, strict=True):
                    if server.name == "redis" and label.startswith("KV_"):
                        continue
                    least = KEYS * len(VALUE) if "GET" in label else 1
                    seconds = timed(sock, request, end, least)
                    rates.setdefault((label, server.name), []).append(KEYS / seconds / 1000)
    print("| command | " + " | ".join(server.name for server in servers) + " |")
    print("|---|" + "---|" * len(servers))
    for label in ("MSET", "KV_SET line", "KV_SET verb", "MGET", "KV_GET line", "KV_GET verb"):
        base = statistics.median(rates.get(("MSET" if "SET" in label else "MGET", "redis"), [0]))
        cells = []
        for server in servers:
            found = rates.get((label, server.name))
            median = statistics.median(found) if found else 0.0
            cells.append(f"{median:.0f} ({median / base:.2f})" if median and base else "")
        print(f"| {label} | {' | '.join(cells)} |")
    print("\nThousand keys a second; in brackets the ratio to Redis' MSET or MGET.")


if __name__ == "__main__":
    main()
