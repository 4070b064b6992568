"""The options of the TS.* commands, as RedisTimeSeries reads them: each by its name, anywhere after the fixed arguments.

Words that belong to no option are ignored. If an option is repeated, the first counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isinf, nan
from typing import Any

from januskv.compat.server.faults import RespError
from januskv.storage.chunks import MOST_TIME
from januskv.storage.downsampling import NAMES, Room
from januskv.storage.errors import NotAFloat, NotAnInteger
from januskv.storage.labels import Filter
from januskv.storage.regexes import BadPattern, compiled
from januskv.storage.sample_queries import Aggregation, Selection
from januskv.storage.samples import POLICIES

from .args import parse_float, parse_int

_MOST_REGEX_BYTES = 1 << 20
_CHUNK_SIZES = "CHUNK_SIZE value must be a multiple of 8 in the range [48 .. 1048576]"
_NEGATIVE_IGNORE = "IGNORE arguments cannot be negative"

FUNCTION_NAMES = {name.lower().encode(): name for name in NAMES}


def bad(text: str) -> RespError:
    """An error in RedisTimeSeries' form."""
    return RespError(f"ERR TSDB: {text}")


def number_of(text: bytes, error: str, negative: str = "") -> int:
    """A nonnegative integer; ``negative`` is the error for a negative one, if it differs. Raises RespError."""
    if len(text) < 19 and text.isdigit() and text[0] != 48:
        return int(text)
    try:
        number = parse_int(text)
    except NotAnInteger:
        raise bad(error) from None
    if number < 0:
        raise bad(negative or error)
    return number


# A number in JSON syntax. RedisTimeSeries accepts trailing text after it; ours does not.
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

_NO_JSON = {b"nan": nan, b"+nan": nan, b"-nan": nan, b"inf": inf, b"+inf": inf, b"-inf": -inf}


def is_decimal(text: bytes) -> bool:
    """Whether a text is digits without redundant zeros, optionally with a minus sign and a point."""
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
    """A sample's value: a JSON number, or one of those that JSON cannot spell. Raises RespError."""
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
    """A double as Redis reads it, for numbers other than samples' values. Raises RespError."""
    try:
        return parse_float(text)
    except NotAFloat:
        raise bad(error) from None


def time_of(text: bytes, now_ms: int) -> int:
    """A sample's time in ms; ``*`` is now. Raises RespError."""
    if text == b"*":
        return now_ms
    return number_of(text, "invalid timestamp", "invalid timestamp, must be a nonnegative integer")


def wrong_arity(argv: Sequence[bytes]) -> RespError:
    """The error for a command line with too few or too many arguments."""
    return RespError(f"ERR wrong number of arguments for '{argv[0].decode(errors='surrogateescape').lower()}' command")


class Options:
    """The arguments of a command line from ``begin`` on, in which options are found by name."""

    __slots__ = ("argv", "begin", "words")

    def __init__(self, argv: Sequence[bytes], begin: int) -> None:
        self.argv = argv
        self.begin = begin
        self.words = [word.upper() for word in argv[begin:]]

    def place(self, name: bytes, begin: int = 0) -> int | None:
        """The index of an option in the command line, None if it is missing."""
        if name not in self.words:  # most are missing, and an exception takes longer
            return None
        try:
            return self.words.index(name, max(0, begin - self.begin)) + self.begin
        except ValueError:
            return None

    def has(self, name: bytes) -> bool:
        """Whether an option is given."""
        return name in self.words

    def values(self, name: bytes, count: int, error: str) -> Sequence[bytes] | None:
        """The arguments after an option's name, None if it is missing. Raises RespError if there are too few."""
        at = self.place(name)
        if at is None:
            return None
        if at + count >= len(self.argv):
            raise bad(error)
        return self.argv[at + 1 : at + 1 + count]


# ---------------------------------------------------------------- settings of a series


@dataclass(slots=True)
class Settings:
    """Settings of a command line; None for those not given."""

    retention_ms: int | None = None
    chunk_bytes: int | None = None
    compressed: bool | None = None
    policy: str | None = None
    ignore: tuple[int, float] | None = None
    labels: dict[bytes, bytes] | None = None

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


def _policy(options: Options, name: bytes) -> str | None:
    values = options.values(name, 1, "Couldn't parse DUPLICATE_POLICY")
    if values is None:
        return None
    policy = values[0].decode(errors="replace").lower()
    if policy not in POLICIES:
        raise bad("Unknown DUPLICATE_POLICY")
    return policy


def _labels(options: Options) -> dict[bytes, bytes] | None:
    """The labels: pairs up to the end of the command line. If a label is repeated, the last value counts."""
    at = options.place(b"LABELS")
    if at is None:
        return None
    words = options.argv[at + 1 :]
    pairs = list(zip(words[::2], words[1::2], strict=False))
    if any(not name or not value or b"(" in value or b")" in value or b"," in value for name, value in pairs):
        raise bad("Couldn't parse LABELS")
    return dict(pairs)


