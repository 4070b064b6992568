"""Requests over a WebSocket of the Timely API: replies, silence, and the codes and reasons of closes."""

from __future__ import annotations

import orjson
import pytest

from januskv import __version__
from januskv.resp import websocket as ws

from .sockets import TimelyHouse, frame, reply_of

USERS = {"requirepass": "test1", "timely_authorizations": "test A,B,C"}


@pytest.fixture
def house() -> TimelyHouse:
    return TimelyHouse()


def test_the_version_is_bare(house: TimelyHouse) -> None:
    assert house.socket().raw(frame(ws.TEXT, b'{"operation":"version"}')) == [(ws.TEXT, __version__.encode())]


def test_what_is_answered_over_http_is_answered_here(house: TimelyHouse) -> None:
    house.put("cpu", 1000, 1.5, host="a")
    socket = house.socket()
    assert socket("aggregators")[:3] == ["avg", "dev", "max"]
    assert socket("suggest", type="metrics", q="c") == ["cpu"]
    assert socket("metrics") == {"metrics": [{"metric": "cpu", "tags": [{"key": "host", "value": "a"}]}]}
    found = socket("lookup", metric="cpu", tags=[{"host": ".*"}], sessionId="s-1")
    assert (found["totalResults"], found["results"][0]["tags"]) == (1, {"host": "a"})
    sub = {"metric": "cpu", "tags": {"host": "a"}}
    assert socket("query", start=0, end=9000, msResolution=True, queries=[sub])[0]["dps"] == {"1000": 1.5}


def test_a_put_is_silent_and_stored(house: TimelyHouse) -> None:
    socket = house.socket()
    assert socket("put", metric="cpu", timestamp=1000, value=2.0, tags=[{"key": "host", "value": "a"}]) is None
    assert socket("put", name="cpu", timestamp=2000, measure=3.0, tags=[{"host": "a"}]) is None
    dps = socket("query", start=0, end=9000, msResolution=True, queries=[{"metric": "cpu"}])[0]["dps"]
    assert dps == {"1000": 2.0, "2000": 3.0}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"not json", id="no JSON"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no operation"),
        pytest.param(b'{"operation":1}', id="an operation that is not text"),
        pytest.param(b'{"operation":"nope"}', id="an operation that there is not"),
        pytest.param(b'{"operation":"suggest","type":"metrics","typo":1}', id="a property that there is not"),
        pytest.param(b'{"operation":"create","subscriptionId":"s","typo":1}', id="one of a subscription"),
        pytest.param(b'{"operation":"remove","subscriptionId":"s","metric":"m"}', id="remove from what is not there"),
        pytest.param(b'{"operation":"create","subscriptionId":"s"}', id="create"),
    ],
)
def test_silence(house: TimelyHouse, text: bytes) -> None:
    socket = house.socket()
    assert socket.raw(frame(ws.TEXT, text)) == []
    assert socket.raw(frame(ws.TEXT, b'{"operation":"version"}')) == [(ws.TEXT, __version__.encode())]


@pytest.mark.parametrize(
    ("members", "close"),
    [
        pytest.param({"operation": "create"}, (1008, "Subscription ID is required."), id="create without an id"),
        pytest.param({"operation": "suggest"}, (1008, "Type is not valid"), id="suggest without a type"),
        pytest.param({"operation": "query", "start": 0}, (1008, "No query specified."), id="query without queries"),
        pytest.param(
            {"operation": "query", "start": 0, "queries": [{"metric": "none"}]},
            (1008, "No matching tags"),
            id="query of nothing",
        ),
        pytest.param(
            {"operation": "add", "subscriptionId": "s", "metric": "cpu"},
            (1003, "Unknown subscription id, create subscription first"),
            id="add without create",
        ),
        pytest.param(
            {"operation": "close", "subscriptionId": "s"}, (1000, "Client requested close."), id="close of nothing"
        ),
        pytest.param({"operation": "close"}, (1008, "Subscription ID is required."), id="close without an id"),
        pytest.param(
            {"operation": "put", "metric": "cpu", "timestamp": 1, "value": 1, "tags": [{"viz": "a&b|c"}]},
            None,
            id="put with a bad visibility",
        ),
    ],
)
def test_closes(house: TimelyHouse, members: dict[str, object], close: tuple[int, str] | None) -> None:
    socket = house.socket()
    got = socket.send(**members)
    if close is None:
        assert got[0] == 1008
        assert got[1].startswith("Error storing put metric: ")
    else:
        assert got == close
    assert socket.transport.closed


def test_add_is_refused_where_nothing_can_match(house: TimelyHouse) -> None:
    house.put("cpu", 1000, 1.0, host="a")
    for members, reason in [
        ({"metric": "none"}, "No matching tags"),
        ({"metric": "cpu", "tags": {"host": "b"}}, "No matching tags"),
        ({"metric": "cpu", "tags": {"rack": ".*"}}, "No matching tags"),
        ({}, "Metric name cannot be null in add subscription"),
    ]:
        socket = house.socket()
        socket("create", subscriptionId="s")
        assert socket("add", subscriptionId="s", **members) == (1008, reason)
        house.check()
        assert house.store.feed.listeners == []


def test_a_bad_pattern_closes(house: TimelyHouse) -> None:
    house.put("cpu", 1000, 1.0, host="a")
    socket = house.socket()
    socket("create", subscriptionId="s")
    code, reason = socket("add", subscriptionId="s", metric="cpu", tags={"host": "("})
    assert code == 1008
    assert "regular expression" in reason
    assert len(reason.encode()) <= 123


