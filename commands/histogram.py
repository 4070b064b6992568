"""How long the calls of a command took: a histogram whose buckets grow with the time, exact to one part in 128.

The compiled implementation (``histogram.pyx``) keeps its counters in C. The layout is that of an HDR histogram of two
significant digits, as Redis keeps them, so both servers report the same values for the same times.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

# Longer times count as this one: a second.
LONGEST_NS = 1_000_000_000

# Times below 2 << _BITS ns have a counter each; beyond, each doubling of the time has 1 << _BITS of them.
_BITS = 7


def place_of(ns: int) -> int:
    """The index of a time's counter."""
    shift = max(ns.bit_length() - _BITS - 1, 0)
    return (shift << _BITS) + (ns >> shift)


def longest_at(index: int) -> int:
    """The longest time, in ns, that has this counter."""
    shift = max((index >> _BITS) - 1, 0)
    return ((index - (shift << _BITS) + 1) << shift) - 1


PLACES = place_of(LONGEST_NS) + 1


class Histogram:
    """Counters of times."""

    __slots__ = ("counters", "total")

    def __init__(self) -> None:
        self.counters = array("q", bytes(8 * PLACES))
        self.total = 0

    def note(self, ns: int, count: int) -> None:
        """Count a time in ns ``count`` times."""
        self.counters[place_of(min(max(ns, 0), LONGEST_NS))] += count
        self.total += count

    def counted(self) -> Iterator[tuple[int, int]]:
        """For each nonzero counter: the longest of its times in ns, and the count."""
        return ((longest_at(index), count) for index, count in enumerate(self.counters) if count)
