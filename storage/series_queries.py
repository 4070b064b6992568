"""Queries over the series of a keyspace, for all protocols: choose series by labels, select rows, group and reduce them.

``sample_queries`` does the part for one series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .chunks import Sample
from .downsampling import COUNTS, downsample
from .keyspace import Keyspace
from .labels import Filter, label_values
from .lazily import lazily
from .sample_queries import Rows, Selection, check_room, select
from .samples import SampleSeries

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")

Chosen = list[tuple[bytes, SampleSeries]]


@dataclass(slots=True)
class Group:
    """The series that have one value of a label, and one row for each time that any of them has."""

    value: bytes
    names: list[bytes]
    rows: Rows


def choose_series(keyspace: Keyspace, filters: Sequence[Filter]) -> Chosen:
    """Keys and series of samples that pass all filters, keys ascending."""
    found = [(name, keyspace.get(name)) for name in keyspace.labels.choose(filters)]
    return [(name, series) for name, series in found if type(series) is SampleSeries]


def latest_sample(keyspace: Keyspace, name: bytes, series: SampleSeries) -> Sample | None:
    """The open bucket, if a rule that writes the series has one, otherwise the last sample; None for an empty series."""
    return series.newest_bucket(keyspace, name) or series.last()


def query_series(keyspace: Keyspace, name: bytes, series: SampleSeries, wanted: Selection) -> Rows:
    """The rows of one series of a keyspace. O(log n + m). Raises TooManyBuckets."""
    return select(series, wanted, series.newest_bucket(keyspace, name) if wanted.latest else None)


def query_each(keyspace: Keyspace, chosen: Chosen, wanted: Selection) -> list[Rows]:
    """The rows of each of the series. Raises TooManyBuckets."""
    check_room([series for _, series in chosen], wanted)
    return [query_series(keyspace, name, series, wanted) for name, series in chosen]


def query_groups(keyspace: Keyspace, chosen: Chosen, wanted: Selection, label: bytes, reducer: str) -> list[Group]:
    """A group for each value of a label, values ascending; series without the label are in none.

    Samples of the same time are reduced to one before order and count apply. Raises TooManyBuckets.
    """
    members = grouped(chosen, (label,))
    whole = replace(wanted, count=None, reverse=False)
    check_room([series for group in members.values() for _, series in group], whole)
    groups = []
    for values in sorted(members):
        parts = [query_series(keyspace, name, series, whole) for name, series in members[values]]
        rows = combine(parts, reducer).cut(reverse=wanted.reverse, count=wanted.count)
        groups.append(Group(values[0], [name for name, _ in members[values]], rows))
    return groups


def grouped(chosen: Chosen, names: Sequence[bytes]) -> dict[tuple[bytes, ...], Chosen]:
    """Series by the values of some labels; those that lack one of the labels are left out."""
    members: dict[tuple[bytes, ...], Chosen] = {}
    for name, series in chosen:
        values = label_values(series.labels, names)
        if values is not None:
            members.setdefault(values, []).append((name, series))
    return members


def combine(parts: Sequence[Rows], reducer: str) -> Rows:
    """One row for each time that any of the parts has: the reduced value. O(n log n)."""
    times = np.concatenate([part.times for part in parts]) if parts else np.empty(0, np.int64)
    values = np.concatenate([part.columns[0] for part in parts]) if parts else np.empty(0)
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    starts, (column,) = downsample(times, values, [reducer], 1)
    empty = np.isnan(values)
    if reducer not in COUNTS and empty.any():  # without a value in any part there is none, not even an empty sum
        column[~np.isin(starts, times[~empty])] = np.nan
    return Rows(starts, [column])
