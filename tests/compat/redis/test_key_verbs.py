"""Verbs on keys and databases: what each answers and refuses. The transcripts compare more of it with redis-server."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import words

from januskv.compat.server.faults import RespError
from januskv.resp.replies import OK, ErrorReply, Simple
from januskv.storage.errors import NoSuchKey, NoSuchSession, NotAnInteger

INT64_MAX = (1 << 63) - 1


def refusal(call: Any, line: str) -> str:
    """The error text of a refused line."""
    with pytest.raises(RespError) as refused:
        call(*[word.strip("'") for word in line.split()])
    return refused.value.text


class TestExistence:
    def test_counts_and_removes(self, call: Any) -> None:
        call("MSET", "a", 1, "b", 2, "c", 3)
        assert call("EXISTS", "a", "b", "missing", "a") == 3
        assert call("TOUCH", "a", "missing") == 1
        assert [call("DEL", "a", "missing", "a"), call("UNLINK", "b", "c"), call("DBSIZE")] == [1, 2, 0]

    def test_types(self, call: Any, house: Any) -> None:
        keyspace = house.store.databases[0]
        for value, kind in ((b"", "string"), (5, "string"), ({b"f": b""}, "hash"), ([b""], "list")):
            keyspace.put(b"k", value)
            assert call("TYPE", "k") == Simple(kind.encode())
        assert call("TYPE", "missing") == Simple(b"none")

    def test_expired_keys_are_nowhere(self, call: Any, house: Any) -> None:
        call("SET", "k", "v", "PX", 10)
        house.clock.advance(11)
        house.store.databases[0].put(b"other", b"")
        assert call("KEYS", "*") == [b"other"]
        assert call("SCAN", 0)[1] == [b"other"]
        assert call("RANDOMKEY") == b"other"
        assert [call("EXISTS", "k"), call("TYPE", "k"), call("TTL", "k")] == [0, Simple(b"none"), -2]
        assert call("DEL", "k") == 0

    def test_no_key_at_random(self, call: Any) -> None:
        assert call("RANDOMKEY") is None


class TestScan:
    def test_returns_every_key(self, call: Any) -> None:
        for number in range(100):
            call("SET", f"k{number}", "v")
        cursor, found = call("SCAN", 0, "COUNT", 7)
        steps = 1
        while cursor != b"0":
            cursor, names = call("SCAN", cursor, "COUNT", 7)
            found += names
            steps += 1
        assert sorted(found) == sorted(call("KEYS", "*"))
        assert steps == 15

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            ("", {b"hash", b"list", b"string", b"number"}),
            ("MATCH *s*", {b"hash", b"list", b"string"}),
            ("TYPE string", {b"string", b"number"}),
            ("TYPE HASH", {b"hash"}),
            ("TYPE nosuch", set()),
            ("MATCH *s* TYPE list COUNT 100", {b"list"}),
            ("type hash type list", {b"list"}),
        ],
    )
    def test_filters(self, call: Any, house: Any, options: str, names: set[bytes]) -> None:
        for name, value in ((b"hash", {b"f": b""}), (b"list", [b""]), (b"string", b""), (b"number", 7)):
            house.store.databases[0].put(name, value)
        cursor, found = call("SCAN", 0, *options.split())
        assert (cursor, set(found)) == (b"0", names)

    @pytest.mark.parametrize(
        ("line", "error"),
        [
            ("SCAN x", "ERR invalid cursor"),
            ("SCAN -1", "ERR invalid cursor"),
            ("SCAN ''", "ERR invalid cursor"),
            ("SCAN 18446744073709551616", "ERR invalid cursor"),
            ("SCAN x BAD", "ERR invalid cursor"),
            ("SCAN 0 BAD", "ERR syntax error"),
            ("SCAN 0 MATCH", "ERR syntax error"),
            ("SCAN 0 COUNT 0", "ERR syntax error"),
            ("SCAN 0 COUNT -1", "ERR syntax error"),
            ("SCAN 0 NOVALUES", "ERR NOVALUES option can only be used in HSCAN"),
        ],
    )
    def test_refusals(self, call: Any, line: str, error: str) -> None:
        assert refusal(call, line) == error

    def test_a_count_that_is_no_integer(self, call: Any) -> None:
        with pytest.raises(NotAnInteger):
            call("SCAN", 0, "COUNT", "x")


class TestOtherNames:
    def test_rename_takes_the_deadline_along(self, call: Any) -> None:
        call("SET", "a", 1, "EX", 10)
        call("SET", "b", 2, "EX", 99)
        assert call("RENAME", "a", "b") == OK
        assert (call("GET", "b"), call("TTL", "b"), call("EXISTS", "a")) == (b"1", 10, 0)

    def test_renamenx(self, call: Any) -> None:
        call("MSET", "a", 1, "b", 2)
        assert [call("RENAMENX", "a", "b"), call("RENAMENX", "a", "c"), call("GET", "c")] == [0, 1, b"1"]

    @pytest.mark.parametrize("verb", ["RENAME", "RENAMENX"])
    def test_no_such_key(self, call: Any, verb: str) -> None:
        with pytest.raises(NoSuchKey):
            call(verb, "missing", "missing")

    def test_copy_takes_the_deadline_along(self, call: Any) -> None:
        call("SET", "a", 1, "EX", 10)
        assert [call("COPY", "a", "b"), call("TTL", "b"), call("COPY", "a", "b")] == [1, 10, 0]
        call("PERSIST", "a")
        assert [call("COPY", "a", "b", "REPLACE"), call("TTL", "b"), call("COPY", "missing", "x")] == [1, -1, 0]

    def test_a_copied_container_is_independent(self, call: Any, house: Any) -> None:
        keyspace = house.store.databases[0]
        keyspace.put(b"a", {b"f": [1, {"x": 2}]})
        call("COPY", "a", "b")
        keyspace.data[b"a"][b"f"][1]["x"] = 3
        assert keyspace.data[b"b"] == {b"f": [1, {"x": 2}]}

    def test_copy_and_move_to_another_database(self, call: Any, house: Any) -> None:
        call("SET", "a", 1, "EX", 10)
        assert [call("COPY", "a", "b", "DB", 1), call("MOVE", "a", 1), call("MOVE", "a", 1)] == [1, 1, 0]
        other = house.store.databases[1]
        assert other.data == {b"a": b"1", b"b": b"1"}
        assert set(other.deadlines) == {b"a", b"b"}
        assert call("DBSIZE") == 0
        for keyspace in house.store.databases:
            keyspace.check()

    def test_move_leaves_both_where_the_name_is_taken(self, call: Any, house: Any) -> None:
        call("SET", "a", 1)
        house.store.databases[1].put(b"a", b"there")
        assert [call("MOVE", "a", 1), call("GET", "a")] == [0, b"1"]

    def test_a_session_is_a_place_too(self, call: Any, house: Any) -> None:
        session = house.store.sessions.open_new("s", shared=True)
        call("MSET", "a", 1, "b", 2)
        assert [call("COPY", "a", "c", "DB", session.token), call("MOVE", "b", session.token)] == [1, 1]
        assert session.keyspace.data == {b"c": b"1", b"b": b"2"}
        with pytest.raises(NoSuchSession):
            call("MOVE", "a", (1 << 63) - 1)

    @pytest.mark.parametrize(
        ("line", "error"),
        [
            ("COPY a a", "ERR source and destination objects are the same"),
            ("COPY a a DB 0", "ERR source and destination objects are the same"),
            ("COPY a b DB 16", "ERR DB index is out of range"),
            ("COPY a b DB -1", "ERR DB index is out of range"),
            (
                "COPY a b DB 2147483648",
                "ERR value is out of range, value must between -2147483648 and 2147483647",
            ),
            ("COPY a b DB", "ERR syntax error"),
            ("COPY a b BAD", "ERR syntax error"),
            ("MOVE a 16", "ERR DB index is out of range"),
            ("MOVE a 0", "ERR source and destination objects are the same"),
        ],
    )
    def test_refusals(self, call: Any, line: str, error: str) -> None:
        call("SET", "a", 1)
        assert refusal(call, line) == error

    @pytest.mark.parametrize("number", ["x", "", "1.0", "01", "+1", "1_0", "18446744073709551616"])
    def test_places_that_are_no_integers(self, call: Any, number: str) -> None:
        call("SET", "a", 1)
        with pytest.raises(NotAnInteger):
            call("MOVE", "a", number)
        with pytest.raises(NotAnInteger):
            call("COPY", "a", "b", "DB", number)


class TestDeadlines:
    @pytest.mark.parametrize(
        ("line", "ttl_ms"),
        [
            ("EXPIRE k 10", 10_000),
            ("PEXPIRE k 10", 10),
            ("EXPIREAT k 1700000010", 10_000),
            ("PEXPIREAT k 1700000000010", 10),
            ("EXPIRE k 0", -2),
            ("EXPIRE k -10", -2),
            ("EXPIREAT k 1700000000", -2),
        ],
    )
    def test_four_ways_to_set_one(self, call: Any, line: str, ttl_ms: int) -> None:
        call("SET", "k", "v")
        assert call(*line.split()) == 1
        assert call("PTTL", "k") == ttl_ms

    @pytest.mark.parametrize(
        ("held", "seconds", "condition", "reply"),
        [
            (None, 10, "NX", 1),
            (None, 10, "XX", 0),
            (None, 10, "GT", 0),
            (None, 10, "LT", 1),
            (20, 10, "NX", 0),
            (20, 10, "XX", 1),
            (20, 10, "GT", 0),
            (20, 20, "GT", 0),
            (20, 30, "GT", 1),
            (20, 10, "LT", 1),
            (20, 20, "LT", 0),
            (20, 30, "LT", 0),
            (20, 30, "XX GT", 1),
            (None, 30, "XX LT", 0),
            (20, 10, "xx lt LT", 1),
            (20, -1, "GT", 0),
            (20, -1, "LT", 1),
        ],
    )
    def test_conditions(self, call: Any, held: int | None, seconds: int, condition: str, reply: int) -> None:
        call("SET", "k", "v")
        if held is not None:
            call("EXPIRE", "k", held)
        assert call("EXPIRE", "k", seconds, *condition.split()) == reply
        kept = -1 if held is None else held
        assert call("TTL", "k") == ((seconds if seconds > 0 else -2) if reply else kept)

    def test_reading_one(self, call: Any) -> None:
        call("SET", "k", "v", "PXAT", 1_700_000_001_600)
        assert [call("TTL", "k"), call("PTTL", "k")] == [2, 1600]
        assert [call("EXPIRETIME", "k"), call("PEXPIRETIME", "k")] == [1_700_000_002, 1_700_000_001_600]
        assert [call("PERSIST", "k"), call("PERSIST", "k"), call("PERSIST", "missing")] == [1, 0, 0]
        for verb in ("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"):
            assert [call(verb, "k"), call(verb, "missing")] == [-1, -2]

    @pytest.mark.parametrize(
        ("line", "error"),
        [
            ("EXPIRE k 9223372036854776", "ERR invalid expire time in 'expire' command"),
            ("EXPIRE k 9223372036854775", "ERR invalid expire time in 'expire' command"),
            ("EXPIRE k -9223372036854776", "ERR invalid expire time in 'expire' command"),
            ("PEXPIRE k 9223372036854775807", "ERR invalid expire time in 'pexpire' command"),
            ("EXPIREAT k 9223372036854776", "ERR invalid expire time in 'expireat' command"),
            ("EXPIRE missing 9223372036854776", "ERR invalid expire time in 'expire' command"),
            ("EXPIRE k 10 BAD", "ERR Unsupported option BAD"),
            ("EXPIRE k x BAD", "ERR Unsupported option BAD"),
            ("EXPIRE k 10 NX GT", "ERR NX and XX, GT or LT options at the same time are not compatible"),
            ("EXPIRE k 10 GT LT", "ERR GT and LT options at the same time are not compatible"),
        ],
    )
    def test_refusals(self, call: Any, line: str, error: str) -> None:
        call("SET", "k", "v")
        assert refusal(call, line) == error
        assert call("TTL", "k") == -1

    def test_the_latest_possible_one(self, call: Any) -> None:
        call("SET", "k", "v")
        assert call("PEXPIREAT", "k", INT64_MAX) == 1
        assert call("PEXPIRETIME", "k") == INT64_MAX


class TestObject:
    @pytest.mark.parametrize(
        ("value", "encoding"),
        [
            (b"123", "int"),
            (123, "int"),
            (b"9223372036854775808", "embstr"),
            (b"-0", "embstr"),
            (b"", "embstr"),
            (b"x" * 44, "embstr"),
            (b"x" * 45, "raw"),
            (True, "embstr"),
            ({b"f": b"v"}, "listpack"),
            ({b"f": b"v" * 65}, "hashtable"),
            ({b"f" * 65: b"v"}, "hashtable"),
            ({b"%d" % i: b"" for i in range(512)}, "listpack"),
            ({b"%d" % i: b"" for i in range(513)}, "hashtable"),
            ([b"a"], "listpack"),
            ([b"a" * 9000], "quicklist"),
        ],
    )
    def test_encoding(self, call: Any, house: Any, value: object, encoding: str) -> None:
        house.store.databases[0].put(b"k", value)
        assert call("OBJECT", "ENCODING", "k") == encoding

    def test_thresholds_are_configured(self, call: Any, house: Any) -> None:
        house.store.databases[0].put(b"k", {b"f": b"v", b"g": b"v"})
        house.server.config.hash_max_listpack_entries = 1
        assert call("OBJECT", "ENCODING", "k") == "hashtable"

    def test_the_others(self, call: Any) -> None:
        call("SET", "k", "v")
        assert call("OBJECT", "REFCOUNT", "k") == 1
        assert refusal(call, "OBJECT FREQ k").startswith("ERR An LFU maxmemory policy is not selected")
        assert call("OBJECT", "IDLETIME", "k") == 0
        for sub in ("ENCODING", "REFCOUNT", "FREQ", "IDLETIME"):
            assert call("OBJECT", sub, "missing") is None


class TestDatabases:
    def test_flushdb_empties_one_flushall_all(self, call: Any, house: Any) -> None:
        for keyspace in house.store.databases:
            keyspace.put(b"k", b"v")
        assert call("FLUSHDB", "async") == OK
        assert [len(keyspace) for keyspace in house.store.databases] == [0] + [1] * 15
        assert call("FLUSHALL", "SYNC") == OK
        assert sum(map(len, house.store.databases)) == 0

    def test_inside_a_session(self, wire: Any, house: Any) -> None:
        session = house.store.sessions.open_new("s", shared=True)
        house.store.databases[0].put(b"k", b"v")
        wire("SELECT", session.token)
        wire("SET", "in", "session")
        assert wire("DBSIZE") == 1
        assert wire("FLUSHALL") == OK
        assert [wire("DBSIZE"), len(house.store.databases[0])] == [1, 0]
        house.store.databases[0].put(b"k", b"v")
        assert wire("FLUSHDB") == OK
        assert [wire("DBSIZE"), len(house.store.databases[0])] == [0, 1]

    def test_swapdb(self, call: Any, house: Any) -> None:
        call("SET", "a", 1, "EX", 10)
        house.store.databases[3].put(b"b", b"2")
        assert call("SWAPDB", 0, 3) == OK
        assert [call("KEYS", "*"), house.store.databases[3].deadline_of(b"a") is not None] == [[b"b"], True]
        assert call("SWAPDB", 3, 3) == OK
        for keyspace in house.store.databases:
            keyspace.check()

    @pytest.mark.parametrize(
        ("line", "error"),
        [
            ("FLUSHDB BAD", "ERR syntax error"),
            ("FLUSHALL SYNC ASYNC", "ERR syntax error"),
            ("SWAPDB x 1", "ERR invalid first DB index"),
            ("SWAPDB 0 x", "ERR invalid second DB index"),
            ("SWAPDB 0 2147483648", "ERR invalid second DB index"),
            ("SWAPDB 0 16", "ERR DB index is out of range"),
            ("SWAPDB -1 0", "ERR DB index is out of range"),
        ],
    )
    def test_refusals(self, call: Any, line: str, error: str) -> None:
        call("SET", "k", "v")
        assert refusal(call, line) == error
        assert call("DBSIZE") == 1


class TestHitsAndMisses:
    """Which commands count as look-ups, as in Redis (INFO's keyspace_hits and keyspace_misses)."""

    @pytest.mark.parametrize(
        "line",
        [
            "GET {}",
            "GETEX {}",
            "GETDEL {}",
            "GETSET {} v",
            "SET {} v GET",
            "STRLEN {}",
            "GETRANGE {} 0 1",
            "EXISTS {}",
            "TOUCH {}",
            "TYPE {}",
            "TTL {}",
            "PTTL {}",
            "EXPIRETIME {}",
            "PEXPIRETIME {}",
            "COPY {} x",
            "OBJECT ENCODING {}",
            "OBJECT REFCOUNT {}",
        ],
    )
    def test_counted(self, call: Any, house: Any, line: str) -> None:
        keyspace = house.store.databases[0]
        keyspace.put(b"there", b"v")
        call(*line.format("there").split())
        call(*line.format("missing").split())
        assert (keyspace.hits, keyspace.misses) == (1, 1)

    @pytest.mark.parametrize(
        "line",
        ["SET {} v", "SETNX {} v", "APPEND {} 1", "INCR {}", "DEL {}", "EXPIRE {} 9", "PERSIST {}", "MOVE {} 1"],
    )
    def test_not_counted(self, call: Any, house: Any, line: str) -> None:
        keyspace = house.store.databases[0]
        keyspace.put(b"there", b"5")
        call(*line.format("there").split())
        call(*line.format("missing").split())
        assert (keyspace.hits, keyspace.misses) == (0, 0)


def test_wrong_numbers_of_arguments_are_refused(wire: Any) -> None:
    for line in ("DEL", "EXISTS", "TYPE a b", "RENAME a", "EXPIRE a", "TTL", "SWAPDB 0", "SCAN", "KEYS", "COPY a"):
        name = line.split()[0].lower()
        assert wire.line(line) == ErrorReply(f"ERR wrong number of arguments for '{name}' command")


class TestAccess:
    """OBJECT IDLETIME: what renews the time of access of a key."""

    @pytest.fixture
    def idle(self, call: Any, house: Any) -> Any:
        """Makes a key, waits 10 s, runs a line; how long the key has been idle then."""

        def after(line: str) -> Any:
            call("SET", "k", "5")
            house.advance(10_000)
            call(*words(line))
            return call("OBJECT", "IDLETIME", "k")

        return after

    @pytest.mark.parametrize(
        "line", ["GET k", "SET k 2", "INCR k", "GETRANGE k 0 1", "TOUCH k", "APPEND k x", "EXPIRE k 99"]
    )
    def test_renewed(self, idle: Any, line: str) -> None:
        assert idle(line) == 0

    @pytest.mark.parametrize(
        "line", ["EXISTS k", "TTL k", "TYPE k", "OBJECT ENCODING k", "MEMORY USAGE k", "GET other", "KEYS *"]
    )
    def test_not_renewed(self, idle: Any, line: str) -> None:
        assert idle(line) == 10

    def test_a_client_that_does_not_touch(self, house: Any, wire: Any) -> None:
        wire.line("SET k v")
        wire.line("CLIENT NO-TOUCH on")
        house.advance(4000)
        wire.line("GET k")
        assert wire.line("OBJECT IDLETIME k") == 4
        wire.line("TOUCH k")
        assert wire.line("OBJECT IDLETIME k") == 0
        house.advance(3000)
        wire.line("CLIENT NO-TOUCH off")
        assert wire.line("OBJECT IDLETIME k") == 3
        wire.line("GET k")
        assert wire.line("OBJECT IDLETIME k") == 0
