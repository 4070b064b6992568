"""The options of the TS.* verbs, as RedisTimeSeries reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isinf, nan
from typing import Any

import re2

from januskv.compat.faults import RespError
from januskv.storage.downsampling import NAMES, Room
from januskv.storage.errors import NotAFloat, NotAnInteger
from januskv.storage.labels import Filter
from januskv.storage.sample_queries import Aggregation, Selection
from januskv.storage.samples import MOST_TIME, POLICIES

from .args import Args, parse_float, parse_int

_MOST_REGEX_BYTES = 1 << 20
_CHUNK_SIZES = "CHUNK_SIZE value must be a multiple of 8 in the range [48 .. 1048576]"
_NEGATIVE_IGNORE = "IGNORE arguments cannot be negative"

FUNCTION_NAMES = {name.lower().encode(): name for name in NAMES}


def bad(text: str) -> RespError:
    """An error as RedisTimeSeries words them."""
    return RespError(f"ERR TSDB: {text}")


def number_of(text: bytes, error: str, negative: str = "") -> int:
    """An integer that is not negative; ``negative`` is the error for one that is, if it has its own. Raises RespError."""
    if len(text) < 19 and text.isdigit() and text[0] != 48:
        return int(text)
    try:
        number = parse_int(text)
    except NotAnInteger:
        raise bad(error) from None
    if number < 0:
        raise bad(negative or error)
    return number


# A number as JSON writes it. RedisTimeSeries reads the beginning of a value so and passes over what follows; ours does not.
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

_NO_JSON = {b"nan": nan, b"+nan": nan, b"-nan": nan, b"inf": inf, b"+inf": inf, b"-inf": -inf}


def is_decimal(text: bytes) -> bool:
    """Whether a text is digits without needless zeros, with a minus before them or a point among them."""
    size = len(text)
    begin = 1 if size > 0 and text[0] == 45 else 0
    at = begin
    while at < size and 48 <= text[at] <= 57:
        at += 1
    if at == begin or (at > begin + 1 and text[begin] == 48):
        return False
    if at == size:
        return True
    if text[at] != 46 or at + 1 == size:
        return False
    at += 1
    while at < size and 48 <= text[at] <= 57:
        at += 1
    return at == size


def value_of(text: bytes, error: str = "invalid value") -> float:
    """A sample's value: a number as JSON spells it, or one of those that JSON has no spelling for. Raises RespError."""
    if len(text) < 40 and is_decimal(text):
        return float(text)
    other = _NO_JSON.get(text.lower())
    if other is not None:
        return other
    if _NUMBER.fullmatch(text) is None:
        raise bad(error)
    value = float(text)
    if isinf(value):
        raise bad(error)
    return value


def double_of(text: bytes, error: str) -> float:
    """A double as Redis reads it, for what is no sample's value. Raises RespError."""
    try:
        return parse_float(text)
    except NotAFloat:
        raise bad(error) from None


def time_of(text: bytes, now_ms: int) -> int:
    """A sample's time in ms; ``*`` is now. Raises RespError."""
    if text == b"*":
        return now_ms
    return number_of(text, "invalid timestamp", "invalid timestamp, must be a nonnegative integer")


def value_after(args: Args, error: str) -> bytes:
    """The argument behind an option's name. Raises RespError where there is none."""
    if not args.more():
        raise bad(error)
    return args.take()


# ---------------------------------------------------------------- settings of a series


@dataclass(slots=True)
class Settings:
    """Settings that a command line names; None for those that it does not."""

    retention_ms: int | None = None
    chunk_bytes: int | None = None
    compressed: bool | None = None
    policy: str | None = None
    on_duplicate: str | None = None
    ignore: tuple[int, float] | None = None
    labels: dict[bytes, bytes] | None = None
    time_ms: int | None = None

    def for_new(self) -> dict[str, Any]:
        """Arguments of a new series."""
        named: dict[str, Any] = {
            "retention_ms": self.retention_ms,
            "chunk_bytes": self.chunk_bytes,
            "compressed": self.compressed,
            "policy": self.policy,
            "labels": self.labels,
        }
        if self.ignore is not None:
            named["ignore_ms"], named["ignore_value"] = self.ignore
        return {name: value for name, value in named.items() if value is not None}


def policy_of(text: bytes, error: str) -> str:
    """A duplicate policy's name in lower case. Raises RespError."""
    name = text.decode(errors="replace").lower()
    if name not in POLICIES:
        raise bad(error)
    return name


def _labels(args: Args) -> dict[bytes, bytes]:
    words = args.rest()
    if len(words) % 2:
        raise bad("Couldn't parse LABELS")
    labels = dict(zip(words[::2], words[1::2], strict=True))
    if len(labels) * 2 != len(words):
        raise bad("Duplicate label")
    if any(not name or not value or b"(" in value or b")" in value or b"," in value for name, value in labels.items()):
        raise bad("Couldn't parse LABELS")
    return labels


