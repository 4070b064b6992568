"""Client-side caching: who is told of which change, and when."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.compat.test_both_transports import Native

from januskv.resp.replies import OK, Simple

from .test_pubsub import got


@pytest.fixture
def reader(house: Any) -> Any:
    """A RESP3 client with tracking on that has read a and h."""
    client = house.connect()
    client.line("HELLO 3")
    client.line("CLIENT TRACKING ON")
    client.line("GET a")
    client.line("HGETALL h")
    return client


def told(house: Any, client: Any) -> list[Any]:
    """The keys of the invalidations since the last look or request; they are the last that the client has been sent."""
    house.run_timers()
    messages = got(client)
    own = [type(message) is list and message[:1] == [b"invalidate"] for message in messages]
    assert own == sorted(own)
    return [message[1] for message, is_own in zip(messages, own, strict=True) if is_own]


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("SET a 1", [[b"a"]]),
        ("HSET h f v", [[b"h"]]),
        ("MSET a 1 b 2", [[b"a"]]),
        ("SET b 1", []),
        ("GET a", []),
        ("FLUSHALL", [None]),
        ("DEL a", []),
    ],
)
def test_changes_of_keys_that_were_read(house: Any, wire: Any, reader: Any, line: str, keys: list[Any]) -> None:
    wire.line("SET something 1")
    wire.line(line)
    assert told(house, reader) == keys


def test_each_key_is_told_once_until_it_is_read_again(house: Any, wire: Any, reader: Any) -> None:
    wire.line("SET a 1")
    assert told(house, reader) == [[b"a"]]
    wire.line("SET a 2")
    assert told(house, reader) == []
    reader.line("GET a")
    wire.line("SET a 3")
    assert told(house, reader) == [[b"a"]]


def test_json_commands_tell_too(house: Any, wire: Any, reader: Any) -> None:
    assert orjson.loads(wire.send(b'{"KV_SET":{"keys":{"a":1}}}\n'))["KV_SET_RSP"]["st"] == 1
    assert told(house, reader) == [[b"a"]]


def test_a_key_that_expires(house: Any, wire: Any, reader: Any) -> None:
    wire.line("SET a 1 PX 10")
    told(house, reader)
    reader.line("GET a")
    house.advance(1200)
    assert told(house, reader) == [[b"a"]]


def test_own_changes_come_behind_the_reply_unless_noloop(house: Any, reader: Any) -> None:
    reader.send(b"SET a 1\r\nPING\r\n")
    assert got(reader) == [OK, [b"invalidate", [b"a"]], Simple(b"PONG")]
    reader.line("CLIENT TRACKING ON NOLOOP")
    reader.line("GET a")
    reader.line("SET a 2")
    assert told(house, reader) == []


def test_keys_read_in_a_transaction(house: Any, wire: Any, reader: Any) -> None:
    for line in ("MULTI", "GET x", "MGET y z", "EXEC"):
        reader.line(line)
    wire.line("MSET x 1 y 2 z 3")
    assert told(house, reader) == [[b"x"], [b"y"], [b"z"]]


def test_what_a_transaction_changes_is_told_behind_its_reply(house: Any, reader: Any) -> None:
    reader.send(b"MULTI\r\nSET a 1\r\nHSET h f v\r\nEXEC\r\nPING\r\n")
    messages = [message[1] for message in got(reader) if type(message) is list and message[:1] == [b"invalidate"]]
    assert messages == [[b"a"], [b"h"]]


def test_a_change_is_told_before_what_follows_it(house: Any, wire: Any, reader: Any) -> None:
    reader.line("PING")
    wire.send(b"SET a 1\r\nFLUSHALL\r\nSET h 1\r\n")
    assert told(house, reader) == [[b"a"], None]


def test_prefixes(house: Any, wire: Any) -> None:
    client = house.connect()
    client.line("HELLO 3")
    client.line("CLIENT TRACKING ON BCAST PREFIX user: PREFIX item:")
    assert client.connection.client.plain
    for line in ("SET user:1 x", "SET other x", "SET item:2 y", "SET user:1 z", "SET user:2 z"):
        wire.line(line)
    assert told(house, client) == [[b"item:2"], [b"user:1", b"user:2"]]
    client.line("CLIENT TRACKING OFF")
    wire.line("SET user:1 x")
    assert told(house, client) == []
    assert house.store.feed.listeners == []


def test_opt_in_and_out(house: Any, wire: Any) -> None:
    for option, word, expected in (("OPTIN", "YES", [[b"b"]]), ("OPTOUT", "NO", [[b"a"]])):
        client = house.connect()
        client.line("HELLO 3")
        client.line(f"CLIENT TRACKING ON {option}")
        client.line("GET a")
        client.line(f"CLIENT CACHING {word}")
        client.line("GET b")
        wire.line("MSET a 1 b 2")
        assert told(house, client) == expected


def test_another_connection_is_told(house: Any, wire: Any) -> None:
    ear, client = house.connect(), house.connect()
    number = ear.line("CLIENT ID")
    ear.line("SUBSCRIBE __redis__:invalidate")
    got(ear)
    client.line(f"CLIENT TRACKING ON REDIRECT {number}")
    client.line("GET a")
    assert client.line("CLIENT GETREDIR") == number
    wire.line("SET a 1")
    assert got(ear) == [[b"message", b"__redis__:invalidate", [b"a"]]]
    client.line("GET a")
    ear.connection.connection_lost(None)
    wire.line("SET a 2")
    assert b"broken_redirect" in client.line("CLIENT TRACKINGINFO")[1]


def test_too_many_keys_are_forgotten_and_told(house: Any, wire: Any, reader: Any) -> None:
    wire.line("CONFIG SET tracking-table-max-keys 3")
    assert told(house, reader) == []
    reader.send(b"MGET b c d\r\nPING\r\n")
    assert got(reader) == [[None, None, None], [b"invalidate", [b"a"]], [b"invalidate", [b"h"]], Simple(b"PONG")]


@pytest.mark.parametrize("option", ["", "NOLOOP"])
def test_a_lower_limit_is_obeyed_at_once(house: Any, reader: Any, option: str) -> None:
    reader.line(f"CLIENT TRACKING ON {option}")
    reader.line("MGET b c")
    reader.send(b"CONFIG SET tracking-table-max-keys 1\r\nPING\r\n")
    *messages, last = got(reader)
    assert messages == [OK, *([b"invalidate", [key]] for key in (b"a", b"h", b"b"))]
    assert last == Simple(b"PONG")
    assert list(house.server.tracking.readers) == [b"c"]


def test_many_keys_are_forgotten_in_steps(house: Any, wire: Any, reader: Any) -> None:
    reader.line("MGET " + " ".join(f"key:{n}" for n in range(2500)))
    wire.line("CONFIG SET tracking-table-max-keys 2")
    assert len(house.server.tracking.readers) == 1502
    assert told(house, reader) == [[b"a"], [b"h"], *([b"key:%d" % n] for n in range(2498))]
    assert list(house.server.tracking.readers) == [b"key:2498", b"key:2499"]


def test_prefixes_and_own_changes(house: Any, wire: Any) -> None:
    client = house.connect()
    client.line("HELLO 3")
    client.line("CLIENT TRACKING ON BCAST NOLOOP")
    client.line("SET own 1")
    client.line("SET both 1")
    wire.line("MSET both 2 other 2")
    assert told(house, client) == [[b"both", b"other"]]
    client.line("SET own 1")
    assert told(house, client) == []


def test_a_client_that_goes_leaves_nothing(house: Any, wire: Any, reader: Any) -> None:
    reader.connection.connection_lost(None)
    wire.line("SET a 1")
    house.run_timers()
    assert house.server.tracking.readers == {}
    assert house.store.feed.listeners == []


class TestWaiting:
    """A command that has waited is its client's own one, however much later it is answered."""

    def answer(self, house: Any, client: Any) -> list[Any]:
        """What the client has got since it waits: replies and messages in order."""
        house.run_timers()
        return [message[1] if message[:1] == [b"invalidate"] else "reply" for message in got(client)]

    @pytest.mark.parametrize(
        "line", ["XREAD BLOCK 0 STREAMS s $", "XREAD COUNT 1 BLOCK 0 STREAMS other s $ $"], ids=["one key", "two keys"]
    )
    def test_keys_that_are_read_later_are_remembered(self, house: Any, wire: Any, line: str) -> None:
        client = house.connect()
        client.line("HELLO 3")
        client.line("CLIENT TRACKING ON")
        client.transport.written = b""
        client.send(line.encode() + b"\r\n")
        wire.line("XADD s 1-1 a b")
        assert self.answer(house, client) == [[b"s"], "reply"]
        wire.line("XADD s 1-2 a b")
        assert told(house, client) == [[b"s"]]
        wire.line("XADD s 1-3 a b")
        assert told(house, client) == []

    def test_caching_yes_holds_until_the_answer(self, house: Any, wire: Any) -> None:
        client = house.connect()
        for line in ("HELLO 3", "CLIENT TRACKING ON OPTIN", "CLIENT CACHING YES"):
            client.line(line)
        client.transport.written = b""
        client.send(b"XREAD BLOCK 0 STREAMS s $\r\n")
        wire.line("XADD s 1-1 a b")
        assert self.answer(house, client) == [[b"s"], "reply"]
        client.line("GET a")
        wire.line("XADD s 1-2 a b")
        wire.line("SET a 1")
        assert told(house, client) == [[b"s"]]

    @pytest.mark.parametrize("ends", ["timeout", "CLIENT UNBLOCK"])
    def test_caching_yes_ends_without_an_answer_too(self, house: Any, wire: Any, ends: str) -> None:
        client = house.connect()
        for line in ("HELLO 3", "CLIENT TRACKING ON OPTIN", "CLIENT CACHING YES"):
            client.line(line)
        number = client.line("CLIENT ID")
        client.line("CLIENT CACHING YES")
        client.send(b"XREAD BLOCK 50 STREAMS s $\r\n")
        if ends == "timeout":
            house.run_timers(1)
        else:
            assert wire.line(f"CLIENT UNBLOCK {number}") == 1
            house.run_timers()
        client.line("GET a")
        wire.line("SET a 1")
        assert told(house, client) == []

    @pytest.mark.parametrize(
        ("option", "keys"), [("BCAST", [b"l", b"m"]), ("BCAST NOLOOP", [b"l"])], ids=["with loops", "without"]
    )
    def test_what_it_changes_later_is_its_own_change(
        self, house: Any, wire: Any, option: str, keys: list[bytes]
    ) -> None:
        client = house.connect()
        client.line("HELLO 3")
        client.line(f"CLIENT TRACKING ON {option}")
        client.transport.written = b""
        client.send(b"BLMOVE l m LEFT LEFT 0\r\n")
        wire.line("RPUSH l a b")
        house.run_timers()
        assert got(client) == [b"a", [b"invalidate", keys]]


