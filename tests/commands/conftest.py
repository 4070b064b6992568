"""Native commands as their users call them: a JSON line to a server without sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture
def request_line(house: Any, wire: Any) -> Callable[[object], Any]:
    """Send one JSON line (a value, or text as it is); return its parsed reply, None if there is none."""

    def send(request: object) -> Any:
        text = request if isinstance(request, bytes) else json.dumps(request).encode()
        wire.send(text + b"\n")
        if house.server.long_commands.begun:
            house.run_timers()
        answer = wire.transport.written
        assert answer.count(b"\n") == answer.endswith(b"\n")
        return json.loads(answer) if answer else None

    return send


@pytest.fixture
def call(request_line: Callable[[object], Any]) -> Call:
    """Run one native command; return the body of its reply, None for a quiet one."""

    def run(command: str, **body: Any) -> Any:
        reply = request_line({command: body})
        if reply is None:
            return None
        assert list(reply) == [f"{command}_RSP"]
        return reply[f"{command}_RSP"]

    return run


@pytest.fixture
def token(call: Call) -> int:
    """The token of a session that never expires."""
    return int(call("SH_NEW", name="test")["tkn"])


@pytest.fixture
def hold_series(house: Any) -> Callable[[bytes], object]:
    """Set a key of database 0 to a value that counts as a series."""

    class Series:
        is_series = True
        kind = "ts-events"

        def unlink(self, keyspace: Any, key: bytes) -> None:
            """Its name is unknown to other code."""

    def hold(key: bytes) -> object:
        series = Series()
        house.store.databases[0].restore(key, series, None)
        return series

    return hold
