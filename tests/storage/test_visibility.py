"""Visibility expressions: who is let in, and what is not an expression."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage import visibility
from januskv.storage.errors import BadVisibility
from januskv.storage.visibility import MOST_BYTES, MOST_DEPTH, parse


def allowed(text: bytes, labels: bytes = b"ABC") -> set[bytes]:
    """The sets of labels, as sorted text, that an expression of these allows."""
    every = [labels[at : at + 1] for at in range(len(labels))]
    return {
        b"".join(some)
        for count in range(len(every) + 1)
        for some in itertools.combinations(every, count)
        if parse(text).allows(frozenset(some))
    }


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        pytest.param(b"A", b"A AB AC ABC", id="a label"),
        pytest.param(b"A&B", b"AB ABC", id="both"),
        pytest.param(b"A|B", b"A B AB AC BC ABC", id="one of both"),
        pytest.param(b"A&B&C", b"ABC", id="all three"),
        pytest.param(b"A|B|C", b"A B C AB AC BC ABC", id="one of three"),
        pytest.param(b"A&(B|C)", b"AB AC ABC", id="parentheses"),
        pytest.param(b"(A&B)|C", b"C AB AC BC ABC", id="parentheses first"),
        pytest.param(b"((A))", b"A AB AC ABC", id="more parentheses than needed"),
        pytest.param(b'"A"&"B"', b"AB ABC", id="quoted"),
        pytest.param(b"A&A", b"A AB AC ABC", id="the same twice"),
    ],
)
def test_who_is_let_in(text: bytes, sets: bytes) -> None:
    assert allowed(text) == set(sets.split())


def test_the_empty_expression_allows_everybody() -> None:
    assert parse(b"").allows(frozenset())


@pytest.mark.parametrize(
    ("text", "label"),
    [
        pytest.param(b"a_B-9:x.y/z", b"a_B-9:x.y/z", id="all characters of a label"),
        pytest.param(rb'"a b"', b"a b", id="a blank"),
        pytest.param(rb'"a\"b\\c"', rb'a"b\c', id="quotes and backslashes"),
        pytest.param('"é|&()"'.encode(), "é|&()".encode(), id="other characters"),
    ],
)
def test_labels(text: bytes, label: bytes) -> None:
    assert parse(text).allows(frozenset({label}))
    assert not parse(text).allows(frozenset({label + b"x"}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"A&B|C", "cannot mix & and | without parentheses at position 3", id="mixed"),
        pytest.param(b"A|B&C", "cannot mix", id="mixed the other way"),
        pytest.param(b"A&", "label expected at position 2", id="nothing behind"),
        pytest.param(b"&A", "label expected at position 0", id="nothing before"),
        pytest.param(b"A&&B", "label expected", id="twice"),
        pytest.param(b"()", "label expected", id="nothing inside"),
        pytest.param(b"(A", "missing closing parenthesis at position 2", id="not closed"),
        pytest.param(b"A)", "unexpected character at position 1", id="not opened"),
        pytest.param(b"A B", "unexpected character", id="a blank"),
        pytest.param("é".encode(), "label expected", id="a letter that needs quotes"),
        pytest.param(b'""', "bad quoted label", id="nothing in quotes"),
        pytest.param(b'"a', "bad quoted label", id="quotes not closed"),
        pytest.param(rb'"a\x"', "bad quoted label", id="a backslash before something else"),
        pytest.param(b"\x00", "label expected", id="NUL"),
        pytest.param(b"A\n", "unexpected character", id="a line end"),
        pytest.param(b"A" * (MOST_BYTES + 1), "longer than", id="too long"),
        pytest.param(b"(" * 4000, "too many parentheses", id="too deep"),
    ],
)
def test_what_is_no_expression(text: bytes, message: str) -> None:
    with pytest.raises(BadVisibility, match=re.escape(message)):
        parse(text)


def test_limits_can_be_reached() -> None:
    assert parse(b"(" * MOST_DEPTH + b"A" + b")" * MOST_DEPTH).allows(frozenset({b"A"}))
    assert parse(b"A" * MOST_BYTES).allows(frozenset({b"A" * MOST_BYTES}))
    assert parse(b"A|" * (MOST_BYTES // 2 - 1) + b"B").allows(frozenset({b"B"}))


def test_parsed_texts_are_kept_but_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visibility, "_MOST_KEPT", 3)
    monkeypatch.setattr(visibility, "_kept", {})
    first = parse(b"a")
    assert parse(b"a") is first
    for label in (b"b", b"c", b"d"):
        parse(label)
    assert list(visibility._kept) == [b"b", b"c", b"d"]
    assert parse(b"a") is not first


EXPRESSIONS = st.recursive(
    st.sampled_from([b"A", b"B", b"C"]).map(lambda label: (label, lambda some: label in some)),
    lambda parts: st.tuples(st.sampled_from([b"&", b"|"]), st.lists(parts, min_size=2, max_size=3)).map(
        lambda made: (
            b"(" + made[0].join(text for text, _ in made[1]) + b")",
            lambda some: (all if made[0] == b"&" else any)(part(some) for _, part in made[1]),
        )
    ),
    max_leaves=12,
)


@given(EXPRESSIONS, st.frozensets(st.sampled_from([b"A", b"B", b"C"])))
def test_nested_expressions(expression: tuple[bytes, object], some: frozenset[bytes]) -> None:
    text, model = expression
    assert parse(text).allows(some) == model(some)  # type: ignore[operator]


@given(st.text('AB&|()"\\ ', max_size=12).map(str.encode), st.sampled_from([b"", b"A", b"AB"]))
def test_more_authorizations_never_show_less(text: bytes, some: bytes) -> None:
    try:
        expression = parse(text)
    except BadVisibility:
        return
    fewer = frozenset(some[at : at + 1] for at in range(len(some)))
    assert expression.allows(fewer) <= expression.allows(fewer | {b"A", b"C"})
