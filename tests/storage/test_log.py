"""The log and snapshots over an engine without a server: what is written is what is read."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import rewrite

from januskv.storage.clock import ManualClock
from januskv.storage.durability import generations
from januskv.storage.durability.codec import pack, unpack
from januskv.storage.durability.generations import Directory, DirectoryTaken
from januskv.storage.durability.journal import Journal, open_journal
from januskv.storage.durability.records import HEADER_BYTES, Damaged
from januskv.storage.durability.replay import session_operation
from januskv.storage.store import Store
from januskv.storage.values import NULL

Image = tuple[Any, ...]


def image(store: Store) -> Image:
    """Everything a store holds, as values that can be compared."""
    spaces = [(space.index, space) for space in store.databases]
    sessions = [session_operation(each) for each in store.sessions.by_token.values()]
    spaces += [(each.token, each.keyspace) for each in store.sessions.by_token.values()]
    return (
        sorted(sessions),
        {
            (place, key): (pack(value), space.deadlines.get(key))
            for place, space in spaces
            for key, value in space.data.items()
        },
    )


def loaded(folder: Path, *, cut: bool = True) -> tuple[Store, Journal]:
    store = Store(clock=ManualClock())
    return store, open_journal(str(folder), store, cut_torn_tail=cut)


def crash(journal: Journal) -> None:
    """End as a killed process does: nothing is written any more."""
    journal.end_child()
    journal.store.feed.unsubscribe(journal.on_change)
    os.close(journal.fd)
    journal.directory.close()


def image_of(folder: Path, *, cut: bool = True) -> Image:
    store, journal = loaded(folder, cut=cut)
    found = image(store)
    for space in store.keyspaces():
        space.check()
    crash(journal)
    return found


def steps(store: Store, seed: int, count: int) -> Iterator[None]:
    """A random program of the engine's own operations, step by step."""
    chance = random.Random(seed)
    values: list[Any] = [b"", b"\xff\0", 7, -(2**63), 0.5, True, NULL, {b"f": [1, {"a": None}]}, [b"x", NULL, 1.5]]
    for _ in range(count):
        spaces = list(store.keyspaces())
        space = chance.choice(spaces[:3] + spaces[16:])
        keys = list(space.data)
        key = chance.choice(keys) if keys and chance.random() < 0.6 else b"key:%d" % chance.randrange(50)
        choice = chance.random()
        now_ms = store.clock.now_ms
        if choice < 0.45:
            space.put(key, chance.choice(values))
        elif choice < 0.55:
            space.delete(key)
        elif choice < 0.65:
            if key in space:
                space.expire_at(key, now_ms + chance.randrange(-5, 10_000))
        elif choice < 0.7:
            if key in space:
                space.persist(key)
        elif choice < 0.78:
            if key in space:
                space.rename(key, b"key:%d" % chance.randrange(50))
        elif choice < 0.84:
            space.put_until(key, chance.choice(values), now_ms + chance.randrange(-5, 10_000))
        elif choice < 0.88:
            store.databases[0].swap(store.databases[chance.randrange(1, 3)])
        elif choice < 0.9:
            space.clear()
        elif choice < 0.95:
            store.sessions.open_new("s", shared=False, duration_s=chance.choice((0, 60)))
        elif store.sessions.by_token:
            store.sessions.end(chance.choice(list(store.sessions.by_token)))
        store.clock.advance(chance.randrange(500))  # type: ignore[attr-defined]
        yield


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(value, id=name)
        for name, value in {
            "bytes": b"\0\xff",
            "text": "\u20ac \udc80",
            "a big integer": 2**200,
            "a negative big integer": -(2**64),
            "a float": -0.0,
            "null": NULL,
            "a tuple in a list": [(1, [2, (3,)]), ()],
            "an object": {b"a": {"b": [None, True]}},
            "a set": {b"a", b"b"},
        }.items()
    ],
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    found = unpack(pack(value))
    assert found == value
    assert repr(found) == repr(value) or isinstance(value, set)


def test_what_no_keyspace_holds_is_refused() -> None:
    with pytest.raises(TypeError):
        pack(object())


