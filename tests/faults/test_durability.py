"""Servers that are killed, ended, or run out of disk: nothing that was acknowledged is lost.

Run the long versions with ``JANUSKV_KILLS=200 pytest -m slow tests/faults/test_durability.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from januskv.app import App
from januskv.compat.server.config import Config
from januskv.resp.decoder import ReplyReader

KILLS = int(os.environ.get("JANUSKV_KILLS", "0"))


class Peer:
    """A client that reads one reply for each command."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.reader = ReplyReader()

    def __call__(self, *words: bytes | str | int) -> Any:
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.sock.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts))
        while (reply := self.reader.gets()) is None:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self.reader.feed(data)
        return reply[1]

    def info(self, field: str) -> str:
        text = self("INFO", "persistence")
        text = getattr(text, "data", getattr(text, "text", text))
        lines = (text.decode() if isinstance(text, bytes) else str(text)).split("\r\n")
        return next(line.split(":")[1] for line in lines if line.startswith(f"{field}:"))


class Server:
    """A server process over a data directory that outlives it."""

    def __init__(self, folder: Path, *options: str, **more: Any) -> None:
        argv = [sys.executable, "-m", "januskv", "--port", "-1", "--http-port", "0", "--bind", "127.0.0.1"]
        argv += ["--enable-debug-command", "yes", "--appendonly", "yes", "--dir", str(folder), *options]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=folder.parent, **more)
        assert self.process.stdout is not None
        self.lines: list[str] = []
        while not self.lines or " ready: " not in self.lines[-1]:
            self.lines.append(self.process.stdout.readline().decode())
            assert self.lines[-1], self.lines
        self.port = int(self.lines[-1].split("127.0.0.1:")[1].split(",")[0])

    def end(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        status = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@contextlib.contextmanager
def running(folder: Path, *options: str, **more: Any) -> Iterator[tuple[Server, Peer]]:
    server = Server(folder, *options, **more)
    try:
        peer = Peer(server.port)
        yield server, peer
        peer.sock.close()
    finally:
        if server.process.poll() is None:
            server.end()


class Writer(threading.Thread):
    """Writes to its own keys until the server is gone, and knows what was acknowledged."""

    def __init__(self, number: int, port: int, state: dict[bytes, int]) -> None:
        super().__init__()
        self.peer = Peer(port)
        self.number = number
        self.acknowledged = state  # key -> value
        self.in_flight: tuple[bytes, int] | None = None
        self.wrong = ""

    def run(self) -> None:
        chance = random.Random(self.number)
        with contextlib.suppress(OSError):
            while not self.wrong:
                key = b"w%d:%d" % (self.number, chance.randrange(20))
                value = self.acknowledged.get(key, 0) + 1
                self.in_flight = (key, value)
                reply = self.peer("INCR", key)
                if reply != value:
                    self.wrong = f"INCR {key!r} gave {reply} instead of {value}"
                self.acknowledged[key] = value
                self.in_flight = None


def check_kills(folder: Path, policy: str, kills: int, writers: int, seed: int) -> int:
    """Kill a server in a loop under writers; gives how many acknowledged writes were checked."""
    chance = random.Random(seed)
    states: list[dict[bytes, int]] = [{} for _ in range(writers)]
    checked = 0
    for _ in range(kills):
        server = Server(folder, "--appendfsync", policy, "--auto-aof-rewrite-min-size", "20000")
        threads = [Writer(number, server.port, states[number]) for number in range(writers)]
        for each in threads:
            each.start()
        threading.Event().wait(chance.uniform(0.005, 0.5))
        server.end()
        for each in threads:
            each.join()
            assert not each.wrong
        with running(folder) as (_, peer):
            for each in threads:
                each.peer.sock.close()
                keys = list(each.acknowledged)
                if each.in_flight is not None and each.in_flight[0] not in keys:
                    keys.append(each.in_flight[0])
                for key, held in zip(keys, peer("MGET", *keys) if keys else [], strict=True):
                    value = each.acknowledged.get(key, 0)
                    found = int(held or 0)
                    if each.in_flight == (key, value + 1) and found == value + 1:
                        each.acknowledged[key] = found
                    else:
                        assert found == value, key
                    checked += 1
    return checked


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_a_killed_server_has_every_acknowledged_write(tmp_path: Path, policy: str) -> None:
    assert check_kills(tmp_path / "data", policy, kills=2, writers=16, seed=1) > 50


@pytest.mark.slow
@pytest.mark.skipif(not KILLS, reason="JANUSKV_KILLS says how many kills")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_many_kills(tmp_path: Path, policy: str) -> None:
    assert check_kills(tmp_path / "data", policy, kills=KILLS, writers=16, seed=2) > KILLS


def test_all_kinds_are_found_again_after_a_kill(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--sessions-required", "no") as (server, peer):
        peer("SET", "bytes", b"\xff\0")
        peer("SET", "timed", "x", "PX", 100_000_000)
        peer("KV_SET", '{"keys":{"o":{"a":[1,{"b":null}]},"l":[1,2.5,"x"],"n":null,"t":true}}')
        peer("KV_ARR_APPEND", '{"key":"o","name":"a","items":[{"c":2}]}')
        peer("KV_ARR_APPEND", '{"key":"l","items":[null]}')
        token = json.loads(peer("SH_NEW", '{"name":"mine"}'))["SH_NEW_RSP"]["tkn"]
        peer("KV_SET", json.dumps({"tkn": token, "keys": {"in a session": [1, 2]}}))
        held = peer("KV_GET", json.dumps({"tkn": token, "keys": ["in a session"]}))
        peer("MULTI")
        peer("SELECT", 3)
        peer("SET", "there", 1)
        peer("RENAME", "there", "here")
        peer("SELECT", 0)
        peer("EXEC")
        assert "started" in str(peer("BGSAVE"))
        peer("SET", "later", 1)
        before = peer("DEBUG", "DIGEST")
        server.end()
    with running(tmp_path / "data") as (_, peer):
        assert peer("DEBUG", "DIGEST") == before
        assert b"[1,2]" in held
        assert peer("KV_GET", json.dumps({"tkn": token, "keys": ["in a session"]})) == held


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("BGSAVE", "Background saving scheduled"),
        ("BGREWRITEAOF", "Background append only file rewriting scheduled"),
    ],
)
def test_a_snapshot_asked_for_in_a_transaction_does_not_divide_it(tmp_path: Path, verb: str, answer: str) -> None:
    folder = tmp_path / "data"
    with running(folder) as (server, peer):
        for words in (("MULTI",), ("SET", "a", "first"), (verb,), ("SET", "b", "second")):
            peer(*words)
        assert answer in str(peer("EXEC"))
        holds = [path.name for path in folder.glob("log.*") if b"first" in path.read_bytes()]
        assert holds == [path.name for path in folder.glob("log.*") if b"second" in path.read_bytes()]
        while not list(folder.glob("base.*[0-9]")):
            peer("PING")
        server.end()
    with running(folder) as (_, peer):
        assert peer("MGET", "a", "b") == [b"first", b"second"]


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_all_data(tmp_path: Path, policy: str, number: signal.Signals) -> None:
    with running(tmp_path / "data", "--appendfsync", policy) as (server, peer):
        for each in range(100):
            peer("SET", f"key:{each}", each)
        before = peer("DEBUG", "DIGEST")
        assert server.end(number) == 0
    with running(tmp_path / "data") as (_, peer):
        assert peer("DEBUG", "DIGEST") == before


