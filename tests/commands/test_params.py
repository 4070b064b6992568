"""Checking parameters: order of the checks, types, and declarations that make no sense."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.commands.declare import DeclarationError, Param
from januskv.commands.params import NativeError, ParamCheck, is_uint

PARAMS = (
    Param("zebra", "string", empty_text="Zebra empty"),
    Param("apple", "array", empty_text="Apple empty"),
    Param("mango", "uint", required=False),
)


def refusal(body: dict[str, Any], params: tuple[Param, ...] = PARAMS) -> tuple[int, str] | None:
    try:
        ParamCheck(params).check(body)
    except NativeError as error:
        return error.status, error.text
    return None


MISSING, WRONG = (26, "Missing parameter"), (41, "Param type incorrect")


@pytest.mark.parametrize(
    ("body", "want"),
    [
        pytest.param({"apple": [1], "zebra": "z"}, None, id="nothing to say"),
        pytest.param({"apple": [1], "zebra": "z", "mango": 5, "more": 1}, None, id="optional and unknown ones"),
        pytest.param({"zebra": 5}, MISSING, id="the first in alphabetical order: absent"),
        pytest.param({"apple": 5}, WRONG, id="the first in alphabetical order: of a wrong type"),
        pytest.param({"apple": [], "zebra": ""}, (42, "Apple empty"), id="empty ones, in that order"),
        pytest.param({"apple": [], "zebra": "z", "mango": -1}, WRONG, id="types come before emptiness"),
        pytest.param({"apple": [], "mango": 1}, MISSING, id="absence of a later one comes before emptiness too"),
        pytest.param({"apple": [1], "zebra": None}, WRONG, id="null is a type of its own"),
    ],
)
def test_order(body: dict[str, Any], want: tuple[int, str] | None) -> None:
    assert refusal(body) == want


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("object", [{}, {"a": 1}], [[], "", 0, None, True]),
        ("array", [[], [1]], [{}, "", 0, None]),
        ("string", ["", "a"], [0, None, [], True]),
        ("bool", [True, False], [0, 1, None, "true"]),
        ("uint", [0, 1, (1 << 64) - 1], [-1, 1.0, 5e0, True, "1", None]),
        ("any", [0, None, "", [], {}, False], []),
    ],
)
def test_types(kind: str, good: list[object], bad: list[object]) -> None:
    params = (Param("p", kind),)
    assert [refusal({"p": value}, params) for value in good] == [None] * len(good)
    assert [refusal({"p": value}, params) for value in bad] == [WRONG] * len(bad)


@pytest.mark.parametrize(("value", "wanted"), [(0, True), (1 << 64, False), (-1, False), (True, False), (1.0, False)])
def test_tokens(value: object, wanted: bool) -> None:
    assert is_uint(value) is wanted


def test_own_checks_come_last() -> None:
    seen: list[dict[str, Any]] = []
    rules = ParamCheck(PARAMS, own=seen.append)
    with pytest.raises(NativeError):
        rules.check({})
    assert seen == []
    body = {"apple": [1], "zebra": "z"}
    rules.check(body)
    assert seen == [body]


def test_a_kind_that_does_not_exist_is_noticed_when_it_is_declared() -> None:
    with pytest.raises(DeclarationError, match="number"):
        ParamCheck((Param("p", "number"),))
