"""Data of redis-server and ours, both ways: exports through redis-cli --pipe, and replays of its append-only files."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

import pytest

from januskv.cli import main
from januskv.tools.exporting import server_entries
from januskv.tools.link import RemoteLink, error_of
from januskv.tools.redis_source import RedisKeys

pytestmark = pytest.mark.live

# All types of Redis 7.0, transactions, other databases, deadlines, what empties and what overwrites.
LINES = """
    SET a 1|SET a 2 PX 100000000|APPEND a xyz|SETRANGE a 2 Q|INCR n|INCRBY n 41|INCRBYFLOAT f 0.25|GETSET g x|GETDEL g|SETEX s 1000 v
    SETBIT bits 70 1|BITFIELD bits INCRBY u8 3 7|PFADD p a b c|PFADD q c d|PFMERGE pq p q|MSET m1 1 m2 2|COPY m1 m3|RENAME m2 m4
    HSET h a 1 b 2 c 3|HINCRBY h a 5|HINCRBYFLOAT h f 1.5|HDEL h b|HSET gone a 1|HDEL gone a|EXPIRE h 5000|PERSIST h
    RPUSH l a b c d e|LPUSH l z|LPOP l|RPOP l 2|LSET l 0 first|LINSERT l BEFORE c bc|LREM l 1 b|LMOVE l l2 LEFT RIGHT|LTRIM l 0 5
    SADD t a b c d e f|SPOP t|SPOP t 2|SREM t a|SMOVE t t2 c|SADD ints 1 2 3|SINTERSTORE t3 t ints|SUNIONSTORE t4 t ints
    ZADD z 1 a 2.5 b -inf c +inf d|ZINCRBY z 3 a|ZADD z GT 1 a|ZPOPMIN z|ZREMRANGEBYRANK z 9 10|ZUNIONSTORE z2 2 z z WEIGHTS 1 2
    GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania|GEOSEARCHSTORE geo2 geo FROMLONLAT 15 37 BYRADIUS 200 km
    XADD x 1-1 a 1|XADD x 1-2 b 2 c 3|XADD x * auto 1|XADD x 99999999999999-1 d 4|XGROUP CREATE x g 0|XREADGROUP GROUP g c COUNT 2 STREAMS x >
    XACK x g 1-1|XGROUP CREATECONSUMER x g idle|XCLAIM x g d 0 1-2|XDEL x 1-1|XADD y MAXLEN 2 1-1 a b|XADD y MAXLEN 2 2-1 a b
    XADD y MAXLEN 2 3-1 a b|XGROUP CREATE y h $ MKSTREAM|XSETID y 9-9|XGROUP CREATE made h $ MKSTREAM|XAUTOCLAIM x g e 0 0
    MULTI|SET in1 1|RPUSH in2 a b|INCR in1|EXEC|MULTI|SET never 1|DISCARD|MULTI|SELECT 2|SET two 2|SELECT 0|SET zero 0|EXEC
    SELECT 3|SET there 1|LPUSH list a|PEXPIREAT there 9999999999999|MOVE list 4|SELECT 0|SWAPDB 4 5|SET late x EX 100000|TOUCH a
    SELECT 6|SET flushed 1|FLUSHDB|SELECT 0|OBJECT ENCODING a|SORT ints BY nosort STORE sorted|GETEX m1 PX 100000000|UNLINK m3
