"""Consumer groups over time: idle times, claims and times of consumers, which transcripts cannot compare."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import NULL_ARRAY, OK, ErrorReply


@pytest.fixture
def group(wire: Any) -> Any:
    """A client of a stream of three entries, all of them delivered to ``ann``."""
    for number in (1, 2, 3):
        wire.line(f"XADD s {number}-1 a {number}")
    wire.line("XGROUP CREATE s g 0")
    wire.line("XREADGROUP GROUP g ann STREAMS s >")
    return wire


def pending(wire: Any, *more: str) -> list[list[Any]]:
    return wire.line(" ".join(("XPENDING s g", *more)))  # type: ignore[no-any-return]


def test_idle_times_grow_with_the_clock(house: Any, group: Any) -> None:
    house.advance(250)
    assert pending(group, "- + 1") == [[b"1-1", b"ann", 250, 1]]
    assert pending(group, "IDLE 250 - + 10 ann") == [[b"%d-1" % n, b"ann", 250, 1] for n in (1, 2, 3)]
    assert pending(group, "IDLE 251 - + 10") == []


def test_reading_history_delivers_again(house: Any, group: Any) -> None:
    house.advance(250)
    assert group.line("XREADGROUP GROUP g ann COUNT 1 STREAMS s 1-1") == [[b"s", [[b"2-1", [b"a", b"2"]]]]]
    assert pending(group, "- + 2") == [[b"1-1", b"ann", 250, 1], [b"2-1", b"ann", 0, 2]]


@pytest.mark.parametrize(
    ("options", "idle_ms", "count"),
    [
        ("", 0, 2),
        ("JUSTID", 0, 1),
        ("IDLE 40", 40, 2),
        ("IDLE -5", 0, 2),
        ("TIME -1", 0, 2),
        ("TIME 99999999999999", 0, 2),
        ("RETRYCOUNT 9", 0, 9),
        ("RETRYCOUNT 0 IDLE 7 JUSTID", 7, 0),
        ("RETRYCOUNT -1", 0, 2),
    ],
)
def test_claims(house: Any, group: Any, options: str, idle_ms: int, count: int) -> None:
    house.advance(100)
    group.line(f"XCLAIM s g bob 100 1-1 {options}")
    assert pending(group, "1-1 1-1 1") == [[b"1-1", b"bob", idle_ms, count]]


def test_only_what_is_idle_enough_is_claimed(house: Any, group: Any) -> None:
    house.advance(100)
    group.line("XCLAIM s g ann 0 2-1")
    assert group.line("XCLAIM s g bob 50 1-1 2-1 3-1 JUSTID") == [b"1-1", b"3-1"]
    house.advance(60)
    group.line("XCLAIM s g bob 0 1-1 JUSTID")
    assert group.line("XAUTOCLAIM s g cleo 60 0") == [
        b"0-0",
        [[b"2-1", [b"a", b"2"]], [b"3-1", [b"a", b"3"]]],
        [],
    ]
    assert pending(group) == [3, b"1-1", b"3-1", [[b"bob", b"1"], [b"cleo", b"2"]]]


def test_times_of_consumers(house: Any, group: Any) -> None:
    house.advance(40)
    group.line("XREADGROUP GROUP g ann STREAMS s >")
    group.line("XREADGROUP GROUP g bob STREAMS s >")
    house.advance(2)
    names = [b"name", b"pending", b"idle", b"inactive"]
    found = [dict(zip(each[::2], each[1::2], strict=True)) for each in group.line("XINFO CONSUMERS s g")]
    assert found == [
        dict(zip(names, [b"ann", 3, 2, 42], strict=True)),
        dict(zip(names, [b"bob", 0, 2, -1], strict=True)),
    ]


def test_an_error_changes_nothing(house: Any, group: Any) -> None:
    stream = house.store.databases[0].data[b"s"]
    before = stream.to_state()
    for line in (
        "XCLAIM s g zoe 0 1-1 LASTID 99-1 BAD",
        "XACK s g 1-1 bad",
        "XREADGROUP GROUP g zoe STREAMS s missing > >",
        "XREADGROUP GROUP g zoe STREAMS s s > bad",
        "XAUTOCLAIM s g zoe 0 0 COUNT 0",
        "XGROUP CREATE s g 0",
        "XGROUP SETID s g 0 ENTRIESREAD -7",
        "XDEL s 1-1 bad",
        "XADD s MAXLEN 0 9-9 f",
    ):
        assert hasattr(group.line(line), "text"), line
    assert stream.to_state() == before


def test_a_claim_of_a_removed_entry_forgets_it(group: Any) -> None:
    group.line("XDEL s 2-1")
    assert group.line("XCLAIM s g bob 0 1-1 2-1 JUSTID") == [b"1-1"]
    assert pending(group) == [2, b"1-1", b"3-1", [[b"ann", b"1"], [b"bob", b"1"]]]


def test_nothing_is_waited_for_inside_a_transaction(group: Any) -> None:
    group.line("MULTI")
    group.line("XREADGROUP GROUP g ann BLOCK 0 STREAMS s >")
    group.line("XREAD BLOCK 0 STREAMS s $")
    group.line("XLEN s")
    assert group.line("EXEC") == [NULL_ARRAY, NULL_ARRAY, 3]


@pytest.mark.parametrize(
    ("line", "works"),
    [
        ("CREATE n h $ MKSTREAM MKSTREAM", True),
        ("CREATE n h $ MKSTREAM MKSTREAM MKSTREAM", True),
        ("CREATE n h $ ENTRIESREAD 5 MKSTREAM", True),
        ("CREATE n h $ MKSTREAM ENTRIESREAD 1 ENTRIESREAD 2", False),
        ("CREATE n h $ MKSTREAM MKSTREAM MKSTREAM MKSTREAM", False),
        ("SETID s g 0 ENTRIESREAD 2", True),
        ("SETID s g 0 ENTRIESREAD 2 ENTRIESREAD 3", False),
    ],
)
def test_options_that_come_twice(group: Any, line: str, works: bool) -> None:
    word = line.partition(" ")[0]
    text = f"ERR unknown subcommand or wrong number of arguments for '{word}'. Try XGROUP HELP."
    assert group.line(f"XGROUP {line}") == (OK if works else ErrorReply(text))


def test_as_many_entries_read_as_there_can_be(group: Any) -> None:
    group.line("XGROUP SETID s g 0 ENTRIESREAD 9223372036854775807")
    group.line("XREADGROUP GROUP g ann STREAMS s >")
    assert dict(zip(*[iter(group.line("XINFO GROUPS s")[0])] * 2, strict=True))[b"entries-read"] == 2**63 - 1
