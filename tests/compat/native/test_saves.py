"""KV_SAVE, SH_SAVE, TS_SAVE and their loads: files, doors, names, damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from januskv.compat.native_saves import load_at_start
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
    wire.line("MULTI")
    wire.send(b'KV_SAVE \'{"name":"two"}\'\r\n')
    assert b'"st":121' in wire.line("EXEC")[0]


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


def test_a_client_that_leaves_does_not_stop_a_save(place: Any) -> None:
    wire, other = place.connect(), place.connect()
    wire.send(b'{"KV_SAVE":{"name":"gone"}}\n')
    wire.connection.connection_lost(None)
    place.run_timers(1)
    assert ask(place, other, {"KV_LOAD": {"name": "gone"}})[0]["st"] == 141


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
