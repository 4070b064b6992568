"""Requests of the API as values: JSON documents, the parameters of GET requests, and what both ask for.

A GET request becomes the document that a POST of it would have. What Timely refuses and OpenTSDB or Grafana send is passed over
or understood, unless ``Dialect.strict``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from januskv.compat.server.json_text import JsonError, loads
from januskv.storage.metric_queries import AGGREGATORS, Downsample, MetricQuery, Rate, TagFilter

from .errors import BadRequest
from .filters import FILTERS, Matcher, by_pattern, by_type, encoded, expression, from_text
from .properties import Properties, shown
from .times import length_ms, point_in_time, zone_of

# Timely's functions, in its order; the first of the engine's.
FUNCTIONS: Final = ("avg", "dev", "max", "min", "sum", "count", "none")
assert AGGREGATORS[: len(FUNCTIONS)] == FUNCTIONS

DEFAULT_LIMIT: Final = 25
MOST_QUERIES: Final = 256
_FILLS: Final = ("none", "nan", "null", "zero")
_DOWNSAMPLE = re.compile(r"([^-]*)-([^-]*)(?:-(.*))?", re.DOTALL)
_DIGITS = re.compile(r"[0-9]+")
_CALLED = re.compile(r"([a-z_]+)\(.*\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where Timely and OpenTSDB disagree: ``strict`` is Timely's side, ``opentsdb`` OpenTSDB's in downsampling."""

    strict: bool = False
    opentsdb: bool = False


def document_of(body: bytes, *, constants: bool = False) -> Any:
    """The value of a JSON text; ``constants`` takes NaN and Infinity as numbers, too. Raises BadRequest."""
    try:
        return loads(body)
    except JsonError as error:
        reason = str(error)
    if constants and (b"NaN" in body or b"Infinity" in body):
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            reason = str(error)
    raise BadRequest("Invalid JSON", reason)


# ---------------------------------------------------------------- suggest


@dataclass(frozen=True, slots=True)
class SuggestRequest:
    """What is to be listed. None: not given."""

    kind: str
    prefix: str | None
    metric: str | None  # for 'metrics' a part of the names, else the metric whose tags are meant
    key: str | None
    most: int


_KINDS: Final = ("metrics", "tagk", "tagv")
# What comes with every request over WebSocket.
_ENVELOPE: Final = ("operation", "sessionId")


def read_suggest(document: object) -> SuggestRequest:
    """What a suggest request asks for. Raises BadRequest."""
    given = Properties(document, "the request", ("type", "q", "m", "t", "max"), _ENVELOPE)
    kind = given.text("type")
    if kind not in _KINDS:
        raise BadRequest("Type is not valid", f"The types are {', '.join(_KINDS)}")
    most = given.integer("max", DEFAULT_LIMIT)
    # Timely looks at the limit after it has added a name.
    return SuggestRequest(kind, given.text("q"), given.text("m"), given.text("t"), 1 if most == 0 else most)


# ---------------------------------------------------------------- lookup


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """Which pairs of a metric's tags are looked for: those that one of ``wanted`` takes; None: all."""

    metric: str
    limit: int
    echo: dict[str, str]
    wanted: list[tuple[str, Matcher]] | None

    def takes(self, key: bytes, value: bytes) -> bool:
        """Whether a pair is looked for."""
        if self.wanted is None:
            return True
        name = key.decode(errors="surrogateescape")
        return any(each in ("*", name) and matches(value) for each, matches in self.wanted)


_LOOKUP_KNOWN: Final = ("metric", "limit", "tags")
_LOOKUP_PASSED_OVER: Final = (*_ENVELOPE, "useMeta", "query", "startIndex", "type")


def read_lookup(document: object) -> LookupRequest:
    """What a lookup request asks for. Raises BadRequest and ApiError (a bad pattern)."""
    given = Properties(document, "the request", (*_LOOKUP_KNOWN, "all"), _LOOKUP_PASSED_OVER)
    metric = given.text("metric")
    if not metric:
        raise BadRequest("Metric is not set", "A lookup names a metric")
    held = given.get("tags")
    pairs = list(given.texts("tags").items()) if isinstance(held, dict) else list(map(pair_of, given.array("tags")))
    wanted = [(key, expression(value)) for key, value in pairs]
    everything = given.boolean("all") and not pairs
    return LookupRequest(
        metric, given.integer("limit", DEFAULT_LIMIT), dict(sorted(pairs)), None if everything else wanted
    )


