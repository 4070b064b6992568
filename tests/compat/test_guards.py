"""The check of rights on the fast path: it allows nothing that the rules deny, and follows changes at once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import House

from januskv.commands.table import Command
from januskv.compat.commands import build_table
from januskv.resp.replies import ErrorReply

TABLE = build_table()
COMMANDS = sorted(
    (command for command in TABLE.everything() if command.subcommands is None), key=lambda each: each.name
)
RULES = st.sampled_from(
    [
        *("+@all", "-@all", "+@read", "+@write", "-@write", "+get", "-get", "+set", "+@string", "+select|1", "+mset"),
        *("~*", "~a*", "%R~b*", "%W~c*", "%RW~a?", "~exact", "%R~*", "%W~*", "resetkeys", "&*", "resetchannels"),
        *("(+@all ~b*)", "(+get %R~*)", "(+@write %W~a*)", "(+@all)"),
    ]
)
WORDS = st.sampled_from([b"a", b"a1", b"b1", b"c", b"exact", b"1", b"2", b"GET", b"STREAMS", b"x*", b""])


def first(house: House, *words: str) -> Any:
    """A connection of the default user that has sent a command."""
    client = house.connect()
    client(*words)
    return client


@given(
    st.lists(RULES, max_size=6),
    st.lists(st.tuples(st.sampled_from(COMMANDS), st.lists(WORDS, max_size=6)), max_size=20),
)
def test_what_the_guard_allows_is_allowed(rules: list[str], requests: list[tuple[Command, list[bytes]]]) -> None:
    house = House()
    assert first(house, "ACL", "SETUSER", "u", "on", "nopass", *rules)
    user = house.server.users.by_name["u"]
    for declared, words in requests:
        command = house.server.table.commands.get(declared.name.encode())
        if command is None or user.guard is None:
            continue
        line = [declared.name.encode(), *words]
        if command.min_args <= len(line) <= command.max_args and user.guard.allows(command, line):
            assert user.refusal(command, line) is None


def test_common_commands_of_limited_users_take_the_fast_path() -> None:
    house = House()
    admin = house.connect()
    admin("ACL", "SETUSER", "u", "on", "nopass", "~a:*", "%R~b:*", "+@read", "+@write")
    client = house.connect()
    client("AUTH", "u", "x")
    guard = client.connection.guard
    assert guard is not None
    table = house.server.table
    for line, fast in (
        (["GET", "a:1"], True),
        (["GET", "b:1"], True),
        (["SET", "a:1", "v"], True),
        (["SET", "b:1", "v"], False),
        (["RENAME", "a:1", "a:2"], True),
        (["RENAME", "a:1", "b:2"], False),
        (["MGET", "a:1", "b:1"], True),
        (["MGET", "a:1", "c:1"], False),
    ):
        words = [word.encode() for word in line]
        assert guard.allows(table.commands[words[0]], words) is fast, line
    assert client("MGET", "a:1", "c:1") == ErrorReply("NOPERM No permissions to access a key")


def test_a_change_of_rights_is_followed_at_once() -> None:
    house = House()
    admin, client = house.connect(), house.connect()
    admin("ACL", "SETUSER", "u", "on", "nopass", "~a*", "+get")
    client("AUTH", "u", "x")
    assert client("GET", "a") is None
    admin("ACL", "SETUSER", "u", "resetkeys", "~b*")
    assert client("GET", "a") == ErrorReply("NOPERM No permissions to access a key")
    assert client("GET", "b") is None
    admin("ACL", "SETUSER", "u", "+@all", "~*", "&*")
    assert client.connection.guard is None
    admin("ACL", "SETUSER", "u", "-get")
    assert client("GET", "b") == ErrorReply("NOPERM User u has no permissions to run the 'get' command")


def test_bodies_of_native_commands() -> None:
    house = House()
    house.connect()("ACL", "SETUSER", "u", "on", "nopass", "~a*", "%R~b*", "+@all", "-sv_export")
    client = house.connect()
    client("AUTH", "u", "x")
    guard, named = client.connection.guard, house.server.table.by_name
    assert guard is not None
    for name, body, allowed in (
        ("kv_get", {"keys": ["a1", "b1"]}, True),
        ("kv_get", {"keys": ["a1", "c1"]}, False),
        ("kv_set", {"keys": {"a1": 1}}, True),
        ("kv_set", {"keys": {"b1": 1}}, False),
        ("kv_get", [], False),
        ("kv_keys", {}, False),
        ("sv_export", {}, False),
    ):
        command = named(name)
        assert command is not None
        assert guard.allows_body(command, body) is allowed, (name, body)
        assert not guard.allows(command, [name.encode(), b"{}"])
