"""Series of both kinds, with rules, labels and indexes, after kill -9 and a restart."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

from januskv.resp.decoder import ReplyReader


def ask(server: Any, encode: Callable[..., bytes], *lines: str) -> list[Any]:
    found = []
    with server.connect() as sock:
        for line in lines:
            reader = ReplyReader()
            sock.sendall(encode(*line.split(" ")))
            while (reply := reader.gets()) is None:
                data = sock.recv(1 << 16)
                assert data
                reader.feed(data)
            found.append(reply[1])
    return found


def as_json(body: object) -> str:
    return json.dumps(body, separators=(",", ":"))


QUESTIONS = (
    "TS.RANGE raw - +",
    "TS.RANGE sums - +",
    "TS.GET sums LATEST",
    "TS.QUERYINDEX host=a",
    "TS.INFO raw",
    'TS_GET {"ts":"e","rng":[],"where":{"x":{">":1}}}',
    'TS_INFO {"ts":"e"}',
)


def test_series_after_a_kill(tmp_path: Any, start_januskv: Callable[..., Any], encode_command: Any) -> None:
    options = ("--appendonly", "yes", "--dir", str(tmp_path))
    first = start_januskv(*options)
    ask(
        first,
        encode_command,
        "TS.CREATE raw LABELS host a",
        "TS.CREATE sums",
        "TS.CREATERULE raw sums AGGREGATION sum 10",
        "TS.MADD raw 1 1 raw 5 2 raw 12 4",
        "TS.ADD raw 25 8.25",
        "TS.DEL raw 5 5",
        "TS.ALTER raw LABELS host a rack 2",
        'TS_CREATE {"name":"e","type":"Ordered"}',
        'TS_CREATE_INDEX {"ts":"e","key":"x"}',
        "TS_ADD_EVT " + as_json({"ts": "e", "t": [5, 1, 9], "evt": [{"x": 1}, {"x": 2}, {"x": [3]}]}),
        "TS_DEL_EVT " + as_json({"ts": "e", "rng": [9, 9]}),
    )
    before = ask(first, encode_command, *QUESTIONS)
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()
    second = start_januskv(*options)
    assert ask(second, encode_command, *QUESTIONS) == before
    ask(second, encode_command, "TS.ADD raw 31 1")
    assert ask(second, encode_command, "TS.RANGE sums - +")[0][-1][0] == 20