@pytest.mark.parametrize("seed", range(12))
def test_a_random_program_is_found_again_after_each_commit(tmp_path: Path, seed: int) -> None:
    store, journal = loaded(tmp_path)
    for number, _ in enumerate(steps(store, seed, 400)):
        if number % 7 == 0:
            journal.commit()
        if number == 200 and seed % 2:
            journal.save()
    journal.note_renewals()
    journal.commit()
    assert not journal.fault
    before = image(store)
    crash(journal)
    assert image_of(tmp_path) == before
    assert image_of(tmp_path, cut=False) == before


@pytest.mark.parametrize("event", ["set", "incrby", "decrby", "append"])
def test_plain_values_of_every_size_are_found_again(tmp_path: Path, event: str) -> None:
    store, journal = loaded(tmp_path)
    edges = [2**7, 2**8, 2**15, 2**16, 2**31, 2**32, 2**63, 2**64]
    values: list[Any] = [sign * (edge + off) for edge in edges for sign in (1, -1) for off in (-1, 0, 1)]
    values += [0, 1, -1, True, False, 0.5, *(b"v" * size for size in (0, 1, 255, 256, 65535, 65536, 3_000_000))]
    for place in (0, 15):
        space = store.databases[place]
        for number, value in enumerate(values):
            space.put(b"key:%d" % number, value, event)
            space.put(b"timed:%d" % number, value, event)
            space.expire_at(b"timed:%d" % number, space.clock.now_ms + (1 << (number % 45)) + 1)
            space.replace(b"timed:%d" % number, value, event)
        for size in (0, 255, 256, 65535, 65536):
            space.put(b"k" * size, size, event)
    journal.commit()
    assert not journal.fault
    before = image(store)
    crash(journal)
    assert image_of(tmp_path) == before


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    store, journal = loaded(tmp_path)
    store.databases[0].put(b"a", 1)
    journal.commit()
    store.databases[0].put(b"b", 1)
    crash(journal)
    store, journal = loaded(tmp_path)
    assert list(store.databases[0].data) == [b"a"]
    journal.close()


def test_a_closed_log_has_no_space_allocated_ahead(tmp_path: Path) -> None:
    store, journal = loaded(tmp_path)
    store.databases[0].put(b"a", 1)
    journal.commit()
    assert os.path.getsize(tmp_path / "log.1") > 1 << 20
    journal.close()
    assert os.path.getsize(tmp_path / "log.1") < 200


def test_two_servers_cannot_share_a_directory(tmp_path: Path) -> None:
    _, journal = loaded(tmp_path)
    with pytest.raises(DirectoryTaken):
        Directory(str(tmp_path))
    journal.close()


def test_a_snapshot_in_a_child_holds_the_data_of_its_beginning(tmp_path: Path) -> None:
    store, journal = loaded(tmp_path)
    for number in range(1000):
        store.databases[number % 3].put(b"key:%d" % number, number)
    journal.save_in_child()
    store.databases[0].put(b"key:0", b"newer")
    journal.commit()
    assert journal.poll_child(wait=True)
    assert sorted(os.listdir(tmp_path)) == ["base.3", "lock", "log.2", "manifest"]
    before = image(store)
    crash(journal)
    assert image_of(tmp_path) == before


def test_a_failed_snapshot_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, journal = loaded(tmp_path)
    store.databases[0].put(b"a", 1)

    def fail(*args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("januskv.storage.durability.journal.write_snapshot", fail)
    with pytest.raises(OSError, match="No space"):
        journal.save()
    assert journal.snapshot_failed
    store.databases[0].put(b"b", 2)
    journal.commit()
    before = image(store)
    crash(journal)
    assert image_of(tmp_path) == before


@pytest.mark.parametrize("way", ["at once", "in a child", "in a child that is ended"])
@pytest.mark.parametrize("logging", [False, True], ids=["snapshots only", "log"])
def test_failed_snapshots_take_no_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logging: bool, way: str
) -> None:
    store = Store(clock=ManualClock())
    journal = open_journal(str(tmp_path), store, cut_torn_tail=True, logging=logging)
    store.databases[0].put(b"a", 1)
    real = os.fsync

    def full(fd: int) -> None:
        real(fd)
        if "base" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        for _ in range(3):
            if way == "at once":
                with pytest.raises(OSError, match="No space"):
                    journal.save()
                continue
            journal.save_in_child()
            if way == "in a child":
                assert not journal.poll_child(wait=True)
            else:
                journal.end_child()
        assert sorted(os.listdir(tmp_path)) == ["lock", "log.1", "log.2", "manifest"]
    store.databases[0].put(b"b", 1)
    journal.save()
    before = image(store)
    crash(journal)
    assert image_of(tmp_path) == before


