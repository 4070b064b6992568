"""Disks that are full, fail or are slow, processes that cannot fork, clocks that jump, starts that are killed.

With ``JANUSKV_KILLS=1`` the live test kills at every system call of a rewrite instead of at every fourth.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import rewrite
from tests.faults import test_durability as durability

from januskv.storage.clock import ManualClock
from januskv.storage.durability.codec import pack, value_classes
from januskv.storage.durability.journal import open_journal
from januskv.storage.durability.records import HEADER_BYTES, RECORD_BYTES, Damaged
from januskv.storage.store import Store

HERE = Path(__file__).parent


running = durability.running

# Every kind of value, by commands that make, change and empty it. "{n}" is a random number, "{k}" a random key's number.
PROGRAM = {
    "string": "SET s{k} v{n}|APPEND s{k} x|SETRANGE s{k} 3 {n}|SET n{k} {n}|INCRBY n{k} {n}|INCRBYFLOAT f{k} 0.5|DEL s{k}",
    "long string": "SETRANGE long 4100 v{n}|APPEND long x|SETBIT long {n} 1|BITFIELD long SET u16 {n} 7",
    "bitmap": "SETBIT b{k} {n} 1|BITFIELD b{k} INCRBY u8 3 7|BITOP NOT b{k} b1",
    "HyperLogLog": "PFADD p{k} {n} a{n}|PFMERGE p{k} p1 p2",
    "hash": "HSET h{k} a{n} {n} b 1|HINCRBY h{k} b 2|HDEL h{k} b a{n}|HINCRBYFLOAT h{k} c 0.25"
    "|HSET h{k} t 1|HEXPIRE h{k} {n}000 FIELDS 1 t|HPERSIST h{k} FIELDS 1 t|HSET i{k} t 1|HEXPIRE i{k} 9000 FIELDS 1 t",
    "list": "RPUSH l{k} a {n} c|LPUSH l{k} {n}|LPOP l{k}|LSET l{k} 0 {n}|LTRIM l{k} 0 9|LREM l{k} 1 a|LMOVE l{k} l1 LEFT RIGHT",
    "set": "SADD m{k} a b {n}|SPOP m{k}|SREM m{k} a|SMOVE m{k} m1 b|SUNIONSTORE m9 m1 m2 m3|SINTERSTORE m8 m1 m2",
    "zset": "ZADD z{k} {n} a 1.5 b -inf c{n}|ZINCRBY z{k} 2 b|ZPOPMIN z{k}|ZREM z{k} a|ZUNIONSTORE z9 2 z1 z2"
    "|ZREMRANGEBYRANK z{k} 5 9|GEOADD g{k} 13.3 38.1 p{n}|GEOSEARCHSTORE g9 g1 FROMLONLAT 13 38 BYRADIUS 200 km",
    "stream": "XADD x{k} * a {n}|XTRIM x{k} MAXLEN 5|XGROUP CREATE x{k} g{n} 0|XREADGROUP GROUP g{n} c COUNT 2 STREAMS x{k} >",
    "TSDB-TYPE": "TS.ADD t{k} {n} {n} ON_DUPLICATE LAST|TS.INCRBY u{k} 5|TS.ALTER t{k} LABELS a b{n}|TS.DEL t{k} 1 5",
    "ts-events": 'TS_CREATE {{"name":"e{k}","type":"Ordered"}}|TS_ADD_EVT {{"ts":"e{k}","t":[{n}],"evt":[{{"x":{n}}}]}}',
    "JSON": 'KV_SET {{"keys":{{"j{k}":{{"a":[1,{{"b":{n}}}],"n":null}}}}}}|KV_ADD {{"keys":{{"q{k}":[true,{n}.5]}}}}|KV_RMV {{"keys":["q{k}"]}}',
    "times": "EXPIRE s{k} 10000|PERSIST s{k}|EXPIRE z{k} 9000|RENAME h{k} h1|COPY l{k} l7 REPLACE|MOVE n{k} 3|SWAPDB 4 5",
}


def do_program(peer: Any, seed: int, count: int) -> None:
    """Random commands of all families; those that are refused for what they find change nothing."""
    chance = random.Random(seed)
    lines = [each for text in PROGRAM.values() for each in text.split("|")]
    for line in [*lines, *chance.choices(lines, k=count)]:
        words = line.format(n=chance.randrange(60), k=chance.randrange(1, 7)).split(" ")
        reply = str(peer(*words))
        assert "unknown command" not in reply, line
        assert "syntax error" not in reply, line


def kinds_of(store: Store) -> set[str]:
    return {getattr(value, "kind", type(value).__name__) for space in store.databases for value in space.data.values()}


def image(store: Store) -> Any:
    """All keys of all databases with their deadlines, in a form that can be compared."""
    return {
        (space.index, key): (pack(value), space.deadlines.get(key))
        for space in store.databases
        for key, value in space.data.items()
    }


def image_of(folder: Path) -> Any:
    store = Store(clock=ManualClock(1))
    journal = open_journal(str(folder), store, cut_torn_tail=True)
    found = image(store)
    for space in store.keyspaces():
        space.check()
    journal.store.feed.unsubscribe(journal.on_change)
    os.close(journal.fd)
    journal.directory.close()
    return found


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """The data directory of a killed server with a snapshot and a log of all kinds of values."""
    folder = tmp_path / "everything"
    with running(folder) as (server, peer):
        do_program(peer, 1, 100)
        peer("SAVE")
        do_program(peer, 2, 100)
        server.end()
    store = Store(clock=ManualClock(1))
    journal = open_journal(str(folder), store, cut_torn_tail=False)
    assert kinds_of(store) >= {*value_classes(), "bytes", "int", "dict", "list", "set"}
    journal.close()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_random_commands_of_all_families_are_found_again_after_kills(tmp_path: Path, seed: int) -> None:
    for life in range(3):
        with running(tmp_path / "data") as (server, peer):
            do_program(peer, 10 * seed + life, 400)
            if life == 1:
                peer("BGSAVE")
                do_program(peer, 10 * seed + 7, 100)
            before = peer("DEBUG", "DIGEST")
            server.end()
        with running(tmp_path / "data") as (server, peer):
            assert peer("DEBUG", "DIGEST") == before
            server.end()


def test_a_log_of_all_kinds_that_ends_at_any_byte_of_its_last_records(everything: Path) -> None:
    path = next(everything.glob("log.*"))
    whole = path.read_bytes()
    ends = [HEADER_BYTES]
    while ends[-1] < len(whole):
        ends.append(ends[-1] + RECORD_BYTES + int.from_bytes(whole[ends[-1] : ends[-1] + 4], "little"))
    images = {}
    for end in ends[-4:]:
        rewrite(path, whole[:end])
        images[end] = image_of(everything)
    for length in range(ends[-4], len(whole) + 1):
        rewrite(path, whole[:length])
        assert image_of(everything) == images[max(end for end in ends if end <= length)], length


def test_no_flipped_bit_in_files_of_all_kinds_goes_unnoticed(everything: Path) -> None:
    # One byte in some, so that the loading of all that is before it does not take minutes; the small files of
    # tests/storage/test_log.py are tried at every byte.
    chance = random.Random(3)
    before = image_of(everything)
    for path in sorted(everything.glob("[bl]*.[0-9]*")):
        whole = path.read_bytes()
        for at in chance.sample(range(len(whole)), 150):
            rewrite(path, whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
            with contextlib.suppress(Damaged):
                assert image_of(everything) != before
                # Only the last record may be taken for one that was not written to its end.
                assert path.name.startswith("log")
                assert at > len(whole) - 200
        rewrite(path, whole)
    assert image_of(everything) == before


# ---------------------------------------------------------------- disks


@contextlib.contextmanager
def faulty(folder: Path, *options: str) -> Iterator[tuple[Any, Any, Path]]:
    faults = folder.parent / "faults"
    faults.mkdir(exist_ok=True)
    real = subprocess.Popen

    def start(argv: list[str], **more: Any) -> Any:
        at = argv.index("-m")
        return real([*argv[:at], str(HERE / "faulty_server.py"), *argv[at + 2 :]], **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durability.subprocess, "Popen", start)
        server = durability.Server(folder, *options, env={**os.environ, "FAULTS": str(faults)})
    try:
        peer = durability.Peer(server.port)
        yield server, peer, faults
        peer.sock.close()
    finally:
        for each in faults.iterdir():
            each.unlink()
        if server.process.poll() is None:
            server.end()


def until(true: Any, limit_s: float = 20.0) -> None:
    """Ask again and again until it is so."""
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


def test_a_failed_sync_stops_writes_until_a_new_snapshot(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with faulty(folder) as (server, peer, faults):
        (faults / "fdatasync.fail").touch()
        (faults / "fork.fail").touch()  # no way out yet
        peer("SET", "a", 1)
        until(lambda: "MISCONF" in str(peer("SET", "b", 1)))
        (faults / "fdatasync.fail").unlink()
        assert "MISCONF" in str(peer("SET", "c", 1))
        assert peer("GET", "a") == b"1"
        (faults / "fork.fail").unlink()
        until(lambda: "OK" in str(peer("SET", "d", 1)))
        assert list(folder.glob("base.*"))
        before = peer("DEBUG", "DIGEST")
        server.end()
    with running(folder) as (_, peer):
        assert peer("DEBUG", "DIGEST") == before


def test_under_always_a_failed_sync_ends_the_server_without_an_answer(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with faulty(folder, "--appendfsync", "always") as (server, peer, faults):
        assert "OK" in str(peer("SET", "a", 1))
        (faults / "fdatasync.fail").touch()
        with pytest.raises(ConnectionError):
            peer("SET", "b", 1)
        assert server.process.wait(10) == 1
    with running(folder) as (_, peer):
        assert peer("GET", "a") == b"1"


@pytest.mark.slow
def test_a_slow_disk_does_not_stop_the_loop(tmp_path: Path) -> None:
    with faulty(tmp_path / "data") as (server, peer, faults):
        (faults / "fdatasync.slow").touch()
        count = 0
        slowest = 0.0
        while int(peer.info("aof_delayed_fsync")) == 0:
            started = time.monotonic()
            assert "OK" in str(peer("SET", f"key:{count}", "x" * 100))
            slowest = max(slowest, time.monotonic() - started)
            count += 1
        assert peer.info("aof_pending_bio_fsync") == "1"
        assert slowest < 1
        assert count > 100
        (faults / "fdatasync.slow").unlink()
        server.end()
    with running(tmp_path / "data") as (_, peer):
        assert peer("DBSIZE") == count


def test_under_always_a_slow_disk_holds_replies_back(tmp_path: Path) -> None:
    with faulty(tmp_path / "data", "--appendfsync", "always") as (server, peer, faults):
        (faults / "fdatasync.slow").touch()
        done = threading.Event()
        other = durability.Peer(server.port)
        writer = threading.Thread(target=lambda: (other("SET", "a", 1), done.set()))
        writer.start()
        assert not done.wait(0.5)
        (faults / "fdatasync.slow").unlink()
        writer.join(10)
        assert done.is_set()
        other.sock.close()
        assert peer("GET", "a") == b"1"


def test_a_process_that_cannot_fork_answers_so_and_goes_on(tmp_path: Path) -> None:
    with faulty(tmp_path / "data") as (server, peer, faults):
        (faults / "fork.fail").touch()
        peer("SET", "a", 1)
        for verb in ("BGSAVE", "BGREWRITEAOF"):
            assert "Resource temporarily unavailable" in str(peer(verb))
        assert peer.info("rdb_last_bgsave_status") == "err"
        assert "OK" in str(peer("SET", "b", 1))
        (faults / "fork.fail").unlink()
        assert "started" in str(peer("BGSAVE"))
        until(lambda: peer.info("rdb_last_bgsave_status") == "ok" and peer.info("rdb_bgsave_in_progress") == "0")
        peer("SET", "c", 1)
        server.end()
    with running(tmp_path / "data") as (_, peer):
        assert peer("MGET", "a", "b", "c") == [b"1", b"1", b"1"]


def in_namespace(argv: list[str], folder: Path) -> list[str]:
    """A command line that sees a disk of 2 MiB in a folder, and nobody else does."""
    script = f'mount -t tmpfs -o size=2m none {folder} && exec "$@"'
    return ["unshare", "-m", "sh", "-c", script, "sh", *argv]


def test_a_full_disk_and_space_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not shutil.which("unshare") or subprocess.run(in_namespace(["true"], disk), capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    real = subprocess.Popen
    monkeypatch.setattr(durability.subprocess, "Popen", lambda argv, **more: real(in_namespace(argv, disk), **more))
    server = durability.Server(disk / "data")
    monkeypatch.undo()
    inside = Path(f"/proc/{server.process.pid}/root{disk}")
    acknowledged: dict[str, bytes] = {}
    try:
        peer = durability.Peer(server.port)
        for life in range(3):
            (inside / "ballast").write_bytes(b"x" * 1_000_000)
            for number in range(1000):
                value = b"%d " % number * 2000
                reply = str(peer("SET", f"key:{life}:{number % 7}", value))
                if "OK" not in reply:
                    break
                acknowledged[f"key:{life}:{number % 7}"] = value
            assert "MISCONF" in reply
            assert peer("GET", "key:0:0") == acknowledged["key:0:0"]
            assert peer.info("aof_last_write_status") == "err"
            (inside / "ballast").unlink()
            until(lambda: "OK" in str(peer("SET", "again", 1)))
            peer("SAVE")  # what was overwritten takes no space any more
        shutil.copytree(inside / "data", tmp_path / "copy")
        peer.sock.close()
    finally:
        server.end()
    with running(tmp_path / "copy") as (_, peer):
        for key, value in acknowledged.items():
            assert peer("GET", key).split()[-1] >= value.split()[-1]
        assert peer("GET", "again") == b"1"


# ---------------------------------------------------------------- clocks


@pytest.mark.parametrize("jump_ms", [-3_600_000, -1, 0, 3_600_000])
def test_no_jump_of_the_clock_brings_a_key_back(tmp_path: Path, jump_ms: int) -> None:
    clock = ManualClock()
    begun_ms = clock.now_ms
    store = Store(clock=clock)
    journal = open_journal(str(tmp_path), store, cut_torn_tail=False)
    clock.now_ms = begun_ms  # loading puts the clock to 0, and this one does not go on by itself
    space = store.databases[0]
    for name, ms in ((b"soon", 1000), (b"later", 1_800_000), (b"late", 7_200_000)):
        space.put_until(name, b"1", clock.now_ms + ms)
    space.put(b"always", b"1")
    clock.advance(2000)
    assert space.get(b"soon") is None  # it has been seen to be gone
    journal.close()
    store = Store(clock=clock)
    journal = open_journal(str(tmp_path), store, cut_torn_tail=False)
    clock.now_ms = begun_ms + 2000 + jump_ms
    space = store.databases[0]
    assert space.get(b"soon") is None
    assert space.get(b"always") == b"1"
    assert space.get(b"late") == b"1"
    assert (space.get(b"later") is None) is (jump_ms == 3_600_000)
    assert space.deadlines[b"late"] == begun_ms + 7_200_000
    journal.close()


# ---------------------------------------------------------------- starts


@pytest.mark.slow
def test_a_start_that_is_killed_at_any_time_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running(folder) as (server, peer):
        for part in range(20):
            peer("MSET", *(word for n in range(1000) for word in (f"key:{part}:{n}", n)))
        peer("SAVE")
        for part in range(20, 40):
            peer("MSET", *(word for n in range(1000) for word in (f"key:{part}:{n}", n)))
        before = peer("DEBUG", "DIGEST")
        server.end()
    argv = [sys.executable, "-m", "januskv", "--port", "-1", "--http-port", "0", "--appendonly", "yes"]
    chance = random.Random(9)
    for _ in range(6):
        process = subprocess.Popen([*argv, "--dir", str(folder)], stdout=subprocess.DEVNULL, cwd=tmp_path)
        threading.Event().wait(chance.uniform(0.2, 0.8))
        process.kill()
        process.wait()
    with running(folder) as (_, peer):
        assert peer("DEBUG", "DIGEST") == before


# ---------------------------------------------------------------- processes that end in between


def children_of(pid: int) -> list[int]:
    """The processes that a process has forked."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def first_child(pid: int) -> int:
    """A process that another one has started, 0 where there is none."""
    return next(iter(children_of(pid)), 0)