class TestClientsThatAreGone:
    @pytest.mark.parametrize("ends", ["CLIENT TRACKING OFF", "RESET", "the connection closes"])
    def test_nothing_is_kept_of_them_while_others_track(self, house: Any, wire: Any, reader: Any, ends: str) -> None:
        tracking = house.server.tracking
        for turn in range(50):
            client = house.connect()
            client.line("CLIENT TRACKING ON")
            client.line("MGET a " + " ".join(f"key:{turn}:{n}" for n in range(100)))
            if ends == "the connection closes":
                client.connection.connection_lost(None)
            else:
                client.line(ends)
        house.run_timers(1)
        assert tracking.readers.keys() == {b"a", b"h"}
        assert [set(readers) for readers in tracking.readers.values()] == [{reader.connection.client}] * 2
        assert b"tracking_total_items:2\r\n" in wire.line("INFO stats")
        assert house.timers == []
        wire.line("SET a 1")
        assert told(house, reader) == [[b"a"]]

    def test_what_is_read_while_the_table_is_swept_is_kept(self, house: Any, wire: Any, reader: Any) -> None:
        other = house.connect()
        other.line("CLIENT TRACKING ON")
        other.line("MGET " + " ".join(f"key:{n}" for n in range(2500)))
        other.connection.connection_lost(None)
        [(_, sweep)] = house.timers
        house.timers.clear()
        sweep()
        assert 0 < len(house.server.tracking.readers) < 2502
        reader.line("GET key:0")
        another = house.connect()
        another.line("CLIENT TRACKING ON")
        another.line("MGET " + " ".join(f"key:{n}" for n in range(2000, 2500)))
        another.connection.connection_lost(None)
        house.run_timers(1)
        assert house.server.tracking.readers.keys() == {b"a", b"h", b"key:0"}

    def test_keys_read_before_broadcasting_are_not_told(self, house: Any, wire: Any, reader: Any) -> None:
        house.connect().line("CLIENT TRACKING ON")
        reader.line("CLIENT TRACKING OFF")
        reader.line("CLIENT TRACKING ON BCAST PREFIX user:")
        wire.line("MSET a 1 user:1 x")
        assert told(house, reader) == [[b"user:1"]]