def test_frames(house: TimelyHouse) -> None:
    socket = house.socket()
    assert socket.raw(frame(ws.PING, b"hi")) == [(ws.PONG, b"hi")]
    assert socket.raw(frame(ws.PONG, b"unasked")) == []
    halves = frame(ws.TEXT, b'{"operation":', final=False) + frame(ws.CONTINUATION, b'"version"}')
    assert socket.raw(halves) == [(ws.TEXT, __version__.encode())]
    reason = "Unhandled web socket frame type, only TextWebSocketFrame is supported"
    assert reply_of(socket.raw(frame(ws.BINARY, b"x"))) == (1003, reason)
    assert reply_of(house.socket().raw(frame(ws.CLOSE, b"\x03\xe8"))) == (1000, "")
    assert reply_of(house.socket().raw(frame(ws.CONTINUATION, b"x")))[0] == 1002
    assert reply_of(house.socket().raw(frame(ws.TEXT, b"\xff")))[0] == 1007


def test_a_message_is_limited(house: TimelyHouse) -> None:
    big = orjson.dumps({"operation": "version", "x": "y" * 70_000})
    assert reply_of(house.socket().raw(frame(ws.TEXT, big)))[0] == 1009
    roomy = TimelyHouse(timely_max_frame=100_000)
    assert roomy.socket().raw(frame(ws.TEXT, big)) == [(ws.TEXT, __version__.encode())]
    parts = frame(ws.TEXT, big[:40_000], final=False) + frame(ws.CONTINUATION, big[40_000:])
    assert reply_of(house.socket().raw(parts))[0] == 1009


def test_byte_by_byte(house: TimelyHouse) -> None:
    socket = house.socket()
    data = frame(ws.TEXT, b'{"operation":"version"}') * 2
    found = [each for at in range(len(data)) for each in socket.raw(data[at : at + 1])]
    assert found == [(ws.TEXT, __version__.encode())] * 2


def test_replies_come_in_the_order_of_requests(house: TimelyHouse) -> None:
    for number in range(3000):
        house.put("cpu", 1000, 1.0, host=str(number))
    requests = [{"operation": "suggest", "type": "tagv", "m": "cpu", "t": "host", "max": -1}, {"operation": "version"}]
    found = house.socket().raw(b"".join(frame(ws.TEXT, orjson.dumps(each)) for each in requests * 2))
    assert [len(payload) > 100 for _, payload in found] == [True, False, True, False]


def test_requests_wait_while_replies_are_left_unread(house: TimelyHouse) -> None:
    socket = house.socket()
    socket.connection.pause_writing()
    version = frame(ws.TEXT, b'{"operation":"version"}')
    assert socket.raw(version * 3) == []
    socket.connection.resume_writing()
    assert len(socket.came()) == 3
    socket.connection.pause_writing()
    socket.raw(version * 20_000)
    assert socket.transport.aborted
    assert house.server.accounts.stats.client_query_buffer_limit_disconnections == 1


def test_requests_wait_for_the_end_of_a_pause(house: TimelyHouse) -> None:
    wire, socket = house.connect(), house.socket()
    wire.line("CLIENT PAUSE 1000 WRITE")
    assert socket("put", metric="cpu", timestamp=1000, value=2.0, tags=[{"host": "a"}]) is None
    assert house.store.databases[0].series_count == 0
    wire.line("CLIENT UNPAUSE")
    house.run_timers()
    assert house.store.databases[0].series_count == 1


def test_an_ended_connection_leaves_nothing(house: TimelyHouse) -> None:
    for number in range(3000):
        house.put("cpu", 1000, 1.0, host=str(number))
    socket = house.socket()
    socket("create", subscriptionId="s")
    data = {"operation": "add", "subscriptionId": "s", "metric": "cpu", "tags": {"host": ".*"}}
    socket.connection.data_received(frame(ws.TEXT, orjson.dumps(data)))
    socket.connection.connection_lost(None)
    house.run_timers()
    house.check()
    assert house.store.feed.listeners == []
    assert len(house.server.clients) == 0


# ---------------------------------------------------------------- who asks


def test_without_a_session_only_some_things_are_done() -> None:
    house = TimelyHouse(**USERS)
    assert house.socket().raw(frame(ws.TEXT, b'{"operation":"version"}')) == [(ws.TEXT, __version__.encode())]
    for operation in ("aggregators", "metrics", "query", "create", "add", "remove", "close"):
        assert house.socket()(operation, subscriptionId="s", sessionId="unknown") == (1008, "User must authenticate")


def test_points_are_taken_from_whoever_may_put_them() -> None:
    point = {"metric": "cpu", "timestamp": 1000, "value": 2.0, "tags": [{"host": "a"}]}
    house = TimelyHouse(**USERS)
    assert house.socket()("put", **point) == (1008, "User must authenticate")
    session = house.face.callers.login("test", "test1")
    assert house.socket()("put", **point, sessionId=session) is None
    assert TimelyHouse(**USERS, timely_anonymous_put="yes").socket()("put", **point) is None


def test_sessions_come_from_the_cookie_or_the_request() -> None:
    house = TimelyHouse(**USERS)
    session = house.face.callers.login("test", "test1")
    assert house.socket()("aggregators", sessionId=session)
    assert house.socket(session)("aggregators")
    assert house.socket(session)("aggregators", sessionId="unknown"), "the cookie wins"
    assert house.socket("unknown")("aggregators", sessionId=session)[0] == 1008
    assert house.socket(authorization="Bearer test1")("aggregators")
    assert house.socket(authorization="Bearer wrong")("aggregators") == (1008, "User must authenticate")


def test_a_session_that_has_ended_ends_a_connection() -> None:
    house = TimelyHouse(**USERS, timely_session_max_age=10)
    session = house.face.callers.login("test", "test1")
    socket = house.socket(session)
    assert socket("aggregators")
    house.clock.advance(10_000)
    assert socket("aggregators") == (1008, "User must authenticate")
