"""The Ditto API over HTTP: how requests are checked and routed, streams, limits, who may do what, pages of other origins."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import pytest

from januskv.compat.ditto.face import MOST_BODY, MOST_DOCUMENT
from januskv.compat.server.faults import INTERNAL
from januskv.compat.server.hosts import ANY
from januskv.http import REQUEST_S
from januskv.storage.event_batches import MOST_EVENT_BYTES as MOST_EVENT

from .conftest import Caller
from .http_api import Answer, Api, read_answer
from .http_port import open_ports

EVENTS = "/api/v1/timeseries/s/events"
DISTINCT = "/api/v2/timeseries/s/distinct_values"
STORE = "/api/v4/store/write"
INDEXES = "/api/v1/timeseries/s/indexes"
LINES = "application/json-l"
SECRET = "a secret of thirty-two bytes or more"
Open = Callable[..., Api]


@pytest.fixture
def open_api() -> Iterator[Open]:
    with open_ports() as opened:
        yield lambda **config: Api(opened(**config))


@pytest.fixture
def api(open_api: Open) -> Api:
    return open_api()


def line(second: int, **members: Any) -> str:
    minutes, seconds = divmod(second, 60)
    return json.dumps({"_time": f"2023-03-05T08:{minutes:02}:{seconds:02}Z", **members}) + "\n"


def fill(api: Api, count: int = 5, **members: Any) -> None:
    body = "".join(line(second, n=second, **members) for second in range(count))
    assert api.post(EVENTS, body, Content_Type=LINES).status == 200


def numbers(answer: Answer) -> list[int]:
    assert answer.status == 200, answer
    return [json.loads(each)["item"]["value"]["n"] for each in answer.body.splitlines()]


def refused(answer: Answer, status: int, **data: Any) -> None:
    assert answer.status == status, answer
    error = answer.json["error"]
    assert error["code"] == status
    assert error["message"]
    assert error.get("data", {}).items() >= data.items(), error


# ---------------------------------------------------------------- paths and methods


@pytest.mark.parametrize(
    "path",
    [
        EVENTS + "/",
        "//api//v1/timeseries///s/events",
        "/123e4567-e89b-12d3-a456-426614174000/api/v1/timeseries/s/events",
        "/api/v1/timeseries/%73/events",
        "http://localhost:8379" + EVENTS,
    ],
)
def test_paths_of_a_series(api: Api, path: str) -> None:
    fill(api, 1)
    assert numbers(api.get(path)) == [0]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/timeseries",
        "/api/v1/events",
        "/api/v2/timeseries/s/events",
        "/api/v01/timeseries/s/events",
        "/api/v1/timeseries/a/b/events",
        "/api/v1/timeseries/s/Events",
        "/api/v5/store/write",
        "/api/v1/swagger.json/x",
        "/123e4567-e89b-12d3-a456-426614174000/api/v1",
    ],
)
def test_paths_that_are_not_there(api: Api, path: str) -> None:
    refused(api.get(path), 404)


def test_other_paths_belong_to_others(api: Api) -> None:
    assert api.get("/api/version").status == 200
    assert api.get("/123e4567-e89b-12d3-a456-426614174000/healthz").status == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", EVENTS, "GET, QUERY, POST, DELETE, HEAD, OPTIONS"),
        ("GET", EVENTS + "/query", "POST, OPTIONS"),
        ("DELETE", DISTINCT, "POST, GET, QUERY, HEAD, OPTIONS"),
        ("GET", STORE, "POST, OPTIONS"),
        ("POST", "/api/v4/swagger.json", "GET, HEAD, OPTIONS"),
    ],
)
def test_methods(api: Api, method: str, path: str, allow: str) -> None:
    answer = api.ask(method, path)
    refused(answer, 405)
    assert answer.headers["allow"] == allow
    options = api.ask("OPTIONS", path)
    assert (options.status, options.headers["allow"], options.body) == (204, allow, b"")


@pytest.mark.parametrize("name", ["__s", "%00", "a%0a", "%c2%85", "%ff", "%", "%zz", "x" * 513, "%e2%82%ac" * 171])
def test_names_that_are_none(api: Api, name: str) -> None:
    refused(api.get(f"/api/v1/timeseries/{name}/events"), 400, parameter="id")


def test_names(api: Api) -> None:
    for name in ("x" * 512, "a%2Fb", "_s", "%F0%9F%98%80", "s.t", "%25"):
        assert api.post(f"/api/v1/timeseries/{name}/events", line(0, n=1)).status == 200
        assert numbers(api.get(f"/api/v1/timeseries/{name}/events")) == [1]


def test_the_order_of_checks(open_api: Open) -> None:
    """What is wrong first is told, however much else is wrong."""
    api = open_api(requirepass="secret")
    login = {"Authorization": "Bearer secret"}
    wrong = {"X_DITTO_TXN_ID": "99", "Accept": "text/html"}
    assert api.ask("PUT", "/api/v1/no/__s").status == 404
    assert api.ask("PUT", "/api/v1/timeseries/__s/events").status == 405
    assert api.post("/api/v1/timeseries/__s/events?x", b"{", Content_Type="a/b").status == 401
    refused(api.post("/api/v1/timeseries/__s/events?x", b"{", Content_Type="a/b", **login), 400, parameter="id")
    refused(
        api.post(EVENTS + "?x", b"{", Content_Type="a/b", X_DITTO_TXN_ID="-1", **login), 400, header="X-DITTO-TXN-ID"
    )
    assert api.post(EVENTS + "?x", b"{", Content_Type="a/b", **login).status == 415
    refused(api.post(EVENTS + "?x", b"{", **login), 400, parameter="x")
    refused(api.get(EVENTS + "?limit=x", **login, **wrong), 400, parameter="limit")
    refused(api.get(EVENTS, **login, **wrong), 406)
    refused(api.get(EVENTS, X_DITTO_TXN_ID="99", **login), 404, requested=99, available=0)


# ---------------------------------------------------------------- requests


def test_txn_ids_that_are_too_big_to_be_exact(api: Api) -> None:
    refused(api.get(EVENTS, X_DITTO_TXN_ID="9" * 30), 404, requested="9" * 30)
    assert api.get(EVENTS, X_DITTO_TXN_ID="00").headers["x-ditto-txn-id"] == "00"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-DITTO-TXN-ID", ""),
        ("X-DITTO-TXN-ID", "+1"),
        ("X-DITTO-TXN-ID", "1.0"),
        ("X-DITTO-TXN-ID", "9" * 5000),
        ("X-DITTO-CLIENT-ID", "AAAA"),
        ("X-DITTO-CLIENT-ID", "AAAAAAAAAAcAAAAAAAAAAQ"),
        ("X-DITTO-ENSURE-INSERT", "1"),
        ("X-DITTO-ENSURE-DELETE", "no"),
        ("X-EVENT-TTL-SECONDS", "0"),
        ("X-EVENT-TTL-SECONDS", "-1"),
        ("X-EVENT-TTL-SECONDS", "1e3"),
        ("X-EVENT-TTL-SECONDS", "inf"),
        ("X-EVENT-TTL-SECONDS", ""),
    ],
)
def test_bad_headers(api: Api, name: str, value: str) -> None:
    refused(api.post(EVENTS, line(0), **{name.replace("-", "_"): value}), 400, header=name)
    assert api.get(EVENTS).body == b""


def test_a_header_that_is_there_twice(api: Api) -> None:
    twice = "X-DITTO-TXN-ID: 0\r\nX-DITTO-TXN-ID: 0\r\n"
    refused(api.send(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n{twice}\r\n".encode()), 400, header="X-DITTO-TXN-ID")


def test_a_client_id_can_be_needed(open_api: Open) -> None:
    api = open_api(ditto_require_client_id=True)
    refused(api.post(EVENTS, line(0)), 400, header="X-DITTO-CLIENT-ID")
    id_ = base64.b64encode(bytes(16)).decode()
    assert api.post(EVENTS, line(0), X_DITTO_CLIENT_ID=id_).status == 200
    assert api.ask("DELETE", EVENTS).status == 200


def test_very_long_times_to_live(api: Api) -> None:
    assert api.post(EVENTS, line(0, n=1), X_EVENT_TTL_SECONDS="9" * 200).status == 200
    assert json.loads(api.get(EVENTS).body)["item"]["value"]["_expiration"] == "9999-12-31T23:59:59Z"


def test_request_ids(api: Api) -> None:
    assert api.get(EVENTS, X_Request_Id="mine-1").headers["x-request-id"] == "mine-1"
    given = {api.get(EVENTS, **headers).headers["x-request-id"] for headers in ({}, {}, {"X_Request_Id": "a b"})}
    assert len(given) == 3
    assert api.get("/api/v1/none", X_Request_Id="mine-2").headers["x-request-id"] == "mine-2"


@pytest.mark.parametrize("packer", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_packed_bodies(api: Api, packer: Callable[[bytes], bytes]) -> None:
    coding = "gzip" if packer is gzip.compress else "deflate"
    body = "".join(line(n, n=n) for n in range(3)).encode()
    assert api.post(EVENTS, packer(body), Content_Encoding=coding).status == 200
    assert numbers(api.get(EVENTS)) == [0, 1, 2]
    refused(api.post(EVENTS, packer(body)[:-3], Content_Encoding=coding), 400)
    refused(api.post(EVENTS, body, Content_Encoding=coding), 400)
    refused(api.post(EVENTS, body, Content_Encoding="br"), 415, header="Content-Encoding")


def test_bodies_that_are_too_long(api: Api) -> None:
    head = f"POST {EVENTS} HTTP/1.1\r\nHost: localhost\r\n"
    refused(api.send(f"{head}Content-Length: {MOST_BODY + 1}\r\n\r\n".encode()), 413, limit=MOST_BODY)
    api.visitor = None  # the connection is only listened to any more
    bomb = gzip.compress(bytes(MOST_BODY + 1))
    refused(api.post(EVENTS, bomb, Content_Encoding="gzip"), 413, limit=MOST_BODY)
    long = line(0) + line(1, text="x" * MOST_EVENT)
    refused(api.post(EVENTS, long), 413, line=2)
    refused(api.post(EVENTS + "/query", b" " * (MOST_DOCUMENT + 1)), 413, limit=MOST_DOCUMENT)
    assert api.get(EVENTS).body == b""
    lines = "".join(line(n, n=n, text="x" * (MOST_EVENT // 2)) for n in range(3))
    assert api.post(EVENTS, lines).status == 200


def test_chunks_end_anywhere(api: Api) -> None:
    body = (line(0, n=0, text="é😀") + line(1, n=1)).encode()
    body = body.replace(b"\\u00e9", "é".encode())
    head = f"POST {EVENTS} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    assert api.send(head + chunks).status == 200
    assert numbers(api.get(EVENTS)) == [0, 1]


def test_chunks_that_are_none(api: Api) -> None:
    head = f"POST {EVENTS} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert api.send(head + b"zz\r\n").status == 400


def test_expect_continue(open_api: Open) -> None:
    api = open_api(requirepass="secret")
    body = line(0, n=7).encode()
    head = f"POST {EVENTS} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n"
    visitor = api.port.connect()
    assert visitor.send(f"{head}Authorization: Bearer secret\r\n\r\n".encode()) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert visitor.send(body).startswith(b"HTTP/1.1 200")
    assert numbers(api.get(EVENTS, Authorization="Bearer secret")) == [7]
    # Who may not come in, or sends too much, is told before the body.
    assert api.port.connect().send(f"{head}\r\n".encode()).startswith(b"HTTP/1.1 401")
    long = head.replace(str(len(body)), str(MOST_BODY + 1))
    assert api.port.connect().send(f"{long}Authorization: Bearer secret\r\n\r\n".encode()).startswith(b"HTTP/1.1 413")
    other = head.replace("100-continue", "tea")
    assert api.port.connect().send(f"{other}Authorization: Bearer secret\r\n\r\n".encode()).startswith(b"HTTP/1.1 417")


def test_a_long_body_has_time_as_long_as_it_goes_on(api: Api) -> None:
    visitor = api.port.connect()
    visitor.send(f"POST {EVENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n\r\n".encode())
    for _ in range(3):
        api.port.advance(REQUEST_S - 1)
        visitor.send(b" " * 100_000)
        assert not visitor.closed
    api.port.advance(REQUEST_S)
    assert visitor.closed


def test_connections_are_kept_after_an_error(api: Api) -> None:
    assert api.get(EVENTS + "?limit=x").status == 400
    visitor = api.visitor
    assert api.get("/api/v1/none").status == 404
    assert api.get(EVENTS).status == 200
    assert api.visitor is visitor


def test_pipelined_requests(api: Api) -> None:
    fill(api, 1)
    get = f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    bad = f"GET {EVENTS}?limit=x HTTP/1.1\r\nHost: localhost\r\n\r\n"
    received = api.port.connect().send((get + bad + get).encode())
    assert [received.count(each) for each in (b"HTTP/1.1 200", b"HTTP/1.1 400", b'{"n":0}')] == [2, 1, 2]


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ("[]", {}),
        ("{", {}),
        ('{"limit":true}', {"parameter": "limit"}),
        ('{"limit":1.0}', {"parameter": "limit"}),
        ('{"limit":-1}', {"parameter": "limit"}),
        ('{"limit":"1"}', {"parameter": "limit"}),
        ('{"describe":"true"}', {"parameter": "describe"}),
        ('{"filter":1}', {"parameter": "filter"}),
        ('{"filter":"n =="}', {"parameter": "filter", "offset": 4}),
        ('{"filter":"n == $args.x"}', {"parameter": "filter"}),
        ('{"start":0}', {"parameter": "start"}),
        ('{"args":[]}', {"parameter": "args"}),
        ('{"fill_template":"{}"}', {"parameter": "fill_template"}),
        ('{"order_by":[["n",0]]}', {"parameter": "order_by"}),
        ('{"order_by":[["n",true]]}', {"parameter": "order_by"}),
        ('{"order_by":[["n"]]}', {"parameter": "order_by"}),
        ('{"order_by":[["n ==",1]]}', {"parameter": "order_by"}),
        ('{"order_by":{}}', {"parameter": "order_by"}),
        ('{"args":' + '{"a":' * 128 + "1" + "}" * 128 + "}", {}),
    ],
)
def test_bad_queries_in_bodies(api: Api, body: str, data: dict[str, Any]) -> None:
    refused(api.post(EVENTS + "/query", body), 400, **data)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=1&limit=1", "limit"),
        ("limit=1&limit=", "limit"),
        ("order_by=%5B%5D", "order_by"),
        ("describe=yes", "describe"),
        ("args=1", "args"),
        ("args=%7B", "args"),
        ("fill_template=%5B%5D", "fill_template"),
        ("timeout_millis=1e3", "timeout_millis"),
        ("limit=%D9%A1", "limit"),
        ("Limit=1", "Limit"),
        ("=1", ""),
    ],
)
def test_bad_queries_in_targets(api: Api, query: str, parameter: str) -> None:
    refused(api.get(f"{EVENTS}?{query}"), 400, parameter=parameter)
    assert api.get(f"{EVENTS}?limit=%ff").status == 400


def test_parameters_in_targets(api: Api) -> None:
    fill(api)
    args = "filter=n+%3D%3D+%24args.x&args=%7B%22x%22%3A3%7D"
    assert numbers(api.get(f"{EVENTS}?{args}")) == [3]
    assert numbers(api.get(f"{EVENTS}?&limit=1&&")) == [0]
    assert json.loads(api.get(f"{EVENTS}?describe=TRUE&filter=n==3").body) == {
        "item": {"index_scan": {"eq": 3, "path": ["n"]}}
    }
    filled = api.get(f"{EVENTS}?limit=1&fill_template=%7B%22m%22%3A%22%24PREVIOUS%22%7D")
    assert json.loads(filled.body)["item"]["value"] == {"n": 0, "m": None}


def test_a_body_of_blanks_is_no_object(api: Api) -> None:
    refused(api.post(EVENTS + "/query", " "), 400)
    assert api.post(EVENTS + "/query").status == 200


# ---------------------------------------------------------------- responses


def test_streams_are_chunked_lines(api: Api) -> None:
    fill(api)
    answer = api.get(EVENTS)
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["content-type"] == LINES
    assert answer.headers["x-ditto-txn-id"] == "1"
    assert answer.headers["cache-control"] == "no-store"


def test_old_http_gets_a_stream_that_ends_with_the_connection(api: Api) -> None:
    fill(api)
    visitor = api.port.connect()
    received = visitor.send(f"GET {EVENTS} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    assert received.endswith(b'{"n":4}}}\n')
    assert visitor.closed


def test_a_version_of_http_that_is_not_spoken(api: Api) -> None:
    fill(api)
    received = api.port.connect().send(f"GET {EVENTS} HTTP/2.0\r\nHost: localhost\r\n\r\n".encode())
    assert received.startswith(b"HTTP/2.0 200 ")


def test_head(api: Api) -> None:
    fill(api)
    answer = api.ask("HEAD", EVENTS + "?limit=2")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["x-result-truncated"] == "true"
    assert "content-length" not in answer.headers
    assert (
        api.port.connect()
        .send(f"HEAD {EVENTS}?limit=x HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        .endswith(b"\r\n\r\n")
    )
    assert numbers(api.get(EVENTS)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, LINES),
        ("application/*", LINES),
        ("text/html, */*;q=0.1", LINES),
        ("application/json", "application/json"),
        ("application/json-l;q=0, */*", "application/json"),
        ("application/json, application/jsonl", "application/jsonl"),
        ("application/x-jsonlines;q=0.5, application/json;q=0.4", "application/x-jsonlines"),
        ("APPLICATION/NDJSON", "application/ndjson"),
        ("application/problem+json, application/json-l", LINES),
        ("text/html", None),
        ("application/json;q=0", None),
    ],
)
def test_what_is_accepted(api: Api, accept: str | None, kind: str | None) -> None:
    answer = api.get(EVENTS, **({} if accept is None else {"Accept": accept}))
    if kind is None:
        refused(answer, 406, header="Accept")
    else:
        assert answer.headers["content-type"] == kind


def test_an_array(api: Api) -> None:
    assert api.get(EVENTS, Accept="application/json").json == []
    fill(api, 450)
    found = api.get(EVENTS, Accept="application/json").json
    assert [each["item"]["value"]["n"] for each in found] == list(range(450))
    body = {"order_by": [["n", -1]], "limit": 2}
    found = api.post(EVENTS + "/query", body, Accept="application/json").json
    assert [each["item"]["value"]["n"] for each in found] == [449, 448]


def test_problems_for_who_accepts_them(api: Api) -> None:
    answer = api.get(EVENTS + "?limit=x", Accept="application/json-l, application/problem+json")
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body).items() >= {"title": "Bad Request", "status": 400, "parameter": "limit"}.items()


def test_packed_answers(api: Api) -> None:
    fill(api, 300, text="x" * 50)
    answer = api.get(EVENTS, Accept_Encoding="gzip, br")
    assert answer.headers["content-encoding"] == "gzip"
    assert numbers(answer) == list(range(300))
    assert numbers(api.get(EVENTS, Accept_Encoding="deflate")) == list(range(300))
    assert "content-encoding" not in api.get(EVENTS + "?limit=1", Accept_Encoding="gzip").headers
    array = api.get(EVENTS, Accept_Encoding="gzip", Accept="application/json")
    assert array.headers["content-encoding"] == "gzip"
    assert len(array.json) == 300


# ---------------------------------------------------------------- limits


def pages(api: Api, target: str) -> Iterator[list[int]]:
    """The pages of a result, by their links."""
    while True:
        answer = api.get(target)
        yield numbers(answer)
        assert ("x-result-truncated" in answer.headers) is ("link" in answer.headers)
        if "link" not in answer.headers:
            return
        assert answer.headers["link"].endswith('>; rel="next"')
        target = answer.headers["link"].removeprefix("<").partition(">")[0]


def test_a_result_that_is_cut_says_so(api: Api) -> None:
    fill(api, 7)
    assert list(pages(api, EVENTS + "?limit=3")) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(pages(api, EVENTS + "?limit=7")) == [list(range(7))]
    filtered = "filter=n%20%3E%201%20%26%26%20n%20%3C%206&limit=2"
    assert list(pages(api, f"{EVENTS}?{filtered}")) == [[2, 3], [4, 5]]
    backwards = "start=2023-03-05T10:00:05+02:00&end=2023-03-05T08:00:00Z&limit=2"
    assert list(pages(api, f"{EVENTS}?{backwards}")) == [[5, 4], [3, 2], [1]]


def test_cut_results_without_a_link(api: Api) -> None:
    fill(api, 3)
    none = api.get(EVENTS + "?limit=0")
    assert none.headers["x-result-truncated"] == "true"
    for body in ({"order_by": [["n", -1]], "limit": 2}, {"limit": 2}):
        answer = api.post(EVENTS + "/query", body)
        assert answer.headers["x-result-truncated"] == "true"
        assert "link" not in answer.headers
    whole = api.post(EVENTS + "/query", {"order_by": [["n", -1]], "limit": 3})
    assert "x-result-truncated" not in whole.headers
    assert "x-result-truncated" not in api.get("/api/v1/timeseries/none/events?limit=0").headers


def test_the_default_limit(api: Api) -> None:
    fill(api, 1001, text="x" * 1500)
    assert [len(page) for page in pages(api, EVENTS)] == [1000, 1]
    longer = api.get(EVENTS + "?limit=1000&fill_template=" + quote(json.dumps({"more": "x" * 1500})))
    assert len(numbers(longer)) == 1000
    assert "x-result-truncated" not in longer.headers


# ---------------------------------------------------------------- streams


class Slow:
    """Views whose batches come when they are let, each with one event."""

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch, size: int = 400_000) -> None:
        self.api = api
        self.steps = 0
        self.ready = 0
        self.ended = False
        slow = self

        class Batch:
            last_instant = 10**18

            def __len__(self) -> int:
                return 1

            def lines(self) -> bytes:
                return b'{"item":"' + b"x" * size + b'"}\n'

            def items(self) -> bytes:
                return b'"' + b"x" * size + b'",'

        class Empty(Batch):
            def __len__(self) -> int:
                return 0

        class View:
            def batches(self, *_: Any, **__: Any) -> Iterator[Batch]:
                try:
                    while True:
                        slow.steps += 1
                        yield Batch() if slow.steps <= slow.ready else Empty()
                finally:
                    slow.ended = True

        monkeypatch.setattr("januskv.compat.ditto.face.event_reading.view_of", lambda *_: View())


def begin(api: Api, target: str = EVENTS, **headers: str) -> Any:
    """A request whose answer is under way."""
    visitor = api.port.connect()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    visitor.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
    return visitor


def test_a_timeout_before_the_first_byte(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(api, monkeypatch)
    visitor = begin(api, EVENTS + "?timeout_millis=2000")
    api.port.advance(1.9)
    assert not visitor.transport.written
    api.port.advance(0.2)
    answer = read_answer(visitor.transport.written)
    assert answer is not None
    refused(answer, 408)
    assert slow.ended


def test_a_timeout_in_the_middle(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(api, monkeypatch)
    slow.ready = 7
    visitor = begin(api)
    assert visitor.transport.written.startswith(b"HTTP/1.1 200")
    assert read_answer(visitor.transport.written) is None
    api.port.advance(5)
    answer = read_answer(visitor.transport.written)
    assert answer is not None
    *lines, last = answer.body.splitlines()
    assert [each[:10] for each in lines] == [b'{"item":"x'] * 7
    assert last == b'{"error":"Timeout"}'
    assert slow.ended
    assert not visitor.closed


def test_a_timeout_in_the_middle_of_a_packed_stream(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(api, monkeypatch)
    slow.ready = 7
    visitor = begin(api, **{"Accept-Encoding": "gzip"})
    api.port.advance(5)
    answer = read_answer(visitor.transport.written)
    assert answer is not None
    assert answer.body.endswith(b'"}\n{"error":"Timeout"}\n')


def test_a_timeout_in_the_middle_of_an_array_cuts_it_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(api, monkeypatch, 1 << 20)
    slow.ready = 10
    visitor = begin(api, Accept="application/json")
    assert visitor.transport.written.startswith(b"HTTP/1.1 200")
    api.port.advance(5)
    assert visitor.closed
    assert not visitor.transport.written.endswith(b"0\r\n\r\n")
    assert slow.ended


def test_what_is_there_is_sent_before_the_rest(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(api, monkeypatch, 10)
    slow.ready = 1
    visitor = begin(api, EVENTS + "?timeout_millis=60000")
    assert not visitor.transport.written
    api.port.advance(0.3)
    assert b'{"item":"xxxxxxxxxx"}\n' in visitor.transport.written
    slow.ready = slow.steps + 2
    api.port.settle()
    api.port.advance(0.06)
    assert visitor.transport.written.count(b'{"item"') == 3


def test_the_end_of_the_server_ends_streams(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(api, monkeypatch)
    slow.ready = 7
    visitor = begin(api)
    waiting = begin(api, EVENTS + "?filter=n==1")
    api.port.house.server.state.end()
    api.port.settle()
    answer = read_answer(visitor.transport.written)
    assert answer is not None
    assert answer.body.endswith(b'\n{"error":"Shutdown"}\n')
    assert slow.ended
    assert waiting.transport.written


def test_a_fault_in_the_middle(api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow(api, monkeypatch)
    slow.ready = 7
    visitor = begin(api)
    monkeypatch.setattr(slow, "ready", None)
    api.port.settle()
    answer = read_answer(visitor.transport.written)
    assert answer is not None
    assert answer.body.endswith(b'\n{"error":"Internal"}\n')
    assert "an answer of the Ditto API failed" in caplog.text


def test_a_fault_before_the_first_byte(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Slow(api, monkeypatch)
    slow.ready = "no number"  # type: ignore[assignment]
    refused(api.get(EVENTS), INTERNAL.http)
    assert "a request to the Ditto API failed" in caplog.text


def test_who_goes_away_ends_the_query(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(api, monkeypatch)
    slow.ready = 7
    for visitor in (begin(api), begin(api, EVENTS + "?timeout_millis=600000")):
        slow.ended = False
        visitor.transport.lose()
        api.port.settle()
        assert slow.ended
        slow.ready = 0


def test_who_does_not_read_is_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(api, monkeypatch)
    slow.ready = 10**9
    visitor = begin(api, EVENTS + "?limit=1000000000")
    visitor.transport.protocol.pause_writing()
    api.port.settle()
    steps = slow.steps
    for _ in range(10):
        api.port.settle()
    assert slow.steps <= steps + 2
    visitor.transport.protocol.resume_writing()
    api.port.settle()
    assert slow.steps > steps + 2
    visitor.transport.lose()
    api.port.settle()


def test_queries_take_turns_with_other_requests(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(api, monkeypatch)
    visitor = begin(api)
    assert Api(api.port).get("/api/aggregators").status == 200
    assert slow.steps
    visitor.transport.lose()
    api.port.settle()


@pytest.mark.parametrize("target", [EVENTS, EVENTS + "?describe=true"])
def test_no_time_at_all(api: Api, target: str) -> None:
    sign = "&" if "?" in target else "?"
    refused(api.get(f"{target}{sign}timeout_millis=0"), 408)
    refused(api.post(DISTINCT, {"paths": ["n"], "timeout_millis": 0}), 408)


def test_a_deletion_without_time_deletes_nothing(api: Api) -> None:
    fill(api, 3)
    refused(api.ask("DELETE", EVENTS + "?timeout_millis=0"), 408)
    assert numbers(api.get(EVENTS)) == [0, 1, 2]
    assert api.ask("DELETE", EVENTS).json == {"txn_id": 2}


def test_a_query_sees_one_state(api: Api) -> None:
    fill(api, 3500, text="x" * 1000)
    visitor = api.port.connect()
    visitor.transport.protocol.pause_writing()
    visitor.send(f"GET {EVENTS}?limit=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert read_answer(visitor.transport.written) is None
    assert api.post(EVENTS, line(3499, n=0) + line(3500, n=0)).status == 200
    assert api.ask("DELETE", EVENTS).status == 200
    visitor.transport.protocol.resume_writing()
    for _ in range(200):
        answer = read_answer(visitor.transport.written)
        if answer is not None:
            break
        api.port.settle()
    assert answer is not None
    assert numbers(answer) == list(range(3500))


# ---------------------------------------------------------------- deleting


@pytest.mark.parametrize("query", ["describe=true", "order_by=", "fill_template=%7B%7D", "limt=1", "filter=n+=+1"])
def test_deletions_that_are_refused(api: Api, query: str) -> None:
    fill(api, 2)
    assert api.ask("DELETE", f"{EVENTS}?{query}").status == 400
    assert numbers(api.get(EVENTS)) == [0, 1]


def test_a_deletion_with_a_body(api: Api) -> None:
    fill(api, 5)
    body = {"filter": "n in $args.them", "args": {"them": [1, 3]}, "limit": 1}
    assert api.ask("DELETE", EVENTS, body).status == 200
    assert numbers(api.get(EVENTS)) == [0, 2, 3, 4]


def test_writes_wait_for_a_pause(api: Api) -> None:
    wire = api.port.house.connect()
    assert wire.send(b"CLIENT PAUSE 1000 WRITE\r\n") == b"+OK\r\n"
    visitor = api.port.connect()
    body = line(0, n=1)
    visitor.send(f"POST {EVENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    assert not visitor.transport.written
    assert api.get(EVENTS).body == b""
    wire.send(b"CLIENT UNPAUSE\r\n")
    for _ in range(1000):
        api.port.settle()
        if visitor.transport.written:
            break
    assert visitor.transport.written.startswith(b"HTTP/1.1 200")


class Gate:
    """A log that makes replies wait."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def send(self, connection: Any, data: bytes, last: bool) -> None:
        self.waiting.append(connection)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", EVENTS, line(9)),
        ("DELETE", EVENTS, ""),
        ("POST", STORE, '{"commands":[{"method":"upsert","collection":"__timeseries","id":"s","value":{}}]}'),
        ("POST", INDEXES, '{"path":"n"}'),
    ],
)
def test_changes_are_confirmed_once_they_are_safe(api: Api, method: str, path: str, body: str) -> None:
    fill(api, 2)
    gate = api.port.house.server.outbox.gate = Gate()
    for safe in (True, False):
        visitor = api.port.connect()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        assert visitor.send((head + body).encode()) == b""
        waiter = gate.waiting.pop()
        assert waiter.changed == api.port.house.server.store.feed.changes
        if safe:
            waiter.deliver(b"", False)
        else:
            waiter.deny(b"", "MISCONF no space left")
        api.port.settle()
        assert visitor.transport.written.startswith(b"HTTP/1.1 200 " if safe else b"HTTP/1.1 503 ")