def pair_of(tag: object) -> tuple[str, str]:
    """Key and pattern of a tag, in one of three forms."""
    if isinstance(tag, str):
        key, sign, value = tag.partition("=")
        if not sign:
            raise BadRequest(f"Not a tag: {shown(tag)}", "A tag is 'key=value'")
        return key, value
    if isinstance(tag, dict) and tag.keys() == {"key", "value"}:
        key, value = tag["key"], tag["value"]
    elif isinstance(tag, dict) and len(tag) == 1:
        ((key, value),) = tag.items()
    else:
        raise BadRequest("Not a tag", "A tag is an object with one member, or with the members 'key' and 'value'")
    if not isinstance(key, str) or not isinstance(value, str):
        raise BadRequest("Not a tag", "Keys and values of tags are texts")
    return key, value


# ---------------------------------------------------------------- query


@dataclass(frozen=True, slots=True)
class SubQuery:
    """One query of several. ``echo``: the patterns that its tags were asked for with; ``asked``: as the client has put it."""

    query: MetricQuery
    echo: dict[str, str]
    asked: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """What a query request asks for, and how its answer is spelt."""

    queries: list[SubQuery]
    in_ms: bool
    as_arrays: bool
    with_query: bool


_QUERY_KNOWN: Final = ("start", "end", "queries", "msResolution", "globalAnnotations", "showQuery")
_QUERY_EXTRAS: Final = (
    *("noAnnotations", "showSummary", "showStats", "showTSUIDs", "delete", "timezone", "useCalendar", "arrays", "tz"),
    *("ms", "options", "no_annotations", "global_annotations", "show_summary", "show_tsuids", "show_stats"),
)
_SUB_KNOWN: Final = ("metric", "aggregator", "downsample", "rate", "rateOptions", "tags", "filters", "tsuids")
_SUB_EXTRAS: Final = ("explicitTags", "percentiles", "showHistogramBuckets", "rollupUsage", "preAggregate", "index")
_RATE_KNOWN: Final = ("counter", "counterMax", "resetValue", "interval")


def read_query(document: object, now_ms: int, dialect: Dialect) -> QueryRequest:
    """What a query request asks for. Raises BadRequest and ApiError (a bad pattern)."""
    strict = dialect.strict
    known = _QUERY_KNOWN if strict else _QUERY_KNOWN + _QUERY_EXTRAS
    given = Properties(document, "the request", known, _ENVELOPE)
    zone = UTC if strict else zone_of(given.text("timezone") or given.text("tz"))
    start, end = given.get("start"), given.get("end")
    start_ms = 0 if start in (None, "") else point_in_time(start, now_ms, name="start", zone=zone, lenient=not strict)
    end_ms = now_ms if end in (None, "") else point_in_time(end, now_ms, name="end", zone=zone, lenient=not strict)
    asked = given.array("queries")
    if not asked:
        raise BadRequest("No query specified.", "A request has 'queries'")
    if len(asked) > MOST_QUERIES:
        raise BadRequest("Too many queries", f"A request has up to {MOST_QUERIES} of them")
    return QueryRequest(
        [_sub_query(each, start_ms, end_ms, dialect) for each in asked],
        given.boolean("msResolution") or (not strict and given.boolean("ms")),
        not strict and given.boolean("arrays"),
        not strict and given.boolean("showQuery"),
    )


def _sub_query(document: object, start_ms: int, end_ms: int, dialect: Dialect) -> SubQuery:
    strict = dialect.strict
    given = Properties(document, "a query", _SUB_KNOWN if strict else _SUB_KNOWN + _SUB_EXTRAS)
    metric = given.text("metric")
    if not metric:
        if given.array("tsuids"):
            raise BadRequest("Queries by tsuids are not supported", "Series have no such ids here: name a metric")
        raise BadRequest("Metric is not set", "A query names a metric")
    downsample, interval_ms = _downsample(given.text("downsample"), dialect)
    patterns = given.texts("tags")
    pattern = by_pattern if strict else from_text
    filters = [pattern(key, text, grouped=True) for key, text in patterns.items()]
    typed = [] if strict else [_filter(each) for each in given.array("filters")]
    query = MetricQuery(
        metric=encoded(metric),
        start_ms=start_ms,
        end_ms=end_ms,
        filters=(*filters, *(each for each, _, _ in typed)),
        downsample=downsample,
        rate=_rate(given, interval_ms, strict),
        aggregator=_aggregator(given.text("aggregator"), strict),
        explicit_tags=not strict and given.boolean("explicitTags"),
        # Who filters as in OpenTSDB gets its groups, too: each is aggregated by itself.
        by_group=any(kind != _PATTERN for _, _, kind in typed),
    )
    echo = patterns | {each.key.decode(errors="replace"): text for each, text, _ in typed if each.grouped}
    return SubQuery(query, echo, given.members)


