"""Clients that come while data is being loaded, and a start that is ended meanwhile."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from januskv.app import App, StartError
from januskv.compat.server.config import Config
from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import ErrorReply, Simple
from januskv.storage.durability.generations import Directory, Recovery
from januskv.storage.durability.journal import open_journal
from januskv.storage.store import Store
from januskv.storage.values import to_json

LOADING = ErrorReply("LOADING Redis is loading the dataset in memory")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A data directory with 100 keys in as many records."""
    store = Store()
    journal = open_journal(str(tmp_path / "data"), store, cut_torn_tail=False)
    for number in range(100):
        store.databases[0].put(b"key:%d" % number, b"%d" % number)
        journal.commit()
    store.databases[0].delete(b"key:0")
    journal.close()
    return str(tmp_path / "data")


class Peer:
    """A client in the loop of the server."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __call__(self, line: str) -> list[Any]:
        """Send commands, one a line; all replies until the server has closed or answered each."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(line.encode() + b"\n")
        replies: list[Any] = []
        parsed = ReplyReader()
        while len(replies) <= line.count("\n"):
            data = await reader.read(65536)
            if not data:
                break
            parsed.feed(data)
            while (reply := parsed.gets()) is not None:
                replies.append(reply[1])
        writer.close()
        return replies

    async def json(self, body: dict[str, Any]) -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(json.dumps(body).encode() + b"\n")
        answer = json.loads(await reader.readline())
        writer.close()
        return answer

    async def page(self, path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer


Scene = Callable[[App, asyncio.Event], Awaitable[None]]


def play(folder: str, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a scene while a server loads: it has read half and waits for the gate."""
    go_on = Recovery.go_on

    async def run() -> None:
        gate = asyncio.Event()
        half: list[bool] = []

        def halting(recovery: Recovery, budget_s: float) -> bool:
            if gate.is_set():
                return go_on(recovery, 10.0)
            while recovery.share < 0.5:
                assert not go_on(recovery, 0.0)
            half.append(True)
            return False

        patched.setattr(Recovery, "go_on", halting)
        app = App(Config(port=-1, http_port=-1, bind="127.0.0.1", dir=folder))
        start = asyncio.create_task(app.start())
        while not half and not start.done():
            await asyncio.sleep(0)
        await scene(app, gate)
        await start
        await (app.ended.wait() if app.ending else app.close())

    with monkeypatch.context() as patched:
        asyncio.run(run())


def test_what_is_answered_while_data_is_loaded(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(app: App, gate: asyncio.Event) -> None:
        peer = Peer(app.server.process.tcp_port)
        for line in ("GET key:1", "SET a 1", "DBSIZE", "TS.INFO x", "BLPOP a 0", "SAVE", "SELECT 99999999999"):
            assert await peer(line) == [LOADING], line
        assert await peer("PING\nECHO hello") == [LOADING, b"hello"]  # as redis-server: scripts wait for PONG
        multi = await peer("MULTI\nSET a 1\nEXEC")
        assert multi[:2] == [Simple(b"OK"), LOADING]
        assert multi[2].text.startswith(b"EXECABORT")
        info = dict(
            part.split(":", 1) for part in (await peer("INFO persistence"))[0].decode().split("\r\n") if ":" in part
        )
        assert info["loading"] == "1"
        assert 50 <= float(info["loading_loaded_perc"]) < 60
        assert 0 < int(info["loading_loaded_bytes"]) < int(info["loading_total_bytes"])
        for body in ({"KV_GET": {"keys": ["key:1"]}}, {"SH_NEW": {"name": "s"}}):
            (answer,) = (await peer.json(body)).values()
            assert answer["st"] == 140
        web = Peer(app.server.process.http_port)
        assert b" 503 " in (page := await web.page("/readyz"))
        assert b"loading 5" in page
        assert b" 200 " in await web.page("/healthz")
        subscriber, writer = await asyncio.open_connection("127.0.0.1", app.server.process.tcp_port)
        writer.write(b"PSUBSCRIBE *\r\n")
        await subscriber.readuntil(b":1\r\n")
        assert await peer("CONFIG SET notify-keyspace-events KEA") == [Simple(b"OK")]
        gate.set()
        while app.server.state.loading:
            await asyncio.sleep(0)
        assert await peer("GET key:99\nGET key:0\nDBSIZE") == [b"99", None, 99]
        assert await peer("SET afterwards 1") == [Simple(b"OK")]
        assert b" 200 " in await web.page("/readyz")
        assert b"key:" not in await subscriber.readuntil(b"afterwards")
        writer.close()

    play(folder, scene, monkeypatch)


@pytest.mark.parametrize("command", ["SHUTDOWN", "SHUTDOWN SAVE", None])
def test_an_end_while_data_is_loaded_changes_nothing(
    folder: str, monkeypatch: pytest.MonkeyPatch, command: str | None
) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}

    async def scene(app: App, gate: asyncio.Event) -> None:
        if command is None:
            app.signalled()
        else:
            assert await Peer(app.server.process.tcp_port)(command) == []

    before = files()
    play(folder, scene, monkeypatch)
    assert files() == before
    store = Store()
    open_journal(folder, store, cut_torn_tail=False).close()
    assert len(store.databases[0]) == 99


def test_damage_that_is_found_while_loading_ends_the_start(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = Path(folder).glob("log.*")
    data = bytearray(path.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    path.write_bytes(data)
    ports: list[int] = []

    async def scene(app: App, gate: asyncio.Event) -> None:
        ports.append(app.server.process.tcp_port)
        gate.set()

    with pytest.raises(StartError, match=r"log\.1: damaged at offset .* check-log"):
        play(folder, scene, monkeypatch)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", ports[0]))
    assert bytes(data) == path.read_bytes()


def one_record(folder: str, values: dict[bytes, Any]) -> None:
    store = Store()
    journal = open_journal(folder, store, cut_torn_tail=False)
    for key, value in values.items():
        store.databases[0].put(key, value)
    journal.commit()
    journal.close()


@pytest.mark.parametrize("value", [b"v", 7, 1.5, {b"f": b"v"}], ids=["plain", "an integer", "a float", "a hash"])
def test_a_record_of_many_changes_is_loaded_in_slices(tmp_path: Path, value: Any) -> None:
    path = str(tmp_path / "data")
    keys = {b"key:%05d" % number: value for number in range(20_000)}
    one_record(path, keys)
    store = Store()
    directory = Directory(path)
    recovery = Recovery(directory, store)
    slices, most, held = 0, 0, 0
    while not recovery.go_on(0.0):
        slices += 1
        most = max(most, len(store.databases[0]) - held)
        held = len(store.databases[0])
    directory.close()
    assert store.databases[0].data.keys() == keys.keys()
    assert slices >= 5
    assert most < 5_000


def test_a_long_value_in_the_middle_of_a_record(tmp_path: Path) -> None:
    path = str(tmp_path / "data")
    values = {b"a": 1.5, b"b": [b"x" * 50_000] * 10, b"c": b"y" * 300_000, b"d": 2.5, b"e": b"z"}
    one_record(path, values)
    store = Store()
    open_journal(path, store, cut_torn_tail=False).close()
    assert {key: to_json(value) for key, value in store.databases[0].data.items()} == {
        key: to_json(value) for key, value in values.items()
    }


def test_the_collector_does_not_look_at_what_was_loaded(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    journal = open_journal(folder, store, cut_torn_tail=False)
    store.databases[0].put(b"list", [b"an", b"element"])
    journal.commit()
    journal.close()
    seen: list[bool] = []
    enable = gc.enable

    async def run() -> None:
        app = App(Config(port=-1, http_port=-1, bind="127.0.0.1", dir=folder))

        def enabled() -> None:
            loaded = app.server.store.databases[0].data[b"list"]
            seen.append(any(each is loaded for each in gc.get_objects()))
            enable()

        monkeypatch.setattr(gc, "enable", enabled)
        await app.start()
        await app.close()

    try:
        asyncio.run(run())
    finally:
        gc.unfreeze()  # what the server has loaded
        gc.collect()
        gc.freeze()
    assert seen == [False]


def test_keys_that_were_loaded_are_idle_since_then(tmp_path: Path, make_house: Any) -> None:
    house = make_house()
    journal = open_journal(str(tmp_path), house.store, cut_torn_tail=False)
    wire = house.connect()
    for number in range(20):
        wire.line(f"SET k{number} {number}")
    journal.commit()
    journal.close()
    again = make_house()
    again.clock.advance(1000)
    open_journal(str(tmp_path), again.store, cut_torn_tail=False).close()
    again.advance(9000)
    assert {again.connect().line(f"OBJECT IDLETIME k{number}") for number in range(20)} == {9}
