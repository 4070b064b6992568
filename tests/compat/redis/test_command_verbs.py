"""COMMAND and its subcommands, made from the table."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.compat.commands import build_table
from januskv.resp.replies import ErrorReply, Simple


def test_one_entry_has_ten_elements(wire: Any) -> None:
    (entry,) = wire("COMMAND", "INFO", "get")
    assert entry == [
        b"get",
        2,
        [Simple(b"readonly"), Simple(b"fast")],
        1,
        1,
        1,
        [Simple(b"@string"), Simple(b"@read"), Simple(b"@fast")],
        [],
        [
            [
                b"flags",
                [Simple(b"RO"), Simple(b"access")],
                b"begin_search",
                [b"type", b"index", b"spec", [b"index", 1]],
                b"find_keys",
                [b"type", b"range", b"spec", [b"lastkey", 0, b"keystep", 1, b"limit", 0]],
            ]
        ],
        [],
    ]


def test_unknown_names_keep_their_place(wire: Any) -> None:
    found = wire("COMMAND", "INFO", "nosuch", "GET", "config|get", "config|nosuch")
    assert found[0] is None
    assert [found[1][0], found[2][0]] == [b"get", b"config|get"]
    assert found[3] is None


def test_all_of_them(wire: Any) -> None:
    everything = wire("COMMAND")
    assert wire("COMMAND", "COUNT") == len(everything) == len(wire("COMMAND", "INFO"))
    names = {entry[0] for entry in everything}
    assert names == {name.lower() for name in build_table().commands}
    assert len(wire("COMMAND", "DOCS")) == 2 * len(everything)
    assert names < set(wire("COMMAND", "LIST"))


def test_docs(wire: Any) -> None:
    wire("HELLO", 3)
    (name, found), *more = wire("COMMAND", "DOCS", "set", "nosuch")
    assert (name, more) == (b"set", [])
    docs = dict(found)
    assert (docs[b"since"], docs[b"group"], docs[b"complexity"]) == (b"1.0.0", b"string", b"O(1)")
    arguments = [dict(argument) for argument in docs[b"arguments"]]
    assert [argument[b"name"] for argument in arguments[:2]] == [b"key", b"value"]
    assert (arguments[0][b"type"], arguments[0][b"key_spec_index"]) == (b"key", 0)
    assert arguments[2][b"type"] == b"oneof"


def test_docs_of_what_is_deprecated(wire: Any) -> None:
    wire("HELLO", 3)
    ((_, found),) = wire("COMMAND", "DOCS", "slaveof")
    docs = dict(found)
    assert (docs[b"deprecated_since"], docs[b"replaced_by"]) == (b"5.0.0", b"`REPLICAOF`")


@pytest.mark.parametrize("filter_", ["ACLCAT transaction", "PATTERN *exec*", "ACLCAT nosuch", "MODULE json"])
def test_list_filtered(wire: Any, filter_: str) -> None:
    found = set(wire.line(f"COMMAND LIST FILTERBY {filter_}"))
    expected = {
        "ACLCAT transaction": {b"multi", b"exec", b"discard", b"watch", b"unwatch"},
        "PATTERN *exec*": {b"exec"},
    }
    assert found == expected.get(filter_, set())


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("GET a", ["a"]),
        ("mset a 1 b 2", ["a", "b"]),
        ("RENAME a b", ["a", "b"]),
        ("DEL a b c", ["a", "b", "c"]),
        ("LCS a b LEN", ["a", "b"]),
        ("MEMORY USAGE a SAMPLES 5", ["a"]),
        ("OBJECT ENCODING a", ["a"]),
        ("COPY a b DB 3", ["a", "b"]),
    ],
)
def test_keys_of_a_line(wire: Any, line: str, keys: list[str]) -> None:
    assert wire.line(f"COMMAND GETKEYS {line}") == [key.encode() for key in keys]


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        pytest.param("SET a 1", [b"OW", b"update"], id="SET only writes"),
        pytest.param("SET a 1 GET", [b"RW", b"access", b"update"], id="SET with GET reads too"),
        pytest.param("GET a", [b"RO", b"access"], id="GET"),
    ],
)
def test_keys_with_what_is_done_to_them(wire: Any, line: str, flags: list[bytes]) -> None:
    assert wire.line(f"COMMAND GETKEYSANDFLAGS {line}") == [[b"a", [Simple(flag) for flag in flags]]]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('COMMAND "a\\xff"', "ERR unknown subcommand 'a\udcff'. Try COMMAND HELP."),
        ('"a\\xff" b', "ERR unknown command 'a\udcff', with args beginning with: 'b' "),
        ("COMMAND GETKEYS nosuch a", "ERR Invalid command specified"),
        ("COMMAND GETKEYS PING", "ERR The command has no key arguments"),
        ("COMMAND GETKEYS GET", "ERR Invalid number of arguments specified for command"),
        ("COMMAND LIST FILTERBY", "ERR syntax error"),
        ("COMMAND LIST FILTERBY FOO x", "ERR syntax error"),
        ("COMMAND LIST ALL", "ERR syntax error"),
        ("COMMAND NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP."),
        ("COMMAND COUNT x", "ERR wrong number of arguments for 'command|count' command"),
    ],
)
def test_refused(wire: Any, line: str, text: str) -> None:
    assert wire.line(line) == ErrorReply(text)


def test_two_servers_in_a_process_share_nothing(make_house: Any) -> None:
    one, other = make_house().connect(), make_house().connect()
    for _ in range(3):
        one("GET", "a")
    assert b"cmdstat_get:calls=3" in one("INFO", "commandstats")
    assert b"cmdstat_get" not in other("INFO", "commandstats")
    one.line('KV_SET \'{"keys":{"a":1}}\'')
    assert other("GET", "a") is None
