"""Every byte of small files of all kinds: cut, flipped, added to. ``check-log`` says what a start does, and repairs.

Some of the bytes are tried; ``JANUSKV_BYTES=all pytest tests/faults/test_check_log.py`` tries all, with every bit.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from tests.conftest import rewrite

from januskv.cli import main
from januskv.storage.clock import ManualClock
from januskv.storage.durability import generations
from januskv.storage.durability.checking import UNPLAYABLE, Findings, ReadOnly, examine
from januskv.storage.durability.codec import effects, pack, value_classes
from januskv.storage.durability.generations import Directory
from januskv.storage.durability.journal import Journal, open_journal
from januskv.storage.durability.records import HEADER_BYTES, RECORD_BYTES, Damaged, Torn, header, record
from januskv.storage.durability.replay import OPERATIONS, session_operation
from januskv.storage.events import EventSeries, drop_event_index, event_series, put_events, remove_event_rows
from januskv.storage.store import Store

ALL = os.environ.get("JANUSKV_BYTES") == "all"
STEP = 1 if ALL else 17  # every so many bytes are tried; no divisor of anything
BITS = range(8) if ALL else (None,)

pytestmark = pytest.mark.timeout(3600 if ALL else 120)

Image = tuple[Any, ...]

# Every operation and every effect there is, a record each; see test_these_are_all_kinds_of_operations.
LINES = """
    SET s 1|APPEND s xy|EXPIRE s 1000|PERSIST s|DEL s|SET moved 2|RENAME moved there|SWAPDB 1 2|FLUSHDB
    SH_NEW {"name":"a","shared":true}|SH_NEW {"name":"b","expiry":{"duration":60,"deleteSession":true}}|SH_END_ALL {}
    KV_SET {"keys":{"o":{"a":[1,{"b":null}]},"l":[1,2.5,"x"]}}|KV_ARR_APPEND {"key":"o","name":"a","items":[{"c":2}]}
    HSET h a 1 b 2|HINCRBY h a 1|HPEXPIRE h 1000000 FIELDS 1 a|HINCRBY h a 1|HDEL h b
    RPUSH r a b c d e|RPUSH r f|LPOP r|LSET r 0 z|LINSERT r AFTER z y|LREM r 1 c|LTRIM r 1 2
    SETRANGE ls 4100 a|APPEND ls b|COPY ls ls2|SADD m a b|SADD m c|SREM m a|ZADD z 1 a -inf b|ZADD z 2 c|ZREM z a|ZADD zc 1 a 2 b|ZREMRANGEBYRANK zc 0 0
    XADD x 1-1 a 1|XADD x 2-1 b 2|XADD x 3-1 a 1|XADD x 4-1 a 1|XDEL x 2-1|XTRIM x MAXLEN 2|XSETID x 9-1
    XGROUP CREATE x g 0|XGROUP CREATECONSUMER x g d|XREADGROUP GROUP g c STREAMS x >|XACK x g 3-1|XCLAIM x g d 0 4-1
    XGROUP DELCONSUMER x g d|XGROUP DESTROY x g
    TS.CREATE t LABELS a b|TS.CREATE u|TS.CREATERULE t u AGGREGATION sum 10|TS.ADD t 5 1.5|TS.ADD t 15 2|TS.ADD t 35 1|TS.ADD t 22 9
    TS.ALTER t RETENTION 100000|TS.DEL t 5 5|TS.DELETERULE t u
    TS_CREATE {"name":"e","type":"Ordered"}|TS_ADD_EVT {"ts":"e","t":[1,2],"evt":[{"a":1},{"a":"x"}]}
    TS_CREATE_INDEX {"ts":"e","key":"a"}|TS_DEL_EVT {"ts":"e","rng":[2,2]}
    TS.MADD e 1 1|SETRANGE last 3 x