def test_no_writes_where_they_cannot_be_made_safe(api: Api) -> None:
    fill(api, 1)
    api.port.house.server.state.set_write_fault("MISCONF no disk")
    for answer in (
        api.post(EVENTS, line(1)),
        api.ask("DELETE", EVENTS),
        api.post(INDEXES, {"path": "n"}),
    ):
        refused(answer, 503)
        assert answer.headers["retry-after"] == "1"
    assert api.post(STORE, {"commands": []}).status == 503
    assert numbers(api.get(EVENTS)) == [0]


def test_nothing_is_served_while_data_is_loaded(api: Api) -> None:
    api.port.house.server.state.set_loading(True)
    for answer in (api.get(EVENTS), api.post(EVENTS, line(0)), api.post(DISTINCT, {"paths": []}), api.get(INDEXES)):
        refused(answer, 503)


def test_a_key_that_holds_something_else(api: Api) -> None:
    api.port.house.connect().send(b"SET s text\r\n")
    for answer in (
        api.get(EVENTS),
        api.post(EVENTS, line(0)),
        api.ask("DELETE", EVENTS),
        api.post(DISTINCT, {"paths": ["n"]}),
        api.get(INDEXES),
        api.post(INDEXES, {"path": "n"}),
    ):
        refused(answer, 409)
    assert api.port.house.connect().send(b"GET s\r\n") == b"$4\r\ntext\r\n"


