"""Native commands over many keys: done in slices with others served in between, the same through every listener."""

from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest
from tests.compat.test_both_transports import Native
from tests.conftest import encoded

from januskv.commands.jsonpath import Budget
from januskv.compat.server import long_commands
from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import OK, Simple

LISTENERS = ["line", "message", "document", "verb"]
NAMES = [f"key:{number:04}" for number in range(3000)]
KEYS: dict[str, object] = {"KV_KEYS": {}}
FIND: dict[str, object] = {"KV_FIND": {"rsp": "keys", "path": "$.even"}}


class Client(Native):
    """A client that sends native commands over one of the four listeners."""

    def framed(self, request: Any) -> bytes:
        if self.listener == "document":
            return encoded(json.dumps(request))
        if self.listener == "verb":
            ((name, body),) = request.items()
            return encoded(name, json.dumps(body))
        return super().framed(request)

    def __init__(self, house: Any, listener: str) -> None:
        super().__init__(house, "message" if listener == "message" else "line")
        self.listener = listener

    def got(self) -> list[Any]:
        if self.listener in ("line", "message"):
            return super().got()
        reader = ReplyReader()
        reader.feed(self.transport.written)
        found = []
        while (reply := reader.gets()) is not None:
            found.append(json.loads(reply[1]) if type(reply[1]) is bytes else reply[1])
        assert not reader.buffer
        return found


@pytest.fixture(autouse=True)
def one_step_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_commands, "SLICE_NS", -1)


@pytest.fixture(params=LISTENERS)
def native(request: Any, house: Any) -> Client:
    return Client(house, request.param)


@pytest.fixture
def full(house: Any) -> Any:
    """Database 0 with many keys."""
    keyspace = house.store.databases[0]
    for number, name in enumerate(NAMES):
        keyspace.put(name.encode(), {b"odd" if number % 2 else b"even": number})
    return keyspace


def a_slice(house: Any) -> None:
    """Let the loop go round once."""
    due, house.timers[:] = list(house.timers), []
    for _, call in due:
        call()


def answer(house: Any, client: Client) -> Any:
    house.run_timers(0.01)
    (reply,) = client.got()
    ((_, body),) = reply.items()
    return body


# ---------------------------------------------------------------- answers


def test_the_answer_is_that_of_few_keys(house: Any, full: Any, native: Client) -> None:
    assert native.send(KEYS) == []
    assert answer(house, native) == {"st": 1, "keys": NAMES}
    assert native.send(FIND) == []
    assert answer(house, native) == {"st": 1, "keys": NAMES[::2]}
    assert native.send({"KV_FIND": {"rsp": "kv", "path": "$.even"}}) == []
    assert answer(house, native) == {"st": 1, "keys": {name: {"even": 2 * n} for n, name in enumerate(NAMES[::2])}}
    assert native.send({"KV_FIND": {"rsp": "paths", "path": "$.even"}}) == []
    assert answer(house, native) == {"st": 1, "paths": ["$['even']"] * 1500}
    assert native.send({"KV_FIND": {"rsp": "kv", "path": "$", "keys": [*NAMES[:1500], *NAMES[:1500], 7]}}) == []
    assert list(answer(house, native)["keys"]) == NAMES[:1500]