"""
# Seventeen deliveries are logged in one piece.
LINES += "|".join(
    [*(f"XADD y {n}-1 a 1" for n in range(1, 18)), "XGROUP CREATE y g 0", "XREADGROUP GROUP g c STREAMS y >"]
)


# What comes over HTTP alone, or by and by.
CALLS: tuple[Callable[[Store], object], ...] = (
    lambda store: put_events(store.databases[0], b"e", EventSeries().blocks_of([1, 5], [{"a": 2}, {"b": 1}], [0, 1])),
    lambda store: remove_event_rows(store.databases[0], b"e", [(0, [0], None)]),
    lambda store: drop_event_index(store.databases[0], b"e", ("a",)),
    lambda store: event_series(store.databases[0], b"e"),
    lambda store: store.libraries.put(b"lib", b"#!lua name=lib"),
)


def image(store: Store) -> Image:
    spaces = [(space.index, space) for space in store.databases]
    spaces += [(each.token, each.keyspace) for each in store.sessions.by_token.values()]
    found = {
        (place, key): (pack(sorted(value) if type(value) is set else value), space.deadlines.get(key))
        for place, space in spaces
        for key, value in space.data.items()
    }
    sessions = sorted(session_operation(each) for each in store.sessions.by_token.values())
    return sessions, found, dict(store.libraries.code)


def crash(journal: Journal) -> None:
    journal.end_child()
    journal.store.feed.unsubscribe(journal.on_change)
    os.close(journal.fd)
    journal.directory.close()


class Small:
    """A data directory with small files of all kinds, and what a start finds after each record of its log."""

    def __init__(self, folder: Path, house: Any) -> None:
        self.folder = folder
        store = house.store
        journal = open_journal(str(folder), store, cut_torn_tail=False)
        house.clock.now_ms = 1_000_000
        wire = house.connect()
        lines = [line.strip() for each in LINES.strip().split("\n") for line in each.split("|")]
        self.run(wire, [*lines, 'SH_NEW {"name":"kept","shared":true}', "RPUSH long " + "i " * 2100, "LPUSH long j"])
        journal.save()
        wire.line("FLUSHALL")
        journal.commit()
        self.images = [*self.base_image(), image(store)]
        for line in lines:
            before = journal.seq
            self.run(wire, [line])
            journal.commit()
            if journal.seq > before:
                self.images.append(image(store))
        for call in CALLS:
            before = journal.seq
            call(store)
            journal.commit()
            if journal.seq > before:
                self.images.append(image(store))
        journal.close()
        self.log = next(folder.glob("log.*"))
        self.whole = {path: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}
        data = self.whole[self.log]
        self.ends = [HEADER_BYTES]
        while self.ends[-1] < len(data):
            length = int.from_bytes(data[self.ends[-1] : self.ends[-1] + 4], "little")
            self.ends.append(self.ends[-1] + RECORD_BYTES + length)
        assert len(self.ends) == len(self.images)

    def run(self, wire: Any, lines: list[str]) -> None:
        for line in lines:
            words = line.split(" ", 1) if "{" in line else line.split()
            assert "unknown command" not in str(wire(*words)), line

    def base_image(self) -> Iterator[Image]:
        with Copy(self.folder) as copy:
            copy.log.write_bytes(copy.log.read_bytes()[:HEADER_BYTES])
            yield image(start(copy.folder))

    def restore(self) -> None:
        for path in self.folder.iterdir():
            if path not in self.whole and path.name != "lock":
                path.unlink()
        for path, data in self.whole.items():
            if not path.exists() or path.read_bytes() != data:
                rewrite(path, data)


class Copy:
    """A copy of a data directory, for a while."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.with_name(f"{folder.name}.copy")
        shutil.copytree(folder, self.folder)
        self.log = next(self.folder.glob("log.*"))

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.folder)


def start(folder: Path) -> Store:
    """Start on a directory; what is loaded. Raises Damaged."""
    store = Store(clock=ManualClock(1))
    journal = open_journal(str(folder), store, cut_torn_tail=True)
    for space in store.keyspaces():
        space.check()
    crash(journal)
    return store


def both(folder: Path) -> tuple[Image | None, Findings]:
    """What a start loads (None: it refuses), and what check-log finds, which has to agree."""
    store = Store(clock=ManualClock(1))
    found = examine(ReadOnly(str(folder)), store)
    refusal = None
    try:
        loaded = image(start(folder))
    except Damaged as error:
        refusal = error
    if refusal is not None:
        assert not found.starts, refusal
        first = found.problems[0]
        assert (first.file, first.offset) == (Path(refusal.path).name, refusal.offset) or first.kind == UNPLAYABLE
        return None, found
    assert found.starts, found.problems
    assert image(store) == loaded
    return loaded, found


