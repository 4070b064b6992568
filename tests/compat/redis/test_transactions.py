"""MULTI, EXEC, DISCARD, WATCH, UNWATCH."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import NULL_ARRAY, OK, QUEUED, ErrorReply, Simple

PONG = Simple(b"PONG")
ABORTED = ErrorReply("EXECABORT Transaction discarded because of previous errors.")


def run(wire: Any, *lines: str) -> Any:
    """Run lines in a transaction; what EXEC answers."""
    assert wire("MULTI") == OK
    for line in lines:
        assert wire.line(line) == QUEUED
    return wire("EXEC")


class TestQueueing:
    def test_nothing_runs_before_exec(self, house: Any, wire: Any) -> None:
        wire("MULTI")
        assert wire("SET", "k", "v") == QUEUED
        assert len(house.store.databases[0]) == 0
        assert wire("EXEC") == [OK]
        assert wire("GET", "k") == b"v"

    def test_replies_in_order_errors_among_them(self, wire: Any) -> None:
        assert run(wire, "SET k a", "INCR k", "GET k", "STRLEN k") == [
            OK,
            ErrorReply("ERR value is not an integer or out of range"),
            b"a",
            1,
        ]

    def test_an_empty_transaction(self, wire: Any) -> None:
        assert run(wire) == []

    def test_on_the_wire(self, wire: Any) -> None:
        sent = b"MULTI\r\nINCR a\r\nGET a\r\nEXEC\r\n"
        assert wire.send(sent) == b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n$1\r\n1\r\n"

    @pytest.mark.parametrize(
        ("protocol", "null"),
        [pytest.param("2", b"*-1\r\n", id="RESP2"), pytest.param("3", b"_\r\n", id="RESP3")],
    )
    def test_null_on_the_wire(self, house: Any, wire: Any, protocol: str, null: bytes) -> None:
        wire("HELLO", protocol)
        wire("WATCH", "k")
        house.connect()("SET", "k", 1)
        wire("MULTI")
        assert wire.send(b"EXEC\r\n") == null

    def test_select_holds_on(self, wire: Any) -> None:
        assert run(wire, "SELECT 1", "SET k v") == [OK, OK]
        assert [wire("GET", "k"), wire("SELECT", 0), wire("GET", "k")] == [b"v", OK, None]

    def test_discard(self, house: Any, wire: Any) -> None:
        wire("MULTI")
        wire("SET", "k", "v")
        assert wire("DISCARD") == OK
        assert [wire("GET", "k"), wire("PING")] == [None, PONG]

    def test_a_connection_that_goes_leaves_nothing(self, house: Any, wire: Any) -> None:
        wire("WATCH", "k")
        wire("MULTI")
        wire("SET", "k", "v")
        wire.connection.connection_lost(None)
        assert len(house.store.databases[0]) == 0
        assert not house.server.watches.by_key
        assert not house.store.feed.listeners


class TestRefusals:
    @pytest.mark.parametrize(
        "line",
        [
            pytest.param("NOSUCH x", id="no such command"),
            pytest.param("GET", id="too few arguments"),
            pytest.param("OBJECT NOSUCH x", id="no such subcommand"),
        ],
    )
    def test_what_cannot_be_queued_aborts(self, wire: Any, line: str) -> None:
        wire("MULTI")
        wire("SET", "k", "v")
        assert isinstance(wire.line(line), ErrorReply)
        assert wire("SET", "k", "w") == QUEUED
        assert wire("EXEC") == ABORTED
        assert [wire("GET", "k"), wire("EXEC")] == [None, ErrorReply("ERR EXEC without MULTI")]

    @pytest.mark.parametrize(
        ("line", "error"),
        [
            ("MULTI", "ERR MULTI calls can not be nested"),
            ("WATCH k", "ERR WATCH inside MULTI is not allowed"),
        ],
    )
    def test_misplaced_ones_do_not_abort(self, wire: Any, line: str, error: str) -> None:
        wire("MULTI")
        wire("SET", "k", "v")
        assert wire.line(line) == ErrorReply(error)
        assert wire("EXEC") == [OK]

    @pytest.mark.parametrize("verb", ["EXEC", "DISCARD"])
    def test_without_multi(self, wire: Any, verb: str) -> None:
        assert wire(verb) == ErrorReply(f"ERR {verb} without MULTI")

    def test_exec_with_an_argument_ends_the_transaction(self, wire: Any) -> None:
        wire("MULTI")
        assert wire("EXEC", "x") == ErrorReply(
            "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"
        )
        assert wire("PING") == PONG

    def test_a_broken_watch_and_an_abort(self, house: Any, wire: Any) -> None:
        wire("WATCH", "k")
        house.connect()("SET", "k", 1)
        wire("MULTI")
        wire("NOSUCH")
        assert wire("EXEC") == ABORTED


class TestWatch:
    @pytest.mark.parametrize(
        "line",
        [
            "SET k v",
            "SET k 5",
            "DEL k",
            "UNLINK k",
            "APPEND k x",
            "INCR k",
            "EXPIRE k 10",
            "EXPIRE k -1",
            "RENAME k x",
            "RENAME other k",
            "COPY other k REPLACE",
            "MOVE k 1",
            "GETDEL k",
            "GETEX k EX 10",
            "MSET k v",
            "FLUSHDB",
            "FLUSHALL",
            "SWAPDB 0 1",
            "SWAPDB 3 0",
        ],
    )
    @pytest.mark.parametrize("own", [True, False], ids=["by itself", "by another"])
    def test_changes_break_it(self, house: Any, wire: Any, line: str, own: bool) -> None:
        wire("MSET", "k", 5, "other", 6)
        wire("WATCH", "x", "k")
        (wire if own else house.connect()).line(line)
        assert run(wire, "PING") is NULL_ARRAY
        assert run(wire, "PING") == [PONG]

    @pytest.mark.parametrize(
        "line",
        [
            "GET k",
            "TTL k",
            "PERSIST k",
            "EXPIRE k 10 XX",
            "SETNX k v",
            "SET k v NX",
            "GETEX k",
            "RENAMENX other k",
            "COPY other k",
            "DEL missing",
            "SET other v",
            "SETRANGE k 0 ''",
            "RENAME k k",
            "SWAPDB 1 2",
            "SWAPDB 0 0",
        ],
    )
    def test_what_changes_nothing_does_not(self, house: Any, wire: Any, line: str) -> None:
        wire("MSET", "k", 5, "other", 6)
        wire("WATCH", "k")
        house.connect()(*[word.strip("'") for word in line.split()])
        assert run(wire, "PING") == [PONG]

    def test_a_key_of_another_database_is_another_key(self, house: Any, wire: Any) -> None:
        wire("WATCH", "k")
        other = house.connect()
        other("SELECT", 1)
        other("SET", "k", 1)
        assert run(wire, "PING") == [PONG]
        wire("WATCH", "k")
        wire("SELECT", 1)
        house.connect()("SET", "k", 1)
        assert run(wire, "PING") is NULL_ARRAY

    def test_a_key_that_expires_meanwhile(self, house: Any, wire: Any) -> None:
        wire("SET", "k", "v", "PX", 10)
        wire("WATCH", "k")
        house.clock.advance(11)
        assert run(wire, "PING") is NULL_ARRAY

    def test_a_key_that_had_expired_before(self, house: Any, wire: Any) -> None:
        wire("SET", "k", "v", "PX", 10)
        house.clock.advance(11)
        wire("WATCH", "k")
        house.advance(2000)
        assert run(wire, "PING") == [PONG]

    def test_flushing_does_not_break_watches_of_absent_keys(self, house: Any, wire: Any) -> None:
        wire("SET", "other", 1)
        wire("WATCH", "k")
        house.connect()("FLUSHALL")
        assert run(wire, "PING") == [PONG]

    @pytest.mark.parametrize("held", [(False, True), (True, True), (False, False)])
    def test_swapping_does_not_break_watches_of_expired_keys(self, house: Any, wire: Any, held: Any) -> None:
        for index, holds in enumerate(held):
            if holds:
                house.store.databases[index].put(b"k", b"v")
                house.store.databases[index].expire_at(b"k", house.clock.now_ms + 10)
        house.clock.advance(11)
        wire("WATCH", "k")
        house.connect()("SWAPDB", 0, 1)
        assert run(wire, "PING") == [PONG]

    @pytest.mark.parametrize("index", [0, 1])
    def test_swapping_breaks_watches_of_living_keys(self, house: Any, wire: Any, index: int) -> None:
        house.store.databases[index].put(b"k", b"v")
        house.store.databases[index].expire_at(b"k", house.clock.now_ms + 10)
        wire("WATCH", "k")
        house.connect()("SWAPDB", 0, 1)
        assert run(wire, "PING") is NULL_ARRAY

    def test_changes_after_multi_count(self, house: Any, wire: Any) -> None:
        wire("WATCH", "k")
        wire("MULTI")
        house.connect()("SET", "k", 1)
        assert wire("EXEC") is NULL_ARRAY

    def test_its_own_queued_writes_do_not(self, wire: Any) -> None:
        wire("WATCH", "k")
        assert run(wire, "SET k 1", "SET k 2") == [OK, OK]

    @pytest.mark.parametrize("line", ["UNWATCH", "EXEC", "DISCARD"])
    def test_what_ends_it(self, house: Any, wire: Any, line: str) -> None:
        wire("WATCH", "k")
        if line != "UNWATCH":
            wire("MULTI")
        wire.line(line)
        house.connect()("SET", "k", 1)
        assert run(wire, "PING") == [PONG]
        assert not house.server.watches.by_key

    def test_a_session_is_watched_too(self, house: Any, wire: Any) -> None:
        session = house.store.sessions.open_new("s", shared=True)
        wire("SELECT", session.token)
        wire("SET", "k", 1)
        wire("WATCH", "k")
        session.keyspace.put(b"k", b"2")
        assert run(wire, "PING") is NULL_ARRAY

    def test_nobody_listens_to_the_feed_without_watches(self, house: Any, wire: Any) -> None:
        wire("WATCH", "k")
        assert house.store.feed.listeners
        wire("UNWATCH")
        assert not house.store.feed.listeners


class TestFaultsAfterMulti:
    """What would be refused by itself refuses the EXEC that runs it, and nothing is done."""

    MISCONF = "MISCONF Errors writing to the AOF file: No space left on device"

    def fail(self, house: Any) -> None:
        house.server.state.set_write_fault("Errors writing to the AOF file: No space left on device")

    @pytest.mark.parametrize(
        "line", ["SET k v", 'KV_SET \'{"keys":{"k":1}}\'', "SORT k STORE d", "XREADGROUP GROUP g c STREAMS k >"]
    )
    def test_writes_when_the_log_fails(self, house: Any, wire: Any, line: str) -> None:
        wire("MULTI")
        assert [wire.line("GET k"), wire.line(line)] == [QUEUED, QUEUED]
        self.fail(house)
        assert wire("EXEC") == ErrorReply(f"EXECABORT Transaction discarded because of: {self.MISCONF}")
        assert len(house.store.databases[0]) == 0
        assert wire("EXEC") == ErrorReply("ERR EXEC without MULTI")

    def test_reads_run_nevertheless(self, house: Any, wire: Any) -> None:
        wire("MULTI")
        assert [wire.line("GET k"), wire.line("PING")] == [QUEUED, QUEUED]
        self.fail(house)
        assert wire("EXEC") == [None, PONG]

    def test_ping_is_refused_like_a_write(self, house: Any, wire: Any) -> None:
        self.fail(house)
        assert wire("PING") == ErrorReply(self.MISCONF)
        assert [wire("GET", "k"), wire("ECHO", "a")] == [None, b"a"]
        house.server.state.set_write_fault("")
        assert wire("PING") == PONG

    def test_what_does_not_run_while_loading(self, house: Any, wire: Any) -> None:
        wire("MULTI")
        wire("GET", "k")
        house.server.state.set_loading(True)
        assert wire("EXEC") == ErrorReply(
            "EXECABORT Transaction discarded because of: LOADING Redis is loading the dataset in memory"
        )

    def test_the_session_has_ended(self, house: Any, wire: Any) -> None:
        session = house.store.sessions.open_new("s", shared=True)
        wire("SELECT", session.token)
        wire("MULTI")
        wire("SET", "k", 1)
        house.store.sessions.end(session.token)
        assert wire("EXEC") == ErrorReply(
            "EXECABORT Transaction discarded because of: the selected session has ended, SELECT another one or a database"
        )
