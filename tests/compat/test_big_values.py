"""Commands on big values: the same replies as on small ones, nothing that changes on its way, and a log that ends in the same state."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import House

from januskv.compat.redis.debug_verbs import digest_of
from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import OK
from januskv.storage import sorted_sets
from januskv.storage.clock import ManualClock
from januskv.storage.durability.journal import open_journal
from januskv.storage.store import Store
from januskv.storage.values import copied

COUNT = 25_000  # more than what is sent in one piece
NAMES = [b"member:%d" % number for number in range(COUNT)]


def in_pairs(first: list[Any], second: list[Any]) -> list[Any]:
    return [part for pair in zip(first, second, strict=True) for part in pair]


def digests(store: Store) -> dict[bytes, bytes]:
    return {key: digest_of(store.databases[0], key) for key in store.databases[0].data}


def loaded_again(folder: Path) -> Store:
    store = Store(clock=ManualClock())
    open_journal(str(folder), store, cut_torn_tail=True).close()
    for value in store.databases[0].data.values():
        check = getattr(value, "check", None)
        if check is not None:
            check()
    return store


@pytest.fixture(scope="module")
def collections() -> dict[bytes, Any]:
    """A big collection of each kind."""
    house = House()
    wire = house.connect()
    wire("RPUSH", "list", *NAMES)
    wire("SADD", "set", *NAMES)
    wire("HSET", "hash", *in_pairs(NAMES, NAMES))
    wire("ZADD", "zset", *in_pairs([b"%d" % number for number in range(COUNT)], NAMES))
    for number in range(1, COUNT + 1):
        wire("XADD", "stream", f"{number}-1", "f", number)
    return dict(house.store.databases[0].data)


@pytest.fixture
def full(house: Any, collections: dict[bytes, Any]) -> Any:
    """A wire to a server with one big value of each kind."""
    for key, value in collections.items():
        house.store.databases[0].put(key, copied(value))
    wire = house.connect()
    wire("SET", "string", b"0123456789abcdef" * 600_000)
    wire("SET", "long", b"0123456789abcdef" * 600_000)
    wire("APPEND", "long", "x")
    return wire


CHANGES = (
    "LSET list 0 x", "LSET list 12000 x", "RPUSH list x", "LPOP list 20000", "SREM set member:1", "HSET hash member:1 x",
    "HDEL hash member:2", "ZADD zset 0.5 member:20000", "ZREMRANGEBYRANK zset 0 -100", "XDEL stream 1-1 24999-1 25000-1",
    "XADD stream * f x", "XTRIM stream MAXLEN 5", "APPEND string x", "SETRANGE string 5 yyy", "SETRANGE long 5 yyy",
    "DEL list", "DEL zset", "DEL stream", "DEL string", "DEL long", "FLUSHALL",
)  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "LRANGE list 0 -1", "LRANGE list 3 -4", "SMEMBERS set", "HGETALL hash", "ZRANGE zset 0 -1",
        "ZRANGE zset 0 -1 WITHSCORES", "ZRANGE zset 5 -5 REV WITHSCORES", "ZRANGEBYSCORE zset 10 (24999 WITHSCORES LIMIT 3 24000",
        "ZREVRANGEBYSCORE zset +inf -inf", "ZRANGEBYLEX zset - +", "XRANGE stream - +", "XREVRANGE stream + -",
        "XRANGE stream (5 24990-1", "XRANGE stream 5 + COUNT 21000", "XREVRANGE stream 24500 7 COUNT 20001", "GET string",
        "XREAD STREAMS stream 0", "XREAD COUNT 21000 STREAMS none stream stream 0 5 24000", "GETRANGE string 5 -6", "SUBSTR string 0 -1", "GET long", "GETRANGE long 7 -9",
    ],
)  # fmt: skip
def test_what_is_on_its_way_does_not_change(house: Any, full: Any, line: str) -> None:
    full.line("MULTI")
    full.line(line)
    (whole,) = full.line("EXEC")  # there it is one reply
    begun = full.send(line.encode() + b"\r\n")
    assert len(begun) < 100_000
    other = house.connect()
    for change in CHANGES:
        other.line(change)
    while house.server.upkeep.run_cron():  # big values are freed meanwhile
        pass
    house.run_timers()
    reader = ReplyReader()
    reader.feed(full.transport.written)
    assert reader.gets()[1] == whole  # type: ignore[index]
    assert not reader.buffer


def test_ranges_of_a_stream(house: Any, full: Any) -> None:
    stream = house.store.databases[0].data[b"stream"]
    for number in (1, 2, 100, 101, 12_000, COUNT - 1, COUNT):
        full.line(f"XDEL stream {number}-1")
    for low, high in ((0, COUNT + 5), (1, 2), (2, 101), (99, 24_000), (101, COUNT), (COUNT, COUNT + 9)):
        entries = stream.range(low << 64, high << 64)
        for reverse in (False, True):
            count, some = stream.part(low << 64, high << 64, reverse)
            found = [entry for each in some for entry in each]
            assert found == (entries[::-1] if reverse else entries)
            assert count == len(found)
    stream.check()


def test_ranges_of_a_sorted_set_and_its_removal(full: Any) -> None:
    def members_of_it() -> list[bytes]:
        half = len(NAMES) // 2  # not in slices
        members: list[bytes] = full("ZRANGE", "zset", 0, half - 1) + full("ZRANGE", "zset", half, -1)
        return members

    for first, last in ((0, 9), (100, 3_000), (1_000, 20_000), (5, -5), (0, -2), (0, -1)):
        members = members_of_it()
        stop = last % len(members) + 1
        assert full("ZREMRANGEBYRANK", "zset", first, last) == len(members[first:stop])
        left = members[:first] + members[stop:]
        assert members_of_it() == left
        assert full("ZCARD", "zset") == len(left)
        for member in left[:3] + left[-3:]:
            assert full("ZRANK", "zset", member) == left.index(member)
        full("ZADD", "zset", *in_pairs([b"%d" % number for number in range(COUNT)], NAMES))
    full.line("ZREMRANGEBYSCORE zset -inf +inf")
    assert full.line("EXISTS zset") == 0


def run_lists(wire: Any, chance: random.Random, key: bytes, size: int) -> None:
    what = chance.randrange(8)
    element = b"%d" % chance.randrange(5)
    if what == 0 or not wire("EXISTS", key):
        wire(chance.choice((b"RPUSH", b"LPUSH")), key, *[b"%d" % chance.randrange(size) for _ in range(size)])
    elif what == 1:
        wire("LREM", key, chance.choice((0, 1, -1, 3, -3, size)), element)
    elif what == 2:
        wire(chance.choice((b"LPOP", b"RPOP")), key, chance.choice((1, 2, size // 3, size)))
    elif what == 3:
        wire("LMPOP", 1, key, chance.choice((b"LEFT", b"RIGHT")), "COUNT", 1 + size // 4)
    elif what == 4:
        wire("LTRIM", key, chance.choice((0, 1, 3)), chance.choice((-1, -2, -size // 2)))
    elif what == 5:
        wire("LINSERT", key, "BEFORE", element, "new")
    elif what == 6 and chance.random() < 0.3:
        wire("LTRIM", key, 1, 0)
    else:
        wire("COPY", key, key + b" copy", "REPLACE")


def run_sorted_sets(wire: Any, chance: random.Random, key: bytes, size: int) -> None:
    what = chance.randrange(8)
    low, high = sorted((chance.randrange(size), chance.randrange(size)))
    if what <= 1 or not wire("EXISTS", key):
        count = chance.choice((1, 2, size))
        words = [b"%d" % chance.randrange(100) for _ in range(count)]
        wire("ZADD", key, *in_pairs(words, [b"m%d" % chance.randrange(2 * size) for _ in range(count)]))
    elif what == 2:
        wire("ZREMRANGEBYRANK", key, low, chance.choice((high, -1)))
    elif what == 3:
        wire("ZREMRANGEBYSCORE", key, chance.choice((0, 10, 50)), chance.choice((10, 50, 60)))
    elif what == 4:
        wire("ZREM", key, *[b"m%d" % number for number in range(low, high + 1)])
    elif what == 5:
        wire(chance.choice((b"ZPOPMIN", b"ZPOPMAX")), key, chance.choice((1, high + 1)))
    elif what == 6:
        wire("COPY", key, key + b" copy", "REPLACE")
    else:
        wire("ZRANGESTORE", key + b" range", key, 0, high)


def run_strings(wire: Any, chance: random.Random, key: bytes, size: int) -> None:
    what = chance.randrange(8)
    offset, part = chance.randrange(2 * size), chance.randbytes(9)
    if what == 0:
        wire("SETRANGE", key, offset, part)
    elif what == 1:
        wire("APPEND", key, part * chance.choice((1, size)))
    elif what == 2:
        wire("SETBIT", key, offset * 8, 1)
    elif what == 3:
        wire("BITFIELD", key, "SET", "u16", offset * 8 + 3, part[0])
    elif what == 4:
        wire("COPY", key, key + b" copy", "REPLACE")
    elif what == 5:
        wire("BITOP", chance.choice((b"XOR", b"OR")), key + b" op", key, key + b" copy")
    elif what == 6:
        wire("APPEND", key + b" copy", part)
    elif chance.random() < 0.3:
        wire("SET", key, part * size)


@pytest.mark.parametrize("size", [4, 300, 30_000])
@pytest.mark.parametrize("run", [run_lists, run_sorted_sets, run_strings], ids=lambda run: run.__name__)
def test_the_log_of_a_random_program(
    make_house: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[[Any, random.Random, bytes, int], None],
    size: int,
) -> None:
    monkeypatch.setattr(sorted_sets, "ORDERED", 1000)
    house = make_house()
    persistence = house.server.keep(open_journal(str(tmp_path), house.store, cut_torn_tail=True))
    wire = house.connect()
    chance = random.Random(size)
    for step in range(150 if size < 1000 else 40):
        wire.send(b"")
        run(wire, chance, b"k%d" % chance.randrange(3), size)
        house.run_timers()
        persistence.commit()
        if step % 10 == 0:
            house.advance(1)
            for value in house.store.databases[0].data.values():
                check = getattr(value, "check", None)
                if check is not None:
                    check()
    seen = digests(house.store)
    persistence.close()
    assert seen
    assert digests(loaded_again(tmp_path)) == seen


@pytest.mark.parametrize("size", [5, 40, 5000])
def test_lists_against_a_model(wire: Any, size: int) -> None:
    chance = random.Random(size)
    for _ in range(12):
        wire.line("DEL l")
        model = [b"%d" % chance.randrange(6) for _ in range(size)]
        half = chance.randrange(size)
        wire("RPUSH", "l", *model[half:])
        if half:
            wire("LPUSH", "l", *model[:half][::-1])
        for index in chance.sample(range(size), 3):  # elements that are not byte strings for the engine
            model[index] = b"long" * 100
            wire("LSET", "l", index, model[index])
        element = b"3"
        places = [at for at, each in enumerate(model) if each == element]
        assert wire("LPOS", "l", element, "COUNT", 0) == places
        assert wire("LPOS", "l", element, "COUNT", 2, "RANK", 2) == places[1:3]
        assert wire("LPOS", "l", element, "COUNT", 0, "RANK", -1) == places[::-1]
        assert wire("LPOS", "l", element, "COUNT", 0, "RANK", -2) == places[::-1][1:]
        most = chance.randrange(1, size + 3)
        assert wire("LPOS", "l", element, "COUNT", 0, "MAXLEN", most) == [at for at in places if at < most]
        assert wire("LPOS", "l", element, "COUNT", 0, "RANK", -1, "MAXLEN", most) == [
            at for at in places[::-1] if at >= size - most
        ]
        count = chance.choice((0, 1, 3, -1, -3))
        gone = places[:count] if count > 0 else places[count:] if count < 0 else places
        assert wire("LREM", "l", count, element) == len(gone)
        model = [each for at, each in enumerate(model) if at not in gone]
        assert wire("LRANGE", "l", 0, -1) == model
        for side, name in ((0, "LPOP"), (-1, "RPOP")):
            count = chance.randrange(1, max(len(model) // 2, 2))
            taken = [model.pop(side) for _ in range(min(count, len(model)))]
            assert (wire(name, "l", count) or []) == taken
        assert wire("LRANGE", "l", 0, -1) == model
    assert wire("LREM", "l", 0, "nothing") == 0


def test_elements_that_are_no_byte_strings(wire: Any) -> None:
    array = ",".join(["1", "2.5", '"a"', "true", "null", "[1,2]"] * 200)
    wire("KV_SET", f'{{"keys":{{"l":[{array}]}}}}')
    wire.line("RPUSH l 1 x")
    shown = [b"1", b"2.5", b"a", b"true", b"null", b"[1,2]"] * 200 + [b"1", b"x"]
    assert wire("LPOS", "l", "1", "COUNT", 3) == [0, 6, 12]
    assert wire("LPOS", "l", "null", "RANK", -1) == 1198
    assert wire("LREM", "l", -1, "true") == 1
    del shown[1197]
    assert wire("LPOP", "l", 500) == shown[:500]
    assert wire("RPOP", "l", 300) == shown[:-301:-1]
    assert wire("LRANGE", "l", 0, -1) == shown[500:-300]


def test_in_resp3_streams_are_a_map(house: Any, full: Any) -> None:
    full.line("HELLO 3")
    full.line("MULTI")
    full.line("XREAD STREAMS stream stream 5-1 7-1")
    (whole,) = full.line("EXEC")
    full.send(b"XREAD STREAMS stream stream 5-1 7-1\r\n")
    house.run_timers()
    reader = ReplyReader()
    reader.feed(full.transport.written)
    assert reader.gets()[1] == whole  # type: ignore[index]


def test_many_deliveries_and_their_log(make_house: Any, tmp_path: Path) -> None:
    house = make_house()
    persistence = house.server.keep(open_journal(str(tmp_path), house.store, cut_torn_tail=True))
    wire = house.connect()
    for number in range(1, COUNT + 1):
        wire("XADD", "x", f"{number}-1", "f", number)
    wire.line("XGROUP CREATE x g 0")
    persistence.commit()
    before = persistence.journal.end
    wire.line("XDEL x 5-1 100-1")
    wire.line("XREADGROUP GROUP g ann COUNT 21000 STREAMS x >")
    wire.line("XREADGROUP GROUP g bob COUNT 10 STREAMS x >")
    wire.line("XREADGROUP GROUP g ann NOACK COUNT 100 STREAMS x >")
    persistence.commit()
    assert persistence.journal.end - before < 1000
    wire("XACK", "x", "g", *[f"{number}-1" for number in range(1, 15_000, 2)])
    house.clock.advance(50)
    wire.line("XAUTOCLAIM x g bob 20 3000 COUNT 5000 JUSTID")
    assert wire.line("XPENDING x g")[:3] == [13_511, b"2-1", b"21012-1"]
    rows = wire.line("XPENDING x g IDLE 10 - + 3 ann")
    assert rows == [[b"%d-1" % number, b"ann", 50, 1] for number in (2, 4, 6)]
    wire("XADD", "x", "30000-1", "f", "v")
    everything = wire.line("XPENDING x g - + 20000 bob")
    assert len(everything) == 5010
    for persisted in (house.store, None):
        if persisted is None:
            seen = digests(house.store)
            persistence.close()
            again = loaded_again(tmp_path)
            assert digests(again) == seen
            persisted = again
        stream: Any = persisted.databases[0].data[b"x"]
        group = stream.groups[b"g"]
        assert len(group.pending) == 13_511
        assert group.pending.get(7 << 64 | 1) is None
        assert {name: len(each.pending) for name, each in group.consumers.items()} == {b"ann": 8501, b"bob": 5010}
        group.check()


@pytest.mark.parametrize("line", ["GETDEL", "GETSET", "SET", "GETEX"])
@pytest.mark.parametrize("key", ["string", "long"])
def test_a_string_that_goes_while_it_is_sent(house: Any, full: Any, key: str, line: str) -> None:
    text = full("GETRANGE", key, 0, 3_999_999) + full("GETRANGE", key, 4_000_000, 7_999_999)
    text += full("GETRANGE", key, 8_000_000, -1)
    if line == "SET":
        assert full("SET", key, "1", "GET") == text
        return
    full("COPY", key, "other")
    full.send(f"{line} {key}{' 1' if line == 'GETSET' else ''}\r\n".encode())
    house.connect().line("APPEND other x")
    while house.server.upkeep.run_cron():
        pass
    house.run_timers()
    assert full.transport.written == b"$%d\r\n%b\r\n" % (len(text), text)
    while house.server.upkeep.run_cron():
        pass
    assert house.store.feed.reclaimer.pending == 0
    assert full("GETRANGE", "other", len(text) - 9, len(text)) == text[-9:] + b"x"


def test_a_string_is_not_shared_where_it_changes(wire: Any) -> None:
    text = b"0123456789" * 1000
    wire("SET", "a", text)
    for change in ("APPEND a x", "SETRANGE a 3 y", "SETBIT a 16 1", "BITFIELD a SET u8 40 7"):
        wire.line("COPY a b REPLACE")
        before = wire("GET", "a")
        wire.line(change)
        assert wire("GET", "b") == before
        assert wire("GET", "a") != before
        wire.line("COPY a b REPLACE")
        before = wire("GET", "a")
        wire.line(change.replace(" a ", " b "))
        assert wire("GET", "a") == before
    assert wire.line("SETRANGE new 100000 x") == 100_001
    assert wire("GET", "new") == bytes(100_000) + b"x"
    assert wire("SET", "a", "1") == OK