@pytest.fixture
def small(tmp_path: Path, make_house: Callable[[], Any]) -> Small:
    return Small(tmp_path / "small", make_house())


def places(size: int) -> range:
    return range(random.Random(size).randrange(STEP), size, STEP)


def test_these_are_all_kinds_of_operations(small: Small) -> None:
    found = examine(ReadOnly(str(small.folder)))
    (operations,) = [each.operations for each in found.files if each.name.startswith("log")]
    assert operations.keys() == OPERATIONS.keys()
    held = small.log.read_bytes()
    unused = {name for name in effects() if name.encode() not in held}
    assert not unused, unused
    small.log.write_bytes(small.whole[small.log][:HEADER_BYTES])  # the snapshot alone
    kinds = {getattr(type(each), "kind", "") for each in start(small.folder).databases[0].data.values()}
    assert kinds >= value_classes().keys()


@pytest.mark.slow
def test_a_log_that_ends_anywhere(small: Small) -> None:
    """Every record is the last one once."""
    data = small.whole[small.log]
    for length in sorted(
        {*places(len(data)), *small.ends, *(end + 1 for end in small.ends), *range(len(data) - 3, len(data))}
    ):
        if length < HEADER_BYTES or length > len(data):
            continue
        tails = (b"", b"\0" * 100, random.Random(length).randbytes(50))
        for tail in tails if ALL else [tails[length % 3]]:
            content = data[:length] + tail
            rewrite(small.log, content)
            kept = sum(content.startswith(data[:end]) for end in small.ends) - 1  # zeros may complete a record
            loaded, found = both(small.folder)
            assert loaded == small.images[kept], (length, tail)
            unfinished = content[small.ends[kept] :].rstrip(b"\0")
            torn = found.torn.torn if found.torn is not None else None
            if not unfinished:
                assert torn is None
            else:
                assert isinstance(torn, Torn)
                assert (torn.offset, torn.bytes_lost) == (small.ends[kept], len(unfinished))
            assert examine(ReadOnly(str(small.folder))).torn is None  # the start has cut it


@pytest.mark.slow
def test_a_flipped_bit_anywhere(small: Small) -> None:
    for path, data in small.whole.items():
        for at in places(len(data)):
            for bit in BITS:
                number = at % 8 if bit is None else bit
                rewrite(path, data[:at] + bytes([data[at] ^ 1 << number]) + data[at + 1 :])
                loaded, found = both(small.folder)
                if loaded is not None:
                    # Damage in the last record is an unfinished end: both say so, and it is cut.
                    assert path == small.log, (path.name, at)
                    assert at >= small.ends[-2]
                    assert loaded == small.images[-2]
                    assert found.torn is not None
                small.restore()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["manifest", "base", "log"])
def test_a_file_that_ends_anywhere_or_is_empty(small: Small, name: str) -> None:
    path = next(each for each in small.whole if each.name.startswith(name))
    data = small.whole[path]
    for length in {0, 1, *places(len(data)), len(data) - 1}:
        rewrite(path, data[:length])
        loaded, _ = both(small.folder)
        if name == "log" and length >= HEADER_BYTES:
            assert loaded in small.images
        else:
            assert loaded is None, length
        small.restore()


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_missing_file(small: Small, snapshot: bool, tmp_path: Path) -> None:
    folder = small.folder
    if not snapshot:
        folder = tmp_path / "no base"
        store = Store(clock=ManualClock())
        journal = open_journal(str(folder), store, cut_torn_tail=False)
        store.databases[0].put(b"a", b"b")
        journal.close()
    for path in sorted(folder.iterdir()):
        if path.name != "lock":
            data = path.read_bytes()
            path.unlink()
            assert both(folder)[0] is None, path.name
            path.write_bytes(data)


def test_a_version_to_come_is_neither_read_nor_repaired(small: Small, capsys: pytest.CaptureFixture[str]) -> None:
    data = small.whole[small.log]
    changed = data[:8] + b"\x02\x00" + data[10 : HEADER_BYTES - 4]
    small.log.write_bytes(changed + google_crc32c.value(changed).to_bytes(4, "little") + data[HEADER_BYTES:])
    assert both(small.folder)[0] is None
    assert main(["check-log", "--fix", "--yes", str(small.folder)]) == 1
    assert "another version" in capsys.readouterr().err
    assert small.log.read_bytes()[8] == 2


