"""curl, schemathesis and the example script with the Ditto API; the same events over the HTTP and the data port, also after a restart."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.conftest import Process

from .test_clients import CLIENTS, HERE, ROOT, need, run

pytestmark = pytest.mark.live

APPLICATION = "00000000-0000-4000-8000-000000000000"
EVENTS = "/api/v1/timeseries/my-time-series/events"
LINES = "Content-Type: application/json-l"
JSON = "Content-Type: application/json"
CLIENT = "X-DITTO-CLIENT-ID: AAAAAAAAAAAAAAAAAAAABQ=="
READING = (
    '{ "_time": "2021-04-20T12:34:56.123456789Z", "temp": { "value": 30, "units": "celsius" }, '
    '"humidity": { "relative": 30, "absolute": 15, "units": "g/m3" } }'
)
VALUE = {
    "temp": {"value": 30, "units": "celsius"},
    "humidity": {"relative": 30, "absolute": 15, "units": "g/m3"},
}
ALIASES = (
    "application/json-l",
    "application/jsonl",
    "application/x-ndjson",
    "application/ndjson",
    "application/x-jsonlines",
)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
SCHEMATHESIS = (
    *("--phases", "coverage,fuzzing", "--max-examples", "25", "--seed", "1", "--generation-database", "none"),
    "--no-color",
)
# Between the body and what curl tells of the answer.
MARK = "\n====\n"


class Curl:
    """curl on the command line, asking one server."""

    def __init__(self, server: Process) -> None:
        self.program = need("curl")
        self.server = f"http://127.0.0.1:{server.http_port}"

    def __call__(self, target: str, *options: str | Path) -> tuple[int, dict[str, str], str]:
        """Status, headers by their names in lower case, and body."""
        form = f"{MARK}%{{http_code}} %{{header_json}}"
        body, _, told = run(self.program, "-sS", "-w", form, *options, self.server + target).rpartition(MARK)
        status, _, headers = told.partition(" ")
        return int(status), {name: values[0] for name, values in json.loads(headers).items()}, body

    def document(self, target: str, *options: str | Path) -> Any:
        """The JSON document that a request is answered with."""
        status, headers, body = self(target, *options)
        assert (status, headers["content-type"].partition(";")[0]) == (200, "application/json"), body
        return json.loads(body)

    def events(self, target: str, *options: str | Path) -> list[Any]:
        """The values of the events, from lines."""
        status, _, body = self(target, *options)
        assert status == 200, body
        return [json.loads(line)["item"]["value"] for line in body.splitlines()]


@pytest.fixture
def server(start_januskv: Callable[..., Process]) -> Process:
    return start_januskv()


@pytest.fixture
def curl(server: Process) -> Curl:
    return Curl(server)


def fill(curl: Curl, *members: dict[str, Any], target: str = EVENTS) -> int:
    """Insert events a second apart; the transaction."""
    lines = (json.dumps({"_time": f"2021-04-20T00:00:{at:02}Z", **each}) for at, each in enumerate(members))
    number: int = curl.document(target, "-H", LINES, "--data-binary", "\n".join(lines))["txn_id"]
    return number


# ---------------------------------------------------------------- curl


def test_the_published_requests(curl: Curl) -> None:
    status, headers, body = curl(EVENTS, "-H", LINES, "-H", CLIENT, "-H", "Authorization: Bearer x", "-d", READING)
    assert status == 200, body
    number = json.loads(body)["txn_id"]
    assert headers["x-ditto-txn-id"] == str(number)
    status, headers, body = curl(
        f"{EVENTS}?start=2021-04-20T00%3A00%3A00.0Z&end=&limit=50&filter=",
        *("-H", "Accept: application/json-l", "-H", JSON, "-H", f"X-DITTO-TXN-ID: {number}"),
    )
    assert (status, headers["content-type"], headers["x-ditto-txn-id"]) == (200, "application/json-l", str(number))
    assert [json.loads(line) for line in body.splitlines()] == [
        {"item": {"_time": "2021-04-20T12:34:56.123456789Z", "value": VALUE}}
    ]
    interval = "start=2020-01-01T00%3A00%3A00.0Z&end=2021-01-01T00%3A00%3A00.0Z"
    assert curl.document(f"{EVENTS}?{interval}", "-X", "DELETE", "-H", JSON, "-H", CLIENT)["txn_id"] > number
    assert curl.events(EVENTS) == [VALUE]
    assert curl(f"{EVENTS}?describe=true", "-H", "X-DITTO-TXN-ID: 999999")[0] == 404


def test_describe_with_the_id_of_the_application(curl: Curl) -> None:
    target = f"/{APPLICATION}/api/v1/timeseries/0/events?describe=true&filter=device==1"
    status, _, body = curl(target, "-X", "GET")
    assert (status, json.loads(body)) == (200, {"item": {"index_scan": {"eq": 1, "path": ["device"]}}})


def test_a_get_with_a_body(curl: Curl, tmp_path: Path) -> None:
    fill(curl, {"a": 0}, {"a": 2, "c": 1}, {"a": {"b": 3}}, {"a": 1, "c": 1}, {"a": 1, "c": 0})
    query = {
        "start": "2021-04-20T00:00:00.0Z",
        "end": None,
        "limit": 500,
        "filter": "a >= 1",
        "timeout_millis": 500,
        "order_by": [["a.b", -1], ["c", 1]],
    }
    file = tmp_path / "query.json"
    file.write_text(json.dumps(query))
    wanted = [{"a": 1, "c": 0}, {"a": 2, "c": 1}, {"a": 1, "c": 1}]
    assert curl.events(EVENTS, "-X", "GET", "-H", JSON, "-d", f"@{file}") == wanted
    assert curl.events(EVENTS, "-X", "QUERY", "-H", JSON, "-d", f"@{file}") == wanted
    assert curl.events(f"{EVENTS}/query", "-H", JSON, "-d", f"@{file}") == wanted
    assert curl(f"{EVENTS}?order_by=a", "-X", "GET")[0] == 400


def test_missing_members_are_filled(curl: Curl) -> None:
    fill(curl, {"c": 1}, {"b": 0, "n": {"a": 0, "c": 1}}, {"a": 0}, {"a": 0, "n": None})
    template = {"a": -1, "n": {"c": "$PREVIOUS"}}
    wanted = [
        {"a": -1, "c": 1, "n": {"c": None}},
        {"a": -1, "b": 0, "n": {"a": 0, "c": 1}},
        {"a": 0, "n": {"c": 1}},
        {"a": 0, "n": None},
    ]
    assert curl.events(EVENTS, "-G", "--data-urlencode", f"fill_template={json.dumps(template)}") == wanted
    assert curl.events(EVENTS, "-X", "GET", "-d", json.dumps({"fill_template": template})) == wanted


def test_distinct_values_of_the_published_url(curl: Curl) -> None:
    nested = [{"device_id": f"device{at % 2 + 1}", "tags": [f"tag{at % 2 + 1}"]} for at in range(3)]
    fill(curl, *({"minutes": at + 1, "nested": each} for at, each in enumerate(nested)))
    paths = ["minutes", "nested.device_id", "nested.tags[*]", "nested", "nested.tags"]
    found = curl.document(
        "//api/v2/timeseries/my-time-series/distinct_values",
        *("-H", JSON, "-d", json.dumps({"start": None, "end": None, "paths": paths})),
    )
    assert found == {
        "item": {
            "minutes": [1, 2, 3],
            "nested.device_id": ["device1", "device2"],
            "nested.tags[*]": ["tag1", "tag2"],
            "nested": [{}],
            "nested.tags": [[]],
        }
    }


def test_files_of_lines(curl: Curl, tmp_path: Path) -> None:
    """--data-binary sends a file as it is; -d takes the ends of lines away, and its type is that of a form."""
    file = tmp_path / "events"
    file.write_text("".join(f'{{"_time":"2021-04-20T00:00:0{at}Z","n":{at}}}\n' for at in range(3)))
    assert curl(EVENTS, "--data-binary", f"@{file}")[0] == 415
    status, _, body = curl(EVENTS, "-H", LINES, "-d", f"@{file}")
    assert (status, json.loads(body)["error"]["data"]) == (400, {"line": 1})
    assert curl.events(EVENTS) == []
    curl.document(EVENTS, "-H", LINES, "--data-binary", f"@{file}")
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(file.read_bytes().replace(b"00:00:0", b"00:01:0")))
    curl.document(EVENTS, "-H", LINES, "-H", "Content-Encoding: gzip", "--data-binary", f"@{packed}")
    assert [each["n"] for each in curl.events(EVENTS)] == [0, 1, 2, 0, 1, 2]
    assert curl(EVENTS, "-H", LINES, "-H", "Content-Encoding: gzip", "--data-binary", f"@{file}")[0] == 400


@pytest.mark.parametrize("alias", ALIASES)
def test_names_of_json_lines(curl: Curl, alias: str) -> None:
    curl.document(EVENTS, "-H", f"Content-Type: {alias}; charset=utf-8", "-d", READING)
    status, headers, body = curl(EVENTS, "-H", f"Accept: {alias}", "--compressed")
    assert (status, headers["content-type"]) == (200, alias)
    assert json.loads(body)["item"]["value"] == VALUE


def test_a_long_body_waits_and_comes_in_chunks(curl: Curl, tmp_path: Path) -> None:
    file = tmp_path / "events"
    second = (f"2021-04-20T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z" for at in range(20_000))
    file.write_text("".join(json.dumps({"_time": each, "text": "x" * 100}) + "\n" for each in second))
    log = tmp_path / "log"
    waiting = ("-H", "Expect: 100-continue", "--expect100-timeout", "60", "-v", "--stderr", log)
    curl.document(EVENTS, "-H", LINES, *waiting, "--data-binary", f"@{file}")
    assert "< HTTP/1.1 100 Continue" in log.read_text()
    assert len(curl.events(f"{EVENTS}?limit=30000", "--compressed")) == 20_000
    again = EVENTS.replace("my", "your")
    curl.document(again, "-H", LINES, "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{file}")
    assert len(curl.events(f"{again}?limit=30000")) == 20_000


# ---------------------------------------------------------------- other programs


def python() -> Path:
    """A Python with requests and schemathesis."""
    found = CLIENTS / "http" / "bin" / "python"
    if not found.exists():
        pytest.skip("run tests/live/install-clients first")
    return found


def test_the_example(server: Process) -> None:
    argv = (python(), ROOT / "examples" / "ditto_events.py", "--port", server.http_port)
    text = run(*argv)
    found: dict[str, list[Any]] = {}
    for part in text.strip().split("\n\n"):
        head, *rows = part.splitlines()
        found[head] = [json.loads(row) for row in rows]
    assert found["read what was written"] == [{"_time": "2021-04-20T12:34:56.123456789Z", "value": VALUE}]
    assert [each["value"] for each in found["filter a >= 0"]] == [{"a": 0}, {"a": 0, "n": None}]
    assert [each["_time"][17:19] for each in found["order by b, then by time backwards"]] == ["01", "03", "02", "00"]
    assert [each["value"] for each in found["fill missing members"]] == [
        {"a": -1, "c": 1, "n": {"c": None}},
        {"a": -1, "b": 0, "n": {"a": 0, "c": 1}},
        {"a": 0, "n": {"c": 1}},
        {"a": 0, "n": None},
    ]
    assert found["which index a filter would ask"] == [{"index_scan": {"eq": 1, "path": ["device"]}}]
    assert found["distinct values"][0]["nested.tags[*]"] == ["tag1", "tag2"]
    assert [len(found[f"page {number}"]) for number in (1, 2, 3)] == [4, 4, 2]
    expiring = [each["value"] for each in found["events that expire, without one that has"]]
    assert [each["by"] for each in expiring] == ["series", "request", "event"]
    assert all("_expiration" in each for each in expiring)
    assert len(found["what is left"]) == 7
    with server.connect() as sock:
        sock.sendall(b"HGETALL __timeseries\r\n")
        assert b"default_ttl_seconds" not in sock.recv(1000)
    # Nothing but numbers of transactions, which it does not show beside those of deletions, and times of expiry differ.
    again = run(*argv)
    assert [line for line in again.splitlines() if "_expiration" not in line and "txn_id" not in line] == [
        line for line in text.splitlines() if "_expiration" not in line and "txn_id" not in line
    ]


def test_the_example_without_a_server() -> None:
    argv = [str(python()), str(ROOT / "examples" / "ditto_events.py"), "--port", "1"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("no server on http://127.0.0.1:1:")


def test_schemathesis_finds_no_fault(server: Process, tmp_path: Path) -> None:
    """Requests made from the OpenAPI document, right and wrong ones: no status above 499, and answers as it says.

    ``QUERY`` is not in the document, which has no word for it: the checks of methods are left out.
    """
    document = f"http://127.0.0.1:{server.http_port}/api/v1/swagger.json"
    done = subprocess.run(
        [python().with_name("schemathesis"), "run", document, "--checks", ",".join(CHECKS), *SCHEMATHESIS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"PYTHONPATH": str(HERE / "clients"), "SCHEMATHESIS_HOOKS": "ditto_lines"},
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
    (tried,) = re.findall(r"([0-9]+) generated, ([0-9]+) passed", done.stdout)
    assert tried[0] == tried[1]
    assert int(tried[0]) > 500
    with redis.Redis(port=server.port) as client:
        assert client.ping()


# ---------------------------------------------------------------- the same events on other ports


def over_redis_cli(server: Process, command: str, body: Any) -> Any:
    """What a native command replies."""
    return answered(run(need("redis-cli"), "-p", str(server.port), command, dumps(body)))


def over_redis_py(server: Process, command: str, body: Any) -> Any:
    with redis.Redis(port=server.port, decode_responses=True) as client:
        return answered(client.execute_command(command, dumps(body)))


def answered(text: str) -> Any:
    (reply,) = json.loads(text).values()
    return reply


def dumps(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"))


def test_events_of_both_ports_after_a_restart(start_januskv: Callable[..., Process], tmp_path: Path) -> None:
    options = ("--appendonly", "yes", "--dir", str(tmp_path / "data"), "--enable-debug-command", "yes")
    # Posted: times in the document are dates, those of TS_GET nanoseconds since 1970.
    second_ns = 1_618_876_800 * 10**9  # 2021-04-20T00:00:00Z
    soon_ms = int(time.time() * 1000) + 3_600_000
    posted = [{"n": 0}, {"n": 1, "text": "grün"}, {"n": 2, "_expiration": soon_ms / 1000}]
    gone = {"n": 3, "_expiration": "2000-01-01T00:00:00Z"}
    added = {"ts": "added", "t": [second_ns + 1, second_ns + 10**9, -1], "evt": [{"n": 0}, {"n": [1]}, {"n": "x"}]}
    first = start_januskv(*options)
    assert fill(Curl(first), *posted, gone) > 0
    assert over_redis_cli(first, "TS_CREATE", {"name": "added", "type": "Ordered"}) == {"name": "added", "st": 1}
    assert over_redis_py(first, "TS_ADD_EVT", added)["st"] == 1
    expiring = {"ts": "added", "t": [second_ns + 2, second_ns + 3], "evt": [{"m": 1}, {"m": 2}], "exp": [soon_ms, 1]}
    assert over_redis_py(first, "TS_ADD_EVT", expiring)["st"] == 1

    def seen(server: Process) -> list[Any]:
        query = {"ts": "my-time-series", "rng": [], "filter": "n >= 1"}
        found = over_redis_cli(server, "TS_GET", query)
        assert over_redis_py(server, "TS_GET", query) == found
        status, _, text = Curl(server)("/api/v1/timeseries/added/events?start=1969-01-01T00:00:00Z")
        assert status == 200, text
        return [found["t"], found["evt"], [json.loads(line)["item"] for line in text.splitlines()]]

    before = seen(first)
    assert before == [
        [second_ns + 10**9, second_ns + 2 * 10**9],
        posted[1:],
        [
            {"_time": "1969-12-31T23:59:59.999999999Z", "value": {"n": "x"}},
            {"_time": "2021-04-20T00:00:00.000000001Z", "value": {"n": 0}},
            {"_time": "2021-04-20T00:00:00.000000002Z", "value": {"m": 1}},
            {"_time": "2021-04-20T00:00:01Z", "value": {"n": [1]}},
        ],
    ]
    first.stop()
    second = start_januskv(*options)
    assert seen(second) == before
    with second.connect() as sock:
        sock.sendall(b"DEBUG FASTFORWARD 3600001\r\n")
        assert sock.recv(100) == b"+OK\r\n"
    times, events, by_http = seen(second)
    assert (times, events) == ([second_ns + 10**9], posted[1:2])
    assert by_http == [each for each in before[2] if "m" not in each["value"]]
