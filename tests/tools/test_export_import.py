"""``januskv export`` and ``januskv import``: what goes out comes in again, the same, whatever way it takes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.faults.test_failing_system import do_program

from januskv.cli import main
from januskv.resp.replies import ErrorReply
from januskv.storage.clock import ManualClock
from januskv.storage.durability.codec import value_classes
from januskv.storage.durability.generations import Directory, Recovery, write_snapshot
from januskv.storage.durability.portable import Entry
from januskv.storage.store import Store
from januskv.tools.exporting import Commands, as_json, from_store
from januskv.tools.link import RemoteLink, error_of

# Values of all kinds, with what is hard to say in JSON or in Redis' verbs.
LINES: list[list[Any]] = [
    *(
        line.split()
        for line in """
        SET s text|SET n 7|INCR counter|INCRBY least -9223372036854775808|INCRBYFLOAT f 0.5|SETBIT b 77 1|PFADD p a b c
        SET timed x PXAT 9999999999999|HSET h a 1 b 2|HINCRBY h c 3|HINCRBY h b 1|HSET ht a 1 b 2 c 3|HPEXPIREAT ht 9999999999999 FIELDS 2 a b
        RPUSH l a b a|SADD m a b 1|ZADD z 1 a -inf b inf c 0.1 d 1 e|GEOADD g 13.361389 38.115556 Palermo|EXPIREAT z 9999999999
        XADD x 1-1 a 1|XADD x 1-2 a 1 a 2|XADD x 5-0 b 1|XADD x 7-0 b 1|XGROUP CREATE x g 1-1 ENTRIESREAD 1|XGROUP CREATE x h 0
        XREADGROUP GROUP g c COUNT 9 STREAMS x >|XREADGROUP GROUP h d COUNT 1 STREAMS x >|XACK x g 1-2|XDEL x 5-0|XSETID x 9-9
        XGROUP CREATECONSUMER x h idle|XGROUP CREATE empty g $ MKSTREAM|XADD gone 3-1 a b|XDEL gone 3-1
        XADD cut 1-1 a b|XADD cut 2-1 a b|XGROUP CREATE cut g 0|XREADGROUP GROUP g c STREAMS cut >|XTRIM cut MAXLEN 1
        XADD all 1-1 a b|XTRIM all MAXLEN 0
        TS.CREATE t RETENTION 100000 LABELS a b|TS.CREATE t2 LABELS a b c d|TS.CREATERULE t t2 AGGREGATION avg 10
        TS.ADD t 5 1.5|TS.ADD t 15 2|TS.ADD t 12 3|TS.MADD t 25 1 t 35 nan t2 1 9|TS.ADD t 17 3|TS.ADD t 36 0.1
        TS.CREATE old|TS.MADD old 1 1 old 5 2 old 14 3|TS.CREATE o2|TS.CREATERULE old o2 AGGREGATION sum 10|TS.ADD old 16 5
        TS.CREATE o3|TS.CREATERULE old o3 AGGREGATION max 100 3|TS.ADD old 17 inf|TS.CREATE bare DUPLICATE_POLICY SUM
        TS.CREATE w|TS.CREATE w2|TS.CREATERULE w w2 AGGREGATION twa 10|TS.MADD w 1 1 w 12 2 w 25 3 w 27 4
        TS.CREATE i DUPLICATE_POLICY LAST IGNORE 10 1 ENCODING UNCOMPRESSED CHUNK_SIZE 128|TS.MADD i 1 1 i 2 9 i 3 1 i 4 9
    """.replace("\n", "|").split("|")
        if line.split()
    ),
    [
        "KV_SET",
        '{"keys":{"o":{"a":[1,{"b":null}],"t":true,"$base64":"eA=="},"e":{},"el":[],"f1":1.0,"no":null,"u":18446744073709551615}}',
    ],
    ["KV_SET", '{"keys":{"one":{"x":{"$base64":"eA=="},"y":{"$json":1}},"mix":[1,2.5,"x",[null,{"c":"d"}],false]}}'],
    ["RPUSH", "mix", b"\xff\x00"],
    ["HSET", "o", b"\xfe", b"\xff"],
    ["SET", b"\xff\xfe", b"\x00\x80"],
    ["RENAME", "one", b"\xffone"],
    ["RENAME", "el", b"\xffel"],
    ["HSET", "hb", b"\xff", b"\xff", b"plain", b"x"],
    ["RPUSH", "long", *(f"item {n}" for n in range(5000))],
    ["LPUSH", "long", "first"],
    ["LSET", "long", 1, "second"],
    ["ZADD", "large", *(word for n in range(700) for word in (n / 7, f"m{n}"))],
    ["TS_CREATE", '{"name":"ev","type":"Ordered"}'],
    ["TS_ADD_EVT", '{"ts":"ev","t":[5,-1,5,9223372036854775807],"evt":[{"a":1},{"a":"x"},{"a":2},{"b":{"c":[null]}}]}'],
    ["TS_CREATE_INDEX", '{"ts":"ev","key":"a"}'],
    ["SELECT", 3],
    ["SET", "elsewhere", "x"],
]


@pytest.fixture
def full(make_house: Callable[..., Any]) -> Any:
    """A house with values of all kinds, also in sessions."""
    house = make_house(sessions_required=False)
    fill(house.connect())
    store = house.store
    for name, shared, duration in (("private", False, 60), ("common", True, 0)):
        session = store.sessions.open_new(name, shared=shared, duration_s=duration, delete_on_expiry=shared)
        session.keyspace.put(b"key of " + name.encode(), b"value")
        session.keyspace.put(b"json", {b"a": [1, {"b": None}]})
    return house


def fill(wire: Any) -> None:
    for line in LINES:
        reply = wire(*line)
        assert not isinstance(reply, ErrorReply), (line, reply)
        assert not isinstance(reply, bytes) or b"_RSP" not in reply or b'"st":1' in reply, (line, reply)


def shown(entries: Iterable[Entry]) -> list[str]:
    """Everything that an export says, in an order of its own. (Members of sets and fields of hashes have none.)"""
    found = []
    for line in as_json(entries):
        entry = json.loads(line)
        if entry["type"] in ("set", "hash") and type(entry["value"]) is list:
            entry["value"].sort(key=json.dumps)
        for rule in entry["value"]["rules"] if entry["type"] == "TSDB-TYPE" else ():
            # That it was made before its open bucket began or when makes no difference.
            rule["since"] = max(rule["since"] or -1, rule["begin"] - 1) if rule["begin"] is not None else rule["since"]
        found.append(json.dumps(entry, sort_keys=True))
    return sorted(found)


def test_the_data_are_of_all_kinds(full: Any) -> None:
    types = {entry["type"] for entry in from_store(full.store)}
    assert types == {"string", "hash", "list", "set", "zset", "stream", "TSDB-TYPE", "ts-events", "session"}
    kinds = {getattr(type(value), "kind", "") for value in full.store.databases[0].data.values()}
    assert kinds >= value_classes().keys()


def test_commands_make_the_same_again(full: Any, make_house: Callable[..., Any]) -> None:
    other = make_house(sessions_required=False)
    wire = other.connect()
    fill(wire)  # what is there goes
    wire("SELECT", 0)
    for data in Commands(plain=False).make(from_store(full.store)):
        for reply in wire.replies(data):
            assert not isinstance(reply, ErrorReply), (data, reply)
            assert not isinstance(reply, bytes) or b"_RSP" not in reply or b'"st":1' in reply, (data, reply)
    assert shown(from_store(other.store)) == shown(from_store(full.store))
    for keyspace in other.store.keyspaces():
        keyspace.check()
    # Rules go on as they would have: the open bucket closes with all it has seen.
    for house in (full, other):
        peer = house.connect()
        peer("TS.ADD", "old", 200, 1)
        peer("TS.ADD", "t", 90, 7)
    assert shown(from_store(other.store)) == shown(from_store(full.store))


@pytest.mark.parametrize("seed", range(4))
def test_what_random_programs_leave_comes_in_again(make_house: Callable[..., Any], seed: int) -> None:
    first, second = make_house(sessions_required=False), make_house(sessions_required=False)
    do_program(first.connect(), seed, 400)
    wire = second.connect()
    for data in Commands(plain=False).make(from_store(first.store)):
        for reply in wire.replies(data):
            assert not isinstance(reply, ErrorReply), (data, reply)
    assert shown(from_store(second.store)) == shown(from_store(first.store))


def save(store: Store, folder: Path) -> None:
    """Write a store's data into a data directory, as a stopped server leaves it."""
    directory = Directory(str(folder))
    manifest = Recovery(directory, Store(clock=ManualClock())).manifest
    manifest.base = manifest.new_name("base")
    write_snapshot(directory.at(manifest.base), store, manifest.data_set, 1)
    directory.write_manifest(manifest)
    directory.close()