def _retention(options: Options) -> int | None:
    values = options.values(b"RETENTION", 1, "Couldn't parse RETENTION")
    if values is None:
        return None
    retention_ms = _integer(values[0], "Couldn't parse RETENTION")
    if retention_ms < 0:
        raise RespError("TSDB: Couldn't parse RETENTION")
    return retention_ms


def _chunk_bytes(options: Options) -> int | None:
    values = options.values(b"CHUNK_SIZE", 1, "Couldn't parse CHUNK_SIZE")
    if values is None:
        return None
    size = _integer(values[0], "Couldn't parse CHUNK_SIZE")
    if size % 8 or not 48 <= size <= 1048576:
        raise bad(_CHUNK_SIZES)
    return size


def _compressed(options: Options) -> bool | None:
    at = options.place(b"ENCODING")
    if at is None:
        return False if options.has(b"UNCOMPRESSED") else True if options.has(b"COMPRESSED") else None
    if at + 1 >= len(options.argv):
        raise wrong_arity(options.argv)
    encoding = options.argv[at + 1].upper()
    if encoding not in (b"COMPRESSED", b"UNCOMPRESSED"):
        raise bad("unknown ENCODING parameter")
    return encoding == b"COMPRESSED"


def _ignore(options: Options) -> tuple[int, float] | None:
    values = options.values(b"IGNORE", 2, "Couldn't parse IGNORE")
    if values is None:
        return None
    least_ms, least_value = _integer(values[0], "Couldn't parse IGNORE"), double_of(values[1], "Couldn't parse IGNORE")
    if least_ms < 0 or least_value < 0:
        raise bad(_NEGATIVE_IGNORE)
    return least_ms, least_value


def read_settings(argv: Sequence[bytes], begin: int) -> Settings:
    """The settings of CREATE, ALTER, and of ADD, INCRBY and DECRBY that create a series. Raises RespError."""
    if begin >= len(argv):
        return Settings()
    options = Options(argv, begin)
    settings = Settings(labels=_labels(options))
    settings.retention_ms = _retention(options)
    settings.chunk_bytes = _chunk_bytes(options)
    settings.compressed = _compressed(options)
    settings.policy = _policy(options, b"DUPLICATE_POLICY")
    settings.ignore = _ignore(options)
    return settings


def read_on_duplicate(argv: Sequence[bytes], begin: int) -> str | None:
    """The policy of one TS.ADD to a series that exists; its other options are for a new one. Raises RespError."""
    return _policy(Options(argv, begin), b"ON_DUPLICATE")


def read_timestamp(argv: Sequence[bytes], begin: int, now_ms: int) -> int:
    """The time of TS.INCRBY and TS.DECRBY. Raises RespError."""
    values = Options(argv, begin).values(b"TIMESTAMP", 1, "invalid timestamp")
    return now_ms if values is None else time_of(values[0], now_ms)


# ---------------------------------------------------------------- filters


def _parts(text: bytes, separators: bytes) -> tuple[bytes, bytes | None]:
    """The first two parts of a text between any of these characters; None for a missing second one."""
    parts = [part for part in re.split(b"[" + re.escape(separators) + b"]", text) if part]
    if not parts:
        raise bad("failed parsing labels")
    return parts[0], parts[1] if len(parts) > 1 else None


def _values_in_list(text: bytes | None) -> list[bytes]:
    if text is None or not text.endswith(b")"):
        raise bad("failed parsing labels")
    values = text[:-1].split(b",") if len(text) > 1 else []
    if not all(values):
        raise bad("failed parsing labels")
    return values


def _regex(text: bytes) -> Callable[[bytes], bool]:
    """A test whether a whole label value matches, in linear time."""
    try:
        match = compiled(text, most_memory=_MOST_REGEX_BYTES).fullmatch
    except BadPattern:
        raise bad("bad regular expression in FILTER") from None
    return lambda value: match(value) is not None


_BY_REGEX = re.compile(rb"([^=!]+)(=~|!~)(.*)", re.DOTALL)


def read_filter(text: bytes) -> Filter:
    """One filter expression: label=value, label!=value, label=, label!=, label=(a,b), label!=(a,b).

    Ours: label=~regex, label!~regex. Raises RespError.
    """
    ours = _BY_REGEX.fullmatch(text)
    if ours is not None:
        return Filter(ours[1], needs_label=ours[2] == b"=~", matches=_regex(ours[3]))
    if b"!=(" in text:
        label, values = _parts(text, b"!=(")
        return Filter(label, _values_in_list(values), needs_label=False)
    if b"!=" in text:
        label, value = _parts(text, b"!=")
        return (
            Filter(label, needs_label=True, any_value=True)
            if value is None
            else Filter(label, [value], needs_label=False)
        )
    if b"=(" in text:
        label, values = _parts(text, b"=(")
        return Filter(label, _values_in_list(values))
    if b"=" not in text:
        raise bad("failed parsing labels")
    label, value = _parts(text, b"=")
    return Filter(label, needs_label=False, any_value=True) if value is None else Filter(label, [value])