@pytest.mark.parametrize("words", [("SHUTDOWN",), ("SHUTDOWN", "SAVE"), ("SHUTDOWN", "NOSAVE")])
def test_shutdown_ends_it_with_all_data(tmp_path: Path, words: tuple[str, ...]) -> None:
    with running(tmp_path / "data") as (server, peer):
        peer("SET", "key", 1)
        with pytest.raises(ConnectionError):
            peer(*words)
        assert server.process.wait(10) == 0
    with running(tmp_path / "data") as (_, peer):
        assert peer("GET", "key") == b"1"


@pytest.mark.parametrize("ends", ["SHUTDOWN", "signal"])
def test_nothing_is_confirmed_after_the_last_snapshot(tmp_path: Path, ends: str) -> None:
    """What had arrived by then, also from a connection that is just being made, is not answered, and not done."""

    async def run() -> None:
        app = App(Config(port=-1, http_port=-1, bind="127.0.0.1", dir=str(tmp_path), appendonly=False, save=((60, 9),)))
        await app.start()
        streams = [await asyncio.open_connection("127.0.0.1", app.server.process.tcp_port) for _ in range(2)]
        for reader, writer in streams:
            writer.write(b"INCR a\r\n")
            await reader.readline()
        first, second = (client.connection for client in app.server.clients.everyone())
        late = app.connect()
        if ends == "signal":
            app.signalled()
            first.data_received(b"INCR a\r\n")
        else:
            first.data_received(b"INCR a\r\nSHUTDOWN\r\nINCR a\r\n")
        second.data_received(b"INCR a\r\n")
        assert "ending" in app.server.clients.refusal(late.client)[1]
        assert [await reader.read() for reader, _ in streams] == [b":3\r\n" if ends == "SHUTDOWN" else b"", b""]
        await app.ended.wait()
        for _, writer in streams:
            writer.close()

    asyncio.run(run())
    with running(tmp_path) as (_, peer):
        assert peer("GET", "a") == (b"3" if ends == "SHUTDOWN" else b"2")


def test_a_full_disk_refuses_writes_and_serves_reads(tmp_path: Path) -> None:
    # Python ignores SIGXFSZ, so a write beyond the limit fails as on a full disk.
    with running(tmp_path / "data", preexec_fn=_limit_file_size) as (server, peer):
        reply = None
        acknowledged = 0
        while reply is None or "OK" in str(reply):
            reply = peer("SET", f"key:{acknowledged}", b"x" * 10_000)
            acknowledged += 1
            assert acknowledged < 1000
        assert "MISCONF" in str(reply)
        assert peer("GET", "key:0") == b"x" * 10_000
        assert peer.info("aof_last_write_status") == "err"
        assert "MISCONF" in str(peer("SET", "a", 1))
        server.end()
    with running(tmp_path / "data") as (server, peer):
        assert acknowledged - 2 <= peer("DBSIZE") <= acknowledged
        assert "OK" in str(peer("SET", "a", 1))