# ---------------------------------------------------------------- distinct values


def test_distinct_values_of_version_1(api: Api) -> None:
    api.post(EVENTS, line(0, site={"unit": "u1"}) + line(1, site={"unit": 2}))
    answer = api.post("/api/v1/timeseries/s/distinct_values", {"paths": [["site", "unit"]]})
    assert answer.json == {"item": {'["site","unit"]': [2, "u1"]}}
    for paths in ([[]], ["site"], [[1]], None):
        refused(api.post("/api/v1/timeseries/s/distinct_values", {"paths": paths}), 400, parameter="paths")


def test_distinct_values_by_other_methods(api: Api) -> None:
    fill(api, 3)
    for method in ("GET", "QUERY", "POST"):
        body = {"paths": ["n"], "filter": "n > 0"}
        assert api.ask(method, DISTINCT, body).json == {"item": {"n": [1, 2]}}
    answer = api.ask("GET", DISTINCT + "?filter=n==2", {"paths": ["n"]}, X_DITTO_TXN_ID="1")
    assert answer.json == {"item": {"n": [2]}}
    assert answer.headers["x-ditto-txn-id"] == "1"


def test_distinct_values_of_an_interval_that_ends_first(api: Api) -> None:
    ends = {"start": "2023-03-05T08:00:01Z", "end": "2023-03-05T08:00:00Z"}
    refused(api.post(DISTINCT, {"paths": ["n"], **ends}), 400, parameter="end")
    ends["end"] = ends["start"]
    assert api.post(DISTINCT, {"paths": ["n"], **ends}).json == {"item": {"n": []}}


