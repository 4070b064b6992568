"""KV_FIND. What paths select is tested in tests/commands/jsonpath."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.commands.jsonpath import Budget

FLEET = [{"reg": "OY1", "seats": 9}, {"reg": "OY2", "seats": 40}]
SPARE = [{"reg": "OY3", "seats": 40}]


@pytest.fixture
def fleet(call: Any) -> None:
    call("KV_SET", keys={"fleet": FLEET, "spare": SPARE, "n": 5, "text": "x"})


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("body", "reply"),
    [
        pytest.param({"rsp": "keys", "path": "$[?(@.seats > 10)]"}, {"keys": ["fleet", "spare"]}, id="names"),
        pytest.param({"rsp": "paths", "path": "$[?(@.seats>10)].reg"}, {"paths": ["$[1]['reg']", "$[0]['reg']"]}, id="paths"),
        pytest.param({"rsp": "kv", "path": "$[1]"}, {"keys": {"fleet": FLEET}}, id="whole values"),
        pytest.param({"rsp": "keys", "path": "$"}, {"keys": ["fleet", "spare", "n", "text"]}, id="the root is any value"),
        pytest.param({"rsp": "keys", "path": "$[0]", "keys": ["spare", "fleet"]}, {"keys": ["spare", "fleet"]}, id="only these keys, in this order"),
        pytest.param({"rsp": "keys", "path": "$[0]", "keys": ["absent", 1, "spare"]}, {"keys": ["spare"]}, id="missing keys are passed over"),
        pytest.param({"rsp": "keys", "path": "$[0]", "keys": []}, {"keys": ["fleet", "spare"]}, id="no keys are all keys"),
        pytest.param({"rsp": "keys", "path": "$.absent"}, {"keys": []}, id="no names"),
        pytest.param({"rsp": "paths", "path": "$.absent"}, {"paths": []}, id="no paths"),
        pytest.param({"rsp": "kv", "path": "$.absent"}, {"keys": {}}, id="no values"),
    ],
)  # fmt: skip
def test_found(call: Any, body: dict[str, Any], reply: dict[str, Any]) -> None:
    assert call("KV_FIND", **body) == {"st": 1, **reply}


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"path": "$"}, 26, id="no rsp"),
        pytest.param({"rsp": "keys"}, 26, id="no path"),
        pytest.param({"rsp": "keys", "path": 1}, 41, id="path of another type"),
        pytest.param({"rsp": 1, "path": ""}, 41, id="types come before values"),
        pytest.param({"rsp": "keys", "path": "$", "keys": "a"}, 41, id="keys of another type"),
        pytest.param({"rsp": "values", "path": ""}, 13, id="unknown rsp, before the empty path"),
        pytest.param({"rsp": "Keys", "path": "$"}, 13, id="rsp is case-sensitive"),
        pytest.param({"rsp": "keys", "path": ""}, 42, id="empty path"),
    ],
)
def test_refused(call: Any, body: dict[str, Any], status: int) -> None:
    assert call("KV_FIND", **body)["st"] == status


@pytest.mark.parametrize("path", ["$[", "name", "$.a.", "$abc"])
def test_an_invalid_path_is_noticed_where_a_key_is_looked_at(call: Any, path: str) -> None:
    assert call("KV_FIND", rsp="keys", path=path) == {"st": 1, "keys": []}
    call("KV_SET", keys={"k": 1})
    assert call("KV_FIND", rsp="keys", path=path) == {"st": 4}
    assert call("KV_FIND", rsp="keys", path=path, keys=["absent"]) == {"st": 1, "keys": []}


def test_an_invalid_path_in_a_session_repeats_the_token(call: Any, token: int) -> None:
    call("KV_SET", keys={"k": 1}, tkn=token)
    assert call("KV_FIND", rsp="keys", path="$[", tkn=token) == {"st": 4, "tkn": token}


def test_a_path_that_takes_too_much_work_is_refused(call: Any) -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    call("KV_SET", keys={"k": deep})
    reply = call("KV_FIND", rsp="keys", path="$..*..*..*..*..*")
    assert reply["st"] == 1000
    assert "too much work" in reply["m"]


def test_many_keys_are_no_reason_to_refuse(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("januskv.commands.keyvalues.Budget", lambda: Budget(100))
    call("KV_SET", keys={f"k{i}": {"a": i} for i in range(2000)})
    assert len(call("KV_FIND", rsp="keys", path="$.a")["keys"]) == 2000


def test_a_search_changes_nothing(call: Any, house: Any) -> None:
    call("KV_SET", keys={"k": {"a": [1, None]}})
    before = house.store.feed.changes
    call("KV_FIND", rsp="kv", path="$..*")
    assert house.store.feed.changes == before
    assert call("KV_GET", keys=["k"])["keys"] == {"k": {"a": [1, None]}}


def test_series_are_passed_over(call: Any, hold_series: Any) -> None:
    hold_series(b"held")
    call("KV_SET", keys={"k": 1})
    assert call("KV_FIND", rsp="keys", path="$")["keys"] == ["k"]
    assert call("KV_FIND", rsp="keys", path="$", keys=["held", "k"])["keys"] == ["k"]
