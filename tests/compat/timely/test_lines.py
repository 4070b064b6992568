"""Lines gathered by series: both builds give the same, and what reading each line with care gives."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.compat.timely.numbers import double_of, long_of
from januskv.compat.timely.points import BadPoint
from januskv.compat.timely.put_line import check_point, point_of_line
from januskv.storage.metrics import series_key


def read(line: bytes) -> tuple[bytes, int, float] | None:
    """Key, time and value of a line; None if it is refused."""
    try:
        point = point_of_line(line, seconds=True)
        check_point(point)
    except BadPoint:
        return None
    return series_key(point.metric, point.tags, point.visibility), point.time_ms, point.value


def bits(runs: list[Any]) -> dict[bytes, list[tuple[int, bytes]]]:
    """Points by key, values to the last bit; the order of the keys means nothing."""
    found: dict[bytes, list[tuple[int, bytes]]] = {}
    for key, times, values in runs:
        assert type(times) is tuple
        assert type(values) is tuple
        assert key not in found
        found[key] = [(time, struct.pack("d", value)) for time, value in zip(times, values, strict=True)]
    return found


def by_line(block: bytes) -> dict[bytes, list[tuple[int, bytes]]]:
    """The same from reading each line by itself."""
    found: dict[bytes, list[tuple[int, bytes]]] = {}
    for line in block.replace(b"\r", b"\n").split(b"\n"):
        point = read(line) if line else None
        if point is not None:
            found.setdefault(point[0], []).append((point[1], struct.pack("d", point[2])))
    return found


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
    st.from_regex(r"[-+]?[0-9]{0,17}\.?[0-9]{0,17}([eE][-+]?[0-9]{0,3})?[dfFD]?", fullmatch=True),
    st.sampled_from(
        ["NaN", "Infinity", "-Infinity", "+Infinity", "nan", "inf", "0x1p3", "0x1.8", "1_0", "", "-", ".", "1."]
    ),
    st.sampled_from(["1e999", "-1e999", "1e-999", "9" * 41, "0." + "1" * 41, "-0", "0", "00012", "9007199254740993"]),
)
TIMES = st.one_of(
    st.integers(0, 2**64).map(str),
    st.sampled_from(["0", "9999999998", "9999999999", "-1", "+5", "1.5", "x", "0" * 19 + "7"]),
)
TAGS = st.lists(
    st.sampled_from(["a=b", "a=c", "b=1=2", "viz=A", "viz=A&", "a=", "=a", "a", "\ta=b\t", "__name__=x"]), max_size=3
)
BLANK = st.sampled_from([" ", " ", " ", "  ", "   "])
LINE = st.builds(
    lambda blank, time, value, tags, metric, end: blank.join(["put", metric, time, value, *tags]).encode() + end,
    BLANK,
    TIMES,
    NUMBERS,
    TAGS,
    st.sampled_from(["m", "n.o", "m{x", "\u00e4"]),
    st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b" \n", b"\n\n"]),
)
ODD = st.one_of(
    st.binary(max_size=12), st.sampled_from([b"put", b"put \n", b"put m\n", b"put m 1\n", b"put m 1 \n", b"\n"])
)
BLOCKS = st.lists(st.lists(st.one_of(LINE, LINE, LINE, ODD), max_size=12).map(b"".join), max_size=3)


@given(BLOCKS, st.sampled_from([1, 2, 100]))
def test_both_builds_give_what_reading_each_line_gives(
    lines_classes: list[Any], blocks: list[bytes], most: int
) -> None:
    for build in lines_classes:
        lines = build(read, most)
        for block in blocks:
            assert bits(lines.gather(block)) == by_line(block)
            assert bits(lines.gather(block)) == by_line(block)
            assert len(lines) <= most + block.count(b"put")


def test_known_lines_are_not_asked_about(lines_classes: list[Any]) -> None:
    for build in lines_classes:
        asked: list[bytes] = []
        lines = build(lambda line, asked=asked: asked.append(line) or read(line), 100)
        block = b"put m 1 2 a=b c=d\nput m 2 2.5e3 a=b c=d\nput  m  3 -2 a=b c=d\nput n 1 2\nput m 4 NaN a=b c=d\n"
        lines.gather(block)
        assert asked == [b"put m 1 2 a=b c=d", b"put n 1 2", b"put m 4 NaN a=b c=d"]
        asked.clear()
        lines.gather(block)
        assert asked == [b"put m 4 NaN a=b c=d"]
        lines.forget()
        assert len(lines) == 0
        lines.gather(b"put m 1 2 a=b c=d\n")
        assert asked[1:] == [b"put m 1 2 a=b c=d"]


def test_two_spellings_of_one_series_keep_the_order_of_their_points(lines_classes: list[Any]) -> None:
    for build in lines_classes:
        lines = build(read, 100)
        block = b"put m 1000 1 a=b c=d\nput m 1000 2 c=d a=b\nput m 1000 3 a=b c=d\nput m 1000 0x1p2 a=b c=d\n"
        for _ in range(2):
            assert lines.gather(block) == [(b"m{a=b,c=d}", (1_000_000,) * 4, (1.0, 2.0, 3.0, 4.0))]


def test_seconds_are_a_switch(lines_classes: list[Any]) -> None:
    for build in lines_classes:
        lines = build(read, 100)
        lines.gather(b"put m 1 2\n")
        assert lines.gather(b"put m 9999999998 2\nput m 9999999999 2\n")[0][1] == (9_999_999_998_000, 9_999_999_999)
        lines.seconds = False
        assert lines.gather(b"put m 9999999998 2\n")[0][1] == (9_999_999_998,)


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-2.5e3", -2500.0),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("1d", 1.0),
        ("1.5F", 1.5),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("0x1p3", 8.0),
        ("-0X.8P+1f", -1.0),
        ("0x1p99999", math.inf),
        ("-0x1p99999", -math.inf),
        ("1e999", math.inf),
        (" 1\t", 1.0),
    ],
)
def test_doubles_of_java(text: str, value: float) -> None:
    assert double_of(text.encode()) == value


def test_nan() -> None:
    found = [double_of(text) for text in (b"NaN", b"-NaN", b"+NaN")]
    assert all(each is not None and math.isnan(each) for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "nan",
        "inf",
        "infinity",
        "1_0",
        "0x1",
        "0x",
        "0xp1",
        "1e",
        "e1",
        ".",
        "--1",
        "1 2",
        "Infinityd",
        "\u0661",
    ],
)
def test_no_doubles(text: str) -> None:
    assert double_of(text.encode()) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("+7", 7),
        ("-7", -7),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", None),
        ("", None),
        ("1.0", None),
        (" 1", None),
        ("1_0", None),
        ("9" * 100_000, None),
    ],
)
def test_longs_of_java(text: str, value: int | None) -> None:
    assert long_of(text.encode()) == value
