"""KV_UPDATE and KV_ARR_APPEND: changing parts of a value."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import NULL_ARRAY


@pytest.mark.parametrize(
    ("value", "path", "new", "count", "want"),
    [
        pytest.param({"a": 1, "b": 2}, "$.a", 9, 1, {"a": 9, "b": 2}, id="a member"),
        pytest.param({"a": 1, "b": 2}, "$.*", None, 2, {"a": None, "b": None}, id="all members, by null"),
        pytest.param([1, 2, 3], "$[?(@ > 1)]", 0, 2, [1, 0, 0], id="items by a filter"),
        pytest.param({"a": {"b": [1, "x"]}}, "$.a.b[1]", {"c": "y"}, 1, {"a": {"b": [1, {"c": "y"}]}}, id="nested"),
        pytest.param({"a": 1}, "$", [1], 1, [1], id="the whole value"),
        pytest.param(5, "$", "five", 1, "five", id="a scalar"),
        pytest.param({"a": 1}, "$.b", 2, 0, {"a": 1}, id="nothing is created"),
        pytest.param("text", "$.a", 2, 0, "text", id="no members in a string"),
    ],
)
def test_update(call: Any, value: object, path: str, new: object, count: int, want: object) -> None:
    call("KV_SET", keys={"k": value})
    assert call("KV_UPDATE", key="k", path=path, value=new) == {"st": 1, "cnt": count}
    assert call("KV_GET", keys=["k"])["keys"] == {"k": want}


@pytest.mark.parametrize("path", ["$[", "", "name"])
def test_an_invalid_path_is_1000_and_noticed_on_an_existing_key(call: Any, path: str) -> None:
    assert call("KV_UPDATE", key="k", path=path, value=1) == {"st": 22, "cnt": 0}
    call("KV_SET", keys={"k": {"a": 1}})
    reply = call("KV_UPDATE", key="k", path=path, value=1)
    assert (reply["st"], reply["tkn"]) == (1000, None)
    assert call("KV_GET", keys=["k"])["keys"] == {"k": {"a": 1}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"key": "k", "path": "$"}, 26, id="no value"),
        pytest.param({"path": "$", "value": 1}, 26, id="no key"),
        pytest.param({"key": 1, "path": 1, "value": 1}, 41, id="types"),
    ],
)
def test_update_refused(call: Any, body: dict[str, Any], status: int) -> None:
    assert call("KV_UPDATE", **body)["st"] == status


def test_update_keeps_the_time_to_live(call: Any, wire: Any) -> None:
    call("KV_SET", keys={"k": {"a": 1}})
    wire("EXPIRE", "k", "100")
    call("KV_UPDATE", key="k", path="$.a", value=2)
    assert wire("TTL", "k") == 100


def test_only_an_update_that_replaces_is_a_change(call: Any, house: Any) -> None:
    call("KV_SET", keys={"k": {"a": 1, "b": 2}})
    before = house.store.feed.changes
    call("KV_UPDATE", key="k", path="$.none", value=2)
    assert house.store.feed.changes == before
    call("KV_UPDATE", key="k", path="$.*", value=2)
    assert house.store.feed.changes == before + 1


def test_bytes_beside_the_replaced_element_stay(call: Any, wire: Any, house: Any) -> None:
    house.store.databases[0].put(b"k", {b"raw": b"\xff", b"a": 1})
    house.store.databases[0].put(b"l", [b"\xff", 1])
    call("KV_UPDATE", key="k", path="$.a", value="text")
    call("KV_UPDATE", key="l", path="$[1]", value="text")
    assert house.store.databases[0].data[b"k"] == {b"raw": b"\xff", b"a": b"text"}
    assert house.store.databases[0].data[b"l"] == [b"\xff", b"text"]


def test_two_places_of_a_new_array_do_not_change_together(call: Any) -> None:
    call("KV_SET", keys={"k": {"a": 1, "b": 2, "c": {"d": 3}}})
    call("KV_UPDATE", key="k", path="$..*", value=[])
    call("KV_ARR_APPEND", key="k", name="a", items=[1])
    assert call("KV_GET", keys=["k"])["keys"] == {"k": {"a": [1], "b": [], "c": []}}


def test_a_value_cannot_grow_deeper_than_replies_can_show(call: Any) -> None:
    call("KV_SET", keys={"k": {"a": 1}})
    deep: Any = 1
    for _ in range(100):
        deep = {"a": deep}
    path = "$.a"
    assert call("KV_UPDATE", key="k", path=path, value=deep)["st"] == 1
    path += ".a" * 100
    assert call("KV_UPDATE", key="k", path=path, value=deep) == {"st": 42, "tkn": None, "m": "Value nested too deep"}
    assert call("KV_GET", keys=["k"])["st"] == 1


# ---------------------------------------------------------------- KV_ARR_APPEND


def test_append_to_the_value(call: Any) -> None:
    call("KV_SET", keys={"k": ["a"]})
    assert call("KV_ARR_APPEND", key="k", items=["b", None, {"c": 1}, ["d"], "a"]) == {"st": 1}
    assert call("KV_GET", keys=["k"])["keys"] == {"k": ["a", "b", None, {"c": 1}, ["d"], "a"]}


def test_append_to_a_member(call: Any) -> None:
    call("KV_SET", keys={"crew": {"deck": [], "n": 1}})
    assert call("KV_ARR_APPEND", key="crew", name="deck", items=["Ole", None]) == {"st": 1}
    assert call("KV_GET", keys=["crew"])["keys"] == {"crew": {"deck": ["Ole", None], "n": 1}}


def test_appending_nothing_changes_nothing(call: Any, house: Any) -> None:
    call("KV_SET", keys={"k": []})
    before = house.store.feed.changes
    assert call("KV_ARR_APPEND", key="k", items=[]) == {"st": 1}
    assert house.store.feed.changes == before
    call("KV_ARR_APPEND", key="k", items=[1, 2])
    assert house.store.feed.changes == before + 1


def test_an_append_breaks_a_watch(call: Any, house: Any) -> None:
    call("KV_SET", keys={"k": []})
    other = house.connect()
    other("WATCH", "k")
    other("MULTI")
    call("KV_ARR_APPEND", key="k", items=[1])
    assert other("EXEC") is NULL_ARRAY


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"key": "absent", "items": [1]}, 22, id="no such key"),
        pytest.param({"key": "object", "items": [1]}, 1000, id="an object, no name"),
        pytest.param({"key": "text", "items": [1]}, 1000, id="a string"),
        pytest.param({"key": "array", "name": "a", "items": [1]}, 1000, id="a name, but no object"),
        pytest.param({"key": "object", "name": "absent", "items": [1]}, 1000, id="no such member"),
        pytest.param({"key": "object", "name": "n", "items": [1]}, 1000, id="a member that is not an array"),
        pytest.param({"key": "array"}, 26, id="no items"),
        pytest.param({"key": "array", "items": {}}, 41, id="items of another type"),
        pytest.param({"key": "array", "items": [1], "name": None}, 41, id="null is not a name"),
    ],
)
def test_append_refused(call: Any, body: dict[str, Any], status: int) -> None:
    values = {"object": {"n": 1}, "text": "x", "array": []}
    call("KV_SET", keys=values)
    assert call("KV_ARR_APPEND", **body)["st"] == status
    assert call("KV_GET", keys=list(values))["keys"] == values


def test_a_missing_key_in_a_session_repeats_the_token(call: Any, token: int) -> None:
    assert call("KV_ARR_APPEND", key="k", items=[], tkn=token) == {"st": 22, "tkn": token}
    assert call("KV_UPDATE", key="k", path="$", value=1, tkn=token) == {"st": 22, "cnt": 0, "tkn": token}


@pytest.mark.parametrize("command", ["KV_UPDATE", "KV_ARR_APPEND"])
def test_a_series_is_no_such_key(call: Any, hold_series: Any, command: str) -> None:
    hold_series(b"held")
    assert call(command, key="held", path="$", value=1, items=[1])["st"] == 22
