"""Native time-series commands, TS_: events under their times (specs: nemesis.md, section 7).

They act in the keyspace of ``ctx``, a session's or a database. Beyond NemesisDB there are open ranges,
``limit``, ``agg``, TS_LIST, TS_INFO and TS_DEL_EVT. Series of samples (TS.* commands) are read here as events
``{"value": number}``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from januskv.storage.chunks import Times, Values
from januskv.storage.downsampling import NAMES, downsample
from januskv.storage.errors import IndexExists, NotIndexed
from januskv.storage.events import (
    NOTHING,
    Between,
    EventSeries,
    Where,
    add_events,
    event_columns,
    event_series,
    index_events,
    join_columns,
    order_of,
    remove_events,
)
from januskv.storage.keyspace import Keyspace
from januskv.storage.samples import SampleSeries
from januskv.storage.values import is_series, name_to_json

from .context import Context
from .declare import NO_KEYS, Flag, Param, all_members, member
from .params import MISSING, NativeError, ParamCheck
from .status import TIME_SERIES, SeriesStatus
from .table import Family
from .work import FEW, STEP, Parts, Steps, Work, batched, live_batches

commands = Family("native", TIME_SERIES, categories=("timeseries",))

Body = dict[str, Any]
Rows = tuple[list[int], list[Body]]
NewArray = Callable[[], Any]

_LEAST_TIME, _MOST_TIME = -(1 << 63), (1 << 63) - 1
_RANGE = Param("rng", "array")
_SERIES = Param("ts", "string")
_QUERY = (
    _RANGE,
    Param("where", "object", required=False),
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


class Query:
    """The query of TS_GET and of each entry of TS_GET_MULTI."""

    __slots__ = ("aggregation", "high", "limit", "low", "where")

    def __init__(self, body: Body) -> None:
        self.limit: int | None = body.get("limit")
        self.low, self.high = read_range(body["rng"])
        self.where = read_where(body.get("where"))
        self.aggregation = read_aggregation(body.get("agg"))

    def is_long(self, series: object) -> bool:
        """Whether it runs in steps."""
        return isinstance(series, EventSeries | SampleSeries) and len(series) > FEW and self.rows(series) > FEW

    def rows(self, series: object) -> int:
        """About how many events or samples are examined."""
        if isinstance(series, SampleSeries):
            return sum([chunk.count for chunk in series.chunks_between(*self._ends())])
        if isinstance(series, EventSeries):
            first, behind = series.span(self.low, self.high)
            return behind - first
        return 0

    def answer(self, series: object) -> Body:
        """Status, times and events (or columns of ``agg``) of a key's value."""
        limit = self.limit if self.aggregation is None else None
        try:
            if isinstance(series, EventSeries):
                times, events = series.range(self.low, self.high, self.where, limit)
            elif isinstance(series, SampleSeries):
                columns_found = self._samples_between(series, *self._ends())
                times, events = columns_found[0][:limit].tolist(), _as_events(columns_found[1][:limit].tolist())
            else:
                return {"st": SeriesStatus.SERIES_NOT_EXIST.value, "t": [], "evt": []}
        except NotIndexed:
            return {"st": SeriesStatus.NOT_INDEXED.value, "t": [], "evt": []}
        if self.aggregation is None:
            return {"st": 1, "t": times, "evt": events}
        member, functions, bucket = self.aggregation
        try:
            starts, columns = downsample(*event_columns(times, events, member), functions, bucket)
        except OverflowError:
            raise NativeError(SeriesStatus.PARAM_VALUE, _NO_64_BITS) from None
        by_function = {name: column[: self.limit].tolist() for name, column in zip(functions, columns, strict=True)}
        return {"st": 1, "t": starts[: self.limit].tolist(), "agg": by_function}

    def steps(self, series: object, new_array: NewArray) -> Steps:
        """The steps of the same reply; ``new_array`` makes its long parts."""
        if not isinstance(series, EventSeries | SampleSeries):
            return self.answer(series)
        try:
            if self.aggregation is not None:
                return (yield from self._aggregated(series, self.aggregation, new_array))
            times, events = new_array(), new_array()
            for some_times, some_events in self._rows(series, self.limit):
                times.extend(some_times)
                events.extend(some_events)
                yield
        except NotIndexed:
            return {"st": SeriesStatus.NOT_INDEXED.value, "t": [], "evt": []}
        return {"st": 1, "t": times, "evt": events}

    def _rows(self, series: EventSeries | SampleSeries, limit: int | None) -> Iterator[Rows]:
        """The requested events, in batches. Raises NotIndexed."""
        batches = self._samples(series) if isinstance(series, SampleSeries) else self._events(series, limit)
        left = limit
        for times, events in batches:
            yield times[:left], events[:left]
            if left is not None:
                left -= len(times)
                if left <= 0:
                    return

    def _events(self, series: EventSeries, limit: int | None) -> Iterator[Rows]:
        if self.where:
            rows = series.range(self.low, self.high, self.where, limit)
            yield from zip(batched(rows[0]), batched(rows[1]), strict=True)
            return
        # Events appended meanwhile are left out, so that this ends however quickly they come.
        last = series.ends()[1]
        high = last if self.high is None or last is None else min(self.high, last)
        times, events, position = series.rows_behind(None, self.low, high, STEP)
        while times:
            yield times, events
            if len(times) < STEP:
                return
            times, events, position = series.rows_behind(position, self.low, high, STEP)

    def _samples(self, series: SampleSeries) -> Iterator[Rows]:
        """Samples as events with one member, ``value``. Raises NotIndexed if there is a condition."""
        low, high = self._ends()
        high = min(high, series.last_time)  # as with events
        while low <= high:
            chunks = series.chunks_between(max(low, series.oldest_time), high)
            end = next((chunk.last for chunk in chunks if chunk.last >= low), None)
            if end is None:
                return
            times, values = self._samples_between(series, low, min(end, high))
            low = end + 1
            for some_times, some_values in zip(batched(times.tolist()), batched(values.tolist()), strict=True):
                yield some_times, _as_events(some_values)

    def _samples_between(self, series: SampleSeries, low: int, high: int) -> tuple[Times, Values]:
        """Times and values. Raises NotIndexed if there is a condition."""
        if self.where:
            raise NotIndexed(next(iter(self.where)))
        return series.between(low, high)

    def _ends(self) -> tuple[int, int]:
        """The range as 64-bit times."""
        low = _LEAST_TIME if self.low is None else max(self.low, _LEAST_TIME)
        return low, _MOST_TIME if self.high is None else min(self.high, _MOST_TIME)

    def _columns(self, series: EventSeries | SampleSeries, member: str) -> Generator[None, None, tuple[Times, Values]]:
        """Times and values of a numeric member. Raises NotIndexed, OverflowError."""
        if isinstance(series, SampleSeries):
            times, values = self._samples_between(series, *self._ends())
            return (times, values) if member == "value" else (times[:0], values[:0])
        parts = [event_columns([], [], member)]
        for some_times, events in self._rows(series, None):
            parts.append(event_columns(some_times, events, member))
            yield
        return join_columns(parts)

    def _aggregated(
        self, series: EventSeries | SampleSeries, aggregation: tuple[str, list[str], int], new_array: NewArray
    ) -> Steps:
        member, functions, bucket = aggregation
        try:
            starts, columns = downsample(*(yield from self._columns(series, member)), functions, bucket)
        except OverflowError:
            raise NativeError(SeriesStatus.PARAM_VALUE, _NO_64_BITS) from None
        times, by_function = new_array(), {name: new_array() for name in functions}
        starts, columns = starts[: self.limit], [column[: self.limit] for column in columns]
        for start in range(0, len(starts), STEP):
            times.extend(starts[start : start + STEP].tolist())
            for name, column in zip(functions, columns, strict=True):
                by_function[name].extend(column[start : start + STEP].tolist())
            yield
        return {"st": 1, "t": times, "agg": by_function}


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
    ),
    in_keyspace=True,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def ts_add_evt(ctx: Context, body: Body) -> Body:
    """{"TS_ADD_EVT": {"ts": name, "t": [time, ...], "evt": [event, ...], "tkn"?: token}}

    Adds events with their times: all of them or, if one is wrong, none. Times before the last one of
    the series are inserted in order. A series of samples takes events with one numeric member, ``value``.

    Cost: O(M) with M events after the last one, O(N + M) otherwise
    """
    times, events = body["t"], body["evt"]
    if len(times) != len(events):
        raise NativeError(SeriesStatus.PARAM_VALUE, "'t' and 'evt' must have the same length")
    if set(map(type, times)) != {int} or max(times) > _MOST_TIME or min(times) < _LEAST_TIME:
        raise NativeError(SeriesStatus.PARAM_TYPE, "'t' must have 64-bit integers")
    if set(map(type, events)) != {dict}:
        raise NativeError(SeriesStatus.PARAM_TYPE, "'evt' must have objects")
    key = body["ts"].encode()
    if event_series(ctx.keyspace, key) is None:
        return _add_samples(ctx.keyspace, key, body)
    add_events(ctx.keyspace, key, times, events)
    return {"ts": body["ts"], "st": 1}


