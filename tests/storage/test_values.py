"""Values and their outer forms."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from januskv.storage.values import NULL, deeper_than, from_json, kind_of, name_to_json, text_of, to_json


@pytest.mark.parametrize(
    ("json_value", "held", "kind", "text"),
    [
        ("é", "é".encode(), "string", "é".encode()),
        (26, 26, "string", b"26"),
        ((1 << 64) - 1, (1 << 64) - 1, "string", b"18446744073709551615"),
        (0.5, 0.5, "string", b"0.5"),
        (True, True, "string", b"true"),
        (None, NULL, "string", b"null"),
    ],
    ids=str,
)
def test_scalars(json_value: object, held: object, kind: str, text: bytes) -> None:
    value = from_json(json_value)
    assert value == held
    assert type(value) is type(held)
    assert kind_of(value) == kind
    assert text_of(value) == text
    assert to_json(value) is json_value or to_json(value) == json_value


@pytest.mark.parametrize(
    ("json_value", "held", "kind"),
    [
        ({"a": "x", "n": None, "o": {"t": "y", "n": None}}, {b"a": b"x", b"n": NULL, b"o": {"t": "y", "n": None}}, "hash"),
        (["x", None, 1, ["y", None]], [b"x", NULL, 1, ["y", None]], "list"),
        ({}, {}, "hash"),
        ([], [], "list"),
    ],
    ids=str,
)  # fmt: skip
def test_only_the_outer_level_is_converted(json_value: object, held: object, kind: str) -> None:
    value = from_json(json_value)
    assert value == held
    assert kind_of(value) == kind
    assert to_json(value) == json_value


@pytest.mark.parametrize(
    ("element", "text"), [({"a": [1, None]}, b'{"a":[1,null]}'), ([], b"[]"), (-0.0, b"-0.0")], ids=str
)
def test_elements_as_text(element: object, text: bytes) -> None:
    assert text_of(element) == text


def test_bytes_that_are_no_text() -> None:
    assert to_json(b"\xff") == {"$base64": "/w=="}
    assert to_json([b"\xff", b"a"]) == [{"$base64": "/w=="}, "a"]
    assert to_json({b"\xff": b"\xff"}) == {"\ufffd": {"$base64": "/w=="}}
    assert name_to_json(b"a\xff") == "a\ufffd"


def test_there_is_one_null() -> None:
    assert copy.deepcopy([NULL])[0] is NULL
    assert copy.copy(NULL) is NULL


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [0, value] if level % 2 else {"a": value, "b": []}
    return value


@pytest.mark.parametrize(("depth", "limit", "wanted"), [(0, 0, False), (3, 4, False), (5, 4, True), (5000, 128, True)])
def test_depth(depth: int, limit: int, wanted: bool) -> None:
    assert deeper_than(nested(depth), limit) is wanted
