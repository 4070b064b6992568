"""Quantiles of values in consecutive groups, as OpenTSDB estimates them.

Each estimates one position among the sorted values, counted from 1, and interpolates between its two neighbours.
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
    # Gives for each group the position of a quantile from its share and the number of values.
    Place = Callable[[float, Counts], Any]
else:
    np = lazily("numpy")
    Counts = Place = Any

_RUN: Final = 1 << 15  # values sorted in one step
_HIGHEST_BIT: Final = 1 << 63


def legacy(share: float, counts: Counts) -> Any:
    """Type 6: equal steps among n + 1 intervals."""
    return share * (counts + 1)


def nearest(share: float, counts: Counts) -> Any:
    """Type 3: the nearest value, of two the even one."""
    return np.rint(share * counts)


def between(share: float, counts: Counts) -> Any:
    """Type 7: equal steps from the first value to the last."""
    return 1 + share * (counts - 1)


def of_groups(values: Values, counts: Counts, share: float, place: Place) -> Values:
    """The quantile of each group; ``values`` has the groups one after another."""
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

    They are sorted in runs, in place. Each run quickly tells how many of its values are not greater than a number, so the
    quantile is found bit by bit.
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
    """Which sorted values of each group are taken, from 0 on, and the weight of the second."""
    at = np.clip(place(share, counts), 1, counts)
    lower = np.floor(at)
    below = lower.astype(np.int64) - 1
    return below, np.minimum(below + 1, counts - 1), at - lower


def _mixed(lower: Values, upper: Values, part: Values) -> Values:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(part > 0, lower + part * (upper - lower), lower)


def _keys(values: Values) -> npt.NDArray[np.uint64]:
    """Integers in the order of the values, NaN last."""
    octets = np.where(np.isnan(values), np.nan, values).view(np.uint64)
    negative = octets >> np.uint64(63) == 1
    return np.where(negative, ~octets, octets | np.uint64(_HIGHEST_BIT))


def _values(keys: npt.NDArray[np.uint64]) -> Values:
    """The values of such integers."""
    positive = keys >> np.uint64(63) == 1
    return np.where(positive, keys & np.uint64(_HIGHEST_BIT - 1), ~keys).view(np.float64)
