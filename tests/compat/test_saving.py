"""Snapshots without a log: save points, refused writes after a failed one, and the log switched on and off."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from januskv.compat.server.config import Config
from januskv.resp.replies import OK, ErrorReply, Simple
from januskv.storage.clock import ManualClock
from januskv.storage.durability import journal as journals
from januskv.storage.durability.journal import open_journal
from januskv.storage.store import Store


class Kept:
    """A server without sockets over a data directory."""

    def __init__(self, house: Any, folder: Path, *, logging: bool) -> None:
        journal = open_journal(str(folder), house.store, cut_torn_tail=True, logging=logging)
        self.persistence = house.server.keep(journal)
        self.wire = house.connect()
        self.house = house

    def run_cron(self, seconds: float = 0) -> None:
        """Let some time have passed since the last snapshot; a snapshot that begins is waited for."""
        self.persistence.saved_at -= seconds
        self.persistence.next_attempt = 0
        self.persistence.run_cron()
        if self.persistence.journal.poll_child(wait=True):
            self.persistence.saved()
        self.persistence.note_fault()

    def info(self, field: str) -> str:
        found = self.wire("INFO", "persistence").decode()
        return next((line.partition(":")[2] for line in found.split("\r\n") if line.startswith(f"{field}:")), "")


@pytest.fixture
def kept(make_house: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def make(*, logging: bool = False, **config: Any) -> Kept:
        config.setdefault("save", ((60, 3),))
        made.append(Kept(make_house(appendonly=logging, **config), tmp_path, logging=logging))
        return made[-1]

    yield make
    for each in made:
        if each.house.server.persistence is not None:
            each.persistence.close()


def stored(folder: Path) -> dict[bytes, Any]:
    """What a start would find."""
    store = Store(clock=ManualClock())
    copy = folder.parent / "copy"
    copy.mkdir()
    for name in os.listdir(folder):
        (copy / name).write_bytes((folder / name).read_bytes())
    journal = open_journal(str(copy), store, cut_torn_tail=True)
    journal.close()
    for path in copy.iterdir():
        path.unlink()
    copy.rmdir()
    return store.databases[0].data


@pytest.mark.parametrize("logging", [False, True])
def test_a_save_point_needs_its_changes_and_its_time(kept: Callable[..., Kept], logging: bool) -> None:
    server = kept(logging=logging)
    for number, seconds, snapshots in (
        (1, 100, "0"),
        (2, 0, "0"),
        (3, 0, "0"),
        (4, 61, "1"),
        (5, 61, "1"),
        (6, 0, "1"),
    ):
        server.wire("SET", f"key:{number}", number)
        server.persistence.saved_at = time.monotonic()
        server.run_cron(seconds)
        assert server.info("rdb_saves") == snapshots, number
    assert server.info("rdb_changes_since_last_save") == "2"


def test_only_snapshots_outlive_a_kill(kept: Callable[..., Kept], tmp_path: Path) -> None:
    server = kept()
    server.wire.line("SET a 1")
    assert stored(tmp_path) == {}
    assert server.wire.line("SAVE") == OK
    server.wire.line("SET b 1")
    assert stored(tmp_path) == {b"a": b"1"}
    assert server.wire.line("BGSAVE") == Simple(b"Background saving started")
    server.run_cron()
    assert stored(tmp_path) == {b"a": b"1", b"b": b"1"}
    assert server.info("aof_enabled") == "0"
    assert server.info("aof_current_size") == ""
    assert len(os.listdir(tmp_path)) == 4  # manifest, lock, base, an empty segment


def test_a_snapshot_is_scheduled_behind_another(kept: Callable[..., Kept], tmp_path: Path) -> None:
    server = kept()
    server.wire.line("BGSAVE")
    server.wire.line("SET a 1")
    assert server.wire.line("BGSAVE") == ErrorReply("ERR Background save already in progress")
    assert server.wire.line("BGSAVE SCHEDULE") == Simple(b"Background saving scheduled")
    server.persistence.journal.poll_child(wait=True)
    assert stored(tmp_path) == {}
    server.run_cron()
    assert stored(tmp_path) == {b"a": b"1"}


def test_the_end_writes_a_snapshot(kept: Callable[..., Kept], tmp_path: Path) -> None:
    server = kept()
    stopped: list[str] = []
    server.house.server.process.stop = lambda: stopped.append("stopped")
    server.wire.line("SET a 1")
    server.wire.send(b"SHUTDOWN NOSAVE\r\n")
    assert stored(tmp_path) == {}
    server.wire.send(b"SHUTDOWN\r\n")
    assert stored(tmp_path) == {b"a": b"1"}
    assert stopped == ["stopped"] * 2


def failing(*args: Any) -> int:
    raise OSError(28, "No space left on device")


def test_a_failed_snapshot_stops_writes_until_one_succeeds(
    kept: Callable[..., Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = kept()
    server.house.server.process.stop = lambda: pytest.fail("stopped")
    with monkeypatch.context() as patched:
        patched.setattr(journals, "write_snapshot", failing)
        assert isinstance(server.wire.line("SAVE"), ErrorReply)
        assert isinstance(server.wire.line("SHUTDOWN"), ErrorReply)
        assert server.info("rdb_last_bgsave_status") == "err"
        assert server.wire.line("SET a 1").text.startswith(b"MISCONF JanusKV is configured to save snapshots")
        assert server.wire.line("GET a") is None
        server.wire.line("CONFIG SET stop-writes-on-bgsave-error no")
        assert server.wire.line("SET a 1") == OK
        server.wire.line("CONFIG SET stop-writes-on-bgsave-error yes")
        server.run_cron()
        assert server.wire.line("SET a 1").text.startswith(b"MISCONF")
        server.wire.line("CONFIG SET save ''")
        assert server.wire.line("SET a 2") == OK
        server.wire.line("CONFIG SET save '60 3'")
        assert server.wire.line("SET a 1").text.startswith(b"MISCONF")
    assert server.wire.line("SAVE") == OK
    assert server.wire.line("SET a 1") == OK


def test_a_save_that_cannot_begin_stops_writes_too(kept: Callable[..., Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    server = kept()
    with monkeypatch.context() as patched:
        patched.setattr(journals.Journal, "begin_segment", failing)
        assert isinstance(server.wire.line("SAVE"), ErrorReply)
    assert server.info("rdb_last_bgsave_status") == "err"
    assert server.wire.line("SET a 1").text.startswith(b"MISCONF JanusKV is configured to save snapshots")
    assert server.wire.line("SAVE") == OK
    assert server.wire.line("SET a 1") == OK


def test_the_log_is_switched_on(kept: Callable[..., Kept], tmp_path: Path) -> None:
    server = kept()
    server.wire.line("SET a 1")
    assert server.wire.line("CONFIG SET appendonly yes") == OK
    server.wire.line("SET b 1")
    server.persistence.commit()
    assert stored(tmp_path) == {}  # it counts from its snapshot on
    server.run_cron()
    assert stored(tmp_path) == {b"a": b"1", b"b": b"1"}
    server.wire.line("SET c 1")
    server.persistence.commit()
    assert stored(tmp_path).keys() == {b"a", b"b", b"c"}
    assert server.info("aof_enabled") == "1"


@pytest.mark.parametrize("snapshot_fails", [False, True])
def test_an_end_right_after_the_switch_loses_nothing(
    kept: Callable[..., Kept], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot_fails: bool
) -> None:
    server = kept(save=())
    server.wire.line("SET a 1")
    with monkeypatch.context() as patched:
        if snapshot_fails:
            patched.setattr(journals, "write_snapshot", failing)
        server.wire.line("CONFIG SET appendonly yes")
        if snapshot_fails:
            server.run_cron()
            assert not server.persistence.journal.named
    server.wire.line("SET b 1")
    server.persistence.close()
    server.house.server.persistence = None
    assert stored(tmp_path) == {b"a": b"1", b"b": b"1"}


def test_a_log_whose_first_snapshot_failed_tries_again(
    kept: Callable[..., Kept], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = kept(save=())
    with monkeypatch.context() as patched:
        patched.setattr(journals, "write_snapshot", failing)
        server.wire.line("CONFIG SET appendonly yes")
        server.wire.line("SET a 1")
        server.run_cron()
    server.wire.line("SET b 1")
    server.run_cron()
    server.wire.line("SET c 1")
    server.persistence.commit()
    assert stored(tmp_path).keys() == {b"a", b"b", b"c"}
    assert len(os.listdir(tmp_path)) == 4


@pytest.mark.parametrize("logging", [False, True])
def test_the_switch_divides_no_transaction(kept: Callable[..., Kept], tmp_path: Path, logging: bool) -> None:
    server = kept(logging=logging)
    for line in ("MULTI", "SET a 1", f"CONFIG SET appendonly {'no' if logging else 'yes'}", "SET b 1"):
        server.wire.line(line)
    done, switched, also_done = server.wire.line("EXEC")
    assert (done, also_done) == (OK, OK)
    assert b"it would divide the transaction" in switched.text
    server.persistence.commit()
    assert stored(tmp_path) == ({b"a": b"1", b"b": b"1"} if logging else {})


def test_the_log_is_switched_off(kept: Callable[..., Kept], tmp_path: Path) -> None:
    server = kept(logging=True)
    server.wire.line("SET a 1")
    assert server.wire.line("CONFIG SET appendonly no") == OK
    server.wire.line("SET b 1")
    server.persistence.run_cron()
    assert stored(tmp_path) == {b"a": b"1"}
    server.wire.line("CONFIG SET appendonly yes")
    server.run_cron()
    server.wire.line("SET c 1")
    server.persistence.commit()
    assert stored(tmp_path).keys() == {b"a", b"b", b"c"}


@pytest.mark.parametrize(
    ("text", "appendonly", "save"),
    [
        pytest.param("", "yes", "", id="all is logged"),
        pytest.param("save no", "no", "", id="nothing is kept"),
        pytest.param("save ''", "no", "", id="nothing is kept, as Redis says it"),
        pytest.param("save ''\nappendonly yes", "yes", "", id="the log without snapshots"),
        pytest.param("appendonly no", "no", "3600 1 300 100 60 10000", id="snapshots as Redis"),
        pytest.param("save 900 1\nsave 300 10", "yes", "900 1 300 10", id="each line adds a save point"),
        pytest.param("save 900 1\nsave ''\nsave 60 5\nappendonly no", "no", "60 5", id="the empty one takes them away"),
    ],
)
def test_defaults_depend_on_what_is_given(tmp_path: Path, text: str, appendonly: str, save: str) -> None:
    path = tmp_path / "janus.conf"
    path.write_text(text)
    config = Config()
    config.apply_file(str(path))
    config.settle()
    found = {each.name: config.shown(each) for each, _ in config}
    assert (found["appendonly"], found["save"]) == (appendonly, save)
    config.rewrite()
    again = Config()
    again.apply_file(str(path))
    again.settle()
    assert (again.appendonly, again.save) == (config.appendonly, config.save)


@pytest.mark.parametrize("name", ["janus.conf", "janus.toml"])
def test_a_log_stays_where_the_save_points_are_taken_away(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("save = '60 1000'" if name.endswith("toml") else "save 60 1000")
    config = Config()
    config.apply_file(str(path))
    config.settle()
    config.update({"save": ()})
    config.rewrite()
    again = Config()
    again.apply_file(str(path))
    again.settle()
    assert (again.appendonly, again.save) == (True, ())