def _limit_file_size() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_damaged_log_refuses_to_start(tmp_path: Path) -> None:
    with running(tmp_path / "data") as (server, peer):
        for each in range(10):
            peer("SET", f"key:{each}", each)
        server.end()
    path = next((tmp_path / "data").glob("log.*"))
    data = bytearray(path.read_bytes())
    data[80] ^= 1
    path.write_bytes(data)
    argv = [sys.executable, "-m", "januskv", "--port", "-1", "--http-port", "0", "--appendonly", "yes"]
    done = subprocess.run([*argv, "--dir", str(tmp_path / "data")], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"{path}: damaged at offset 73" in done.stdout


def test_streams_and_series_are_found_again_after_a_kill(tmp_path: Path) -> None:
    lines = """
        XADD s 1-1 a 1 b 2|XADD s 2-1 a 1|XADD s MAXLEN 3 3-1 a 1|XADD s 4-1 x y|XDEL s 3-1|XADD s 9-1 x y
        XGROUP CREATE s g 0|XREADGROUP GROUP g c COUNT 2 STREAMS s >|XACK s g 4-1|XGROUP CREATECONSUMER s g d
        XCLAIM s g d 0 9-1|XAUTOCLAIM s g c 0 0|XGROUP CREATE s h $|XGROUP DESTROY s h|XSETID s 20-1|XTRIM s MAXLEN 2
        XADD gone 1-1 a b|XDEL gone 1-1|XGROUP CREATE made g $ MKSTREAM
        TS.CREATE t RETENTION 100000 LABELS a b|TS.CREATE t2 LABELS a b c d|TS.CREATERULE t t2 AGGREGATION avg 10
        TS.ADD t 5 1.5|TS.ADD t 15 2|TS.ADD t 12 3|TS.MADD t 25 1 t 35 2 t2 1 9|TS.ADD t 17 3|TS.DEL t 24 26
        TS.INCRBY t3 5 TIMESTAMP 10|TS.INCRBY t3 5 TIMESTAMP 20|TS.ALTER t3 LABELS x y|TS.ADD t 2000 3|TS.ADD t 2020 3
        TS.ADD t4 1 1 ON_DUPLICATE SUM|TS.ADD t4 1 5 ON_DUPLICATE SUM|RENAME t4 t5|TS.CREATE u|TS.CREATE v
        TS.CREATERULE u v AGGREGATION sum 10|TS.ADD u 1 1|RENAME u w|TS.ADD w 11 1|TS.ADD w 25 1|RENAME v v2|TS.ADD w 45 1
        TS.DELETERULE w v2|TS.ADD w 65 1|COPY w w2|TS.ADD w2 66 1
    """
    words = [line.split() for each in lines.strip().split("\n") for line in each.strip().split("|")]
    with running(tmp_path / "data") as (server, peer):
        for each in words:
            assert "Error" not in str(peer(*each)), each
        for name, body in EVENTS:
            assert b'"st":1' in peer(name, json.dumps(body)), (name, body)
        before = shown(peer)
        server.end()
    with running(tmp_path / "data") as (server, peer):
        assert shown(peer) == before
        peer("SAVE")
        server.end()
    with running(tmp_path / "data") as (_, peer):
        assert shown(peer) == before


EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("TS_CREATE", {"name": "e", "type": "Ordered"}),
    ("TS_ADD_EVT", {"ts": "e", "t": [10, 20, 30], "evt": [{"a": 1}, {"a": "x"}, {"b": None}]}),
    ("TS_ADD_EVT", {"ts": "e", "t": [2**63 - 1], "evt": [{"a": 3}]}),
    ("TS_CREATE_INDEX", {"ts": "e", "key": "a"}),
    ("TS_DEL_EVT", {"ts": "e", "rng": [20, 20]}),
]


def shown(peer: Peer) -> list[str]:
    """Everything there is, as clients see it."""
    questions = ["DEBUG DIGEST", "XINFO STREAM s FULL", "XINFO STREAM gone", "XINFO GROUPS made", "TS.QUERYINDEX a=b"]
    questions += ["TS.MRANGE - + FILTER a=b", "TS.QUERYINDEX x=y", "TS.RANGE t2 - + LATEST"]
    questions += [f"TS.INFO {name}" for name in ("t", "t2", "t3", "t5", "w", "v2", "w2")]
    # The memory that a series takes is not data; that a consumer came and got nothing is not logged.
    passing = r"memoryUsage'\), [0-9]+|seen-time', [0-9]+"
    return [re.sub(passing, "", str(peer(*each.split()))) for each in questions]
