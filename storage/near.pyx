# cython: boundscheck=False, wraparound=False, cdivision=True
"""Which of some members lie inside a shape, compiled; described in ``near.py`` and ``geohash.py``.

The operations and their order are those of ``geohash.py``, so the distances are equal to the last bit.
"""

from libc.math cimport asin, cos, fabs, sin, sqrt
from libc.stdint cimport uint64_t

cdef enum:
    STEPS = 26

cdef double MOST_LATITUDE = 85.05112878
cdef double MOST_LONGITUDE = 180.0
cdef double EARTH_RADIUS_M = 6372797.560856
cdef double DEGREE = 3.141592653589793 / 180.0
cdef double NUMBERS = <double>(<uint64_t>1 << (2 * STEPS))  # scores from here on are not positions


cdef inline uint64_t _gather(uint64_t number) noexcept:
    number &= 0x5555555555555555
    number = (number | number >> 1) & 0x3333333333333333
    number = (number | number >> 2) & 0x0F0F0F0F0F0F0F0F
    number = (number | number >> 4) & 0x00FF00FF00FF00FF
    number = (number | number >> 8) & 0x0000FFFF0000FFFF
    return (number | number >> 16) & 0xFFFFFFFF


cdef inline double _middle(uint64_t place, double most) noexcept:
    """The middle of a cell on an axis from -most to most."""
    cdef double size = <double>(1 << STEPS), wide = 2 * most
    cdef double low = -most + <double>place / size * wide, high = -most + <double>(place + 1) / size * wide
    cdef double middle = (low + high) / 2
    return min(max(middle, -most), most)


cdef inline double _metres(double longitude, double latitude, double longitude2, double latitude2) noexcept:
    """Metres between two positions in radians."""
    cdef double u, v = sin((longitude2 - longitude) / 2), share
    if v == 0.0:
        return EARTH_RADIUS_M * fabs(latitude2 - latitude)
    u = sin((latitude2 - latitude) / 2)
    share = u * u + cos(latitude) * cos(latitude2) * v * v
    return 2.0 * EARTH_RADIUS_M * asin(sqrt(min(share, 1.0)))


def inside(shape, list members not None, list scores not None, place_of, Py_ssize_t most):
    """See ``near.py``."""
    cdef list names = [], numbers = [], distances = []
    cdef bint round = shape.radius is not None
    cdef double radius = shape.radius if round else 0.0
    cdef double half_width = shape.width / 2, half_height = shape.height / 2
    cdef double east = shape.centre.longitude * DEGREE, north = shape.centre.latitude * DEGREE
    cdef double score, longitude, latitude, metres
    cdef uint64_t number
    cdef Py_ssize_t at
    for at in range(len(members)):
        score = scores[at]
        if 0 <= score < NUMBERS:
            number = <uint64_t>score
            longitude = _middle(_gather(number >> 1), MOST_LONGITUDE) * DEGREE
            latitude = _middle(_gather(number), MOST_LATITUDE) * DEGREE
            if round:
                metres = _metres(east, north, longitude, latitude)
                if not metres <= radius:
                    continue
            else:
                if _metres(longitude, latitude, east, latitude) > half_width:
                    continue
                if _metres(longitude, latitude, longitude, north) > half_height:
                    continue
                metres = _metres(east, north, longitude, latitude)
            distance = metres
        else:
            distance = shape.distance(place_of(scores[at]))
            if distance is None:
                continue
        names.append(members[at])
        numbers.append(scores[at])
        distances.append(distance)
        if len(names) == most:
            break
    return names, numbers, distances
