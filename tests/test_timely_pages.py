"""The Timely API over HTTP: every row of the error matrix, bad input, CORS, log-in, and what both datasources of Grafana send."""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from januskv import __version__
from januskv.http import ANSWER_S, REQUEST_S
from januskv.timely_pages import MOST_BODY, MOST_POINTS_BODY

from .http_port import open_ports
from .timely_api import HOUR, Api, T, read_answer

Open = Callable[..., Api]


@pytest.fixture
def open_api() -> Iterator[Open]:
    with open_ports() as opened:
        yield lambda **config: Api(opened(**config))


@pytest.fixture
def api(open_api: Open) -> Api:
    api = open_api()
    api.put_lines(
        f"disk.used {T} 10 host=db1 rack=r1",
        f"disk.used {T + 15_000} 20 host=db1 rack=r1",
        f"disk.used {T + 60_000} 50 host=db1 rack=r1",
        f"disk.used {T} 100 host=db7 rack=r1",
        f"disk.used {T} 1 host=web rack=r2",
    )
    return api


# ---------------------------------------------------------------- answers


def test_version(api: Api) -> None:
    for method in ("GET", "POST"):
        answer = api.ask(method, "/version")
        assert (answer.status, answer.text.strip()) == (200, __version__)
        assert answer.headers["content-type"].startswith("text/plain")


def test_a_query(api: Api) -> None:
    answer = api.query({"metric": "disk.used", "tags": {"host": "db.*"}, "downsample": "1m-avg"})
    assert answer.status == 200
    assert answer.json == [
        {
            "metric": "disk.used",
            "tags": {"host": "db1"},
            "aggregatedTags": [],
            "aggregateTags": [],
            "dps": {str(T): 15.0, str(T + 60_000): 50.0},
        },
        {
            "metric": "disk.used",
            "tags": {"host": "db7"},
            "aggregatedTags": [],
            "aggregateTags": [],
            "dps": {str(T): 100.0},
        },
    ]
    assert b"15.0" in answer.body


def test_an_aggregator_takes_all_groups_together(api: Api) -> None:
    found = api.query({"metric": "disk.used", "aggregator": "sum", "tags": {"host": "*"}, "downsample": "1m-sum"}).json
    assert [(each["tags"], each["dps"]) for each in found] == [({"host": "*"}, {str(T): 131.0, str(T + 60_000): 50.0})]
    assert found[0]["aggregateTags"] == ["host", "rack"]


def test_filters_with_groups_are_those_of_opentsdb(api: Api) -> None:
    filters = [{"type": "wildcard", "tagk": "rack", "filter": "*", "groupBy": True}]
    found = api.query({"metric": "disk.used", "aggregator": "sum", "downsample": "1m-avg", "filters": filters}).json
    assert [(each["tags"], each["dps"][str(T)]) for each in found] == [({"rack": "r1"}, 115.0), ({"rack": "r2"}, 1.0)]
    assert [each["aggregateTags"] for each in found] == [["host"], []]


