"""Users who are confined to sessions: other sessions and the numbered databases are none to them, whichever way they ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple

OK = Simple(b"OK")


def native(wire: Any, command: str, /, **body: Any) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(wire.send(json.dumps({command: body}).encode() + b"\n"))
    [value] = reply.values()
    return value if isinstance(value, dict) else reply


@pytest.fixture
def tokens(wire: Any) -> dict[str, int]:
    wire("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*", "&*", "session:kiosk-*")
    wire("SET", "a", "0")
    return {name: native(wire, "SH_NEW", name=name)["tkn"] for name in ("kiosk-1", "kiosk-2", "other")}


@pytest.fixture
def user(house: Any, tokens: dict[str, int]) -> Any:
    connected = house.connect()
    assert connected("AUTH", "u", "x") == OK
    return connected


def test_a_session_must_be_entered_first(user: Any, tokens: dict[str, int]) -> None:
    for line in ("GET a", "SET a 1", "KEYS *", "FLUSHDB", "MULTI", "GET a"):
        reply = user.line(line)
        assert type(reply) is ErrorReply or line == "MULTI", line
    user("DISCARD")
    assert user("SELECT", tokens["kiosk-1"]) == OK
    assert user("GET", "a") is None
    assert user("SET", "a", "1") == OK


@pytest.mark.parametrize("line", ["SELECT 0", "SELECT 1", "FLUSHALL", "SWAPDB 0 1", "MOVE a 1", "COPY a b DB 0"])
def test_the_databases_cannot_be_reached(wire: Any, user: Any, tokens: dict[str, int], line: str) -> None:
    user("SELECT", tokens["kiosk-1"])
    user("SET", "a", "1")
    assert user.line(line) == ErrorReply("NOPERM User u has no permissions to use the databases")
    script = f"return redis.pcall({', '.join(repr(word) for word in line.split())})['err']"
    assert user("EVAL", script, 0) == b"NOPERM User u has no permissions to use the databases"
    assert user("GET", "a") == b"1"
    assert wire("GET", "a") == b"0"


def test_other_sessions_are_none(wire: Any, user: Any, tokens: dict[str, int]) -> None:
    user("SELECT", tokens["kiosk-1"])
    user("SET", "a", "1")
    other, missing = tokens["other"], 1 << 40
    for token in (other, missing):
        assert type(user("COPY", "a", "a", "DB", token)) is ErrorReply
        assert native(user, "KV_GET", keys=["a"], tkn=token)["st"] == 100
        assert native(user, "SH_INFO", tkn=token)["st"] == 100
        assert native(user, "SH_END", tkn=token)["st"] == 100
        assert native(user, "SH_EXISTS", tkns=[token])["exist"] == []
    assert native(user, "KV_GET", keys=["a"], tkn=tokens["kiosk-2"])["st"] == 1
    assert native(user, "SH_INFO_ALL")["totalSessions"] == 2
    assert native(user, "SH_NEW", name="else")["st"] == 171
    assert native(user, "SH_RESTORE", name="else", tkn=missing)["st"] == 171
    assert native(user, "SH_NEW", name="kiosk-3")["st"] == 1
    for name in ("SV_EXPORT", "SH_SAVE", "KV_LOAD"):
        assert native(user, name, name="x")["st"] == 171
    assert type(user("SELECT", other)) is ErrorReply
    assert type(user("GET", "a")) is ErrorReply  # it is nowhere now
    assert native(user, "SH_END_ALL")["cnt"] == 3
    assert native(wire, "SH_EXISTS", tkns=[other])["exist"] == [other]


def test_a_token_gives_no_more_rights(house: Any, user: Any, tokens: dict[str, int]) -> None:
    assert type(user("AUTH", "session", tokens["other"])) is ErrorReply
    assert user("AUTH", "session", tokens["kiosk-2"]) == OK
    assert type(user("SELECT", tokens["other"])) is ErrorReply
    stranger = house.connect()
    assert stranger("AUTH", "session", tokens["other"]) == OK


def test_rules_that_change_count_at_once(house: Any, wire: Any, user: Any, tokens: dict[str, int]) -> None:
    user("SELECT", tokens["kiosk-1"])
    assert user("SET", "a", "1") == OK
    for line in ("MULTI", "GET a"):
        user.line(line)
    blocked = house.connect()
    blocked("AUTH", "u", "x")
    blocked("SELECT", tokens["kiosk-1"])
    assert blocked.send(b"BLPOP l 0\r\n") == b""
    wire("ACL", "SETUSER", "u", "resetsessions", "session:kiosk-2")
    assert blocked.transport.written.startswith(b"-UNBLOCKED ")
    assert type(user("EXEC")) is ErrorReply
    assert user("SELECT", tokens["kiosk-2"]) == OK
    wire("ACL", "SETUSER", "u", "allsessions")
    assert user("SELECT", 0) == OK
    assert user("GET", "a") == b"0"


def test_a_confined_default_user(house: Any, wire: Any, tokens: dict[str, int]) -> None:
    wire("ACL", "SETUSER", "admin", "on", ">pw", "+@all", "~*", "&*")
    wire("AUTH", "admin", "pw")
    wire("ACL", "SETUSER", "default", "session:kiosk-*")
    other = house.connect()
    assert type(other("GET", "a")) is ErrorReply
    assert native(other, "KV_GET", keys=["a"])["st"] != 1
    assert other("SELECT", tokens["kiosk-1"]) == OK
    assert other("GET", "a") is None
    assert other("RESET") == Simple(b"RESET")
    assert type(other("GET", "a")) is ErrorReply
    assert other("AUTH", "admin", "pw") == OK
    assert other("SELECT", 0) == OK
    assert wire("ACL", "GETUSER", "u")[-2:] == [b"sessions", b"session:kiosk-*"]
