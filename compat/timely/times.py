"""Times and lengths of time as Timely and OpenTSDB write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from januskv.storage.chunks import MOST_TIME

from .errors import BadRequest
from .properties import shown

_TIMELY_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# OpenTSDB's months have 30 days, and its years 365.
_UNITS: Final = {**_TIMELY_UNITS, "w": 7 * 86_400_000, "n": 30 * 86_400_000, "y": 365 * 86_400_000}
_LENGTH = re.compile(r"([0-9]{1,19})([a-z]{0,2})")
_RELATIVE = re.compile(r"([0-9]{1,19})(ms|[smhdwny])-ago")
_NUMBER = re.compile(r"-?[0-9]{1,40}")
_SECONDS = re.compile(r"([0-9]{1,10})\.([0-9]{1,3})")
_ABSOLUTE = re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})(?:[- ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?")
# Integers of so many digits are seconds to OpenTSDB, longer ones milliseconds.
_MOST_SECONDS: Final = 9_999_999_999
_MOST_ZONE = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def length_ms(text: str, *, calendar: bool = False) -> int:
    """A length of time in milliseconds: ``90s``, ``1m``, ``60000ms``; without a unit seconds. Raises BadRequest.

    With ``calendar`` also OpenTSDB's ``w``, ``n`` (30 days) and ``y`` (365 days).
    """
    found = _LENGTH.fullmatch(text)
    factor = None if found is None else (_UNITS if calendar else _TIMELY_UNITS).get(found[2] or "s")
    if found is None or factor is None:
        raise BadRequest(f"Invalid interval: {shown(text)}", "An interval is a number and a unit: ms, s, m, h or d")
    length = int(found[1]) * factor
    if not 0 < length <= MOST_TIME:
        raise BadRequest(f"Invalid interval: {shown(text)}", "An interval is longer than nothing, and ends some day")
    return length


def point_in_time(value: object, now_ms: int, *, name: str, zone: tzinfo = UTC, lenient: bool = True) -> int:
    """A point in time in milliseconds since the epoch. Raises BadRequest.

    Numbers, and texts of digits, are milliseconds. ``lenient`` takes what OpenTSDB does besides: up to ten digits are
    seconds, ``1893456000.250`` too, ``1h-ago`` counts back from now, ``2030/01/01-12:00:00`` is a time of the zone.
    """
    text = str(value).strip() if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))
    if _NUMBER.fullmatch(text):
        number = int(text)
        if not 0 <= number <= MOST_TIME:
            raise BadRequest(f"'{name}' is out of range", f"'{name}' is a time from 0 to {MOST_TIME} milliseconds")
        return number * 1000 if lenient and number <= _MOST_SECONDS else number
    if lenient:
        found = _RELATIVE.fullmatch(text)
        if found is not None:
            return max(now_ms - int(found[1]) * _UNITS[found[2]], 0)
        found = _SECONDS.fullmatch(text)
        if found is not None:
            return int(found[1]) * 1000 + int(found[2].ljust(3, "0"))
        found = _ABSOLUTE.fullmatch(text)
        if found is not None:
            return _absolute(text, [int(part or 0) for part in found.groups()], zone, name)
        if text == "now":
            return now_ms
    raise BadRequest(f"'{name}' is not a time: {shown(str(value))}")


def _absolute(text: str, parts: list[int], zone: tzinfo, name: str) -> int:
    try:
        since = datetime(*parts[:6], tzinfo=zone) - _EPOCH  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        raise BadRequest(f"'{name}' is not a time: {shown(text)}") from None
    return max(since // timedelta(milliseconds=1), 0)


def zone_of(name: str | None) -> tzinfo:
    """The time zone of a name, as in ``Europe/Berlin``; UTC for none. Raises BadRequest."""
    if not name:
        return UTC
    try:
        if len(name) > _MOST_ZONE:
            raise ZoneInfoNotFoundError
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of the zones is an OSError
        raise BadRequest(f"Unknown time zone: {shown(name)}") from None
