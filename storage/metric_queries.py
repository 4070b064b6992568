"""Queries over metrics, as in Timely: choose series by tags, merge them in buckets, aggregate the groups.

    choose by metric, tags and visibility -> group by tags -> rates of each series -> one value for each bucket of a
    group -> fill empty buckets -> aggregate groups

Times are in ms, and ranges include both ends. A group is merged from all samples in a bucket, of all its
series: an average is that of the samples, not of averages. Queries run in steps of a millisecond or two; a series is
read as it is when its turn comes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from .age_off import AgeOff
from .chunks import MOST_TIME, Times, Values
from .downsampling import MOST_VALUES
from .errors import NoMatchingTags, TooManyBuckets, TooManyFilters, TooManyValues, UnknownFunction
from .keyspace import Keyspace
from .labels import NAME_LABEL, VISIBILITY_LABEL, Labels, Names, label_values, tags_of
from .lazily import lazily
from .metric_functions import FUNCTIONS, OPENTSDB, TIMELY, Function, rows_of
from .samples import SampleSeries
from .series_queries import Chosen
from .tallies import Rate, Tally

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")

__all__ = [
    "AGGREGATORS",
    "Downsample",
    "MetricGroup",
    "MetricQuery",
    "Rate",
    "TagFilter",
    "choose_steps",
    "query_steps",
]

AGGREGATORS: Final = (*TIMELY, "none", *OPENTSDB)
NONE: Final = "none"

MOST_FILTERS: Final = 1000
# Most values kept for quantiles, or interpolated for groups: 12 and 16 bytes each.
MOST_KEPT: Final = 1 << 24

# The work of one step, in units of about 5 ns, the cost of adding a sample.
_UNITS: Final = 200_000
_SERIES_UNITS: Final = 800
_MATCH_UNITS: Final = 200
_GROUP_UNITS: Final = 4000
_COLUMN: Final = 1 << 13  # rows of a group

_GROUPS: Final = 1000  # freed in one step
_MOST_SORTED: Final = 5000  # groups, or series of a group: it takes 2 ms

# OpenTSDB's aggregators of these names interpolate, Timely's do not.
_ON_LINES: Final = ("sum", "avg", "min", "max", "dev")

_WITHOUT_BUCKETS: Final = "avg"  # of points of one ms, without downsampling

Steps = Generator[None, None, None]


@dataclass(frozen=True, slots=True)
class TagFilter:
    """A condition on a tag: it has one of the ``values``, or one that ``matches``; with neither, any value.

    ``negated``: it has another value; with neither values nor ``matches`` the tag is missing. ``grouped``: series are
    grouped by the values of the tag.
    """

    key: bytes
    values: tuple[bytes, ...] = ()
    matches: Callable[[bytes], bool] | None = None
    negated: bool = False
    grouped: bool = True

    @property
    def is_literal(self) -> bool:
        """Whether the tag has one of some values."""
        return bool(self.values) and not self.negated and self.matches is None

    def passes(self, value: bytes | None) -> bool:
        """Whether a value of the tag passes; None stands for a missing tag."""
        if value is None or (not self.values and self.matches is None):
            return (value is None) == self.negated
        return bool(value in self.values if self.matches is None else self.matches(value)) != self.negated


@dataclass(frozen=True, slots=True)
class Downsample:
    """One value for each ``interval_ms``. ``fill``: empty buckets are left out, or nan, null (NaN here too) or zero."""

    interval_ms: int
    function: str
    fill: str = NONE


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """A query over a metric. ``explicit_tags``: only series without tags other than those that the filters name.

    The aggregator combines the groups; with ``by_group``, as in OpenTSDB, the series of each group, which are then
    downsampled one by one and interpolated.
    """

    metric: bytes
    start_ms: int
    end_ms: int
    filters: tuple[TagFilter, ...] = ()
    downsample: Downsample | None = None
    rate: Rate | None = None
    aggregator: str = NONE
    explicit_tags: bool = False
    by_group: bool = False


@dataclass(slots=True)
class MetricGroup:
    """The buckets of some series. ``tags``: values of the tags that they are grouped by, empty with an aggregator of groups.

    ``aggregated_tags``: other tags that all of them have, with different values.
    """

    tags: dict[bytes, bytes]
    aggregated_tags: list[bytes]
    times: Times
    values: Values


class _Tags:
    """The tags that all of some series have; None if their values differ."""

    __slots__ = ("_tags",)

    def __init__(self) -> None:
        self._tags: dict[bytes, bytes | None] | None = None

    def add(self, labels: Labels) -> None:
        """Add a series with these labels."""
        if self._tags is None:
            self._tags = dict(tags_of(labels))
            return
        for name, value in list(self._tags.items()):
            found = labels.get(name)
            if found is None:
                del self._tags[name]
            elif found != value:
                self._tags[name] = None

    def differing(self) -> list[bytes]:
        """Those whose values differ."""
        return sorted(name for name, value in (self._tags or {}).items() if value is None)


@dataclass(slots=True)
class _Members:
    """The series of a group."""

    series: Chosen = field(default_factory=list)
    tags: _Tags = field(default_factory=_Tags)


class _Pace:
    """Counts work done, to tell when to give way to other tasks."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _UNITS

    def spend(self, units: int) -> bool:
        """Whether to give way now."""
        self.left -= units
        if self.left > 0:
            return False
        self.left = _UNITS
        return True


