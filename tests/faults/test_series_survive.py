"""Series of both kinds, with rules, labels and indexes, after kill -9 and a restart."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
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


# A snapshot and a log of the time when sealed chunks held raw doubles and two chunks were open.
OLDER = Path(__file__).parent / "older_series"


def test_older_data_is_read(tmp_path: Path, start_januskv: Callable[..., Any], encode_command: Any) -> None:
    for each in OLDER.iterdir():
        shutil.copy(each, tmp_path)
    server = start_januskv("--appendonly", "yes", "--dir", str(tmp_path))
    numbers = range(150)
    expected = {
        "thirds": [[500, -0.25], *([1000 * (n + 1) + (n + 1) ** 2 % 7, n / 3] for n in numbers)],
        "whole": [[1000 * (n + 1), n * 37 % 101] for n in numbers],
        "tenths": [[1000 * (n + 1), n * 37 % 1001 / 10] for n in numbers if not 20 <= n + 1 <= 29],
        "raw": [[1000 * n + 1, n / 7] for n in range(39, 100)],
        "sums": [[10_000 * at, sum(n * 37 % 101 for n in numbers if (n + 1) // 10 == at)] for at in range(15)],
    }
    for name, rows in expected.items():
        (found,) = ask(server, encode_command, f"TS.RANGE {name} - +")
        assert [[time, float(value.text)] for time, value in found] == rows
    assert ask(server, encode_command, "TS.QUERYINDEX kind=raw", "TS.MADD whole 160000 1 thirds 160000 0.1") == [
        [b"raw"],
        [160000, 160000],
    ]
    assert ask(server, encode_command, "TS.GET sums")[0][0] == 150000