def read_filters(words: Sequence[bytes]) -> list[Filter]:
    """Filter expressions, one of which must name a value that a series has to have. Raises RespError."""
    filters = [read_filter(word) for word in words]
    if not any(each.needs_label and not each.any_value for each in filters):
        raise bad("please provide at least one matcher")
    return filters


# ---------------------------------------------------------------- ranges


@dataclass(slots=True)
class RangeQuery:
    """The query of TS.MRANGE and its relatives."""

    selection: Selection
    with_labels: bool = False
    selected: list[bytes] | None = None
    filters: list[Filter] | None = None
    group_by: bytes | None = None
    reducer: str = ""


# Words that end the list of SELECTED_LABELS.
_WORDS = frozenset(
    b"LATEST COUNT FILTER_BY_TS FILTER_BY_VALUE ALIGN AGGREGATION BUCKETTIMESTAMP EMPTY WITHLABELS FILTER GROUPBY REDUCE"
    b" LIMIT".split()
)
_MOST_SELECTED = 50
_STAMPS = {b"-": 0.0, b"START": 0.0, b"LOW": 0.0, b"+": 1.0, b"END": 1.0, b"HIGH": 1.0, b"~": 0.5, b"MID": 0.5}


def functions_of(text: bytes) -> list[str]:
    """Functions of an aggregation; ours takes several, separated by commas. Raises RespError."""
    names = [FUNCTION_NAMES.get(name) for name in text.lower().split(b",")]
    known = [name for name in names if name is not None]
    if len(known) < len(names) or len(known) > len(NAMES):
        raise bad("Unknown aggregation type")
    return known


def _integer(text: bytes, error: str) -> int:
    try:
        return parse_int(text)
    except NotAnInteger:
        raise bad(error) from None


def read_aggregation(options: Options) -> tuple[list[str], int, int] | None:
    """Functions, bucket length in ms, and the index of AGGREGATION; None if it is missing. Raises RespError."""
    at = options.place(b"AGGREGATION")
    if at is None:
        return None
    if at + 2 >= len(options.argv):
        raise bad("Couldn't parse AGGREGATION")
    bucket = _integer(options.argv[at + 2], "Couldn't parse AGGREGATION")
    functions = functions_of(options.argv[at + 1])
    if bucket <= 0:
        raise bad("bucketDuration must be greater than zero")
    return functions, bucket, at


def _count(options: Options) -> int | None:
    """COUNT, which is also the name of an aggregator and a reducer."""
    at = options.place(b"COUNT")
    for name in (b"AGGREGATION", b"REDUCE"):
        of = options.place(name)
        if at is not None and of is not None and at == of + 1:
            at = options.place(b"COUNT", at + 1)
    if at is None:
        return None
    if at + 1 == len(options.argv):
        raise bad("COUNT argument is missing")
    count = _integer(options.argv[at + 1], "Couldn't parse COUNT")
    if count <= 0:
        raise bad("Invalid COUNT value")
    return count


def _aggregation(options: Options) -> Aggregation | None:
    found = read_aggregation(options)
    if found is None:
        return None
    functions, bucket, at = found
    aggregation = Aggregation(functions, bucket)
    empty = options.place(b"EMPTY")
    if empty is not None:
        if empty not in (at + 3, at + 5):
            raise bad("EMPTY flag should be the 3rd or 5th flag after AGGREGATION flag")
        aggregation.room = Room()
    stamp = options.place(b"BUCKETTIMESTAMP")
    if stamp is not None:
        if stamp not in (at + 3, at + 4):
            raise bad("BUCKETTIMESTAMP flag should be the 3rd or 4th flag after AGGREGATION flag")
        if stamp + 1 >= len(options.argv):
            raise wrong_arity(options.argv)
        share = _STAMPS.get(options.argv[stamp + 1].upper())
        if share is None:
            raise bad("unknown BUCKETTIMESTAMP parameter")
        aggregation.stamp = share
    return aggregation


def _set_align(options: Options, chosen: Selection, explicit_low: bool, explicit_high: bool) -> None:
    at = options.place(b"ALIGN")
    if at is None:
        return
    if at + 1 >= len(options.argv):
        raise wrong_arity(options.argv)
    text = options.argv[at + 1].lower()
    at_low, at_high = text in (b"-", b"start"), text in (b"+", b"end")
    time = chosen.low if at_low else chosen.high if at_high else number_of(text, "unknown ALIGN parameter")
    if chosen.aggregation is None:
        raise bad("ALIGN parameter can only be used with AGGREGATION")
    if at_low and not explicit_low:
        raise bad("start alignment can only be used with explicit start timestamp")
    if at_high and not explicit_high:
        raise bad("end alignment can only be used with explicit end timestamp")
    chosen.aggregation.align = time


