"""Native time-series commands, TS_: events under their times (specs: nemesis.md, section 7).

They act in the keyspace of ``ctx``, a session's or a database. Beyond NemesisDB there are open ranges,
``limit``, ``agg``, TS_LIST, TS_INFO and TS_DEL_EVT. Series of samples (TS.* commands) are read here as events
``{"value": number}``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import orjson

from januskv.storage.chunks import Times, Values
from januskv.storage.downsampling import NAMES, downsample
from januskv.storage.errors import NotIndexed
from januskv.storage.event_conditions import NOTHING, Between, Where, order_of
from januskv.storage.event_views import Batch
from januskv.storage.events import (
    EventSeries,
    add_events,
    event_columns,
    event_series,
    index_events,
    join_columns,
    remove_events,
)
from januskv.storage.filters import BadFilter, Filter, parse_filter
from januskv.storage.keyspace import Keyspace
from januskv.storage.samples import SampleSeries
from januskv.storage.values import is_series, name_to_json

from .context import Context
from .declare import Flag, Param, all_keys, all_members, member
from .params import MISSING, NativeError, ParamCheck
from .status import TIME_SERIES, SeriesStatus
from .table import Family
from .work import FEW, STEP, Parts, Steps, Work, at_once, batched, live_batches

commands = Family("native", TIME_SERIES, categories=("timeseries",))

Body = dict[str, Any]
Columns = tuple[Times, list[Values]]
NewArray = Callable[[], Any]

_LEAST_TIME, _MOST_TIME = -(1 << 63), (1 << 63) - 1
_RANGE = Param("rng", "array")
_SERIES = Param("ts", "string")
_QUERY = (
    _RANGE,
    Param("where", "object", required=False),
    Param("filter", "string", required=False),
    Param("args", "object", required=False),
    Param("limit", "uint", required=False),
    Param("agg", "object", required=False),
)
# For the entries of TS_GET_MULTI.
_ENTRY = ParamCheck(_QUERY, TIME_SERIES)
_NO_64_BITS = "'agg' takes times of 64 bits"

_TYPES: dict[str, str] = {"ts-events": "Ordered", "TSDB-TYPE": "Samples"}


# ---------------------------------------------------------------- ranges and conditions


def read_range(rng: list[Any]) -> tuple[int | None, int | None]:
    """The ends of a range, both included; None for an open one. Raises NativeError 8, 10, 11."""
    if not rng:
        return None, None
    if len(rng) != 2:
        raise NativeError(SeriesStatus.RANGE_SIZE, "'rng' must have zero or two values")
    low, high = rng
    for end in rng:
        if end is not None and type(end) is not int:
            raise NativeError(SeriesStatus.PARAM_TYPE, "'rng' must have integers, or null for an open end")
    if low is not None and high is not None and low > high:
        raise NativeError(SeriesStatus.RANGE_VALUES, "'rng' min is above max")
    return low, high


def _at(operand: Any) -> Between:
    place = order_of(operand)
    return Between(place, place)


_ONE_SIDED = {
    ">": lambda place: Between(low=place, with_low=False),
    ">=": lambda place: Between(low=place),
    "<": lambda place: Between(high=place, with_high=False),
    "<=": lambda place: Between(high=place),
}


def read_term(member: str, term: Any) -> Between:
    """One condition of ``where``. Raises NativeError 8, 9."""
    if type(term) is not dict:
        raise NativeError(SeriesStatus.PARAM_TYPE, f"'where' term for '{member}' must be an object")
    if len(term) != 1:
        raise NativeError(SeriesStatus.PARAM_VALUE, f"'where' term for '{member}' must have one operator")
    operator, operand = next(iter(term.items()))
    if operator == "==":
        return _at(operand)
    if operator in _ONE_SIDED:
        if type(operand) in (dict, bool):
            raise NativeError(SeriesStatus.PARAM_TYPE, f"'{operator}' takes a number, string, array or null")
        return _ONE_SIDED[operator](order_of(operand))
    if operator == "[]":
        if type(operand) is not list or len(operand) != 2 or order_of(operand[0]) > order_of(operand[1]):
            raise NativeError(SeriesStatus.PARAM_TYPE, "'[]' takes an array of two values, the lower one first")
        return Between(order_of(operand[0]), order_of(operand[1]))
    return NOTHING


def read_where(where: Body | None) -> Where:
    """The conditions of a query; {} for none. Raises NativeError 8, 9."""
    if where is None:
        return {}
    if not where:
        raise NativeError(SeriesStatus.PARAM_VALUE, "'where' is empty")
    return {member: read_term(member, term) for member, term in where.items()}


def read_aggregation(agg: Body | None) -> tuple[str, list[str], int] | None:
    """Member, functions and bucket of a downsampling query. Raises NativeError 7, 8, 9."""
    if agg is None:
        return None
    for name in ("bucket", "fn", "member"):
        if name not in agg:
            raise NativeError(SeriesStatus.PARAM_MISSING, f"'agg' lacks '{name}'")
    member, functions, bucket = agg["member"], agg["fn"], agg["bucket"]
    if type(functions) is str:
        functions = [functions]
    if type(member) is not str or type(functions) is not list or type(bucket) is not int:
        raise NativeError(SeriesStatus.PARAM_TYPE, "'agg' takes a string 'member', an array 'fn', an integer 'bucket'")
    unknown = next((each for each in functions if type(each) is not str or each not in NAMES), None)
    if unknown is not None or not functions:
        raise NativeError(SeriesStatus.PARAM_VALUE, f"'fn' takes {', '.join(NAMES)}")
    if not 0 < bucket <= _MOST_TIME:
        raise NativeError(SeriesStatus.PARAM_VALUE, "'bucket' must be above 0")
    return member, list(dict.fromkeys(functions)), bucket


def read_filter(body: Body) -> Filter | None:
    """The filter of a query. Raises NativeError 9."""
    text = body.get("filter")
    if text is None:
        if "args" in body:
            raise NativeError(SeriesStatus.PARAM_VALUE, "'args' belongs to 'filter'")
        return None
    try:
        return parse_filter(text, body.get("args"))
    except BadFilter as error:
        raise NativeError(SeriesStatus.PARAM_VALUE, f"'filter': {error}") from None


class Query:
    """The query of TS_GET and of each entry of TS_GET_MULTI."""

    __slots__ = ("aggregation", "filter", "high", "limit", "low", "where")

    def __init__(self, body: Body) -> None:
        self.limit: int | None = body.get("limit")
        self.low, self.high = read_range(body["rng"])
        self.where = read_where(body.get("where"))
        self.filter = read_filter(body)
        self.aggregation = read_aggregation(body.get("agg"))
        if self.filter is not None and self.where:
            raise NativeError(SeriesStatus.PARAM_VALUE, "'where' and 'filter' exclude each other")

    def is_long(self, series: object) -> bool:
        """Whether it runs in steps."""
        return isinstance(series, EventSeries | SampleSeries) and len(series) > FEW and self.rows(series) > FEW

    def rows(self, series: object) -> int:
        """About how many events or samples are examined."""
        if isinstance(series, SampleSeries):
            return sum([chunk.count for chunk in series.chunks_between(*self._ends())])
        if isinstance(series, EventSeries):
            return series.rows_about(self.low, self.high)
        return 0

    def answer(self, series: object, now_ms: int) -> Body:
        """Status, times and events (or columns of ``agg``) of a key's value."""
        try:
            if isinstance(series, EventSeries):
                return self._of_events(series, now_ms)
            if isinstance(series, SampleSeries):
                return self._of_samples(series)
        except NotIndexed:
            return {"st": SeriesStatus.NOT_INDEXED.value, "t": [], "evt": []}
        return {"st": SeriesStatus.SERIES_NOT_EXIST.value, "t": [], "evt": []}

    def _of_events(self, series: EventSeries, now_ms: int) -> Body:
        batches = self._batches(series, now_ms, lasting=False)
        if self.aggregation is not None:
            member = self.aggregation[0]
            parts = [event_columns([], [], member), *(_column(batch, member) for batch in batches)]
            return _reply_of_columns(self._downsampled(*join_columns(parts)), self.aggregation[1])
        times: list[int] = []
        texts: list[bytes] = []
        for batch in batches:
            times += batch.times()
            texts.append(batch.values())
        return {"st": 1, "t": times, "evt": orjson.Fragment(b"[" + b"".join(texts)[:-1] + b"]")}

    def _of_samples(self, series: SampleSeries) -> Body:
        times, values = self._samples_between(series, *self._ends())
        if self.aggregation is not None:
            columns = (times, values) if self.aggregation[0] == "value" else (times[:0], values[:0])
            return _reply_of_columns(self._downsampled(*columns), self.aggregation[1])
        return {"st": 1, "t": times[: self.limit].tolist(), "evt": _as_events(values[: self.limit].tolist())}

    def _downsampled(self, times: Times, values: Values) -> Columns:
        """Starts of buckets, and a column for each function. Raises NativeError 9."""
        assert self.aggregation is not None
        _, functions, bucket = self.aggregation
        try:
            starts, columns = downsample(times, values, functions, bucket)
        except OverflowError:
            raise NativeError(SeriesStatus.PARAM_VALUE, _NO_64_BITS) from None
        return starts[: self.limit], [column[: self.limit] for column in columns]

    def steps(self, series: object, now_ms: int, new_array: NewArray) -> Steps:
        """The steps of the same reply; ``new_array`` makes its long parts."""
        try:
            if not isinstance(series, EventSeries | SampleSeries):
                return self.answer(series, now_ms)
            if self.aggregation is not None:
                return (yield from self._aggregated(series, now_ms, self.aggregation, new_array))
            times, events = new_array(), new_array()
            if isinstance(series, EventSeries):
                for batch in self._batches(series, now_ms):
                    times.extend(batch.times())
                    events.extend_text(batch.values()[:-1])
                    yield
            else:
                for some_times, some_values in self._samples(series):
                    times.extend(some_times)
                    events.extend(_as_events(some_values))
                    yield
        except NotIndexed:
            return {"st": SeriesStatus.NOT_INDEXED.value, "t": [], "evt": []}
        return {"st": 1, "t": times, "evt": events}

    def _batches(self, series: EventSeries, now_ms: int, *, lasting: bool = True) -> Iterator[Batch]:
        """The requested events as they are now. Raises NotIndexed."""
        limit = self.limit if self.aggregation is None else None
        view = series.view(now_ms, lasting=lasting)
        if self.filter is not None:
            return view.filtered(self.low, self.high, self.filter, limit)
        return view.between(self.low, self.high, self.where, limit)

    def _samples(self, series: SampleSeries) -> Iterator[tuple[list[int], list[float]]]:
        """The requested samples, in batches. Raises NotIndexed if there is a condition."""
        left = self.limit
        for times, values in self._all_samples(series):
            yield times[:left], values[:left]
            if left is not None:
                left -= len(times)
                if left <= 0:
                    return

    def _all_samples(self, series: SampleSeries) -> Iterator[tuple[list[int], list[float]]]:
        low, high = self._ends()
        high = min(
            high, series.last_time
        )  # samples appended meanwhile are left out, so that this ends however quickly they come
        while low <= high:
            chunks = series.chunks_between(max(low, series.oldest_time), high)
            end = next((chunk.last for chunk in chunks if chunk.last >= low), None)
            if end is None:
                return
            times, values = self._samples_between(series, low, min(end, high))
            low = end + 1
            yield from zip(batched(times.tolist()), batched(values.tolist()), strict=True)

    def _samples_between(self, series: SampleSeries, low: int, high: int) -> tuple[Times, Values]:
        """Times and values. Raises NotIndexed if there is a condition."""
        if self.where:
            raise NotIndexed(next(iter(self.where)))
        times, values = series.between(low, high)
        if self.filter is None:
            return times, values
        keeps = self.filter.keeps
        kept = [keeps({"value": value}, time) for time, value in zip(times.tolist(), values.tolist(), strict=True)]
        return times[kept], values[kept]

    def _ends(self) -> tuple[int, int]:
        """The range as 64-bit times."""
        low = _LEAST_TIME if self.low is None else max(self.low, _LEAST_TIME)
        return low, _MOST_TIME if self.high is None else min(self.high, _MOST_TIME)

    def _columns(
        self, series: EventSeries | SampleSeries, now_ms: int, member: str
    ) -> Generator[None, None, tuple[Times, Values]]:
        """Times and values of a numeric member. Raises NotIndexed, NativeError 9."""
        if isinstance(series, SampleSeries):
            times, values = self._samples_between(series, *self._ends())
            return (times, values) if member == "value" else (times[:0], values[:0])
        parts = [event_columns([], [], member)]
        for batch in self._batches(series, now_ms):
            parts.append(_column(batch, member))
            yield
        return join_columns(parts)

    def _aggregated(
        self,
        series: EventSeries | SampleSeries,
        now_ms: int,
        aggregation: tuple[str, list[str], int],
        new_array: NewArray,
    ) -> Steps:
        member, functions, _ = aggregation
        starts, columns = self._downsampled(*(yield from self._columns(series, now_ms, member)))
        times, by_function = new_array(), {name: new_array() for name in functions}
        for start in range(0, len(starts), STEP):
            times.extend(starts[start : start + STEP].tolist())
            for name, column in zip(functions, columns, strict=True):
                by_function[name].extend(column[start : start + STEP].tolist())
            yield
        return {"st": 1, "t": times, "agg": by_function}


