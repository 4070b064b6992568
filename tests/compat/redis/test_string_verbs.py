"""String commands: what each answers and what it refuses. The transcripts compare more of it with redis-server."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.compat.server.faults import RespError
from januskv.resp.replies import OK
from januskv.storage.errors import (
    IncrementNotFinite,
    IncrementOverflow,
    NotAFloat,
    NotAnInteger,
    StringTooLong,
    WrongType,
)
from januskv.storage.values import NULL

INT64_MAX = (1 << 63) - 1


class TestSet:
    @pytest.mark.parametrize(
        ("options", "reply", "holds"),
        [
            pytest.param("", OK, b"new", id="over an old value"),
            pytest.param("XX", OK, b"new", id="XX with a key"),
            pytest.param("NX", None, b"old", id="NX with a key"),
            pytest.param("GET", b"old", b"new", id="GET answers the old value"),
            pytest.param("NX GET", b"old", b"old", id="NX and GET with a key"),
            pytest.param("get xx", b"old", b"new", id="lower case, any order"),
        ],
    )
    def test_with_a_key(self, call: Any, options: str, reply: object, holds: bytes) -> None:
        call("SET", "k", "old")
        assert call("SET", "k", "new", *options.split()) == reply
        assert call("GET", "k") == holds

    @pytest.mark.parametrize(
        ("options", "reply", "holds"),
        [
            pytest.param("NX", OK, b"new", id="NX"),
            pytest.param("XX", None, None, id="XX"),
            pytest.param("GET", None, b"new", id="GET"),
            pytest.param("NX GET", None, b"new", id="NX and GET"),
            pytest.param("XX GET", None, None, id="XX and GET"),
        ],
    )
    def test_without_a_key(self, call: Any, options: str, reply: object, holds: bytes | None) -> None:
        assert call("SET", "k", "new", *options.split()) == reply
        assert call("GET", "k") == holds

    @pytest.mark.parametrize(
        ("options", "ttl_ms"),
        [
            pytest.param("EX 10", 10_000, id="seconds"),
            pytest.param("PX 1500", 1_500, id="milliseconds"),
            pytest.param("EXAT 1700000010", 10_000, id="a second of the epoch"),
            pytest.param("PXAT 1700000000001", 1, id="a millisecond of the epoch"),
            pytest.param("KEEPTTL", 50_000, id="the old deadline stays"),
            pytest.param("", -1, id="no deadline"),
            pytest.param("EX 10 EX 20", 20_000, id="the last one of two counts"),
        ],
    )
    def test_deadlines(self, call: Any, options: str, ttl_ms: int) -> None:
        call("SET", "k", "old", "EX", 50)
        assert call("SET", "k", "new", *options.split()) == OK
        assert call("PTTL", "k") == ttl_ms

    def test_a_deadline_that_has_passed_is_not_kept(self, call: Any, house: Any) -> None:
        call("SET", "k", "v", "PX", 10)
        house.clock.advance(11)
        call("SET", "k", "v", "KEEPTTL")
        assert call("PTTL", "k") == -1

    def test_a_time_in_the_past_leaves_no_key(self, call: Any) -> None:
        assert call("SET", "k", "v", "EXAT", 1) == OK
        assert call("GET", "k") is None

    @pytest.mark.parametrize(
        "options",
        ["NX XX", "EX", "EX 10 PX 10", "KEEPTTL EX 10", "EX 10 KEEPTTL", "PERSIST", "BAD", "NX NX XX", "GET EX", "10"],
    )
    def test_syntax_errors_change_nothing(self, call: Any, options: str) -> None:
        call("SET", "k", "old")
        with pytest.raises(RespError, match=r"^ERR syntax error$"):
            call("SET", "k", "new", *options.split())
        assert call("GET", "k") == b"old"

    @pytest.mark.parametrize("amount", [0, -1, INT64_MAX, INT64_MAX // 1000 + 1])
    @pytest.mark.parametrize(
        ("verb", "line"),
        [("set", "SET k v EX {}"), ("getex", "GETEX k EX {}"), ("setex", "SETEX k {} v")],
    )
    def test_impossible_times(self, call: Any, verb: str, line: str, amount: int) -> None:
        call("SET", "k", "old")
        with pytest.raises(RespError, match=rf"^ERR invalid expire time in '{verb}' command$"):
            call(*line.format(amount).split())
        assert (call("GET", "k"), call("TTL", "k")) == (b"old", -1)

    @pytest.mark.parametrize("option", ["EX", "PX", "EXAT", "PXAT"])
    @pytest.mark.parametrize("amount", ["x", "", "1.5", " 1", "01", "9223372036854775808"])
    def test_times_that_are_no_integers(self, call: Any, option: str, amount: str) -> None:
        with pytest.raises(NotAnInteger):
            call("SET", "k", "v", option, amount)


class TestGetAndItsKin:
    def test_getset_drops_the_deadline(self, call: Any) -> None:
        call("SET", "k", "v", "EX", 10)
        assert call("GETSET", "k", "w") == b"v"
        assert (call("GET", "k"), call("TTL", "k")) == (b"w", -1)

    def test_getdel(self, call: Any) -> None:
        call("SET", "k", "v")
        assert [call("GETDEL", "k"), call("GETDEL", "k")] == [b"v", None]

    def test_getex(self, call: Any) -> None:
        call("SET", "k", "v")
        assert (call("GETEX", "k", "EX", 10), call("TTL", "k")) == (b"v", 10)
        assert (call("GETEX", "k"), call("TTL", "k")) == (b"v", 10)
        assert (call("GETEX", "k", "PERSIST"), call("TTL", "k")) == (b"v", -1)
        assert (call("GETEX", "k", "PXAT", 1), call("EXISTS", "k")) == (b"v", 0)

    @pytest.mark.parametrize("options", ["BAD", "EX", "EX 10 PX 10", "EX 10 PERSIST", "PERSIST EX 10", "KEEPTTL", "NX"])
    def test_getex_refuses_before_it_looks(self, call: Any, options: str) -> None:
        with pytest.raises(RespError, match=r"^ERR syntax error$"):
            call("GETEX", "missing", *options.split())

    def test_getex_of_no_key_does_not_read_the_time(self, call: Any) -> None:
        assert call("GETEX", "missing", "EX", 0) is None

    def test_setnx_setex_psetex(self, call: Any) -> None:
        assert [call("SETNX", "k", 1), call("SETNX", "k", 2), call("GET", "k")] == [1, 0, b"1"]
        assert [call("SETEX", "k", 10, "v"), call("TTL", "k")] == [OK, 10]
        assert [call("PSETEX", "k", 1500, "v"), call("PTTL", "k")] == [OK, 1500]

    def test_many_keys(self, call: Any) -> None:
        assert call("MSET", "a", 1, "b", 2, "a", 3) == OK
        assert call("MGET", "a", "missing", "b", "a") == [b"3", None, b"2", b"3"]
        assert [call("MSETNX", "c", 1, "a", 9), call("MGET", "a", "c")] == [0, [b"3", None]]
        assert [call("MSETNX", "c", 1, "c", 2), call("GET", "c")] == [1, b"2"]

    @pytest.mark.parametrize("verb", ["MSET", "MSETNX"])
    def test_many_keys_come_in_pairs(self, call: Any, verb: str) -> None:
        with pytest.raises(RespError, match=rf"^ERR wrong number of arguments for '{verb.lower()}' command$"):
            call(verb, "a", 1, "b")
        assert call("DBSIZE") == 0

    def test_mset_drops_deadlines(self, call: Any) -> None:
        call("SET", "a", 1, "EX", 10)
        call("MSET", "a", 2)
        assert call("TTL", "a") == -1


class TestParts:
    @pytest.mark.parametrize(
        ("start", "end", "part"),
        [
            (0, 3, b"This"),
            (-3, -1, b"ing"),
            (0, -1, b"This is a string"),
            (10, 100, b"string"),
            (5, 2, b""),
            (-1, -5, b""),
            (-100, -99, b"T"),
            (100, 200, b""),
            (-(1 << 63), INT64_MAX, b"This is a string"),
        ],
    )
    @pytest.mark.parametrize("verb", ["GETRANGE", "SUBSTR"])
    def test_getrange(self, call: Any, verb: str, start: int, end: int, part: bytes) -> None:
        call("SET", "k", "This is a string")
        assert call(verb, "k", start, end) == part
        assert call(verb, "missing", start, end) == b""

    @pytest.mark.parametrize(
        ("offset", "part", "whole"),
        [
            pytest.param(0, "J", b"Jello", id="at the beginning"),
            pytest.param(3, "xyz", b"helxyz", id="over the end"),
            pytest.param(5, "!", b"hello!", id="at the end"),
            pytest.param(7, "!", b"hello\0\0!", id="behind the end"),
            pytest.param(99, "", b"hello", id="nothing, anywhere"),
        ],
    )
    def test_setrange(self, call: Any, offset: int, part: str, whole: bytes) -> None:
        call("SET", "k", "hello", "EX", 10)
        assert call("SETRANGE", "k", offset, part) == len(whole)
        assert (call("GET", "k"), call("TTL", "k")) == (whole, 10)

    def test_setrange_of_nothing_makes_no_key(self, call: Any) -> None:
        assert [call("SETRANGE", "k", 5, ""), call("EXISTS", "k")] == [0, 0]

    def test_append_and_strlen(self, call: Any) -> None:
        assert [call("APPEND", "k", "ab"), call("APPEND", "k", "c"), call("STRLEN", "k")] == [2, 3, 3]
        assert call("STRLEN", "missing") == 0

    def test_a_negative_offset_is_refused(self, call: Any) -> None:
        with pytest.raises(RespError, match=r"^ERR offset is out of range$"):
            call("SETRANGE", "k", -1, "")

    @pytest.mark.parametrize("line", ["SETRANGE k 1048576 x", "SETRANGE k 9223372036854775807 x", "APPEND k x"])
    def test_strings_have_a_greatest_length(self, call: Any, house: Any, line: str) -> None:
        house.store.max_string_bytes = 1 << 20
        call("SET", "k", b"x" * (1 << 20))
        with pytest.raises(StringTooLong):
            call(*line.split())
        assert call("STRLEN", "k") == 1 << 20

    def test_the_greatest_length_is_configured(self, wire: Any) -> None:
        assert wire("CONFIG", "SET", "proto-max-bulk-len", "1mb") == OK
        assert wire("SETRANGE", "k", (1 << 20) - 1, "x") == 1 << 20
        assert wire("APPEND", "k", "x").text == b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"


class TestCounters:
    def test_all_four(self, call: Any) -> None:
        assert [call("INCR", "k"), call("INCRBY", "k", 10), call("DECR", "k"), call("DECRBY", "k", 4)] == [1, 11, 10, 6]

    def test_they_keep_the_deadline(self, call: Any) -> None:
        call("SET", "k", 5, "EX", 10)
        call("INCR", "k")
        call("INCRBYFLOAT", "k", 1)
        assert (call("GET", "k"), call("TTL", "k")) == (b"7", 10)

    @pytest.mark.parametrize("text", ["abc", "", " 1", "1 ", "01", "+1", "-0", "1.0", "9223372036854775808", "0x1"])
    def test_texts_that_are_no_integers(self, call: Any, text: str) -> None:
        call("SET", "k", text)
        for line in (["INCR", "k"], ["DECR", "k"], ["INCRBY", "other", text], ["DECRBY", "other", text]):
            with pytest.raises(NotAnInteger):
                call(*line)
        assert (call("GET", "k"), call("EXISTS", "other")) == (text.encode(), 0)

    @pytest.mark.parametrize(
        ("held", "line"),
        [
            (INT64_MAX, "INCR k"),
            (-INT64_MAX - 1, "DECR k"),
            (-2, f"DECRBY k {INT64_MAX}"),
            (5, f"INCRBY k {INT64_MAX - 4}"),
        ],
    )
    def test_overflow_changes_nothing(self, call: Any, held: int, line: str) -> None:
        call("SET", "k", held)
        with pytest.raises(IncrementOverflow):
            call(*line.split())
        assert call("GET", "k") == b"%d" % held

    def test_the_least_integer_cannot_be_taken_away(self, call: Any) -> None:
        with pytest.raises(RespError, match=r"^ERR decrement would overflow$"):
            call("DECRBY", "k", -(1 << 63))

    def test_floats(self, call: Any) -> None:
        call("SET", "k", "10.50")
        assert [call("INCRBYFLOAT", "k", "0.1"), call("INCRBYFLOAT", "k", "-5.0e3")] == [
            b"10.6",
            b"-4989.39999999999999991",
        ]
        assert call("INCRBYFLOAT", "new", "3.0") == b"3"

    def test_what_is_no_float(self, call: Any) -> None:
        call("SET", "k", "abc")
        with pytest.raises(NotAFloat):
            call("INCRBYFLOAT", "k", 1)
        with pytest.raises(NotAFloat):
            call("INCRBYFLOAT", "other", "abc")
        with pytest.raises(IncrementNotFinite):
            call("INCRBYFLOAT", "other", "inf")
        assert call("EXISTS", "other") == 0


class TestJsonValues:
    """Strings that the native commands have set as JSON numbers, booleans and null."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [(26, b"26"), (0.5, b"0.5"), (True, b"true"), (False, b"false"), (NULL, b"null")],
    )
    def test_reading_shows_their_text(self, call: Any, house: Any, value: object, text: bytes) -> None:
        keyspace = house.store.databases[0]
        keyspace.put(b"k", value)
        assert call("GET", "k") == text
        assert call("MGET", "k") == [text]
        assert call("STRLEN", "k") == len(text)
        assert call("GETRANGE", "k", 0, 0) == text[:1]
        assert keyspace.data[b"k"] is value

    def test_counting_keeps_a_json_integer_one(self, call: Any, house: Any) -> None:
        keyspace = house.store.databases[0]
        keyspace.put(b"k", 26)
        assert call("INCR", "k") == 27
        assert keyspace.data[b"k"] == 27
        assert type(keyspace.data[b"k"]) is int

    def test_a_counter_that_begins_is_a_json_integer(self, call: Any, house: Any) -> None:
        call("INCRBY", "k", 5)
        assert house.store.databases[0].data[b"k"] == 5

    def test_counting_in_a_byte_string_leaves_one(self, call: Any, house: Any) -> None:
        call("SET", "k", 5)
        call("INCR", "k")
        assert house.store.databases[0].data[b"k"] == b"6"

    @pytest.mark.parametrize("value", [True, NULL, 0.5, 1.0, (1 << 63), (1 << 64) - 1])
    def test_what_is_no_counter(self, call: Any, house: Any, value: object) -> None:
        house.store.databases[0].put(b"k", value)
        with pytest.raises(NotAnInteger):
            call("INCR", "k")
        assert house.store.databases[0].data[b"k"] is value

    def test_changing_the_text_leaves_bytes_and_a_sum_a_number(self, call: Any, house: Any) -> None:
        keyspace = house.store.databases[0]
        keyspace.put(b"k", 26)
        assert call("APPEND", "k", "0") == 3
        assert keyspace.data[b"k"] == b"260"
        keyspace.put(b"k", True)
        assert call("SETRANGE", "k", 0, "T") == 4
        assert keyspace.data[b"k"] == b"True"
        keyspace.put(b"k", 0.5)
        assert call("INCRBYFLOAT", "k", 1) == b"1.5"
        assert keyspace.data[b"k"] == 1.5


