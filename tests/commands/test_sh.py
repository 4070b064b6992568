"""SH_ commands. How sessions live and expire in the engine: tests/storage/test_sessions.py."""

from __future__ import annotations

from typing import Any

import pytest

EXPIRY = {"duration": 10, "deleteSession": True}


# ---------------------------------------------------------------- SH_NEW, SH_OPEN


def test_private_sessions_of_one_name_are_different(call: Any) -> None:
    first, second = call("SH_NEW", name="kiosk"), call("SH_NEW", name="kiosk")
    assert list(first) == ["tkn", "name", "st"]
    assert (first["name"], first["st"]) == ("kiosk", 1)
    assert first["tkn"] != second["tkn"]
    assert not (first["tkn"] | second["tkn"]) >> 52
    assert call("SH_OPEN", name="kiosk") == {"tkn": None, "st": 102}


def test_a_shared_session_is_found_by_its_name(call: Any) -> None:
    opened = call("SH_NEW", name="board", shared=True)
    assert opened["tkn"] >> 52 == 1
    assert call("SH_OPEN", name="board") == {"tkn": opened["tkn"], "st": 1}
    assert call("SH_OPEN", name="Board") == {"tkn": None, "st": 102}


def test_a_shared_session_of_a_name_is_opened_once(call: Any) -> None:
    token = call("SH_NEW", name="board", shared=True)["tkn"]
    assert call("SH_NEW", name="board", shared=True) == {"tkn": token, "name": "board", "st": 103}
    assert call("SH_NEW", name="board", shared=False)["st"] == 1
    call("SH_END", tkn=token)
    assert call("SH_NEW", name="board", shared=True) == {"tkn": token, "name": "board", "st": 1}


def test_a_session_of_a_shared_name_begins_empty_again(call: Any) -> None:
    token = call("SH_NEW", name="board", shared=True)["tkn"]
    call("KV_SET", keys={"a": 1}, tkn=token)
    call("SH_END", tkn=token)
    call("SH_NEW", name="board", shared=True)
    assert call("KV_COUNT", tkn=token)["cnt"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, 26, id="no name"),
        pytest.param({"name": 1}, 41, id="name of another type"),
        pytest.param({"name": ""}, 42, id="empty name"),
        pytest.param({"name": "", "shared": 1}, 41, id="types come before values"),
        pytest.param({"name": "a", "shared": None}, 41, id="null is not a bool"),
        pytest.param({"name": "a", "expiry": 10}, 41, id="expiry of another type"),
        pytest.param({"name": "a", "expiry": {}}, 26, id="empty expiry"),
        pytest.param({"name": "a", "expiry": {"duration": 1}}, 26, id="no deleteSession"),
        pytest.param({"name": "a", "expiry": {"deleteSession": True}}, 26, id="no duration"),
        pytest.param({"name": "a", "expiry": {"duration": -1, "deleteSession": True}}, 41, id="negative duration"),
        pytest.param(
            {"name": "a", "expiry": {"duration": 1.0, "deleteSession": True}}, 41, id="duration with fraction"
        ),
        pytest.param(
            {"name": "a", "expiry": {"duration": True, "deleteSession": True}}, 41, id="a bool is not a number"
        ),
        pytest.param({"name": "a", "expiry": {"duration": 1, "deleteSession": 1}}, 41, id="a number is not a bool"),
    ],
)
def test_new_refused(call: Any, body: dict[str, Any], status: int) -> None:
    reply = call("SH_NEW", **body)
    assert (reply["st"], reply["tkn"]) == (status, None)
    assert call("SH_INFO_ALL")["totalSessions"] == 0


@pytest.mark.parametrize(("body", "status"), [({}, 26), ({"name": 1}, 41), ({"name": ""}, 42)], ids=str)
def test_open_refused(call: Any, body: dict[str, Any], status: int) -> None:
    assert call("SH_OPEN", **body)["st"] == status


# ---------------------------------------------------------------- SH_END, SH_END_ALL


def test_end_ends_at_once(call: Any, token: int) -> None:
    call("KV_SET", keys={"a": 1}, tkn=token)
    assert call("SH_END", tkn=token) == {"st": 1, "tkn": token}
    assert call("KV_GET", keys=["a"], tkn=token) == {"st": 100, "tkn": token, "m": "No such session"}
    assert call("SH_END", tkn=token) == {"st": 100, "tkn": token, "m": "No such session"}


def test_end_does_not_wait_for_expiry(call: Any) -> None:
    token = call("SH_NEW", name="a", expiry=EXPIRY)["tkn"]
    assert call("SH_END", tkn=token)["st"] == 1
    assert call("KV_COUNT", tkn=token)["st"] == 100


BAD_TOKENS = [
    pytest.param({}, id="none"),
    pytest.param({"tkn": None}, id="null"),
    pytest.param({"tkn": "77"}, id="text"),
    pytest.param({"tkn": -1}, id="negative"),
    pytest.param({"tkn": 7.0}, id="with fraction"),
    pytest.param({"tkn": True}, id="a bool"),
]


