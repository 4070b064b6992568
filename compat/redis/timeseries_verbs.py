# cython: annotation_typing=True
"""The TS.* commands of RedisTimeSeries 1.12 over the engine's series of samples.

Beyond RedisTimeSeries: the functions median, p50, p90, p95, p99, rate, increase, countNaN, countAll; several
functions in one query (``AGGREGATION avg,max 60000``); filters by regular expression (``host=~db.*``);
``TS.DEL ... FILTER``; ``TS.MADD`` that creates series; and NaN as a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import Outcomes, RespError
from januskv.resp.replies import OK, Choice, NamedRows, PairMap, Reply, SampleNumber, SetReply, Simple
from januskv.resp.slices import SAMPLES, SampleRows, Together
from januskv.storage.chunks import Sample
from januskv.storage.errors import StorageError
from januskv.storage.labels import Filter
from januskv.storage.sample_queries import Rows
from januskv.storage.samples import Rule, SampleSeries
from januskv.storage.series_queries import Chosen, choose_series, latest_sample, query_each, query_groups, query_series

from .timeseries_options import (
    Options,
    RangeQuery,
    Settings,
    bad,
    double_of,
    number_of,
    read_aggregation,
    read_ends,
    read_filters,
    read_last,
    read_on_duplicate,
    read_range,
    read_ranges,
    read_settings,
    read_timestamp,
    time_of,
    value_of,
    wrong_arity,
)

verbs = Family("timeseries")

_READ = Flag.READONLY | Flag.MODULE
_WRITE = Flag.WRITE | Flag.DENYOOM | Flag.MODULE
_NO_SUCH_KEY = "the key does not exist"
_NOT_A_SERIES = "the key is not a TSDB key"
_WRONG_TYPE = "ERR WRONGTYPE Operation against a key holding the wrong kind of value"
_NO_RIGHT = "NOPERM TSDB: current user doesn't have {} permission to one or more keys that match the specified filter"
_BEYOND_RETENTION = "When a series has compactions, deleting samples or compaction buckets beyond the series retention period is not possible"


# ---------------------------------------------------------------- finding series


def _chosen(ctx: Context, filters: Sequence[Filter], *, write: bool = False) -> Chosen:
    """The series that pass all filters, if the caller's user has the right to all of them. Raises RespError."""
    chosen = choose_series(ctx.keyspace, filters)
    user = ctx.caller.user
    if not user.unrestricted and not all(user.may_access(name, write=write) for name, _ in chosen):
        raise RespError(_NO_RIGHT.format("write" if write else "read"))
    return chosen


def series_at(ctx: Context, name: bytes) -> SampleSeries | None:
    """The series of a key, None if there is none. Raises RespError for another type."""
    value = ctx.keyspace.get(name)
    if value is not None and type(value) is not SampleSeries:
        raise RespError(_WRONG_TYPE)
    return value


def known_series(ctx: Context, name: bytes) -> SampleSeries:
    """The series of a key. Raises RespError if there is none."""
    series = series_at(ctx, name)
    if series is None:
        raise bad(_NO_SUCH_KEY)
    return series


def read_series(ctx: Context, name: bytes) -> SampleSeries:
    """``known_series`` for a reading command, which counts a hit or a miss."""
    ctx.keyspace.read(name)
    return known_series(ctx, name)


# ---------------------------------------------------------------- replies


def _sample(sample: Sample | None) -> Reply:
    return [] if sample is None else [sample[0], SampleNumber(sample[1])]


def _rows(rows: Rows) -> SampleRows:
    """Rows of a query: [time, value], with several functions [time, value, value, ...]."""
    return SampleRows(rows.times, rows.columns)


def _labels(labels: Mapping[bytes, bytes], wanted: RangeQuery | None = None) -> PairMap:
    """The labels that a query returns. Selected ones are found in any case."""
    if wanted is None or wanted.with_labels:
        chosen: dict[bytes, bytes | None] = dict(labels)
    elif not wanted.selected:
        chosen = {}
    else:
        by_lower: dict[bytes, tuple[bytes, bytes | None]] = {}
        for name, value in labels.items():
            by_lower.setdefault(name.lower(), (name, value))
        chosen = dict(by_lower.get(name.lower(), (name, None)) for name in wanted.selected)
    return PairMap(chosen.items())


