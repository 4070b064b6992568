"""List commands beside what the transcripts compare: JSON arrays, changes that can be redone, waiting."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.compat.redis.test_stream_waiting import Patient

from januskv.resp.replies import NULL_ARRAY, OK, ErrorReply
from januskv.storage.lists import EFFECTS, bounds, positions
from januskv.storage.values import from_json

ROOT = b"k"


def test_json_arrays_are_lists_and_keep_their_types(house: Any, wire: Any) -> None:
    house.store.databases[0].put(ROOT, from_json(["a", 26, None, True, {"b": 1}, 0.5]))
    assert wire.line("LRANGE k 0 -1") == [b"a", b"26", b"null", b"true", b'{"b":1}', b"0.5"]
    assert wire.line("LPOS k 26") == 1
    assert wire.line("LMOVE k t RIGHT LEFT") == b"0.5"
    assert wire.line("LREM k 0 null") == 1
    assert house.store.databases[0].data == {b"k": [b"a", 26, True, {"b": 1}], b"t": [0.5]}


def test_an_empty_json_array_gives_nothing(house: Any, wire: Any) -> None:
    house.store.databases[0].put(ROOT, from_json([]))
    assert wire.line("LLEN k") == 0
    assert wire.line("LPOP k") is None
    assert wire.line("LMPOP 1 k LEFT") in (None, NULL_ARRAY)
    assert wire.line("RPUSH k a") == 1


def patient_of(house: Any, encode_command: Any, split_line: Any, line: str) -> Patient:
    found = Patient(house, encode_command, split_line)
    found.line(line)
    return found


def test_waiting_clients_are_served_first_come_first_served(
    house: Any, wire: Any, encode_command: Any, split_line: Any
) -> None:
    clients = [patient_of(house, encode_command, split_line, "BLPOP x k 0") for _ in range(2)]
    assert [each.got() for each in clients] == [[], []]
    wire.line("RPUSH k a")
    assert [each.got() for each in clients] == [[[b"k", b"a"]], []]
    wire.line("RPUSH k b")
    assert clients[1].got() == [[b"k", b"b"]]
    assert wire.line("EXISTS k") == 0


def test_a_waiting_client_passes_over_other_kinds(house: Any, wire: Any, encode_command: Any, split_line: Any) -> None:
    client = patient_of(house, encode_command, split_line, "BLPOP k 0")
    wire.line("SET k v")
    assert client.got() == []
    wire.line("DEL k")
    wire.line("LPUSH k a")
    assert client.got() == [[b"k", b"a"]]


def test_one_move_feeds_the_next(house: Any, wire: Any, encode_command: Any, split_line: Any) -> None:
    first = patient_of(house, encode_command, split_line, "BLMOVE a b LEFT RIGHT 0")
    second = patient_of(house, encode_command, split_line, "BLMPOP 0 1 b LEFT COUNT 5")
    wire.line("RPUSH a v")
    assert first.got() == [b"v"]
    assert second.got() == [[b"b", [b"v"]]]


def test_time_runs_out(house: Any, encode_command: Any, split_line: Any) -> None:
    client = patient_of(house, encode_command, split_line, "BRPOP k 0.1")
    house.run_timers(0.1)
    assert client.got() == [NULL_ARRAY]


def test_a_session_that_ends_lets_nobody_wait(house: Any, wire: Any, encode_command: Any, split_line: Any) -> None:
    token = orjson.loads(wire.send(b'{"SH_NEW":{"name":"s"}}\n'))["SH_NEW_RSP"]["tkn"]
    client = Patient(house, encode_command, split_line)
    client.line(f"SELECT {token}")
    client.line("BLPOP k 0")
    client.got()
    wire.send(b'{"SH_END_ALL":{}}\n')
    assert client.got() == [ErrorReply("UNBLOCKED the selected session has ended")]
    client.line("SELECT 0")
    assert client.got() == [OK]


NAMES = st.sampled_from(["a", "b"])
SIDES = st.sampled_from(["LEFT", "RIGHT"])
INDEXES = st.integers(-4, 4)
ITEMS = st.sampled_from(["x", "y", "z"])
LINES = st.one_of(
    st.builds("{}PUSH {} {} {}".format, st.sampled_from("LR"), NAMES, ITEMS, ITEMS),
    st.builds("{}POP {} {}".format, st.sampled_from("LR"), NAMES, st.integers(1, 3)),
    st.builds("LMOVE {} {} {} {}".format, NAMES, NAMES, SIDES, SIDES),
    st.builds("LREM {} {} {}".format, NAMES, INDEXES, ITEMS),
    st.builds("LTRIM {} {} {}".format, NAMES, INDEXES, INDEXES),
    st.builds("LSET {} {} w".format, NAMES, INDEXES),
    st.builds("LINSERT {} {} {} v".format, NAMES, st.sampled_from(["BEFORE", "AFTER"]), ITEMS),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(lines=st.lists(LINES, max_size=30))
def test_redoing_the_effects_gives_the_same_lists(house: Any, wire: Any, lines: list[str]) -> None:
    keyspace = house.store.databases[0]
    copy: dict[bytes, Any] = {}
    replica = type(keyspace)(0, keyspace.clock, type(keyspace.feed)())

    def redo(source: Any, event: str, key: bytes, detail: tuple[Any, ...]) -> None:
        if detail:
            EFFECTS[detail[0]](replica, key, *deepcopy(detail[1:]))
        elif event == "del":
            replica.data.pop(key, None)
        elif event not in ("new", "flushdb"):
            replica.data[key] = list(source.data[key])

    wire.line("FLUSHALL")
    keyspace.feed.subscribe(redo)
    try:
        for line in lines:
            wire.line(line)
            copy = keyspace.data
            assert {name: list(items) for name, items in replica.data.items()} == {
                name: list(items) for name, items in copy.items()
            }
    finally:
        keyspace.feed.unsubscribe(redo)
    assert all(items for items in copy.values())


@given(st.lists(st.sampled_from([b"a", b"b"])), st.integers(-9, 9), st.integers(-9, 9))
def test_bounds_as_counted_by_hand(items: list[bytes], start: int, stop: int) -> None:
    size = len(items)
    low = start + size if start < 0 else start
    high = stop + size if stop < 0 else stop
    first, end = bounds(size, start, stop)
    assert items[first:end] == [item for index, item in enumerate(items) if low <= index <= high]
    assert 0 <= first <= end <= size


@given(st.lists(st.sampled_from([b"a", b"b"])), st.integers(0, 3), st.integers(1, 3))
def test_positions_from_the_tail_mirror_those_from_the_head(items: list[bytes], count: int, rank: int) -> None:
    mirrored = [len(items) - 1 - index for index in positions(items[::-1], b"a", rank, count, 0)]
    assert positions(items, b"a", -rank, count, 0) == mirrored


def test_a_list_that_is_turned_where_it_becomes_long_keeps_its_elements(wire: Any) -> None:
    wire.line("RPUSH turned 1 2 3 4 5 6 7 8 9 10")
    assert wire.line("LMOVE turned turned LEFT RIGHT") == b"1"
    assert wire.line("LRANGE turned 0 -1") == [b"%d" % number for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 1)]
