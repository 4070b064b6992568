"""How often a command took how long: a histogram whose steps grow with the time, exact to one part in 128.

The compiled twin (``histogram.pyx``) keeps its counters in C. The layout is that of an HDR histogram of two
significant digits, as Redis keeps them, so both servers report the same values for the same times.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

# Longer times count as this one: a second.
LONGEST_NS = 1_000_000_000

# Times below 2 << _BITS ns have a counter each; after that each doubling of the time has 1 << _BITS of them.
_BITS = 7


def place_of(ns: int) -> int:
    """The index of the counter of a time."""
    shift = max(ns.bit_length() - _BITS - 1, 0)
    return (shift << _BITS) + (ns >> shift)


def longest_at(place: int) -> int:
    """The longest time, in ns, that has this counter."""
    shift = max((place >> _BITS) - 1, 0)
    return ((place - (shift << _BITS) + 1) << shift) - 1


PLACES = place_of(LONGEST_NS) + 1


class Histogram:
    """Counters of times."""

    __slots__ = ("counters", "total")

    def __init__(self) -> None:
        self.counters = array("q", bytes(8 * PLACES))
        self.total = 0

    def note(self, ns: int, count: int) -> None:
        """Count a time of so many ns, ``count`` times."""
        self.counters[place_of(min(max(ns, 0), LONGEST_NS))] += count
        self.total += count

    def counted(self) -> Iterator[tuple[int, int]]:
        """For each counter that is not 0: the longest of its times in ns, and the count."""
        return ((longest_at(place), count) for place, count in enumerate(self.counters) if count)