# ---------------------------------------------------------------- series


# This is one change, but clients that listen to events see that of the first sample.
_CREATED_ON_THE_WAY = "ts.created"


def _create(ctx: Context, name: bytes, settings: Settings, event: str = _CREATED_ON_THE_WAY) -> SampleSeries:
    series = SampleSeries(**settings.for_new())
    ctx.keyspace.put_series(name, series, event)
    return series


@verbs.verb("TS.CREATE", arity=-2, flags=_WRITE, keys=key("OW", "insert"))
def ts_create(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.CREATE key [RETENTION milliseconds] [ENCODING <COMPRESSED | UNCOMPRESSED>] [CHUNK_SIZE size] [DUPLICATE_POLICY policy] [IGNORE max-time-diff max-value-diff] [LABELS label value [label value ...]]

    Creates an empty series. RETENTION 0 keeps samples forever.

    Cost: O(1)
    """
    settings = read_settings(argv, 2)
    if ctx.keyspace.get(argv[1]) is not None:
        raise bad("key already exists")
    _create(ctx, argv[1], settings, "ts.create")
    return OK


@verbs.verb("TS.ALTER", arity=-2, flags=_WRITE, keys=key("RW", "update"))
def ts_alter(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.ALTER key [RETENTION milliseconds] [CHUNK_SIZE size] [DUPLICATE_POLICY policy] [IGNORE max-time-diff max-value-diff] [LABELS label value [label value ...]]

    Changes the given settings of a series; LABELS replaces all labels. CHUNK_SIZE applies to future chunks. An
    ENCODING is ignored, as in RedisTimeSeries.

    Cost: O(L) with L labels
    """
    settings = read_settings(argv, 2).for_new()
    settings.pop("compressed", None)
    known_series(ctx, argv[1]).alter(ctx.keyspace, argv[1], settings)
    return OK


# ---------------------------------------------------------------- adding


@verbs.verb("TS.ADD", arity=-4, flags=_WRITE | Flag.QUICK, keys=key("RW", "update"))
def ts_add(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.ADD key timestamp value [RETENTION milliseconds] [ENCODING <COMPRESSED | UNCOMPRESSED>] [CHUNK_SIZE size] [DUPLICATE_POLICY policy] [ON_DUPLICATE policy] [IGNORE max-time-diff max-value-diff] [LABELS label value [label value ...]]

    Adds a sample; * as timestamp is now. Creates a missing series with the given settings.
    Returns the timestamp, or the last one if IGNORE drops the sample.

    Cost: O(1), O(log N + C) for a late sample with chunks of C samples
    """
    value, time = value_of(argv[3]), time_of(argv[2], ctx.store.clock.now_ms)
    series = _series_to_add_to(ctx, argv[1])
    policy = None
    if series is None:
        series = _create(ctx, argv[1], read_settings(argv, 4))
    elif len(argv) > 4:
        policy = read_on_duplicate(argv, 4)
    return series.add(ctx.keyspace, argv[1], time, value, policy)


def _series_to_add_to(ctx: Context, name: bytes) -> SampleSeries | None:
    """``series_at`` for TS.ADD and TS.MADD, which have their own error text."""
    value = ctx.keyspace.get(name)
    if value is not None and type(value) is not SampleSeries:
        raise bad(_NOT_A_SERIES)
    return value


@verbs.verb("TS.MADD", arity=-4, flags=_WRITE, keys=key("RW", "update", last=-1, step=3))
def ts_madd(ctx: Context, argv: list[bytes]) -> Outcomes:
    """TS.MADD key timestamp value [key timestamp value ...] [CREATE [LABELS label value [label value ...]]]

    Adds samples to existing series. Returns for each its timestamp or an error. Ours: CREATE creates
    missing series, with the given labels.

    Cost: O(N) with N samples after the last one of their series
    """
    end, labels = _madd_end(argv)
    if (end - 1) % 3:
        raise wrong_arity(argv)
    keyspace, now_ms = ctx.keyspace, ctx.store.clock.now_ms
    replies: list[Any] = []
    at = 1
    while at < end:
        name = argv[at]
        stop = at + 3
        while stop < end and argv[stop] == name:
            stop += 3
        try:
            series = _series_to_add_to(ctx, name)
        except RespError:
            series = None
        if series is None and labels is not None and ctx.keyspace.get(name) is None:
            series = _create(ctx, name, Settings(labels=dict(labels)))
        if series is not None and stop - at > 3 and _add_run(ctx, name, series, argv, at, stop, replies):
            at = stop
            continue
        while at < stop:
            try:
                value, time = value_of(argv[at + 2]), time_of(argv[at + 1], now_ms)
                if series is None:
                    raise bad(_NOT_A_SERIES)
                replies.append(series.add(keyspace, name, time, value))
            except (RespError, StorageError) as error:
                replies.append(error)
            at += 3
    return Outcomes(replies)


def _madd_end(argv: list[bytes]) -> tuple[int, dict[bytes, bytes] | None]:
    """The end of TS.MADD's samples, and the labels of series to create; None without CREATE."""
    for at in range(4, len(argv), 3):
        if (
            len(argv[at]) == len(b"CREATE")
            and argv[at].upper() == b"CREATE"
            and (at + 1 == len(argv) or argv[at + 1].upper() == b"LABELS")
        ):
            return at, read_settings(argv, at + 1).labels or {}
    return len(argv), None


def _add_run(
    ctx: Context, name: bytes, series: SampleSeries, argv: list[bytes], at: int, stop: int, replies: list[Any]
) -> bool:
    """Add several samples of one series by columns. False, and nothing is done, unless all are new and in order."""
    if series.ignore_ms or series.ignore_value:
        return False
    try:
        times = [number_of(text, "") for text in argv[at + 1 : stop : 3]]
        values = [value_of(text) for text in argv[at + 2 : stop : 3]]
    except RespError:
        return False
    last = series.last_time
    for time in times:
        if time <= last:
            return False
        last = time
    if not all(map(isfinite, values)):
        return False
    series.add_many(ctx.keyspace, name, times, values)
    replies += times
    return True


def _increment(ctx: Context, argv: list[bytes], sign: int) -> Reply:
    """TS.INCRBY and TS.DECRBY."""
    series = series_at(ctx, argv[1])
    step = double_of(argv[2], "invalid increase/decrease value")
    time = read_timestamp(argv, 3, ctx.store.clock.now_ms)
    if series is None:
        series = _create(ctx, argv[1], read_settings(argv, 3))
    event = "ts.incrby" if sign > 0 else "ts.decrby"
    return series.increment(ctx.keyspace, argv[1], time, sign * step, event)


@verbs.verb("TS.INCRBY", arity=-3, flags=_WRITE, keys=key("RW", "update"))
def ts_incrby(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.INCRBY key addend [TIMESTAMP timestamp] [RETENTION milliseconds] [ENCODING <COMPRESSED | UNCOMPRESSED>] [CHUNK_SIZE size] [DUPLICATE_POLICY policy] [IGNORE max-time-diff max-value-diff] [LABELS label value [label value ...]]

    Adds a sample with the value of the last one plus the addend, or adds to the last one if the timestamps are
    equal. Creates a missing series. Returns the timestamp.

    Cost: O(1)
    """
    return _increment(ctx, argv, 1)


@verbs.verb("TS.DECRBY", arity=-3, flags=_WRITE, keys=key("RW", "update"))
def ts_decrby(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.DECRBY key subtrahend [TIMESTAMP timestamp] [RETENTION milliseconds] [ENCODING <COMPRESSED | UNCOMPRESSED>] [CHUNK_SIZE size] [DUPLICATE_POLICY policy] [IGNORE max-time-diff max-value-diff] [LABELS label value [label value ...]]

    Adds a sample with the value of the last one minus the subtrahend; otherwise like TS.INCRBY.

    Cost: O(1)
    """
    return _increment(ctx, argv, -1)


@verbs.verb("TS.DEL", arity=-4, flags=Flag.WRITE | Flag.MODULE, keys=key("RW", "delete"))
def ts_del(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.DEL key from-timestamp to-timestamp [FILTER filter [filter ...]]

    Removes the samples of a range, both ends included; returns how many. Ours: * as key with FILTER removes them
    from all series that pass the filters.

    Cost: O(N) with N samples
    """
    if len(argv) > 4 and (argv[4].upper() != b"FILTER" or argv[1] != b"*"):
        raise wrong_arity(argv)
    low, high = read_ends(argv, 2)
    if len(argv) == 4:
        return _remove(ctx, argv[1], known_series(ctx, argv[1]), low, high)
    chosen = _chosen(ctx, read_filters(argv[5:]), write=True)
    for _, series in chosen:
        _check_removal(series, low)
    return sum([_remove(ctx, name, series, low, high) for name, series in chosen])


def _check_removal(series: SampleSeries, low: int) -> None:
    """Refuse to remove samples of rules' buckets that are older than the retention."""
    if not series.rules or not series.retention_ms:
        return
    if min([max(0, rule.start_of(low)) for rule in series.rules.values()]) < series.oldest_time:
        raise bad(_BEYOND_RETENTION)


def _remove(ctx: Context, name: bytes, series: SampleSeries, low: int, high: int) -> int:
    _check_removal(series, low)
    return series.remove(ctx.keyspace, name, low, high)


# ---------------------------------------------------------------- rules


@verbs.verb("TS.CREATERULE", arity=-6, flags=_WRITE, keys=key("RW", "update", last=1))
def ts_createrule(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.CREATERULE source destination AGGREGATION aggregator bucket-duration [align-timestamp]

    Makes one series write an aggregate of each bucket to another one, when the bucket is complete. Existing samples
    are not counted.

    Cost: O(1)
    """
    if len(argv) > 7:
        raise wrong_arity(argv)
    parsed = read_aggregation(Options(argv, 3))
    if parsed is None:
        raise wrong_arity(argv)
    functions, bucket, at = parsed
    align = number_of(argv[at + 3], "Couldn't parse alignTimestamp") if len(argv) == 7 and at + 3 < len(argv) else 0
    if len(functions) > 1:
        raise bad("CREATERULE requires exactly one aggregation type")
    if argv[1] == argv[2]:
        raise bad("the source key and destination key should be different")
    source = known_series(ctx, argv[1])
    if source.source is not None:
        raise bad("the source key already has a source rule")
    target = known_series(ctx, argv[2])
    if target.rules:
        raise bad("the destination key already has a dst rule")
    if target.source is not None:
        raise bad("the destination key already has a src rule")
    source.add_rule(ctx.keyspace, argv[1], argv[2], functions[0], bucket, align)
    return OK


@verbs.verb("TS.DELETERULE", arity=3, flags=Flag.WRITE | Flag.MODULE, keys=key("RW", "update", last=1))
def ts_deleterule(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.DELETERULE source destination

    Removes a rule of TS.CREATERULE. What it has written stays.

    Cost: O(1)
    """
    source = known_series(ctx, argv[1])
    if argv[2] not in source.rules or known_series(ctx, argv[2]).source != argv[1]:
        raise bad("compaction rule does not exist")
    source.end_rule(ctx.keyspace, argv[1], argv[2])
    return OK


# ---------------------------------------------------------------- queries of one series


@verbs.verb("TS.GET", arity=-2, flags=_READ | Flag.QUICK, keys=key("RO", "access"))
def ts_get(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.GET key [LATEST]

    Returns the last sample; with LATEST, of a series that a rule writes to, the unfinished bucket.

    Cost: O(1), with LATEST O(M) with M samples in the bucket
    """
    if len(argv) > 3:
        raise wrong_arity(argv)
    series = read_series(ctx, argv[1])
    if len(argv) == 3 and argv[2].upper() != b"LATEST":
        raise bad("wrong 3rd argument")
    return _sample(latest_sample(ctx.keyspace, argv[1], series) if len(argv) == 3 else series.last())


def _range(ctx: Context, argv: list[bytes], reverse: bool) -> Reply:
    series = read_series(ctx, argv[1])
    return _rows(query_series(ctx.keyspace, argv[1], series, read_range(argv, reverse=reverse)))


@verbs.verb("TS.RANGE", arity=-4, flags=_READ, keys=key("RO", "access"))
def ts_range(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.RANGE key from-timestamp to-timestamp [LATEST] [FILTER_BY_TS timestamp [timestamp ...]] [FILTER_BY_VALUE min max] [COUNT count] [ALIGN align] [AGGREGATION aggregator bucket-duration [BUCKETTIMESTAMP bt] [EMPTY]]

    Returns the samples of a range, oldest first; - and + are the ends of the series. Filters come before
    aggregation, COUNT after it. Ours: several aggregators, separated by commas, give several values per bucket.

    Cost: O(log N + M) with M samples in the range
    """
    return _range(ctx, argv, False)


@verbs.verb("TS.REVRANGE", arity=-4, flags=_READ, keys=key("RO", "access"))
def ts_revrange(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.REVRANGE key from-timestamp to-timestamp [LATEST] [FILTER_BY_TS timestamp [timestamp ...]] [FILTER_BY_VALUE min max] [COUNT count] [ALIGN align] [AGGREGATION aggregator bucket-duration [BUCKETTIMESTAMP bt] [EMPTY]]

    Returns the samples of a range, newest first; otherwise like TS.RANGE.

    Cost: O(log N + M) with M samples in the range
    """
    return _range(ctx, argv, True)


# ---------------------------------------------------------------- queries of many series


@verbs.verb("TS.MGET", arity=-3, flags=_READ)
def ts_mget(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.MGET [LATEST] [WITHLABELS | SELECTED_LABELS label [label ...]] FILTER filter [filter ...]

    Returns the last sample of every series that passes the filters.

    Cost: O(S) with S series
    """
    query = read_last(argv)
    replies: list[tuple[Any, ...]] = []
    for name, series in _chosen(ctx, query.filters or ()):
        last = latest_sample(ctx.keyspace, name, series) if query.selection.latest else series.last()
        replies.append((name, _labels(series.labels, query), _sample(last)))
    return NamedRows(replies)


def _mrange(ctx: Context, argv: list[bytes], reverse: bool) -> Reply:
    query = read_ranges(argv, reverse=reverse)
    chosen = _chosen(ctx, query.filters or ())
    if query.group_by is not None:
        return _grouped(ctx, chosen, query)
    found = query_each(ctx.keyspace, chosen, query.selection)
    aggregation = query.selection.aggregation
    used = {b"aggregators": [] if aggregation is None else list(aggregation.functions)}
    answers: list[tuple[Any, ...]] = []
    for (name, series), rows in zip(chosen, found, strict=True):
        answers.append((name, _labels(series.labels, query), used, _rows(rows)))
    return _many_rows(answers)


# Only RESP3 has the items between the labels and the rows of a series.
_ONLY_THREE = slice(2, -1)


def _many_rows(answers: list[tuple[Any, ...]]) -> Reply:
    """The rows of several series by name: (name, labels, ..., rows)."""
    reply = NamedRows(answers, _ONLY_THREE)
    return Together(reply) if sum(len(answer[-1].times) for answer in answers) > SAMPLES else reply


def _grouped(ctx: Context, chosen: Chosen, query: RangeQuery) -> Reply:
    """One reply for each value of GROUPBY's label."""
    assert query.group_by is not None
    replies: list[tuple[Any, ...]] = []
    for group in query_groups(ctx.keyspace, chosen, query.selection, query.group_by, query.reducer):
        made = {b"__reducer__": query.reducer.encode(), b"__source__": b",".join(group.names)}
        labels: Reply = _labels({query.group_by: group.value} | made, query)
        if query.with_labels:
            labels = Choice(labels, {query.group_by: group.value})
        details = ({b"reducers": [query.reducer]}, {b"sources": group.names})
        replies.append((query.group_by + b"=" + group.value, labels, *details, _rows(group.rows)))
    return _many_rows(replies)


@verbs.verb("TS.MRANGE", arity=-4, flags=_READ)
def ts_mrange(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.MRANGE from-timestamp to-timestamp [LATEST] [FILTER_BY_TS timestamp [timestamp ...]] [FILTER_BY_VALUE min max] [WITHLABELS | SELECTED_LABELS label [label ...]] [COUNT count] [ALIGN align] [AGGREGATION aggregator bucket-duration [BUCKETTIMESTAMP bt] [EMPTY]] FILTER filter [filter ...] [GROUPBY label REDUCE reducer]

    Returns a range of every series that passes the filters; with GROUPBY one for every value of a label.

    Cost: O(S * log N + M) with S series and M samples in the range
    """
    return _mrange(ctx, argv, False)


@verbs.verb("TS.MREVRANGE", arity=-4, flags=_READ)
def ts_mrevrange(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.MREVRANGE from-timestamp to-timestamp [LATEST] [FILTER_BY_TS timestamp [timestamp ...]] [FILTER_BY_VALUE min max] [WITHLABELS | SELECTED_LABELS label [label ...]] [COUNT count] [ALIGN align] [AGGREGATION aggregator bucket-duration [BUCKETTIMESTAMP bt] [EMPTY]] FILTER filter [filter ...] [GROUPBY label REDUCE reducer]

    Returns a range of every series that passes the filters, newest first; otherwise like TS.MRANGE.

    Cost: O(S * log N + M) with S series and M samples in the range
    """
    return _mrange(ctx, argv, True)


@verbs.verb("TS.QUERYINDEX", arity=-2, flags=_READ)
def ts_queryindex(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.QUERYINDEX filter [filter ...]

    Returns the keys of the series that pass all filters.

    Cost: O(S) with S series
    """
    return SetReply([name for name, _ in choose_series(ctx.keyspace, read_filters(argv[1:]))])


# ---------------------------------------------------------------- TS.INFO


@verbs.verb("TS.INFO", arity=-2, flags=_READ, keys=key("RO"))
def ts_info(ctx: Context, argv: list[bytes]) -> Reply:
    """TS.INFO key [DEBUG]

    Describes a series: samples, memory, settings, labels, rules; with DEBUG its chunks too.

    Cost: O(C) with C chunks
    """
    if len(argv) > 3:
        raise wrong_arity(argv)
    series = read_series(ctx, argv[1])
    rules = [
        (name, rule.bucket, Simple(rule.function.upper().encode()), rule.align)
        for name, rule in _live_rules(ctx, argv[1], series)
    ]
    total, first = series.shown()
    last = series.last()
    info: dict[str, Reply] = {
        "totalSamples": total,
        "memoryUsage": series.size_bytes,
        "firstTimestamp": first,
        "lastTimestamp": 0 if last is None else last[0],
        "retentionTime": series.retention_ms,
        "chunkCount": max(1, len(series.chunks)),
        "chunkSize": series.chunk_bytes,
        "chunkType": Simple(b"compressed" if series.compressed else b"uncompressed"),
        "duplicatePolicy": None if series.policy is None else Simple(series.policy.encode()),
        "labels": _labels(series.labels),
        "sourceKey": series.source,
        "rules": NamedRows(rules),
        "ignoreMaxTimeDiff": series.ignore_ms,
        "ignoreMaxValDiff": series.ignore_value,
    }
    if len(argv) == 3 and argv[2].upper() == b"DEBUG":
        info["keySelfName"] = argv[1]
        info["Chunks"] = [_chunk(chunk) for chunk in series.chunks]
    return {Simple(name.encode()): value for name, value in info.items()}


def _live_rules(ctx: Context, name: bytes, series: SampleSeries) -> list[tuple[bytes, Rule]]:
    """Rules whose series still exists."""
    targets = ((target, ctx.keyspace.get(target)) for target in series.rules)
    return [(t, series.rules[t]) for t, held in targets if type(held) is SampleSeries and held.source == name]


def _chunk(chunk: Any) -> Reply:
    described: dict[bytes, Reply] = {
        b"startTimestamp": chunk.first,
        b"endTimestamp": chunk.last,
        b"samples": chunk.count,
        b"size": chunk.size_bytes,
        b"bytesPerSample": chunk.size_bytes / chunk.count,
    }
    return {Simple(name): value for name, value in described.items()}


# ---------------------------------------------------------------- cluster


@verbs.verb("TIMESERIES.REFRESHCLUSTER", arity=1, flags=_READ | Flag.NOSCRIPT)
def timeseries_refreshcluster(ctx: Context, argv: list[bytes]) -> Reply:
    """TIMESERIES.REFRESHCLUSTER

    Does nothing: there are no other nodes. Test runners of RedisTimeSeries send it.

    Cost: O(1)
    """
    return OK


@verbs.verb("TIMESERIES.INFOCLUSTER", arity=1, flags=_READ | Flag.NOSCRIPT)
def timeseries_infocluster(ctx: Context, argv: list[bytes]) -> Reply:
    """TIMESERIES.INFOCLUSTER

    Replies that this server is not a node of a RedisTimeSeries cluster.

    Cost: O(1)
    """
    return b"no cluster mode"
