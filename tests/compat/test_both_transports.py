"""What the server does to a connection, it does to those of the data port and to WebSockets alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from januskv.compat.native.websocket import WebSocketConnection
from januskv.resp import websocket as ws

GOING_AWAY, NORMAL = (1001).to_bytes(2, "big"), (1000).to_bytes(2, "big")
READ, WRITE = {"KV_GET": {"keys": ["a"]}}, {"KV_SET": {"keys": {"a": 1}}}


class Native:
    """A client that sends native commands over one of the two listeners."""

    def __init__(self, house: Any, listener: str) -> None:
        self.house, self.listener = house, listener
        if listener == "line":
            wire = house.connect()
            self.connection, self.transport = wire.connection, wire.transport
        else:
            self.connection = WebSocketConnection(house.server, house.native)
            self.transport = type(house.connect().transport)()
            self.connection.connection_made(self.transport)

    def framed(self, request: object) -> bytes:
        text = json.dumps(request).encode()
        if self.listener == "line":
            return text + b"\n"
        size = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0xFE]) + len(text).to_bytes(2, "big")
        return bytes([0x80 | ws.TEXT]) + size + bytes(4) + text

    def send(self, *requests: object) -> list[Any]:
        """Send requests in one go; what came back."""
        self.transport.written = b""
        self.connection.data_received(b"".join(map(self.framed, requests)))
        return self.got()

    def got(self) -> list[Any]:
        """The messages since the last request."""
        data = self.transport.written
        if self.listener == "line":
            return [json.loads(each) for each in data.splitlines()]
        messages, parts = [], []
        while data:
            size, at = data[1], 2
            if size == 126:
                size, at = int.from_bytes(data[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(data[2:10], "big"), 10
            if data[0] & 15 != ws.CLOSE:
                parts.append(data[at : at + size])
                if data[0] & 0x80:
                    messages.append(json.loads(b"".join(parts)))
                    parts = []
            data = data[at + size :]
        assert not parts
        return messages


@pytest.fixture(params=["line", "message"])
def native(request: Any, house: Any) -> Native:
    return Native(house, request.param)


SET, GOT = {"KV_SET_RSP": {"st": 1}}, {"KV_GET_RSP": {"st": 1, "keys": {"a": 1}}}


def end_pause(house: Any, ms: int = 1000) -> None:
    house.clock.advance(ms)
    house.run_timers(ms / 1000)


def test_a_pause_holds_commands_and_they_run_in_order_when_it_ends(house: Any, wire: Any, native: Native) -> None:
    wire.line("CLIENT PAUSE 800 ALL")
    others = [Native(house, listener) for listener in ("line", "message", "line")]
    assert native.send(WRITE, READ) == []
    assert [other.send(WRITE) for other in others] == [[], [], []]
    end_pause(house, 800)
    assert native.got() == [SET, GOT]
    assert [other.got() for other in others] == [[SET]] * 3
    assert native.send(READ) == [GOT]


def test_a_pause_can_be_ended(house: Any, wire: Any, native: Native) -> None:
    wire.line("CLIENT PAUSE 100000")
    assert native.send(WRITE) == []
    wire.send(b"CLIENT UNPAUSE\r\n")
    assert wire.transport.written == b"+OK\r\n"
    house.run_timers()
    assert native.got() == [SET]


def test_a_pause_of_writes_lets_reads_through(house: Any, wire: Any, native: Native) -> None:
    native.send(WRITE)
    wire.line("CLIENT PAUSE 1000 WRITE")
    assert native.send(READ, READ) == [GOT, GOT]
    assert native.send(READ, WRITE, READ) == [GOT]
    assert native.send(READ) == []  # it keeps its place
    end_pause(house)
    assert native.got() == [SET, GOT, GOT]


def test_a_pause_of_writes_lets_documents_that_read_through(house: Any, wire: Any) -> None:
    wire.line("CLIENT PAUSE 1000 WRITE")
    other = house.connect()
    assert other(json.dumps(READ)) is not None
    assert other.replies(b"*1\r\n$31\r\n" + json.dumps(WRITE).encode() + b"\r\n") == []


def test_a_pause_does_not_hold_what_is_refused_anyway(house: Any, wire: Any, native: Native) -> None:
    wire.line("CLIENT PAUSE 1000")
    assert native.send({}, {"KV_NOSUCH": {}}) != []


def test_a_second_pause_holds_what_the_first_one_held(house: Any, wire: Any, native: Native) -> None:
    wire.line("CLIENT PAUSE 1000")
    assert native.send(WRITE) == []
    wire.send(b"CLIENT UNPAUSE\r\nCLIENT PAUSE 1000\r\n")
    house.run_timers()
    assert native.got() == []
    end_pause(house)
    assert native.got() == [SET]


def test_one_that_fails_when_it_goes_on_does_not_stop_the_others(
    house: Any, wire: Any, native: Native, caplog: Any
) -> None:
    wire.line("CLIENT PAUSE 1000")
    other = Native(house, "line")
    assert native.send(WRITE) == other.send(WRITE) == []
    native.connection.parked = 1  # no request at all: an error of ours
    end_pause(house)
    assert native.transport.aborted
    assert "Traceback" in caplog.text
    assert other.got() == [SET]
    assert native.connection.client.id not in house.server.clients.by_id or native.connection.closing


def test_client_kill_forgets_at_once(house: Any, wire: Any, native: Native) -> None:
    number = native.connection.client.id
    native.transport.unread = 20 << 20
    assert wire.line(f"CLIENT KILL ID {number}") == 1
    assert native.transport.aborted
    assert number not in house.server.clients.by_id
    native.connection.connection_lost(None)
    assert f"id={number} ".encode() not in wire.line("CLIENT LIST")


def test_a_killed_one_that_is_held_runs_nothing(house: Any, wire: Any, native: Native) -> None:
    wire.line("CLIENT PAUSE 1000")
    native.send(WRITE)
    wire.line(f"CLIENT KILL ID {native.connection.client.id}")
    end_pause(house)
    assert native.got() == []
    assert wire.line("EXISTS a") == 0


def test_timeout_ends_one_that_does_not_read_at_once(make_house: Any) -> None:
    house = make_house(timeout=10)
    idle = [Native(house, "line"), Native(house, "message")]
    for each in idle:
        each.transport.unread = 20 << 20
    house.advance(10_001)
    assert [each.transport.aborted for each in idle] == [True, True]
    assert not house.server.clients


def test_timeout_spares_one_that_reads_slowly(make_house: Any) -> None:
    house = make_house(timeout=10)
    clients = [Native(house, "line"), Native(house, "message")]
    for each in clients:
        each.connection.bytes_out = each.transport.unread = 20 << 20
        each.connection.pause_writing()
    for _ in range(3):
        for each in clients:
            each.transport.unread -= 1 << 20
        house.advance(10_001)
        assert not any(each.transport.closed for each in clients)
    house.advance(10_001)
    assert all(each.transport.aborted for each in clients)


class SlowTransport:
    """Mixed into a transport: what is written stays unread, so closing takes until it is aborted."""

    @staticmethod
    def of(native: Any) -> Any:
        transport = native.transport
        native.connection.bytes_out = transport.unread = 20 << 20
        transport.close = lambda: None
        return transport


def test_who_closes_has_a_short_time_to_read(house: Any, native: Native) -> None:
    transport = SlowTransport.of(native)
    native.connection.close()
    house.advance(2_999)
    assert not transport.aborted
    house.advance(1)
    assert transport.aborted
    assert native.connection.client.id not in house.server.clients.by_id
    assert not house.server.upkeep.lingering


@pytest.mark.parametrize("sent", [b"QUIT\r\n", b"*x\r\n", b"CLIENT KILL SKIPME no\r\n", b"GET / HTTP/1.1\r\n"])
def test_all_that_ends_behind_its_reply_ends_soon(house: Any, wire: Any, sent: bytes) -> None:
    transport = SlowTransport.of(wire)
    wire.send(sent)
    house.advance(2_999)
    assert not transport.aborted
    house.advance(1)
    assert transport.aborted


def test_who_closes_and_reads_is_given_more_time(house: Any, native: Native) -> None:
    transport = SlowTransport.of(native)
    native.connection.close()
    for _ in range(5):
        transport.unread -= 1 << 19
        house.advance(3_000)
        assert not transport.aborted
    house.advance(3_000)
    assert transport.aborted


def test_the_time_to_read_is_over_with_the_connection(house: Any, native: Native) -> None:
    native.connection.close()
    native.connection.connection_lost(None)
    assert not house.server.upkeep.lingering
    house.advance(10_000)
    assert not native.transport.aborted


def test_one_that_sends_no_more_and_does_not_read_is_ended(house: Any, native: Native) -> None:
    transport = SlowTransport.of(native)
    assert native.connection.eof_received()
    house.advance(3_000)
    assert transport.aborted


def test_messages_to_one_that_closes_are_dropped(house: Any, native: Native) -> None:
    SlowTransport.of(native)
    native.connection.close()
    native.transport.written = b""
    native.connection.push_native({"SV_MESSAGE": {}})
    assert native.got() == []


def test_a_reply_in_pieces_keeps_its_place(house: Any, native: Native) -> None:
    end = [b"\n"] if native.listener == "line" else []
    native.connection.send_pieces(iter([b'{"a":', b"1}", *end]))
    native.connection.push_native({"message": 1})
    assert native.send(READ) == []
    house.run_timers()
    assert native.got() == [{"a": 1}, {"message": 1}, {"KV_GET_RSP": {"st": 1, "keys": {}}}]


def test_the_end_of_the_server_is_told(house: Any) -> None:
    native = Native(house, "message")
    house.server.state.end()
    native.connection.close()
    assert native.transport.written == bytes([0x80 | ws.CLOSE, 2]) + GOING_AWAY