# ---------------------------------------------------------------- indexes


def test_indexes(api: Api) -> None:
    fill(api, 3)
    assert api.get(INDEXES).json == {"indexes": []}
    assert api.post(INDEXES, {"path": "a.b"}).json == {"path": "a.b", "created": True}
    assert api.post(INDEXES, {"path": "['a'].b"}).json == {"path": "a.b", "created": False}
    assert api.post(INDEXES, {"path": "n['odd \"name\"']['in']"}).json["path"] == 'n["odd \\"name\\""]["in"]'
    shown = [each["path"] for each in api.get(INDEXES).json["indexes"]]
    assert sorted(shown) == ["a.b", 'n["odd \\"name\\""]["in"]']
    for path in shown:
        assert api.ask("DELETE", INDEXES, {"path": path}).json == {"path": path, "dropped": True}
    assert api.ask("DELETE", INDEXES + "?path=a.b").json == {"path": "a.b", "dropped": False}


@pytest.mark.parametrize("path", ["", "a[*]", "a[0]", "length(a)", "a.", "_time", "a == 1", "'a'", None, 1])
def test_paths_that_cannot_be_indexed(api: Api, path: object) -> None:
    refused(api.post(INDEXES, {"path": path}), 400, parameter="path")


# ---------------------------------------------------------------- __timeseries


