"""WAITAOF with and without a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from januskv.resp.replies import OK, ErrorReply
from januskv.storage.durability.journal import open_journal


def test_without_a_log(wire: Any, house: Any) -> None:
    assert wire.line("WAITAOF 0 0 0") == [0, 0]
    text = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
    assert wire.line("WAITAOF 1 0 0") == ErrorReply(text)
    assert wire.send(b"WAITAOF 0 1 50\r\n") == b""
    house.run_timers(1)
    assert wire.transport.written == b"*2\r\n:0\r\n:0\r\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("WAITAOF 2 0 0", "value is out of range, value must between 0 and 1"),
        ("WAITAOF -1 0 0", "value is out of range, value must between 0 and 1"),
        ("WAITAOF x 0 0", "value is not an integer or out of range"),
        ("WAITAOF 0 -1 0", "value is out of range, must be positive"),
        ("WAITAOF 0 x 0", "value is out of range, must be positive"),
        ("WAITAOF 0 0 x", "timeout is not an integer or out of range"),
        ("WAITAOF 0 0 -1", "timeout is negative"),
        ("WAITAOF 1 0 -1", "timeout is negative"),
    ],
)
def test_refusals(wire: Any, line: str, error: str) -> None:
    assert wire.line(line) == ErrorReply(f"ERR {error}")


@pytest.fixture
def logged(make_house: Any, tmp_path: Path) -> Any:
    """A server with a log whose syncs run in place."""
    house = make_house()
    persistence = house.server.keep(open_journal(str(tmp_path), house.store, cut_torn_tail=True))
    yield house
    persistence.close()


def test_what_was_written_is_synced(logged: Any) -> None:
    wire = logged.connect()
    wire.line("SET a 1")
    assert wire.line("WAITAOF 1 0 100") == [1, 0]
    assert logged.server.persistence.journal.durable


def test_the_log_is_told_of_when_replicas_are_missing(logged: Any) -> None:
    wire = logged.connect()
    wire.line("SET a 1")
    assert wire.send(b"WAITAOF 1 1 50\r\n") == b""
    logged.run_timers(0.05)
    assert wire.transport.written == b"*2\r\n:1\r\n:0\r\n"
    assert wire.line("WAITAOF 0 0 0") == [1, 0]


def test_inside_a_transaction(logged: Any) -> None:
    wire = logged.connect()
    wire.line("SET a 1")
    assert wire.line("WAITAOF 1 0 0") == [1, 0]
    for line in ("MULTI", "WAITAOF 1 1 0", "SET a 2", "WAITAOF 1 0 0", "SET b 3"):
        wire.line(line)
    journal = logged.server.persistence.journal
    before = journal.seq
    assert wire.line("EXEC") == [[1, 0], OK, [0, 0], OK]
    assert journal.seq == before + 1


def test_what_others_write_later_is_not_waited_for(logged: Any) -> None:
    syncs: list[Any] = []
    persistence = logged.server.persistence
    persistence.start_sync = lambda: syncs.append(persistence.journal.written_seq)
    wire, other = logged.connect(), logged.connect()
    wire.line("SET a 1")
    assert wire.send(b"WAITAOF 1 0 0\r\n") == b""
    other.line("SET b 1")
    persistence.sync_done(syncs[0], None)
    [(_, look)] = logged.timers
    look()
    assert wire.transport.written == b"*2\r\n:1\r\n:0\r\n"
    assert not persistence.journal.durable


def test_what_the_disk_refuses_is_not_called_synced(logged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = logged.connect()

    def full(fd: int, data: bytes, at: int) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.pwrite", full)
        wire.line("SET a 1")
        assert wire.send(b"WAITAOF 1 0 50\r\n") == b""
        logged.timers[:] = [timer for timer in logged.timers if timer[0] >= 0.05]
        logged.run_timers(0.05)
        assert wire.transport.written == b"*2\r\n:0\r\n:0\r\n"
    assert wire.line("WAITAOF 1 0 0") == [1, 0]