@dataclass(slots=True)
class _Plan:
    """A checked query, with its effective times."""

    query: MetricQuery
    bucket: int
    first: int
    last: int
    function: Function
    outer: Function | None
    fill: float | None
    rows_left: int
    kept_left: int
    pace: _Pace = field(default_factory=_Pace)

    @property
    def collapses(self) -> bool:
        """Whether the groups are combined into one."""
        return self.outer is not None and not self.query.by_group

    def take_rows(self, count: int) -> None:
        """Count rows of the result. Raises TooManyBuckets."""
        self.rows_left -= count
        if self.rows_left < 0:
            raise TooManyBuckets(count)

    def keep_rows(self, count: int) -> None:
        """Count rows that wait to be aggregated, or no longer do (negative). Raises TooManyValues."""
        self.kept_left -= count
        if self.kept_left < 0:
            raise TooManyValues(count)


def query_steps(
    keyspace: Keyspace,
    query: MetricQuery,
    may_see: Callable[[bytes], bool],
    *,
    age_off: AgeOff | None = None,
    may_read: Callable[[bytes], bool] | None = None,
) -> Generator[None, None, list[MetricGroup]]:
    """The groups of a query, in the order of their tags' values (very many: in any order); in steps of a millisecond or two.

    ``may_see`` tells whether series with a visibility (b"" for none) may be seen; it is called once for each. ``may_read``
    tells the keys of series that may be read, None: all. If there are none among those asked for, it is as if there were no such metric.
    Raises NoMatchingTags, UnknownFunction, TooManyFilters, TooManyBuckets and TooManyValues; the first three, and
    TooManyBuckets if empty buckets are filled, before samples are read.
    """
    plan = _plan(query)
    if plan is None:
        return []
    chosen = yield from _chosen(keyspace, plan, may_see, may_read)
    grouped_keys = _grouped_keys(query)
    groups: dict[tuple[bytes, ...], _Members] = {}
    every = _Tags()
    # Long lists are consumed on the way: freeing them at the end would take longer than a step.
    chosen.reverse()
    while chosen:
        key, series = chosen.pop()
        values = label_values(series.labels, grouped_keys)
        if values is not None:  # labels have not changed meanwhile
            members = groups.get(values)
            if members is None:
                members = groups[values] = _Members()
            members.series.append((key, series))
            members.tags.add(series.labels)
            if plan.collapses:
                every.add(series.labels)
        if plan.pace.spend(_SERIES_UNITS):
            yield
    _check_filling(plan, len(groups))
    found = []
    for values in sorted(groups) if len(groups) <= _MOST_SORTED else list(groups):
        members = groups.pop(values)
        if len(members.series) <= _MOST_SORTED:  # so that sums are the same to the last digit
            members.series.sort(key=itemgetter(0))
        times, column = yield from _reduced(keyspace, plan, members.series, age_off)
        if len(times):
            if plan.fill is not None and (not plan.collapses or plan.fill == 0):
                times, column = _filled(plan, times, column)
            tags = dict(zip(grouped_keys, values, strict=True))
            found.append(MetricGroup(tags, members.tags.differing(), times, column))
            if plan.collapses:
                plan.keep_rows(len(times))
            else:
                plan.take_rows(len(times))
    if plan.outer is None or not plan.collapses or not found:
        return found
    times, column = yield from _aggregated(plan, plan.outer, found)
    if plan.fill is not None:
        times, column = _filled(plan, times, column)
    plan.take_rows(len(times))
    return [MetricGroup({}, every.differing(), times, column)]