def read_settings(args: Args, now_ms: int, *, timestamp: bool = False, on_duplicate: bool = False) -> Settings:
    """The settings at the end of CREATE, ALTER, ADD, INCRBY, DECRBY. Raises RespError."""
    found = Settings()
    while args.more():
        word = args.word()
        if word == b"RETENTION":
            found.retention_ms = number_of(value_after(args, "Couldn't parse RETENTION"), "Couldn't parse RETENTION")
        elif word == b"CHUNK_SIZE":
            size = number_of(value_after(args, "Couldn't parse CHUNK_SIZE"), "Couldn't parse CHUNK_SIZE", _CHUNK_SIZES)
            if size % 8 or not 48 <= size <= 1048576:
                raise bad(_CHUNK_SIZES)
            found.chunk_bytes = size
        elif word == b"ENCODING":
            encoding = value_after(args, "Couldn't parse ENCODING").upper()
            if encoding not in (b"COMPRESSED", b"UNCOMPRESSED"):
                raise bad("unknown ENCODING parameter")
            found.compressed = encoding == b"COMPRESSED"
        elif word == b"UNCOMPRESSED":
            found.compressed = False
        elif word == b"DUPLICATE_POLICY":
            text = value_after(args, "Unknown DUPLICATE_POLICY")
            found.policy = policy_of(text, "Unknown DUPLICATE_POLICY")
        elif word == b"ON_DUPLICATE" and on_duplicate:
            found.on_duplicate = policy_of(value_after(args, "Unknown ON_DUPLICATE"), "Unknown ON_DUPLICATE")
        elif word == b"IGNORE":
            if args.left() < 2:
                raise bad("Couldn't parse IGNORE")
            least_ms = number_of(args.take(), "Couldn't parse IGNORE", _NEGATIVE_IGNORE)
            least_value = double_of(args.take(), "Couldn't parse IGNORE")
            if least_value < 0:
                raise bad(_NEGATIVE_IGNORE)
            found.ignore = (least_ms, least_value)
        elif word == b"TIMESTAMP" and timestamp:
            found.time_ms = time_of(value_after(args, "invalid timestamp"), now_ms)
        elif word == b"LABELS":
            found.labels = _labels(args)
        else:
            raise bad(f"unknown option {word[:64].decode(errors='replace')}")
    return found


# ---------------------------------------------------------------- filters


def _values_in_list(text: bytes) -> list[bytes]:
    if not text.endswith(b")"):
        raise bad("failed parsing labels")
    return [each.strip() for each in text[1:-1].split(b",")] if text[1:-1] else []