def stop_early(pid: int) -> bool:
    """Stop a process that has just been forked, as soon as it has given back what is its server's; False if it has ended."""
    try:
        os.kill(pid, signal.SIGSTOP)
        while len(os.listdir(f"/proc/{pid}/fd")) > 4:
            os.kill(pid, signal.SIGCONT)
            threading.Event().wait(0.001)
            os.kill(pid, signal.SIGSTOP)
        return state_of(pid) not in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return False


def state_of(pid: int) -> str:
    """What a process does: R, S, T, Z ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is not a child of this one; nobody may have taken its status."""

    def gone() -> bool:
        try:
            return state_of(pid) in "ZX"
        except FileNotFoundError:
            return True

    until(gone)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs the /proc of Linux")
@pytest.mark.parametrize(
    "request_line",
    [
        "BGSAVE\r\n",
        '{"KV_SAVE":{"name":"n"}}\n',
        'KV_SAVE \'{"name":"n"}\'\r\n',
        '{"SH_SAVE":{"name":"n"}}\n',
        '{"TS_SAVE":{"name":"n"}}\n',
    ],
)
def test_a_process_that_outlives_its_server_holds_nothing_up(tmp_path: Path, request_line: str) -> None:
    folder = tmp_path / "data"
    with running(folder) as (server, peer):
        token = json.loads(peer("SH_NEW", "{}"))["SH_NEW_RSP"]["tkn"]
        for part in range(30):
            peer("MSET", *(word for n in range(1000) for word in (f"key:{part}:{n}", n)))
        for part in range(100):
            peer("TS.ADD", f"series:{part}", 1, part)
        keys = {f"key:{n}": "x" * 100 for n in range(20_000)}
        peer("KV_SET", json.dumps({"tkn": token, "keys": keys}))
        before = peer("DEBUG", "DIGEST")
        child = 0
        while not child or not stop_early(child):  # on a busy machine it may have ended before it is seen
            peer.sock.sendall(request_line.encode())
            child = next(filter(None, (first_child(server.process.pid) for _ in range(20_000))), 0)
        server.end()
        with running(folder, "--port", str(server.port)) as (_, again):
            assert again("DEBUG", "DIGEST") == before
            assert "OK" in str(again("SAVE"))
            with contextlib.suppress(ProcessLookupError):  # where it cannot end with its server
                os.kill(child, signal.SIGCONT)
            wait_until_gone(child)
            assert b'"st":121' in again("KV_SAVE", '{"name":"n"}')
            assert again("DEBUG", "DIGEST") == before