def _add_samples(keyspace: Keyspace, key: bytes, body: Body) -> Body:
    """TS_ADD_EVT for a key that is not a series of events."""
    series = keyspace.get(key)
    if not isinstance(series, SampleSeries):
        return {"st": SeriesStatus.SERIES_NOT_EXIST.value, "t": [], "evt": []}
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
    params=(_SERIES, Param("key", "string")),
    in_keyspace=True,
    flags=Flag.WRITE,
)
def ts_create_index(ctx: Context, body: Body) -> Body:
    """{"TS_CREATE_INDEX": {"ts": name, "key": member, "tkn"?: token}}

    Indexes a member of the present and future events for ``where``.

    Cost: O(N log N) with N events
    """
    key = body["ts"].encode()
    if event_series(ctx.keyspace, key) is None:
        return {"ts": body["ts"], "st": SeriesStatus.SERIES_NOT_EXIST.value}
    try:
        index_events(ctx.keyspace, key, body["key"])
    except IndexExists:
        return {"ts": body["ts"], "st": SeriesStatus.INDEX_EXISTS.value}
    return {"ts": body["ts"], "st": 1}


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
    """{"TS_GET": {"ts": name, "rng": [] | [min, max], "where"?: {member: {operator: operand}, ...}, "limit"?: count, "agg"?: {"member": member, "fn": [function, ...], "bucket": length}, "tkn"?: token}}

    Returns the times and events of a range, both ends included, that meet all conditions. Operators are == > >= < <=
    and [] (from, to). Ours: null as an end leaves that side open, ``limit`` is the most events to return, and
    ``agg`` returns one value per bucket of a numeric member instead of the events.

    Many events are gathered in batches while other clients are served: one that exists all the time is returned once.

    Cost: O(log N + M) with M events in the range
    """
    query, name = Query(body), body["ts"]
    series = ctx.keyspace.read(name.encode())
    if not query.is_long(series):
        return {"ts": name, **query.answer(series)}
    parts = Parts()

    def steps() -> Steps:
        return {"ts": name, **(yield from query.steps(series, parts.array))}

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
    keyspace = ctx.keyspace
    series_of = [(name, query, keyspace.read(name.encode())) for name, query in queries]
    if len(series_of) + sum([query.rows(series) for _, query, series in series_of]) <= FEW:
        return {name: query.answer(series) for name, query, series in series_of}
    parts = Parts()

    def steps() -> Steps:
        answers: Body = {}
        for name, query, series in series_of:
            answers[name] = yield from query.steps(series, parts.array)
            yield
        return answers

    return Work(steps(), parts)


# ---------------------------------------------------------------- ours


def _described(key: bytes, series: EventSeries | SampleSeries) -> Body:
    """What TS_LIST and TS_INFO say about a series."""
    described: Body = {"ts": name_to_json(key), "type": _TYPES[series.kind], "cnt": len(series)}
    return described


@commands.native("TS_LIST", keys=NO_KEYS, strict=True, in_keyspace=True, flags=Flag.READONLY)
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
    series = ctx.keyspace.read(key)
    if not isinstance(series, EventSeries | SampleSeries):
        return {"ts": body["ts"], "st": SeriesStatus.SERIES_NOT_EXIST.value}
    reply = {"st": 1, **_described(key, series)}
    reply["first"], reply["last"] = series.ends()
    if isinstance(series, EventSeries):
        reply["idx"] = list(series.indexes)
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
