"""All ways into a session, and that nobody who asks for one in vain works elsewhere instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple
from januskv.storage.sessions import LEAST_CUT

OK = Simple(b"OK")
UNKNOWN = 1 << 45

# What a client sends to enter the session of a token.
WAYS = {
    "SELECT": lambda token: ["SELECT", token],
    "SH_ENTER": lambda token: ["SH_ENTER", token],
    "SH_ENTER as JSON": lambda token: ["SH_ENTER", json.dumps({"tkn": token})],
    "SH_ENTER as a document": lambda token: [json.dumps({"SH_ENTER": {"tkn": token}})],
    "AUTH": lambda token: ["AUTH", "session", token],
    "HELLO": lambda token: ["HELLO", 2, "AUTH", "session", token],
    "SV_AUTH": lambda token: ["SV_AUTH", json.dumps({"user": "session", "password": str(token)})],
}
each_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def session(house: Any) -> Any:
    return house.store.sessions.open_new("kiosk", shared=False)


def refused(reply: Any) -> bool:
    if isinstance(reply, ErrorReply):
        return True
    return bool(next(iter(json.loads(reply).values()))["st"] != 1)


@each_way
def test_a_client_enters(house: Any, wire: Any, session: Any, way: str) -> None:
    reply = wire(*WAYS[way](session.token))
    assert reply == OK or not isinstance(reply, ErrorReply)
    wire("SET", "a", "in the session")
    assert session.keyspace.get(b"a") == b"in the session"
    assert json.loads(wire("KV_GET", '{"keys":["a"]}'))["KV_GET_RSP"]["keys"] == {"a": "in the session"}
    assert f"db={session.token}" in wire("CLIENT", "LIST").decode()
    assert wire("SELECT", 0) == OK
    assert wire("DBSIZE") == 0


@each_way
def test_a_client_that_asks_in_vain_works_nowhere(house: Any, wire: Any, way: str) -> None:
    wire("SET", "a", "before")
    assert refused(wire(*WAYS[way](UNKNOWN)))
    for command in (("GET", "a"), ("SET", "a", "elsewhere"), ("FLUSHALL",), ("TS.ADD", "s", 1, 2), ("DBSIZE",)):
        reply = wire(*command)
        assert isinstance(reply, ErrorReply), command
        assert reply.text.startswith(b"ERR the session that was asked for does not exist")
    for name in ("KV_SET", "KV_COUNT", "TS_LIST", "KV_SAVE", "KV_LOAD", "TS_SAVE", "TS_LOAD"):
        body = "{}" if name == "TS_LIST" else '{"keys":{"a":1},"name":"x"}' if name[:2] == "KV" else '{"name":"x"}'
        assert json.loads(wire(name, body))[f"{name}_RSP"]["st"] == 100, name
    assert wire("PING") == Simple(b"PONG")
    assert wire("SELECT", 0) == OK
    assert wire("GET", "a") == b"before"


@each_way
def test_in_vain_inside_a_transaction(house: Any, wire: Any, way: str) -> None:
    wire("MULTI")
    wire(*WAYS[way](UNKNOWN))
    wire("SET", "a", "elsewhere")
    _, second = wire("EXEC")
    assert isinstance(second, ErrorReply)
    assert wire("SELECT", 0) == OK
    assert wire("DBSIZE") == 0


def test_a_session_that_a_transaction_ends(house: Any, wire: Any, session: Any) -> None:
    wire("SELECT", session.token)
    wire("MULTI")
    wire("SH_END", json.dumps({"tkn": session.token}))
    wire("SET", "a", 1)
    assert wire("EXEC")[1] == ErrorReply("ERR the selected session has ended, SELECT another one or a database")


@pytest.mark.parametrize("token", ["x", "0", "-1", "5", "12345678901234567890123"])
def test_what_is_no_token(wire: Any, token: str) -> None:
    assert wire("SH_ENTER", token) == ErrorReply("ERR no such session")
    assert isinstance(wire("SET", "a", 1), ErrorReply)


@pytest.mark.parametrize("token", ['"1"', "null", "-1", "1.5", "[]", "18446744073709551616"])
def test_what_is_no_token_in_json(wire: Any, token: str) -> None:
    reply = json.loads(wire.send(b'{"SH_ENTER":{"tkn":%s}}\n' % token.encode()))
    if "ERR" not in reply:  # which is for what is not JSON of ours
        assert reply["SH_ENTER_RSP"]["st"] == 101
        assert isinstance(wire("SET", "a", 1), ErrorReply)


def test_sh_enter_over_json_lines(house: Any, wire: Any, session: Any) -> None:
    ask = lambda text: json.loads(wire.send(text.encode() + b"\n"))  # noqa: E731
    assert ask(json.dumps({"SH_ENTER": {"tkn": session.token}})) == {"SH_ENTER_RSP": {"tkn": session.token, "st": 1}}
    assert ask('{"KV_SET":{"keys":{"a":1}}}') == {"KV_SET_RSP": {"st": 1}}
    assert session.keyspace.get(b"a") == 1
    reply = ask(json.dumps({"SH_ENTER": {"tkn": UNKNOWN}}))["SH_ENTER_RSP"]
    assert (reply["st"], reply["tkn"]) == (100, UNKNOWN)
    assert ask('{"KV_SET":{"keys":{"a":1}}}')["KV_SET_RSP"]["st"] == 100
    assert ask('{"SH_ENTER":{}}')["SH_ENTER_RSP"]["st"] == 101


def test_entering_starts_the_time_of_a_session_again(house: Any, wire: Any) -> None:
    session = house.store.sessions.open_new("kiosk", shared=False, duration_s=10, delete_on_expiry=True)
    house.advance(8000)
    assert wire("AUTH", "session", session.token) == OK
    house.advance(8000)
    assert wire("PING") == Simple(b"PONG")
    assert not session.ended


# ---------------------------------------------------------------- passwords


def test_a_token_is_no_password_for_the_server(make_house: Any) -> None:
    house = make_house(requirepass="secret")
    session = house.store.sessions.open_new("kiosk", shared=False)
    wire = house.connect()
    for password in (session.token, f"{session.token}:wrong", f"{session.token}:", ":secret", f"{UNKNOWN}:secret"):
        reply = wire("AUTH", "session", password)
        assert isinstance(reply, ErrorReply), password
        assert reply.text.startswith(b"WRONGPASS no such session, or no password")
    assert wire("SET", "a", 1) == ErrorReply("NOAUTH Authentication required.")
    assert wire("AUTH", "session", f"{session.token}:secret") == OK
    assert wire("SET", "a", 1) == OK
    assert session.keyspace.get(b"a") is not None


def test_one_who_has_logged_in_needs_the_token_alone(make_house: Any) -> None:
    house = make_house(requirepass="secret")
    session = house.store.sessions.open_new("kiosk", shared=False)
    wire = house.connect()
    assert wire("AUTH", "secret") == OK
    assert wire("AUTH", "session", session.token) == OK
    assert wire("AUTH", "session", UNKNOWN) != OK
    assert isinstance(wire("SET", "a", 1), ErrorReply)
    assert house.store.databases[0].get(b"a") is None


# ---------------------------------------------------------------- clients that cut numbers


@pytest.mark.parametrize("number", [LEAST_CUT, -LEAST_CUT, 1 << 31, -(1 << 31), (1 << 31) - 1, -(1 << 40)])
def test_what_a_client_with_32_bits_makes_of_a_token(wire: Any, number: int) -> None:
    assert isinstance(wire("SELECT", number), ErrorReply)
    reply = wire("SET", "a", 1)
    assert isinstance(reply, ErrorReply)
    assert b"'session'" in reply.text


@pytest.mark.parametrize("number", [16, -1, 10000, LEAST_CUT - 1])
def test_a_database_that_is_not_there_leaves_the_client_where_it_is(wire: Any, number: int) -> None:
    assert wire("SELECT", number) == ErrorReply("ERR DB index is out of range")
    assert wire("SET", "a", 1) == OK


# ---------------------------------------------------------------- loading


@each_way
def test_while_data_is_loaded(house: Any, wire: Any, session: Any, way: str) -> None:
    house.server.state.set_loading(True)
    assert refused(wire(*WAYS[way](session.token)))
    house.server.state.set_loading(False)
    assert isinstance(wire("SET", "a", "elsewhere"), ErrorReply)
    assert wire(*WAYS[way](session.token)) is not None
    assert wire("SET", "a", 1) == OK


def test_the_width_of_tokens_is_a_parameter(house: Any, wire: Any) -> None:
    assert wire("CONFIG", "GET", "token-bits") == [b"token-bits", b"53"]
    assert wire("CONFIG", "SET", "token-bits", "63") == OK
    tokens = [house.store.sessions.open_new("a", shared=False).token for _ in range(50)]
    assert max(tokens) >= 1 << 53
    assert isinstance(wire("CONFIG", "SET", "token-bits", "64"), ErrorReply)
    assert isinstance(wire("CONFIG", "SET", "token-bits", "52"), ErrorReply)