def test_a_get_query(api: Api) -> None:
    target = f"/api/query?start={T}&end={T + HOUR}&m=none:1m-sum:disk.used%7Brack%3D.*%7D%7Bhost%3Ddb1%7D"
    found = api.get(target).json
    assert [(each["tags"], each["dps"]) for each in found] == [
        ({"host": "db1"}, {str(T // 1000): 30.0, str(T // 1000 + 60): 50.0})
    ]
    one = api.get(f"/api/query?start={T}&end={T + HOUR}&m=sum:disk.used{{host=web}}&ms&arrays").json
    assert [each["dps"] for each in one] == [[[T, 1.0]]]


def test_no_series_and_no_rows(api: Api) -> None:
    assert api.query({"metric": "disk.used", "tags": {"host": "db1", "rack": "r9|r8"}}).json == []
    assert api.query({"metric": "disk.used"}, start=T + HOUR, end=T).json == []
    assert api.query({"metric": "disk.used"}, start=1, end=1000).json == []


def test_several_queries(api: Api) -> None:
    found = api.query(
        {"metric": "disk.used", "tags": {"host": "web"}}, {"metric": "disk.used", "tags": {"host": "db7"}}
    )
    assert [each["tags"]["host"] for each in found.json] == ["web", "db7"]


def test_suggest(api: Api) -> None:
    assert api.get("/api/suggest?type=metrics&q=disk&max=1000").json == ["disk.used"]
    assert api.get("/api/suggest?type=metrics&m=used").json == ["disk.used"]
    assert api.get("/api/suggest?type=metrics&q=nosuch").json == []
    assert api.post("/api/suggest", {"type": "tagk", "m": "disk.used", "max": "10"}).json == ["host", "rack"]
    assert api.post("/api/suggest", {"type": "tagv", "m": "disk.used", "t": "host"}).json == ["db1", "db7", "web"]
    assert api.post("/api/suggest", {"type": "tagv", "m": "disk.used", "t": "host", "max": 0}).json == ["db1"]
    assert api.post("/api/suggest", {"type": "tagv", "m": "disk.used"}).json == []
    assert api.post("/api/suggest", {"type": "tagk", "m": "nosuch"}).json == []
    assert api.post("/api/suggest", {"type": "tagk"}).json == []
    assert api.get("/api/suggest?type=tagk&q=h").json == ["host"]
    assert api.get("/api/suggest?type=tagv&q=db&max=1").json == ["db1"]
    assert api.get("/api/suggest?type=tagv&q=").json == ["db1", "db7", "r1", "r2", "web"]


def test_lookup(api: Api) -> None:
    answer = api.get("/api/search/lookup?m=disk.used%7Bhost%3Ddb.*,rack%3Dr2%7D&limit=2").json
    assert answer.pop("time") >= 0
    assert answer == {
        "type": "LOOKUP",
        "metric": "disk.used",
        "tags": {"host": "db.*", "rack": "r2"},
        "limit": 2,
        "totalResults": 3,
        "results": [
            {"tags": {"host": "db1"}, "metric": None, "tsuid": None},
            {"tags": {"host": "db7"}, "metric": None, "tsuid": None},
        ],
    }
    assert api.post("/api/search/lookup", {"metric": "nosuch", "tags": [{"a": "b"}]}).json["totalResults"] == 0
    assert api.post("/api/search/lookup", {"metric": "disk.used"}).json["results"] == []


def test_aggregators(open_api: Open) -> None:
    timely = ["avg", "dev", "max", "min", "sum", "count", "none"]
    assert open_api().get("/api/aggregators").json == timely
    assert open_api().post("/api/aggregators", {}).json == timely
    more = open_api(timely_downsampling="opentsdb").get("/api/aggregators").json
    assert more[:7] == timely
    assert {"p99", "zimsum", "first", "ep999r7"} <= set(more)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "html"),
        ("*/*", "html"),
        ("text/html", "html"),
        ("text/html,application/json", "html"),
        ("application/json", "json"),
        ("application/json, */*", "json"),
        ("text/html;q=0.1, application/json;q=0.9", "json"),
        ("application/json;q=0, */*", "html"),
        ("application/json;q=x, text/html;q=0.5", "html"),
        ("image/png", "html"),
    ],
)
def test_the_list_of_metrics(api: Api, accept: str | None, kind: str) -> None:
    answer = api.get("/api/metrics", **({} if accept is None else {"Accept": accept}))
    if kind == "html":
        assert answer.headers["content-type"].startswith("text/html")
        assert "<td>disk.used</td>\n<td>host=db1 host=db7 host=web rack=r1 rack=r2 </td>" in answer.text
    else:
        tags = [("host", "db1"), ("host", "db7"), ("host", "web"), ("rack", "r1"), ("rack", "r2")]
        expected = [{"key": key, "value": value} for key, value in tags]
        assert answer.json == {"metrics": [{"metric": "disk.used", "tags": expected}]}


def test_names_in_the_page_of_metrics_are_no_markup(api: Api) -> None:
    api.put_lines(f"<script>alert(1)</script> {T} 1 a=<img>")
    text = api.get("/api/metrics").text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_cache(api: Api) -> None:
    assert api.get("/api/cache").json == {
        "oldestTimestamp": T,
        "newestTimestamp": T + 60_000,
        "metrics": ["disk.used"],
    }


def test_what_opentsdb_has_besides(open_api: Open) -> None:
    api = open_api()
    assert api.get("/api/version").json["version"].startswith("2.")
    assert "literal_or" in api.get("/api/config/filters").json
    assert api.get("/api/config").status == 200
    assert api.get("/api/annotations?start=1").json == []
    assert api.post("/api/annotation", {"x": 1}).json == []
    strict = open_api(timely_strict=True)
    for path in ("/api/version", "/api/config/filters", "/api/config", "/api/annotations"):
        assert strict.get(path).status == 404


# ---------------------------------------------------------------- put


@pytest.mark.parametrize(
    "document",
    [
        {"metric": "p", "timestamp": T, "value": 4.5, "tags": [{"key": "host", "value": "a"}]},
        {"name": "p", "timestamp": T, "measure": 4.5, "tags": [{"host": "a"}]},
    ],
)
def test_a_point_of_timely(api: Api, document: dict[str, Any]) -> None:
    answer = api.post("/api/put", document, Content_Type="application/x-www-form-urlencoded")
    assert (answer.status, answer.body) == (200, b"")
    assert api.query({"metric": "p", "tags": {"host": "a"}}).json[0]["dps"] == {str(T): 4.5}


