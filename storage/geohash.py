"""Positions on the earth as 52-bit numbers, near ones with near numbers: latitude in the even bits, longitude in the odd.

A cell of ``step`` bits for each coordinate is a number of 2 * step bits: the positions whose numbers begin with it.
"""

from __future__ import annotations

from math import asin, cos, degrees, isfinite, nan, radians, sin, sqrt
from typing import Final, NamedTuple

STEPS: Final = 26
MOST_LATITUDE: Final = 85.05112878
MOST_LONGITUDE: Final = 180.0
_EARTH_RADIUS_M: Final = 6372797.560856
_MERCATOR_MAX_M: Final = 20037726.37
_ALL: Final = (1 << 64) - 1
_NO_NUMBER: Final = 2.0**64
_TOP_BIT: Final = 2.0**63
_ODD: Final = 0xAAAAAAAAAAAAAAAA
_EVEN: Final = 0x5555555555555555
_ALPHABET: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"


class Place(NamedTuple):
    """Degrees."""

    longitude: float
    latitude: float


class Area(NamedTuple):
    """The borders of a cell, in degrees."""

    west: float
    east: float
    south: float
    north: float


def _spread(number: int) -> int:
    """Spread 32 bits to the even bits of 64."""
    number = (number | number << 16) & 0x0000FFFF0000FFFF
    number = (number | number << 8) & 0x00FF00FF00FF00FF
    number = (number | number << 4) & 0x0F0F0F0F0F0F0F0F
    number = (number | number << 2) & 0x3333333333333333
    return (number | number << 1) & _EVEN


def _gather(number: int) -> int:
    """The even bits of 64 as 32 bits."""
    number &= _EVEN
    number = (number | number >> 1) & 0x3333333333333333
    number = (number | number >> 2) & 0x0F0F0F0F0F0F0F0F
    number = (number | number >> 4) & 0x00FF00FF00FF00FF
    number = (number | number >> 8) & 0x0000FFFF0000FFFF
    return (number | number >> 16) & 0xFFFFFFFF


def encode(place: Place, step: int = STEPS, most_latitude: float = MOST_LATITUDE) -> int:
    """The cell of a position."""
    latitude = (place.latitude + most_latitude) / (2 * most_latitude)
    longitude = (place.longitude + MOST_LONGITUDE) / (2 * MOST_LONGITUDE)
    return _spread(int(latitude * (1 << step))) | _spread(int(longitude * (1 << step))) << 1


def area_of(cell: int, step: int = STEPS) -> Area:
    """The borders of a cell."""
    latitude, longitude, size = _gather(cell), _gather(cell >> 1), 1 << step
    high, wide = 2 * MOST_LATITUDE, 2 * MOST_LONGITUDE
    return Area(
        -MOST_LONGITUDE + longitude / size * wide,
        -MOST_LONGITUDE + (longitude + 1) / size * wide,
        -MOST_LATITUDE + latitude / size * high,
        -MOST_LATITUDE + (latitude + 1) / size * high,
    )


def decode(number: int) -> Place:
    """The position of a number: the middle of its cell."""
    area = area_of(number)
    longitude, latitude = (area.west + area.east) / 2, (area.south + area.north) / 2
    return Place(
        min(max(longitude, -MOST_LONGITUDE), MOST_LONGITUDE), min(max(latitude, -MOST_LATITUDE), MOST_LATITUDE)
    )


def number_of(score: float) -> int:
    """The number in a score; of any other score, its conversion in C to an unsigned 64-bit integer."""
    if 0.0 <= score < _NO_NUMBER:
        return int(score)
    if -_TOP_BIT < score < 0.0:
        return int(score) & _ALL
    return 0 if score > 0.0 else 1 << 63


def text_of_place(place: Place) -> bytes:
    """The standard geohash of a position, eleven characters; the last one is always 0."""
    number = encode(place, STEPS, 90.0)
    return bytes(_ALPHABET[number >> (52 - at * 5) & 31] for at in range(1, 11)) + b"0"


def distance_m(one: Place, other: Place) -> float:
    """Metres between two positions, on a sphere."""
    latitude, latitude2 = radians(one.latitude), radians(other.latitude)
    v = sin((radians(other.longitude) - radians(one.longitude)) / 2)
    if v == 0.0:
        return _EARTH_RADIUS_M * abs(latitude2 - latitude)
    u = sin((latitude2 - latitude) / 2)
    # Rounding makes it more than 1 for some antipodes.
    share = min(u * u + cos(latitude) * cos(latitude2) * v * v, 1.0)
    return 2.0 * _EARTH_RADIUS_M * asin(sqrt(share))


