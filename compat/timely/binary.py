"""Points in Timely's binary form, a FlatBuffers buffer with the mark ``TMFB``.

    table Metrics { metrics: [Metric] }
    table Metric  { name: string; timestamp: long; value: double; tags: [Tag] }
    table Tag     { key: string; value: string }

All that a buffer says of itself is checked before it is used: every place it names must be in it.
"""

from __future__ import annotations

import struct
from typing import Final

from januskv.resp.inline import TIMELY_MARK

from .points import Point, made_point

# The numbers that a buffer is made of. The library "flatbuffers" would read them, too, but loads numpy and checks nothing.
_UNSIGNED: Final = struct.Struct("<I")  # how far it is to a text, a row or a table; how long a row is
_SIGNED: Final = struct.Struct("<i")  # how far a table's list of fields is before it
_FIELD: Final = struct.Struct("<H")  # how far a field is behind the beginning of its table; 0: there is none
_LONG: Final = struct.Struct("<q")
_DOUBLE: Final = struct.Struct("<d")

# Where the fields are in a table's list of fields, behind its two sizes.
_FIRST, _SECOND, _THIRD, _FOURTH = 4, 6, 8, 10
_PLACE: Final = _UNSIGNED.size


class BadBuffer(Exception):
    """This is not a buffer of points."""


class CutBuffer(BadBuffer):
    """A buffer names a place behind its end: the rest is missing, or it is not a buffer."""


class _Buffer:
    """Reads a buffer. Raises CutBuffer for a place behind its end, BadBuffer for what cannot be."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        # Places can be named many times over; what honest senders write has less than one tag for each byte.
        self.tags_left = len(data)

    def number(self, form: struct.Struct, at: int) -> int | float:
        """A number of some form at a place."""
        if at < 0:
            raise BadBuffer("a place before the beginning")
        if at + form.size > len(self.data):
            raise CutBuffer("a place behind the end")
        found: int | float = form.unpack_from(self.data, at)[0]
        return found

    def whole(self, form: struct.Struct, at: int) -> int:
        return int(self.number(form, at))

    def follow(self, at: int) -> int:
        """The place that the number at a place leads to."""
        return at + self.whole(_UNSIGNED, at)

    def field(self, table: int, slot: int) -> int:
        """Where a field of a table is; 0 if the table has none."""
        fields = table - self.whole(_SIGNED, table)
        if slot + _FIELD.size > self.whole(_FIELD, fields):
            return 0
        offset = self.whole(_FIELD, fields + slot)
        return table + offset if offset else 0

    def text(self, table: int, slot: int) -> bytes:
        """A field that is a string."""
        at = self.field(table, slot)
        if not at:
            return b""
        start = self.follow(at)
        end = start + _PLACE + self.whole(_UNSIGNED, start)
        if end > len(self.data):
            raise CutBuffer("a text behind the end")
        return self.data[start + _PLACE : end]

    def tables(self, table: int, slot: int) -> list[int]:
        """A field that is a row of tables: where these are."""
        at = self.field(table, slot)
        if not at:
            return []
        start = self.follow(at)
        count = self.whole(_UNSIGNED, start)
        first = start + _PLACE
        if first + _PLACE * count > len(self.data):
            raise CutBuffer("a row behind the end")
        return [self.follow(place) for place in range(first, first + _PLACE * count, _PLACE)]

    def point(self, table: int) -> Point:
        """The point of a table."""
        time, value = self.field(table, _SECOND), self.field(table, _THIRD)
        tags: dict[bytes, bytes] = {}
        for tag in self.tables(table, _FOURTH):
            self.tags_left -= 1
            if self.tags_left < 0:
                raise BadBuffer("the same tags too often")
            tags[self.text(tag, _FIRST)] = self.text(tag, _SECOND)
        return made_point(
            self.text(table, _FIRST),
            self.whole(_LONG, time) if time else 0,
            float(self.number(_DOUBLE, value)) if value else 0.0,
            tags,
        )


def read_buffer(data: bytes) -> list[Point]:
    """The points of a buffer. Raises CutBuffer where its end is missing, BadBuffer where it is none."""
    buffer = _Buffer(data)
    if data[_PLACE : 2 * _PLACE] != TIMELY_MARK:
        raise BadBuffer("no buffer of points")
    # The same place twice is the same point.
    places = dict.fromkeys(buffer.tables(buffer.follow(0), _FIRST))
    return [buffer.point(table) for table in places]
