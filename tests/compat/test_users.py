"""Users and their connections: logging in, rights that change, what was denied."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple

OK = Simple(b"OK")
NO_KEY = ErrorReply("NOPERM No permissions to access a key")
NO_CHANNEL = ErrorReply("NOPERM No permissions to access a channel")
WRONG = ErrorReply("WRONGPASS invalid username-password pair or user is disabled.")


def no_command(name: str, user: str = "u") -> ErrorReply:
    return ErrorReply(f"NOPERM User {user} has no permissions to run the '{name}' command")


@pytest.fixture
def user(house: Any, wire: Any) -> Any:
    """A connection of the user u, who may do nothing yet but log in and send PING."""
    assert wire("ACL", "SETUSER", "u", "on", ">pw", "+ping") == OK
    connected = house.connect()
    assert connected("AUTH", "u", "pw") == OK
    connected.transport.written = b""
    return connected


def closed(connected: Any) -> bool:
    return bool(connected.transport.closed)


# ---------------------------------------------------------------- rights that change


def test_rights_count_at_once(wire: Any, user: Any) -> None:
    assert user("GET", "a") == no_command("get")
    wire("ACL", "SETUSER", "u", "+get", "~a")
    assert user("GET", "a") is None
    assert user("GET", "b") == NO_KEY
    wire("ACL", "SETUSER", "u", "allcommands", "allkeys", "allchannels")
    assert user.connection.client.trusted
    assert user("SET", "b", "1") == OK
    wire("ACL", "SETUSER", "u", "-set")
    assert not user.connection.client.trusted
    assert user("SET", "b", "2") == no_command("set")
    assert user("GET", "b") == b"1"


def test_rights_count_at_once_within_what_one_read_brought(user: Any, wire: Any) -> None:
    wire("ACL", "SETUSER", "u", "allcommands", "allkeys", "allchannels")
    found = user.replies(b"SET a 1\r\nACL SETUSER u -set\r\nSET a 2\r\nGET a\r\n")
    assert found == [OK, OK, no_command("set"), b"1"]


def test_a_bad_rule_changes_nothing(wire: Any) -> None:
    wire("ACL", "SETUSER", "u", "on", "+get")
    before = wire("ACL", "LIST")
    assert type(wire("ACL", "SETUSER", "u", "+set", "~a", "+nosuch")) is ErrorReply
    assert type(wire("ACL", "SETUSER", "v", "+set", "+nosuch")) is ErrorReply
    assert wire("ACL", "LIST") == before


def test_a_removed_user_is_gone(wire: Any, user: Any) -> None:
    assert wire("ACL", "DELUSER", "u", "nosuch") == 1
    assert user.transport.aborted
    assert wire("ACL", "DELUSER", "u") == 0


def test_who_removes_itself_gets_the_reply(house: Any, wire: Any) -> None:
    wire("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*")
    other = house.connect()
    other("AUTH", "u", "x")
    other("SET", "a", "1")
    assert other.replies(b"ACL DELUSER u\r\nDEL a\r\n") == [1]
    assert closed(other)
    assert wire("GET", "a") == b"1"


@pytest.mark.parametrize(
    ("listens", "change", "ends"),
    [
        pytest.param("SUBSCRIBE a", "resetchannels", True, id="no channels"),
        pytest.param("SUBSCRIBE a", "resetchannels &a*", False, id="still allowed"),
        pytest.param("SUBSCRIBE a b", "resetchannels &a", True, id="one of two"),
        pytest.param("PSUBSCRIBE a*", "resetchannels &a* &b", False, id="the same pattern"),
        pytest.param("PSUBSCRIBE a?", "resetchannels &a*", True, id="a pattern is not matched"),
        pytest.param("SSUBSCRIBE a", "resetchannels", True, id="a shard channel"),
        pytest.param("SUBSCRIBE a", "resetchannels (&a)", False, id="a selector allows it"),
        pytest.param("SUBSCRIBE a", "-subscribe", False, id="the command alone"),
        pytest.param("SUBSCRIBE a", "off", False, id="a user that is off goes on"),
        pytest.param("MONITOR", "-monitor", True, id="a monitor"),
        pytest.param("MONITOR", "resetchannels", False, id="a monitor needs no channels"),
    ],
)
def test_listeners(wire: Any, user: Any, listens: str, change: str, ends: bool) -> None:
    wire("ACL", "SETUSER", "u", "+@all", "~*", "&*")
    user.send(f"{listens}\r\n".encode())
    assert wire("ACL", "SETUSER", "u", *change.split()) == OK
    assert user.transport.aborted is ends


def test_a_blocked_command_is_checked_again(house: Any, wire: Any, user: Any) -> None:
    wire("ACL", "SETUSER", "u", "+@all", "~*")
    assert user.send(b"BLPOP a 0\r\n") == b""
    wire("ACL", "SETUSER", "u", "resetkeys", "~b")
    user.transport.written = b""
    wire("RPUSH", "a", "1")
    house.run_timers()
    assert user.transport.written == b"-NOPERM No permissions to access a key\r\n"
    assert wire("LRANGE", "a", 0, -1) == [b"1"]
    assert user("PING") == Simple(b"PONG")
    assert wire("ACL", "LOG")[0][3] == b"key"


def test_a_removed_user_does_not_wait_on(house: Any, wire: Any, user: Any) -> None:
    wire("ACL", "SETUSER", "u", "+@all", "~*")
    user.send(b"BLPOP a 0\r\n")
    wire("ACL", "DELUSER", "u")
    assert wire("RPUSH", "a", "1") == 1
    assert wire("LLEN", "a") == 1
    assert not house.server.waiting.by_client


def test_a_queued_command_is_checked_again(wire: Any, user: Any) -> None:
    wire("ACL", "SETUSER", "u", "+@all", "~*")
    for line in ("MULTI", "SET a 1", "GET a"):
        user.line(line)
    wire("ACL", "SETUSER", "u", "-set")
    failed, value = user("EXEC")
    assert failed.text.startswith(b"NOPERM ACLs rules changed between the moment")
    assert value is None
    assert wire("ACL", "LOG")[0][5] == b"multi"


def test_a_transaction_may_change_its_own_rights(wire: Any, user: Any) -> None:
    wire("ACL", "SETUSER", "u", "+@all", "~*")
    for line in ("MULTI", "SET a 1", "ACL SETUSER u -set", "SET a 2"):
        user.line(line)
    replies = user("EXEC")
    assert replies[:2] == [OK, OK]
    assert type(replies[2]) is ErrorReply
    assert wire("GET", "a") == b"1"


def test_scripts_have_the_rights_of_their_caller(wire: Any, user: Any) -> None:
    wire("ACL", "SETUSER", "u", "+@all", "-set", "~a")
    assert user("EVAL", "return redis.call('get', 'a')", 0) is None
    failed = user("EVAL", "return redis.call('get', 'b')", 0)
    assert failed.text.startswith(b"NOPERM ACL failure in script: No permissions to access a key script: ")
    assert user("EVAL", "return redis.pcall('set', 'a', 1)['err']", 0) == (
        b"NOPERM ACL failure in script: User u has no permissions to run the 'set' command"
    )
    assert [entry[5] for entry in wire("ACL", "LOG")] == [b"lua", b"lua"]


# ---------------------------------------------------------------- logging in


def test_a_session_has_the_rights_of_the_default_user(house: Any, wire: Any, user: Any) -> None:
    token = str(json.loads(wire('{"SH_NEW":{"name":"s"}}'))["SH_NEW_RSP"]["tkn"])
    other = house.connect()
    assert other("AUTH", "session", token) == OK
    assert other("ACL", "WHOAMI") == b"session"
    assert other("SET", "a", "1") == OK
    assert user("AUTH", "session", token) == OK
    assert user("SET", "a", "1") == no_command("set", "session")
    assert type(wire("ACL", "SETUSER", "session", "on")) is ErrorReply
    assert type(other("AUTH", "session", "99999999999")) is ErrorReply
    assert wire("ACL", "LOG")[0][9] == b"session"


def test_requirepass_is_the_password_of_the_default_user(house: Any, wire: Any) -> None:
    wire("CONFIG", "SET", "requirepass", "one")
    assert wire("PING") == Simple(b"PONG")  # who was there stays
    other = house.connect()
    assert other("PING") == ErrorReply("NOAUTH Authentication required.")
    wire("ACL", "SETUSER", "default", "<one", ">two")
    assert other("AUTH", "one") == WRONG
    assert other("AUTH", "two") == OK
    assert house.server.users.locked
    waiting = house.connect()
    wire("ACL", "SETUSER", "default", "nopass")
    assert not house.server.users.locked
    assert waiting("PING") == Simple(b"PONG")


def test_a_default_user_with_few_rights_needs_no_login(house: Any, wire: Any) -> None:
    wire("ACL", "SETUSER", "admin", "on", ">pw", "+@all", "~*", "&*")
    wire("AUTH", "admin", "pw")
    wire("ACL", "SETUSER", "default", "-@all", "+ping")
    other = house.connect()
    assert other("PING") == Simple(b"PONG")
    assert other("GET", "a") == no_command("get", "default")
    assert other("AUTH", "admin", "pw") == OK
    assert other("GET", "a") is None
    assert other("RESET") == Simple(b"RESET")
    assert other("GET", "a") == no_command("get", "default")


def test_who_is_protected(make_house: Any) -> None:
    house = make_house(bind="0.0.0.0", protected_mode=True)
    admin = house.connect()
    far = house.connect(("192.0.2.1", 5))
    assert far.transport.closed
    admin("ACL", "SETUSER", "default", ">pw")
    assert not house.connect(("192.0.2.1", 5)).transport.closed


def test_a_password_by_scrypt(house: Any, wire: Any) -> None:
    wire("ACL", "SETUSER", "u", "on", ">scrypt:secret", "+ping")
    other = house.connect()
    assert other("AUTH", "u", "wrong") == WRONG
    assert other("AUTH", "u", "scrypt:secret") == WRONG
    assert other("AUTH", "u", "secret") == OK
    assert wire("ACL", "GETUSER", "u")[3][0].startswith(b"scrypt:16384,8,1$")


# ---------------------------------------------------------------- native requests


def test_native_requests_are_checked(wire: Any, user: Any) -> None:
    wire("ACL", "SETUSER", "u", "+kv_get", "~a")
    wire("SET", "a", "1")
    wire("SET", "b", "2")

    def native(sent: bytes) -> Any:
        reply = json.loads(user.send(sent))
        [body] = reply.values()
        return body

    assert native(b'{"KV_GET":{"keys":["a"]}}\n').get("st", 1) == 1
    for sent in (b'{"KV_GET":{"keys":["a","b"]}}\n', b'{"KV_SET":{"keys":{"a":1}}}\n', b'{"KV_CLEAR":{}}\n'):
        assert native(sent)["st"] != 1
    document = user('{"KV_GET":{"keys":["b"]}}')
    assert b"No permissions to access a key" in document
    assert user("KV_GET", '{"keys":["b"]}') == NO_KEY
    assert user("KV_SET", '{"keys":{"a":1}}') == no_command("kv_set")
    user("MULTI")
    assert wire("GET", "b") == b"2"


# ---------------------------------------------------------------- the log


def log_of(wire: Any, *args: Any) -> list[dict[str, Any]]:
    return [
        {name.decode(): value for name, value in zip(entry[::2], entry[1::2], strict=True)}
        for entry in wire("ACL", "LOG", *args)
    ]


def test_like_entries_are_one(house: Any, wire: Any, user: Any) -> None:
    user("GET", "a")
    house.clock.advance(1000)
    user("SET", "a", "1")
    house.clock.advance(1000)
    user("GET", "b")
    house.clock.advance(500)
    get, set_ = log_of(wire)
    assert (get["object"], get["count"], get["entry-id"], get["age-seconds"]) == (b"get", 2, 0, b"0.5")
    assert get["timestamp-last-updated"] - get["timestamp-created"] == 2000
    assert (set_["object"], set_["count"], set_["entry-id"], set_["age-seconds"]) == (b"set", 1, 1, b"1.5")
    assert b" cmd=" in get["client-info"]
    assert b"user=u" in get["client-info"]
    house.clock.advance(60_000)
    user("GET", "a")
    assert [entry["count"] for entry in log_of(wire)] == [1, 2, 1]


def test_the_log_is_short(wire: Any, user: Any) -> None:
    wire("CONFIG", "SET", "acllog-max-len", 3)
    for name in ("GET a", "STRLEN a", "TYPE a", "TTL a"):
        user.line(name)
    assert [entry["object"] for entry in log_of(wire, 9)] == [b"ttl", b"type", b"strlen"]
    assert len(log_of(wire, 2)) == 2
    user("GET", "x" * 100)
    user("AUTH", "x" * 5000, "y")
    assert len(log_of(wire)[0]["username"]) == 1024
    wire("CONFIG", "SET", "acllog-max-len", 1)
    assert len(log_of(wire)) == 1
    wire("CONFIG", "SET", "acllog-max-len", 0)
    user("GET", "a")
    assert log_of(wire) == []


def test_no_secret_is_shown(house: Any, wire: Any) -> None:
    secret = b"p4ssw0rd"
    monitor = house.connect()
    monitor("MONITOR")
    wire("CONFIG", "SET", "slowlog-log-slower-than", 0)
    wire("ACL", "SETUSER", "u", "on", b">" + secret)
    wire("ACL", "SETUSER", "u", b"<" + secret + b"2")
    other = house.connect()
    other("AUTH", "u", secret + b"3")
    other("HELLO", 3, "AUTH", "u", secret + b"4")
    other("AUTH", "u", secret)
    log, slow = repr(wire("ACL", "LOG")).encode(), repr(wire("SLOWLOG", "GET", -1)).encode()
    assert b"AUTH" in log
    assert b"SETUSER" in slow
    for shown in (log, slow, monitor.transport.written, repr(wire("CLIENT", "LIST")).encode()):
        assert secret not in shown
    digest = hashlib.sha256(secret).hexdigest().encode()
    assert digest in repr(wire("ACL", "GETUSER", "u")).encode()


def test_denials_are_counted(house: Any, wire: Any, user: Any) -> None:
    wire("ACL", "SETUSER", "u", "+get", "+publish", "~a", "&a")
    for line in ("SET a 1", "SET a 1", "GET b", "PUBLISH b x", "AUTH u no"):
        user.line(line)
    stats = wire("INFO", "stats").decode()
    for name, count in (("auth", 1), ("cmd", 2), ("key", 1), ("channel", 1)):
        assert f"acl_access_denied_{name}:{count}\r\n" in stats
    wire("CONFIG", "RESETSTAT")
    assert "acl_access_denied_cmd:0\r\n" in wire("INFO", "stats").decode()
    assert house.server.table.commands[b"SET"].rejected == 0


def test_a_failed_login_in_a_transaction(wire: Any, user: Any) -> None:
    wire("ACL", "SETUSER", "u", "+@all")
    for line in ("MULTI", "AUTH u bad", "EXEC"):
        user.line(line)
    assert log_of(wire)[0]["context"] == b"multi"
    assert log_of(wire)[0]["reason"] == b"auth"