def command(method: str, **members: Any) -> dict[str, Any]:
    return {"commands": [{"method": method, "collection": "__timeseries", **members}]}


def names(api: Api) -> list[str]:
    """The series that have a document."""
    fields = Caller(api.port.house)("HKEYS", "__timeseries")
    return [each.decode() for each in fields if not each.startswith(b"__")]


def test_documents_are_in_a_hash(api: Api) -> None:
    ask = api.port.house.connect().send
    assert api.post(STORE, command("upsert", id="s", value={"default_ttl_seconds": 60, "x": [1]})).status == 200
    assert api.post(STORE, command("upsert", value={"_id": "s", "x": None})).status == 200
    assert b'{"default_ttl_seconds":60,"x":null}' in ask(b"HGETALL __timeseries\r\n")
    ask(b"""HSET __timeseries t '{"default_ttl_seconds":1}' u no-json\r\n""")
    for name, expires in (("s", True), ("t", True), ("u", False), ("v", False)):
        api.post(f"/api/v1/timeseries/{name}/events", line(0))
        value = json.loads(api.get(f"/api/v1/timeseries/{name}/events").body)["item"]["value"]
        assert ("_expiration" in value) is expires
    api.port.house.advance(1001)
    assert api.get("/api/v1/timeseries/t/events").body == b""