def test_a_manifest_or_segment_that_does_not_fit_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, journal = loaded(tmp_path)
    store.databases[0].put(b"a", 1)
    journal.commit()
    real = Directory.write_file
    unwritable = ["log"]

    def full(directory: Directory, name: str, data: bytes) -> None:
        real(directory, name, data)
        if name.startswith(tuple(unwritable)):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Directory, "write_file", full)
    for stem in ("log", "manifest"):
        unwritable[:] = [stem]
        with pytest.raises(OSError, match="No space"):
            journal.save()
        assert sorted(set(os.listdir(tmp_path)) - {"manifest.new"}) == ["lock", "log.1", "manifest"]
    unwritable.clear()
    journal.begin_segment()
    unwritable.append("manifest")
    with pytest.raises(OSError, match="No space"):
        journal.save()
    assert not [name for name in os.listdir(tmp_path) if name.startswith("base")]
    before = image(store)
    crash(journal)
    assert image_of(tmp_path) == before


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize("sizes", [(300, 300, 1, 300), (256, 40, 300), (255, 1, 1, 600, 600)])
def test_records_of_any_size_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], snapshot: bool
) -> None:
    """A file is read in windows: of one record where that is longer, and the next one may be longer still."""
    monkeypatch.setattr("januskv.storage.durability.records._WINDOW_BYTES", 256)
    monkeypatch.setattr(generations, "_CHUNK_BYTES", 1)
    store, journal = loaded(tmp_path)
    for number, size in enumerate(sizes):
        for spare in range(20):  # so that records end everywhere near the end of a window
            store.databases[0].put(b"%d:%d" % (number, spare), b"x" * (size + spare))
            journal.commit()
    if snapshot:
        journal.save()
    before = image(store)
    crash(journal)
    assert image_of(tmp_path) == before


@pytest.mark.parametrize("snapshot", [False, True], ids=["log", "snapshot"])
def test_sessions_keep_the_tokens_of_64_bits_that_they_had(tmp_path: Path, snapshot: bool) -> None:
    store, journal = loaded(tmp_path)
    tokens = {"private": (1 << 63) - 25, "board": (1 << 64) - 7}
    for name, token in tokens.items():
        session = store.sessions.reopen(token, name, shared=name == "board", duration_s=0, delete_on_expiry=False)
        assert session is not None
        session.keyspace.put(b"name", name.encode())
    journal.commit()
    if snapshot:
        journal.save()
    crash(journal)
    store, journal = loaded(tmp_path)
    for name, token in tokens.items():
        assert store.sessions.look_up(token).keyspace.get(b"name") == name.encode()
    board = store.sessions.shared_by_name("board")
    assert board is not None
    assert board.token == tokens["board"]
    crash(journal)


# ---------------------------------------------------------------- damage


def small_log(folder: Path, *, snapshot: bool) -> list[Image]:
    """A directory with a few records; gives the images after each of them, the first one of the snapshot."""
    store, journal = loaded(folder)
    if snapshot:
        store.databases[0].put(b"old", {b"f": 1})
        store.sessions.open_new("private", shared=False).keyspace.put(b"in it", [1, 2])
        journal.save()
    images = [image(store)]
    for number in range(4):
        store.databases[0].put(b"key:%d" % number, b"value %d" % number)
        store.databases[1].put(b"key", number)
        journal.commit()
        images.append(image(store))
    journal.close()
    return images


def segment_of(folder: Path) -> Path:
    return next(folder.glob("log.*"))


