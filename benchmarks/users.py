"""What rights cost: redis-benchmark as the default user and as one with limited rights, on the same server in turns.

    python benchmarks/users.py [--rounds 7] [--tests set,get,lrange_100] [--pipelines 1,16] [--builds compiled]

The limited user has two categories and three patterns of keys, and the keys of the tests match the last one. Prints a Markdown table: for
redis-server and each build the median ratio of processor time a request, limited/default.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
from functools import partial

from servers import (
    BUILDS,
    Server,
    encode,
    expect,
    have_the_machine,
    markdown,
    numbers,
    origin,
    run_client,
    start,
    undisturbed,
    words,
)

RULES = (b"on", b">secret", b"~cart:*", b"%R~price:*", b"~key:*", b"~counter:*", b"~mylist", b"+@read", b"+@write")


def measure(server: Server, test: str, pipeline: int, count: int, user: tuple[str, ...]) -> float:
    """The server's microseconds of processor time for a request."""
    before = server.cpu_seconds()
    command = ["lrange", "mylist", "0", "99"] if test == "lrange_100" else ["-t", test]
    run_client(
        [
            "redis-benchmark",
            "-p",
            str(server.port),
            "-P",
            str(pipeline),
            "-n",
            str(count),
            "-r",
            "1000",
            "-q",
            *user,
            *command,
        ]
    )
    return (server.cpu_seconds() - before) / count * 1e6


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tests", type=words(), default=["set", "get", "lrange_100"])
    parser.add_argument("--pipelines", type=numbers, default=[1, 16])
    parser.add_argument("--builds", type=words(*BUILDS), default=["compiled"])
    args = parser.parse_args()
    have_the_machine()
    rows = []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(start(build)) for build in ("redis", *args.builds)]
        for server in servers:
            with server.connect() as sock:
                expect(sock, encode(b"ACL", b"SETUSER", b"app", *RULES), b"+OK\r\n")
                expect(sock, encode(b"RPUSH", b"mylist", *[b"value"] * 100), b":100\r\n")
        for pipeline in args.pipelines:
            count = 1_500_000 if pipeline > 1 else 200_000
            for test in args.tests:
                row = [test, str(pipeline)]
                for server in servers:
                    users = ((), ("--user", "app", "-a", "secret"))
                    times: list[list[float]] = [[], []]
                    for number in range(args.rounds):
                        for i in (number % 2, 1 - number % 2):
                            run = partial(measure, server, test, pipeline, count, users[i])
                            times[i].append(undisturbed(run))
                    default, limited = (statistics.median(each) for each in times)
                    row += [f"{default:.2f}", f"{limited / default:.2f}"]
                rows.append(row)
    heads = ["test", "P"]
    for server in servers:
        heads += [f"{server.name} µs CPU", "limited user"]
    print(origin())
    print(markdown(heads, rows))


if __name__ == "__main__":
    main()