def _plan(query: MetricQuery) -> _Plan | None:
    """The checked query; None if the time range is empty."""
    if len(query.filters) > MOST_FILTERS:
        raise TooManyFilters(len(query.filters))
    bucket, name, fill = 1, _WITHOUT_BUCKETS, None
    if query.downsample is not None and query.downsample.function != NONE:
        bucket, name = min(query.downsample.interval_ms, MOST_TIME), query.downsample.function
        fill = None if query.downsample.fill == NONE else 0.0 if query.downsample.fill == "zero" else np.nan
    if name not in FUNCTIONS:
        raise UnknownFunction(name)
    first = query.start_ms - query.start_ms % bucket
    if first >= query.end_ms or first > MOST_TIME:
        return None
    first, last = max(0, first), min(max(-1, query.end_ms), MOST_TIME)
    # An unknown aggregator counts as none, as in Timely.
    outer = FUNCTIONS.get(query.aggregator)
    if outer is not None and query.by_group and query.aggregator in _ON_LINES:
        outer = replace(outer, on_line=True)
    return _Plan(query, bucket, first, last, FUNCTIONS[name], outer, fill, MOST_VALUES, MOST_KEPT)


def _grouped_keys(query: MetricQuery) -> list[bytes]:
    """The tags that series are grouped by, once each."""
    keys = [each.key for each in query.filters if each.grouped and (each.values or each.matches or not each.negated)]
    return list(dict.fromkeys(keys))


# ---------------------------------------------------------------- choosing


def choose_steps(
    keyspace: Keyspace,
    metric: bytes,
    filters: tuple[TagFilter, ...],
    may_see: Callable[[bytes], bool],
    may_read: Callable[[bytes], bool] | None = None,
) -> Generator[None, None, list[bytes]]:
    """The keys of a metric's series that pass filters and may be seen, in steps of a millisecond or two.

    Raises NoMatchingTags, if a query with these filters does, and TooManyFilters.
    """
    plan = _plan(MetricQuery(metric, 0, MOST_TIME, filters))
    assert plan is not None
    chosen = yield from _chosen(keyspace, plan, may_see, may_read)
    return [key for key, _ in chosen]


def _chosen(
    keyspace: Keyspace, plan: _Plan, may_see: Callable[[bytes], bool], may_read: Callable[[bytes], bool] | None
) -> Generator[None, None, Chosen]:
    """The series of the metric that pass the filters and may be seen. Raises NoMatchingTags."""
    query = plan.query
    index = keyspace.labels
    tags = index.catalogue.tags_of(query.metric)
    if query.metric not in index.catalogue.metrics.counts:
        raise NoMatchingTags
    accepted = yield from _accepted(plan, tags)
    if accepted is None:
        if may_read is not None:
            raise NoMatchingTags
        return []
    explicit = {each.key for each in query.filters} if query.explicit_tags else None
    absent = {each.key for each in query.filters if each.negated and not each.values and each.matches is None}
    seen: dict[bytes, bool] = {}
    chosen: Chosen = []
    for key in _candidates(keyspace, query.metric, accepted):
        if plan.pace.spend(_SERIES_UNITS):
            yield
        series = keyspace.get(key)
        if type(series) is not SampleSeries or series.labels.get(NAME_LABEL) != query.metric:
            continue
        labels = series.labels
        if any(labels.get(name) not in values for name, values in accepted.items()):
            continue
        if absent and not absent.isdisjoint(labels):
            continue
        if explicit is not None and not all(name in explicit for name, _ in tags_of(labels)):
            continue
        visibility = labels.get(VISIBILITY_LABEL, b"")
        if visibility not in seen:
            seen[visibility] = may_see(visibility)
        if seen[visibility] and (may_read is None or may_read(key)):
            chosen.append((key, series))
    if may_read is not None and not chosen:
        raise NoMatchingTags  # what may not be read must not be told from what is not there
    return chosen


