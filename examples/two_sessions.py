"""Two sessions, one data set, two faces: JSON writes, redis-py reads.

    pip install redis vega_datasets
    januskv &
    python examples/two_sessions.py [--port 6379]

Opens a session for the cars and one for the stocks of vega_datasets, stores every row through JSON
lines, then counts and reads both through redis-py, for which a session is a database number.
"""

from __future__ import annotations

import argparse
import json
import socket
import time
from typing import Any

import redis
from vega_datasets import local_data

ROWS_A_COMMAND = 500


class JsonClient:
    """A native client: one JSON object a line, one line back."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.lines = self.sock.makefile("rb")

    def ask(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Run a command; the members of its reply. Raises ValueError where its status is not 1."""
        self.sock.sendall(json.dumps({name: body}).encode() + b"\n")
        reply: dict[str, Any] = json.loads(self.lines.readline()).get(f"{name}_RSP", {})
        if reply.get("st") != 1:
            raise ValueError(f"{name}: {reply}")
        return reply

    def store(self, token: int, rows: dict[str, Any]) -> float:
        """Set all rows in a session; the seconds that it took."""
        started = time.perf_counter()
        names = list(rows)
        for i in range(0, len(names), ROWS_A_COMMAND):
            part = {name: rows[name] for name in names[i : i + ROWS_A_COMMAND]}
            self.ask("KV_SET", {"tkn": token, "keys": part})
        return time.perf_counter() - started


def rows_of(name: str, key: str) -> dict[str, Any]:
    """The rows of a data set as JSON objects, named after a column and their number."""
    frame = getattr(local_data, name)()
    records = json.loads(frame.to_json(orient="records", date_format="iso"))
    return {f"{name}:{record[key]}:{i}": record for i, record in enumerate(records)}


def main() -> None:
    """Store, read, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=6379)
    port = parser.parse_args().port
    client = JsonClient(port)
    for data_set, column in (("cars", "Origin"), ("stocks", "symbol")):
        rows = rows_of(data_set, column)
        token = client.ask("SH_NEW", {"name": data_set, "expiry": {"duration": 600, "deleteSession": True}})["tkn"]
        seconds = client.store(token, rows)
        print(f"{data_set}: {len(rows)} rows stored through JSON in session {token}, {len(rows) / seconds:,.0f} rows/s")

        r = redis.Redis(port=port, db=token, decode_responses=True)
        kinds: dict[str, int] = {}
        for name in r.scan_iter(count=1000):
            group = name.split(":")[1]
            kinds[group] = kinds.get(group, 0) + 1
        assert r.dbsize() == sum(kinds.values()) == len(rows)
        print(
            f"  redis-py counts {r.dbsize()}: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}"
        )
        first = next(iter(rows))
        print(f"  {first} is a {r.type(first)} to Redis")
        found = client.ask("KV_FIND", {"tkn": token, "rsp": "keys", "path": "$[?(@ =~ /^USA|^AAPL/)]"})["keys"]
        print(f"  {len(found)} rows match USA or AAPL by JSONPath")
        r.set("seen by", "redis-py")
        print(
            f"  written by redis-py, read as JSON: {client.ask('KV_GET', {'tkn': token, 'keys': ['seen by']})['keys']}"
        )
        client.ask("SH_END", {"tkn": token})


if __name__ == "__main__":
    main()