def test_store_calls_are_transactions(api: Api) -> None:
    body = {
        "commands": [
            *command("upsert", id="a", value={"x": 1})["commands"],
            *command("upsert", id="b", value={"x": 2})["commands"],
            *command("remove", query="x > $args.least", args={"least": 0})["commands"],
        ]
    }
    for version in (2, 3, 4):
        answer = api.post(f"/api/v{version}/store/write", body)
        methods = [(each["method"], each.get("deleted")) for each in answer.json["results"]]
        assert methods == [("upsert", None), ("upsert", None), ("remove", 2)]
        ids = [each["transactionId"] for each in answer.json["results"]]
        assert ids == sorted(set(ids))
        assert answer.headers["x-ditto-txn-id"] == str(ids[-1])
    assert names(api) == []
    old = {"method": "write", "parameters": command("upsert", id="a", value={})}
    assert api.post("/api/v1/store", old).json["results"][0]["method"] == "upsert"


@pytest.mark.parametrize(
    "body",
    [
        "{",
        [],
        {},
        {"commands": 1},
        {"commands": [1]},
        {"commands": [], "more": 1},
        command("insert", id="a", value={}),
        {"commands": [{"method": "upsert", "collection": "people", "id": "a", "value": {}}]},
        command("upsert", id="a", value=1),
        command("upsert", id="a", value={"_id": "b"}),
        command("upsert", id=1, value={}),
        command("upsert", id={}, value={"_id": "a"}),
        command("upsert", id="__a", value={}),
        command("upsert", value={}),
        command("upsert", id="a", value={}, query="true"),
        command("remove"),
        command("remove", query="x ="),
        command("remove", query="x == $args.y", args=[]),
        {"commands": command("upsert", id="a", value={})["commands"] * 1001},
    ],
    ids=repr,
)
def test_bad_store_calls(api: Api, body: Any) -> None:
    first = command("upsert", id="first", value={})["commands"]
    if isinstance(body, dict) and isinstance(body.get("commands"), list):
        body = {**body, "commands": first + body["commands"]}
    answer = api.post(STORE, body)
    assert answer.status == 400
    assert list(answer.json) == ["message"]
    assert names(api) == []