@pytest.mark.parametrize(
    "line", ["SINTERCARD abc k", "ZINTER 5 k", "ZINTER 0 k", "ZDIFF -1 k", "XREAD STREAMS", "XREAD k", "LRANGE k 0 x"]
)
def test_commands_that_fail_have_read_nothing(house: Any, wire: Any, line: str) -> None:
    client = house.connect()
    client.line("HELLO 3")
    client.line("CLIENT TRACKING ON")
    assert client.line(line).text.startswith(b"ERR")
    assert not client.transport.closed
    wire.line("SET k 1")
    assert told(house, client) == []
    client.line("GET k")
    wire.line("SET k 2")
    assert told(house, client) == [[b"k"]]


@pytest.mark.parametrize("line", ["CLIENT GETNAME", "CLIENT SETNAME", "CLIENT TRACKING ON OPTIN"])
def test_caching_outlasts_commands_about_the_client(house: Any, wire: Any, line: str) -> None:
    client = house.connect()
    for each in ("HELLO 3", "CLIENT TRACKING ON OPTIN", "CLIENT CACHING YES", line, "GET a", "GET b"):
        client.line(each)
    wire.line("MSET a 1 b 2")
    assert told(house, client) == [[b"a"]]


@pytest.mark.parametrize("line", ["GET", "NOSUCH", "CLIENT NOSUCH", "PING"])
def test_caching_is_over_with_the_next_command_even_if_that_is_refused(house: Any, wire: Any, line: str) -> None:
    client = house.connect()
    for each in ("HELLO 3", "CLIENT TRACKING ON OPTIN", "CLIENT CACHING YES", line, "GET a"):
        client.line(each)
    wire.line("SET a 1")
    assert told(house, client) == []


