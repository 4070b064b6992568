"""Documents and parameters of requests as values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from januskv.compat.timely.errors import ApiError, BadRequest
from januskv.compat.timely.requests import (
    MOST_QUERIES,
    Dialect,
    QueryRequest,
    document_of,
    document_of_parameters,
    read_lookup,
    read_query,
    read_suggest,
)
from januskv.storage.metric_queries import Downsample, MetricQuery, Rate

NOW = 1_893_456_000_000
STRICT = Dialect(strict=True)
OPENTSDB = Dialect(opentsdb=True)


def asked(document: dict[str, Any], dialect: Dialect | None = None) -> QueryRequest:
    return read_query(document, NOW, dialect or Dialect())


def query(dialect: Dialect | None = None, **members: Any) -> MetricQuery:
    """The one query of a request that is right but for these members."""
    return asked({"start": 1, "queries": [{"metric": "m", **members}]}, dialect).queries[0].query


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":', b"nonsense", b"\xff", b"{}{}", b"[" * 100_000, b'{"a":1e999}'])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(BadRequest, match="Invalid JSON"):
        document_of(body)
    with pytest.raises(BadRequest, match="Invalid JSON"):
        document_of(body, constants=True)


def test_points_may_be_no_numbers() -> None:
    found = document_of(b'{"value":NaN,"other":-Infinity}', constants=True)
    assert math.isnan(found["value"])
    assert found["other"] == -math.inf
    with pytest.raises(BadRequest):
        document_of(b'{"value":NaN}')


# ---------------------------------------------------------------- suggest and lookup


def test_suggest() -> None:
    found = read_suggest({"type": "tagv", "m": "disk.used", "t": "host", "max": "1000", "sessionId": "x"})
    assert (found.kind, found.metric, found.key, found.most, found.prefix) == ("tagv", "disk.used", "host", 1000, None)
    assert read_suggest({"type": "metrics"}).most == 25


@pytest.mark.parametrize(("most", "expected"), [(0, 1), ("0", 1), (-1, -1), (7, 7), ("", 25), (None, 25), (3.9, 3)])
def test_how_many_are_suggested(most: Any, expected: int) -> None:
    assert read_suggest({"type": "metrics", "max": most}).most == expected


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"type": None},
        {"type": "tags"},
        {"type": ["metrics"]},
        {"type": "metrics", "max": "many"},
        {"type": "metrics", "max": 1 << 64},
        {"type": "metrics", "max": True},
        {"type": "metrics", "q": {}},
        {"type": "metrics", "nosuch": 1},
        [],
        None,
        "metrics",
    ],
)
def test_bad_suggest(document: Any) -> None:
    with pytest.raises(BadRequest):
        read_suggest(document)


@pytest.mark.parametrize(
    "tags", [[{"host": "db.*"}], ["host=db.*"], [{"key": "host", "value": "db.*"}], {"host": "db.*"}], ids=str
)
def test_forms_of_lookups(tags: Any) -> None:
    found = read_lookup({"metric": "m", "tags": tags})
    assert found.echo == {"host": "db.*"}
    assert found.takes(b"host", b"db1")
    assert not found.takes(b"host", b"web")
    assert not found.takes(b"rack", b"db1")
    assert found.limit == 25


def test_a_lookup_of_any_key() -> None:
    assert read_lookup({"metric": "m", "tags": [{"key": "*", "value": "a"}]}).takes(b"any", b"a")


def test_a_lookup_without_tags() -> None:
    assert not read_lookup({"metric": "m"}).takes(b"host", b"a")
    assert read_lookup(document_of_parameters("lookup", [("m", "m")])).takes(b"host", b"a")
    assert not read_lookup(document_of_parameters("lookup", [("m", "m")], strict=True)).takes(b"host", b"a")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"metric": ""},
        {"metric": ["m"]},
        {"metric": "m", "tags": "host"},
        {"metric": "m", "tags": ["host"]},
        {"metric": "m", "tags": [{}]},
        {"metric": "m", "tags": [{"a": "b", "c": "d"}]},
        {"metric": "m", "tags": [{"host": 7}]},
        {"metric": "m", "tags": [None]},
        {"metric": "m", "limit": []},
        {"metric": "m", "nosuch": 1},
    ],
)
def test_bad_lookups(document: Any) -> None:
    with pytest.raises(BadRequest):
        read_lookup(document)


def test_a_bad_expression_in_a_lookup() -> None:
    with pytest.raises(ApiError, match="Invalid regular expression"):
        read_lookup({"metric": "m", "tags": [{"host": "("}]})


# ---------------------------------------------------------------- query


def test_what_a_query_is_without_anything() -> None:
    found = asked({"queries": [{"metric": "m"}]})
    assert found.queries[0].query == MetricQuery(metric=b"m", start_ms=0, end_ms=NOW)
    assert (found.in_ms, found.as_arrays, found.with_query) == (False, False, False)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "No query specified."),
        ({"queries": []}, "No query specified."),
        ({"queries": None}, "No query specified."),
        ({"queries": {}}, "not an array"),
        ({"queries": ["m"]}, "not a JSON object"),
        ({"queries": [{}]}, "Metric is not set"),
        ({"queries": [{"metric": None}]}, "Metric is not set"),
        ({"queries": [{"tsuids": ["01"]}]}, "tsuids"),
        ({"queries": [{"metric": "m"}], "nosuch": 1}, 'Unrecognized field "nosuch"'),
        ({"queries": [{"metric": "m", "nosuch": 1}]}, 'Unrecognized field "nosuch"'),
        ({"queries": [{"metric": "m", "rate": True, "rateOptions": {"nosuch": 1}}]}, 'Unrecognized field "nosuch"'),
        ({"queries": [{"metric": "m", "rate": "maybe"}]}, "not true or false"),
        ({"queries": [{"metric": "m", "rate": True, "rateOptions": []}]}, "not a JSON object"),
        ({"queries": [{"metric": "m", "rate": True, "rateOptions": {"counterMax": "x"}}]}, "not a number"),
        ({"queries": [{"metric": "m", "rate": True, "rateOptions": {"interval": "1x"}}]}, "Invalid interval"),
        ({"queries": [{"metric": "m", "tags": ["host"]}]}, "not an object"),
        ({"queries": [{"metric": "m", "tags": {"host": None}}]}, "texts"),
        ({"queries": [{"metric": "m", "tags": {"host": {}}}]}, "not a text"),
        ({"queries": [{"metric": "m", "downsample": "avg"}]}, "Not a downsampling"),
        ({"queries": [{"metric": "m", "downsample": "0s-avg"}]}, "Invalid interval"),
        ({"queries": [{"metric": "m", "downsample": "2w-sum"}]}, "Invalid interval"),
        ({"queries": [{"metric": "m", "downsample": "1m-p99"}]}, "Unknown downsample function"),
        ({"queries": [{"metric": "m", "downsample": "1m-"}]}, "Unknown downsample function"),
        ({"queries": [{"metric": "m", "downsample": 60}]}, "Not a downsampling"),
        ({"queries": [{"metric": "m", "filters": {}}]}, "not an array"),
        ({"queries": [{"metric": "m", "filters": [{}]}]}, "incomplete"),
        ({"queries": [{"metric": "m", "filters": [{"type": "x", "tagk": "a", "filter": "b"}]}]}, "Unknown filter"),
        ({"start": -1, "queries": [{"metric": "m"}]}, "out of range"),
        ({"end": 1 << 63, "queries": [{"metric": "m"}]}, "out of range"),
        ({"timezone": "Mars", "queries": [{"metric": "m"}]}, "time zone"),
        ({"queries": [{"metric": "m"}] * (MOST_QUERIES + 1)}, "Too many queries"),
    ],
)
def test_bad_queries(document: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        asked(document)


def test_what_opentsdb_and_grafana_send_is_passed_over() -> None:
    document = {
        "noAnnotations": False,
        "showSummary": True,
        "showStats": True,
        "showTSUIDs": True,
        "delete": False,
        "timezone": "Europe/Berlin",
        "useCalendar": False,
        "globalAnnotations": True,
        "showQuery": True,
        "queries": [{"metric": "m", "explicitTags": True, "rate": "true", "rateOptions": {"dropResets": True}}],
    }
    found = asked(document)
    assert found.queries[0].query.explicit_tags
    assert found.with_query
    with pytest.raises(BadRequest, match="Unrecognized"):
        asked(document, STRICT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        ("1m-avg", Downsample(60_000, "avg")),
        ("10-sum", Downsample(10_000, "sum")),
        ("60000ms-max", Downsample(60_000, "max")),
        ("1m-avg-zero", Downsample(60_000, "avg")),
        ("1m-avg-anything-at-all", Downsample(60_000, "avg")),
        ("1m-none", None),
        ("nonsense-none", None),
        ("1m-avg-none", None),
    ],
)
def test_downsampling(text: str | None, expected: Downsample | None) -> None:
    assert query(downsample=text).downsample == expected
    assert query(STRICT, downsample=text).downsample == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1m-p99", Downsample(60_000, "p99")),
        ("2w-avg-zero", Downsample(14 * 86_400_000, "avg", "zero")),
        ("1m-avg-nan", Downsample(60_000, "avg", "nan")),
        ("1m-avg-null", Downsample(60_000, "avg", "null")),
        ("1m-none", None),
    ],
)
def test_downsampling_of_opentsdb(text: str, expected: Downsample | None) -> None:
    assert query(OPENTSDB, downsample=text).downsample == expected


def test_an_unknown_fill_policy() -> None:
    with pytest.raises(BadRequest, match="fill policy"):
        query(OPENTSDB, downsample="1m-avg-linear")


@pytest.mark.parametrize(
    ("name", "lenient", "strict"),
    [
        ("sum", "sum", "sum"),
        (None, "none", "none"),
        ("none", "none", "none"),
        ("nosuch", "none", "none"),
        ("p99", "p99", "none"),
        ("zimsum", "zimsum", "none"),
    ],
)
def test_aggregators(name: str | None, lenient: str, strict: str) -> None:
    assert query(aggregator=name).aggregator == lenient
    assert query(STRICT, aggregator=name).aggregator == strict


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, None),
        ({"rate": False, "rateOptions": {"counter": True}}, None),
        ({"rate": True}, Rate(1)),
        ({"rate": "true"}, Rate(1)),
        ({"rate": 1}, Rate(1)),
        ({"rate": True, "downsample": "1m-avg"}, Rate(60_000)),
        ({"rate": True, "downsample": "1m-none"}, Rate(1)),
        ({"rate": True, "downsample": "1m-avg", "rateOptions": {"interval": ""}}, Rate(60_000)),
        ({"rate": True, "downsample": "1m-avg", "rateOptions": {"interval": "1s"}}, Rate(1000)),
        (
            {
                "rate": True,
                "rateOptions": {"counter": "true", "counterMax": "100", "resetValue": 5, "dropResets": True},
            },
            Rate(1, True, 100.0, 5.0, True),
        ),
    ],
)
def test_rates(members: dict[str, Any], expected: Rate | None) -> None:
    assert query(**members).rate == expected


@pytest.mark.parametrize("tags", [None, [], {}])
def test_no_tags(tags: Any) -> None:
    assert query(tags=tags, filters=None, tsuids=None).filters == ()


def test_tags_are_groups_that_the_answer_repeats() -> None:
    found = asked({"queries": [{"metric": "m", "tags": {"host": "web.*", "rack": "r1"}}]}).queries[0]
    assert [each.key for each in found.query.filters] == [b"host", b"rack"]
    assert all(each.grouped for each in found.query.filters)
    assert found.echo == {"host": "web.*", "rack": "r1"}
    assert not found.query.by_group


def test_filters_of_opentsdb_group_as_they_say() -> None:
    filters = [
        {"type": "wildcard", "tagk": "host", "filter": "web*", "groupBy": True},
        {"type": "literal_or", "tagk": "rack", "filter": "r1|r2", "groupBy": False},
        {"type": "literal_or", "tagk": "dc", "filter": "literal_or(a)"},
    ]
    found = asked({"queries": [{"metric": "m", "aggregator": "sum", "filters": filters}]}).queries[0]
    assert [(each.key, each.grouped) for each in found.query.filters] == [
        (b"host", True),
        (b"rack", False),
        (b"dc", False),
    ]
    assert found.query.filters[2].values == (b"a",)
    assert found.echo == {"host": "web*"}
    assert found.query.by_group
    assert query(STRICT, filters=filters).filters == ()


# ---------------------------------------------------------------- GET


def got(*subs: str, strict: bool = False, **parameters: str) -> dict[str, Any]:
    """The document of a GET request."""
    pairs = [("start", "5"), *parameters.items(), *(("m", sub) for sub in subs)]
    return document_of_parameters("query", pairs, strict=strict)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum:m", {"metric": "m", "aggregator": "sum"}),
        ("none:1m-sum:m", {"metric": "m", "aggregator": "none", "downsample": "1m-sum"}),
        ("sum:rate:m", {"metric": "m", "aggregator": "sum", "rate": True, "rateOptions": {}}),
        ("sum:m{host=a}", {"metric": "m", "aggregator": "sum", "tags": {"host": "a"}}),
        ("sum:m{host=a, rack = b|c}", {"metric": "m", "aggregator": "sum", "tags": {"host": "a", "rack": "b|c"}}),
        ("sum:m{host=a:b}", {"metric": "m", "aggregator": "sum", "tags": {"host": "a:b"}}),
        ("sum:m{host=regexp(a,b)}", {"metric": "m", "aggregator": "sum", "tags": {"host": "regexp(a,b)"}}),
        (
            "sum:explicit_tags:m{host=a}",
            {"metric": "m", "aggregator": "sum", "explicitTags": True, "tags": {"host": "a"}},
        ),
        (
            "none:m{rack=.*}{host=a}",
            {
                "metric": "m",
                "aggregator": "none",
                "filters": [{"type": "pattern", "tagk": "rack", "filter": ".*", "groupBy": False}],
                "tags": {"host": "a"},
            },
        ),
    ],
)
def test_get_queries(text: str, expected: dict[str, Any]) -> None:
    document = got(text)
    assert document["queries"] == [expected]
    asked(document)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rate{}", {"counter": False}),
        ("rate{counter}", {"counter": True}),
        ("rate{false}", {"counter": False}),
        ("rate{counter,1s}", {"counter": True, "interval": "1s"}),
        ("rate{counter,1s,100,0}", {"counter": True, "interval": "1s", "counterMax": "100", "resetValue": "0"}),
        ("rate{counter,,100}", {"counter": True, "interval": "", "counterMax": "100"}),
        ("rate{counter,100,5}", {"counter": True, "counterMax": "100", "resetValue": "5"}),
        ("rate{counter,100}", {"counter": True, "counterMax": "100"}),
        ("rate{dropcounter}", {"counter": True, "dropResets": True}),
    ],
)
def test_rates_of_get_queries(text: str, expected: dict[str, Any]) -> None:
    assert got(f"sum:{text}:m")["queries"][0]["rateOptions"] == expected
    assert query(rate=True, rateOptions=expected).rate is not None


def test_the_third_member_of_a_strict_rate() -> None:
    assert got("sum:rate{counter,100,5}:m", strict=True)["queries"][0]["rateOptions"] == {
        "counter": True,
        "interval": "100",
        "counterMax": "5",
    }


def test_strict_get_queries_pass_over_the_first_braces() -> None:
    assert "tags" not in got("sum:m{host=a}", strict=True)["queries"][0]
    document = got("sum:m{rack=b}{host=a}", strict=True)["queries"][0]
    assert document == {"metric": "m", "aggregator": "sum", "tags": {"host": "a"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m", "Too few parameters"),
        ("", "Too few parameters"),
        ("a:b:c:d:e:f", "Too many parameters"),
        ("sum:m{host=a", "Tag section does not end"),
        ("sum:m{}", "Not a tag"),
        ("sum:m{}{host=a}", "Not a tag"),
        ("sum:m{host}", "Not a tag"),
        ("sum:m{=a}", "Not a tag"),
        ("sum:m{a=b}{c=d}{e=f}", "Not tags"),
        ("sum:m{a=b}x{c=d}", "Not tags"),
        ("sum:rate{counter:m", "Tag section|Not a rate|Too few"),
        ("sum:ratex:m", "Not a rate"),
        ("sum:rate{counter,1s,2,3,4}:m", "Not a rate"),
        ("sum:rate{counter,1s,,3}:m", "Not a rate"),
    ],
)
def test_bad_get_queries(text: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        got(text)


def test_get_parameters() -> None:
    document = document_of_parameters(
        "query",
        [("start", "1h-ago"), ("start", "7"), ("x", "y"), ("ms", ""), ("arrays", "true"), ("m", "a:b"), ("m", "a:c")],
    )
    found = asked(document)
    assert [each.query.metric for each in found.queries] == [b"b", b"c"]
    assert found.queries[0].query.start_ms == NOW - 3_600_000
    assert found.in_ms
    assert found.as_arrays


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("query", [("m", "a:b")], "start parameter is required"),
        ("query", [("start", ""), ("m", "a:b")], "start parameter is required"),
        ("query", [("start", "1"), ("tsuid", "sum:01")], "tsuids"),
        ("lookup", [("limit", "5")], "m parameter is required for lookup"),
        ("lookup", [("m", "a{b=c")], "Tag section"),
    ],
)
def test_bad_parameters(name: str, parameters: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        document_of_parameters(name, parameters)


def test_no_query_among_the_parameters() -> None:
    with pytest.raises(BadRequest, match="No query specified."):
        asked(got())
