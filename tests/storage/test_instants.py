"""Instants: their text, their order and leap seconds."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.instants import (
    FIRST_INSTANT,
    LAST_INSTANT,
    BadInstant,
    instant_of_unix,
    instant_or_none,
    instant_text,
    parse_instant,
    unix_of_instant,
)

SECOND = 1_000_000_000
LEAP_DAYS = (
    *("1972-06-30", "1972-12-31", "1973-12-31", "1974-12-31", "1975-12-31", "1976-12-31", "1977-12-31"),
    *("1978-12-31", "1979-12-31", "1981-06-30", "1982-06-30", "1983-06-30", "1985-06-30", "1987-12-31"),
    *("1989-12-31", "1990-12-31", "1992-06-30", "1993-06-30", "1994-06-30", "1995-12-31", "1997-06-30"),
    *("1998-12-31", "2005-12-31", "2008-12-31", "2012-06-30", "2015-06-30", "2016-12-31"),
)

instants = st.integers(FIRST_INSTANT, LAST_INSTANT)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("1969-12-31T23:59:49Z", "3fffffffffffffff 00000000"),
        ("1970-01-01T00:00:00Z", "400000000000000a 00000000"),
        ("1992-06-02T08:06:43Z", "400000002a2b2c2d 00000000"),
        ("2016-12-31T23:59:59Z", "40000000586846a3 00000000"),
        ("2016-12-31T23:59:60Z", "40000000586846a4 00000000"),
        ("2017-01-01T00:00:00Z", "40000000586846a5 00000000"),
        ("2024-11-20T12:19:08.9217725Z", "40000000673dd3e1 36f121d4"),
    ],
)
def test_the_seconds_of_an_instant_are_those_of_tai64n(text: str, label: str) -> None:
    seconds, nanoseconds = divmod(parse_instant(text), SECOND)
    assert struct.pack(">QI", (1 << 62) + seconds, nanoseconds) == bytes.fromhex(label)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("2022-11-02T03:04:05", "2022-11-02T03:04:05Z", id="no offset is UTC"),
        pytest.param("2022-11-02t03:04:05z", "2022-11-02T03:04:05Z", id="small letters"),
        pytest.param("2022-11-02T03:04:05-00:00", "2022-11-02T03:04:05Z", id="an unknown offset is UTC"),
        pytest.param("2022-11-02T03:04:05.5Z", "2022-11-02T03:04:05.500Z", id="three digits"),
        pytest.param("2022-11-02T03:04:05.000100Z", "2022-11-02T03:04:05.000100Z", id="six digits"),
        pytest.param("2022-11-02T03:04:05.0001001Z", "2022-11-02T03:04:05.000100100Z", id="nine digits"),
        pytest.param("2022-11-02T03:04:05.000Z", "2022-11-02T03:04:05Z", id="zeros are left out"),
        pytest.param("2022-11-02T03:04:05.9999999999Z", "2022-11-02T03:04:05.999999999Z", id="more digits are cut off"),
        pytest.param("2022-11-02T03:04:05." + "1" * 5000, "2022-11-02T03:04:05.111111111Z", id="thousands of digits"),
        pytest.param("2022-11-02T03:04:05+02:30", "2022-11-02T00:34:05Z", id="east of Greenwich"),
        pytest.param("2022-12-31T23:04:05-01:00", "2023-01-01T00:04:05Z", id="into the next year"),
        pytest.param("2020-02-29T23:59:59.25+23:59", "2020-02-29T00:00:59.250Z", id="the greatest offset"),
        pytest.param("2017-01-01T01:59:60+02:00", "2016-12-31T23:59:60Z", id="a leap second elsewhere"),
        pytest.param("2016-12-31T19:29:60.25-04:30", "2016-12-31T23:59:60.250Z", id="a part of it"),
        pytest.param("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z", id="a leap year of 400 years"),
        pytest.param("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", id="the first"),
        pytest.param("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z", id="the last"),
        pytest.param("0000-01-01T00:30:00+00:30", "0000-01-01T00:00:00Z", id="the first, elsewhere"),
    ],
)
def test_datetimes(text: str, written: str) -> None:
    instant = parse_instant(text)
    assert instant_text(instant) == written
    assert instant_or_none(text) == instant
    assert parse_instant(written) == instant


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("2022-11-02", id="date only"),
        pytest.param("2022-11-02T03:04Z", id="no seconds"),
        pytest.param("1970-01-01T00:00:0Z", id="one digit of seconds"),
        pytest.param("2022-11-02 03:04:05Z", id="a blank in the middle"),
        pytest.param(" 2022-11-02T03:04:05Z", id="a blank before"),
        pytest.param("2022-11-02T03:04:05Z ", id="a blank behind"),
        pytest.param("2022-11-02T03:04:05Z\n", id="a line feed behind"),
        pytest.param("2022-11-02T03:04:05.Z", id="a point without digits"),
        pytest.param("2022-11-02T03:04:05,5Z", id="a comma"),
        pytest.param("20221102T030405Z", id="the basic format"),
        pytest.param("2022-13-01T00:00:00Z", id="month 13"),
        pytest.param("2022-00-01T00:00:00Z", id="month 0"),
        pytest.param("2022-01-00T00:00:00Z", id="day 0"),
        pytest.param("2022-04-31T00:00:00Z", id="the 31st of April"),
        pytest.param("2021-02-29T00:00:00Z", id="no leap year"),
        pytest.param("1900-02-29T00:00:00Z", id="no leap year of 100 years"),
        pytest.param("2022-11-02T24:00:00Z", id="hour 24"),
        pytest.param("2022-11-02T03:60:00Z", id="minute 60"),
        pytest.param("2022-11-02T03:04:61Z", id="second 61"),
        pytest.param("2022-11-02T03:04:05+24:00", id="offset of 24 hours"),
        pytest.param("2022-11-02T03:04:05+01:60", id="offset of 60 minutes"),
        pytest.param("2022-11-02T03:04:05+0100", id="offset without a colon"),
        pytest.param("2022-11-02T03:04:05 02:00", id="offset without a sign"),
        pytest.param("2018-06-30T23:59:60Z", id="no leap second that year"),
        pytest.param("2016-12-31T23:59:60+01:00", id="no leap second at that hour"),
        pytest.param("2016-12-31T12:00:60Z", id="no leap second at noon"),
        pytest.param("1971-12-31T23:59:60Z", id="before leap seconds"),
        pytest.param("0000-01-01T00:00:00+00:01", id="before the year 0"),
        pytest.param("9999-12-31T23:59:59-00:01", id="after the year 9999"),
        pytest.param("12022-11-02T03:04:05Z", id="five digits of a year"),
        pytest.param("-022-11-02T03:04:05Z", id="a year with a sign"),
        pytest.param("٢٠٢٢-11-02T03:04:05Z", id="digits of another script"),
        pytest.param("aaaa-aaaaaTaaaaaaaa", id="letters in the right places"),
    ],
)
def test_no_datetimes(text: str) -> None:
    with pytest.raises(BadInstant):
        parse_instant(text)
    assert instant_or_none(text) is None


@pytest.mark.parametrize("day", LEAP_DAYS)
def test_leap_seconds_are_between_two_seconds(day: str) -> None:
    before = parse_instant(f"{day}T23:59:59.999999999Z")
    leap = parse_instant(f"{day}T23:59:60Z")
    assert leap == before + 1
    assert instant_text(leap + SECOND - 1) == f"{day}T23:59:60.999999999Z"
    after = leap + SECOND
    assert instant_text(after).endswith("-01T00:00:00Z")
    unix_ns, fraction = unix_of_instant(before)
    assert (unix_ns % SECOND, fraction) == (SECOND - 1, -1)
    assert unix_of_instant(leap + 7) == (unix_ns, 7)
    assert unix_of_instant(after) == (unix_ns + 1, -1)
    assert instant_of_unix(unix_ns, 7) == leap + 7


def test_there_are_no_more_leap_seconds() -> None:
    months = [f"{year:04d}-{month}" for year in range(1960, 2060) for month in ("06-30", "12-31")]
    known = [day for day in months if instant_or_none(f"{day}T23:59:60Z") is not None]
    assert known == list(LEAP_DAYS)


@pytest.mark.parametrize(
    ("unix_ns", "leap_ns"), [(0, 0), (1_483_228_800 * SECOND, 0), (1_483_228_799 * SECOND, SECOND)]
)
def test_no_leap_second_follows(unix_ns: int, leap_ns: int) -> None:
    with pytest.raises(BadInstant):
        instant_of_unix(unix_ns, leap_ns)


def test_years_beyond_those_of_datetimes_have_a_sign() -> None:
    assert instant_text(LAST_INSTANT + 1) == "+10000-01-01T00:00:00Z"
    assert instant_text(FIRST_INSTANT - 1) == "-0001-12-31T23:59:59.999999999Z"
    assert instant_text(1 << 80).startswith("+38311304-")


@given(instants)
def test_texts_are_read_as_they_were_written(instant: int) -> None:
    assert parse_instant(instant_text(instant)) == instant


@given(st.sampled_from(LEAP_DAYS), st.integers(-3 * SECOND, 3 * SECOND))
def test_so_are_those_around_leap_seconds(day: str, distance: int) -> None:
    instant = parse_instant(f"{day}T23:59:60Z") + distance
    assert parse_instant(instant_text(instant)) == instant
    assert instant_of_unix(*unix_of_instant(instant)) == instant


@given(st.integers(-(1 << 90), 1 << 90))
def test_unix_times_are_read_as_they_were_written(instant: int) -> None:
    assert instant_of_unix(*unix_of_instant(instant)) == instant


@given(
    st.datetimes(
        datetime(1, 1, 3),
        datetime(9999, 12, 29),
        timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    ),
    st.datetimes(timezones=st.just(UTC)),
)
def test_instants_are_ordered_as_times_are(one: datetime, other: datetime) -> None:
    in_utc = one.astimezone(UTC)
    first, second = parse_instant(one.isoformat()), parse_instant(other.isoformat())
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)
    since_1970 = in_utc - datetime(1970, 1, 1, tzinfo=UTC)
    assert unix_of_instant(first) == (since_1970 // timedelta(microseconds=1) * 1000, -1)
    assert datetime.fromisoformat(instant_text(first)) == in_utc