@pytest.mark.parametrize("form", ["resp", "json"])
def test_from_one_directory_to_another(full: Any, tmp_path: Path, form: str, capfd: pytest.CaptureFixture[str]) -> None:
    save(full.store, tmp_path / "from")
    file = str(tmp_path / "export")
    assert main(["export", "--dir", str(tmp_path / "from"), "--format", form, "--output", file]) == 0
    assert main(["import", "--dir", str(tmp_path / "to"), file]) == 0
    assert ", 0 errors" in capfd.readouterr().err
    assert not (tmp_path / "export.unfinished").exists()
    for name in ("from", "to"):
        assert main(["export", "--dir", str(tmp_path / name), "--format", "json", "--output", file + name]) == 0
    entries = [
        [json.loads(line) for line in (tmp_path / f"export{name}").read_text().splitlines()] for name in ("from", "to")
    ]
    assert shown(entries[0]) == shown(entries[1]) == shown(from_store(full.store))


# ---------------------------------------------------------------- servers


def ask(port: int, *words: Any) -> Any:
    link = RemoteLink("127.0.0.1", port, "default", "")
    reply = link.ask([word if isinstance(word, bytes) else str(word).encode() for word in words])
    link.close()
    return reply


@pytest.mark.parametrize("form", ["resp", "json"])
def test_from_one_running_server_to_another(
    start_januskv: Callable[..., Any], tmp_path: Path, form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("--enable-debug-command", "yes", "--sessions-required", "no")
    first, second = start_januskv(*options), start_januskv(*options)
    link = RemoteLink("127.0.0.1", first.port, "default", "")
    for line in LINES:
        assert error_of(link.ask([word if isinstance(word, bytes) else str(word).encode() for word in line])) is None
    token = json.loads(link.ask([b"SH_NEW", b'{"name":"mine"}']))["SH_NEW_RSP"]["tkn"]
    link.ask([b"SELECT", b"%d" % token])
    for number in range(250):  # more than are asked for at once
        link.ask([b"SET", b"in session %d" % number, b"value"])
    link.close()
    file = str(tmp_path / "export")
    assert main(["export", "--port", str(first.port), "--format", form, "--output", file]) == 0
    assert main(["import", "--port", str(second.port), file]) == 0
    assert ", 0 errors" in capfd.readouterr().err
    assert ask(second.port, "DEBUG", "DIGEST") == ask(first.port, "DEBUG", "DIGEST")
    for server, name in ((first, "first"), (second, "second")):
        assert main(["export", "--port", str(server.port), "--format", "json", "--output", str(tmp_path / name)]) == 0
    found = [[json.loads(line) for line in (tmp_path / name).read_text().splitlines()] for name in ("first", "second")]
    assert sum("session" in entry for entry in found[1]) == 251
    assert shown(found[0]) == shown(found[1])


def test_a_password(start_januskv: Callable[..., Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    server = start_januskv("--requirepass", "secret", "--sessions-required", "no")
    file = str(tmp_path / "file")
    (tmp_path / "file").write_text('{"type":"string","key":"a","database":0,"value":"b","expiry":null}\n')
    place = ["--port", str(server.port)]
    assert main(["import", *place, "--password", "wrong", file]) == 1
    assert "WRONGPASS" in capfd.readouterr().err
    assert main(["import", *place, file]) == 1
    assert f"{file}: line 1: SET a...: NOAUTH" in capfd.readouterr().err
    assert main(["import", *place, "--password", "secret", file]) == 0
    assert main(["export", *place]) == 1
    assert "does not export: NOAUTH" in capfd.readouterr().err
    assert main(["export", *place, "--password", "secret"]) == 0
    assert capfd.readouterr().out == "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"


def test_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n" * 1000)
    for tool in (["import", "file"], ["export", "--output", "out"]):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        argv = [sys.executable, "-m", "januskv", tool[0], "--dir", "data", *tool[1:]]
        assert subprocess.run(argv, cwd=tmp_path, stderr=theirs, timeout=60).returncode == 0
        os.close(theirs)
        said = os.read(ours, 65536).decode()
        os.close(ours)
        assert "100%|" in said
        assert {"import": "27.0k/27.0k", "export": "1/1"}[tool[0]] in said


def test_a_server_that_loads_is_waited_for() -> None:
    replies = [b"-LOADING Redis is loading the dataset in memory\r\n", b":0\r\n", b"+PONG\r\n"]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                for reply in replies:
                    assert peer.recv(1000)
                    peer.sendall(reply)

        server = threading.Thread(target=serve)
        server.start()
        link = RemoteLink("127.0.0.1", listener.getsockname()[1], "default", "")
        assert link.ask([b"PING"]) == b"PONG"
        link.close()
        server.join(10)


def test_a_server_that_goes_ends_the_import(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"*1\r\n$4\r\nPING\r\n" * 3)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b":0\r\n")
                peer.recv(1000)
                peer.sendall(b"+PONG\r\n")

        server = threading.Thread(target=serve)
        server.start()
        assert main(["import", "--port", str(listener.getsockname()[1]), str(tmp_path / "file")]) == 1
        told = capfd.readouterr().err
        assert "1 commands, 0 errors" in told
        assert "the server has closed the connection" in told
        server.join(10)


# ---------------------------------------------------------------- what is wrong


def imported(folder: Path, content: bytes) -> int:
    (folder / "file").write_bytes(content)
    return main(["import", "--dir", str(folder / "to"), str(folder / "file")])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        pytest.param(b"{", "line 2: unexpected end of data", id="no JSON"),
        pytest.param(b"[1]", "line 2: no object", id="no object"),
        pytest.param(b'{"type":"string","key":"k","value":"v"}', "line 2: it names neither", id="no place"),
        pytest.param(b'{"type":"string","key":"k","database":0}', "line 2: no key of an export", id="no value"),
        pytest.param(b'{"type":"new","key":"k","database":0,"value":1}', "line 2: unknown type 'new'", id="a new type"),
        pytest.param(b'{"type":"set","key":"k","database":0,"value":[1]}', "line 2: no key of", id="a number in a set"),
        pytest.param(b'{"type":"zset","key":"k","database":0,"value":[["a","x"]]}', "line 2: no key of", id="no score"),
        pytest.param(
            b'{"type":"string","key":{"$base64":"?"},"database":0,"value":1}', "line 2: no key of", id="no base64"
        ),
        pytest.param(
            b'{"type":"string","key":"k","database":99,"value":"v"}', "line 2: SELECT 99: ERR DB", id="no database"
        ),
        pytest.param(
            b'{"type":"string","key":"k","session":4294967296,"value":"v"}', "line 2: SELECT 42949", id="no session"
        ),
        pytest.param(b'{"type":"TSDB-TYPE","key":"k","database":0}', "line 2: 'value'", id="a series without a value"),
        pytest.param(
            b'{"type":"TSDB-TYPE","key":"k","database":0,"value":{"rules":[1]}}',
            "line 2: no key of",
            id="half a series",
        ),
        pytest.param(
            b'{"type":"session","session":5,"name":"x","shared":false,"duration":0,"deleteSession":false}',
            "line 2: SH_RESTORE",
            id="a token that no session has",
        ),
    ],
)
def test_a_wrong_line_is_told_and_the_others_are_imported(
    tmp_path: Path, line: bytes, error: str, capfd: pytest.CaptureFixture[str]
) -> None:
    good = [b'{"type":"string","key":"key %d","database":1,"value":"v","expiry":null}' % number for number in (1, 2)]
    assert imported(tmp_path, b"\n".join([good[0], line, good[1], b""])) == 1
    told = capfd.readouterr().err
    assert f"{tmp_path}/file: {error}" in told
    assert " 1 errors" in told
    assert main(["export", "--dir", str(tmp_path / "to"), "--format", "json"]) == 0
    keys = [json.loads(line)["key"] for line in capfd.readouterr().out.splitlines()]
    assert keys == ["key 1", "key 2"]