"""


def ask(port: int, *words: bytes | str | int) -> Any:
    link = RemoteLink("127.0.0.1", port, "default", "")
    try:
        return link.ask([word if isinstance(word, bytes) else str(word).encode() for word in words])
    finally:
        link.close()


def fill(port: int) -> None:
    link = RemoteLink("127.0.0.1", port, "default", "")
    lines = [line.strip().encode().split() for each in LINES.strip().split("\n") for line in each.split("|")]
    lines += [
        [b"SET", b"\xff\x00", b"\r\n*1\r\n"],
        [b"HSET", b"binary", b"\xfe", b"\xff", b"", b""],
        [b"SET", b"", b""],
    ]
    lines += [[b"RPUSH", b"long", *(b"item %d" % n for n in range(3000))]]
    for line in lines:
        assert error_of(link.ask(line)) is None, line
    link.close()


READ: dict[bytes, Callable[[bytes], list[list[bytes]]]] = {
    b"string": lambda key: [[b"GET", key]],
    b"list": lambda key: [[b"LRANGE", key, b"0", b"-1"]],
    b"hash": lambda key: [[b"HGETALL", key]],
    b"set": lambda key: [[b"SMEMBERS", key]],
    b"zset": lambda key: [[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]],
    b"stream": lambda key: [[b"XRANGE", key, b"-", b"+"], [b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]],
}
# Facts of one server: how it holds a stream, and when a consumer was seen.
PASSING = (b"radix-tree-keys", b"radix-tree-nodes", b"seen-time", b"active-time")


def without(reply: Any, names: Container[bytes]) -> Any:
    """A reply without some names and what follows them."""
    if not isinstance(reply, list):
        return reply
    found: list[Any] = []
    items = iter(reply)
    for each in items:
        if isinstance(each, bytes) and each in names:
            next(items, None)
        else:
            found.append(without(each, names))
    return found


def everything(port: int, names: tuple[bytes, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All keys with type, deadline and value, as clients see them."""
    link = RemoteLink("127.0.0.1", port, "default", "")
    for database in range(16):
        link.ask([b"SELECT", b"%d" % database])
        for key in sorted(link.ask([b"KEYS", b"*"])):
            kind = link.ask([b"TYPE", key])
            values = [without(link.ask(command), (*PASSING, *names)) for command in READ[kind](key)]
            if kind == b"set":
                values = [sorted(values[0])]
            if kind == b"hash":
                pairs = values[0]
                values = [sorted(zip(pairs[::2], pairs[1::2], strict=True))]
            yield database, key, kind, link.ask([b"PEXPIRETIME", key]), values
    link.close()


def same(first: int, second: int, names: tuple[bytes, ...] = ()) -> int:
    """Check that two servers hold the same, some facts about streams excepted; how many keys it is."""
    ours, theirs = list(everything(first, names)), list(everything(second, names))
    for one, other in zip(ours, theirs, strict=True):
        assert one == other
    return len(ours)


def piped(port: int, file: Path) -> str:
    """What redis-cli --pipe says."""
    with file.open("rb") as commands:
        done = subprocess.run(
            ["redis-cli", "-p", str(port), "--pipe"], stdin=commands, capture_output=True, text=True, timeout=60
        )
    return done.stdout + done.stderr


def wait_for_rewrite(port: int) -> None:
    deadline = time.monotonic() + 20
    while (
        b"aof_rewrite_in_progress:1" in (info := ask(port, "INFO", "persistence")) or b"aof_rewrite_scheduled:1" in info
    ):
        assert time.monotonic() < deadline


# ---------------------------------------------------------------- exports


@pytest.mark.parametrize("options", [[], ["--plain-redis"]])
def test_an_export_goes_through_redis_cli(
    start_januskv: Callable[..., Any], start_redis: Callable[..., Any], tmp_path: Path, options: list[str]
) -> None:
    janus, redis = start_januskv(), start_redis()
    fill(janus.port)
    file = tmp_path / "export"
    assert main(["export", "--port", str(janus.port), "--output", str(file), *options]) == 0
    assert "errors: 0" in piped(redis.port, file)
    assert same(janus.port, redis.port) > 30