def test_a_log_that_ends_at_any_byte_loses_the_cut_record_only(tmp_path: Path) -> None:
    images = small_log(tmp_path, snapshot=False)
    path = segment_of(tmp_path)
    whole = path.read_bytes()
    ends = [HEADER_BYTES]
    while ends[-1] < len(whole):
        ends.append(ends[-1] + 17 + int.from_bytes(whole[ends[-1] : ends[-1] + 4], "little"))
    for length in range(HEADER_BYTES, len(whole) + 1):
        kept = sum(end <= length for end in ends) - 1
        for tail in (b"", b"\0" * 100, random.Random(length).randbytes(50)):
            rewrite(path, whole[:length] + tail)
            assert image_of(tmp_path) == images[kept], (length, tail)
            assert image_of(tmp_path, cut=False) == images[kept]  # the first start has cut it
    path.write_bytes(whole[:-1])
    with pytest.raises(Damaged, match="log-load-truncated"):
        loaded(tmp_path, cut=False)


def test_no_flipped_bit_goes_unnoticed(tmp_path: Path) -> None:
    images = small_log(tmp_path, snapshot=True)
    for path in sorted(tmp_path.iterdir()):
        if path.name == "lock":
            continue
        whole = path.read_bytes()
        for at in range(len(whole)):
            for bit in (1, 128):
                rewrite(path, whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
                try:
                    found = image_of(tmp_path)
                except Damaged:
                    continue
                assert path.name.startswith("log"), (path.name, at)
                # Damage in the last record is an unfinished end: the start says so and cuts it.
                assert found == images[-2], at
        rewrite(path, whole)
    assert image_of(tmp_path) == images[-1]


def test_a_missing_file_refuses_to_start(tmp_path: Path) -> None:
    small_log(tmp_path, snapshot=True)
    for path in sorted(tmp_path.iterdir()):
        if path.name != "lock":
            whole = path.read_bytes()
            path.unlink()
            with pytest.raises(Damaged, match="missing"):
                loaded(tmp_path)
            rewrite(path, whole)


# ---------------------------------------------------------------- failing system calls


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("how", ["crash", "error"])
def test_a_rewrite_that_stops_at_any_system_call_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    names = ["open", "fsync", "replace", "ftruncate", "unlink"]
    real = {name: getattr(os, name) for name in names}
    at = 0
    while True:
        folder = tmp_path / str(at)
        store, journal = loaded(folder)
        for number in range(20):
            store.databases[0].put(b"key:%d" % number, number)
            journal.commit()
        journal.save()
        store.databases[0].put(b"later", 1)
        calls = 0

        def call(name: str, *args: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:  # noqa: B023
                raise Crash if how == "crash" else OSError(5, "Input/output error")
            return real[name](*args, **more)

        with monkeypatch.context() as patch:
            for name in names:
                patch.setattr(generations.os, name, lambda *args, name=name, **more: call(name, *args, **more))
            with contextlib.suppress(Crash, OSError):
                journal.save()
        if how == "error":
            store.databases[0].put(b"last", 2)
            journal.commit()
        before = image(store)
        crash(journal)
        assert image_of(folder) == before, at
        at += 1
        if at > 1 and calls < at - 1:
            break
    assert at > 12


def test_a_full_disk_is_told_and_got_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, journal = loaded(tmp_path)
    store.databases[0].put(b"a", 1)
    journal.commit()
    real = os.pwrite

    def half(fd: int, data: Any, at: int) -> int:
        if len(data) > 4:
            return real(fd, data[: len(data) // 2], at)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", half)
        store.databases[0].put(b"b", 2)
        journal.commit()
        assert journal.fault == "No space left on device"
        assert not journal.durable
    assert os.path.getsize(tmp_path / "log.1") == journal.end
    store.databases[0].put(b"c", 3)
    journal.commit()
    assert not journal.fault
    before = image(store)
    crash(journal)
    assert image_of(tmp_path) == before


def test_a_failed_sync_is_not_believed_until_there_is_a_new_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, journal = loaded(tmp_path)
    store.databases[0].put(b"a", 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", lambda fd: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        journal.sync_now()
    assert "sync failed" in journal.fault
    journal.sync_now()
    assert not journal.durable
    assert journal.fault
    journal.save()
    assert not journal.fault
    journal.sync_now()
    assert journal.durable
    before = image(store)
    crash(journal)
    assert image_of(tmp_path) == before
