"""Times and lengths of time in requests."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.compat.timely.errors import BadRequest
from januskv.compat.timely.times import length_ms, point_in_time, zone_of

NOW = 1_893_456_000_000  # 2030-01-01T00:00Z
DAY = 86_400_000
MOST = (1 << 63) - 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1ms", 1),
        ("60000ms", 60_000),
        ("90s", 90_000),
        ("10", 10_000),
        ("1m", 60_000),
        ("2h", 7_200_000),
        ("1d", DAY),
    ],
)
def test_lengths(text: str, expected: int) -> None:
    assert length_ms(text) == expected


@pytest.mark.parametrize(
    "text", ["", "m", "0s", "0", "-1s", "1.5m", "1M", "1 m", "2w", "1n", "1y", "1x", "1mm", "9" * 19 + "d"]
)
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(BadRequest, match="Invalid interval"):
        length_ms(text)


@pytest.mark.parametrize(("text", "days"), [("2w", 14), ("1n", 30), ("1y", 365)])
def test_lengths_of_opentsdb(text: str, days: int) -> None:
    assert length_ms(text, calendar=True) == days * DAY


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0, 0, id="zero stays"),
        pytest.param(NOW, NOW, id="milliseconds"),
        pytest.param(str(NOW), NOW, id="milliseconds as text"),
        pytest.param(float(NOW), NOW, id="milliseconds as a double"),
        pytest.param(NOW // 1000, NOW, id="seconds"),
        pytest.param(str(NOW // 1000), NOW, id="seconds as text"),
        pytest.param(9_999_999_999, 9_999_999_999_000, id="the last seconds"),
        pytest.param(10_000_000_000, 10_000_000_000, id="the first milliseconds"),
        pytest.param("1893456000.25", NOW + 250, id="seconds with a fraction"),
        pytest.param(1893456000.125, NOW + 125, id="seconds with a fraction, a number"),
        pytest.param("1h-ago", NOW - 3_600_000, id="an hour ago"),
        pytest.param("30000ms-ago", NOW - 30_000, id="milliseconds ago"),
        pytest.param("2w-ago", NOW - 14 * DAY, id="weeks ago"),
        pytest.param("1n-ago", NOW - 30 * DAY, id="a month ago"),
        pytest.param("1y-ago", NOW - 365 * DAY, id="a year ago"),
        pytest.param("1000000000y-ago", 0, id="before there was time"),
        pytest.param("now", NOW, id="now"),
        pytest.param("2030/01/01", NOW, id="a day"),
        pytest.param("2030/01/01-01:30", NOW + 5_400_000, id="a minute"),
        pytest.param("2030/01/01 00:00:07", NOW + 7000, id="a second"),
        pytest.param("1960/01/01", 0, id="before the epoch"),
        pytest.param(MOST, MOST, id="the last millisecond"),
    ],
)
def test_points_in_time(value: Any, expected: int) -> None:
    assert point_in_time(value, NOW, name="start") == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(-1, id="negative"),
        pytest.param("-1", id="negative text"),
        pytest.param(1 << 63, id="beyond 64 bits"),
        pytest.param(str(1 << 63), id="beyond 64 bits as text"),
        pytest.param("9" * 1000, id="a long number"),
        pytest.param(1e300, id="a great double"),
        pytest.param(float("nan"), id="NaN"),
        pytest.param(True, id="a truth value"),
        pytest.param([], id="an array"),
        pytest.param({}, id="an object"),
        pytest.param("yesterday", id="a word"),
        pytest.param("1h-ago" * 1000, id="many relative times"),
        pytest.param("1q-ago", id="an unknown unit"),
        pytest.param("2030/13/01", id="no month"),
        pytest.param("2030/02/30", id="no day"),
        pytest.param("2030/01/01-25:00", id="no hour"),
        pytest.param("0000/01/01", id="no year"),
    ],
)
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(BadRequest, match="'end'") as caught:
        point_in_time(value, NOW, name="end")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("value", ["1h-ago", "2030/01/01", "1893456000.250", "now"])
def test_timely_has_only_milliseconds(value: str) -> None:
    with pytest.raises(BadRequest):
        point_in_time(value, NOW, name="start", lenient=False)
    assert point_in_time(1000, NOW, name="start", lenient=False) == 1000


def test_zones() -> None:
    assert point_in_time("2030/01/01", NOW, name="start", zone=zone_of("Europe/Berlin")) == NOW - 3_600_000
    assert zone_of(None) is zone_of("")


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe", "x" * 100, "\0"])
def test_unknown_zones(name: str) -> None:
    with pytest.raises(BadRequest, match="time zone"):
        zone_of(name)
