"""Commits that fail: nothing is confirmed that the log does not have, nobody is left without a reply, the log stays in step."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.conftest import FakeTransport, encoded

from januskv.app import App
from januskv.compat.native.websocket import WebSocketConnection
from januskv.compat.server.config import Config
from januskv.compat.server.unconfirmed import denied
from januskv.compat.server.upkeep import Upkeep
from januskv.compat.timely.connection import TimelyConnection
from januskv.resp import websocket as ws
from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import OK, ErrorReply
from januskv.storage.clock import ManualClock
from januskv.storage.durability import journal as journals
from januskv.storage.durability.changes import Changes
from januskv.storage.durability.codec import pack, unpacker
from januskv.storage.durability.journal import open_journal
from januskv.storage.durability.records import BIG_BYTES, LOG, PART, Damaged, RecordFile
from januskv.storage.store import Store


def no_memory(*args: Any) -> Any:
    raise MemoryError


def too_much(*args: Any) -> Any:
    raise OverflowError("a record cannot hold 5000000000 bytes")


def no_space(*args: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Kept:
    """A server without sockets over a data directory, whose replies leave at the end of a round."""

    def __init__(self, make_house: Callable[..., Any], folder: Path, **config: Any) -> None:
        self.folder = folder
        self.house = make_house(appendonly=True, dir=str(folder), **config)
        self.server = self.house.server
        self.store = self.house.store
        self.journal = open_journal(str(folder), self.store, cut_torn_tail=True)
        self.persistence = self.server.keep(self.journal)
        self.soon: list[Callable[[], None]] = []
        self.server.outbox.soon = self.soon.append
        self.exits: list[int] = []
        self.persistence.end_process = self.exits.append

    def end_round(self) -> None:
        """Let the replies of a round leave."""
        while self.soon:
            self.soon.pop(0)()

    def ask(self, wire: Any, *words: Any) -> Any:
        """One command in a round of its own."""
        wire.transport.written = b""
        wire.connection.data_received(encoded(*words))
        self.end_round()
        return read(wire)[0]

    def run_cron(self) -> None:
        """Let time pass; a snapshot that begins is waited for."""
        self.persistence.next_attempt = 0
        self.server.upkeep.run_cron()
        self.journal.poll_child(wait=True)
        self.server.upkeep.run_cron()
        self.end_round()

    def after_a_kill(self) -> dict[Any, Any]:
        """What a start would find now."""
        copy = self.folder.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder, copy)
        store = Store(clock=ManualClock())
        journal = open_journal(str(copy), store, cut_torn_tail=True)
        found = image(store)
        journal.close()
        return found


def image(store: Store) -> dict[Any, Any]:
    return {
        (space.index, key): (pack(value), space.deadlines.get(key))
        for space in store.databases
        for key, value in space.data.items()
    }


def read(wire: Any) -> list[Any]:
    """The replies that a client has got; nothing was left of one."""
    reader = ReplyReader()
    reader.feed(wire.transport.written)
    replies = []
    while (reply := reader.gets()) is not None:
        replies.append(reply[1])
    assert not reader.buffer
    return replies


@pytest.fixture
def kept(make_house: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def make(**config: Any) -> Kept:
        made.append(Kept(make_house, tmp_path / "data", **config))
        return made[-1]

    yield make
    for each in made:
        each.journal.end_child()


FAILURES = [
    pytest.param("record_pieces", no_memory, id="no memory for the record"),
    pytest.param("record_pieces", too_much, id="too much for a record"),
    pytest.param("put_operation", no_memory, id="no memory for a value"),
]


def fail(patch: pytest.MonkeyPatch, what: str, how: Any) -> None:
    patch.setattr(journals, what, how)


# ---------------------------------------------------------------- a change that is lost


@pytest.mark.parametrize(("what", "how"), FAILURES)
@pytest.mark.parametrize("policy", ["everysec", "no"])
def test_a_lost_change_is_confirmed_to_nobody(
    kept: Any, monkeypatch: pytest.MonkeyPatch, what: str, how: Any, policy: str
) -> None:
    server = kept(appendfsync=policy)
    writer, other, reader, late = (server.house.connect() for _ in range(4))
    assert server.ask(writer, "SET", "before", 1) == OK
    held = server.after_a_kill()
    with monkeypatch.context() as patch:
        fail(patch, what, how)
        for wire, words in (
            (reader, ("GET", "before")),
            (writer, ("HSET", "a", "f", 1)),
            (other, ("RPUSH", "b", "x")),
            (late, ("LLEN", "b")),
        ):
            wire.transport.written = b""
            wire.connection.data_received(encoded(*words))
        server.end_round()
    assert read(reader) == [b"1"]
    assert read(late) == [1]
    for wire in (writer, other):
        (reply,) = read(wire)
        assert reply.text.startswith(b"MISCONF Errors writing to the AOF file: a change could not be logged (")
        assert not wire.transport.closed
    assert server.after_a_kill() == held  # nothing of the round, nothing that was confirmed is missing
    for wire in (writer, other, late):  # as before, on the same connections
        assert server.ask(wire, "SET", "c", 1).text.startswith(b"MISCONF")
        assert server.ask(wire, "GET", "before") == b"1"
    assert server.ask(late, "PING").text.startswith(b"MISCONF")
    assert server.after_a_kill() == held
    server.run_cron()
    assert server.after_a_kill() == image(server.store)
    assert server.ask(writer, "RPUSH", "b", "y") == 2
    assert server.after_a_kill() == image(server.store)
    assert not server.exits


def test_nothing_is_built_on_a_lost_change(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill while the snapshot is written finds what was confirmed; what expires meanwhile is in no segment that counts."""
    server = kept()
    wire = server.house.connect()
    server.ask(wire, "SET", "short", 1, "PX", 50)
    server.ask(wire, "RPUSH", "l", 1)
    held = server.after_a_kill()
    with monkeypatch.context() as patch:
        fail(patch, "record_pieces", no_memory)
        assert server.ask(wire, "RPUSH", "l", 2).text.startswith(b"MISCONF")
    server.persistence.begin_snapshot()
    assert server.journal.child is not None
    server.house.clock.advance(2000)
    server.server.upkeep.run_cron()
    assert server.store.databases[0].data.keys() == {b"l"}
    assert server.after_a_kill() == held
    assert server.ask(wire, "RPUSH", "l", 3).text.startswith(b"MISCONF")
    server.journal.poll_child(wait=True)
    server.server.upkeep.run_cron()
    assert server.ask(wire, "RPUSH", "l", 4) == 3
    assert server.after_a_kill() == image(server.store)