def test_bad_store_calls_of_version_1(api: Api) -> None:
    for body in ({"method": "find", "parameters": {}}, {"method": "write", "parameters": {}}, {"method": "write"}):
        assert api.post("/api/v1/store", body).status == 400


def test_store_calls_are_json(api: Api) -> None:
    answer = api.post(STORE, b"\xa0", Content_Type="application/cbor")
    assert (answer.status, list(answer.json)) == (415, ["message"])
    assert api.post(STORE, {"commands": []}, Content_Type="application/json; charset=UTF-8").json == {"results": []}


def test_a_collection_that_is_something_else(api: Api) -> None:
    api.port.house.connect().send(b"SET __timeseries text\r\n")
    assert api.post(STORE, command("upsert", id="a", value={})).status == 409
    refused(api.post(EVENTS, line(0)), 409)
    assert api.port.house.connect().send(b"GET __timeseries\r\n") == b"$4\r\ntext\r\n"


# ---------------------------------------------------------------- who may do what


KEYS = json.dumps(
    {
        "all": {"read": {"everything": True}, "write": {"everything": True}},
        "reader": {"read": {"timeseries": ["s|t"]}},
        "sensors": {"read": {"everything": True}, "write": {"timeseries": ["sensors-.*"]}},
    }
)


def test_without_keys_and_password_everybody_may(api: Api) -> None:
    assert api.get(EVENTS, Authorization="Bearer whatever").status == 200


def test_keys(open_api: Open) -> None:
    api = open_api(ditto_api_keys=KEYS)
    for headers in (
        {},
        {"Authorization": "Bearer nope"},
        {"Authorization": "Basic YWxsOmFsbA=="},
        {"Authorization": "all"},
    ):
        answer = api.get(EVENTS, **headers)
        refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "all" not in answer.text.replace("allowed", "")
    allowed = {"Authorization": "Bearer reader"}
    assert api.get(EVENTS, **allowed).status == 200
    assert api.get(INDEXES, **allowed).status == 200
    refused(api.get("/api/v1/timeseries/u/events", **allowed), 403)
    refused(api.post(EVENTS, line(0), **allowed), 403)
    refused(api.post(INDEXES, {"path": "a"}, **allowed), 403)
    assert api.post(EVENTS + "/query", {}, **allowed).status == 200
    assert api.post(STORE, command("upsert", id="s", value={}), **allowed).status == 403