# ---------------------------------------------------------------- what it says


def segments(folder: Path) -> list[Image]:
    """A directory with a snapshot, two segments of two records each, as a failed snapshot leaves; images after each."""
    store = Store(clock=ManualClock())
    journal = open_journal(str(folder), store, cut_torn_tail=False)
    store.databases[0].put(b"old", b"1")
    journal.save()
    images = [image(store)]
    for number in range(4):
        if number == 2:
            journal.begin_segment()
        store.databases[0].put(b"key:%d" % number, b"value")
        journal.commit()
        images.append(image(store))
    journal.close()
    return images


def damage_manifest(folder: Path) -> None:
    (folder / "manifest").write_bytes(b"nothing\n")


def damage(name: str, at: int) -> Callable[[Path], None]:
    def flip(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[at] ^= 1
        (folder / name).write_bytes(data)

    return flip


def unplayable(folder: Path) -> None:
    path = folder / "log.4"
    path.write_bytes(path.read_bytes() + record(1, 6, pack(["deadline", 0, b"nobody", 5])))


def other_sequence(folder: Path) -> None:
    path = folder / "log.4"
    data = path.read_bytes()
    path.write_bytes(header(1, data[11:27], 17) + data[HEADER_BYTES:])


# How, what check-log says of it, the number of images that stay after a repair (None: it cannot be repaired).
DAMAGES: dict[str, tuple[Callable[[Path], None], str, int | None]] = {
    "a torn tail": (lambda f: os.truncate(f / "log.4", os.path.getsize(f / "log.4") - 1), "unfinished end", 4),
    "a record of the last segment": (damage("log.4", 50), "DAMAGED: log.4, offset 39: a record with a wrong", 3),
    "a record of the first segment": (damage("log.2", 50), "DAMAGED: log.2, offset 39: a record with a wrong", 1),
    "the last record of the first segment": (damage("log.2", 90), "DAMAGED: log.2, offset 77", 2),
    "the header of the last segment": (damage("log.4", 15), "DAMAGED: log.4, offset 0: the header", 3),
    "the header of the first segment": (damage("log.2", 15), "DAMAGED: log.2, offset 0: the header", 1),
    "the last segment is missing": (lambda f: (f / "log.4").unlink(), "log.4, offset 0: the file is missing", 3),
    "the first segment is missing": (lambda f: (f / "log.2").unlink(), "log.2, offset 0: the file is missing", 1),
    "a gap in the sequence": (other_sequence, "it begins with record 17, and 4 has to follow", 3),
    "the manifest": (damage_manifest, "DAMAGED: manifest, offset 0: its checksum is wrong", 5),
    "the manifest is missing": (lambda f: (f / "manifest").unlink(), "manifest, offset 0: the file is missing", 5),
    "an impossible change": (unplayable, "cannot be replayed: it is about the time of the key", 5),
    "the snapshot's record": (damage("base.3", 50), "DAMAGED: base.3, offset 39: a record with a wrong", 0),
    "the snapshot's end": (lambda f: os.truncate(f / "base.3", os.path.getsize(f / "base.3") - 1), "incomplete", 1),
    "the snapshot's header": (damage("base.3", 15), "DAMAGED: base.3, offset 0: the header", None),
    "the snapshot is missing": (lambda f: (f / "base.3").unlink(), "base.3, offset 0: the file is missing", None),
}
DAMAGED = pytest.mark.parametrize("case", DAMAGES)


@DAMAGED
def test_damage_is_told_and_repaired(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    images = [([], {}, {}), *segments(folder)]
    assert main(["check-log", str(folder)]) == 0
    assert "a server would start: 5 keys, 0 sessions, next record 6" in capsys.readouterr().out
    how, says, kept = DAMAGES[case]
    how(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["check-log", str(folder)]) == 1
    assert says in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    both(Copy(folder).folder)
    fixed = main(["check-log", "--fix", "--yes", str(folder)])
    if kept is None:
        assert fixed == 1
        assert "cannot be repaired" in capsys.readouterr().err
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        return
    assert fixed == 0
    assert main(["check-log", str(folder)]) == 0
    assert both(folder)[0] == images[kept]
    # What is gone from a file is in a side file.
    for name, data in before.items():
        now = (folder / name).read_bytes() if (folder / name).exists() else b""
        cut = [path for path in folder.glob(f"{name}.cut-*") if data.endswith(path.read_bytes())]
        if now != data and (name != "manifest" or "manifest" in case):
            assert cut, name
            if now == data[: len(now)]:
                assert any(now + path.read_bytes() == data for path in cut)


@pytest.mark.parametrize(
    "case", ["a torn tail", "a record of the first segment", "the manifest is missing", "a gap in the sequence"]
)
def test_a_server_does_what_is_said(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    segments(folder)
    DAMAGES[case][0](folder)
    assert main(["check-log", str(folder)]) == 1
    refused = capsys.readouterr().out.endswith("a server would refuse to start\n")
    options = ["--port", "-1", "--http-port", "0", "--bind", "127.0.0.1", "--appendonly", "yes", "--dir", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-m", "januskv", *options], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as server:
        assert server.stdout is not None
        lines = []
        for line in server.stdout:
            lines.append(line)
            if " ready: " in line:
                server.terminate()
    assert refused == (server.returncode != 0)
    assert any(("damaged at offset" if refused else "bytes cut at offset") in line for line in lines), lines


@DAMAGED
def test_a_repair_that_ends_at_any_system_call_loses_nothing_else(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    how, _, kept = DAMAGES[case]
    if kept is None:
        pytest.skip("nothing is repaired")

    class Crash(BaseException):
        pass

    names = ["open", "fsync", "replace", "ftruncate", "unlink"]
    real = {name: getattr(os, name) for name in names}
    at = calls = total = 0
    while at <= total:
        folder = tmp_path / str(at)
        images = [([], {}, {}), *segments(folder)]
        how(folder)
        calls = 0

        def call(name: str, *args: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:  # noqa: B023
                raise Crash
            return real[name](*args, **more)

        with monkeypatch.context() as patch:
            for name in names:
                patch.setattr(
                    generations.os, name, lambda *args, name=name, call=call, **more: call(name, *args, **more)
                )
            with contextlib.suppress(Crash):
                assert main(["check-log", "--fix", "--yes", str(folder)]) == 0
        total = total or calls
        assert main(["check-log", "--fix", "--yes", str(folder)]) == 0
        loaded, found = both(folder)
        assert loaded == images[kept], at
        assert found.torn is None
        at += 1
    assert total > 5


# ---------------------------------------------------------------- the command


def test_it_asks_before_more_than_an_unfinished_end_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    segments(folder)
    damage("log.4", 50)(folder)
    before = (folder / "log.4").read_bytes()
    assert main(["check-log", "--fix", str(folder)]) == 1  # nobody can be asked
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda text: "n")
    assert main(["check-log", "--fix", str(folder)]) == 1
    assert (folder / "log.4").read_bytes() == before
    monkeypatch.setattr("builtins.input", lambda text: "y")
    assert main(["check-log", "--fix", str(folder)]) == 0


def test_a_directory_in_use_is_told_and_not_repaired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    segments(folder)
    held = Directory(str(folder))
    assert main(["check-log", str(folder)]) == 0
    assert "a server uses the directory" in capsys.readouterr().err
    assert main(["check-log", "--fix", "--yes", str(folder)]) == 2
    assert "nothing was changed" in capsys.readouterr().err
    held.close()


def test_data_for_more_databases_is_no_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(20, ManualClock())
    journal = open_journal(str(tmp_path), store, cut_torn_tail=False)
    store.databases[19].put(b"a", b"b")
    journal.close()
    assert main(["check-log", str(tmp_path)]) == 1
    assert main(["check-log", "--fix", "--yes", str(tmp_path)]) == 1
    assert "nothing is damaged: the data is for 20 databases" in capsys.readouterr().err
    assert main(["check-log", "--databases", "20", str(tmp_path)]) == 0


def test_a_fresh_directory_is_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-log", str(tmp_path)]) == 0
    assert "begins with no data" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert main(["check-log", str(tmp_path / "none")]) == 2
    with pytest.raises(SystemExit) as ended:
        main(["check-log"])
    assert ended.value.code == 2