@pytest.mark.parametrize("value", [{b"f": b"v"}, [b"a"]], ids=["hash", "list"])
@pytest.mark.parametrize(
    "line",
    [
        "GET k",
        "GETDEL k",
        "GETEX k",
        "GETEX k EX 10",
        "GETSET k v",
        "SET k v GET",
        "SET k v NX GET",
        "STRLEN k",
        "APPEND k x",
        "GETRANGE k 0 1",
        "SUBSTR k 0 1",
        "SETRANGE k 0 x",
        "SETRANGE k 0 ''",
        "INCR k",
        "DECR k",
        "INCRBY k 1",
        "DECRBY k 1",
        "INCRBYFLOAT k 1",
    ],
)
def test_other_kinds_are_refused_and_left_alone(call: Any, house: Any, value: object, line: str) -> None:
    house.store.databases[0].put(b"k", value)
    with pytest.raises(WrongType):
        call(*[word.strip("'") for word in line.split()])
    assert house.store.databases[0].data[b"k"] is value


def test_other_kinds_are_passed_over_by_mget_and_overwritten_by_set(call: Any, house: Any) -> None:
    house.store.databases[0].put(b"k", [b"a"])
    assert call("MGET", "k") == [None]
    assert call("SETNX", "k", "v") == 0
    assert call("SET", "k", "v") == OK
    assert call("GET", "k") == b"v"


