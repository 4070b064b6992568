"""What the declarations of native commands say: keys, arity, categories, and parameters that they do not take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from januskv.commands.categories import categories_of
from januskv.commands.declare import Flag
from januskv.commands.params import is_misspelling
from januskv.commands.table import Command
from januskv.compat.commands import build_table
from januskv.resp.replies import ErrorReply, Simple

NATIVE = build_table().native

ABOUT_ALL_KEYS = {"KV_CLEAR", "KV_COUNT", "KV_KEYS", "TS_LIST", "KV_SAVE", "KV_LOAD", "TS_SAVE", "TS_LOAD", "SV_EXPORT"}
ABOUT_SESSIONS = {
    *("SH_NEW", "SH_OPEN", "SH_END", "SH_END_ALL", "SH_INFO", "SH_INFO_ALL", "SH_EXISTS"),
    *("SH_ENTER", "SH_RESTORE", "SH_SAVE", "SH_LOAD"),
}
# Those that take the right to all keys, or to the keys of patterns.
BY_PATTERN = {
    *(ABOUT_ALL_KEYS | {"SV_SUBSCRIBE", "KV_FIND", "KV_CLEAR_SET"}),
    *("SH_END", "SH_END_ALL", "SH_INFO", "SH_INFO_ALL", "SH_SAVE", "SH_LOAD"),
}
ABOUT_THE_SERVER = {"SV_INFO", "SV_AUTH", "SV_PUBLISH", "SV_SUBSCRIBE", "SV_UNSUBSCRIBE"}


def test_every_command_names_its_keys_or_has_a_reason_not_to() -> None:
    without = {name for name, command in NATIVE.items() if not command.options.keys}
    assert without == ABOUT_ALL_KEYS | ABOUT_SESSIONS | ABOUT_THE_SERVER


def test_which_commands_take_the_right_to_all_keys() -> None:
    assert {name for name, command in NATIVE.items() if command.options.key_patterns} == BY_PATTERN


@pytest.mark.parametrize("command", NATIVE.values(), ids=list(NATIVE))
def test_each_declaration(command: Command) -> None:
    categories = categories_of(command)
    assert set(categories) & {"keyvalue", "session", "timeseries", "connection", "pubsub", "admin"}
    assert command.name in {"SV_AUTH", "SH_ENTER"} or set(categories) & {"read", "write", "pubsub", "admin"}
    assert (Flag.MOVABLEKEYS in command.flags) == bool(command.options.keys)
    assert command.arity == (2 if command.min_args == 2 else -1)
    if any(param.required for param in command.params or ()):
        assert command.arity == 2
    for spec in command.options.keys:
        assert spec.names is not None
        assert spec.flags[0] == "RO" if Flag.READONLY in command.flags else spec.flags[0] in ("RW", "OW", "RM")


KEYS = [
    ("KV_GET", {"keys": ["a", 1, "b"]}, ["a", "b"], ["RO", "access"]),
    ("KV_SET", {"keys": {"a": 1, "b": 2}, "tkn": 5}, ["a", "b"], ["OW", "update"]),
    ("KV_RMV", {"keys": ["a"]}, ["a"], ["RM", "delete"]),
    ("KV_UPDATE", {"key": "a", "path": "$", "value": 1}, ["a"], ["RW", "access", "update"]),
    ("KV_FIND", {"path": "$", "rsp": "keys"}, [], []),
    ("TS_CREATE", {"name": "höhe", "type": "Ordered"}, ["höhe"], ["OW", "insert"]),
    ("TS_ADD_EVT", {"ts": "s", "t": [1], "evt": [{}]}, ["s"], ["RW", "update"]),
    ("TS_GET_MULTI", {"s": {"rng": []}, "r": {"rng": []}, "tkn": 5}, ["s", "r"], ["RO", "access"]),
    ("TS_GET_MULTI", {"tkn": {"rng": []}}, ["tkn"], ["RO", "access"]),
]


@pytest.mark.parametrize(("name", "body", "keys", "flags"), KEYS)
def test_keys_of_a_request(wire: Any, name: str, body: dict[str, Any], keys: list[str], flags: list[str]) -> None:
    names = [each.encode() for each in keys]
    for line in ((name, json.dumps(body)), (json.dumps({name: body}),)):
        assert wire("COMMAND", "GETKEYS", *line) == names
        assert wire("COMMAND", "GETKEYSANDFLAGS", *line) == [
            [key, [Simple(each.encode()) for each in flags]] for key in names
        ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (("KV_GET",), "number of arguments"),
        (("KV_GET", "{}", "{}"), "number of arguments"),
        (("KV_GET", "{"), "Invalid arguments"),
        (("KV_GET", "[1]"), "Invalid arguments"),
        (("KV_COUNT", "{}"), "has no key arguments"),
        (('{"KV_COUNT":{}}',), "has no key arguments"),
        (('{"KV_GETS":{}}',), "Invalid command specified"),
        (('{"KV_GET":5}',), "Invalid arguments"),
        (("{}",), "Invalid arguments"),
        (('{"KV_GET":{},"KV_SET":{}}',), "Invalid arguments"),
    ],
)
def test_keys_are_not_found(wire: Any, line: tuple[str, ...], text: str) -> None:
    reply = wire("COMMAND", "GETKEYS", *line)
    assert isinstance(reply, ErrorReply)
    assert text in reply.text.decode()


def test_what_command_info_tells(wire: Any) -> None:
    wire("HELLO", 3)
    [info] = wire("COMMAND", "INFO", "KV_GET")
    name, arity, flags, first, last, step, categories, _, specs, _ = info
    assert (name, arity, first, last, step) == (b"kv_get", 2, 0, 0, 0)
    assert set(flags.items) == {Simple(b"readonly"), Simple(b"movablekeys")}
    assert set(categories.items) == {Simple(b"@keyvalue"), Simple(b"@read"), Simple(b"@slow")}
    assert dict(specs.items[0])[b"notes"] == b"The keys are named by 'keys' in the JSON object"
    assert wire("COMMAND", "INFO", "KV_KEYS")[0][1] == -1


def test_a_body_that_is_left_out(wire: Any) -> None:
    assert wire("KV_SET").text == b"ERR wrong number of arguments for 'kv_set' command"
    assert json.loads(wire("KV_COUNT")) == {"KV_COUNT_RSP": {"st": 1, "cnt": 0}}


@pytest.mark.parametrize("line", [("KV_GET", '{"keys":["a"]}'), ('{"KV_GET":{"keys":["a"]}}',)])
def test_caches_hear_of_keys_that_were_read_as_json(house: Any, wire: Any, line: tuple[str, ...]) -> None:
    wire("HELLO", 3)
    wire("CLIENT", "TRACKING", "ON")
    wire(*line)
    wire("KV_GET", "no JSON")
    house.connect()("SET", "a", 1)
    house.run_timers()
    assert b"invalidate" in wire.transport.written


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize("name", ["limt", "limits", "Limit", "LIMIT", "lmiit", "limot", "imit"])
def test_nearly_the_same_name(name: str) -> None:
    assert is_misspelling(name, "limit")
    assert is_misspelling("limit", name)


@pytest.mark.parametrize("name", ["colour", "lim", "limitless", "timid", "tilim", ""])
def test_other_names(name: str) -> None:
    assert not is_misspelling(name, "limit")


@pytest.mark.parametrize(
    ("name", "body", "status", "param"),
    [
        pytest.param("TS_GET", {"ts": "s", "rng": [], "limt": 1}, 9, "limt", id="limt"),
        pytest.param("TS_GET_MULTI", {"s": {"rng": [], "wher": {}}}, 9, "wher", id="in one of several queries"),
        pytest.param("KV_GET", {"keys": ["a"], "tkm": 1}, 13, "tkm", id="a token"),
        pytest.param("KV_FIND", {"path": "$", "rsp": "keys", "key": ["a"]}, 13, "key", id="key for keys"),
        pytest.param("SH_NEW", {"name": "a", "Shared": True}, 13, "Shared", id="letter case"),
        pytest.param("SH_SAVE", {"name": "a", "tkn": 5}, 13, "tkn", id="of a save"),
        pytest.param("TS_LIST", {"colour": 1}, 9, "colour", id="a strict command of the series"),
        pytest.param("SV_EXPORT", {"colour": 1}, 13, "colour", id="a strict command"),
        pytest.param("TS_SAVE", {"name": "a", "tkn": 5}, 9, "tkn", id="a token where none is taken"),
    ],
)
def test_refused_parameters(make_house: Any, name: str, body: dict[str, Any], status: int, param: str) -> None:
    wire = make_house().connect()
    reply = json.loads(wire(name, json.dumps(body)))[f"{name}_RSP"]
    assert (reply["st"], reply["param"]) == (status, param)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        pytest.param("KV_GET", {"keys": [], "colour": 1, "kes": []}, id="nothing near an optional parameter"),
        pytest.param("SH_NEW", {"name": "a", "tkn": 5}, id="a token that is not taken"),
        pytest.param("TS_GET_MULTI", {"tkns": {"rng": []}, "limt": {"rng": []}}, id="names of series"),
        pytest.param("SV_INFO", {"colour": 1}, id="SV_INFO is NemesisDB's"),
    ],
)
def test_ignored_parameters(wire: Any, name: str, body: dict[str, Any]) -> None:
    assert json.loads(wire(name, json.dumps(body)))[f"{name}_RSP"].get("st", 1) == 1