def _by_value(options: Options) -> tuple[float, float] | None:
    ends = options.values(b"FILTER_BY_VALUE", 2, "FILTER_BY_VALUE one or more arguments are missing")
    if ends is None:
        return None
    return double_of(ends[0], "Couldn't parse MIN"), double_of(ends[1], "Couldn't parse MAX")


def _by_times(options: Options) -> list[int] | None:
    """The times after FILTER_BY_TS, up to the first argument that is not a time."""
    at = options.place(b"FILTER_BY_TS")
    if at is None:
        return None
    times: list[int] = []
    for text in options.argv[at + 1 :]:
        try:
            time = parse_int(text)
        except NotAnInteger:
            break
        if time < 0:
            break
        times.append(time)
    if not times:
        raise bad("FILTER_BY_TS one or more arguments are missing")
    return times


def read_ends(argv: Sequence[bytes], at: int) -> tuple[int, int]:
    """The two times of a range; - and + are the first and the last time. Raises RespError."""
    low = 0 if argv[at] == b"-" else number_of(argv[at], "wrong fromTimestamp")
    return low, MOST_TIME if argv[at + 1] == b"+" else number_of(argv[at + 1], "wrong toTimestamp")


def _read_selection(options: Options, at: int, reverse: bool) -> Selection:
    low, high = read_ends(options.argv, at)
    chosen = Selection(low, high, reverse=reverse)
    if not options.words:
        return chosen
    chosen.latest = options.has(b"LATEST")
    chosen.count = _count(options)
    chosen.aggregation = _aggregation(options)
    _set_align(options, chosen, options.argv[at] != b"-", options.argv[at + 1] != b"+")
    chosen.by_value = _by_value(options)
    chosen.by_times = _by_times(options)
    return chosen


def read_range(argv: Sequence[bytes], *, reverse: bool) -> Selection:
    """The arguments of TS.RANGE and TS.REVRANGE. Raises RespError."""
    return _read_selection(Options(argv, 4), 2, reverse)


def _read_labels(options: Options, query: RangeQuery) -> None:
    """The labels to return."""
    query.with_labels = options.has(b"WITHLABELS")
    at = options.place(b"SELECTED_LABELS")
    if at is None:
        return
    if query.with_labels:
        raise bad("cannot accept WITHLABELS and SELECT_LABELS together")
    query.selected = []
    for name in options.argv[at + 1 :]:
        if name.upper() in _WORDS:
            break
        query.selected.append(name)
    if len(query.selected) > _MOST_SELECTED:
        raise bad("reached max size for SELECT_LABELS")
    if not query.selected:
        raise bad("SELECT_LABELS should have at least 1 parameter")


def read_last(argv: Sequence[bytes]) -> RangeQuery:
    """The arguments of TS.MGET. Raises RespError."""
    options = Options(argv, 1)
    at = options.place(b"FILTER")
    if at is None:
        raise wrong_arity(argv)
    query = RangeQuery(Selection(0, MOST_TIME, latest=options.has(b"LATEST")))
    _read_labels(options, query)
    query.filters = read_filters(argv[at + 1 :])
    return query


def read_ranges(argv: Sequence[bytes], *, reverse: bool) -> RangeQuery:
    """The arguments of TS.MRANGE and TS.MREVRANGE; only GROUPBY may follow FILTER. Raises RespError."""
    options = Options(argv, 3)
    query = RangeQuery(_read_selection(options, 1, reverse))
    at = options.place(b"FILTER")
    if at is None:
        raise bad("missing FILTER argument")
    _read_labels(options, query)
    group = options.place(b"GROUPBY")
    if group is not None and group < at:
        raise bad("GROUPBY should always come after filter")
    words = argv[at + 1 : group]
    if not words:
        raise bad("missing labels for filter argument")
    query.filters = read_filters(words)
    if group is None:
        return query
    if len(argv) - group != 4 or argv[group + 2].upper() != b"REDUCE":
        raise wrong_arity(argv)
    query.group_by = argv[group + 1]
    reducer = FUNCTION_NAMES.get(argv[group + 3].lower())
    if reducer is None or reducer in ("twa", "rate", "increase", "first", "last"):
        raise bad("Invalid reducer type")
    query.reducer = reducer
    aggregation = query.selection.aggregation
    if aggregation is not None and len(aggregation.functions) > 1:
        raise bad("GROUPBY takes one aggregation")
    return query
