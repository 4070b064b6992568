"""Quantiles of values in groups of neighbours, as OpenTSDB estimates them.

All of them look at one place among the sorted values, counted from 1, and take from both neighbours what lies between.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

from .chunks import Values
from .lazily import lazily

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.int64]
    # Gives for each group the place of a quantile from its share and the number of values.
    Place = Callable[[float, Counts], Any]
else:
    np = lazily("numpy")
    Counts = Place = Any

_RUN: Final = 1 << 15  # values that are sorted in one go
_HIGHEST_BIT: Final = 1 << 63


def legacy(share: float, counts: Counts) -> Any:
    """The place in the middle between those of n and n + 1 values: type 6."""
    return share * (counts + 1)


def nearest(share: float, counts: Counts) -> Any:
    """The nearest value, of two the even one: type 3."""
    return np.rint(share * counts)


def between(share: float, counts: Counts) -> Any:
    """From the first value to the last one in equal steps: type 7."""
    return 1 + share * (counts - 1)


def of_groups(values: Values, counts: Counts, share: float, place: Place) -> Values:
    """The quantile of each group; ``values`` has those of one after the other."""
    width = int(counts[0])
    if (counts == width).all():
        ordered = np.sort(values.reshape(len(counts), width), axis=1).ravel()
    else:
        ordered = values[np.lexsort((values, np.repeat(np.arange(len(counts)), counts)))]
    starts = np.cumsum(counts) - counts
    lower, upper, part = _neighbours(counts, share, place)
    return _mixed(ordered[starts + lower], ordered[starts + upper], part)


def of_one(values: Values, share: float, place: Place) -> Generator[None, None, float]:
    """The quantile of one group of many values, in steps; they are used up.

    They are sorted in runs, where they are. How many values are not greater than a number is known of each run at once, and so a number
    is found bit by bit.
    """
    runs = []
    for start in range(0, len(values), _RUN):
        run = values[start : start + _RUN].view(np.uint64)
        run[:] = _keys(values[start : start + _RUN])
        run.sort()
        runs.append(run)
        yield
    (lower,), (upper,), part = _neighbours(np.array([len(values)]), share, place)
    found = []
    for at in (int(lower), int(upper)):
        low, high = 0, (1 << 64) - 1
        while low < high:
            middle = (low + high) // 2
            if sum(int(np.searchsorted(run, np.uint64(middle), "right")) for run in runs) > at:
                high = middle
            else:
                low = middle + 1
            yield
        found.append(low)
    lower_value, upper_value = _values(np.array(found, np.uint64))
    return float(_mixed(np.array([lower_value]), np.array([upper_value]), part)[0])


def _neighbours(counts: Counts, share: float, place: Place) -> tuple[Counts, Counts, Values]:
    """Which of the sorted values of each group are taken, from 0 on, and how much of the second."""
    at = np.clip(place(share, counts), 1, counts)
    lower = np.floor(at)
    below = lower.astype(np.int64) - 1
    return below, np.minimum(below + 1, counts - 1), at - lower


def _mixed(lower: Values, upper: Values, part: Values) -> Values:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(part > 0, lower + part * (upper - lower), lower)


def _keys(values: Values) -> npt.NDArray[np.uint64]:
    """Integers that are in the order of the values, NaN last."""
    octets = np.where(np.isnan(values), np.nan, values).view(np.uint64)
    negative = octets >> np.uint64(63) == 1
    return np.where(negative, ~octets, octets | np.uint64(_HIGHEST_BIT))


def _values(keys: npt.NDArray[np.uint64]) -> Values:
    """The values of such integers."""
    positive = keys >> np.uint64(63) == 1
    return np.where(positive, keys & np.uint64(_HIGHEST_BIT - 1), ~keys).view(np.float64)