def test_what_redis_refuses_of_an_export(
    start_januskv: Callable[..., Any], start_redis: Callable[..., Any], tmp_path: Path
) -> None:
    janus, redis = start_januskv("--sessions-required", "no"), start_redis()
    ask(janus.port, "KV_SET", '{"keys":{"doc":{"a":[1],"b":true},"number":1.5,"text":"x"}}')
    ask(janus.port, "TS.ADD", "series", 1, 1)
    file = tmp_path / "export"
    assert main(["export", "--port", str(janus.port), "--output", str(file)]) == 0
    assert "errors: 4" in piped(redis.port, file)  # KV_SET twice, TS.CREATE, TS.MADD
    assert ask(redis.port, "KEYS", "*") == [b"text"]
    # Keys of sessions go nowhere, since there is no session.
    link = RemoteLink("127.0.0.1", janus.port, "default", "")
    token = link.ask([b"SH_NEW", b'{"name":"mine"}']).split(b":")[2].split(b",")[0]
    link.ask([b"SELECT", token])
    link.ask([b"SET", b"text", b"private"])
    link.close()
    assert main(["export", "--port", str(janus.port), "--output", str(file)]) == 0
    assert "errors: 7" in piped(redis.port, file)  # SH_RESTORE twice, EXEC
    assert ask(redis.port, "MGET", "text") == [b"x"]
    assert main(["export", "--port", str(janus.port), "--output", str(file), "--plain-redis"]) == 0
    assert "errors: 0" in piped(redis.port, file)
    assert ask(redis.port, "HGETALL", "doc") == [b"a", b"[1]", b"b", b"true"]
    assert ask(redis.port, "GET", "number") == b"1.5"


