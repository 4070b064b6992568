"""Commands that name no keys, or only patterns of them, and what users who may not read or write all keys get from them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple

OK = Simple(b"OK")
NO_KEY = ErrorReply("NOPERM No permissions to access a key")
NO_SERIES = ErrorReply(
    "NOPERM TSDB: current user doesn't have {} permission to one or more keys that match the specified filter"
)

READS = [
    ("KV_COUNT", {}),
    ("KV_KEYS", {}),
    ("KV_FIND", {"path": "$", "rsp": "keys"}),
    ("KV_FIND", {"path": "$", "rsp": "keys", "keys": []}),
    ("TS_LIST", {}),
    ("SV_EXPORT", {}),
    ("SH_INFO_ALL", {}),
    ("SH_INFO", {"tkn": 1 << 40}),
]
WRITES = [("KV_CLEAR", {}), ("KV_CLEAR_SET", {"keys": {"a": 1}}), ("SH_END_ALL", {}), ("SH_END", {"tkn": 1 << 40})]


@pytest.fixture
def user(house: Any, wire: Any) -> Any:
    """A connection of the user u, who may run everything."""
    for line in ("SET a 1", "SET b 2"):
        wire.line(line)
    wire("ACL", "SETUSER", "u", "on", "nopass", "+@all")
    connected = house.connect()
    assert connected("AUTH", "u", "x") == OK
    return connected


def native(connected: Any, command: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = json.loads(connected.send(json.dumps({command: body}).encode() + b"\n"))
    value = next(iter(reply.values()))
    return value if isinstance(value, dict) else reply


@pytest.mark.parametrize(
    ("rules", "reads", "writes"),
    [
        pytest.param("~a ~b", False, False, id="each key by its name"),
        pytest.param("~*", True, True, id="all keys"),
        pytest.param("%R~*", True, False, id="all keys, to read"),
        pytest.param("%W~*", False, True, id="all keys, to write"),
        pytest.param("%R~* %W~*", True, True, id="all keys, by two rules"),
        pytest.param("~** ~?", False, False, id="patterns that only mean the same"),
        pytest.param("%W~a (%R~* +@all)", True, False, id="in a selector"),
        pytest.param("(allkeys +get)", False, False, id="in a selector without the command"),
    ],
)
def test_who_may_read_and_write_all(wire: Any, user: Any, rules: str, reads: bool, writes: bool) -> None:
    wire.line(f"ACL SETUSER u {rules}")
    for command, body in READS:
        assert (native(user, command, body)["st"] != 171) is reads, command
    for command, body in WRITES:
        if command == "KV_CLEAR_SET" and writes is not reads:
            continue
        assert (native(user, command, body)["st"] != 171) is writes, command


def test_every_way_is_refused_alike(wire: Any, user: Any) -> None:
    wire("ACL", "SETUSER", "u", "~a")
    assert user("KV_KEYS") == NO_KEY
    assert user("KV_KEYS", "{}") == NO_KEY
    assert user("KV_CLEAR", "[]") == NO_KEY
    assert user("TS_LIST", "[]") == NO_KEY
    assert user("TS_LIST", "not JSON") == NO_KEY
    assert json.loads(user('{"KV_KEYS":{}}'))["KV_KEYS_RSP"]["st"] == 171
    assert wire("ACL", "DRYRUN", "u", "KV_KEYS") == b"User u has no permissions to access the '*' key"
    assert wire("ACL", "LOG")[0][7] == b"*"
    assert user("EVAL", "return redis.pcall('KV_KEYS')['err']", 0).startswith(b"NOPERM ACL failure in script: No perm")
    assert native(user, "KV_FIND", {"path": "$", "rsp": "keys", "keys": ["a"]})["keys"] == ["a"]
    assert native(user, "KV_CLEAR_SET", {"keys": {"a": 1}})["st"] == 171
    assert wire("GET", "b") == b"2"


def test_what_redis_has_needs_no_keys(user: Any) -> None:
    assert sorted(user("KEYS", "*")) == [b"a", b"b"]
    assert user("DBSIZE") == 2
    assert user("RANDOMKEY") in (b"a", b"b")
    assert user("FLUSHDB") == OK


def test_what_is_shown_of_the_commands_is_as_before(wire: Any) -> None:
    [info] = wire("COMMAND", "INFO", "KV_KEYS")
    assert (info[3:6], info[8]) == ([0, 0, 0], [])
    assert wire("COMMAND", "GETKEYS", "KV_FIND", '{"path":"$","rsp":"keys"}') == []


# ---------------------------------------------------------------- series by filters


@pytest.mark.parametrize(
    "line",
    [
        "TS.MGET FILTER kind=t",
        "TS.MRANGE - + FILTER kind=t",
        "TS.MREVRANGE - + FILTER kind=t GROUPBY kind REDUCE sum",
    ],
)
def test_series_that_pass_a_filter_must_be_readable(wire: Any, user: Any, line: str) -> None:
    wire.line("TS.ADD s 1 1 LABELS kind t room 1")
    wire.line("TS.ADD other 1 1 LABELS kind t")
    wire.line("ACL SETUSER u %R~s ~a")
    assert user.line(line) == ErrorReply(NO_SERIES.text.decode().format("read"))
    in_script = user("EVAL", "return redis.pcall(unpack(ARGV))", 0, *line.split())
    assert in_script.text.startswith(b"NOPERM TSDB: current user doesn't have read permission")
    assert user.line(line.replace("kind=t", "kind=t room=1")) != []
    assert user.line(line.replace("kind=t", "kind=none")) == []
    assert sorted(user.line("TS.QUERYINDEX kind=t")) == [b"other", b"s"]
    wire.line("ACL SETUSER u (%R~other +get)")
    assert type(user.line(line)) is list


def test_samples_of_series_that_may_not_be_written(wire: Any, user: Any) -> None:
    wire.line("TS.ADD s 1 1 LABELS kind t")
    wire.line("ACL SETUSER u ~? %R~s*")
    wire.line("TS.ADD series 1 1 LABELS kind t")
    assert user.line("TS.DEL * - + FILTER kind=t") == ErrorReply(NO_SERIES.text.decode().format("write"))
    assert wire.line("TS.GET series") == wire.line("TS.GET s") != []
    wire.line("ACL SETUSER u ~series")
    assert user.line("TS.DEL * - + FILTER kind=t") == 2


# ---------------------------------------------------------------- changes of keys


@pytest.mark.parametrize(
    ("rules", "pattern", "allowed"),
    [
        pytest.param("~*", "cart:*", True, id="all keys"),
        pytest.param("%R~*", "cart:*", True, id="all keys to read"),
        pytest.param("%W~*", "cart:*", False, id="all keys to write"),
        pytest.param("~cart:*", "cart:*", True, id="the same pattern"),
        pytest.param("%W~cart:*", "cart:*", False, id="the same pattern to write"),
        pytest.param("~cart:*", "cart:7", True, id="a name that matches"),
        pytest.param("~cart:*", "shop:7", False, id="a name that does not match"),
        pytest.param("~cart:*", "cart:7*", False, id="a pattern within another is not found out"),
        pytest.param("~cart:[7]", "cart:[7]", True, id="a class"),
        pytest.param("~cart:7", "cart:[7]", False, id="a class is a pattern"),
        pytest.param("~cart:*", "*", False, id="all of them"),
    ],
)
def test_listening_to_keys(wire: Any, user: Any, rules: str, pattern: str, allowed: bool) -> None:
    wire.line(f"ACL SETUSER u {rules}")
    assert (native(user, "SV_SUBSCRIBE", {"keys": [pattern]})["st"] == 1) is allowed


@pytest.mark.parametrize(
    ("change", "ends"),
    [("resetkeys", True), ("resetkeys ~b ~a*", False), ("resetkeys %W~a*", True), ("-sv_subscribe", False)],
)
def test_who_may_no_longer_listen_to_keys_is_closed(wire: Any, user: Any, change: str, ends: bool) -> None:
    wire.line("ACL SETUSER u ~a*")
    assert native(user, "SV_SUBSCRIBE", {"keys": ["a*"]})["st"] == 1
    wire.line(f"ACL SETUSER u {change}")
    assert user.transport.aborted is ends


# ---------------------------------------------------------------- tokens of sessions


@pytest.fixture
def token(house: Any, wire: Any) -> int:
    found = native(wire, "SH_NEW", {"name": "kiosk"})["tkn"]
    inside = house.connect()
    assert inside("SELECT", found) == OK
    inside("SET", "x", "1")
    house.inside = inside
    return int(found)


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        pytest.param("allkeys allchannels", True, id="everything is allowed"),
        pytest.param("~* -@all +client +monitor +slowlog +sv_export", True, id="who may export"),
        pytest.param("~a", False, id="who may not read all"),
        pytest.param("~* -sv_export", False, id="who may not export"),
        pytest.param("allkeys allchannels session:*", False, id="who is confined"),
    ],
)
def test_tokens_of_others(house: Any, wire: Any, user: Any, token: int, rules: str, shown: bool) -> None:
    wire.line(f"ACL SETUSER u {rules}")
    wire("CONFIG", "SET", "slowlog-log-slower-than", 0)
    secret = str(token).encode()
    lines = user("CLIENT", "LIST").splitlines()
    assert [b"db=%b " % secret in line for line in lines].count(True) == shown
    assert any(b"db=-1 " in line for line in lines) is not shown
    watching = house.connect()
    watching("AUTH", "u", "x")
    assert watching("MONITOR") == OK
    house.inside("GET", "x")
    wire("SELECT", token)
    native(wire, "KV_GET", {"keys": ["y"], "tkn": token})
    user("PING")
    written = watching.transport.written
    assert (secret in written) is shown
    assert written.count(b'"KV_GET"') == written.count(b'"SELECT"') == 1
    assert (b"[session " in written) is not shown
    assert (secret in repr(user("SLOWLOG", "GET", -1)).encode()) is shown
    user("GET", "x" * 9)
    assert secret not in repr(wire("ACL", "LOG")).encode()


def test_the_token_of_ones_own_session(wire: Any, user: Any, token: int) -> None:
    wire.line("ACL SETUSER u ~a")
    assert user("SELECT", token) == OK
    lines = user("CLIENT", "LIST").splitlines()
    assert sum(b"db=%d " % token in line for line in lines) == 2
    assert b"db=%d " % token in user("CLIENT", "INFO")
