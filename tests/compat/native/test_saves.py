"""KV_SAVE, SH_SAVE, TS_SAVE and their loads: files, listeners, names, damage."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.conftest import FakeTransport

from januskv.compat.native.saves import load_at_start
from januskv.compat.native.websocket import WebSocketConnection
from januskv.compat.server.save_queue import MOST_WAITING
from januskv.storage.durability import saves
from januskv.storage.durability.saves import BadSave


@pytest.fixture
def place(make_house: Any, tmp_path: Path) -> Any:
    """A server that saves to a folder of the test's."""
    return make_house(dir=str(tmp_path))


def ask(house: Any, wire: Any, request: dict[str, Any]) -> list[Any]:
    """All answers to a JSON line, those included that come when what it has begun has ended."""
    wire.send(orjson.dumps(request) + b"\n")
    house.run_timers(1)
    return [next(iter(orjson.loads(line).values())) for line in wire.transport.written.splitlines()]


def test_every_kind_of_value_comes_back(place: Any, tmp_path: Path) -> None:
    wire = place.connect()
    values = {
        "n": 18446744073709551615,
        "f": 0.5,
        "b": True,
        "z": None,
        "t": "ä",
        "o": {"a": [1, {"b": None}]},
        "l": [None, "x"],
    }
    ask(place, wire, {"KV_SET": {"keys": values}})
    wire(b"SET", b"raw", b"\xff\x00")
    wire(b"HSET", b"h", b"f", b"\xfe")
    wire.line("RPUSH r 1 2")
    wire.line("SADD s x")
    wire.line("ZADD zs 1.5 m")
    wire.line("TS.ADD series 1 2")
    first, second = ask(place, wire, {"KV_SAVE": {"name": "all"}})
    assert (first, second["st"], second["name"]) == ({"name": "all", "st": 120}, 121, "all")
    wire.line("FLUSHALL")
    (loaded,) = ask(place, wire, {"KV_LOAD": {"name": "all"}})
    assert (loaded["st"], loaded["keys"], loaded["sessions"]) == (141, 12, 0)
    found = ask(place, wire, {"KV_GET": {"keys": list(values)}})[0]["keys"]
    assert found == values
    assert wire.line("GET raw") == b"\xff\x00"
    assert wire.line("HGET h f") == b"\xfe"
    assert wire.line("LRANGE r 0 -1") == [b"1", b"2"]
    assert wire.line("TYPE s").text == b"list"  # what JSON has for a set
    assert wire.line("HGET zs m") == b"1.5"
    assert wire.line("EXISTS series") == 0
    (save,) = (tmp_path / "saves" / "all").iterdir()
    metadata = json.loads((save / "md" / "md.json").read_text())
    assert (metadata["version"], metadata["status"], metadata["saveDataType"]) == (2, 1, 0)
    assert set(json.loads((save / "data" / "0").read_text())) == {"keys"}


def test_resp_gets_one_answer_when_it_has_ended(place: Any) -> None:
    wire = place.connect()
    wire.line("SET a 1")
    assert wire.send(b'KV_SAVE \'{"name":"one"}\'\r\nPING\r\n') == b""
    place.run_timers(1)
    reply = wire.transport.written
    assert b'"st":121' in reply
    assert reply.endswith(b"+PONG\r\n")


@pytest.mark.parametrize("request_line", ['KV_SAVE \'{"name":"two"}\'', '\'{"KV_SAVE":{"name":"two"}}\''])
def test_a_save_is_no_part_of_a_transaction(place: Any, tmp_path: Path, request_line: str) -> None:
    wire = place.connect()
    wire.line("MULTI")
    queued = wire.line(request_line)
    done = wire.line("EXEC")
    if "KV_SAVE '" in request_line:
        assert queued.text == b"ERR Command not allowed inside a transaction"
        assert done.text.startswith(b"EXECABORT")
    else:
        assert b'{"KV_SAVE_RSP":{"st":171' in done[0]
    assert not list(tmp_path.iterdir())


def test_service_goes_on_and_the_save_is_of_one_moment(place: Any) -> None:
    wire, other = place.connect(), place.connect()
    other.line("SET a before")
    wire.send(b'{"KV_SAVE":{"name":"m"}}\n')
    other.line("SET a after")
    place.run_timers(1)
    other.line("DEL a")
    ask(place, wire, {"KV_LOAD": {"name": "m"}})
    assert other.line("GET a") == b"before"