def test_points_of_opentsdb(api: Api) -> None:
    point = {"metric": "p", "timestamp": T // 1000, "value": "4.5", "tags": {"host": "a"}}
    other = {**point, "tags": {"host": "b"}}
    assert api.post("/api/put", point).status == 204
    assert api.post("/api/put", [point, other]).status == 204
    assert len(api.query({"metric": "p", "tags": {"host": "*"}}).json) == 2
    assert api.post("/api/put?summary", [point]).json == {"success": 1, "failed": 0}
    bad = {**point, "value": "x"}
    answer = api.post("/api/put?details", [point, bad])
    assert answer.status == 400
    assert {name: answer.json[name] for name in ("success", "failed")} == {"success": 1, "failed": 1}
    assert answer.json["errors"][0]["datapoint"] == bad
    assert "value" in answer.json["errors"][0]["error"]
    assert api.post("/api/put", [point, bad]).status == 400


def test_a_long_array_of_points(api: Api) -> None:
    points = [{"metric": "p", "timestamp": T + at, "value": at, "tags": {"host": "a"}} for at in range(10_000)]
    body = json.dumps(points).encode()
    assert MOST_BODY < len(body) < MOST_POINTS_BODY
    assert api.post("/api/put", body).status == 204
    assert len(api.query({"metric": "p"}).json[0]["dps"]) == 10_000


def test_values_that_are_no_numbers(api: Api) -> None:
    for at, value in enumerate(("NaN", "Infinity", "-Infinity")):
        body = f'{{"name":"p","timestamp":{T + at},"measure":{value},"tags":[{{"a":"b"}}]}}'
        assert api.post("/api/put", body).status == 200
    found = api.query({"metric": "p"}).json[0]["dps"]
    assert found == {str(T): "NaN", str(T + 1): "Infinity", str(T + 2): "-Infinity"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b'"text"',
        b"{}",
        b'{"metric":"p"}',
        b'{"metric":"p","timestamp":1,"value":1,"tags":null}',
        b'{"metric":"p","timestamp":-5,"value":1,"tags":[]}',
        b'{"metric":"p","timestamp":"x","value":1,"tags":[]}',
        b'{"metric":"p","timestamp":1,"value":"x","tags":[]}',
        b'{"metric":7,"timestamp":[],"value":1,"tags":[]}',
    ],
)
def test_what_is_no_point(api: Api, body: bytes) -> None:
    answer = api.post("/api/put", body)
    assert answer.status == 400
    assert answer.json["responseCode"] == 400


def test_a_bad_visibility(api: Api) -> None:
    document = {"name": "p", "timestamp": T, "measure": 1, "tags": [{"host": "a"}, {"viz": "A&"}]}
    answer = api.post("/api/put", document)
    assert answer.status == 500
    assert answer.json["message"].startswith("Error storing put metric")
    assert api.query({"metric": "p"}).status == 400


# ---------------------------------------------------------------- the error matrix


def refused(answer: Any, status: int, message: str) -> None:
    """Check an error document."""
    assert answer.status == status, answer
    document = answer.json
    assert set(document) == {"message", "detailMessage", "responseCode"}
    assert document["responseCode"] == status
    assert re.search(message, document["message"]), document


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "message"),
    [
        pytest.param("POST", "/api/query", b"{", 400, "Invalid JSON", id="no JSON"),
        pytest.param("POST", "/api/query", b"", 400, "Invalid JSON", id="nothing"),
        pytest.param("POST", "/api/query", b"[]", 400, "not a JSON object", id="an array"),
        pytest.param("POST", "/api/suggest", b'{"type":"metrics","x":1}', 400, "Unrecognized", id="unknown property"),
        pytest.param(
            "POST", "/api/suggest", b'{"type":"metrics","max":"x"}', 400, "not an integer", id="number format"
        ),
        pytest.param("POST", "/api/suggest", b'{"type":"x"}', 400, "^Type is not valid$", id="type"),
        pytest.param("POST", "/api/search/lookup", b"{}", 400, "^Metric is not set$", id="lookup without metric"),
        pytest.param("POST", "/api/query", b'{"queries":[]}', 400, r"^No query specified\.$", id="no query"),
        pytest.param("GET", "/api/search/lookup", None, 400, "^m parameter is required for lookup$", id="lookup"),
        pytest.param("GET", "/api/query?start=1&m=x", None, 400, "^Too few parameters", id="too few parameters"),
        pytest.param("GET", "/api/query?start=1&m=a:b:c:d:e:f", None, 400, "^Too many parameters", id="too many"),
        pytest.param("GET", "/api/query?start=1&m=a:b{c", None, 400, "^Tag section does not end with '}'$", id="brace"),
        pytest.param("GET", "/api/query?m=a:b", None, 400, "start parameter is required", id="query without start"),
        pytest.param("GET", "/api/suggest", None, 400, "^Type is not valid$", id="suggest without type"),
        pytest.param("GET", "/api/nosuch", None, 404, "Not Found", id="unknown path"),
        pytest.param("POST", "/api/nosuch", b"{}", 404, "Not Found", id="unknown path, POST"),
        pytest.param("PUT", "/api/query", b"{}", 405, "^unhandled method type$", id="PUT"),
        pytest.param("DELETE", "/api/query", None, 405, "^unhandled method type$", id="DELETE"),
        pytest.param("GET", "/api/put", None, 405, "^unhandled method type$", id="GET of put"),
        pytest.param("OPTIONS", "/api/query", None, 405, "^unhandled method type$", id="OPTIONS of no browser"),
        pytest.param("DELETE", "/login", None, 405, "^unhandled method type$", id="DELETE of log-in"),
        pytest.param("POST", "/api/query", {"queries": [{"metric": "nosuch"}]}, 400, "^No matching tags$", id="metric"),
        pytest.param(
            "POST",
            "/api/query",
            {"queries": [{"metric": "disk.used", "tags": {"host": "nosuch"}}]},
            400,
            "^No matching tags$",
            id="no matching tags",
        ),
        pytest.param(
            "POST",
            "/api/query",
            {"queries": [{"metric": "disk.used", "downsample": "1m-nosuch"}]},
            400,
            "Unknown downsample function",
            id="downsample function",
        ),
        pytest.param(
            "POST",
            "/api/query",
            {"queries": [{"metric": "disk.used", "tags": {"host": "("}}]},
            500,
            "Invalid regular expression",
            id="regular expression",
        ),
        pytest.param(
            "POST",
            "/api/query",
            {"queries": [{"metric": "disk.used", "downsample": "1x-avg"}]},
            400,
            "Invalid interval",
            id="interval",
        ),
        pytest.param(
            "POST",
            "/api/query",
            {"queries": [{"metric": "disk.used", "downsample": "nonsense"}]},
            400,
            "Not a downsampling",
            id="malformed downsampling",
        ),
        pytest.param("POST", "/login", b'{"username":"x"}', 400, "missing", id="log-in without password"),
        pytest.param("POST", "/login", b"{}", 400, "missing", id="log-in without anything"),
        pytest.param("POST", "/login", b"x", 400, "Invalid JSON", id="log-in, no JSON"),
        pytest.param(
            "GET", "/secure-me", None, 404, "^Returning HTTP Strict Transport Security response$", id="no TLS"
        ),
    ],
)
def test_errors(api: Api, method: str, target: str, body: Any, status: int, message: str) -> None:
    answer = api.ask(method, target, body)
    refused(answer, status, message)
    assert api.get("/version").status == 200


