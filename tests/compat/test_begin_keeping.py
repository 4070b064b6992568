"""CONFIG SET appendonly and save on a server that was started to keep nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from januskv.resp.replies import OK
from januskv.storage.durability.journal import open_journal
from januskv.storage.store import Store


@pytest.fixture
def unkept(make_house: Any, tmp_path: Path) -> Any:
    """A server that keeps nothing and can begin to."""
    house = make_house(save=(), dir=str(tmp_path / "data"))
    house.server.process.begin_keeping = lambda logging: house.server.begin_keeping(logging)
    yield house
    if house.server.persistence is not None:
        house.server.persistence.close()


def kept(path: Path) -> dict[bytes, object]:
    """What a start would find in database 0."""
    store = Store()
    journal = open_journal(str(path), store, cut_torn_tail=False)
    journal.close()
    return store.databases[0].data


def test_what_was_there_and_what_comes_is_logged(unkept: Any, tmp_path: Path) -> None:
    wire = unkept.connect()
    wire.line("SET before 1")
    assert not (tmp_path / "data").exists()
    assert wire.line("CONFIG SET appendonly yes") == OK
    assert b"aof_enabled:1\r\n" in wire.line("INFO persistence")
    assert b"rdb_changes_since_last_save:0\r\n" in wire.line("INFO persistence")
    wire.line("SET after 2")
    unkept.server.persistence.close()
    unkept.server.keep_no_more()
    assert kept(tmp_path / "data") == {b"before": b"1", b"after": b"2"}


def test_save_points_alone_write_snapshots(unkept: Any, tmp_path: Path) -> None:
    wire = unkept.connect()
    wire.line("MSET a 1 b 2")
    assert wire.line('CONFIG SET save "3600 1"') == OK
    assert b"aof_enabled:0\r\n" in wire.line("INFO persistence")
    assert b"rdb_changes_since_last_save:2\r\n" in wire.line("INFO persistence")
    assert wire.line("SAVE") == OK
    unkept.server.persistence.close()
    unkept.server.keep_no_more()
    assert kept(tmp_path / "data") == {b"a": b"1", b"b": b"2"}


def refused(unkept: Any, reason: str) -> None:
    wire = unkept.connect()
    wire.line("SET a 1")
    text = wire.line("CONFIG SET appendonly yes").text.decode()
    assert text.startswith("ERR CONFIG SET failed (possibly related to argument 'appendonly') - ")
    assert reason in text
    assert wire.line("CONFIG GET appendonly") == [b"appendonly", b"no"]
    assert unkept.server.persistence is None
    assert wire.line("SET a 2") == OK


def test_a_directory_that_cannot_be_made(unkept: Any, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"a file")
    refused(unkept, "File exists")


def test_a_directory_of_another_server(unkept: Any, tmp_path: Path) -> None:
    journal = open_journal(str(tmp_path / "data"), Store(), cut_torn_tail=False)
    refused(unkept, "is used by another server")
    journal.close()


def test_a_directory_that_holds_data(unkept: Any, tmp_path: Path) -> None:
    store = Store()
    journal = open_journal(str(tmp_path / "data"), store, cut_torn_tail=False)
    store.databases[0].put(b"theirs", b"1")
    journal.close()
    refused(unkept, "holds the data of another run")
    assert kept(tmp_path / "data") == {b"theirs": b"1"}


def test_a_snapshot_that_fails(unkept: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("januskv.storage.durability.journal.write_snapshot", fail)
    refused(unkept, "No space left on device")
    monkeypatch.undo()
    assert unkept.connect().line("CONFIG SET appendonly yes") == OK