def test_series_come_back_with_labels_and_rules(place: Any) -> None:
    wire = place.connect()
    wire.line("TS.CREATE s LABELS host a")
    wire.line("TS.MADD s 1 1 s 2 2.5")
    wire("TS_CREATE", b'{"name":"events","type":"Ordered"}')
    wire("TS_ADD_EVT", b'{"ts":"events","t":[1],"evt":[{"v":1}]}')
    assert [each["st"] for each in ask(place, wire, {"TS_SAVE": {"name": "s"}})] == [120, 121]
    wire.line("FLUSHALL")
    assert ask(place, wire, {"TS_LOAD": {"name": "s"}}) == [{"st": 141, "name": "s", "series": 2}]
    assert wire.line("TS.QUERYINDEX host=a") == [b"s"]
    assert wire.line("TS.GET s")[0] == 2
    assert ask(place, wire, {"KV_LOAD": {"name": "s"}}) == [{"st": 142, "name": "s"}]


@pytest.mark.parametrize("name", ["..", "a/b", "../x", "", "a" * 65, "ä", "a b", "/tmp/x"])
def test_names_are_confined(place: Any, tmp_path: Path, name: str) -> None:
    wire = place.connect()
    (saved,) = ask(place, wire, {"KV_SAVE": {"name": name}})
    assert saved["st"] == (122 if name else 42)
    (loaded,) = ask(place, wire, {"KV_LOAD": {"name": name}})
    assert loaded["st"] == (142 if name else 42)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("md/md.json", b'{"version":2,"status":0,"saveDataType":0}'),
        ("md/md.json", b"{"),
        ("md/md.json", b"[]"),
        ("md/md.json", b'{"version":3,"status":1,"saveDataType":0}'),
        ("md/md.json", None),
        ("data/0", b"{"),
        ("data/0", b"[]"),
        ("data/0", b'{"keys":[]}'),
    ],
)
def test_damaged_saves_are_not_loaded(place: Any, tmp_path: Path, file: str, content: bytes | None) -> None:
    wire = place.connect()
    wire.line("SET a 1")
    ask(place, wire, {"KV_SAVE": {"name": "d"}})
    (save,) = (tmp_path / "saves" / "d").iterdir()
    (save / file).unlink()
    if content is not None:
        (save / file).write_bytes(content)
    wire.line("SET a 2")
    assert ask(place, wire, {"KV_LOAD": {"name": "d"}}) == [{"st": 142, "name": "d"}]
    assert wire.line("GET a") == b"2"


def test_a_folder_that_cannot_be_written(make_house: Any, tmp_path: Path) -> None:
    (tmp_path / "saves").write_text("a file")
    house = make_house(dir=str(tmp_path))
    (reply,) = ask(house, house.connect(), {"KV_SAVE": {"name": "x"}})
    assert reply["st"] == 122


def test_saving_may_be_switched_off(make_house: Any, tmp_path: Path) -> None:
    house = make_house(dir=str(tmp_path), native_saves=False)
    wire = house.connect()
    assert ask(house, wire, {"KV_SAVE": {}}) == [{"st": 14, "m": ""}]
    assert ask(house, wire, {"SH_SAVE": {}}) == [{"st": 14, "m": ""}]
    assert ask(house, wire, {"KV_LOAD": {"name": "x"}}) == [{"st": 142, "name": "x"}]


def test_what_keeps_nothing_saves_nothing(make_house: Any, tmp_path: Path) -> None:
    house = make_house()
    house.server.config.set_text("save", "no")
    for command in ("KV_SAVE", "SH_SAVE", "TS_SAVE"):
        (reply,) = ask(house, house.connect(), {command: {"name": "x"}})
        assert reply["st"] == 14
        assert "'save no' keeps nothing" in reply["m"]
    assert ask(house, house.connect(), {"SV_INFO": {}})[0]["persistEnabled"] is False
    house.server.config.set_text("dir", str(tmp_path))
    assert ask(house, house.connect(), {"KV_SAVE": {"name": "x"}})[-1]["st"] == 121
    assert (tmp_path / "saves" / "x").is_dir()