@pytest.mark.parametrize("body", BAD_TOKENS)
def test_end_refuses_what_is_no_token(call: Any, body: dict[str, Any]) -> None:
    assert call("SH_END", **body) == {"st": 101, "tkn": None, "m": ""}


def test_end_all_counts_sessions_and_leaves_databases_alone(call: Any) -> None:
    call("KV_SET", keys={"a": 1})
    for name in "xyz":
        call("SH_NEW", name=name)
    assert call("SH_END_ALL") == {"st": 1, "cnt": 3}
    assert call("SH_END_ALL") == {"st": 1, "cnt": 0}
    assert call("KV_COUNT")["cnt"] == 1


# ---------------------------------------------------------------- SH_INFO, SH_INFO_ALL, SH_EXISTS


def test_info_of_a_session_that_never_expires(call: Any, token: int) -> None:
    call("KV_SET", keys={"a": 1, "b": 2}, tkn=token)
    reply = call("SH_INFO", tkn=token)
    assert reply == {"tkn": token, "shared": False, "keyCnt": 2, "st": 1, "expires": False}
    assert list(reply) == ["tkn", "shared", "keyCnt", "st", "expires"]


def test_duration_zero_never_expires(call: Any, house: Any) -> None:
    token = call("SH_NEW", name="a", expiry={"duration": 0, "deleteSession": True})["tkn"]
    assert call("SH_INFO", tkn=token)["expires"] is False
    house.advance(10**12)
    assert call("SH_EXISTS", tkns=[token])["exist"] == [token]


def test_info_counts_down(call: Any, house: Any) -> None:
    token = call("SH_NEW", name="a", shared=True, expiry=EXPIRY)["tkn"]
    house.clock.advance(3_000)
    assert call("SH_INFO", tkn=token) == {
        "tkn": token,
        "shared": True,
        "keyCnt": 0,
        "st": 1,
        "expires": True,
        "expiry": {"duration": 10, "remaining": 7, "deleteSession": True},
    }
    house.clock.advance(9_000)  # before the sweep
    assert call("SH_INFO", tkn=token)["expiry"]["remaining"] == -2


def test_the_longest_duration_is_kept_exactly(call: Any) -> None:
    most = (1 << 64) - 1
    token = call("SH_NEW", name="a", expiry={"duration": most, "deleteSession": False})["tkn"]
    assert call("SH_INFO", tkn=token)["expiry"] == {"duration": most, "remaining": most, "deleteSession": False}


def test_info_of_no_session(call: Any) -> None:
    assert call("SH_INFO", tkn=5) == {
        "tkn": 5,
        "shared": None,
        "keyCnt": None,
        "st": 100,
        "m": "No such session",
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, 13, id="no member"),
        pytest.param({"tkn": 5, "more": 1}, 13, id="two members"),
        pytest.param({"token": 5}, 101, id="another member"),
        pytest.param({"tkn": "5"}, 101, id="text"),
    ],
)
def test_info_refused(call: Any, body: dict[str, Any], status: int) -> None:
    assert call("SH_INFO", **body)["st"] == status


def test_info_all_counts_sessions_and_their_keys(call: Any) -> None:
    call("KV_SET", keys={"not": "counted"})
    for keys in (1, 2):
        token = call("SH_NEW", name="a")["tkn"]
        call("KV_SET", keys={f"k{i}": i for i in range(keys)}, tkn=token)
    assert call("SH_INFO_ALL") == {"st": 1, "totalSessions": 2, "totalKeys": 3}


def test_exists_lists_the_open_ones_in_order(call: Any, token: int) -> None:
    other = call("SH_NEW", name="b")["tkn"]
    tokens = [other, 5, token, "x", None, -1, 1.5, True, other]
    assert call("SH_EXISTS", tkns=tokens) == {"st": 1, "exist": [other, token, other]}
    assert call("SH_EXISTS", tkns=[]) == {"st": 1, "exist": []}


@pytest.mark.parametrize(("body", "status"), [({}, 26), ({"tkns": 5}, 41)], ids=str)
def test_exists_refused(call: Any, body: dict[str, Any], status: int) -> None:
    assert call("SH_EXISTS", **body)["st"] == status


# ---------------------------------------------------------------- KV_ in a session

KV_BODIES: dict[str, dict[str, Any]] = {
    "KV_SET": {"keys": {"a": 1}},
    "KV_SETQ": {"keys": {"a": 1}},
    "KV_ADD": {"keys": {"a": 1}},
    "KV_ADDQ": {"keys": {"a": 1}},
    "KV_GET": {"keys": ["a"]},
    "KV_CONTAINS": {"keys": ["a"]},
    "KV_RMV": {"keys": ["x"]},
    "KV_CLEAR": {},
    "KV_CLEAR_SET": {"keys": {"a": 1}},
    "KV_COUNT": {},
    "KV_KEYS": {},
    "KV_FIND": {"rsp": "keys", "path": "$"},
    "KV_UPDATE": {"key": "a", "path": "$", "value": 1},
    "KV_ARR_APPEND": {"key": "list", "items": [1]},
}
commands_in_sessions = pytest.mark.parametrize(("command", "body"), KV_BODIES.items(), ids=KV_BODIES)