# ---------------------------------------------------------------- searching


class Shape:
    """A circle or a box around a position; sizes in metres. ``radius`` is None for a box."""

    __slots__ = ("centre", "height", "radius", "width")

    def __init__(self, centre: Place, radius: float | None, width: float = 0.0, height: float = 0.0) -> None:
        self.centre, self.radius, self.width, self.height = centre, radius, width, height

    def distance(self, place: Place) -> float | None:
        """Metres from the centre to a position; None for one outside."""
        if self.radius is not None:
            metres = distance_m(self.centre, place)
            return metres if metres <= self.radius else None
        if distance_m(place, Place(self.centre.longitude, place.latitude)) > self.width / 2:
            return None
        if distance_m(place, Place(place.longitude, self.centre.latitude)) > self.height / 2:
            return None
        return distance_m(self.centre, place)

    def bounds(self) -> Area:
        """The bounding box of the shape."""
        longitude, latitude = self.centre
        high = self.height / 2 if self.radius is None else self.radius
        wide = self.width / 2 if self.radius is None else self.radius
        north = degrees(high / _EARTH_RADIUS_M)
        nearer_pole = latitude - north if latitude < 0 else latitude + north
        east = degrees(wide / _EARTH_RADIUS_M / cos(radians(nearer_pole))) if isfinite(nearer_pole) else nan
        return Area(longitude - east, longitude + east, latitude - north, latitude + north)

    def cells(self) -> list[tuple[int, int]]:
        """Ranges of numbers, ends exclusive, that cover the shape: a cell and its neighbours."""
        half_width, half_height = self.width / 2, self.height / 2  # multiplied, since ** of a huge one raises
        corner = sqrt(half_width * half_width + half_height * half_height)
        reach = corner if self.radius is None else self.radius
        bounds = self.bounds()
        step = _step_for(reach, self.centre.latitude)
        cell = encode(self.centre, step)
        if step > 1 and _too_fine(cell, step, bounds):
            step -= 1
            cell = encode(self.centre, step)
        area = area_of(cell, step)
        found: list[tuple[int, int]] = []
        for east, north in _NEIGHBOURS:
            if step >= 2 and _useless(east, north, area, bounds):
                continue
            near = _moved(cell, step, east, north)
            low = near << (52 - step * 2)
            span = (low, low + (1 << (52 - step * 2)))
            if not found or found[-1] != span:  # in a huge circle neighbours may be the same cell
                found.append(span)
        return found


# Steps east and north: the cell itself, then its neighbours in the order in which Redis looks at them.
_NEIGHBOURS: Final = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))


def _step_for(reach: float, latitude: float) -> int:
    """Bits of cells that are about as wide as a radius."""
    if reach == 0:
        return STEPS
    step = 1
    while reach < _MERCATOR_MAX_M:
        reach *= 2
        step += 1
    step -= 2
    if abs(latitude) > 66:
        step -= 1
        if abs(latitude) > 80:
            step -= 1
    return min(max(step, 1), STEPS)


def _too_fine(cell: int, step: int, bounds: Area) -> bool:
    """Whether a cell and its neighbours do not reach the borders."""
    return (
        area_of(_moved(cell, step, 0, 1), step).north < bounds.north
        or area_of(_moved(cell, step, 0, -1), step).south > bounds.south
        or area_of(_moved(cell, step, 1, 0), step).east < bounds.east
        or area_of(_moved(cell, step, -1, 0), step).west > bounds.west
    )


def _useless(east: int, north: int, area: Area, bounds: Area) -> bool:
    """Whether a neighbour lies outside the borders, because the cell itself reaches beyond them on that side."""
    return (
        (north < 0 and area.south < bounds.south)
        or (north > 0 and area.north > bounds.north)
        or (east < 0 and area.west < bounds.west)
        or (east > 0 and area.east > bounds.east)
    )


def _moved(cell: int, step: int, east: int, north: int) -> int:
    """The neighbour of a cell, wrapping around the world.

    A coordinate that is not moved keeps its bits: at the northern and eastern borders these are ``step`` + 1.
    """
    odd, even = _ODD >> (64 - step * 2), _EVEN >> (64 - step * 2)
    x, y = cell & _ODD, cell & _EVEN
    if east > 0:
        x = (x + even + 1) & odd
    elif east < 0:
        x = ((x | even) - (even + 1)) & odd
    if north > 0:
        y = (y + odd + 1) & even
    elif north < 0:
        y = ((y | odd) - (odd + 1)) & even
    return x | y
