"""Summaries of time histograms: percentiles, and cumulative counts of calls."""

from __future__ import annotations

from collections.abc import Iterator

from januskv.commands.histogram import LONGEST_NS, Histogram, longest_at, place_of

# The first step of a table; each following one is twice as long.
_FIRST_NS = 1024


def percentiles_us(times: Histogram, shares: list[float]) -> list[float]:
    """The percentiles, in microseconds; the 0th is the shortest time."""
    wanted = [max(int(min(share, 100.0) / 100 * times.total + 0.5), 1) for share in shares]
    found = [0.0] * len(shares)
    counted, longest = 0, 0
    steps = iter(times.counted())
    for place in sorted(range(len(shares)), key=wanted.__getitem__):
        while counted < wanted[place]:
            longest, count = next(steps)
            counted += count
        found[place] = (longest if shares[place] else longest_at(place_of(longest) - 1) + 1) / 1000
    return found


def table_us(times: Histogram) -> Iterator[tuple[int, int]]:
    """Steps of 1, 2, 4, 8, 16, 33 … microseconds, and how many calls took at most that long; only steps with calls."""
    steps = iter(times.counted())
    step = next(steps, None)
    counted = 0
    edge = _FIRST_NS
    while step is not None:
        longest = longest_at(place_of(min(edge, LONGEST_NS)))
        before = counted
        while step is not None and step[0] <= longest:
            counted += step[1]
            step = next(steps, None)
        if counted > before:
            yield longest // 1000, counted
        edge *= 2
