"""One native request through every transport."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from januskv.resp.replies import OK


@pytest.fixture
def line(wire: Any) -> Callable[[bytes], bytes]:
    """Send a JSON line; return the reply line without its end."""

    def send(text: bytes) -> bytes:
        answer = wire.send(text + b"\n")
        assert answer == b"" or answer.index(b"\n") == len(answer) - 1
        return bytes(answer.removesuffix(b"\n"))

    return send


@pytest.fixture
def through(wire: Any, house: Any) -> Callable[[str, str, object], Any]:
    """Run a native command through a named transport; return its parsed reply, None for a quiet one."""

    def run(transport: str, command: str, body: object) -> Any:
        text = json.dumps({command: body}).encode()
        if transport == "line":
            answer = wire.send(text + b"\n") or None
        elif transport == "document":
            answer = wire(text)
        elif transport == "verb":
            answer = wire(command, json.dumps(body))
        else:
            answer = house.native.answer(wire.connection.context, text)
        return None if answer is None or answer is OK or answer == OK else json.loads(answer)

    return run