def _aggregator(name: str | None, strict: bool) -> str:
    """The outer aggregator; one that does not exist is none, as in Timely."""
    return name if name in (FUNCTIONS if strict else AGGREGATORS) and name is not None else "none"


def _downsample(text: str | None, dialect: Dialect) -> tuple[Downsample | None, int]:
    """The downsampling that ``1m-avg`` means, and its interval; none, and 1, where it is off. Raises BadRequest."""
    if not text or text.endswith("-none"):
        return None, 1
    found = _DOWNSAMPLE.fullmatch(text)
    if found is None:
        raise BadRequest(f"Not a downsampling: {shown(text)}", "It is an interval and a function, as in '1m-avg'")
    length, function, fill = found.groups()
    interval_ms = length_ms(length, calendar=dialect.opentsdb)
    functions = AGGREGATORS if dialect.opentsdb else FUNCTIONS
    if function not in functions:
        hint = "" if dialect.opentsdb else "; OpenTSDB's are there with timely-downsampling opentsdb"
        raise BadRequest(
            f"Unknown downsample function: {shown(function)}", f"The functions are {', '.join(functions)}{hint}"
        )
    if not dialect.opentsdb:
        fill = None  # Timely takes any third part, and does nothing with it
    if fill is not None and fill not in _FILLS:
        raise BadRequest(f"Unknown fill policy: {shown(fill)}", f"The policies are {', '.join(_FILLS)}")
    return Downsample(interval_ms, function, fill or "none"), interval_ms


def _rate(given: Properties, interval_ms: int, strict: bool) -> Rate | None:
    """How rates are made; None where they are not asked for. Raises BadRequest."""
    if not given.boolean("rate"):
        return None
    options = given.get("rateOptions")
    known = _RATE_KNOWN if strict else (*_RATE_KNOWN, "dropResets")
    held = Properties({} if options is None else options, "'rateOptions'", known)
    interval = held.text("interval")
    return Rate(
        interval_ms=length_ms(interval) if interval else interval_ms,
        counter=held.boolean("counter"),
        counter_max=held.number("counterMax"),
        reset_value=held.number("resetValue"),
        drop_resets=held.boolean("dropResets"),
    )


_PATTERN: Final = "pattern"  # the type of a filter that a GET request's first braces hold


def _filter(document: object) -> tuple[TagFilter, str, str]:
    """One of OpenTSDB's filters, its text and its type. Raises BadRequest and ApiError."""
    given = Properties(document, "a filter", ("type", "tagk", "filter", "groupBy"), ("id", "group_by"))
    key, kind, text = given.text("tagk"), given.text("type"), given.text("filter")
    if not key or not kind or text is None:
        raise BadRequest("A filter is incomplete", "It has 'type', 'tagk' and 'filter'")
    grouped = given.boolean("groupBy") or given.boolean("group_by")
    if kind == _PATTERN:
        return from_text(key, text, grouped=grouped), text, kind
    # Grafana's editor leaves the type in the filter.
    called = _CALLED.fullmatch(text)
    if called is not None and called[1] == kind and kind in FILTERS:
        text = text[len(kind) + 1 : -1]
    return by_type(key, kind, text, grouped=grouped), text, kind


# ---------------------------------------------------------------- GET


Parameters = Sequence[tuple[str, str]]


def _first(parameters: Parameters, names: Iterable[str]) -> dict[str, Any]:
    """The first value of each of these parameters that is given."""
    wanted = frozenset(names)
    found: dict[str, Any] = {}
    for name, value in parameters:
        if name in wanted:
            found.setdefault(name, value)
    return found


def _suggest_parameters(parameters: Parameters, strict: bool) -> dict[str, Any]:
    return _first(parameters, ("type", "q", "m", "t", "max"))


def _lookup_parameters(parameters: Parameters, strict: bool) -> dict[str, Any]:
    found = _first(parameters, ("m", "limit"))
    if "m" not in found:
        raise BadRequest("m parameter is required for lookup")
    metric, groups = _split_braces(found["m"])
    document: dict[str, Any] = {"metric": metric, "tags": [{key: value} for group in groups for key, value in group]}
    if "limit" in found:
        document["limit"] = found["limit"]
    # Whoever names no tags wants all of them: so does Grafana for a variable of tag names.
    return document if groups or strict else {**document, "all": True}