# The calls between which a rewrite and the switch of the manifest can be divided.
CALLS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "rename", "unlink", "clone")


def write_while_traced(peer: Any, acknowledged: dict[str, int]) -> bool:
    """Write, start the log from scratch and write; whether the server has lived through it."""
    try:
        for number in range(6):
            peer("SET", f"before:{number}", number)
            acknowledged[f"before:{number}"] = number
        peer("BGREWRITEAOF")
        for number in range(6):
            peer("SET", f"after:{number}", number)
            acknowledged[f"after:{number}"] = number
        while peer.info("aof_rewrite_in_progress") == "1":
            pass
        peer("SET", "last", 1)
        acknowledged["last"] = 1
    except OSError:
        return False
    return True


@pytest.mark.live
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("call", CALLS)
def test_a_rewrite_that_is_killed_at_any_system_call(tmp_path: Path, call: str) -> None:
    folder = tmp_path / "data"
    for number in range(1, 40, 1 if durability.KILLS else 4):
        acknowledged: dict[str, int] = {}
        shutil.rmtree(folder, ignore_errors=True)
        with running(folder, "--appendfsync", "always") as (server, peer):
            pid = server.process.pid
            argv = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-p", str(pid)]
            argv += ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
            with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as trace:
                while f"TracerPid:\t{trace.pid}" not in Path(f"/proc/{pid}/status").read_text():
                    assert trace.poll() is None, "strace cannot attach"
                lived = write_while_traced(peer, acknowledged)
                trace.terminate()
                try:
                    trace.wait(2)
                except subprocess.TimeoutExpired:  # it waits for a process that is dead already
                    trace.kill()
            killed = "killed by SIGKILL" in (tmp_path / "trace").read_text()
            if lived:
                server.end()
        with running(folder) as (_, peer):
            for key, value in acknowledged.items():
                assert peer("GET", key) == b"%d" % value, (call, number)
            assert peer("DBSIZE") <= len(acknowledged) + 1
        if not killed:
            break
    assert not killed or call == "write"  # replies are written too, without an end
    assert number > 1
