"""SORT and SORT_RO: what is sorted, by what, and what it costs where nothing is to be sorted."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply

NO_DOUBLE = ErrorReply("ERR One or more scores can't be converted into double")
SYNTAX = ErrorReply("ERR syntax error")


@pytest.fixture
def filled(wire: Any) -> Any:
    """Three elements with weights in strings, and weights and names in hashes; 3 has neither name nor colour."""
    for line in (
        "RPUSH l 1 2 3",
        "MSET w1 30 w2 10 w3 20 colour1 red colour2 blue",
        "HSET h1 weight 3 name one",
        "HSET h2 weight 1 name two",
        "HSET h3 weight 2",
    ):
        wire.line(line)
    return wire


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("SORT l", "1 2 3"),
        ("SORT l DESC", "3 2 1"),
        ("SORT l DESC ASC", "1 2 3"),
        ("SORT l BY w*", "2 3 1"),
        ("SORT l BY w* DESC", "1 3 2"),
        ("SORT l BY w* LIMIT 1 1", "3"),
        ("SORT l LIMIT -5 2", "1 2"),
        ("SORT l LIMIT 1 -1", "2 3"),
        ("SORT l LIMIT 3 1", ""),
        ("SORT l LIMIT 0 0", ""),
        ("SORT l BY h*->weight", "2 3 1"),
        ("SORT l BY h*->weight GET h*->name GET #", "two 2 - 3 one 1"),
        ("SORT l BY h*->nofield DESC", "3 2 1"),
        ("SORT l GET h*", "- - -"),
        ("SORT l GET w*->weight", "- - -"),
        ("SORT l GET nostar", "- - -"),
        ("SORT l BY colour* ALPHA GET colour*", "- blue red"),
        ("SORT l BY nosort", "1 2 3"),
        ("SORT missing", ""),
        ("SORT missing BY nosort", ""),
        ("SORT_RO l BY w* GET #", "2 3 1"),
    ],
)
def test_answers(filled: Any, line: str, found: str) -> None:
    assert filled.line(line) == [None if word == "-" else word.encode() for word in found.split()]


@pytest.mark.parametrize(
    ("line", "stored"),
    [
        ("SORT l BY w* STORE d", [b"2", b"3", b"1"]),
        ("SORT l GET colour* STORE d", [b"red", b"blue", b""]),
        ("SORT l STORE l DESC", None),
        ("SORT l LIMIT 5 1 STORE d", []),
        ("SORT missing STORE d", []),
    ],
)
def test_storing(filled: Any, line: str, stored: list[bytes] | None) -> None:
    filled.line("SET d old EX 100")
    if stored is None:
        assert [filled.line(line), filled.line("LRANGE l 0 -1")] == [3, [b"3", b"2", b"1"]]
        return
    assert filled.line(line) == len(stored)
    assert filled.line("EXISTS d") == bool(stored)
    if stored:
        assert [filled.line("LRANGE d 0 -1"), filled.line("TTL d")] == [stored, -1]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("SORT l LIMIT 1", SYNTAX),
        ("SORT l BY", SYNTAX),
        ("SORT l GET", SYNTAX),
        ("SORT l STORE", SYNTAX),
        ("SORT l FOO", SYNTAX),
        ("SORT_RO l STORE d", SYNTAX),
        ("SORT l LIMIT x 1", ErrorReply("ERR value is not an integer or out of range")),
        ("SORT l BY colour*", NO_DOUBLE),
    ],
)
def test_refusals(filled: Any, line: str, error: ErrorReply) -> None:
    assert filled.line(line) == error


@pytest.mark.parametrize("line", ["SORT k", "SORT k ALPHA", "SORT k BY nosort", "SORT k BY nosort STORE d"])
@pytest.mark.parametrize("filling", ["SET k v", "HSET k f v", "XADD k 1-1 f v", "TS.CREATE k"])
def test_what_has_no_elements(wire: Any, line: str, filling: str) -> None:
    wire.line(filling)
    assert wire.line(line) == ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")


@pytest.mark.parametrize(
    "text",
    [
        b"0x10",
        b"0X1p3",
        b" 14",
        b"\t\n\v\f\r9",
        b"+8",
        b"8.",
        b"1e1",
        b"inf",
        b"Infinity",
        b"9\x00x",
        b"0" * 6000 + b"9",
    ],
)
def test_numbers(wire: Any, text: bytes) -> None:
    wire("RPUSH", "l", text, 7)
    assert wire("SORT", "l") == [b"7", text]


@pytest.mark.parametrize("text", [b"", b"\x00", b"\x005", b"-0", b".0", b"0x0", b"-1e-300"])
def test_what_counts_as_nothing_or_less(wire: Any, text: bytes) -> None:
    wire("RPUSH", "l", "1e-300", text)
    assert wire("SORT", "l") == [text, b"1e-300"]


@pytest.mark.parametrize(
    "text",
    [b" ", b"1 ", b"1e5 ", b"nan", b"-nan", b"nan(1)", b"1_000", b"0x", b"0x1p", b"0x1_0", b"1e", b".", b"--1", b"- 1",
     b"1e400", b"-1e400", b"1e-400", b"1e-320", b"\x1c1", "１".encode(), b"1,5", b"x", b"\xff"],
)  # fmt: skip
def test_what_is_no_number(wire: Any, text: bytes) -> None:
    wire("RPUSH", "l", text, 7)
    assert wire("SORT", "l") == NO_DOUBLE
    assert wire("SORT", "l", "ALPHA") == sorted([text, b"7"])
    wire("SET", "w7", text)
    assert wire("SORT", "l", "BY", "w*") == NO_DOUBLE


@pytest.mark.parametrize(("order", "found"), [("", b"a b c"), ("DESC", b"c b a")])
def test_elements_of_equal_numbers_are_in_order(wire: Any, order: str, found: bytes) -> None:
    wire.line("RPUSH l c a b")
    assert wire.line(f"SORT l BY nokey* {order}") == found.split()


@pytest.mark.parametrize("order", ["", "DESC"])
def test_elements_of_equal_texts_stay_where_they_are(wire: Any, order: str) -> None:
    wire.line("RPUSH l c a b")
    wire.line("ZADD z 1 c 2 a 3 b")
    wire.line("SADD s c a b")
    for name in "lz":
        assert wire.line(f"SORT {name} BY nokey* ALPHA {order}") == [b"c", b"a", b"b"]
    assert wire.line(f"SORT s BY nokey* ALPHA {order}") == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", "c a b d"),
        ("DESC", "d b a c"),
        ("LIMIT 1 2", "a b"),
        ("LIMIT 1 2 DESC", "b a"),
        ("LIMIT 3 9 DESC", "c"),
        ("LIMIT 4 1", ""),
        ("LIMIT 0 0", ""),
        ("LIMIT -2 -2", "c a b d"),
    ],
)
def test_nothing_to_sort(wire: Any, options: str, found: str) -> None:
    wire.line("RPUSH l c a b d")
    wire.line("ZADD z 1 c 2 a 3 b 4 d")
    for name in "lz":
        assert wire.line(f"SORT {name} BY nosort {options}") == found.encode().split()


def test_a_set_is_stored_in_order_even_if_nothing_is_to_be_sorted(wire: Any) -> None:
    wire.line("SADD s c a b d")
    for options, found in (("", b"a b c d"), ("DESC", b"d c b a"), ("DESC LIMIT 1 2", b"c b")):
        wire.line(f"SORT s BY nosort {options} STORE d")
        assert wire.line("LRANGE d 0 -1") == found.split()


@pytest.mark.parametrize("order", ["", "DESC"])
def test_a_part_of_a_big_one_takes_no_copy_of_the_whole(wire: Any, order: str) -> None:
    wire("ZADD", "z", *(word for number in range(20_000) for word in (number, f"m{number}")))
    wire("RPUSH", "l", *(f"m{number}" for number in range(20_000)))
    for name in "zl":
        line = f"SORT {name} BY nosort LIMIT 100 2 {order}"
        wire.line(line)
        tracemalloc.start()
        try:
            found = wire.line(line)
            _, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert found == ([b"m19899", b"m19898"] if order else [b"m100", b"m101"])
        assert most_bytes < 40_000


@pytest.mark.parametrize("size", [3, 16, 17, 130])
def test_a_sorted_set_that_changes_between(wire: Any, size: int) -> None:
    members = [b"%03d" % number for number in range(size)]
    wire("ZADD", "z", *[word for at, name in enumerate(members) for word in (at, name)])
    for gone in range(size):
        for line in ("SORT z ALPHA", "SORT z BY nosort", "SORT_RO z BY nosort LIMIT 0 1000"):
            assert wire.line(line) == members[gone:]
        wire("ZREM", "z", members[gone])
        wire("ZADD", "z", gone, b"new")
        wire("ZREM", "z", b"new")


def test_a_constant_pattern_leaves_the_order_though_another_follows(filled: Any) -> None:
    assert filled.line("SORT l BY nosort BY w*") == [b"1", b"2", b"3"]


def test_many_numbers(wire: Any) -> None:
    chance = random.Random(5)
    texts = [b"%d" % chance.randrange(-50, 50) for _ in range(900)] + [
        b"0.5",
        b"-0",
        b"0",
        b"00",
        b"5.",
        b"-.5",
        b"7" * 17,
    ]
    chance.shuffle(texts)
    for odd in ([], [b"1e3", b" 4", b"0x10", b"9" * 40]):  # which are not read all at once
        wire.line("DEL many")
        wire("RPUSH", "many", *texts, *odd)
        values = {b" 4": 4.0, b"0x10": 16.0}
        wanted = sorted([*texts, *odd], key=lambda text: (values.get(text) or float(text), text))
        assert wire.line("SORT many") == wanted
        assert wire.line("SORT many DESC") == wanted[::-1]
        assert wire.line("SORT many LIMIT 3 5") == wanted[3:8]
        assert wire.line("SORT many STORE stored") == len(wanted)
        assert wire.line("LRANGE stored 0 -1") == wanted
        assert wire.line("LPUSH stored x") == len(wanted) + 1
    for bad in ("1.2.3", "-", ".", "1-2", "x", "1_0", "--1"):
        wire("RPUSH", "many", bad)
        assert wire.line("SORT many") == NO_DOUBLE
        wire.line("RPOP many")