SUBSCRIBE = {"SV_SUBSCRIBE": {"channels": ["__redis__:invalidate"]}}


def redirected(house: Any, native: Native) -> Any:
    """A client whose invalidations go to another one."""
    client = house.connect()
    client.line(f"CLIENT TRACKING ON REDIRECT {native.connection.client.id}")
    client.line("GET a")
    return client


@pytest.mark.parametrize("listener", ["line", "message"])
def test_a_native_client_is_told_in_its_own_form(house: Any, wire: Any, reader: Any, listener: str) -> None:
    native = Native(house, listener)
    native.send(SUBSCRIBE)
    client = redirected(house, native)
    client.line("GET b\xff")
    native.transport.written = b""
    wire.line("MSET a 1 b\xff 2")
    assert told(house, reader) == [[b"a"]]
    first, second = [message for each in native.got() for message in each.values()]
    assert first == {"channel": "__redis__:invalidate", "message": ["a"]}
    assert len(second["message"]) == 1
    native.transport.written = b""
    wire.line("FLUSHALL")
    assert native.got() == [{"SV_MESSAGE": {"channel": "__redis__:invalidate", "message": None}}]


@pytest.mark.parametrize("listener", ["line", "message"])
@pytest.mark.parametrize("subscribe", [{}, {"SV_SUBSCRIBE": {"channels": ["other"]}}])
def test_a_native_client_that_does_not_listen_is_told_nothing(
    house: Any, wire: Any, reader: Any, listener: str, subscribe: Any
) -> None:
    native = Native(house, listener)
    if subscribe:
        native.send(subscribe)
    redirected(house, native)
    native.transport.written = b""
    wire.line("SET a 1")
    assert told(house, reader) == [[b"a"]]
    assert native.got() == []
    assert not native.transport.closed


def test_one_that_cannot_be_told_does_not_cost_the_others_their_messages(
    house: Any, wire: Any, reader: Any, caplog: Any
) -> None:
    broken = house.connect()
    broken.line("HELLO 3")
    broken.line("CLIENT TRACKING ON")
    broken.line("GET a")
    last = house.connect()
    last.line("HELLO 3")
    last.line("CLIENT TRACKING ON")
    last.line("GET a")

    def write(data: bytes) -> None:
        raise OSError("broken")

    broken.transport.write = write
    last.transport.written = b""
    wire.line("SET a 1")
    assert told(house, reader) == [[b"a"]]
    assert [each[1] for each in got(last)] == [[b"a"]]
    assert broken.transport.aborted
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("line", ["FLUSHALL", "FLUSHDB"])
def test_flushing_nothing_tells_clients_to_forget_all(house: Any, wire: Any, line: str) -> None:
    wire("HELLO", 3)
    wire.line("CLIENT TRACKING on")
    wire.line("GET nothing")
    house.connect().line(line)
    house.run_timers()
    assert told(house, wire) == [None]


def test_many_flushes_in_one_command_are_told_once(house: Any, wire: Any, reader: Any) -> None:
    for line in ("SET x 1", "SELECT 1", "SET x 1"):
        wire.line(line)
    reader.line("PING")
    wire.send(b"SET a 1\r\nFLUSHALL\r\n")
    assert told(house, reader) == [[b"a"], None]
    reader.send(b"SET x 1\r\nFLUSHALL\r\nPING\r\n")
    assert got(reader) == [OK, OK, [b"invalidate", None], Simple(b"PONG")]