def test_a_client_that_leaves_does_not_stop_a_save(place: Any) -> None:
    wire, other = place.connect(), place.connect()
    wire.send(b'{"KV_SAVE":{"name":"gone"}}\n')
    wire.connection.connection_lost(None)
    place.run_timers(1)
    assert ask(place, other, {"KV_LOAD": {"name": "gone"}})[0]["st"] == 141


# ---------------------------------------------------------------- one at a time


def answers(wire: Any) -> list[Any]:
    """The answers to JSON lines that have come."""
    return [next(iter(orjson.loads(line).values())) for line in wire.transport.written.splitlines()]


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_saves_wait_for_each_other(place: Any) -> None:
    """One client's later requests are done after its save has begun."""
    wire, other = place.connect(), place.connect()
    wire.line("SET a 0")
    lines = b"".join(b'{"KV_SAVE":{"name":"n%d"}}\n{"KV_SET":{"keys":{"a":%d}}}\n' % (n, n + 1) for n in range(5))
    wire.send(lines)
    assert answers(wire) == [{"name": "n0", "st": 120}, {"st": 1}]
    assert other.line("GET a") == b"1"
    assert other.line("PING").text == b"PONG"
    assert len(children()) == 1
    place.run_timers(1)
    found = answers(wire)
    assert [each["st"] for each in found] == [120, 1] + [121, 120, 1] * 4 + [121]
    assert [each["name"] for each in found if each["st"] == 121] == [f"n{n}" for n in range(5)]
    for number in range(5):
        ask(place, other, {"KV_LOAD": {"name": f"n{number}"}})
        assert other.line("GET a") == b"%d" % number


def test_so_many_wait_and_no_more(place: Any) -> None:
    place.store.databases[0].put(b"a", b"1")
    wires = [place.connect() for _ in range(MOST_WAITING + 2)]
    for number, wire in enumerate(wires):
        wire.send(
            b'KV_SAVE \'{"name":"n%d"}\'\r\n' % number if number % 2 else b'{"KV_SAVE":{"name":"n%d"}}\n' % number
        )
    assert len(children()) == 1
    refused = wires[-1].transport.written
    assert b'"st":123' in refused
    assert b"are waiting already" in refused
    place.run_timers(1)
    for wire in wires[:-1]:
        assert wire.transport.written.count(b'"st":121') == 1
    assert not children()
    assert ask(place, wires[-2], {"KV_SAVE": {"name": "again"}})[-1]["st"] == 121


def test_a_client_that_leaves_before_its_save_begins_gets_none(place: Any, tmp_path: Path) -> None:
    first, second, third = (place.connect() for _ in range(3))
    for name, wire in ((b"a", first), (b"b", second), (b"c", third)):
        wire.send(b'{"KV_SAVE":{"name":"%b"}}\n' % name)
    second.connection.connection_lost(None)
    place.run_timers(1)
    assert sorted(os.listdir(tmp_path / "saves")) == ["a", "c"]
    assert answers(third)[-1]["st"] == 121


def test_a_save_of_sessions_is_of_those_that_are_there_when_it_begins(place: Any) -> None:
    wire, other = place.connect(), place.connect()
    tokens = [ask(place, wire, {"SH_NEW": {"name": f"s{n}"}})[0]["tkn"] for n in range(2)]
    wire.send(b'{"KV_SAVE":{"name":"a"}}\n')
    other.send(orjson.dumps({"SH_SAVE": {"name": "b", "tkns": tokens}}) + b"\n")
    wire.send(orjson.dumps({"SH_END": {"tkn": tokens[0]}}) + b"\n")
    place.run_timers(1)
    ask(place, wire, {"SH_END_ALL": {}})
    assert ask(place, wire, {"SH_LOAD": {"name": "b"}})[0]["sessions"] == 1


