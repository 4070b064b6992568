"""Functions of the values of a bucket, as Timely and OpenTSDB name them.

Timely's own come first. NaN is an ordinary value: it makes a sum, an extreme or a deviation NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from . import quantiles
from .chunks import Times, Values
from .lazily import lazily
from .tallies import FIRSTS, GREATEST, LASTS, LEAST, PRODUCT, SQUARES, SUMS, VALUES, Tally

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")

_ROWS: Final = 1 << 14  # made in one step
_VALUES: Final = 1 << 14  # sorted in one step
_UNITS: Final = 1 << 17  # that a tally processes in one step


@dataclass(frozen=True, slots=True)
class Function:
    """What a function needs of a tally, and how it computes some rows: a generator if that takes long.

    ``on_line``: as an outer aggregator it interpolates the missing values of a series between their neighbours.
    """

    needs: int
    of_rows: Callable[[Tally, int, int], Values]
    on_line: bool = False
    quantile: tuple[float, Any] | None = None


def _average(tally: Tally, start: int, stop: int) -> Values:
    return tally.column(SUMS, start, stop) / tally.counts(start, stop)


def _deviation(tally: Tally, start: int, stop: int) -> Values:
    """Timely's: the mean is not subtracted."""
    counts = tally.counts(start, stop)
    spread = np.sqrt(tally.column(SQUARES, start, stop) / np.maximum(counts - 1, 1))
    return np.where(counts > 1, spread, np.abs(tally.column(SUMS, start, stop)))


def _count(tally: Tally, start: int, stop: int) -> Values:
    return tally.counts(start, stop).astype(np.float64)


def _difference(tally: Tally, start: int, stop: int) -> Values:
    return tally.column(LASTS, start, stop) - tally.column(FIRSTS, start, stop)


def _column(need: int, *, on_line: bool = False) -> Function:
    return Function(need, partial(_column_of, need), on_line)


def _column_of(need: int, tally: Tally, start: int, stop: int) -> Values:
    return tally.column(need, start, stop)


def _quantile(share: float, place: Any = quantiles.legacy) -> Function:
    return Function(VALUES, partial(_quantile_of, share, place), True, (share, place))


def _quantile_of(share: float, place: Any, tally: Tally, start: int, stop: int) -> Values:
    return quantiles.of_groups(tally.values(start, stop), tally.counts(start, stop), share, place)


_SHARES: Final = {"50": 0.5, "75": 0.75, "90": 0.9, "95": 0.95, "99": 0.99, "999": 0.999}

TIMELY: Final[dict[str, Function]] = {
    "avg": Function(SUMS, _average),
    "dev": Function(SUMS | SQUARES, _deviation),
    "max": _column(GREATEST),
    "min": _column(LEAST),
    "sum": _column(SUMS),
    "count": Function(0, _count),
}
OPENTSDB: Final[dict[str, Function]] = {
    "zimsum": _column(SUMS),
    "mimmin": _column(LEAST),
    "mimmax": _column(GREATEST),
    "first": _column(FIRSTS, on_line=True),
    "last": _column(LASTS, on_line=True),
    "mult": _column(PRODUCT, on_line=True),
    "diff": Function(FIRSTS | LASTS, _difference, True),
    "median": _quantile(0.5),
    **{f"p{name}": _quantile(share) for name, share in _SHARES.items()},
    **{f"ep{name}r3": _quantile(share, quantiles.nearest) for name, share in _SHARES.items()},
    **{f"ep{name}r7": _quantile(share, quantiles.between) for name, share in _SHARES.items()},
}
FUNCTIONS: Final[dict[str, Function]] = {**TIMELY, **OPENTSDB}


def rows_of(tally: Tally, function: Function) -> Generator[None, None, tuple[Times, Values]]:
    """The begins of a tally's buckets and a function's result for each, in steps; the tally is used up."""
    while tally.settle(_UNITS):
        yield
    rows = len(tally)
    times, values = np.empty(rows, np.int64), np.empty(rows)
    for start in range(0, rows, _ROWS):
        stop = min(rows, start + _ROWS)
        times[start:stop] = tally.begins(start, stop)
        with np.errstate(all="ignore"):
            if function.quantile is None:
                values[start:stop] = function.of_rows(tally, start, stop)
            else:
                yield from _quantiles(tally, function, start, stop, values)
        if stop < rows:
            yield
    while tally.release():
        yield
    return times, values


def _quantiles(tally: Tally, function: Function, start: int, stop: int, out: Values) -> Generator[None, None, None]:
    """Fill in the quantiles of some rows."""
    assert function.quantile is not None
    share, place = function.quantile
    counts = tally.counts(start, stop)
    before = np.cumsum(counts) - counts  # values of the rows before
    at = 0
    while at < len(counts):
        end = max(at + 1, int(np.searchsorted(before, before[at] + _VALUES, "right")) - 1)
        if end == at + 1 and counts[at] > _VALUES:
            out[start + at] = yield from quantiles.of_one(tally.values(start + at, start + end), share, place)
        else:
            out[start + at : start + end] = function.of_rows(tally, start + at, start + end)
        at = end
        yield