def _column(batch: Batch, member: str) -> tuple[Times, Values]:
    """Times and values of the events whose member is a number. Raises NativeError 9."""
    try:
        return event_columns(batch.times(), batch.documents((member,)), member)
    except OverflowError:
        raise NativeError(SeriesStatus.PARAM_VALUE, _NO_64_BITS) from None


def _reply_of_columns(columns: Columns, functions: list[str]) -> Body:
    starts, values = columns
    by_function = {name: column.tolist() for name, column in zip(functions, values, strict=True)}
    return {"st": 1, "t": starts.tolist(), "agg": by_function}


def _as_events(values: list[float]) -> list[Body]:
    return [{"value": each} for each in values]


# ---------------------------------------------------------------- series


@commands.native(
    "TS_CREATE",
    keys=member("name", "OW", "insert"),
    params=(Param("name", "string"), Param("type", "string")),
    in_keyspace=True,
    flags=Flag.WRITE,
)
def ts_create(ctx: Context, body: Body) -> Body:
    """{"TS_CREATE": {"name": name, "type": "Ordered", "tkn"?: token}}

    Creates an empty series of events. Status 21 if the name is taken, 22 for another type or an empty name.

    Cost: O(1)
    """
    name = body["name"]
    if body["type"] != "Ordered" or not name:
        raise NativeError(SeriesStatus.SERIES_TYPE, "'type' must be \"Ordered\" and 'name' not empty")
    key = name.encode()
    if ctx.keyspace.get(key) is not None:
        return {"name": name, "st": SeriesStatus.SERIES_EXISTS.value}
    ctx.keyspace.put_series(key, EventSeries(), "ts.create")
    return {"name": name, "st": 1}