def test_refusals_come_as_those_of_few_keys(
    house: Any, full: Any, native: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    native.send({"KV_FIND": {"rsp": "kv", "path": "$["}})
    assert answer(house, native)["st"] == 4
    monkeypatch.setattr("januskv.commands.keyvalues.Budget", lambda: Budget(-20_000))
    native.send({"KV_FIND": {"rsp": "keys", "path": "$..even"}})
    assert answer(house, native)["st"] == 1000
    assert not house.server.long_commands.begun


def test_a_long_answer_arrives_in_pieces_and_whole(house: Any, native: Client) -> None:
    names = [f"{number:0100}" for number in range(5000)]
    house.store.databases[0].put_many({name.encode(): b"" for name in names})
    native.send(KEYS)
    assert answer(house, native) == {"st": 1, "keys": names}


def test_a_session_repeats_its_token(house: Any, native: Client) -> None:
    session = house.store.sessions.open_new("s", shared=False)
    session.keyspace.put_many({name.encode(): b"1" for name in NAMES})
    native.send({"KV_KEYS": {"tkn": session.token}})
    assert answer(house, native) == {"st": 1, "keys": NAMES, "tkn": session.token}


def test_an_empty_find_and_expired_keys(house: Any, full: Any, native: Client) -> None:
    for name in NAMES[::3]:
        full.expire_at(name.encode(), house.clock.now_ms + 10)
    house.clock.advance(20)
    native.send(KEYS)
    assert answer(house, native) == {"st": 1, "keys": [name for n, name in enumerate(NAMES) if n % 3]}
    native.send({"KV_FIND": {"rsp": "kv", "path": "$.nothing"}})
    assert answer(house, native) == {"st": 1, "keys": {}}


# ---------------------------------------------------------------- order and other clients


def test_requests_and_messages_of_the_client_wait_and_others_are_served(
    house: Any, full: Any, wire: Any, native: Client
) -> None:
    assert native.send(KEYS, {"KV_COUNT": {}}, FIND, {"KV_COUNT": {}}) == []
    a_slice(house)
    assert wire("PING") == Simple(b"PONG")
    assert native.send({"KV_COUNT": {}}) == []
    house.run_timers()
    assert [next(iter(reply)) for reply in native.got()] == [
        "KV_KEYS_RSP", "KV_COUNT_RSP", "KV_FIND_RSP", "KV_COUNT_RSP", "KV_COUNT_RSP",
    ]  # fmt: skip


def test_a_slice_is_short(house: Any, full: Any, native: Client) -> None:
    native.send(KEYS)
    slices = 0
    while house.server.long_commands.begun:
        a_slice(house)
        slices += 1
    assert slices >= len(NAMES) // 256


def test_messages_come_behind_the_answer(house: Any, full: Any, wire: Any) -> None:
    client = Client(house, "line")
    client.send({"SV_SUBSCRIBE": {"channels": ["c"]}})
    client.send(KEYS)
    wire("PUBLISH", "c", "hello")
    house.run_timers()
    assert [next(iter(reply)) for reply in client.got()] == ["KV_KEYS_RSP", "SV_MESSAGE"]


def test_only_some_run_at_once_and_the_others_hold_nothing(
    house: Any, full: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_commands, "MOST_AT_ONCE", 2)
    clients = [Client(house, LISTENERS[at % 4]) for at in range(6)]
    for client in clients:
        client.send(KEYS)
    work = house.server.long_commands
    assert (len(work.begun), len(work.waiting)) == (2, 4)
    full.put(b"new", b"1")  # those that wait have looked at nothing yet
    assert [answer(house, client)["keys"][len(NAMES) :] for client in clients] == [[]] * 2 + [["new"]] * 4
    assert not work.begun
    assert not work.waiting


def test_in_exec_it_is_done_in_one_go(house: Any, full: Any, wire: Any) -> None:
    wire("MULTI")
    wire("KV_KEYS")
    wire("SET", "another", "1")
    wire(json.dumps(FIND))
    keys, ok, found = wire("EXEC")
    assert json.loads(keys) == {"KV_KEYS_RSP": {"st": 1, "keys": NAMES}}
    assert ok == OK
    assert json.loads(found) == {"KV_FIND_RSP": {"st": 1, "keys": NAMES[::2]}}
    assert not house.timers


def test_with_replies_off_nothing_is_answered_and_the_order_kept(house: Any, full: Any, wire: Any) -> None:
    wire.send(encoded("CLIENT", "REPLY", "SKIP") + encoded("KV_KEYS") + encoded("PING"))
    house.run_timers()
    assert wire.transport.written == b"+PONG\r\n"


def test_statistics_count_the_command_once(house: Any, full: Any, native: Client) -> None:
    native.send({"KV_FIND": {"rsp": "kv", "path": "$["}})
    house.run_timers()
    command = house.server.table.native["KV_FIND"]
    assert (command.calls, command.failed, command.rejected) == (1, 1, 0)
    assert command.usec > 0


def test_the_slow_log_tells_of_the_whole_time(house: Any, full: Any, native: Client, wire: Any) -> None:
    wire.line("CONFIG SET slowlog-log-slower-than 1")
    native.send(KEYS)
    house.run_timers()
    assert any(entry[3][0] == b"KV_KEYS" for entry in wire.line("SLOWLOG GET 10"))


# ---------------------------------------------------------------- what happens meanwhile


def names_found(house: Any, client: Client) -> list[str]:
    found = answer(house, client)["keys"]
    assert len(found) == len(set(found))
    return list(found)


@pytest.mark.parametrize("request_", [KEYS, {"KV_FIND": {"rsp": "keys", "path": "$"}}], ids=["KV_KEYS", "KV_FIND"])
def test_keys_that_are_there_all_the_time_come_once(house: Any, full: Any, native: Client, request_: Any) -> None:
    native.send(request_)
    at = 0
    while house.server.long_commands.begun:
        for name in NAMES[at : at + 20]:  # some are removed, others removed and set again, new ones come
            full.delete(name.encode())
            full.put(b"again:" + name.encode(), b"1")
        for name in NAMES[-at - 20 : -at - 1]:
            full.delete(name.encode())
            full.put(name.encode(), b"1")
        at += 20
        a_slice(house)
    found = names_found(house, native)
    assert set(NAMES[at : -at - 20]) <= set(found)
    assert len(found) <= len(NAMES)


def test_flushall_ends_the_keys(house: Any, full: Any, native: Client, wire: Any) -> None:
    native.send(KEYS)
    a_slice(house)
    wire("FLUSHALL")
    full.put(b"new", b"1")
    found = names_found(house, native)
    assert len(found) < len(NAMES)
    assert set(found) <= set(NAMES)


@pytest.mark.parametrize("request_", [KEYS, {"KV_FIND": {"rsp": "keys", "path": "$"}}], ids=["KV_KEYS", "KV_FIND"])
def test_swapdb_does_not_mix_databases(house: Any, full: Any, native: Client, wire: Any, request_: Any) -> None:
    for name in NAMES:
        house.store.databases[1].put(name.encode(), b"other")
    native.send(request_)
    a_slice(house)
    wire("SWAPDB", 0, 1)
    assert names_found(house, native) == NAMES


def test_a_session_that_ends_ends_what_runs_in_it(house: Any, native: Client) -> None:
    session = house.store.sessions.open_new("s", shared=False)
    session.keyspace.put_many({name.encode(): b"1" for name in NAMES})
    native.send({"KV_FIND": {"rsp": "kv", "path": "$", "tkn": session.token}})
    a_slice(house)
    house.store.sessions.end(session.token)
    body = answer(house, native)
    assert (body["st"], body["tkn"]) == (100, session.token)


def test_a_session_that_runs_it_does_not_expire(house: Any, native: Client) -> None:
    session = house.store.sessions.open_new("s", shared=False, duration_s=10, delete_on_expiry=True)
    session.keyspace.put_many({name.encode(): b"1" for name in NAMES})
    native.send({"KV_KEYS": {"tkn": session.token}})
    while house.server.long_commands.begun:
        house.clock.advance(6000)
        house.server.upkeep.run_cron()
        a_slice(house)
    assert answer(house, native)["keys"] == NAMES


def test_a_selected_session_that_ends(house: Any, wire: Any) -> None:
    session = house.store.sessions.open_new("s", shared=False)
    session.keyspace.put_many({name.encode(): b"1" for name in NAMES})
    wire("SELECT", session.token)
    wire.send(encoded("KV_KEYS"))
    a_slice(house)
    house.store.sessions.end(session.token)
    wire.transport.written = b""
    house.run_timers()
    assert b'"st":100' in wire.transport.written


@pytest.mark.parametrize("leave", ["close", "kill", "lost", "abort"])
def test_a_client_that_leaves_frees_the_work_at_once(house: Any, full: Any, native: Client, leave: str) -> None:
    native.send(KEYS)
    a_slice(house)
    (long,) = house.server.long_commands.begun.values()
    parts = weakref.ref(long.work.steps)
    del long
    if leave == "close":
        native.connection.close()
    elif leave == "kill":
        native.connection.kill()
    elif leave == "abort":
        native.connection.abort()
    else:
        native.connection.connection_lost(None)
    gc.collect()
    assert parts() is None
    assert not house.server.long_commands.begun
    house.run_timers()
    assert not house.timers


def test_a_client_that_has_said_all_is_answered_however_long_it_takes(house: Any, full: Any) -> None:
    client = Client(house, "line")
    client.send(KEYS)
    client.connection.eof_received()
    for _ in range(5):
        house.clock.advance(2000)
        house.server.upkeep.run_cron()
        a_slice(house)
    assert answer(house, client)["keys"] == NAMES
    assert client.transport.closed


def test_the_output_limit_counts_what_is_gathered(make_house: Any) -> None:
    house = make_house(client_output_buffer_limit={"normal": (20_000, 0, 0)})
    house.store.databases[0].put_many({name.encode(): b"1" for name in NAMES})
    client = Client(house, "line")
    client.send(KEYS)
    house.run_timers()
    assert client.transport.aborted
    assert house.server.accounts.stats.client_output_buffer_limit_disconnections == 1


# ---------------------------------------------------------------- commands that write


def test_a_pause_holds_what_writes_and_not_what_reads(house: Any, full: Any, wire: Any) -> None:
    wire("TS.ADD", "series", 1, 1)
    reader, writer = Client(house, "verb"), Client(house, "message")
    reader.send(KEYS)
    writer.send({"KV_CLEAR": {}})
    wire.line("CLIENT PAUSE 1000 WRITE")
    for _ in range(50):
        a_slice(house)
    (reply,) = reader.got()
    assert set(reply["KV_KEYS_RSP"]["keys"]) <= set(NAMES)
    assert writer.got() == []
    assert len(full) > 1000
    house.clock.advance(1000)
    house.server.pause.time_out()
    assert answer(house, writer)["st"] == 1
    assert len(full) == 1


def test_keys_are_cleared_in_slices_beside_series(house: Any, full: Any, native: Client, wire: Any) -> None:
    wire("TS.ADD", "series", 1, 1)
    native.send({"KV_CLEAR_SET": {"keys": {"a": 1}}})
    a_slice(house)
    assert 1000 < len(full) < len(NAMES)
    assert answer(house, native) == {"st": 1, "cnt": len(NAMES)}
    assert full.data.keys() == {b"a", b"series"}


def test_clearing_stops_when_changes_cannot_be_written(house: Any, full: Any, native: Client, wire: Any) -> None:
    wire("TS.ADD", "series", 1, 1)
    native.send({"KV_CLEAR": {}})
    a_slice(house)
    house.server.state.set_write_fault("the disk is full")
    body = answer(house, native)
    assert (body["st"], body["m"]) == (1000, "the disk is full")
    assert len(full) > 1000


# ---------------------------------------------------------------- sessions, exports, series


def test_many_sessions(house: Any, native: Client) -> None:
    sessions = [house.store.sessions.open_new(f"s{number}", shared=True) for number in range(1500)]
    for session in sessions[:100]:
        session.keyspace.put(b"a", b"1")
    native.send({"SH_INFO_ALL": {}})
    assert answer(house, native) == {"st": 1, "totalSessions": 1500, "totalKeys": 100}
    native.send({"SV_EXPORT": {}})
    exported = answer(house, native)
    assert [entry["name"] for entry in exported["sessions"]] == [f"s{number}" for number in range(1500)]
    native.send({"SH_END_ALL": {}})
    a_slice(house)
    house.store.sessions.end(next(reversed(house.store.sessions.by_token)))
    later = house.store.sessions.open_new("later", shared=True)
    assert answer(house, native) == {"st": 1, "cnt": 1499}
    assert list(house.store.sessions.by_token.values()) == [later]


def test_an_export_of_many_keys(house: Any, full: Any, native: Client, wire: Any) -> None:
    native.send({"SV_EXPORT": {"from": 0, "cnt": 10_000}})
    a_slice(house)
    wire("SWAPDB", 0, 1)
    exported = answer(house, native)
    assert exported["cursor"] == 0
    assert [entry["key"] for entry in exported["entries"]] == NAMES


def test_many_events_come_once_while_others_are_added_and_removed(house: Any, native: Client, wire: Any) -> None:
    events = {"ts": "e", "t": list(range(0, 30_000, 10)), "evt": [{"n": number} for number in range(3000)]}
    wire.send(json.dumps({"TS_CREATE": {"name": "e", "type": "Ordered"}}).encode() + b"\n")
    wire.send(json.dumps({"TS_ADD_EVT": events}).encode() + b"\n")
    wire.transport.written = b""
    native.send({"TS_GET": {"ts": "e", "rng": []}})
    added = 0
    while house.server.long_commands.begun:
        late = {"ts": "e", "t": [1 + added, 40_000 + added], "evt": [{"late": 1}, {"new": 1}]}
        wire.send(json.dumps({"TS_ADD_EVT": late}).encode() + b"\n")
        wire.send(json.dumps({"TS_DEL_EVT": {"ts": "e", "rng": [10 * added, 10 * added]}}).encode() + b"\n")
        added += 1
        a_slice(house)
    body = answer(house, native)
    rows = [event["n"] for event in body["evt"] if "n" in event]
    assert len(rows) == len(set(rows))
    assert set(range(added, 3000)) <= set(rows)
    assert body["t"] == sorted(body["t"])


@pytest.mark.parametrize("limit", [None, 1, 256, 2500])
def test_many_rows_are_those_of_few(house: Any, native: Client, wire: Any, limit: int | None) -> None:
    times = list(range(0, 30_000, 10))
    events = {"ts": "e", "t": times, "evt": [{"value": float(number)} for number in range(3000)]}
    wire.send(json.dumps({"TS_CREATE": {"name": "e", "type": "Ordered"}}).encode() + b"\n")
    wire.send(json.dumps({"TS_ADD_EVT": events}).encode() + b"\n")
    wire("TS.MADD", *[part for at, time in enumerate(times) for part in ("s", time, at)], "CREATE")
    query: dict[str, Any] = {"rng": [100, None]} | ({} if limit is None else {"limit": limit})
    native.send({"TS_GET_MULTI": {"e": query, "s": query, "none": query}})
    body = answer(house, native)
    assert body["none"] == {"st": 20, "t": [], "evt": []}
    assert body["e"] == body["s"] == {"st": 1, "t": times[10:][:limit], "evt": events["evt"][10:][:limit]}
    query["agg"] = {"member": "value", "fn": ["sum", "count", "sum"], "bucket": 100}
    for name in ("e", "s"):
        native.send({"TS_GET": {"ts": name, **query}})
        body = answer(house, native)
        assert body["t"] == list(range(100, 30_000, 100))[:limit]
        assert body["agg"]["count"] == [10.0] * len(body["t"])
        assert list(body["agg"]) == ["sum", "count"]


def test_many_short_series_are_long_together(house: Any, native: Client, wire: Any) -> None:
    for name in "abc":
        wire("TS.MADD", *[part for time in range(900) for part in (name, time, 1)], "CREATE")
    assert native.send({"TS_GET_MULTI": {name: {"rng": []} for name in "abc"}}) == []
    assert [len(each["t"]) for each in answer(house, native).values()] == [900] * 3


def test_a_series_may_be_called_st(wire: Any) -> None:
    wire.send(b'{"TS_CREATE":{"name":"st","type":"Ordered"}}\n')
    answer = json.loads(wire.send(b'{"TS_GET_MULTI":{"st":{"rng":[]}}}\n'))
    assert answer == {"TS_GET_MULTI_RSP": {"st": {"st": 1, "t": [], "evt": []}}}


def test_series_among_many_keys(house: Any, full: Any, native: Client, wire: Any) -> None:
    for number in range(2000):
        wire("TS.ADD", f"s{number}", 1, 1)
    native.send({"TS_LIST": {}})
    listed = answer(house, native)["series"]
    assert listed == [{"ts": f"s{number}", "type": "Samples", "cnt": 1} for number in range(2000)]
    native.send(KEYS)
    assert answer(house, native)["keys"] == NAMES


def test_errors_in_a_step_are_answered_and_logged(
    house: Any, full: Any, native: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    native.send(FIND)
    full.put(NAMES[-1].encode(), object())
    assert answer(house, native)["st"] == 1000
    assert "unexpected error in KV_FIND" in caplog.text
    assert native.send({"KV_COUNT": {}}) == [{"KV_COUNT_RSP": {"st": 1, "cnt": len(NAMES)}}]