class TestLcs:
    def test_its_three_forms(self, call: Any) -> None:
        call("MSET", "a", "ohmytext", "b", "mynewtext")
        assert call("LCS", "a", "b") == b"mytext"
        assert call("LCS", "a", "b", "LEN") == 6
        assert call("LCS", "a", "b", "IDX") == {b"matches": [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], b"len": 6}
        assert call("LCS", "a", "b", "IDX", "MINMATCHLEN", 4, "WITHMATCHLEN") == {
            b"matches": [[[4, 7], [5, 8], 4]],
            b"len": 6,
        }
        assert call("LCS", "a", "missing") == b""

    @pytest.mark.parametrize(
        ("line", "error"),
        [
            ("a b LEN IDX", "ERR If you want both the length and indexes, please just use IDX."),
            ("a b BAD", "ERR syntax error"),
            ("a b MINMATCHLEN", "ERR syntax error"),
            ("a l BAD", "ERR The specified keys must contain string values"),
            ("big big LEN", "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"),
        ],
    )
    def test_refusals(self, call: Any, house: Any, line: str, error: str) -> None:
        house.store.databases[0].put(b"l", [b"a"])
        house.store.max_string_bytes = 1 << 20
        call("SET", "big", "x" * 600)
        with pytest.raises(RespError) as refused:
            call("LCS", *line.split())
        assert refused.value.text == error