@commands.native(
    "TS_DELETE",
    keys=member("name", "RM", "delete"),
    params=(Param("name", "string", empty_text="'name' is empty"),),
    in_keyspace=True,
    flags=Flag.WRITE,
)
def ts_delete(ctx: Context, body: Body) -> Body:
    """{"TS_DELETE": {"name": name, "tkn"?: token}}

    Deletes a series of events or samples, with its indexes. Status 20 if there is none.

    Cost: O(N) with N events
    """
    key = body["name"].encode()
    if not is_series(ctx.keyspace.get(key)):
        return {"st": SeriesStatus.SERIES_NOT_EXIST.value, "name": body["name"]}
    ctx.keyspace.delete(key)
    return {"st": 1, "name": body["name"]}


@commands.native(
    "TS_ADD_EVT",
    keys=member("ts", "RW", "update"),
    params=(
        _SERIES,
        Param("t", "array", empty_text="'t' is empty"),
        Param("evt", "array", empty_text="'evt' is empty"),
        Param("exp", "array", required=False),
    ),
    in_keyspace=True,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def ts_add_evt(ctx: Context, body: Body) -> Body:
    """{"TS_ADD_EVT": {"ts": name, "t": [time, ...], "evt": [event, ...], "exp"?: [ms or null, ...], "tkn"?: token}}

    Adds events with their times: all of them or, if one is wrong, none. Times before the last one of
    the series are inserted in order. A series of samples takes events with one numeric member, ``value``.
    Ours: with ``exp`` an event expires after this time, in ms since 1970; null: never.

    Cost: O(M) with M events after the last one, O(N + M) otherwise
    """
    times, events = body["t"], body["evt"]
    if len(times) != len(events):
        raise NativeError(SeriesStatus.PARAM_VALUE, "'t' and 'evt' must have the same length")
    if set(map(type, times)) != {int} or max(times) > _MOST_TIME or min(times) < _LEAST_TIME:
        raise NativeError(SeriesStatus.PARAM_TYPE, "'t' must have 64-bit integers")
    if set(map(type, events)) != {dict}:
        raise NativeError(SeriesStatus.PARAM_TYPE, "'evt' must have objects")
    deadlines = _deadlines(body)
    key = body["ts"].encode()
    if event_series(ctx.keyspace, key) is None:
        return _add_samples(ctx.keyspace, key, body)
    add_events(ctx.keyspace, key, times, events, deadlines)
    return {"ts": body["ts"], "st": 1}


def _deadlines(body: Body) -> list[int] | None:
    """When events expire: the last ms of each, 0 for one that does not. Raises NativeError 8, 9."""
    given = body.get("exp")
    if given is None:
        return None
    if len(given) != len(body["t"]):
        raise NativeError(SeriesStatus.PARAM_VALUE, "'t' and 'exp' must have the same length")
    if not set(map(type, given)) <= {int, type(None)}:
        raise NativeError(SeriesStatus.PARAM_TYPE, "'exp' must have integers, or null")
    if any(each is not None and not 0 < each <= _MOST_TIME for each in given):
        raise NativeError(SeriesStatus.PARAM_VALUE, "'exp' must have times in ms above 0")
    return [each or 0 for each in given]


def _add_samples(keyspace: Keyspace, key: bytes, body: Body) -> Body:
    """TS_ADD_EVT for a key that is not a series of events."""
    series = keyspace.get(key)
    if not isinstance(series, SampleSeries):
        return {"st": SeriesStatus.SERIES_NOT_EXIST.value, "t": [], "evt": []}
    if "exp" in body:
        raise NativeError(SeriesStatus.PARAM_VALUE, "a series of samples has a retention, and no 'exp'")
    values = [event.get("value") for event in body["evt"]]
    if any(len(event) != 1 for event in body["evt"]) or not set(map(type, values)) <= {int, float}:
        raise NativeError(SeriesStatus.PARAM_TYPE, "a series of samples takes events with one number, 'value'")
    if min(body["t"]) < 0:
        raise NativeError(SeriesStatus.PARAM_VALUE, "a series of samples takes no times below 0")
    series.add_many(keyspace, key, body["t"], [float(each) for each in values])
    return {"ts": body["ts"], "st": 1}


@commands.native(
    "TS_CREATE_INDEX",
    keys=member("ts", "RW", "update"),
    params=(_SERIES, Param("key", "any")),
    in_keyspace=True,
    flags=Flag.WRITE,
)
def ts_create_index(ctx: Context, body: Body) -> Body | Work:
    """{"TS_CREATE_INDEX": {"ts": name, "key": member | [member, ...], "tkn"?: token}}

    Indexes a member of the present and future events for ``where`` and ``filter``. Ours: an array is the path to a member
    of an object inside, for ``filter``.

    Many events are indexed in batches while other clients are served; conditions are asked of it once that is done.

    Cost: O(N log N) with N events
    """
    member = body["key"]
    path = tuple(member) if type(member) is list else (member,)
    if not path or set(map(type, path)) != {str}:
        raise NativeError(SeriesStatus.PARAM_TYPE, "'key' must be a string, or an array of strings")
    key = body["ts"].encode()
    series = event_series(ctx.keyspace, key)
    if series is None:
        return {"ts": body["ts"], "st": SeriesStatus.SERIES_NOT_EXIST.value}
    if path in series.indexes:
        return {"ts": body["ts"], "st": SeriesStatus.INDEX_EXISTS.value}

    def steps() -> Steps:
        yield from index_events(ctx.keyspace, key, path)
        return {"ts": body["ts"], "st": 1}

    return at_once(steps()) if len(series) <= FEW else Work(steps())


@commands.native(
    "TS_GET",
    keys=member("ts", "RO", "access"),
    params=(
        _SERIES,
        *_QUERY,
    ),
    in_keyspace=True,
    flags=Flag.READONLY,
)
def ts_get(ctx: Context, body: Body) -> Body | Work:
    """{"TS_GET": {"ts": name, "rng": [] | [min, max], "where"?: {member: {operator: operand}, ...}, "filter"?: text, "args"?: {name: value, ...}, "limit"?: count, "agg"?: {"member": member, "fn": [function, ...], "bucket": length}, "tkn"?: token}}

    Returns the times and events of a range, both ends included, that meet all conditions. Operators are == > >= < <=
    and [] (from, to). Ours: null as an end leaves that side open, ``limit`` is the most events to return,
    ``agg`` returns one value per bucket of a numeric member instead of the events, and ``filter`` is a filter of the Ditto
    API (docs/ditto.md), in which ``$args.name`` is a value of ``args``; it needs no index and uses one that helps.

    Many events are gathered in batches while other clients are served: they are those that were there at the beginning.

    Cost: O(log N + M) with M events in the range
    """
    query, name, now_ms = Query(body), body["ts"], ctx.keyspace.clock.now_ms
    series = ctx.keyspace.read(name.encode())
    if not query.is_long(series):
        return {"ts": name, **query.answer(series, now_ms)}
    parts = Parts()

    def steps() -> Steps:
        return {"ts": name, **(yield from query.steps(series, now_ms, parts.array))}

    return Work(steps(), parts)


def _entry_query(entry: Any) -> Query:
    """The query of an entry of TS_GET_MULTI. Raises NativeError."""
    if type(entry) is not dict:
        raise NativeError(SeriesStatus.PARAM_MISSING, MISSING)
    _ENTRY.check(entry)
    return Query(entry)


@commands.native(
    "TS_GET_MULTI", keys=all_members("RO", "access"), free_names=True, in_keyspace=True, flags=Flag.READONLY
)
def ts_get_multi(ctx: Context, body: Body) -> Body | Work:
    """{"TS_GET_MULTI": {name: {"rng": [] | [min, max], "where"?: ..., "limit"?: ..., "agg"?: ...}, ..., "tkn"?: token}}

    Returns ranges of several series, each with its own status. One entry with wrong parameters fails all.

    Cost: that of TS_GET for each series
    """
    queries = [(name, _entry_query(entry)) for name, entry in body.items() if name != "tkn" or type(entry) is dict]
    keyspace, now_ms = ctx.keyspace, ctx.keyspace.clock.now_ms
    series_of = [(name, query, keyspace.read(name.encode())) for name, query in queries]
    if len(series_of) + sum([query.rows(series) for _, query, series in series_of]) <= FEW:
        return {name: query.answer(series, now_ms) for name, query, series in series_of}
    parts = Parts()

    def steps() -> Steps:
        answers: Body = {}
        for name, query, series in series_of:
            answers[name] = yield from query.steps(series, now_ms, parts.array)
            yield
        return answers

    return Work(steps(), parts)


# ---------------------------------------------------------------- ours


def _described(key: bytes, series: EventSeries | SampleSeries) -> Body:
    """What TS_LIST and TS_INFO say about a series."""
    described: Body = {"ts": name_to_json(key), "type": _TYPES[series.kind], "cnt": len(series)}
    return described


@commands.native("TS_LIST", keys=all_keys("RO", "access"), strict=True, in_keyspace=True, flags=Flag.READONLY)
def ts_list(ctx: Context, body: Body) -> Body | Work:
    """{"TS_LIST": {"tkn"?: token}}

    Lists the series of events and samples: name, type, number of events. Ours, not NemesisDB's.

    Many keys are examined in batches while other clients are served: a series that exists all the time is listed once.

    Cost: O(N) with N keys
    """
    engine, keyspace = ctx.store, ctx.keyspace
    if not keyspace.series_count:
        return {"st": 1, "series": []}
    parts = Parts()
    described = parts.array()

    def steps() -> Steps:
        for some in live_batches(engine, keyspace, series=True):
            described.extend([_described(key, each) for key, each in some])
            yield
        return {"st": 1, "series": described}

    return Work(steps(), parts)


@commands.native(
    "TS_INFO", keys=member("ts", "RO", "access"), strict=True, params=(_SERIES,), in_keyspace=True, flags=Flag.READONLY
)
def ts_info(ctx: Context, body: Body) -> Body:
    """{"TS_INFO": {"ts": name, "tkn"?: token}}

    Describes a series: type, number of events, first and last time, indexed members or labels. Ours, not NemesisDB's.

    Cost: O(1)
    """
    key = body["ts"].encode()
    event_series(ctx.keyspace, key)  # without events that have expired
    series = ctx.keyspace.read(key)
    if not isinstance(series, EventSeries | SampleSeries):
        return {"ts": body["ts"], "st": SeriesStatus.SERIES_NOT_EXIST.value}
    reply = {"st": 1, **_described(key, series)}
    reply["first"], reply["last"] = series.ends()
    if isinstance(series, EventSeries):
        reply["idx"] = [path[0] if len(path) == 1 else list(path) for path in series.indexes]
    else:
        reply["labels"] = {name_to_json(name): name_to_json(value) for name, value in series.labels.items()}
    return reply


@commands.native(
    "TS_DEL_EVT",
    keys=member("ts", "RW", "delete"),
    strict=True,
    params=(_SERIES, _RANGE),
    in_keyspace=True,
    flags=Flag.WRITE,
)
def ts_del_evt(ctx: Context, body: Body) -> Body:
    """{"TS_DEL_EVT": {"ts": name, "rng": [] | [min, max], "tkn"?: token}}

    Deletes the events (or samples) of a range, both ends included; ``cnt`` says how many there were. Ours, not
    NemesisDB's.

    Cost: O(N) with N events
    """
    low, high = read_range(body["rng"])
    key = body["ts"].encode()
    series = ctx.keyspace.get(key)
    if isinstance(series, EventSeries):
        count = remove_events(ctx.keyspace, key, low, high)
    elif isinstance(series, SampleSeries):
        count = series.remove(
            ctx.keyspace,
            key,
            _LEAST_TIME if low is None else max(low, _LEAST_TIME),
            _MOST_TIME if high is None else min(high, _MOST_TIME),
        )
    else:
        return {"ts": body["ts"], "st": SeriesStatus.SERIES_NOT_EXIST.value}
    return {"ts": body["ts"], "st": 1, "cnt": count}