def test_the_detail_of_no_matching_tags(api: Api) -> None:
    answer = api.query({"metric": "nosuch"})
    assert answer.body == (
        b'{"message":"No matching tags","detailMessage":"No tags were found  that matched the submitted tags. '
        b'Please fix and retry","responseCode":400}'
    )


def test_methods_that_are_allowed_are_told(api: Api) -> None:
    assert api.ask("DELETE", "/api/query").headers["allow"] == "GET,POST"
    assert api.ask("GET", "/api/put").headers["allow"] == "POST"
    assert api.port.connect().status(b"HEAD /api/query HTTP/1.1\r\nHost: localhost\r\n\r\n") == 405


def test_where_timely_sends_those_without_tls(api: Api) -> None:
    assert re.fullmatch(r"max-age=[0-9]+", api.get("/secure-me").headers["strict-transport-security"])


def test_while_data_is_loaded(api: Api) -> None:
    api.port.house.server.state.set_loading(True)
    refused(api.query({"metric": "disk.used"}), 503, "being loaded")
    refused(api.post("/api/put", {}), 503, "being loaded")


def test_points_that_cannot_be_made_safe(api: Api) -> None:
    api.port.house.server.state.set_write_fault("MISCONF no space left")
    document = {"metric": "p", "timestamp": T, "value": 4.5, "tags": [{"key": "host", "value": "a"}]}
    refused(api.post("/api/put", document), 503, "cannot be stored")
    assert api.query({"metric": "disk.used"}).status == 200


