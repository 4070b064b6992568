"""Patterns and filters of tags: which values they take."""

from __future__ import annotations

import time

import pytest

from januskv.compat.timely.errors import ApiError, BadRequest
from januskv.compat.timely.filters import FILTERS, by_pattern, by_type, expression, from_text
from januskv.storage.metric_queries import TagFilter

VALUES = [b"web01", b"web02", b"WEB01", b"db-1", b"db.1", b"dbx1", b"", b"a|b", "caf\u00e9".encode(), b"\xff"]


def taken(wanted: TagFilter) -> set[bytes]:
    """The values that a filter takes, of those above."""
    found = set()
    for value in VALUES:
        matches = value in wanted.values if wanted.matches is None else wanted.matches(value)
        if matches != wanted.negated:
            found.add(value)
    return found


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("web01", {b"web01"}, id="a word is literal"),
        pytest.param("web.*", {b"web01", b"web02"}, id="an expression"),
        pytest.param("eb0", set(), id="the whole value has to match"),
        pytest.param("web01|web02", {b"web01", b"web02"}, id="alternatives"),
        pytest.param("db-1", {b"db-1"}, id="a dash means itself"),
        pytest.param("db.1", {b"db-1", b"db.1", b"dbx1"}, id="a dot means any character"),
        pytest.param("*", set(VALUES), id="a bare asterisk"),
        pytest.param(".*", set(VALUES), id="anything"),
        pytest.param("(?i)web01", {b"web01", b"WEB01"}, id="a flag"),
        pytest.param("caf.", {"caf\u00e9".encode()}, id="a character of two bytes"),
        pytest.param("", {b""}, id="nothing"),
    ],
)
def test_patterns(pattern: str, expected: set[bytes]) -> None:
    assert taken(by_pattern("host", pattern)) == expected


def test_words_are_looked_up_in_the_index() -> None:
    assert by_pattern("host", "web_01").values == (b"web_01",)
    assert by_pattern("host", "web-01").matches is not None


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("literal_or", "web01|db.1", {b"web01", b"db.1"}),
        ("literal_or", "web01", {b"web01"}),
        ("iliteral_or", "Web01|nosuch", {b"web01", b"WEB01"}),
        ("not_literal_or", "web01|web02", set(VALUES) - {b"web01", b"web02"}),
        ("not_iliteral_or", "web01", set(VALUES) - {b"web01", b"WEB01"}),
        ("wildcard", "web*", {b"web01", b"web02"}),
        ("wildcard", "*1", {b"web01", b"WEB01", b"db-1", b"db.1", b"dbx1"}),
        ("wildcard", "d*.*1", {b"db.1"}),
        ("wildcard", "a|b", {b"a|b"}),
        ("iwildcard", "WEB*", {b"web01", b"web02", b"WEB01"}),
        ("regexp", "web0[12]", {b"web01", b"web02"}),
        ("regexp", "eb0", set()),
    ],
)
def test_filters_of_opentsdb(kind: str, text: str, expected: set[bytes]) -> None:
    assert taken(by_type("host", kind, text, grouped=False)) == expected
    assert taken(from_text("host", f"{kind}({text})", grouped=True)) == expected


def test_every_type_has_an_example_that_works() -> None:
    for kind, (_, example, about) in FILTERS.items():
        key, _, text = example.partition("=")
        assert from_text(key, text, grouped=True).key == b"host"
        assert text.startswith(f"{kind}(")
        assert about


def test_a_filter_of_no_type_is_a_pattern() -> None:
    assert from_text("host", "nosuch(web.*)", grouped=True).matches is not None
    with pytest.raises(BadRequest, match="Unknown filter type: nosuch"):
        by_type("host", "nosuch", "x", grouped=True)


@pytest.mark.parametrize("kind", ["literal_or", "iliteral_or", "not_literal_or"])
@pytest.mark.parametrize("text", ["", "|", "||"])
def test_filters_without_values(kind: str, text: str) -> None:
    with pytest.raises(BadRequest, match="without values"):
        by_type("host", kind, text, grouped=True)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("(", id="an open parenthesis"),
        pytest.param("a**", id="two asterisks"),
        pytest.param("[z-a]", id="a class backwards"),
        pytest.param("(?=x)", id="a look ahead"),
        pytest.param(r"(a)\1", id="a back reference"),
        pytest.param("x" * 1025, id="too long"),
        pytest.param("((a{1,1000}){1,1000}){1,1000}", id="too large"),
    ],
)
def test_bad_expressions(pattern: str) -> None:
    with pytest.raises(ApiError, match="[Ii]nvalid") as caught:
        expression(pattern)
    assert caught.value.status == 500


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "(a|aa)+$"])
def test_expressions_that_grow_elsewhere_are_linear(pattern: str) -> None:
    matches = expression(pattern)
    began = time.perf_counter()
    matches(b"a" * 50_000 + b"!")
    assert time.perf_counter() - began < 1
