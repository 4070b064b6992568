"""Instants: points of time to the nanosecond, leap seconds included, and their text as RFC 3339 writes it.

An instant is an int: nanoseconds on the scale of TAI, counted so that the time of Unix second ``unix`` begins at
``(unix + (TAI - UTC)(unix)) * 10**9``. Unlike Unix time, that gives leap seconds numbers of their own, so instants
order as time does. A TAI64N label is ``2**62`` seconds and the instant.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import Final

__all__ = [
    "FIRST_INSTANT",
    "LAST_INSTANT",
    "BadInstant",
    "instant_of_unix",
    "instant_or_none",
    "instant_text",
    "parse_instant",
    "unix_of_instant",
]

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400

# The year and month from whose first day on TAI is so many seconds ahead of UTC. All steps but the first, which
# also counts for the time before it, are leap seconds at the end of the day before.
_AHEAD: Final = (
    *((1972, 1, 10), (1972, 7, 11), (1973, 1, 12), (1974, 1, 13), (1975, 1, 14), (1976, 1, 15), (1977, 1, 16)),
    *((1978, 1, 17), (1979, 1, 18), (1980, 1, 19), (1981, 7, 20), (1982, 7, 21), (1983, 7, 22), (1985, 7, 23)),
    *((1988, 1, 24), (1990, 1, 25), (1991, 1, 26), (1992, 7, 27), (1993, 7, 28), (1994, 7, 29), (1996, 1, 30)),
    *((1997, 7, 31), (1999, 1, 32), (2006, 1, 33), (2009, 1, 34), (2012, 7, 35), (2015, 7, 36), (2017, 1, 37)),
)
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_DATETIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)"
    r"(?:\.([0-9]+))?(?:[Zz]|([+-](?:[01][0-9]|2[0-3])):([0-5][0-9]))?"
)
_LEAST_CHARACTERS: Final = len("0000-00-00T00:00:00")


class BadInstant(ValueError):
    """A text that is not a Datetime, or a leap second that there was not."""


def parse_instant(text: str) -> int:
    """The instant of a Datetime: ``2022-11-02T03:04:05.678+02:00``; without an offset it is UTC.

    Digits of the fraction after the ninth are cut off. Raises BadInstant.
    """
    found = _DATETIME.fullmatch(text)
    if found is None:
        raise BadInstant("not a date and time as RFC 3339 has them")
    date, hour, minute, second, fraction, offset_hours, offset_minutes = found.groups()
    if offset_hours is None and second != "60":
        instant = (_day_start(date) + int(hour) * 3600 + int(minute) * 60 + int(second)) * _SECOND
    else:
        minutes = _day_of(date) * 1440 + int(hour) * 60 + int(minute)
        if offset_hours is not None:
            east = int(offset_hours[1:]) * 60 + int(offset_minutes)
            minutes += east if offset_hours[0] == "-" else -east
        instant = _instant_in_minute(minutes, int(second))
    if fraction is None:
        return instant
    return instant + int(fraction[:9].ljust(9, "0"))


def instant_or_none(text: str) -> int | None:
    """The instant of a Datetime, None for any other text: for most of those after a look at three characters."""
    if len(text) < _LEAST_CHARACTERS or text[4] != "-" or text[10] not in "Tt":
        return None
    try:
        return parse_instant(text)
    except BadInstant:
        return None


def instant_text(instant: int) -> str:
    """An instant as a Datetime in UTC, with 0, 3, 6 or 9 digits behind the point, the fewest that hold it.

    Years outside 0000-9999, which no Datetime has, are written with a sign.
    """
    seconds, nanoseconds = divmod(instant, _SECOND)
    unix = seconds - _AHEADS[bisect_right(_STARTS, seconds)]
    if seconds in _LEAP_SECONDS:
        day, second_of_day = divmod(unix - 1, _DAY)
        second = 60
    else:
        day, second_of_day = divmod(unix, _DAY)
        second = second_of_day % 60
    text = f"{_date_text(day)}{_MINUTE_TEXTS[second_of_day // 60]}{second:02d}"
    if nanoseconds == 0:
        return text + "Z"
    if nanoseconds % 1000:
        return f"{text}.{nanoseconds:09d}Z"
    if nanoseconds % 1_000_000:
        return f"{text}.{nanoseconds // 1000:06d}Z"
    return f"{text}.{nanoseconds // 1_000_000:03d}Z"


def instant_of_unix(unix_ns: int, leap_ns: int = -1) -> int:
    """The instant of a Unix time; with ``leap_ns`` that fraction of the leap second after the second of ``unix_ns``.

    Raises BadInstant where no leap second follows.
    """
    unix, nanoseconds = divmod(unix_ns, _SECOND)
    if leap_ns < 0:
        return _tai_of(unix) * _SECOND + nanoseconds
    if leap_ns >= _SECOND or _tai_of(unix) + 1 not in _LEAP_SECONDS:
        raise BadInstant("not in a leap second")
    return (_tai_of(unix) + 1) * _SECOND + leap_ns


def unix_of_instant(instant: int) -> tuple[int, int]:
    """The Unix time in ns and -1; in a leap second the last nanosecond before it, and the fraction of it in ns."""
    seconds, nanoseconds = divmod(instant, _SECOND)
    unix = seconds - _AHEADS[bisect_right(_STARTS, seconds)]
    if seconds in _LEAP_SECONDS:
        return unix * _SECOND - 1, nanoseconds
    return unix * _SECOND + nanoseconds, -1


def _tai_of(unix: int) -> int:
    return unix + _AHEADS[bisect_right(_UNIX_STARTS, unix)]


def _instant_in_minute(minutes: int, second: int) -> int:
    """The instant of a second, which may be the 60th, of a minute since 1970. Raises BadInstant."""
    unix = minutes * 60
    if not _FIRST_UNIX <= unix <= _LAST_UNIX:
        raise BadInstant("outside the years 0000 to 9999")
    if second < 60:
        return _tai_of(unix + second) * _SECOND
    leap_second = _tai_of(unix + 59) + 1
    if leap_second not in _LEAP_SECONDS:
        raise BadInstant("second 60 where there was no leap second")
    return leap_second * _SECOND


@lru_cache(maxsize=1024)
def _day_start(date: str) -> int:
    """Seconds on the scale of TAI at which a UTC day begins. Raises BadInstant."""
    return _tai_of(_day_of(date) * _DAY)


def _day_of(date: str) -> int:
    """The days from 1970-01-01 to a date. Raises BadInstant."""
    year, month, day = int(date[:4]), int(date[5:7]), int(date[8:])
    if not 1 <= month <= 12 or not 1 <= day <= _MONTH_DAYS[month - 1] + (month == 2 and _is_leap_year(year)):
        raise BadInstant("not a day of the calendar")
    return _days_before(year, month) + day - 1


def _is_leap_year(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_before(year: int, month: int) -> int:
    """The days from 1970-01-01 to the first of a month."""
    last = year - 1
    days = last * 365 + last // 4 - last // 100 + last // 400 - 719_162
    return days + sum(_MONTH_DAYS[: month - 1]) + (month > 2 and _is_leap_year(year))


@lru_cache(maxsize=1024)
def _date_text(day: int) -> str:
    # Counted from the first of March of a year 0, so that the day that not every year has is the last one.
    era, day_of_era = divmod(day + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day_of_month = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = era * 400 + year_of_era + (month <= 2)
    sign = "" if 0 <= year <= 9999 else "-" if year < 0 else "+"
    return f"{sign}{abs(year):04d}-{month:02d}-{day_of_month:02d}"


_MINUTE_TEXTS: Final = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
# Unix seconds from which on TAI is ahead by the number at the next place of _AHEADS, and the same on the scale of TAI.
_UNIX_STARTS: Final = tuple(_days_before(year, month) * _DAY for year, month, _ in _AHEAD)
_AHEADS: Final = (_AHEAD[0][2], *(ahead for _, _, ahead in _AHEAD))
_STARTS: Final = tuple(unix + ahead for unix, (_, _, ahead) in zip(_UNIX_STARTS, _AHEAD, strict=True))
_LEAP_SECONDS: Final = frozenset(start - 1 for start in _STARTS[1:])

_FIRST_UNIX: Final = _days_before(0, 1) * _DAY
_LAST_UNIX: Final = _days_before(10_000, 1) * _DAY - 1
FIRST_INSTANT: Final = _tai_of(_FIRST_UNIX) * _SECOND
LAST_INSTANT: Final = _tai_of(_LAST_UNIX) * _SECOND + _SECOND - 1