def _query_parameters(parameters: Parameters, strict: bool) -> dict[str, Any]:
    document = _first(parameters, _QUERY_KNOWN if strict else _QUERY_KNOWN + _QUERY_EXTRAS)
    document.pop("queries", None)
    if not document.get("start"):
        raise BadRequest("start parameter is required for query")
    for flag in ("ms", "arrays"):
        if document.get(flag) == "":  # OpenTSDB's flags need no value
            document[flag] = True
    document["queries"] = [_sub_parameters(text, strict) for name, text in parameters if name == "m"]
    if any(name in ("tsuid", "tsuids") for name, _ in parameters):
        raise BadRequest("Queries by tsuids are not supported", "Series have no such ids here: name a metric")
    return document


def _sub_parameters(text: str, strict: bool) -> dict[str, Any]:
    """The query of an ``m`` parameter: ``sum:rate:1m-avg:disk.used{host=db1}``. Raises BadRequest."""
    parts = _split(text, ":")
    if len(parts) < 2:
        raise BadRequest("Too few parameters for metric query")
    if len(parts) > 5:
        raise BadRequest("Too many parameters for metric query")
    metric, groups = _split_braces(parts[-1])
    document: dict[str, Any] = {"metric": metric, "aggregator": parts[0]}
    for part in parts[1:-1]:
        if part.startswith("rate"):
            document["rate"] = True
            document["rateOptions"] = _rate_members(part, strict)
        elif part == "explicit_tags" and not strict:
            document["explicitTags"] = True
        else:
            document["downsample"] = part
    if len(groups) > 1:
        # Timely passes over the first group, and OpenTSDB over nothing: both restrict, the second one is in the answer.
        if not strict:
            document["filters"] = [
                {"type": _PATTERN, "tagk": key, "filter": value, "groupBy": False} for key, value in groups[0]
            ]
        document["tags"] = dict(groups[1])
    elif groups and not strict:
        document["tags"] = dict(groups[0])
    return document


def _rate_members(text: str, strict: bool) -> dict[str, Any]:
    """Options of ``rate{counter,1s,100,0}``; without an interval, as OpenTSDB and older Timelys have it, of three members."""
    if text == "rate":
        return {}
    if not text.startswith("rate{") or not text.endswith("}"):
        raise BadRequest(
            f"Not a rate: {shown(text)}", "It is 'rate', or 'rate{counter,interval,counterMax,resetValue}'"
        )
    members = [each.strip() for each in text[5:-1].split(",")]
    options: dict[str, Any] = {"counter": members[0].endswith("counter")}
    if members[0] == "dropcounter" and not strict:
        options["dropResets"] = True
    rest = members[1:]
    if rest and (strict or len(rest) > 2 or not _DIGITS.fullmatch(rest[0])):
        options["interval"] = rest.pop(0)
    if len(rest) > 2 or "" in rest:
        raise BadRequest(f"Not a rate: {shown(text)}")
    options |= dict(zip(("counterMax", "resetValue"), rest, strict=False))
    return options


Pairs = list[tuple[str, str]]


def _split_braces(text: str) -> tuple[str, list[Pairs]]:
    """A metric, and the pairs in the braces behind it. Raises BadRequest."""
    metric, brace, rest = text.partition("{")
    if not brace:
        return metric, []
    if not rest.endswith("}"):
        raise BadRequest("Tag section does not end with '}'")
    groups = _split(rest[:-1], "}")
    if len(groups) > 2 or any(not group.startswith("{") for group in groups[1:]):
        raise BadRequest(f"Not tags: {shown(text)}", "Tags stand in braces, at most two pairs of them")
    return metric, [_pairs_in(group.removeprefix("{")) for group in groups]


def _pairs_in(text: str) -> Pairs:
    pairs = []
    for part in _split(text, ","):
        key, sign, value = part.partition("=")
        if not sign or not key.strip():
            raise BadRequest(f"Not a tag: {shown(part)}", "A tag is 'key=value'")
        pairs.append((key.strip(), value.strip()))
    return pairs


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks; those inside parentheses or, but for braces themselves, inside braces part nothing."""
    parts, begin, depth = [], 0, 0
    for at, letter in enumerate(text):
        if letter == mark and depth <= 0:
            parts.append(text[begin:at])
            begin = at + 1
        elif letter == "(" or (letter == "{" and mark != "}"):
            depth += 1
        elif letter == ")" or (letter == "}" and mark != "}"):
            depth -= 1
    return [*parts, text[begin:]]


_PARAMETERS: Final[dict[str, Callable[[Parameters, bool], dict[str, Any]]]] = {
    "suggest": _suggest_parameters,
    "lookup": _lookup_parameters,
    "query": _query_parameters,
}


def document_of_parameters(name: str, parameters: Parameters, *, strict: bool = False) -> dict[str, Any]:
    """The document that the parameters of a GET request stand for. Raises BadRequest."""
    make = _PARAMETERS.get(name)
    return {} if make is None else make(parameters, strict)