def test_keys_of_sessions_and_databases_do_not_meet(call: Any, token: int) -> None:
    other = call("SH_NEW", name="b")["tkn"]
    call("KV_SET", keys={"a": 1}, tkn=token)
    call("KV_SET", keys={"a": 2}, tkn=other)
    call("KV_SET", keys={"a": 3})
    found = [call("KV_GET", keys=["a"], **body)["keys"]["a"] for body in ({"tkn": token}, {"tkn": other}, {})]
    assert found == [1, 2, 3]


@commands_in_sessions
def test_success_repeats_the_token_as_last_member(call: Any, token: int, command: str, body: dict[str, Any]) -> None:
    call("KV_SET", keys={"a": 1, "list": []}, tkn=token)
    reply = call(command, **body, tkn=token)
    if command.endswith("Q"):
        assert reply is None
    else:
        assert reply["st"] == 1
        assert (list(reply)[0], list(reply)[-1]) == ("st", "tkn")
        assert reply["tkn"] == token


@commands_in_sessions
def test_an_unknown_token(call: Any, command: str, body: dict[str, Any]) -> None:
    assert call(command, **body, tkn=77) == {"st": 100, "tkn": 77, "m": "No such session"}


@pytest.mark.parametrize("bad", BAD_TOKENS[1:])
@commands_in_sessions
def test_what_is_no_token(call: Any, command: str, body: dict[str, Any], bad: dict[str, Any]) -> None:
    assert call(command, **body, **bad) == {"st": 101, "tkn": None, "m": ""}
    assert call("KV_COUNT")["cnt"] == 0


@pytest.mark.parametrize("tkn", [77, "x"], ids=["unknown", "no token"])
def test_parameters_are_checked_before_the_token(call: Any, tkn: object) -> None:
    assert call("KV_SET", tkn=tkn)["st"] == 26
    assert call("KV_SET", keys=[], tkn=tkn)["st"] == 41
    assert call("KV_SET", keys={}, tkn=tkn)["st"] == 42
    assert call("KV_FIND", rsp="x", path="", tkn=tkn)["st"] == 13


@commands_in_sessions
def test_every_command_renews_the_session(call: Any, house: Any, command: str, body: dict[str, Any]) -> None:
    token = call("SH_NEW", name="a", expiry=EXPIRY)["tkn"]
    house.clock.advance(4_000)
    call(command, **body, tkn=token)
    assert call("SH_INFO", tkn=token)["expiry"]["remaining"] == 10


def test_refused_parameters_do_not_renew_the_session(call: Any, house: Any) -> None:
    token = call("SH_NEW", name="a", expiry=EXPIRY)["tkn"]
    house.clock.advance(4_000)
    call("KV_SET", tkn=token)
    assert call("SH_INFO", tkn=token)["expiry"]["remaining"] == 6


def test_looking_at_a_session_does_not_renew_it(call: Any, house: Any) -> None:
    token = call("SH_NEW", name="a", shared=True, expiry=EXPIRY)["tkn"]
    house.clock.advance(4_000)
    call("SH_INFO", tkn=token)
    call("SH_EXISTS", tkns=[token])
    call("SH_OPEN", name="a")
    assert call("SH_INFO", tkn=token)["expiry"]["remaining"] == 6


def test_an_expired_session_works_until_the_sweep(call: Any, house: Any) -> None:
    token = call("SH_NEW", name="a", expiry={"duration": 1, "deleteSession": True})["tkn"]
    call("KV_SET", keys={"a": 1}, tkn=token)
    house.clock.advance(3_000)
    assert call("SH_INFO", tkn=token)["expiry"]["remaining"] == -2
    assert call("KV_GET", keys=["a"], tkn=token)["keys"] == {"a": 1}
    house.clock.advance(500)
    house.advance(0)
    assert call("SH_EXISTS", tkns=[token])["exist"] == [token]
    house.advance(6_000)
    assert call("SH_EXISTS", tkns=[token])["exist"] == []


@commands_in_sessions
def test_where_sessions_are_required(wire: Any, call: Any, command: str, body: dict[str, Any]) -> None:
    token = call("SH_NEW", name="a")["tkn"]
    call("KV_SET", keys={"a": 1, "list": []}, tkn=token)
    wire("CONFIG", "SET", "sessions-required", "yes")
    assert call(command, **body) == {"st": 101, "tkn": None, "m": ""}
    assert (call(command, **body, tkn=token) or {"st": 1})["st"] == 1
    assert call("SV_INFO")["sessionsRequired"] is True