def test_saves_of_one_name_are_told_apart_whatever_the_clock_does(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = place.connect()
    now = time.time_ns()
    for value, shift in ((1, 0), (2, 0), (3, -(10**12))):
        monkeypatch.setattr(time, "time_ns", lambda shift=shift: now + shift)
        wire.line(f"SET a {value}")
        assert ask(place, wire, {"KV_SAVE": {"name": "n"}})[-1]["st"] == 121
    wire.line("SET a 0")
    ask(place, wire, {"KV_LOAD": {"name": "n"}})
    assert wire.line("GET a") == b"3"


@pytest.mark.parametrize("how", ["an error", "a signal"])
def test_a_failed_save_leaves_no_files(place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    wire = place.connect()
    wire.line("SET a 1")
    ask(place, wire, {"KV_SAVE": {"name": "good"}})

    def fails(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        if path.parent.name == "data":
            if how == "a signal":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(saves, "_write", fails)
    assert [each["st"] for each in ask(place, wire, {"KV_SAVE": {"name": "bad"}})] == [120, 123]
    assert [each["st"] for each in ask(place, wire, {"KV_SAVE": {"name": "good"}})] == [120, 123]
    assert os.listdir(tmp_path / "saves") == ["good"]
    assert len(os.listdir(tmp_path / "saves" / "good")) == 1
    assert ask(place, wire, {"KV_LOAD": {"name": "good"}})[0]["st"] == 141


def test_a_process_that_cannot_be_forked_leaves_no_files(
    place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, other = place.connect(), place.connect()
    wire.send(b'{"KV_SAVE":{"name":"a"}}\n')
    other.send(b'{"KV_SAVE":{"name":"b"}}\n')

    def none() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", none)
    place.run_timers(1)
    assert answers(other) == [{"st": 123, "name": "b", "m": "cannot begin: Resource temporarily unavailable"}]
    assert ask(place, wire, {"KV_SAVE": {"name": "c"}})[-1]["st"] == 123
    assert os.listdir(tmp_path / "saves") == ["a"]
    assert other.line("PING").text == b"PONG"


def test_the_end_of_the_server_gives_up_what_is_not_complete(place: Any, tmp_path: Path) -> None:
    wire, other = place.connect(), place.connect()
    for number in range(1000):
        wire.line(f"SET key:{number} 1")
    wire.send(b'{"KV_SAVE":{"name":"a"}}\n')
    other.send(b'{"KV_SAVE":{"name":"b"}}\n')
    place.server.saves.close()
    assert not children()
    assert os.listdir(tmp_path / "saves") == []
    place.run_timers(1)
    assert not children()


def test_what_is_loaded_at_the_start(place: Any) -> None:
    wire = place.connect()
    token = ask(place, wire, {"SH_NEW": {"name": "s"}})[0]["tkn"]
    ask(place, wire, {"KV_SET": {"tkn": token, "keys": {"a": 1}}})
    ask(place, wire, {"SH_SAVE": {"name": "sessions"}})
    wire.line("SET b 2")
    ask(place, wire, {"KV_SAVE": {"name": "values"}})
    ask(place, wire, {"SH_END_ALL": {}})
    wire.line("FLUSHALL")
    assert load_at_start(place.server, "sessions") == "loaded 1 sessions with 1 keys from the save 'sessions'"
    assert load_at_start(place.server, "values") == "loaded 1 keys from the save 'values'"
    assert ask(place, wire, {"KV_GET": {"tkn": token, "keys": ["a"]}})[0]["keys"] == {"a": 1}
    assert wire.line("GET b") == b"2"
    with pytest.raises(BadSave):
        load_at_start(place.server, "nothing")


def test_a_websocket_waits_for_its_turn(place: Any) -> None:
    other = place.connect()
    connection = WebSocketConnection(place.server, place.native)
    transport = FakeTransport()
    connection.connection_made(transport)

    def framed(payload: bytes) -> bytes:
        """A text message as a client frames it, its mask being zero."""
        return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload

    other.send(b'{"KV_SAVE":{"name":"first"}}\n')
    connection.data_received(
        framed(b'{"KV_SAVE":{"name":"second"}}')
        + framed(b'{"KV_SET":{"keys":{"a":1}}}')
        + framed(b'{"KV_GET":{"keys":["a"]}}')
    )
    connection.data_received(framed(b'{"KV_COUNT":{}}'))
    assert b"_RSP" not in transport.written
    place.server.pause.begin(1, writes_only=False)  # its end lets nobody go on who waits for a save
    place.server.pause.end()
    place.run_timers(0)
    assert b"_RSP" not in transport.written
    place.run_timers(1)
    replies = transport.written.split(b'{"')[1:]
    assert [each.split(b'"')[0] for each in replies if b"_RSP" in each] == [
        b"KV_SAVE_RSP",
        b"KV_SET_RSP",
        b"KV_GET_RSP",
        b"KV_COUNT_RSP",
        b"KV_SAVE_RSP",
    ]
    assert transport.written.index(b'"st":120') < transport.written.index(b'"st":121')