def _accepted(
    plan: _Plan, tags: Mapping[bytes, Names]
) -> Generator[None, None, dict[bytes, Mapping[bytes, object]] | None]:
    """For each tag with filters the values that pass; None if nothing can.

    The filter checked first must let something pass: the one with literals whose tag has the fewest values, or one that
    matches if there is no other. Raises NoMatchingTags.
    """
    filters = plan.query.filters
    ranked = sorted(
        filters, key=lambda each: (not each.is_literal, len(tags.get(each.key, ())) if each.is_literal else 0)
    )
    accepted: dict[bytes, Mapping[bytes, object]] = {}
    for number, each in enumerate(ranked):
        if each.negated and not each.values and each.matches is None:
            continue
        names = tags.get(each.key)
        before = accepted.get(each.key)
        stored = before if before is not None else {} if names is None else names.counts
        if before is None and not each.values and each.matches is None:
            passing = stored
        elif each.is_literal:
            passing = {value: None for value in each.values if value in stored}
        else:
            passing = yield from _matching(plan, each, list(stored))
        accepted[each.key] = passing
        if not passing:
            if number == 0:
                raise NoMatchingTags
            return None
    return accepted


def _matching(plan: _Plan, wanted: TagFilter, stored: Sequence[bytes]) -> Generator[None, None, dict[bytes, None]]:
    """The values that pass a filter, each checked once."""
    passing: dict[bytes, None] = {}
    literals = frozenset(wanted.values)
    for value in stored:
        if wanted.matches is not None:
            passes = bool(wanted.matches(value))
        else:
            passes = not literals or value in literals
        if passes != wanted.negated:
            passing[value] = None
        if plan.pace.spend(_MATCH_UNITS):
            yield
    return passing


def _candidates(keyspace: Keyspace, metric: bytes, accepted: Mapping[bytes, Mapping[bytes, object]]) -> Iterator[bytes]:
    """Candidate keys of series: those of the metric or of the values of one tag, whichever are fewer."""
    index = keyspace.labels
    best: list[Mapping[bytes, None]] = [index.keys_with(NAME_LABEL, metric)]
    fewest = len(best[0])
    for name, values in accepted.items():
        if len(values) < fewest:
            found = [index.keys_with(name, value) for value in values]
            count = sum(map(len, found))
            if count < fewest:
                best, fewest = found, count
    return (key for keys in best for key in list(keys))


# ---------------------------------------------------------------- merging


def _reduced(
    keyspace: Keyspace, plan: _Plan, members: Chosen, age_off: AgeOff | None
) -> Generator[None, None, tuple[Times, Values]]:
    """One value for each bucket of a group: of all samples, or with ``by_group`` of the values of its series.

    ``members`` is used up.
    """
    if plan.outer is None or not plan.query.by_group:
        return (yield from _merged(keyspace, plan, members, age_off))
    lines = []
    times, column = np.empty(0, np.int64), np.empty(0)
    members.reverse()
    while members:
        times, column = yield from _merged(keyspace, plan, [members.pop()], age_off)
        if len(times):
            if plan.fill == 0:
                times, column = _filled(plan, times, column)
            plan.keep_rows(len(times))
            lines.append(MetricGroup({}, [], times, column))
    if not lines:
        return times, column
    plan.keep_rows(-sum([len(line.times) for line in lines]))
    return (yield from _aggregated(plan, plan.outer, lines))


