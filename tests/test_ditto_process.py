"""The Ditto API of a running server: what is there again after a restart, two writers, a reader that goes away."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.conftest import Process

EVENTS = "/api/v1/timeseries/s/events"


def ask(server: Process, method: str, target: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
    """Status and body of the answer."""
    found = re.search(r"HTTP and WebSocket on [0-9.]+:(\d+)", server.start_log)
    assert found is not None
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
    try:
        connection.request(method, target, body if isinstance(body, str | None) else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def written(server: Process, method: str, target: str, body: Any = None, **headers: str) -> int:
    """The transaction of a request that changes something."""
    status, answer = ask(server, method, target, body, **headers)
    assert status == 200, answer
    number: int = json.loads(answer)["txn_id"]
    return number


def test_a_restart(start_januskv: Callable[..., Process], tmp_path: Path) -> None:
    options = ("--dir", str(tmp_path), "--appendonly", "yes", "--http-port", "-1")
    document = {"method": "upsert", "collection": "__timeseries", "id": "s", "value": {"default_ttl_seconds": 3600}}
    server = start_januskv(*options)
    written(server, "POST", EVENTS, '{"_time":"2023-03-05T08:00:00.000000001Z","n":1}')
    assert ask(server, "POST", "/api/v4/store/write", {"commands": [document]})[0] == 200
    assert ask(server, "POST", "/api/v1/timeseries/s/indexes", {"path": "n"})[0] == 200
    last = written(server, "POST", EVENTS, '{"_time":"2023-03-05T08:00:01Z","n":2}')
    before = ask(server, "GET", EVENTS)[1]
    assert before.count(b"_expiration") == 1
    server.stop()
    server = start_januskv(*options)
    assert ask(server, "GET", EVENTS)[1] == before
    assert ask(server, "GET", EVENTS, None, **{"X-DITTO-TXN-ID": str(last)})[0] == 200
    assert json.loads(ask(server, "GET", "/api/v1/timeseries/s/indexes")[1]) == {"indexes": [{"path": "n"}]}
    assert written(server, "POST", EVENTS, '{"_time":"2023-03-05T08:00:02Z"}') > last
    assert ask(server, "GET", EVENTS)[1].count(b"_expiration") == 2


def test_two_writers_of_one_instant(start_januskv: Callable[..., Process]) -> None:
    server = start_januskv("--http-port", "-1")
    texts = [json.dumps({"_time": "2023-03-05T08:00:00Z", "who": who, "same": who}) for who in range(20)]
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda text: written(server, "POST", EVENTS, text), texts))
    assert len(set(numbers)) == 20
    value = json.loads(ask(server, "GET", EVENTS)[1])["item"]["value"]
    assert value["who"] == value["same"]


def test_an_expression_that_is_bad_for_others_is_linear(start_januskv: Callable[..., Process]) -> None:
    server = start_januskv("--http-port", "-1")
    written(server, "POST", EVENTS, json.dumps({"_time": "2023-03-05T08:00:00Z", "s": "a" * 100_000 + "!"}))
    target = EVENTS + "?timeout_millis=2000&filter=regex(s,'%5E(a%2B)%2B$')"
    assert ask(server, "GET", target) == (200, b"")