@pytest.mark.parametrize("form", ["resp", "json"])
def test_a_running_redis_moves_to_ours(
    start_redis: Callable[..., Any],
    start_januskv: Callable[..., Any],
    tmp_path: Path,
    form: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    redis, janus = start_redis(), start_januskv()
    fill(redis.port)
    for command, count in (("HSET", 2), ("RPUSH", 1), ("SADD", 1), ("ZADD", 2), ("XADD", 0)):
        link = RemoteLink("127.0.0.1", redis.port, "default", "")
        numbers = range(12_000)  # so many that they are read in pieces
        if count:
            words = [str(number).encode() for number in numbers for _ in range(count)]
            link.ask([command.encode(), b"big " + command.encode(), *words])
        else:
            link.send([[b"XADD", b"big stream", b"%d-7" % (number + 1), b"a", b"b"] for number in numbers])
            assert not any(error_of(link.receive()) for _ in numbers)
        link.close()
    for line in ("XGROUP CREATE big+stream g 0", "XREADGROUP GROUP g c COUNT 7000 STREAMS big+stream >"):
        assert error_of(ask(redis.port, *(word.replace("+", " ") for word in line.split()))) is None
    file = tmp_path / "export"
    assert main(["export", "--port", str(redis.port), "--format", form, "--output", str(file)]) == 0
    count = len(list(everything(redis.port)))
    assert f"read {count} keys (" in capfd.readouterr().err
    assert main(["import", "--port", str(janus.port), str(file)]) == 0
    # When an entry was delivered is told by Redis as how long ago that was: the rest is the same.
    assert same(janus.port, redis.port, (b"pel", b"pending")) == count > 30
    for key, group in (("x", "g"), ("big stream", "g")):
        ours, theirs = (ask(port, "XPENDING", key, group, "-", "+", 10_000) for port in (janus.port, redis.port))
        assert [[at, owner, times] for at, owner, _, times in ours] == [
            [at, owner, times] for at, owner, _, times in theirs
        ]
        assert all(abs(one[2] - other[2]) < 60_000 for one, other in zip(ours, theirs, strict=True))


def test_series_are_read_as_redis_tells_of_them(start_januskv: Callable[..., Any]) -> None:
    janus = start_januskv()
    for (
        line
    ) in """TS.CREATE t RETENTION 100000 LABELS a b|TS.CREATE t2|TS.CREATERULE t t2 AGGREGATION avg 10|TS.ADD t 5 1.5
        TS.ADD t 15 2|TS.MADD t 25 1 t 35 3|TS.CREATE u DUPLICATE_POLICY SUM ENCODING UNCOMPRESSED|TS.ADD u 1 inf""".replace(
        "\n", "|"
    ).split("|"):
        assert error_of(ask(janus.port, *line.split())) is None
    link = RemoteLink("127.0.0.1", janus.port, "default", "")
    as_redis = {entry["key"]: entry for entry in RedisKeys(link).entries()}
    link.close()
    link = RemoteLink("127.0.0.1", janus.port, "default", "")
    with server_entries(link, Counter()) as (_, entries):
        as_ours = {entry["key"]: entry for entry in entries}
    assert as_redis == as_ours


# ---------------------------------------------------------------- append-only files


@pytest.fixture
def redis_files(start_redis: Callable[..., Any]) -> tuple[Any, Path]:
    """A redis-server with a base and two increments without RDB, and its append-only directory."""
    redis = start_redis("--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--aof-timestamp-enabled", "yes")
    wait_for_rewrite(redis.port)
    fill(redis.port)
    assert error_of(ask(redis.port, "BGREWRITEAOF")) is None
    wait_for_rewrite(redis.port)
    link = RemoteLink("127.0.0.1", redis.port, "default", "")
    for line in (
        "SELECT 7",
        "RPUSH more a b",
        "MULTI",
        "LPOP more",
        "SET later 1",
        "EXEC",
        "SELECT 0",
        "XADD x * z 1",
        "EXPIRE f 9000",
    ):
        assert error_of(link.ask(line.encode().split())) is None
    link.close()
    return redis, Path(redis.folder) / "appendonlydir"


def test_a_replay_of_many_files(
    redis_files: tuple[Any, Path], start_januskv: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    redis, folder = redis_files
    assert len(list(folder.glob("*.aof"))) == 2
    janus = start_januskv()
    assert main(["import", "--port", str(janus.port), str(folder)]) == 0
    assert ", 0 errors" in capfd.readouterr().err
    assert same(janus.port, redis.port) > 30


def test_a_replay_of_a_log_as_it_was_written(
    start_redis: Callable[..., Any],
    start_januskv: Callable[..., Any],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    redis = start_redis("--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--enable-debug-command", "yes")
    wait_for_rewrite(redis.port)
    fill(redis.port)
    (file,) = (Path(redis.folder) / "appendonlydir").glob("*.incr.aof")
    janus = start_januskv("--appendonly", "yes", "--dir", str(tmp_path / "data"))
    assert main(["import", "--port", str(janus.port), str(file)]) == 0
    # How much a group has read is not in Redis' log: a Redis that was started on it does not know it either.
    unknown = (b"entries-read", b"lag")
    assert same(janus.port, redis.port, unknown) > 30
    assert error_of(ask(redis.port, "DEBUG", "LOADAOF")) is None
    assert same(janus.port, redis.port) > 30
    janus.stop()
    # The other way: into the directory of a stopped server.
    assert main(["import", "--dir", str(tmp_path / "other"), str(file)]) == 0
    assert ", 0 errors" in capfd.readouterr().err
    again = start_januskv("--appendonly", "yes", "--dir", str(tmp_path / "other"))
    assert same(again.port, redis.port) > 30
    # Into Redis itself, and cut within the last command.
    data = file.read_bytes()
    cut = tmp_path / "cut.aof"
    cut.write_bytes(data[:-5])
    offset = data.rindex(b"\r\n*") + 2
    third = start_redis()
    assert main(["import", "--port", str(third.port), str(cut)]) == 1
    assert f"{cut}: offset {offset}: the file ends within this command" in capfd.readouterr().err
    assert len(list(everything(third.port))) == len(list(everything(redis.port))) - 1  # the long list


def test_an_rdb_base_is_refused(
    start_redis: Callable[..., Any], start_januskv: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    redis = start_redis("--appendonly", "yes")
    wait_for_rewrite(redis.port)
    janus = start_januskv()
    assert main(["import", "--port", str(janus.port), str(Path(redis.folder) / "appendonlydir")]) == 1
    assert "RDB file, which is not read; let Redis write commands instead" in capfd.readouterr().err
