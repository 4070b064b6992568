"""Stream commands through the transports that users use; their replies are compared with Redis' in the transcripts."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from januskv.compat.server.faults import RespError
from januskv.resp.replies import NULL_ARRAY
from januskv.storage.clock import ManualClock
from januskv.storage.durability.codec import effects
from januskv.storage.errors import StorageError
from januskv.storage.store import Store
from januskv.storage.streams import Stream


def test_ids_come_from_the_clock(house: Any, wire: Any) -> None:
    now_ms = house.clock.now_ms
    assert wire.line("XADD s * f v") == b"%d-0" % now_ms
    assert wire.line("XADD s * f v") == b"%d-1" % now_ms
    house.advance(5)
    assert wire.line("XADD s * f v") == b"%d-0" % (now_ms + 5)
    house.clock.advance(-100)
    assert wire.line("XADD s * f v") == b"%d-1" % (now_ms + 5)


def test_a_stream_is_an_array_in_json(wire: Any) -> None:
    wire.line("XADD s 1-1 name Ann age 26")
    wire.line("XADD s 1-2 name Bob")
    found = json.loads(wire.line("""KV_GET '{"keys":["s"]}'"""))
    assert "s" in json.dumps(found)
    assert json.dumps([["1-1", {"name": "Ann", "age": "26"}], ["1-2", {"name": "Bob"}]]) in json.dumps(found)


def test_a_json_value_is_no_stream(wire: Any) -> None:
    wire.line("""KV_SET '{"keys":{"s":[["1-1",{"a":"b"}]]}}'""")
    assert wire.line("XLEN s").text.startswith(b"WRONGTYPE")


@pytest.mark.parametrize("option", ["MAXLEN ~ 100", "MAXLEN ~ 100 LIMIT 1000", "MINID ~ 200"])
def test_rough_trimming_leaves_whole_nodes(wire: Any, option: str) -> None:
    for number in range(1, 351):
        wire("XADD", "s", f"{number}-1", "f", "v")
    wire.line(f"XTRIM s {option}")
    left = wire.line("XLEN s")
    assert left in (150, 250)
    assert wire.line("XRANGE s - + COUNT 1")[0][0] == b"%d-1" % (351 - left)


def test_rough_trimming_stops_after_a_hundred_nodes(make_house: Any) -> None:
    wire = make_house(stream_node_max_entries=1).connect()
    for number in range(1, 151):
        wire("XADD", "s", f"{number}-1", "f", "v")
    assert wire.line("XTRIM s MAXLEN ~ 0") == 100
    assert wire.line("XTRIM s MAXLEN ~ 0 LIMIT 0") == 50


def test_the_same_stream_twice_in_a_map(wire: Any) -> None:
    wire.line("HELLO 3")
    wire.line("XADD s 1-1 a 1")
    reply = wire.line("XREAD STREAMS s s 0 0")
    assert [name for name, _ in reply] == [b"s", b"s"]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("XREAD STREAMS s +", [[b"s", [[b"1-2", [b"a", b"2"]]]]]),
        ("XREAD STREAMS missing +", NULL_ARRAY),
        ("XREAD STREAMS empty +", NULL_ARRAY),
        ("XREAD COUNT 9 STREAMS s missing + 0", [[b"s", [[b"1-2", [b"a", b"2"]]]]]),
    ],
)
def test_plus_is_the_last_entry(call: Any, line: str, reply: Any, split_line: Any) -> None:
    for prepare in (
        "XADD s 1-1 a 1",
        "XADD s 1-2 a 2",
        "XADD s 1-3 a 3",
        "XDEL s 1-3",
        "XADD empty 1-1 a 1",
        "XDEL empty 1-1",
    ):
        call(*split_line(prepare))
    found = call(*split_line(line))
    assert found is NULL_ARRAY if reply is NULL_ARRAY else json_like(found) == reply


def json_like(value: Any) -> Any:
    """A reply with lists for tuples."""
    return [json_like(item) for item in value] if isinstance(value, (list, tuple)) else value


def test_memory_usage_and_encoding(wire: Any) -> None:
    for _ in range(500):
        wire("XADD", "s", "*", "f", "x" * 50)
    assert wire.line("OBJECT ENCODING s") == b"stream"
    assert wire.line("TYPE s").text == b"stream"


# ---------------------------------------------------------------- the change feed


@pytest.mark.parametrize(
    ("lines", "reported"),
    [
        ("XADD s 1-1 f v; XADD s 1-2 f v", "xadd s, xadd s"),
        ("XADD s NOMKSTREAM 1-1 f v", ""),
        ("XADD s 1-1 f v; XADD s 1-1 f v", "xadd s"),
        ("XADD s 1-1 f v; XADD s MAXLEN 1 1-2 f v", "xadd s, xadd s, xtrim s"),
        ("XADD s 1-1 f v; XTRIM s MAXLEN 1; XTRIM s MAXLEN 0", "xadd s, xtrim s"),
        ("XADD s 1-1 f v; XDEL s 1-2; XDEL s 1-1", "xadd s, xdel s"),
        ("XADD s 1-1 f v; XSETID s 5", "xadd s, xsetid s"),
        ("XGROUP CREATE s g $ MKSTREAM", "xgroup-create s"),
        ("XADD s 1-1 f v; XGROUP CREATE s g 0; XGROUP SETID s g $", "xadd s, xgroup-create s, xgroup-setid s"),
        ("XGROUP CREATE s g 0 MKSTREAM; XGROUP DESTROY s g; XGROUP DESTROY s g", "xgroup-create s, xgroup-destroy s"),
        (
            "XGROUP CREATE s g 0 MKSTREAM; XGROUP CREATECONSUMER s g c; XGROUP CREATECONSUMER s g c",
            "xgroup-create s, xgroup-createconsumer s",
        ),
        (
            "XGROUP CREATE s g 0 MKSTREAM; XGROUP CREATECONSUMER s g c; XGROUP DELCONSUMER s g c;"
            "XGROUP DELCONSUMER s g c",
            "xgroup-create s, xgroup-createconsumer s, xgroup-delconsumer s",
        ),
        (
            "XGROUP CREATE s g 0 MKSTREAM; XREADGROUP GROUP g c STREAMS s >; XREADGROUP GROUP g c STREAMS s 0",
            "xgroup-create s, xgroup-createconsumer s",
        ),
        (
            "XADD s 1-1 a 1; XGROUP CREATE s g 0; XREADGROUP GROUP g c STREAMS s >; XACK s g 1-1; XACK s g 1-1",
            "xadd s, xgroup-create s, xgroup-createconsumer s, xreadgroup s, xack s",
        ),
        (
            "XADD s 1-1 a 1; XGROUP CREATE s g 0; XCLAIM s g c 0 1-1; XCLAIM s g c 0 1-1 FORCE; XAUTOCLAIM s g c 0 0;"
            "XAUTOCLAIM s g c 1000 0",
            "xadd s, xgroup-create s, xgroup-createconsumer s, xclaim s, xautoclaim s",
        ),
        ("XRANGE s - +; XLEN s; XREAD STREAMS s 0; XTRIM s MAXLEN 0; XDEL s 1-1", ""),
    ],
)
def test_what_is_reported(house: Any, call: Any, split_line: Any, lines: str, reported: str) -> None:
    found: list[str] = []
    house.store.feed.subscribe(lambda keyspace, event, key, detail: found.append(f"{event} {key.decode()}"))
    for line in lines.split(";"):
        with contextlib.suppress(RespError, StorageError):
            call(*split_line(line.strip()))
    assert ", ".join(found) == reported


IDS = st.integers(1, 12).map(lambda ms: f"{ms}-1")
GROUPS = st.sampled_from(["g", "h"])
CONSUMERS = st.sampled_from(["a", "b"])
LINES = st.one_of(
    st.builds("XADD s {}-* f v".format, st.integers(1, 12)),
    st.just("XADD s * f v g w"),
    st.builds("XADD s MAXLEN {} * f v".format, st.integers(0, 6)),
    st.builds("XDEL s {}".format, IDS),
    st.builds("XTRIM s MAXLEN {}".format, st.integers(0, 6)),
    st.builds("XTRIM s MINID {}".format, IDS),
    st.builds("XSETID s {}".format, IDS),
    st.builds("XGROUP CREATE s {} {} MKSTREAM".format, GROUPS, IDS),
    st.builds("XGROUP SETID s {} 0".format, GROUPS),
    st.builds("XGROUP DESTROY s {}".format, GROUPS),
    st.builds("XGROUP CREATECONSUMER s {} {}".format, GROUPS, CONSUMERS),
    st.builds("XGROUP DELCONSUMER s {} {}".format, GROUPS, CONSUMERS),
    st.builds("XREADGROUP GROUP {} {} COUNT 2 STREAMS s >".format, GROUPS, CONSUMERS),
    st.builds("XREADGROUP GROUP {} {} NOACK COUNT 1 STREAMS s >".format, GROUPS, CONSUMERS),
    st.builds("XREADGROUP GROUP {} {} STREAMS s 0".format, GROUPS, CONSUMERS),
    st.builds("XACK s {} {}".format, GROUPS, IDS),
    st.builds("XCLAIM s {} {} 0 {} FORCE LASTID {}".format, GROUPS, CONSUMERS, IDS, IDS),
    st.builds("XCLAIM s {} {} 5 {} IDLE 3 RETRYCOUNT 4 JUSTID".format, GROUPS, CONSUMERS, IDS),
    st.builds("XAUTOCLAIM s {} {} 3 0 COUNT 2".format, GROUPS, CONSUMERS),
    st.just("DEL s"),
    st.just("wait"),
)


def without_times(stream: Stream) -> Any:
    """The state but for when consumers were last seen, which a command that changes nothing else does not report."""
    last_id, added, max_deleted, blocks, groups = stream.to_state()
    unseen = [(name, (group[0], group[1], [(each[0], *each[2:]) for each in group[2]])) for name, group in groups]
    return last_id, added, max_deleted, blocks, unseen


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=40))
def test_effects_done_again_give_the_same_stream(make_house: Any, split_line: Any, lines: list[str]) -> None:
    house = make_house()
    wire = house.connect()
    replica = Store(clock=ManualClock()).databases[0]

    def redo(keyspace: Any, event: str, key: bytes, detail: tuple[Any, ...]) -> None:
        if detail and isinstance(detail[0], str) and "." in detail[0]:
            effects()[detail[0]](replica, key, *detail[1:])
        elif event == "del":
            replica.forget(key)
        else:
            value = keyspace.data[key]
            replica.put(key, Stream.from_state(value.to_state()))

    house.store.feed.subscribe(redo)
    for line in lines:
        if line == "wait":
            house.advance(4)
        else:
            wire(*split_line(line))
        ours, theirs = house.store.databases[0].data.get(b"s"), replica.data.get(b"s")
        assert (ours is None) == (theirs is None)
        if ours is not None:
            ours.check()
            theirs.check()
            assert without_times(ours) == without_times(theirs)
