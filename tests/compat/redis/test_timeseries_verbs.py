"""TS.* commands: what they answer, what they refuse, and what other commands see of a series."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple


def rows(*pairs: tuple[int, str]) -> list[Any]:
    return [[time, Simple(value.encode())] for time, value in pairs]


@pytest.fixture
def series(wire: Any) -> Any:
    """A wire to a server with a series s (10..50, 1..5) and two labelled ones."""
    wire.line("TS.CREATE s LABELS host a kind cpu")
    wire.line("TS.MADD s 10 1 s 20 2 s 30 3 s 40 4 s 50 5")
    wire.line("TS.ADD t 15 100 LABELS host b kind cpu")
    wire.line("TS.ADD t 20 200")
    wire.line("TS.ADD u 20 7.5 LABELS host a kind mem")
    return wire


ANSWERS = [
    ("both ends included", "TS.RANGE s 20 40", rows((20, "2"), (30, "3"), (40, "4"))),
    ("newest first", "TS.REVRANGE s - + COUNT 2", rows((50, "5"), (40, "4"))),
    ("of an option that is there twice the first counts", "TS.RANGE s - + COUNT 1 COUNT 3", rows((10, "1"))),
    ("times up to what is none", "TS.RANGE s - + FILTER_BY_TS 20 x 30", rows((20, "2"))),
    ("an aggregator that is an option too", "TS.RANGE s - + COUNT 1 AGGREGATION count 20", rows((0, "1"))),
    ("the first value is the one that is read first", "TS.REVRANGE s - + AGGREGATION first 100", rows((0, "5"))),
    ("the last value is the one that is read last", "TS.REVRANGE s - + AGGREGATION last 100", rows((0, "1"))),
    ("stamped at the end, by its word", "TS.RANGE s 20 30 AGGREGATION max 20 BUCKETTIMESTAMP end", rows((40, "3"))),
    ("chosen labels in any case", "TS.MGET SELECTED_LABELS HOST FILTER kind=mem", [[b"u", [[b"host", b"a"]], [20, Simple(b"7.5")]]]),
    ("what follows the second sign is not part of a filter", "TS.QUERYINDEX kind=mem=x", [b"u"]),
    ("a group has its own label", "TS.MRANGE 20 20 SELECTED_LABELS kind host FILTER kind=mem GROUPBY kind REDUCE sum", [[b"kind=mem", [[b"kind", b"mem"], [b"host", None]], rows((20, "7.5"))]]),
    ("named times", "TS.RANGE s - + FILTER_BY_TS 20 25 50", rows((20, "2"), (50, "5"))),
    ("values", "TS.RANGE s - + FILTER_BY_VALUE 2 3", rows((20, "2"), (30, "3"))),
    ("an average", "TS.RANGE s - + AGGREGATION avg 20", rows((0, "1"), (20, "2.5"), (40, "4.5"))),
    ("the last bucket first", "TS.REVRANGE s - + COUNT 1 AGGREGATION sum 20", rows((40, "9"))),
    ("aligned to the start", "TS.RANGE s 10 + ALIGN start AGGREGATION count 20", rows((10, "2"), (30, "2"), (50, "1"))),
    ("stamped in the middle", "TS.RANGE s 20 30 AGGREGATION max 20 BUCKETTIMESTAMP ~", rows((30, "3"))),
    ("empty buckets", "TS.RANGE t - + AGGREGATION sum 2 EMPTY", rows((14, "100"), (16, "0"), (18, "0"), (20, "200"))),
    ("a filter before aggregation", "TS.RANGE s - + FILTER_BY_VALUE 2 4 AGGREGATION count 100", rows((0, "3"))),
    ("several functions", "TS.RANGE s - + AGGREGATION min,max 100", [[0, Simple(b"1"), Simple(b"5")]]),
    ("a percentile", "TS.RANGE s - + AGGREGATION p50 100", rows((0, "3"))),
    ("the last sample", "TS.GET s", [50, Simple(b"5")]),
    ("series by labels", "TS.QUERYINDEX kind=cpu", [b"s", b"t"]),
    ("not that label", "TS.QUERYINDEX kind=cpu host!=a", [b"t"]),
    ("one of several", "TS.QUERYINDEX host=(a,b) kind!=(mem)", [b"s", b"t"]),
    ("the label is missing", "TS.QUERYINDEX kind=cpu rack=", [b"s", b"t"]),
    ("the label is there", "TS.QUERYINDEX kind=cpu host!=", [b"s", b"t"]),
    ("a regular expression", "TS.QUERYINDEX host=~a|c", [b"s", b"u"]),
    ("none that matches", "TS.QUERYINDEX kind=cpu host!~a.*", [b"t"]),
    ("last samples", "TS.MGET FILTER kind=mem", [[b"u", [], [20, Simple(b"7.5")]]]),
    ("with chosen labels", "TS.MGET SELECTED_LABELS host rack FILTER kind=mem", [[b"u", [[b"host", b"a"], [b"rack", None]], [20, Simple(b"7.5")]]]),
    ("ranges of many", "TS.MRANGE 20 20 FILTER kind=cpu", [[b"s", [], rows((20, "2"))], [b"t", [], rows((20, "200"))]]),
    (
        "groups",
        "TS.MRANGE 15 20 WITHLABELS FILTER kind=cpu GROUPBY kind REDUCE sum",
        [[b"kind=cpu", [[b"kind", b"cpu"], [b"__reducer__", b"sum"], [b"__source__", b"s,t"]], rows((15, "100"), (20, "202"))]],
    ),
    ("groups, newest first", "TS.MREVRANGE - + COUNT 1 FILTER kind=cpu GROUPBY host REDUCE max", [[b"host=a", [], rows((50, "5"))], [b"host=b", [], rows((20, "200"))]]),
    ("deletion", "TS.DEL s 20 40", 3),
    ("deletion by labels", "TS.DEL * 20 20 FILTER kind=cpu", 2),
    ("its type", "TYPE s", Simple(b"TSDB-TYPE")),
    ("scanned by type", "SCAN 0 TYPE TSDB-TYPE COUNT 100", [b"0", [b"s", b"t", b"u"]]),
    ("a missing series in a batch", "TS.MADD s 60 6 nope 1 1", [60, ErrorReply("ERR TSDB: the key is not a TSDB key")]),
    ("twice now in a batch", "TS.MADD s * 1 t * 1", [1_700_000_000_000, 1_700_000_000_000]),
    ("missing series made on request", "TS.MADD n 1 1 n 2 2 CREATE LABELS kind new", [1, 2]),
    ("a counter", "TS.INCRBY s 2.5 TIMESTAMP 60", 60),
    ("more at the same time", "TS.DECRBY s 1 TIMESTAMP 50", 50),
    ("what belongs to no option is passed over", "TS.CREATE n COMPRESSED x 5", Simple(b"OK")),
    ("an option behind the labels of a sample", "TS.ADD s 50 7 LABELS a 1 ON_DUPLICATE LAST", 50),
    ("a cluster to be asked", "TIMESERIES.REFRESHCLUSTER", Simple(b"OK")),
    ("none", "TIMESERIES.INFOCLUSTER", b"no cluster mode"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "reply"), [pytest.param(c, r, id=i) for i, c, r in ANSWERS])
def test_answers(series: Any, command: str, reply: Any) -> None:
    assert series.line(command) == reply


REFUSALS = [
    ("a key that exists", "TS.CREATE s", "ERR TSDB: key already exists"),
    ("a key of another kind", "TS.CREATE str", "ERR TSDB: key already exists"),
    ("a chunk size of no multiple of 8", "TS.CREATE n CHUNK_SIZE 100", "ERR TSDB: CHUNK_SIZE value must be a multiple of 8 in the range [48 .. 1048576]"),
    ("a retention that is not a number", "TS.CREATE n RETENTION x", "ERR TSDB: Couldn't parse RETENTION"),
    ("an unknown policy", "TS.CREATE n DUPLICATE_POLICY x", "ERR TSDB: Unknown DUPLICATE_POLICY"),
    ("an unknown encoding", "TS.CREATE n ENCODING x", "ERR TSDB: unknown ENCODING parameter"),
    ("a retention below zero", "TS.CREATE n RETENTION -1", "TSDB: Couldn't parse RETENTION"),
    ("an encoding without a name", "TS.CREATE n ENCODING", "ERR wrong number of arguments for 'ts.create' command"),
    ("an empty label", "TS.CREATE n LABELS a ''", "ERR TSDB: Couldn't parse LABELS"),
    ("a count of zero", "TS.RANGE s - + COUNT 0", "ERR TSDB: Invalid COUNT value"),
    ("a count of nothing", "TS.RANGE s - + COUNT", "ERR TSDB: COUNT argument is missing"),
    ("EMPTY in a wrong place", "TS.RANGE s - + EMPTY AGGREGATION avg 10", "ERR TSDB: EMPTY flag should be the 3rd or 5th flag after AGGREGATION flag"),
    ("an unknown stamp", "TS.RANGE s - + AGGREGATION avg 10 BUCKETTIMESTAMP x", "ERR TSDB: unknown BUCKETTIMESTAMP parameter"),
    ("a filter that does not come last", "TS.MRANGE - + FILTER host=a COUNT 1", "ERR TSDB: failed parsing labels"),
    ("a group before the filter", "TS.MRANGE - + GROUPBY host REDUCE sum FILTER host=a", "ERR TSDB: GROUPBY should always come after filter"),
    ("a group without a reducer", "TS.MRANGE - + FILTER host=a GROUPBY host", "ERR wrong number of arguments for 'ts.mrange' command"),
    ("too many labels", "TS.MGET SELECTED_LABELS" + " a" * 51 + " FILTER host=a", "ERR TSDB: reached max size for SELECT_LABELS"),
    ("a gap in a list", "TS.QUERYINDEX host=(a,,b)", "ERR TSDB: failed parsing labels"),
    ("no label in a filter", "TS.QUERYINDEX =a", "ERR TSDB: please provide at least one matcher"),
    ("more than LATEST", "TS.GET s x", "ERR TSDB: wrong 3rd argument"),
    ("a missing series", "TS.RANGE nope - +", "ERR TSDB: the key does not exist"),
    ("a string", "TS.GET str", "ERR WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("a series as a string", "GET s", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("a bad time", "TS.ADD s x 1", "ERR TSDB: invalid timestamp"),
    ("a negative time", "TS.ADD s -1 1", "ERR TSDB: invalid timestamp, must be a nonnegative integer"),
    ("a bad value", "TS.ADD s 60 x", "ERR TSDB: invalid value"),
    ("a duplicate", "TS.ADD s 50 1", "ERR TSDB: Error at upsert, update is not supported when DUPLICATE_POLICY is set to BLOCK mode"),
    ("a bad range", "TS.RANGE s x +", "ERR TSDB: wrong fromTimestamp"),
    ("an unknown function", "TS.RANGE s - + AGGREGATION x 1", "ERR TSDB: Unknown aggregation type"),
    ("a bucket of nothing", "TS.RANGE s - + AGGREGATION avg 0", "ERR TSDB: bucketDuration must be greater than zero"),
    ("alignment to an open start", "TS.RANGE s - + ALIGN start AGGREGATION avg 10", "ERR TSDB: start alignment can only be used with explicit start timestamp"),
    ("alignment of nothing", "TS.RANGE s - + ALIGN 5", "ERR TSDB: ALIGN parameter can only be used with AGGREGATION"),
    ("no filter", "TS.MRANGE - + COUNT 1", "ERR TSDB: missing FILTER argument"),
    ("no matcher", "TS.QUERYINDEX host!=a", "ERR TSDB: please provide at least one matcher"),
    ("no filter at all", "TS.QUERYINDEX host", "ERR TSDB: failed parsing labels"),
    ("a bad expression", "TS.QUERYINDEX host=~(", "ERR TSDB: bad regular expression in FILTER"),
    ("a string to add to", "TS.ADD str 1 1", "ERR TSDB: the key is not a TSDB key"),
    ("an older counter", "TS.INCRBY s 1 TIMESTAMP 5", "TSDB: timestamp must be equal to or higher than the maximum existing timestamp"),
    ("a rule to itself", "TS.CREATERULE s s AGGREGATION avg 10", "ERR TSDB: the source key and destination key should be different"),
    ("no such rule", "TS.DELETERULE s t", "ERR TSDB: compaction rule does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "text"), [pytest.param(c, r, id=i) for i, c, r in REFUSALS])
def test_refusals_change_nothing(series: Any, house: Any, command: str, text: str) -> None:
    series.line("SET str x")
    before = house.store.databases[0].data[b"s"].to_state()
    assert series.line(command) == ErrorReply(text)
    assert house.store.databases[0].data[b"s"].to_state() == before
    assert b"n" not in house.store.databases[0].data


def test_retention(wire: Any) -> None:
    wire.line("TS.CREATE s RETENTION 100")
    wire.line("TS.MADD s 10 1 s 150 2")
    assert wire.line("TS.RANGE s - +") == rows((150, "2"))
    assert wire.line("TS.ADD s 20 1") == ErrorReply("ERR TSDB: Timestamp is older than retention")


def test_policies(wire: Any) -> None:
    wire.line("TS.ADD s 10 5 DUPLICATE_POLICY sum")
    assert wire.line("TS.ADD s 10 5") == 10
    assert wire.line("TS.ADD s 10 1 ON_DUPLICATE min") == 10
    assert wire.line("TS.GET s") == [10, Simple(b"1")]


def test_rules(wire: Any) -> None:
    wire.line("TS.CREATE raw")
    wire.line("TS.CREATE sums")
    assert wire.line("TS.CREATERULE raw sums AGGREGATION sum 10") == Simple(b"OK")
    wire.line("TS.MADD raw 1 1 raw 5 2 raw 12 4")
    assert wire.line("TS.RANGE sums - +") == rows((0, "3"))
    assert wire.line("TS.RANGE sums - + LATEST") == rows((0, "3"), (10, "4"))
    assert wire.line("TS.GET sums LATEST") == [10, Simple(b"4")]
    wire.line("RENAME sums totals")
    wire.line("TS.ADD raw 25 1")
    assert wire.line("TS.RANGE totals - +") == rows((0, "3"), (10, "4"))
    info = wire.line("TS.INFO raw")
    assert info[info.index(Simple(b"rules")) + 1] == [[b"totals", 10, Simple(b"SUM"), 0]]
    assert wire.line("TS.DELETERULE raw totals") == Simple(b"OK")
    wire.line("TS.ADD raw 40 1")
    assert wire.line("TS.RANGE totals - +") == rows((0, "3"), (10, "4"))


def test_options_behind_labels_are_options_too(wire: Any) -> None:
    wire.line("TS.CREATE k LABELS a 1 RETENTION 5")
    info = wire.line("TS.INFO k")
    found = dict(zip(info[::2], info[1::2], strict=True))
    assert found[Simple(b"retentionTime")] == 5
    assert found[Simple(b"labels")] == [[b"a", b"1"], [b"RETENTION", b"5"]]  # as RedisTimeSeries, which reads both


def test_command_info_says_that_a_module_has_it(wire: Any) -> None:
    flags = {line: wire.line(f"COMMAND INFO {line}")[0][2] for line in ("ts.add", "ts.get", "ts.del")}
    assert flags == {
        "ts.add": [Simple(b"write"), Simple(b"denyoom"), Simple(b"module")],
        "ts.get": [Simple(b"readonly"), Simple(b"module")],
        "ts.del": [Simple(b"write"), Simple(b"module")],
    }


SAMPLES = "TS.MADD s 10 1 s 20 2 s 30 3 s 40 4 CREATE"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("s 15 35 AGGREGATION twa 20", [(20, "2.75")], id="bounds inside the data"),
        pytest.param("s 15 35 ALIGN start AGGREGATION twa 20", [(15, "2.5")], id="aligned"),
        pytest.param("s 22 28 AGGREGATION twa 5 EMPTY", [(20, "2.35"), (25, "2.65")], id="in a gap"),
        pytest.param("s 12 18 AGGREGATION twa 10", [], id="a gap is empty unless it is asked for"),
        pytest.param("s 0 10 AGGREGATION twa 10", [(10, "1")], id="one sample at the end of the range"),
    ],
)
def test_twa_within_a_range(wire: Any, query: str, expected: list[tuple[int, str]]) -> None:
    wire.line(SAMPLES)
    assert wire.line(f"TS.RANGE {query}") == rows(*expected)
    assert wire.line(f"TS.REVRANGE {query}") == rows(*expected)[::-1]


def test_reducers_over_empty_buckets_have_no_value(wire: Any) -> None:
    wire.line("TS.MADD a 1 1 a 25 2 CREATE LABELS g x")
    (group,) = wire.line("TS.MRANGE - + AGGREGATION avg 10 EMPTY FILTER g=x GROUPBY g REDUCE sum")
    assert group[2] == rows((0, "1"), (10, "NaN"), (20, "2"))


def test_resp3(series: Any) -> None:
    series.line("HELLO 3")
    assert series.line("TS.RANGE s 10 20") == [[10, 1.0], [20, 2.0]]
    labels = [(b"host", b"a"), (b"kind", b"mem")]
    assert series.line("TS.MGET WITHLABELS FILTER kind=mem") == [(b"u", [labels, [20, 7.5]])]
    used = [(b"aggregators", [])]
    assert series.line("TS.MRANGE 20 20 FILTER kind=mem") == [(b"u", [[], used, [[20, 7.5]]])]


def test_copies_expire_and_lose_their_labels_with_the_key(series: Any, house: Any) -> None:
    series.line("COPY s c")
    series.line("TS.ADD c 60 6")
    assert series.line("TS.GET s") == [50, Simple(b"5")]
    assert series.line("TS.QUERYINDEX kind=cpu") == [b"c", b"s", b"t"]
    series.line("PEXPIRE c 10")
    house.advance(100)
    series.line("DEL s")
    assert series.line("TS.QUERYINDEX kind=cpu") == [b"t"]
    house.store.databases[0].check()


def test_altering_labels_moves_the_series_in_the_index(series: Any, house: Any) -> None:
    assert series.line("TS.ALTER s RETENTION 20 LABELS host z") == Simple(b"OK")
    assert series.line("TS.QUERYINDEX host=z") == [b"s"]
    assert series.line("TS.RANGE s - +") == rows((30, "3"), (40, "4"), (50, "5"))
    house.store.databases[0].check()


# ---------------------------------------------------------------- empty buckets

MOST_TIME = (1 << 63) - 1
TOO_MANY = ErrorReply("ERR TSDB: too many empty buckets, an answer takes 4000000 values at most")


@pytest.fixture
def wide(wire: Any) -> Any:
    """A wire to a server with three series of two samples each that are 2,000,000 ms apart, and one over all times."""
    for name in "abc":
        wire("TS.ADD", name, 10, 1, "LABELS", "kind", "wide", "name", name)
        wire("TS.ADD", name, 2_000_009, 3)
    wire("TS.ADD", "all", 5, 1, "LABELS", "kind", "widest")
    wire("TS.ADD", "all", MOST_TIME, 3)
    return wire


@pytest.mark.parametrize(
    "query",
    [
        "TS.MRANGE - + AGGREGATION sum 1 EMPTY FILTER kind=wide",
        "TS.MREVRANGE - + AGGREGATION last 1 EMPTY FILTER kind=wide",
        "TS.MRANGE - + AGGREGATION sum 1 EMPTY FILTER kind=wide GROUPBY name REDUCE sum",
        "TS.MRANGE - + FILTER_BY_VALUE 0 9 AGGREGATION sum 1 EMPTY FILTER kind=wide",
        "TS.MRANGE - + LATEST AGGREGATION twa 1 EMPTY FILTER kind=wide",
        "TS.MRANGE - + COUNT 1500000 AGGREGATION sum 1 EMPTY FILTER kind=wide",
        "TS.MRANGE - + AGGREGATION sum 1000 EMPTY FILTER kind=widest",
        "TS.RANGE a - + AGGREGATION sum,avg,max 1 EMPTY",
        "TS.RANGE all - + AGGREGATION sum 1000 EMPTY",
        "TS.RANGE all - + ALIGN 9223372036854775807 AGGREGATION twa 2 EMPTY",
    ],
)
def test_the_empty_buckets_of_a_whole_answer_are_limited(wide: Any, query: str) -> None:
    assert wide.line(query) == TOO_MANY


def test_no_series_is_read_for_an_answer_with_too_many_empty_buckets(
    wide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("januskv.storage.series_queries.select", lambda *_: pytest.fail("a series was read"))
    assert wide.line("TS.MRANGE - + AGGREGATION sum 1 EMPTY FILTER kind=wide") == TOO_MANY


def test_what_is_far_apart_in_a_chunk_but_not_in_the_range_is_no_obstacle(wide: Any) -> None:
    replies = wide.line("TS.MRANGE 11 + AGGREGATION sum 1 EMPTY FILTER kind=wide")
    assert replies == [[name, [], rows((2_000_009, "3"))] for name in (b"a", b"b", b"c")]


def test_only_the_buckets_that_count_lets_through_are_made(wide: Any) -> None:
    first = rows((4, "1"), (6, "0"), (8, "0"))
    assert wide.line("TS.RANGE all - + COUNT 3 AGGREGATION sum 2 EMPTY") == first
    last = rows((MOST_TIME - 1, "3"), (MOST_TIME - 3, "3"))
    assert wide.line("TS.REVRANGE all - + COUNT 2 AGGREGATION last 2 EMPTY") == last
    assert wide.line("TS.MRANGE - + COUNT 3 AGGREGATION sum 2 EMPTY FILTER kind=widest") == [[b"all", [], first]]
    every = rows((0, "1"), (1 << 62, "3"))
    assert wide.line("TS.RANGE all - + COUNT 9223372036854775807 AGGREGATION sum 4611686018427387904 EMPTY") == every


def test_functions_are_limited(wide: Any) -> None:
    assert wide("TS.RANGE", "a", "-", "+", "AGGREGATION", ",".join(["sum"] * 100), 10) == ErrorReply(
        "ERR TSDB: Unknown aggregation type"
    )


# The command lines in which a number may stand, with what is told of one that is none. Those of RedisTimeSeries 1.12.9,
# as far as they are recorded; it reads the beginning of 1_0 and 0x10 as a value and passes over the rest.
INTEGERS = [
    ("TS.ADD s {} 1", "invalid timestamp"),
    ("TS.MADD s 100 1 s {} 1", "invalid timestamp"),
    ("TS.INCRBY s 1 TIMESTAMP {}", "invalid timestamp"),
    ("TS.CREATE n RETENTION {}", "Couldn't parse RETENTION"),
    ("TS.CREATE n CHUNK_SIZE {}", "Couldn't parse CHUNK_SIZE"),
    ("TS.CREATE n IGNORE {} 1", "Couldn't parse IGNORE"),
    ("TS.ALTER s RETENTION {}", "Couldn't parse RETENTION"),
    ("TS.DEL s {} 100", "wrong fromTimestamp"),
    ("TS.DEL s 100 {}", "wrong toTimestamp"),
    ("TS.RANGE s {} +", "wrong fromTimestamp"),
    ("TS.REVRANGE s - {}", "wrong toTimestamp"),
    ("TS.MRANGE - {} FILTER host=a", "wrong toTimestamp"),
    ("TS.RANGE s - + COUNT {}", "Couldn't parse COUNT"),
    ("TS.RANGE s - + FILTER_BY_TS {}", "FILTER_BY_TS one or more arguments are missing"),
    ("TS.RANGE s - + AGGREGATION avg {}", "Couldn't parse AGGREGATION"),
    ("TS.RANGE s - + ALIGN {} AGGREGATION avg 10", "unknown ALIGN parameter"),
    ("TS.CREATERULE s t AGGREGATION avg {}", "Couldn't parse AGGREGATION"),
    ("TS.CREATERULE s t AGGREGATION avg 10 {}", "Couldn't parse alignTimestamp"),
]
NO_INTEGERS = (
    "1_0",
    "' 1'",
    "'1 '",
    "+1",
    "\u0661",
    "0x10",
    "1e1000",
    "1e2",
    "1.0",
    "nan",
    "inf",
    "-0",
    "''",
    "01",
    '"1\\x00"',
    "9223372036854775808",
)
VALUES = [
    ("TS.ADD s 100 {}", "invalid value"),
    ("TS.MADD s 100 {}", "invalid value"),
    ("TS.MADD s 100 1 s 101 {} s 102 3", "invalid value"),
]
NO_VALUES = (
    "1_0",
    "' 1'",
    "'1 '",
    "+1",
    "\u0661",
    "0x10",
    "1e1000",
    "-1e400",
    "infinity",
    ".5",
    "1.",
    "-.5",
    "01",
    "1e",
    "--1",
    "1-",
    "''",
    '"1\\x00"',
)
DOUBLES = [
    ("TS.INCRBY n {}", "invalid increase/decrease value"),
    ("TS.DECRBY n {}", "invalid increase/decrease value"),
    ("TS.CREATE n IGNORE 1 {}", "Couldn't parse IGNORE"),
    ("TS.RANGE s - + FILTER_BY_VALUE {} 5", "Couldn't parse MIN"),
    ("TS.RANGE s - + FILTER_BY_VALUE 5 {}", "Couldn't parse MAX"),
]
NO_DOUBLES = ("1_0", "' 1'", "'1 '", "\u0661", "1e1000", "nan", "1e", "--1", "''", '"1\\x00"')
ODD = [
    (line.format(odd), text)
    for lines, numbers in ((INTEGERS, NO_INTEGERS), (VALUES, NO_VALUES), (DOUBLES, NO_DOUBLES))
    for line, text in lines
    for odd in numbers
]


@pytest.mark.parametrize(("command", "text"), ODD)
def test_numbers_are_read_strictly(series: Any, command: str, text: str) -> None:
    error = ErrorReply(f"ERR TSDB: {text}")
    reply = series.line(command)
    assert (reply == error) or (error in reply and command.startswith("TS.MADD"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e2", "100"),
        ("-0.5E-1", "-5E-2"),
        ("1e20", "1E20"),
        ("nan", "NaN"),
        ("inf", "Infinity"),
        ("-Inf", "-Infinity"),
        ("-0", "-0"),
        ("1e-400", "0"),
    ],
)
def test_values_that_are_numbers(series: Any, text: str, value: str) -> None:
    series.line(f"TS.ADD s 100 {text}")
    series.line(f"TS.MADD s 101 {text} s 102 {text}")
    assert [reply[1] for reply in series.line("TS.RANGE s 100 102")] == [Simple(value.encode())] * 3


LAST = 2**63 - 1


@pytest.mark.parametrize(
    ("line", "times"),
    [
        (f"AGGREGATION sum {LAST} BUCKETTIMESTAMP high", [LAST, LAST]),
        (f"AGGREGATION sum {LAST} BUCKETTIMESTAMP mid", [LAST // 2, LAST]),
        (f"AGGREGATION sum {LAST - 1} BUCKETTIMESTAMP +", [LAST - 1, LAST]),
        (f"AGGREGATION sum {2**62} BUCKETTIMESTAMP ~", [2**61, 2**62 + 2**61]),
        (f"ALIGN {LAST} AGGREGATION sum {LAST}", [0, LAST]),
        (f"ALIGN {2**62} AGGREGATION sum {2**62 + 1} EMPTY", [0, 2**62]),
        (f"ALIGN 1 AGGREGATION twa {2**62} EMPTY BUCKETTIMESTAMP high", [2**62 + 1, LAST]),
        ("AGGREGATION last 10 BUCKETTIMESTAMP high", [10, LAST]),
    ],
)
def test_buckets_near_the_last_time(wire: Any, line: str, times: list[int]) -> None:
    wire.line("TS.ADD s 5 1 LABELS l x")
    wire.line(f"TS.ADD s {LAST} 2")
    assert [reply[0] for reply in wire.line(f"TS.RANGE s - + {line}")] == times
    assert [reply[0] for reply in wire.line(f"TS.MREVRANGE - + {line} FILTER l=x")[0][2]] == times[::-1]


def test_rules_with_the_longest_bucket(wire: Any) -> None:
    for name in "ab":
        wire.line(f"TS.CREATE {name}")
    wire.line(f"TS.CREATERULE a b AGGREGATION twa {LAST} 7")
    wire.line(f"TS.MADD a 3 1 a 9 2 a {LAST} 3")
    assert [reply[0] for reply in wire.line("TS.RANGE b - + LATEST")] == [0, 7]
    assert wire.line("TS.DEL a 3 9") == 2