class Gate:
    """A log that makes replies wait."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def send(self, connection: Any, data: bytes, last: bool) -> None:
        self.waiting.append(connection)


POINT = {"metric": "p", "timestamp": T, "value": 4.5, "tags": [{"key": "host", "value": "a"}]}


def unanswered(api: Api) -> Any:
    """A visitor who has sent a point that has no answer yet."""
    body = json.dumps(POINT).encode()
    visitor = api.port.connect()
    head = b"POST /api/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert visitor.send(head + body) == b""
    return visitor


def test_points_are_confirmed_once_they_are_safe(api: Api) -> None:
    gate = api.port.house.server.outbox.gate = Gate()
    visitor = unanswered(api)
    (waiter,) = gate.waiting
    assert waiter.changed == api.port.house.server.store.feed.changes
    waiter.deliver(b"", False)
    api.port.settle()
    assert visitor.transport.written.startswith(b"HTTP/1.1 200 ")


def test_points_that_were_not_made_safe(api: Api) -> None:
    gate = api.port.house.server.outbox.gate = Gate()
    visitor = unanswered(api)
    gate.waiting[0].deny(b"", "MISCONF no space left")
    api.port.settle()
    answer = read_answer(visitor.transport.written)
    refused(answer, 503, "Points were not made safe")


def test_points_wait_while_writes_are_paused(api: Api) -> None:
    server = api.port.house.server
    server.pause.begin(60_000, writes_only=True)
    visitor = unanswered(api)
    assert api.query({"metric": "disk.used"}).status == 200
    server.pause.end()
    until = time.monotonic() + 5
    while not visitor.transport.written and time.monotonic() < until:
        api.port.settle()
    assert visitor.transport.written.startswith(b"HTTP/1.1 200 ")


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"start": -1}, id="before the epoch"),
        pytest.param({"start": -(1 << 63)}, id="long before"),
        pytest.param({"start": 1 << 63}, id="beyond 64 bits"),
        pytest.param({"end": "9" * 100}, id="far beyond"),
        pytest.param({"start": "1y-ago" * 1000}, id="many years"),
        pytest.param({"start": {}}, id="an object"),
        pytest.param({"end": True}, id="a truth value"),
    ],
)
def test_absurd_times(api: Api, members: dict[str, Any]) -> None:
    refused(api.query({"metric": "disk.used"}, **members), 400, "'start'|'end'|Invalid JSON")


@pytest.mark.parametrize("start", ["1000000000y-ago", 0, "0"])
def test_times_long_ago(api: Api, start: Any) -> None:
    assert len(api.query({"metric": "disk.used"}, start=start).json) == 1


def test_absurd_buckets(open_api: Open) -> None:
    api = open_api(timely_downsampling="opentsdb")
    api.put_lines(f"m {T} 1 a=b", f"m {T + 10 * 365 * 86_400_000} 2 a=b")
    end = T + 11 * 365 * 86_400_000
    assert len(api.query({"metric": "m", "downsample": "1ms-avg"}, end=end).json[0]["dps"]) == 2
    for fill in ("zero", "nan", "null"):
        began = time.perf_counter()
        answer = api.query({"metric": "m", "downsample": f"1ms-avg-{fill}"}, end=end)
        refused(answer, 413, "too many")
        assert time.perf_counter() - began < 1
    refused(api.query({"metric": "m", "downsample": "0s-avg"}), 400, "Invalid interval")
    longest = api.query({"metric": "m", "downsample": "9223372036854775807ms-avg"}, end=end).json
    assert longest[0]["dps"] == {"0": 1.5}


def test_filled_buckets(open_api: Open) -> None:
    api = open_api(timely_downsampling="opentsdb")
    api.put_lines(f"m {T} 1 a=b", f"m {T + 120_000} 2 a=b")
    for fill, value in (("zero", 0.0), ("nan", "NaN"), ("null", None)):
        found = api.query({"metric": "m", "downsample": f"1m-avg-{fill}"}, end=T + 120_000).json
        assert found[0]["dps"] == {str(T): 1.0, str(T + 60_000): value, str(T + 120_000): 2.0}


def test_percentiles(open_api: Open) -> None:
    api = open_api()
    api.put_lines(*(f"m {T} {value} host=h{value}" for value in range(1, 101)))
    found = api.query({"metric": "m", "aggregator": "p99", "tags": {"host": "*"}}).json
    assert [each["dps"] for each in found] == [{str(T): 99.99}]
    strict = open_api(timely_strict=True)
    strict.put_lines(*(f"m {T} {value} host=h{value}" for value in range(1, 11)))
    assert len(strict.query({"metric": "m", "aggregator": "p99", "tags": {"host": ".*"}}).json) == 10


def test_many_tags(api: Api) -> None:
    tags = ",".join(f"t{number}=v" for number in range(100_000))
    target = f"/api/query?start=1&m=sum:disk.used{{{tags}}}"
    answer = api.ask("GET", target)
    assert answer.status in (400, 414, 431)
    api.visitor = None
    body = {"queries": [{"metric": "disk.used", "tags": {f"t{number}": "v" for number in range(4000)}}]}
    answer = api.post("/api/query", body)
    assert answer.status == 413, answer


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(.*)*", "((a{1,1000}){1,1000}){1,1000}", "(" * 1000, "a" * 2000, "[", "*a"]
)
def test_regular_expressions_take_no_longer_than_they_may(api: Api, pattern: str) -> None:
    api.put_lines(*(f"long {T} 1 host={'a' * 5000}{number}" for number in range(100)))
    began = time.perf_counter()
    answer = api.query({"metric": "long", "tags": {"host": pattern}})
    assert time.perf_counter() - began < 2
    assert answer.status in (200, 400, 500)
    lookup = api.post("/api/search/lookup", {"metric": "long", "tags": [{"host": pattern}]})
    assert lookup.status in (200, 500)


def test_there_is_no_jsonp(api: Api) -> None:
    for target in ("/api/aggregators?jsonp=alert", "/api/suggest?type=metrics&callback=alert&jsonp=alert"):
        answer = api.get(target)
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert b"alert" not in answer.body


@pytest.mark.parametrize("packer", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_packed_points(api: Api, packer: Callable[[bytes], bytes]) -> None:
    coding = "gzip" if packer is gzip.compress else "deflate"
    document = json.dumps([{"metric": "p", "timestamp": T, "value": 1, "tags": {"host": "a"}}]).encode()
    assert api.post("/api/put", packer(document), Content_Encoding=coding).status == 204
    assert api.query({"metric": "p"}).status == 200
    refused(api.post("/api/put", packer(document)[:-9], Content_Encoding=coding), 400, "cannot be unpacked")
    refused(api.post("/api/put", document, Content_Encoding=coding), 400, "cannot be unpacked")


@pytest.mark.parametrize("target", ["/api/put", "/api/query", "/login"])
def test_a_bomb(api: Api, target: str) -> None:
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join([*(bomb.compress(b"[" * (1 << 20)) for _ in range(40)), bomb.flush()])
    assert len(packed) < MOST_BODY
    began = time.perf_counter()
    refused(api.post(target, packed, Content_Encoding="gzip"), 413, "too large")
    assert time.perf_counter() - began < 1


def test_other_codings(api: Api) -> None:
    refused(api.post("/api/put", b"x", Content_Encoding="br"), 415, "encoding")


def test_long_bodies(api: Api) -> None:
    point = {"name": "p", "timestamp": T, "measure": 1, "tags": [{"host": "a" * MOST_BODY}]}
    for target in ("/api/put", "/api/query", "/api/suggest", "/login"):
        refused(api.post(target, point), 413, "too large")
    refused(api.post("/api/put", b"[" + b" " * MOST_POINTS_BODY + b"]"), 413, "too large")
    answer = api.send(b"POST /api/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000000\r\n\r\n")
    refused(answer, 413, "too large")


def test_a_chunked_body(api: Api) -> None:
    body = b'{"type":"metrics"}'
    head = b"POST /api/suggest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert api.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)).json == ["disk.used"]
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    refused(api.send(head + piece * 17 + b"0\r\n\r\n"), 413, "too large")


def test_other_pages_take_no_body(api: Api) -> None:
    assert api.ask("GET", "/metrics", b"x").status == 413


def test_a_request_that_never_ends(api: Api) -> None:
    visitor = api.port.connect()
    visitor.send(b"POST /api/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n[")
    api.port.advance(REQUEST_S)
    assert visitor.closed


def test_who_takes_long_is_waited_for(api: Api) -> None:
    visitor = api.port.connect()
    connection = visitor.transport.protocol
    connection.heard()
    api.port.advance(ANSWER_S - 1)
    assert not visitor.closed
    api.port.advance(1)
    assert visitor.closed


def test_who_goes_away_ends_the_query(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def endless(*_: Any) -> Iterator[None]:
        try:
            while True:
                steps.append("step")
                yield
        finally:
            steps.append("end")

    monkeypatch.setattr("januskv.timely_pages.run", endless)
    visitor = api.port.connect()
    visitor.send(b"GET /api/aggregators HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert steps
    assert steps[-1] == "step"
    visitor.transport.lose()
    api.port.settle()
    assert steps[-1] == "end"


def test_queries_take_turns(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def counted(name: str, *_: Any) -> Iterator[None]:
        for _ in range(3):
            order.append(name)
            yield
        return []

    monkeypatch.setattr("januskv.timely_pages.run", counted)
    one, other = Api(api.port), Api(api.port)
    one.visitor, other.visitor = api.port.connect(), api.port.connect()
    for client, path in ((one, "config"), (other, "cache")):
        client.visitor.transport.protocol.data_received(f"GET /api/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    api.port.settle()
    assert sorted(order) == ["cache"] * 3 + ["config"] * 3
    assert order not in (sorted(order), sorted(order, reverse=True))


# ---------------------------------------------------------------- packing


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, None),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("deflate", "deflate"),
        ("deflate;q=1, gzip;q=0.5", "deflate"),
        ("gzip;q=0", None),
        ("identity", None),
        ("br", None),
        ("*", "gzip"),
    ],
)
@pytest.mark.parametrize("points", [100, 20_000])
def test_packed_answers(api: Api, accept: str | None, expected: str | None, points: int) -> None:
    lines = [f"many {T + at} {at} host=a" for at in range(points)]
    api.put_lines(*lines)
    answer = api.ask(
        "POST",
        "/api/query",
        {"start": T, "end": T + HOUR, "msResolution": True, "queries": [{"metric": "many"}]},
        **({} if accept is None else {"Accept_Encoding": accept}),
    )
    assert answer.headers.get("content-encoding") == expected
    assert len(answer.json[0]["dps"]) == points
    assert "Accept-Encoding" in answer.headers["vary"]


def test_short_answers_are_not_packed(api: Api) -> None:
    assert "content-encoding" not in api.get("/api/aggregators", Accept_Encoding="gzip").headers


def test_a_connection_is_kept(api: Api) -> None:
    api.get("/version")
    first = api.visitor
    api.query({"metric": "nosuch"})
    api.query({"metric": "disk.used"})
    assert api.visitor is first


# ---------------------------------------------------------------- pages of other origins


PREFLIGHT = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}


@pytest.mark.parametrize(
    ("allowed", "origin", "shown"),
    [
        ("", "https://graf.example:3000", None),
        ("", "null", None),
        ("https://graf.example:3000", "https://graf.example:3000", "https://graf.example:3000"),
        ("https://graf.example:3000", "https://other.example", None),
        ("*", "https://graf.example:3000", "*"),
        ("*", "null", "*"),
        ("null", "null", "null"),
        ("* https://graf.example:3000", "https://graf.example:3000", "https://graf.example:3000"),
        ("* https://graf.example:3000", "https://other.example", "*"),
    ],
)
def test_origins(open_api: Open, allowed: str, origin: str, shown: str | None) -> None:
    api = open_api(http_allowed_origins=allowed)
    answer = api.ask("OPTIONS", "/api/query", Origin=origin, **PREFLIGHT)
    assert answer.status == 200
    assert answer.body == b""
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"]
    assert answer.headers.get("access-control-allow-origin") == shown
    credentials = "true" if shown not in (None, "*") else None
    assert answer.headers.get("access-control-allow-credentials") == credentials
    for other in (
        api.get("/api/aggregators", Origin=origin),
        api.get("/api/nosuch", Origin=origin),
        api.post("/api/query", {"queries": []}, Origin=origin),
    ):
        assert other.headers.get("access-control-allow-origin") == shown
        assert other.headers.get("access-control-allow-credentials") == credentials
        assert "Origin" in other.headers.get("vary", "")


def test_pages_of_other_origins_put_nothing(api: Api) -> None:
    document = {"metric": "p", "timestamp": T, "value": 4.5, "tags": [{"key": "host", "value": "a"}]}
    for origin in ("https://evil.example", "null"):
        refused(api.post("/api/put", document, Origin=origin), 403, "Forbidden")
    assert api.query({"metric": "p"}).status == 400
    assert api.post("/api/put", document, Origin="http://localhost:8379").status == 200


def test_rebound_names_get_nothing(api: Api) -> None:
    for method, more in (("GET", {}), ("OPTIONS", PREFLIGHT)):
        answer = api.ask(method, "/api/metrics", **{"Host": "evil.example:8379", **more})
        assert answer.status == 403
        assert "disk.used" not in answer.text


def test_pages_of_any_origin_bring_no_cookie(open_api: Open) -> None:
    config = {"requirepass": "test1", "timely_authorizations": "test A"}
    api = open_api(http_allowed_origins="* https://graf.example", **config)
    cookie = api.post("/login", {"username": "test", "password": "test1"}).headers["set-cookie"].partition(";")[0]
    assert api.get("/api/aggregators", Cookie=cookie).status == 200
    assert api.get("/api/aggregators", Cookie=cookie, Origin="https://graf.example").status == 200
    assert api.get("/api/aggregators", Cookie=cookie, Origin="http://localhost:8379").status == 200
    assert api.get("/api/aggregators", Cookie=cookie, Origin="https://evil.example").status == 401


# ---------------------------------------------------------------- log-in


@pytest.fixture
def closed(open_api: Open) -> Api:
    """An API that answers nobody without a log-in."""
    api = open_api(requirepass="test1", timely_authorizations="test A,B,C", timely_anonymous_put="yes")
    api.put_lines(
        f"m {T} 1 host=a",
        f"m {T} 2 host=b viz=A",
        f"m {T} 4 host=c viz=D",
        f"m {T} 8 host=d viz=A&(B|D)",
    )
    return api


def login(api: Api, user: str = "test", password: str = "test1") -> Any:
    return api.post("/login", {"username": user, "password": password})


def test_the_cookie(closed: Api) -> None:
    answer = login(closed)
    assert (answer.status, answer.body) == (200, b"")
    parts = answer.headers["set-cookie"].split("; ")
    assert re.fullmatch(r"TSESSIONID=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", parts[0])
    assert {"Max-Age=86400", "Path=/", "HttpOnly", "SameSite=Lax"} <= set(parts)
    assert any(part.startswith("expires=") for part in parts)
    assert "Secure" not in parts  # a browser would drop it, as there is no TLS
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(("user", "password"), [("test", "nope"), ("nobody", "test1"), ("", "")])
def test_wrong_credentials(closed: Api, user: str, password: str) -> None:
    answer = login(closed, user, password)
    assert (answer.status, answer.body) == (401, b"")
    assert "set-cookie" not in answer.headers


def test_log_in_without_a_certificate(closed: Api) -> None:
    answer = closed.get("/login")
    assert (answer.status, answer.body) == (401, b"")


@pytest.mark.parametrize("path", ["suggest", "search/lookup", "query", "aggregators", "metrics", "cache", "version"])
def test_what_needs_a_log_in(closed: Api, path: str) -> None:
    target = f"/api/{path}?type=metrics&m=none:m&start=1"
    refused(closed.get(target), 401, "^User must authenticate$")
    answer = closed.get(target, Cookie="TSESSIONID=nosuch")
    refused(answer, 401, "^User must authenticate$")
    assert answer.json["detailMessage"] == "Unknown session id was submitted, log in again"
    refused(closed.get(target, Authorization="Bearer nope"), 401, "^User must authenticate$")
    cookie = login(closed).headers["set-cookie"].partition(";")[0]
    assert closed.get(target, Cookie=f"a=b; {cookie}; c=d").status == 200
    assert closed.get(target, Authorization="Bearer test1").status == 200


def test_what_needs_no_log_in(closed: Api) -> None:
    document = {"metric": "p", "timestamp": T, "value": 4.5, "tags": [{"key": "host", "value": "a"}]}
    assert closed.get("/version").status == 200
    assert closed.post("/api/put", document).status == 200
    assert closed.get("/secure-me").status == 404


def test_points_that_need_a_log_in(open_api: Open) -> None:
    api = open_api(requirepass="test1")
    document = {"metric": "p", "timestamp": T, "value": 4.5, "tags": [{"key": "host", "value": "a"}]}
    refused(api.post("/api/put", document), 401, "^User must authenticate$")
    assert api.post("/api/put", document, Authorization="Bearer test1").status == 200


def seen(api: Api, **headers: str) -> set[str]:
    """The hosts whose points are seen."""
    document = {"start": T, "end": T + 1, "queries": [{"metric": "m", "tags": {"host": ".*"}}]}
    return {each["tags"]["host"] for each in api.post("/api/query", document, **headers).json}


def test_who_sees_what(closed: Api) -> None:
    cookie = login(closed).headers["set-cookie"].partition(";")[0]
    assert seen(closed, Cookie=cookie) == {"a", "b", "d"}
    assert seen(closed, Authorization="Bearer test1") == {"a"}
    assert "viz" not in closed.get("/api/metrics", Cookie=cookie).text


def test_nobody_sees_labelled_points(open_api: Open) -> None:
    api = open_api()
    api.put_lines(f"m {T} 1 host=a", f"m {T} 2 host=b viz=A")
    assert seen(api) == {"a"}
    assert seen(api, Cookie="TSESSIONID=nosuch") == {"a"}
    found = api.get("/api/search/lookup?m=m%7Bhost%3D.*%7D").json
    assert [each["tags"]["host"] for each in found["results"]] == ["a", "b"]
    assert api.get("/api/search/lookup?m=m%7Bviz%3D.*%7D").json["totalResults"] == 0


def test_passwords_are_not_logged(closed: Api, caplog: pytest.LogCaptureFixture) -> None:
    login(closed, "test", "a wrong pass phrase")
    assert "log-in to the Timely API refused" in caplog.text
    assert "pass phrase" not in caplog.text


# ---------------------------------------------------------------- Grafana


def test_the_datasource_for_opentsdb(api: Api) -> None:
    assert api.get("/api/suggest?type=metrics&q=cpu&max=1000").json == []
    assert api.get("/api/suggest?type=metrics&q=disk&max=1000").json == ["disk.used"]
    assert api.get("/api/suggest?type=tagk&q=&max=1000").json == ["host", "rack"]
    assert api.get("/api/suggest?type=tagv&q=d&max=1000").json == ["db1", "db7"]
    assert "sum" in api.get("/api/aggregators").json
    assert "wildcard" in api.get("/api/config/filters").json
    keys = api.get("/api/search/lookup?m=disk.used&limit=1000").json["results"]
    assert {key for each in keys for key in each["tags"]} == {"host", "rack"}
    values = api.get("/api/search/lookup?m=disk.used%7Bhost=*%7D&limit=1000").json["results"]
    assert [each["tags"]["host"] for each in values] == ["db1", "db7", "web"]
    panel = {"metric": "disk.used", "aggregator": "sum", "downsample": "1m-avg", "tags": {"host": "db1|db7"}}
    found = api.post(
        "/api/query",
        {"start": T, "end": T + HOUR - 1, "msResolution": True, "globalAnnotations": True, "queries": [panel]},
    ).json
    assert [each["dps"] for each in found] == [{str(T): 115.0, str(T + 60_000): 50.0}]


def test_the_datasource_for_opentsdb_from_2_2_on(api: Api) -> None:
    panel = {
        "metric": "disk.used",
        "aggregator": "sum",
        "downsample": "1m-avg",
        "explicitTags": True,
        "rate": False,
        "rateOptions": {"counter": False, "counterMax": None, "resetValue": None, "dropResets": True},
        "filters": [{"filter": "db*", "groupBy": True, "id": 0, "tagk": "host", "type": "wildcard"}],
    }
    rack = {"filter": "r1|r2", "groupBy": False, "tagk": "rack", "type": "literal_or"}
    other = {**panel, "filters": [*panel["filters"], rack]}
    found = api.query(panel, other, showQuery=True).json  # there are other tags than in the first one
    assert [(each["tags"], each["query"]["index"]) for each in found] == [({"host": "db1"}, 1), ({"host": "db7"}, 1)]
    assert found[0]["query"]["filters"] == other["filters"]


def test_the_datasource_for_opentsdb_2_4_wants_arrays(api: Api) -> None:
    found = api.post(
        "/api/query?arrays=true",
        {"start": T, "end": T + HOUR, "queries": [{"metric": "disk.used", "tags": {"host": "web"}}]},
    ).json
    assert [each["dps"] for each in found] == [[[T // 1000, 1.0]]]


def test_annotations_of_the_datasource_for_opentsdb(api: Api) -> None:
    found = api.post(
        "/api/query",
        {"start": T, "globalAnnotations": True, "queries": [{"aggregator": "sum", "metric": "disk.used"}]},
    )
    assert found.status == 200
    assert "annotations" not in found.text


def test_an_open_end_and_relative_times(api: Api) -> None:
    clock = api.port.house.clock
    clock.advance(T + 60_000 - clock.now_ms)
    for start in ("1h-ago", "2m-ago", T // 1000 - 5):
        found = api.post("/api/query", {"start": start, "queries": [{"metric": "disk.used"}]})
        assert len(found.json) == 1
    assert api.post("/api/query", {"start": "30s-ago", "queries": [{"metric": "disk.used"}]}).json[0]["dps"] == {
        str(T // 1000 + 60): 50.0
    }


def test_the_datasource_of_timely(api: Api) -> None:
    assert api.get("/api/suggest?type=metrics&max=-1").json == ["disk.used"]
    assert api.post("/api/suggest", {"type": "metrics", "m": "disk", "max": "1000"}).json == ["disk.used"]
    assert api.post("/api/suggest", {"type": "tagk", "m": "disk.used", "t": "", "max": "1000"}).json == ["host", "rack"]
    assert api.post("/api/suggest", {"type": "tagv", "m": "disk.used", "t": "host", "max": "1000"}).json == [
        "db1",
        "db7",
        "web",
    ]
    query = {
        "metric": "disk.used",
        "aggregator": "none",
        "rate": False,
        "downsample": "60000ms-avg",
        "tags": {"host": ".*"},
        "filters": None,
        "tsuids": None,
        "rateOptions": {"counter": False, "interval": "", "counterMax": 0, "resetValue": 0},
    }
    assert len(api.query(query, globalAnnotations=True).json) == 3


def test_the_old_plugin_of_timely(api: Api) -> None:
    assert api.get("/version").status == 200
    document = {
        "start": T,
        "end": T + HOUR,
        "showQuery": True,
        "queries": [{"metric": "disk.used", "tags": {"host": "web"}}],
    }
    kind = "application/x-www-form-urlencoded"
    assert len(api.post("/api/query?metric=disk.used", document, Content_Type=kind).json) == 1
    assert api.get("/api/search/lookup?m=disk.used%7Bhost%3D.*%7D").json["totalResults"] == 3
