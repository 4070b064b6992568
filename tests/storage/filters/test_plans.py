"""Plans: the rows of describe, which condition is chosen, and what an index would be asked."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.storage.filters import Bound, Terms, parse_filter

ARGS: dict[str, Any] = {"k": "z", "list": ["a", 1], "object": {"n": 5}, "deep": [[1]]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("sensor == 4", {"eq": 4, "path": ["sensor"]}, id="equality"),
        pytest.param("rig['pump 1'] == true", {"eq": True, "path": ["rig", "pump 1"]}, id="a nested member"),
        pytest.param("4 == sensor", {"eq": 4, "path": ["sensor"]}, id="the literal on the left"),
        pytest.param("color == null", {"eq": None, "path": ["color"]}, id="null"),
        pytest.param("state != 'done'", {"path": ["state"]}, id="inequality names only the path"),
        pytest.param("n >= 2 && n < 9", {"gte": 2, "lt": 9, "path": ["n"]}, id="a range"),
        pytest.param("n > 2", {"gt": 2, "path": ["n"]}, id="one end"),
        pytest.param("n <= 9", {"lte": 9, "path": ["n"]}, id="the other end"),
        pytest.param(
            "2 < n && 9 >= n", {"gt": 2, "lte": 9, "path": ["n"]}, id="literals on the left turn ranges round"
        ),
        pytest.param("n > 2 && n >= 5 && n < 9 && n < 7", {"gte": 5, "lt": 7, "path": ["n"]}, id="the closest ends"),
        pytest.param("n >= 2 && n > 2", {"gt": 2, "path": ["n"]}, id="the closer one of two at one place"),
        pytest.param("n > 1 && m > 2 && n < 3", {"gt": 1, "lt": 3, "path": ["n"]}, id="ends of one path"),
        pytest.param("kind in ['a', 'b']", {"in": ["a", "b"], "path": ["kind"]}, id="membership"),
        pytest.param("contains(['a', 'b'], kind)", {"in": ["a", "b"], "path": ["kind"]}, id="membership as a function"),
        pytest.param("kind in []", {"in": [], "path": ["kind"]}, id="membership in nothing"),
        pytest.param("kind in $args.list", {"in": ["a", 1], "path": ["kind"]}, id="a list in args"),
        pytest.param("starts_with(kind, 'bu')", {"prefix": "bu", "path": ["kind"]}, id="a prefix"),
        pytest.param("beginsWith(kind, 'bu')", {"prefix": "bu", "path": ["kind"]}, id="by its older name"),
        pytest.param("kind == $args.k", {"eq": "z", "path": ["kind"]}, id="args are resolved"),
        pytest.param("n == $args.object.n", {"eq": 5, "path": ["n"]}, id="and paths into them"),
        pytest.param("a > 1 && b == 2", {"eq": 2, "path": ["b"]}, id="equality before a range"),
        pytest.param("a != 1 && b > 2", {"gt": 2, "path": ["b"]}, id="a range before inequality"),
        pytest.param("a > 1 && starts_with(b, 'x')", {"prefix": "x", "path": ["b"]}, id="a prefix before a range"),
        pytest.param("starts_with(b, 'x') && c in [1]", {"in": [1], "path": ["c"]}, id="membership before a prefix"),
        pytest.param("c in [1] && d == 1 && e == 2", {"eq": 1, "path": ["d"]}, id="the leftmost equality"),
        pytest.param("(a == 1)", {"eq": 1, "path": ["a"]}, id="parentheses"),
        pytest.param("(n > 1 && x) && n < 4", {"gt": 1, "lt": 4, "path": ["n"]}, id="conditions in parentheses"),
        pytest.param("(a || b) && c == 1", {"eq": 1, "path": ["c"]}, id="beside what no index serves"),
        pytest.param("_time > '2023' && c == 1", {"eq": 1, "path": ["c"]}, id="beside the time"),
        pytest.param("(a).b == 1", {"eq": 1, "path": ["a", "b"]}, id="a path in two parts"),
        pytest.param("n > true", {"gt": True, "path": ["n"]}, id="a range that is empty"),
    ],
)
def test_index_scans(text: str, shown: dict[str, Any]) -> None:
    plan = parse_filter(text, ARGS).plan
    assert plan.to_json() == {"index_scan": shown}
    assert plan.path == tuple(shown["path"])


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "a",
        "a == 1 || b == 2",
        "!(a == 1)",
        "!a",
        "regex(kind, '^a')",
        "ends_with(kind, 'a')",
        "length(a) == 1",
        "a[0] == 1",
        "a[*] == 1",
        "a[] == 1",
        "a[? b == 1] == 1",
        "legs[? to == 'B'].h == [[3]]",
        "a == b",
        "a.b > c",
        "_time > '2023-01-01T00:00:00Z'",
        "_time == '2023-01-01T00:00:00Z'",
        "['_time'] == '2023-01-01T00:00:00Z'",
        "1 == 1",
        "'x'",
        "a == [1]",
        "a == $args.object",
        "a in [[1]]",
        "a in $args.deep",
        "a in [b]",
        "a in 'text'",
        "'x' in tags",
        "contains(tags, 'x')",
        "contains('abc', kind)",
        "starts_with(kind, 1)",
        "starts_with('abc', kind)",
        "starts_with(kind, prefix)",
    ],
)
def test_full_scans(text: str) -> None:
    plan = parse_filter(text, ARGS).plan
    assert plan.to_json() == {"full_scan": {}}
    assert plan.path is None
    assert plan.terms is None


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        pytest.param("a == 1", Terms("eq", (1,)), id="equality"),
        pytest.param("a in [1, null]", Terms("in", (1, None)), id="membership"),
        pytest.param("starts_with(a, 'x')", Terms("prefix", ("x",)), id="a prefix"),
        pytest.param("a != 'x'", Terms("ne", ("x",)), id="inequality"),
        pytest.param("a > 1 && a <= 2.5", Terms("range", (), Bound(1, False), Bound(2.5, True)), id="numbers"),
        pytest.param("a >= 'b'", Terms("range", (), Bound("b", True)), id="strings"),
        pytest.param("a < '2023-01-01T00:00:00Z'", Terms("range", (), Bound("", True)), id="times are any strings"),
        pytest.param("a > 'b' && a < '2023-01-01T00:00:00Z'", Terms("range", (), Bound("", True)), id="among others"),
        pytest.param("a > 1 && a < 'x'", Terms("in"), id="nothing is between a number and a string"),
        pytest.param("a > 1 && a > 'x'", Terms("in"), id="nor above both"),
        pytest.param("a > 1 && a < null", Terms("in"), id="nor below null"),
        pytest.param("a >= false", Terms("in"), id="nor above false"),
    ],
)
def test_terms(text: str, terms: Terms) -> None:
    assert parse_filter(text).plan.terms == terms