def test_a_snapshot_that_was_begun_before_does_not_count(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    wire = server.house.connect()
    server.ask(wire, "RPUSH", "l", 1)
    server.persistence.begin_snapshot()
    server.ask(wire, "RPUSH", "l", 2)
    held = server.after_a_kill()
    with monkeypatch.context() as patch:
        fail(patch, "record_pieces", no_memory)
        server.ask(wire, "RPUSH", "l", 3)
    assert server.journal.child is None
    server.server.upkeep.run_cron()
    assert server.after_a_kill() == held
    server.run_cron()
    assert server.after_a_kill() == image(server.store)


def test_writes_stay_refused_while_no_snapshot_succeeds(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    wire = server.house.connect()
    server.ask(wire, "SET", "a", 1)
    with monkeypatch.context() as patch:
        fail(patch, "record_pieces", no_memory)
        server.ask(wire, "SET", "a", 2)
    for name in ("write_snapshot", "begin"):
        with monkeypatch.context() as patch:
            if name == "begin":
                patch.setattr(os, "fork", no_space)
            else:
                patch.setattr(journals, "write_snapshot", no_memory)
            for _ in range(3):
                server.run_cron()
                assert server.ask(wire, "SET", "a", 3).text.startswith(b"MISCONF")
                assert server.after_a_kill()[0, b"a"] == (pack(b"1"), None)
                assert len(os.listdir(server.folder)) <= 4
            assert "ERR" in str(server.ask(wire, "SAVE" if name != "begin" else "BGSAVE"))
    assert server.ask(wire, "SAVE") == OK
    assert server.ask(wire, "SET", "b", 3) == OK
    assert server.after_a_kill() == image(server.store)


def test_an_end_after_a_lost_change_writes_a_snapshot(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    wire = server.house.connect()
    with monkeypatch.context() as patch:
        fail(patch, "record_pieces", no_memory)
        server.ask(wire, "SET", "a", 2)
    server.persistence.close()
    assert server.after_a_kill() == image(server.store) != {}


def test_under_always_a_lost_change_ends_the_server_without_a_reply(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept(appendfsync="always")
    wire, reader = server.house.connect(), server.house.connect()
    assert server.ask(wire, "SET", "a", 1) == OK
    wire.transport.written = reader.transport.written = b""
    fail(monkeypatch, "record_pieces", no_memory)
    wire.connection.data_received(encoded("SET", "a", 2))
    server.end_round()
    assert server.exits
    assert b"OK" not in wire.transport.written


def test_the_numbers_of_records_have_no_gap(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    wire = server.house.connect()
    for number in range(20):
        server.ask(wire, "SET", f"key:{number}", number)
        if number % 5 == 4:
            with monkeypatch.context() as patch:
                fail(patch, "record_pieces", too_much)
                server.ask(wire, "SET", "lost", number)
            server.run_cron()
    assert server.after_a_kill() == image(server.store)


# ---------------------------------------------------------------- a full disk


@pytest.mark.parametrize("policy", ["everysec", "no"])
def test_the_round_that_meets_a_full_disk_is_not_confirmed(
    kept: Any, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    server = kept(appendfsync=policy)
    writers = [server.house.connect() for _ in range(3)]
    reader = server.house.connect()
    assert server.ask(writers[0], "SET", "a", 0) == OK
    held = server.after_a_kill()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", no_space)
        for number, wire in enumerate((*writers, reader)):
            wire.transport.written = b""
            words = ("GET", "a") if wire is reader else ("SET", f"a{number}", number)
            wire.connection.data_received(encoded(*words))
        server.end_round()
        for wire in writers:
            (reply,) = read(wire)
            assert reply.text.startswith(b"MISCONF Errors writing to the AOF file: No space left on device")
        assert read(reader) == [b"0"]
        for _ in range(3):
            server.run_cron()
            assert server.ask(writers[0], "SET", "b", 1).text.startswith(b"MISCONF")
            assert server.ask(writers[0], "GET", "a") == b"0"
        assert server.after_a_kill() == held
    server.server.upkeep.run_cron()
    assert server.ask(writers[0], "SET", "b", 1) == OK
    assert server.after_a_kill() == image(server.store)
    assert len(image(server.store)) == 5


def test_what_was_written_before_the_disk_was_full_is_synced(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    wire = server.house.connect()
    server.ask(wire, "SET", "a", 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", no_space)
        server.ask(wire, "SET", "b", 0)
        server.persistence.synced_at -= 2
        server.server.upkeep.run_cron()
        assert server.journal.synced_seq == server.journal.written_seq > 0


def test_a_key_that_expires_while_the_disk_is_full_disturbs_no_reader(
    kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = kept()
    wire = server.house.connect()
    server.ask(wire, "SET", "a", 0, "PX", 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", no_space)
        server.ask(wire, "SET", "b", 0)
        server.house.clock.advance(20)
        assert server.ask(wire, "GET", "a") is None
        assert server.ask(wire, "GET", "b") == b"0"


# ---------------------------------------------------------------- what clients get


def failing_round(server: Kept, monkeypatch: pytest.MonkeyPatch, *inputs: tuple[Any, bytes]) -> None:
    """A round in which nothing can be logged."""
    for wire, _ in inputs:
        wire.transport.written = b""
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", no_space)
        for wire, data in inputs:
            wire.connection.data_received(data)
        server.end_round()


def test_each_reply_of_a_pipeline_becomes_an_error(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    wire = server.house.connect()
    failing_round(server, monkeypatch, (wire, b"SET a 1\r\nGET a\r\nNOSUCH\r\nMULTI\r\nINCR a\r\nEXEC\r\n"))
    replies = read(wire)
    assert [type(each) for each in replies] == [ErrorReply] * 6
    assert [each.text.split()[0] for each in replies] == [b"MISCONF", b"MISCONF", b"ERR"] + [b"MISCONF"] * 3
    assert not wire.transport.closed
    server.server.upkeep.run_cron()
    assert server.ask(wire, "GET", "a") == b"2"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"CLIENT REPLY OFF\r\nSET a 1\r\n", id="replies are off"),
        pytest.param(b'{"KV_SETQ":{"keys":{"a":1}}}\n', id="a quiet command"),
        pytest.param(b"put m 1 1\n", id="points"),
        pytest.param(b'{"KV_SET":{"keys":{"a":1}}}\n{"KV_SETQ":{"keys":{"b":1}}}\n', id="one of several"),
    ],
)
def test_who_is_not_told_by_its_replies_is_closed(kept: Any, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    server = kept()
    wire = server.house.connect()
    failing_round(server, monkeypatch, (wire, data))
    assert wire.transport.closed
    assert b"_RSP" not in wire.transport.written
    assert b"OK" not in wire.transport.written


def test_a_websocket_gets_an_error_and_is_closed(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    connection = WebSocketConnection(server.server, server.house.native)
    transport = FakeTransport()
    connection.connection_made(transport)

    socket = SimpleNamespace(connection=connection, transport=transport)
    message = b'{"KV_SET":{"keys":{"a":1}}}'
    mask = b"\1\2\3\4"
    masked = bytes(each ^ mask[at % 4] for at, each in enumerate(message))
    failing_round(server, monkeypatch, (socket, bytes([0x81, 0x80 | len(message)]) + mask + masked))
    assert transport.closed
    assert b'{"ERR":{"st":1000' in transport.written
    assert ws.INTERNAL.to_bytes(2, "big") in transport.written
    assert b"KV_SET_RSP" not in transport.written


def test_who_puts_points_is_closed_and_later_ones_wait(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    clients = []
    for _ in range(2):
        transport = FakeTransport()
        connection = TimelyConnection(server.server, server.house.ingest)
        connection.connection_made(transport)
        clients.append(SimpleNamespace(connection=connection, transport=transport))
    failing_round(server, monkeypatch, (clients[0], b"put m 1 1\n"))
    assert clients[0].transport.closed
    clients[1].connection.data_received(b"put m 2 2\n")
    assert not clients[1].transport.reading
    monkeypatch.undo()
    server.run_cron()
    server.house.run_timers()
    assert clients[1].transport.reading
    server.end_round()
    assert list(server.after_a_kill()) == [(0, b"m{}")]
    assert server.store.databases[0].data[b"m{}"].count == 2


def test_a_client_that_waited_gets_an_error_too(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    waiter, pusher, reader = (server.house.connect() for _ in range(3))
    waiter.connection.data_received(encoded("BLPOP", "l", 0))
    server.end_round()
    failing_round(server, monkeypatch, (reader, b"PING\r\n"), (pusher, b"RPUSH l x\r\n"), (waiter, b""))
    assert read(reader)[0].text == b"PONG"
    assert read(pusher)[0].text.startswith(b"MISCONF")
    assert read(waiter)[0].text.startswith(b"MISCONF")


def test_a_batch_of_big_replies_is_told_in_its_middle(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    wire = server.house.connect()
    server.ask(wire, "SET", "big", b"x" * 40_000)
    failing_round(server, monkeypatch, (wire, b"SET a 1\r\n" + b"GET big\r\n" * 200 + b"SET b 1\r\n"))
    replies = read(wire)
    assert len(replies) == 202
    assert replies[0].text.startswith(b"MISCONF")
    assert replies[-1].text.startswith(b"MISCONF")
    assert b"OK" not in wire.transport.written


@pytest.mark.parametrize(
    ("data", "left", "told"),
    [
        (b"+OK\r\n:1\r\n", b"-E x\r\n-E x\r\n", True),
        (b"-ERR a\r\n", b"-ERR a\r\n", True),
        (b">2\r\n+a\r\n+b\r\n", b">2\r\n+a\r\n+b\r\n", False),
        (b">2\r\n+a\r\n+b\r\n%1\r\n+a\r\n*2\r\n,1.5\r\n#t\r\n", b">2\r\n+a\r\n+b\r\n-E x\r\n", True),
        (b"", b"", False),
        (b"+OK\r\n*2\r\n+a\r\n", b"-E x\r\n", False),
        (b'+OK\r\n{"A":1}\n+OK\r\n', b'-E x\r\n{"ERR":{"st":1000,"m":"E x"}}\n', False),
    ],
)
def test_errors_in_place_of_replies(house: Any, data: bytes, left: bytes, told: bool) -> None:
    assert denied(data, "E x", house.server.native) == (left, told)


# ---------------------------------------------------------------- what else may fail


def test_a_connection_that_cannot_be_written_to_takes_no_replies_with_it(kept: Any) -> None:
    server = kept()
    first, second = server.house.connect(), server.house.connect()
    first.transport.write = no_memory
    for wire in (first, second):
        wire.connection.data_received(b"INCR a\r\n")
    server.end_round()
    assert first.transport.aborted
    assert read(second) == [2]
    assert server.ask(second, "PING").text == b"PONG"


@pytest.mark.parametrize("task", ["store", "persistence", "sample_rates", "close_slow_readers"])
def test_a_periodic_task_that_fails_does_not_keep_the_others_from_running(
    kept: Any, monkeypatch: pytest.MonkeyPatch, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = kept()
    wire = server.house.connect()
    server.ask(wire, "SET", "a", 1, "PX", 10)
    with monkeypatch.context() as patch:
        if task in ("store", "persistence"):
            patch.setattr(type(getattr(server, task)), "run_cron", no_memory)
        else:
            patch.setattr(Upkeep, task, no_memory)
        server.house.clock.advance(2000)
        server.persistence.synced_at -= 2
        server.server.upkeep.run_cron()
    assert "MemoryError" in caplog.text
    assert (server.store.databases[0].expired == 1) is (task != "store")
    assert (server.journal.synced_seq > 0) is (task != "persistence")
    server.persistence.synced_at -= 2
    server.server.upkeep.run_cron()
    assert server.store.databases[0].expired == 1
    assert server.journal.durable


def test_the_periodic_tasks_are_called_again_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loop:
        def call_later(self, delay_s: float, call: Any) -> Any:
            calls.append(call)

    calls: list[Any] = []
    app = App(Config(appendonly=False))
    monkeypatch.setattr("asyncio.get_running_loop", Loop)
    monkeypatch.setattr(app.server.upkeep, "run_cron", no_memory)
    app.run_cron()
    assert calls == [app.run_cron]
    monkeypatch.setattr("gc.freeze", no_memory)
    with pytest.raises(MemoryError):
        app.freeze()
    assert calls == [app.run_cron, app.freeze]


@pytest.mark.parametrize(
    "detail",
    [
        ("x", b"a" * 10, object()),
        ("x", b"a" * 10, [1, {b"k": 2**70}]),
        ("x", b"a" * BIG_BYTES, b"b" * BIG_BYTES, object()),
        ("x", "\ud800"),
    ],
)
def test_no_half_of_a_change_is_collected(detail: tuple[Any, ...]) -> None:
    """What cannot be packed on the way is left to the journal, and leaves nothing behind."""
    handed: list[Any] = []
    changes = Changes(lambda *change: handed.append(change), {"x"}, {}, 1 << 20)
    space = Store(clock=ManualClock()).databases[0]
    space.data[b"k"] = b"v"
    changes.on_change(space, "set", b"k", ())
    changes.on_change(space, "hset", b"k", ("x", b"c" * BIG_BYTES))
    before = len(changes)
    changes.on_change(space, "hset", b"k", detail)
    if handed:
        assert handed == [(space, "hset", b"k", detail)]
        assert len(changes) == before
    changes.on_change(space, "set", b"k", ())
    packed = b"".join(piece for part in changes.take() for piece in part)
    reader = unpacker(len(packed))
    reader.feed(packed)
    names = [operation[0] for operation in reader]
    assert names == (["put", "do", "put"] if handed else ["put", "do", "do", "put"])
    assert handed or object not in map(type, detail)
    assert not changes


# ---------------------------------------------------------------- changes of several records


@pytest.mark.parametrize("size", [1, BIG_BYTES - 1, BIG_BYTES, BIG_BYTES + 1, 3 * BIG_BYTES])
def test_values_of_every_size_are_found_again(kept: Any, size: int) -> None:
    server = kept()
    wire = server.house.connect()
    value = os.urandom(size)
    for words in (
        ("SET", "s", value),
        ("SET", "t", value, "PX", 1_000_000),
        ("APPEND", "t", value),
        ("SETRANGE", "u", 5, value),
        ("APPEND", "u", value),
        ("HSET", "h", "f", value, "g", 1),
        ("RPUSH", "l", value, "x", value),
        ("SADD", "m", value),
        ("COPY", "u", "v"),
        ("COPY", "t", "w", "DB", 3),
        ("XADD", "x", "1-1", "f", value),
    ):
        assert not isinstance(server.ask(wire, *words), ErrorReply)
    wire.connection.data_received(b"MULTI\r\n" + encoded("SET", "a", value) + encoded("SET", "b", 1) + b"EXEC\r\n")
    server.end_round()
    assert server.after_a_kill() == image(server.store)
    server.ask(wire, "SAVE")
    assert server.after_a_kill() == image(server.store)


def test_a_transaction_of_several_records_counts_as_a_whole(kept: Any) -> None:
    server = kept()
    wire = server.house.connect()
    server.ask(wire, "SET", "a", 0)
    server.journal.pending.part_bytes = 300
    before = server.after_a_kill()
    end = server.journal.end
    wire.connection.data_received(
        b"MULTI\r\n" + b"".join(encoded("SET", f"key:{n}", b"x" * (n * 7)) for n in range(40)) + b"EXEC\r\n"
    )
    server.end_round()
    assert server.after_a_kill() == image(server.store)
    path = next(server.folder.glob("log.*"))
    data_set = server.journal.manifest.data_set
    whole = path.read_bytes()[: server.journal.end]
    kinds = [each.kind for each in RecordFile("", whole, LOG, data_set).records(open_ended=False)]
    assert kinds.count(PART) > 10
    for length in range(end, len(whole)):
        for tail in (b"", bytes(20), b"\xa5" * 20):
            file = RecordFile("", whole[:length] + tail, LOG, data_set)
            assert len(list(file.records(open_ended=True))) == 1
            assert file.end == end
            assert (file.torn is None) is (length == end and not tail.strip(b"\0"))
    for length in (end, end + 1, end + 300, len(whole) - 300, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert server.after_a_kill() == before
    path.write_bytes(whole)
    server.ask(wire, "SET", "b", 1)
    longer = path.read_bytes()[: server.journal.end]
    for at in range(end, len(whole)):  # damage, since a whole record follows
        file = RecordFile("", longer[:at] + bytes([longer[at] ^ 1]) + longer[at + 1 :], LOG, data_set)
        with pytest.raises(Damaged) as told:
            list(file.records(open_ended=True))
        assert told.value.offset == end


def test_a_copy_is_logged_as_one(kept: Any) -> None:
    server = kept()
    wire = server.house.connect()
    server.ask(wire, "SETRANGE", "big", 1_000_000, "x")
    before = server.journal.end
    wire.connection.data_received(b"".join(encoded("COPY", "big", f"copy:{n}") for n in range(9)))
    server.end_round()
    assert server.journal.end - before < 1000
    assert server.after_a_kill() == image(server.store)