def test_documents_of_series_that_are_not_allowed(open_api: Open) -> None:
    api = open_api(ditto_api_keys=KEYS)
    sensors, everything = {"Authorization": "Bearer sensors"}, {"Authorization": "Bearer all"}
    mixed = {
        "commands": [
            *command("upsert", id="sensors-1", value={})["commands"],
            *command("upsert", id="other", value={})["commands"],
        ]
    }
    assert api.post(STORE, mixed, **sensors).status == 403
    assert api.post(STORE, command("remove", query="true"), **sensors).json["results"][0]["deleted"] == 0
    assert api.post(STORE, mixed, **everything).status == 200
    assert api.post(STORE, command("remove", query="true"), **sensors).status == 403
    removed = api.post(STORE, command("remove", query="starts_with(_id, 'sensors-')"), **sensors)
    assert removed.json["results"][0]["deleted"] == 1


def test_a_file_with_keys(open_api: Open, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(KEYS)
    api = open_api(ditto_api_keys_file=str(path), ditto_api_keys='{"other": {"read": {"everything": true}}}')
    assert api.get(EVENTS, Authorization="Bearer all").status == 200
    assert api.get(EVENTS, Authorization="Bearer other").status == 200
    path.unlink()
    refused(api.get(EVENTS, Authorization="Bearer all"), 500)
    assert api.get(EVENTS, Authorization="Bearer other").status == 200


def test_the_password_allows_everything(open_api: Open) -> None:
    api = open_api(requirepass="secret", ditto_api_keys=KEYS)
    basic = base64.b64encode(b"default:secret").decode()
    for header in ("Bearer secret", f"Basic {basic}", "bearer all"):
        assert api.post(EVENTS, line(0), Authorization=header).status == 200
    for header in ("Bearer wrong", "Basic " + base64.b64encode(b"ops:secret").decode(), "Bearer "):
        assert api.get(EVENTS, Authorization=header).status == 401
    assert open_api(requirepass="secret").get(EVENTS).status == 401


def token(permissions: Any, key: str | None = SECRET, algorithm: str = "HS256", **claims: Any) -> dict[str, str]:
    payload = {"exp": 4_000_000_000, "permissions": permissions, **claims}
    return {"Authorization": f"Bearer {jwt.encode(payload, key, algorithm)}"}


def test_tokens(open_api: Open) -> None:
    api = open_api(ditto_jwt_key=SECRET)
    sensors = {"write": {"everything": False, "timeseries": ["sensors-.*"]}, "read": {"everything": True}}
    assert api.post("/api/v1/timeseries/sensors-1/events", line(0), **token(sensors)).status == 200
    refused(api.post("/api/v1/timeseries/my-sensors-1/events", line(0), **token(sensors)), 403)
    assert api.get(EVENTS, **token(sensors)).status == 200
    refused(api.get(EVENTS, **token({})), 403)
    for wrong in (
        token(sensors, "another secret of thirty-two bytes"),
        token(sensors, None, "none"),
        token(sensors, exp=1),
        token(sensors, nbf=3_999_999_999),
        token([]),
        token({"read": {"timeseries": ["("]}}),
    ):
        refused(api.get(EVENTS, **wrong), 401)


def test_clocks_may_differ_by_a_minute(open_api: Open) -> None:
    import time

    api = open_api(ditto_jwt_key=SECRET)
    everything = {"read": {"everything": True}}
    assert api.get(EVENTS, **token(everything, exp=int(time.time()) - 30)).status == 200
    assert api.get(EVENTS, **token(everything, exp=int(time.time()) - 90)).status == 401


def test_other_machines_need_a_password(open_api: Open) -> None:
    api = open_api(ditto_api_keys=KEYS, bind="0.0.0.0")
    api.visitor = api.port.connect(("192.0.2.1", 5))
    assert api.get(EVENTS, Authorization="Bearer all").status == 403


# ---------------------------------------------------------------- pages of other origins


def test_pages_of_other_origins(open_api: Open) -> None:
    api = open_api(http_allowed_origins="https://app.example.com")
    refused(api.get(EVENTS, Origin="https://evil.example.com"), 403)
    answer = api.get(EVENTS, Origin="https://app.example.com")
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "X-DITTO-TXN-ID" in answer.headers["access-control-expose-headers"]
    refused(api.get(EVENTS, Host="evil.example.com"), 403)
    refused(api.get("/api/v1/nothing", Host="evil.example.com"), 403)
    anybody = open_api(http_allowed_origins=ANY).get(EVENTS, Origin="https://evil.example.com")
    assert anybody.headers["access-control-allow-origin"] == "*"


def test_preflight(open_api: Open) -> None:
    api = open_api(http_allowed_origins="https://app.example.com", requirepass="secret")
    headers = {"Origin": "https://app.example.com", "Access_Control_Request_Method": "DELETE"}
    answer = api.ask("OPTIONS", EVENTS, **headers)
    assert answer.status == 204
    assert "DELETE" in answer.headers["access-control-allow-methods"]
    assert "x-ditto-txn-id" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    headers["Origin"] = "https://evil.example.com"
    assert "access-control-allow-origin" not in api.ask("OPTIONS", EVENTS, **headers).headers


# ---------------------------------------------------------------- OpenAPI


def test_the_openapi_document(open_api: Open) -> None:
    api = open_api(requirepass="secret")
    document = api.get("/api/v1/swagger.json").json
    assert document["openapi"].startswith("3.1")
    assert document == api.get("/api/v4/swagger.json").json
    query = document["paths"]["/api/v1/timeseries/{id}/events"]["get"]
    assert {each["name"] for each in query["parameters"]} >= {"id", "limit", "filter", "X-DITTO-TXN-ID"}
    assert "order_by" not in {each["name"] for each in query["parameters"]}
    by_post = document["paths"]["/api/v1/timeseries/{id}/events/query"]["post"]
    body = by_post["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["limit"] == {
        "type": "integer",
        "minimum": 0,
        "default": 1000,
        "description": "Most events.",
    }
    ids = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(ids) == len(set(ids))
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text
