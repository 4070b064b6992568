"""Distinct values: paths that there are and are not, values of all kinds, and a plain collection."""

from __future__ import annotations

import json
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.filters import naive
from tests.storage.filters.test_against_naive import spelled
from tests.storage.filters.test_order import ranks

from januskv.storage.filters import BadFilter, DistinctValues
from januskv.storage.instants import instant_text, parse_instant


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("hour", [3, 7], id="scalars"),
        pytest.param("site.unit", ["u1", "u2"], id="a nested member"),
        pytest.param("site[ 'unit' ]", ["u1", "u2"], id="in brackets"),
        pytest.param("['site'].unit", ["u1", "u2"], id="the first in brackets"),
        pytest.param("['odd-key']", [1], id="an odd name"),
        pytest.param("['in'][\"x\\u0079\"]", [5], id="an escape in a name"),
        pytest.param("site.labels[*]", ["cold", "wet"], id="elements"),
        pytest.param("site.labels", [[]], id="arrays"),
        pytest.param("site", [{}], id="objects"),
        pytest.param("legs.to", [], id="no elements without a projection"),
        pytest.param("legs[*].to", ["A", "B"], id="members of elements"),
        pytest.param("legs[*]", [7, {}], id="elements of several kinds"),
        pytest.param("legs[*].via[*]", ["x"], id="elements of elements"),
        pytest.param("legs[*][*]", [], id="elements of what has none"),
        pytest.param("site[*]", [], id="elements of an object"),
        pytest.param("hour.x", [], id="members of a number"),
        pytest.param("mixed[*]", [None, False, True, 0, 1, 1.5, "1", "a", [], {}], id="each value once, in order"),
        pytest.param("missing", [], id="nothing"),
        pytest.param("_time", ["2023-01-01T00:00:00Z", "2023-01-01T00:00:00.500Z"], id="the time"),
        pytest.param("_time.x", [], id="nothing in the time"),
        pytest.param("_time[*]", [], id="no elements of the time"),
    ],
)
def test_values(path: str, found: list[Any]) -> None:
    distinct = DistinctValues([path, path])
    distinct.add(
        {"hour": 7, "site": {"unit": "u2", "labels": ["wet", "cold"]}, "odd-key": 1},
        parse_instant("2023-01-01T00:00:00.5Z"),
    )
    distinct.add(
        {"hour": 3, "site": {"unit": "u1", "labels": ["cold"]}, "in": {"xy": 5}}, parse_instant("2023-01-01T00:00:00Z")
    )
    distinct.add(
        {"hour": 7.0, "legs": [{"to": "B"}, {"to": "A"}, {"x": 1}, 7, {"to": "B", "via": ["x"]}]},
        parse_instant("2023-01-01T00:00:00Z"),
    )
    distinct.add(
        {"mixed": [True, 1, 1.0, None, "a", [], {}, False, 0, [1], {"a": 1}, 1.5, "1", "a", -0.0]},
        parse_instant("2023-01-01T00:00:00Z"),
    )
    assert spelled(distinct.result()) == spelled({path: found})


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(None, id="nothing"),
        pytest.param("a", id="one path"),
        pytest.param({"a": 1}, id="an object"),
        pytest.param([1], id="a number"),
        pytest.param([["a"]], id="a list of names"),
        *(
            pytest.param([path], id=path or "an empty path")
            for path in (
                *(
                    "",
                    " ",
                    ".",
                    ".a",
                    "a.",
                    "a..b",
                    "a b",
                    "tags[0]",
                    "tags[-1]",
                    "a[]",
                    "a[? b]",
                    "a[b]",
                    "[*]",
                    "[*].a",
                ),
                *(
                    "length(tags)",
                    "a == 1",
                    "!a",
                    "(a)",
                    "'a'",
                    "['a'",
                    "a[*",
                    "['a']b",
                    "a.*",
                    "a.in",
                    "null",
                    "$args.a",
                    "a.[*]",
                ),
                *("a[? ", "é", "a['\ud800']", "a" * 20_000),
            )
        ),
    ],
)
def test_no_paths(paths: Any) -> None:
    with pytest.raises(BadFilter) as raised:
        DistinctValues(["fine", *paths] if isinstance(paths, list) else paths)
    assert raised.value.message


def test_version_1() -> None:
    distinct = DistinctValues([["site", "unit"], ["in"], ["a.b"]], version=1)
    distinct.add({"site": {"unit": "u1"}, "in": [1], "a.b": 5, "a": {"b": 6}}, 0)
    assert distinct.result() == {'["site","unit"]': ["u1"], '["in"]': [[]], '["a.b"]': [5]}
    for paths in (None, ["site"], [[]], [[1]], [["a", None]]):
        with pytest.raises(BadFilter):
            DistinctValues(paths, version=1)


def test_what_is_looked_at() -> None:
    distinct = DistinctValues(["a.b", "['x y'][*]", "a"])
    assert (distinct.roots, distinct.uses_time) == ({"a", "x y"}, False)
    distinct = DistinctValues(["_time", "a._time"])
    assert (distinct.roots, distinct.uses_time) == ({"a"}, True)
    assert DistinctValues([]).result() == {}


@pytest.mark.parametrize("kind", [int, str])
def test_many_values_come_in_steps(kind: type) -> None:
    distinct = DistinctValues(["n", "_time"])
    for n in range(20_000):
        distinct.add({"n": kind(n * 7919 % 20_000)}, n * 7919 % 20_000 * 10**9)
    steps = distinct.result_in_steps()
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result = end.value
            break
        count += 1
    assert count > 20
    assert result == {"n": sorted(map(kind, range(20_000))), "_time": [instant_text(n * 10**9) for n in range(20_000)]}


@settings(max_examples=500, deadline=None)
@given(
    st.lists(naive.documents, max_size=6),
    st.lists(
        st.lists(st.one_of(st.sampled_from(naive.NAMES), st.none()), min_size=1, max_size=4).filter(
            lambda steps: steps[0] is not None
        ),
        max_size=3,
    ),
)
def test_a_plain_collection(documents: list[dict[str, Any]], paths: list[list[str | None]]) -> None:
    texts = ["".join("[*]" if name is None else f"[{json.dumps(name)}]" for name in steps) for steps in paths]
    distinct = DistinctValues(texts)
    for document in documents:
        distinct.add(document, 0)
    wanted: dict[str, list[Any]] = {}
    for text, steps in zip(texts, paths, strict=True):
        found: list[Any] = []
        for document in documents:
            for value in reached(document, steps):
                shown = type(value)() if isinstance(value, (list, dict)) else value
                if not any(naive.same(shown, each) for each in found):
                    found.append(shown)
        wanted[text] = sorted(found, key=cmp_to_key(ranks))
    assert spelled(distinct.result()) == spelled(wanted)


def reached(value: Any, steps: list[str | None]) -> list[Any]:
    if not steps:
        return [value]
    if steps[0] is None:
        return [each for element in value for each in reached(element, steps[1:])] if isinstance(value, list) else []
    return reached(value[steps[0]], steps[1:]) if isinstance(value, dict) and steps[0] in value else []