def _merged(
    keyspace: Keyspace, plan: _Plan, members: Chosen, age_off: AgeOff | None
) -> Generator[None, None, tuple[Times, Values]]:
    """One value for each bucket in which a series of the group has samples; ``members`` is used up."""
    oldest = 0 if age_off is None else age_off.oldest_ms(plan.query.metric, keyspace.clock.now_ms)
    low, high = max(plan.first, oldest), plan.last
    tally = Tally(plan.function.needs, plan.bucket, plan.rows_left, rate=plan.query.rate, most_values=MOST_KEPT)
    if plan.pace.spend(_GROUP_UNITS):
        yield
    first, last, samples = MOST_TIME, -1, 0
    for _, series in members:
        if series.chunks and series.last_time >= low and series.starts[0] <= high:
            first, last = min(first, series.starts[0]), max(last, series.last_time)
            samples += series.count
        if plan.pace.spend(_SERIES_UNITS // 4):
            yield
    tally.expect(max(first, low), min(last, high), samples, series=len(members))
    members.reverse()
    while members:
        key, series = members.pop()
        tally.begin_series()
        at = max(low, series.oldest_time)
        while at <= high and keyspace.data.get(key) is series:
            # Chunks are looked up again after each pause: writes join and split them.
            chunks = series.chunks_between(at, high)
            if not chunks:
                break
            taken = tally.take(chunks, at, high, plan.pace.left)
            at = chunks[taken - 1].last + 1
            if plan.pace.spend(_SERIES_UNITS + tally.spent()):
                yield
            if taken == len(chunks):
                break
    if plan.pace.spend(min(samples, _UNITS)):
        yield
    return (yield from rows_of(tally, plan.function))


def _aggregated(
    plan: _Plan, function: Function, groups: list[MetricGroup]
) -> Generator[None, None, tuple[Times, Values]]:
    """One value for each bucket of any group, from the values that the groups have for it; ``groups`` is used up."""
    if function.on_line and plan.fill is None and len(groups) > 1:
        yield from _put_on_lines(plan, groups)
    made = yield from _tallied(plan, function, groups)
    while groups:
        del groups[-_GROUPS:]
        yield
    return made


def _tallied(plan: _Plan, function: Function, groups: list[MetricGroup]) -> Generator[None, None, tuple[Times, Values]]:
    tally = Tally(function.needs, plan.bucket, plan.rows_left, most_values=MOST_KEPT)
    first, last, rows = MOST_TIME, 0, 0
    for group in groups:
        first, last = min(first, int(group.times[0])), max(last, int(group.times[-1]))
        rows += len(group.times)
        if plan.pace.spend(_SERIES_UNITS // 2):
            yield
    tally.expect(first, last, rows, series=len(groups))
    for group in groups:
        tally.begin_series()
        for start in range(0, len(group.times), _COLUMN):
            part = slice(start, start + _COLUMN)
            tally.take_columns(group.times[part], group.values[part])
            if plan.pace.spend(_SERIES_UNITS + tally.spent()):
                yield
    return (yield from rows_of(tally, function))


def _put_on_lines(plan: _Plan, groups: list[MetricGroup]) -> Steps:
    """Interpolate values of groups for the buckets of others; not beyond their ends."""
    times, _ = yield from _tallied(plan, FUNCTIONS["count"], groups)
    kept = 0
    for group in groups:
        start = int(np.searchsorted(times, group.times[0], "left"))
        stop = int(np.searchsorted(times, group.times[-1], "right"))
        kept += stop - start
        if kept > MOST_KEPT:
            raise TooManyValues(MOST_KEPT)
        if plan.pace.spend(4 * _SERIES_UNITS):
            yield
        if stop - start == len(group.times):
            continue
        values = np.empty(stop - start)
        for at in range(start, stop, _COLUMN):
            part = times[at : min(at + _COLUMN, stop)]
            values[at - start : at - start + len(part)] = _on_line(group.times, group.values, part)
            if plan.pace.spend(_SERIES_UNITS + 10 * len(part)):
                yield
        group.times, group.values = times[start:stop], values


def _on_line(times: Times, values: Values, wanted: Times) -> Values:
    """The interpolated values at some times, which lie between the ends of a line."""
    after = np.searchsorted(times, wanted, "left")
    before = np.maximum(after - 1, 0)
    with np.errstate(all="ignore"):
        rise = (values[after] - values[before]) / (times[after] - times[before])
        between = values[before] + rise * (wanted - times[before])
    return np.where(times[after] == wanted, values[after], between)


# ---------------------------------------------------------------- filling


def _check_filling(plan: _Plan, groups: int) -> None:
    """Reject filling more buckets than a result may have."""
    if plan.fill is None or not groups:
        return
    count = plan.last // plan.bucket - plan.first // plan.bucket + 1
    if count * (1 if plan.collapses and plan.fill != 0 else groups) > MOST_VALUES:
        raise TooManyBuckets(count)


def _filled(plan: _Plan, times: Times, values: Values) -> tuple[Times, Values]:
    """Rows for all buckets of the time range."""
    begin = plan.first - plan.first % plan.bucket
    count = plan.last // plan.bucket - plan.first // plan.bucket + 1
    if count == len(times):
        return times, values
    filled = np.full(count, plan.fill)
    filled[(times - begin) // plan.bucket] = values
    return begin + plan.bucket * np.arange(count, dtype=np.int64), filled
