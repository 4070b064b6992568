"""XREAD and XREADGROUP with BLOCK: who is answered when, and what with."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import NULL_ARRAY, ErrorReply


class Patient:
    """A client that may be left without an answer."""

    def __init__(self, house: Any, encode_command: Any, split_line: Any) -> None:
        self.house, self.wire = house, house.connect()
        self.encode, self.split = encode_command, split_line
        self.reader = ReplyReader()

    def line(self, command: str) -> None:
        self.wire.connection.data_received(self.encode(*self.split(command)))

    def got(self) -> list[Any]:
        """What has been answered since the last look, after the loop's round is over."""
        self.house.run_timers()
        self.reader.feed(self.wire.transport.written)
        self.wire.transport.written = b""
        found = []
        while (reply := self.reader.gets()) is not None:
            found.append(reply[1])
        return found


@pytest.fixture
def patient(house: Any, encode_command: Any, split_line: Any) -> Any:
    return lambda: Patient(house, encode_command, split_line)


ENTRY = [[b"1-1", [b"a", b"1"]]]


def test_an_entry_wakes_all_readers(wire: Any, patient: Any) -> None:
    first, second = patient(), patient()
    first.line("XREAD BLOCK 0 STREAMS s $")
    second.line("XREAD BLOCK 0 STREAMS t s 0 0")
    assert first.got() == second.got() == []
    wire.line("XADD s 1-1 a 1")
    assert first.got() == [[[b"s", ENTRY]]]
    assert second.got() == [[[b"s", ENTRY]]]


def test_dollar_is_the_end_at_the_time_of_the_call(wire: Any, patient: Any) -> None:
    wire.line("XADD s 1-0 a 0")
    client = patient()
    client.line("XREAD BLOCK 0 STREAMS s $")
    wire.replies(b"".join(wire_lines("XADD s 1-1 a 1", "XADD s 1-2 a 2")))
    assert client.got() == [[[b"s", [[b"1-1", [b"a", b"1"]]]]]]


def wire_lines(*commands: str) -> list[bytes]:
    return [command.encode() + b"\r\n" for command in commands]


def test_what_was_sent_behind_is_answered_behind(wire: Any, patient: Any) -> None:
    client = patient()
    client.line("XREAD BLOCK 0 STREAMS s $")
    client.line("PING")
    assert client.got() == []
    wire.line("XADD s 1-1 a 1")
    found = client.got()
    assert found[0] == [[b"s", ENTRY]]
    assert found[1].text == b"PONG"


def test_time_runs_out(house: Any, wire: Any, patient: Any) -> None:
    client = patient()
    client.line("XREAD BLOCK 100 STREAMS s $")
    assert b"blocked_clients:1" in wire.line("INFO clients")
    house.run_timers(0.1)
    assert client.got() == [NULL_ARRAY]
    wire.line("XADD s 1-1 a 1")
    assert client.got() == []
    assert not house.store.feed.listeners


def test_an_old_timer_does_not_end_a_new_wait(house: Any, wire: Any, patient: Any) -> None:
    client = patient()
    client.line("XREAD BLOCK 100 STREAMS s $")
    wire.line("XADD s 1-1 a 1")
    assert len(client.got()) == 1
    client.line("XREAD BLOCK 200 STREAMS s $")
    house.run_timers(0.1)
    assert client.got() == []


def test_consumers_are_served_first_come_first_served(wire: Any, patient: Any) -> None:
    wire.line("XGROUP CREATE s g $ MKSTREAM")
    first, second = patient(), patient()
    first.line("XREADGROUP GROUP g ann BLOCK 0 STREAMS s >")
    second.line("XREADGROUP GROUP g bob BLOCK 0 STREAMS s >")
    wire.line("XADD s 1-1 a 1")
    assert first.got() == [[[b"s", ENTRY]]]
    assert second.got() == []
    wire.line("XADD s 1-2 a 2")
    assert second.got() == [[[b"s", [[b"1-2", [b"a", b"2"]]]]]]
    assert wire.line("XPENDING s g")[3] == [[b"ann", b"1"], [b"bob", b"1"]]


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ("XGROUP DESTROY s g", b"NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"),
        ("DEL s", b"NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"),
        ("FLUSHALL", b"NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"),
        ("RENAME s t", b"NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"),
        ("SWAPDB 0 1", b"NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"),
        ("SET s v", b"WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_a_group_that_is_gone_ends_the_wait(wire: Any, patient: Any, change: str, answer: bytes) -> None:
    wire.line("XGROUP CREATE s g $ MKSTREAM")
    client = patient()
    client.line("XREADGROUP GROUP g ann BLOCK 0 STREAMS s >")
    wire.line(change)
    assert client.got() == [ErrorReply(answer)]


@pytest.mark.parametrize("change", ["DEL s", "SET s v", "FLUSHALL", "XTRIM s MAXLEN 0", "EXPIRE s 100"])
def test_a_reader_without_a_group_goes_on_waiting(wire: Any, patient: Any, change: str) -> None:
    wire.line("XADD s 1-0 a 0")
    client = patient()
    client.line("XREAD BLOCK 0 STREAMS s $")
    wire.line(change)
    assert client.got() == []
    wire.line("DEL s")
    wire.line("XADD s 1-1 a 1")
    assert client.got() == [[[b"s", ENTRY]]]


def test_a_transaction_is_seen_as_a_whole(wire: Any, patient: Any) -> None:
    client = patient()
    client.line("XREAD BLOCK 0 STREAMS s t $ $")
    for line in ("MULTI", "XADD s 1-1 a 1", "XADD t 1-1 a 1", "XDEL s 1-1", "EXEC"):
        wire.line(line)
    assert client.got() == [[[b"t", ENTRY]]]


@pytest.mark.parametrize(
    ("how", "answer"),
    [
        ("", NULL_ARRAY),
        ("TIMEOUT", NULL_ARRAY),
        ("ERROR", ErrorReply(b"UNBLOCKED client unblocked via CLIENT UNBLOCK")),
    ],
)
def test_client_unblock(wire: Any, patient: Any, how: str, answer: Any) -> None:
    client = patient()
    number = client.wire.connection.client.id
    assert wire.line(f"CLIENT UNBLOCK {number}") == 0
    client.line("XREAD BLOCK 0 STREAMS s $")
    assert wire.line(f"CLIENT UNBLOCK {number} {how}") == 1
    assert client.got() == [answer]
    assert wire.line(f"CLIENT UNBLOCK {number} {how}") == 0


def test_a_client_that_goes_away_takes_nothing(house: Any, wire: Any, patient: Any) -> None:
    wire.line("XGROUP CREATE s g $ MKSTREAM")
    client, other = patient(), patient()
    client.line("XREADGROUP GROUP g ann BLOCK 0 STREAMS s >")
    other.line("XREADGROUP GROUP g bob BLOCK 0 STREAMS s >")
    client.wire.connection.connection_lost(None)
    wire.line("XADD s 1-1 a 1")
    assert other.got() == [[[b"s", ENTRY]]]
    assert not house.server.waiting.by_key


def test_nobody_is_answered_during_a_pause(house: Any, wire: Any, patient: Any) -> None:
    client = patient()
    client.line("XREAD BLOCK 0 STREAMS s $")
    for line in ("MULTI", "XADD s 1-1 a 1", "CLIENT PAUSE 10000", "EXEC"):
        wire.line(line)
    assert client.got() == []
    wire.line("CLIENT UNPAUSE")
    house.run_timers(1)
    assert client.got() == [[[b"s", ENTRY]]]