def test_keys_of_a_wrong_place_go_nowhere_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = [b'{"type":"string","key":"k%d","database":%d,"value":"v"}' % (n, n) for n in (1, 99, 2)]
    assert imported(tmp_path, b"\n".join(lines)) == 1
    capfd.readouterr()
    main(["export", "--dir", str(tmp_path / "to"), "--format", "json"])
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(entry["key"], entry["database"]) for entry in found] == [("k1", 1), ("k2", 2)]


def test_many_errors_are_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert imported(tmp_path, b"*1\r\n$4\r\nNONE\r\n" * 100 + b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n") == 1
    told = capfd.readouterr().err
    assert "offset 14: NONE: ERR unknown command" in told
    assert told.count(": offset ") == 20
    assert "100 commands, 101 errors" in told


@pytest.mark.parametrize(
    ("content", "error"),
    [
        pytest.param(b"REDIS0011\xfa", "RDB file, which is not read; let Redis write commands", id="RDB"),
        pytest.param(b"hello", "neither commands nor JSON lines", id="text"),
        pytest.param(b"*1\r\n+PING\r\n", "offset 0: b'+PING", id="no bulk string"),
        pytest.param(b"*1\r\n$4\r\nPINGxx", "offset 0: an argument does not end", id="a wrong length"),
        pytest.param(b"*99999999999\r\n", "offset 0: b'*99999999999", id="too many arguments"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, error: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert imported(tmp_path, content) == 1
    assert error in capfd.readouterr().err


def test_a_directory_that_cannot_be_exported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--dir", str(tmp_path / "none")]) == 1
    assert not (tmp_path / "none").exists()
    assert main(["export", "--dir", str(tmp_path)]) == 1
    assert "is not a data directory" in capfd.readouterr().err
    assert imported(tmp_path, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n") == 0
    log = tmp_path / "to" / "log.1"
    whole = log.read_bytes()
    log.write_bytes(whole + b"x")
    assert main(["export", "--dir", str(tmp_path / "to")]) == 0
    assert "unfinished end" in capfd.readouterr().err
    log.write_bytes(whole[:50] + b"x" + whole[51:] + whole)
    assert main(["export", "--dir", str(tmp_path / "to"), "--output", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()
    held = Directory(str(tmp_path / "to"))
    assert main(["export", "--dir", str(tmp_path / "to")]) == 1
    assert main(["import", "--dir", str(tmp_path / "to"), str(tmp_path / "file")]) == 1
    assert capfd.readouterr().err.count("is used by another server") == 2
    held.close()


def test_only_what_redis_knows(full: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save(full.store, tmp_path / "from")
    assert main(["export", "--dir", str(tmp_path / "from"), "--plain-redis"]) == 0
    told = capfd.readouterr()
    for word in ("KV_", "TS_", "TS.", "SH_", "private"):
        assert word not in told.out, word
    for line in ("9 of type TSDB-TYPE", "1 of type ts-events", "2 of type session", "4 of type key of a session"):
        assert line in told.err
    with pytest.raises(SystemExit):
        main(["export", "--plain-redis", "--format", "json"])