def _regex(text: bytes) -> Callable[[bytes], bool]:
    """A test whether a label's value matches wholly, in linear time."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_REGEX_BYTES
    try:
        compiled = re2.compile(text, options)
    except re2.error:
        raise bad("bad regular expression in FILTER") from None
    return lambda value: compiled.fullmatch(value) is not None


def read_filter(text: bytes) -> Filter:
    """One filter expression: label=value, label!=value, label=, label!=, label=(a,b), label!=(a,b).

    Ours: label=~regex, label!~regex. Raises RespError.
    """
    at = text.find(b"=")
    regex = text.find(b"!~")
    if regex > 0 and (at < 0 or regex < at):
        return Filter(text[:regex], needs_label=False, matches=_regex(text[regex + 2 :]))
    if at < 1:
        raise bad("failed parsing labels")
    value = text[at + 1 :]
    negated = text[at - 1 : at] == b"!"
    label = text[: at - 1] if negated else text[:at]
    if not label:
        raise bad("failed parsing labels")
    if value.startswith(b"~") and not negated:
        return Filter(label, matches=_regex(value[1:]))
    if not value:
        return Filter(label, needs_label=negated, any_value=True)
    return Filter(label, _values_in_list(value) if value.startswith(b"(") else [value], needs_label=not negated)


def read_filters(words: Sequence[bytes]) -> list[Filter]:
    """Filter expressions, one of which must name a label that a series has to have. Raises RespError."""
    filters = [read_filter(word) for word in words]
    if not any(each.needs_label and not each.any_value for each in filters):
        raise bad("please provide at least one matcher")
    return filters


# ---------------------------------------------------------------- ranges


@dataclass(slots=True)
class RangeQuery:
    """What TS.RANGE and its relatives ask for."""

    selection: Selection
    explicit_low: bool = True
    explicit_high: bool = True
    latest: bool = False
    with_labels: bool = False
    selected: list[bytes] | None = None
    filters: list[Filter] | None = None
    group_by: bytes | None = None
    reducer: str = ""


_WORDS = frozenset(
    b"LATEST COUNT FILTER_BY_TS FILTER_BY_VALUE ALIGN AGGREGATION BUCKETTIMESTAMP EMPTY WITHLABELS SELECTED_LABELS"
    b" FILTER GROUPBY REDUCE".split()
)
_STAMPS = {b"-": 0.0, b"LOW": 0.0, b"+": 1.0, b"HIGH": 1.0, b"~": 0.5, b"MID": 0.5}


def functions_of(text: bytes) -> list[str]:
    """Functions of an aggregation; ours takes several, with commas between. Raises RespError."""
    names = [FUNCTION_NAMES.get(name) for name in text.lower().split(b",")]
    found = [name for name in names if name is not None]
    if len(found) < len(names) or len(found) > len(NAMES):
        raise bad("Unknown aggregation type")
    return found


def bucket_of(text: bytes) -> int:
    """The length of a bucket in ms. Raises RespError."""
    bucket = number_of(text, "Couldn't parse AGGREGATION")
    if bucket == 0:
        raise bad("bucketDuration must be greater than zero")
    return bucket


def read_range(args: Args, *, many: bool, reverse: bool) -> RangeQuery:
    """The arguments of TS.RANGE and TS.REVRANGE behind the key, or of TS.MRANGE and TS.MREVRANGE. Raises RespError."""
    chosen = Selection(0, MOST_TIME, reverse=reverse)
    query = RangeQuery(chosen)
    low, high = args.take(), args.take()
    query.explicit_low, query.explicit_high = low != b"-", high != b"+"
    if query.explicit_low:
        chosen.low = number_of(low, "wrong fromTimestamp")
    if query.explicit_high:
        chosen.high = number_of(high, "wrong toTimestamp")
    align: bytes | None = None
    while args.more():
        word = args.word()
        if word == b"LATEST":
            query.latest = True
        elif word == b"COUNT":
            count = value_after(args, "Couldn't parse COUNT")
            chosen.count = number_of(count, "Couldn't parse COUNT", "Invalid COUNT value")
        elif word == b"FILTER_BY_TS":
            times = []
            while args.more() and args.peek() not in _WORDS:
                times.append(number_of(args.take(), "Couldn't parse FILTER_BY_TS"))
            if not times:
                raise bad("FILTER_BY_TS one or more arguments are missing")
            chosen.by_times = times
        elif word == b"FILTER_BY_VALUE":
            if args.left() < 2:
                raise bad("FILTER_BY_VALUE one or more arguments are missing")
            least = double_of(args.take(), "Couldn't parse MIN")
            chosen.by_value = (least, double_of(args.take(), "Couldn't parse MAX"))
        elif word == b"ALIGN":
            align = value_after(args, "Couldn't parse ALIGN").lower()
        elif word == b"AGGREGATION":
            if args.left() < 2:
                raise bad("Couldn't parse AGGREGATION")
            functions = functions_of(args.take())
            chosen.aggregation = Aggregation(functions, bucket_of(args.take()))
        elif word == b"BUCKETTIMESTAMP" and chosen.aggregation is not None:
            stamp = _STAMPS.get(value_after(args, "unknown BUCKETTIMESTAMP parameter").upper())
            if stamp is None:
                raise bad("unknown BUCKETTIMESTAMP parameter")
            chosen.aggregation.stamp = stamp
        elif word == b"EMPTY" and chosen.aggregation is not None:
            chosen.aggregation.room = Room()
        elif many and word == b"WITHLABELS":
            query.with_labels = True
        elif many and word == b"SELECTED_LABELS":
            query.selected = []
            while args.more() and args.peek() not in _WORDS:
                query.selected.append(args.take())
            if not query.selected:
                raise bad("SELECTED_LABELS should have at least 1 parameter")
        elif many and word == b"FILTER":
            words = []
            while args.more() and args.peek() not in _WORDS:
                words.append(args.take())
            query.filters = read_filters(words)
        elif many and word == b"GROUPBY":
            if args.left() < 3 or args.argv[args.at + 1].upper() != b"REDUCE":
                raise bad("failed parsing GROUPBY")
            query.group_by = args.take()
            args.take()
            reducer = FUNCTION_NAMES.get(args.take().lower())
            if reducer is None or reducer in ("twa", "rate", "increase", "first", "last"):
                raise bad("Invalid reducer type")
            query.reducer = reducer
        else:
            raise bad(f"unknown option {word[:64].decode(errors='replace')}")
    _set_align(query, align)
    if many:
        _check_many(query)
    return query


def _set_align(query: RangeQuery, align: bytes | None) -> None:
    if align is None:
        return
    aggregation = query.selection.aggregation
    if aggregation is None:
        raise bad("ALIGN parameter can only be used with AGGREGATION")
    if align in (b"-", b"start"):
        if not query.explicit_low:
            raise bad("start alignment can only be used with explicit start timestamp")
        aggregation.align = query.selection.low
    elif align in (b"+", b"end"):
        if not query.explicit_high:
            raise bad("end alignment can only be used with explicit end timestamp")
        aggregation.align = query.selection.high
    else:
        aggregation.align = number_of(align, "unknown ALIGN parameter")


def _check_many(query: RangeQuery) -> None:
    if query.filters is None:
        raise bad("missing FILTER argument")
    if query.with_labels and query.selected is not None:
        raise bad("cannot accept WITHLABELS and SELECT_LABELS together")
    aggregation = query.selection.aggregation
    if query.group_by is not None and aggregation is not None and len(aggregation.functions) > 1:
        raise bad("GROUPBY takes one aggregation")
