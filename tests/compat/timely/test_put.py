"""Points by text, on the data port and on Timely's own: what is stored, what is answered, what is left out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import House

from januskv import __version__
from januskv.resp.replies import NULL_ARRAY, ErrorReply, Simple

T = 1893456000000
VERSION = __version__.encode()
BAD = b"put m 1893456000000 1 a=b viz=A&B|C\n"


@pytest.fixture(params=["data port", "own port"])
def client(request: pytest.FixtureRequest, house: House, wire: Any, timely: Any) -> Any:
    return wire if request.param == "data port" else timely


def test_points_become_series_with_labels(client: Any, house: House, wire: Any) -> None:
    assert (
        client.send(b"put disk.used %d 41.5 mnt=data host=db7\nput disk.used %d 42 host=db7 mnt=data\n" % (T, T + 1))
        == b""
    )
    assert wire("TS.MRANGE", "-", "+", "WITHLABELS", "FILTER", "host=db7") == [
        [
            b"disk.used{host=db7,mnt=data}",
            [[b"__name__", b"disk.used"], [b"host", b"db7"], [b"mnt", b"data"]],
            [[T, Simple(b"41.5")], [T + 1, Simple(b"42")]],
        ]
    ]
    stats = house.server.accounts.stats
    assert (stats.timely_points_received, stats.timely_lines_refused) == (2, 0)


STORED = [
    pytest.param(b"put m %d 1\n" % T, {b"m{}": [(T, 1.0)]}, id="no tags"),
    pytest.param(b"put m %d 1 a=b\r\n" % T, {b"m{a=b}": [(T, 1.0)]}, id="a carriage return"),
    pytest.param(b"put m 1356998400 1 a=b\n", {b"m{a=b}": [(1356998400000, 1.0)]}, id="seconds"),
    pytest.param(b"put  m   %d  9.5   a=b   c=d  \n" % T, {b"m{a=b,c=d}": [(T, 9.5)]}, id="runs of blanks"),
    pytest.param(b"put m %d 1 a=x=1,y\n" % T, {rb"m{a=x\=1\,y}": [(T, 1.0)]}, id="= and , in a value"),
    pytest.param(b"put m %d 1 a=\n" % T, {b"m{a=}": [(T, 1.0)]}, id="an empty value"),
    pytest.param(b"put m %d 1 a=b a=c\n" % T, {b"m{a=c}": [(T, 1.0)]}, id="the last of equal tags"),
    pytest.param(b"put m %d 1 a=b viz=A&(B|C)\n" % T, {b"m{a=b,viz=A&(B|C)}": [(T, 1.0)]}, id="a visibility"),
    pytest.param(b"put m %d 1\nput m %d 2\n" % (T, T), {b"m{}": [(T, 2.0)]}, id="the last of one time"),
    pytest.param(
        b"put m %d 1\nput m %d 2\nput m %d 3\n" % (T, T - 5, T - 9),
        {b"m{}": [(T - 9, 3.0), (T - 5, 2.0), (T, 1.0)]},
        id="late ones",
    ),
    pytest.param(b"put m 0 0x1p3\n", {b"m{}": [(0, 8.0)]}, id="a hexadecimal value"),
    pytest.param(
        "put \u00e4 5 1 \u00f6=\u00fc\n".encode(), {"\u00e4{\u00f6=\u00fc}".encode(): [(5000, 1.0)]}, id="UTF-8"
    ),
]


@pytest.mark.parametrize(("data", "found"), STORED)
def test_stored(client: Any, house: House, samples: Any, data: bytes, found: dict[bytes, Any]) -> None:
    for _ in range(2):  # as new series, and as known ones
        assert client.send(data) == b""
        assert samples(house) == found
    assert house.server.accounts.stats.timely_lines_refused == 0
    house.advance(1)


REFUSED = [
    pytest.param(b"put m x 1 a=b\n", id="no time"),
    pytest.param(b"put m 1.5 1 a=b\n", id="a fraction as time"),
    pytest.param(b"put m -1 1 a=b\n", id="before 1970"),
    pytest.param(b"put m 9223372036854775808 1 a=b\n", id="beyond 64 bits"),
    pytest.param(b"put m 1 nan a=b\n", id="nan in small letters"),
    pytest.param(b"put m 1 1,5 a=b\n", id="no value"),
    pytest.param(b"put m 1 1 a\n", id="a tag without ="),
    pytest.param(b"put m 1 1 =a\n", id="a tag without a name"),
    pytest.param(b"put m 1 1 __name__=n\n", id="the label of the name"),
    pytest.param(b"put m 1\n", id="no value at all"),
    pytest.param(b"put m\n", id="no time at all"),
    pytest.param(b"put \n", id="nothing at all"),
    pytest.param(b"put m\0 1 1\n", id="a NUL in the metric"),
    pytest.param(b"put m 1 1 a=\xff\n", id="a tag that is not UTF-8"),
    pytest.param(b"put m 1 1 " + b"a" * 70_000 + b"=b\n", id="a line that is too long"),
]


@pytest.mark.parametrize("line", REFUSED)
def test_refused(client: Any, house: House, samples: Any, line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert client.send(line + b"put ok 1 1\n") == b""
    assert samples(house) == {b"ok{}": [(1000, 1.0)]}
    stats = house.server.accounts.stats
    assert (stats.timely_points_received, stats.timely_lines_refused) == (1, 1)
    assert len(caplog.records) == 1
    assert not client.transport.closed


def test_a_key_that_holds_something_else(client: Any, house: House, wire: Any) -> None:
    wire("SET", "m{a=b}", "text")
    assert client.send(b"put m 1 1 a=b\nput m 2 1 a=b\n") == b""
    assert wire("GET", "m{a=b}") == b"text"
    assert house.server.accounts.stats.timely_lines_refused == 2


def test_a_bad_visibility_is_the_one_fault_that_is_told(client: Any) -> None:
    reply = client.send(b"put m 1 x\n" + BAD + b"put m 1 1 a=b\n")
    assert reply.startswith(b"Error storing put metric: ")
    assert reply.count(b"\n") == 1
    assert reply.endswith(b"\n")


def test_version_has_no_line_end(client: Any) -> None:
    assert client.send(b"version\n") == VERSION
    assert client.send(b"version\r\nput m 1 2\n" + BAD + b"version\n").startswith(VERSION + b"Error ")


def test_lines_in_any_pieces(client: Any, house: House, samples: Any) -> None:
    data = b"".join(b"put m %d %d a=%d\r\n" % (T + n, n, n % 3) for n in range(60))
    chance = random.Random(1)
    while data:
        size = chance.randrange(1, 40)
        client.send(data[:size])
        data = data[size:]
    assert samples(house) == {
        b"m{a=%d}" % tag: [(T + n, float(n)) for n in range(60) if n % 3 == tag] for tag in range(3)
    }


@pytest.mark.parametrize(
    "change",
    [
        ["DEL m{a=b}"],
        ["FLUSHALL"],
        ["RENAME m{a=b} other"],
        ["SWAPDB 0 1"],
        ["MOVE m{a=b} 1"],
        ["SET m{a=b} text", "DEL m{a=b}"],
    ],
    ids=lambda change: change[0],
)
def test_a_known_line_makes_its_series_again(
    client: Any, house: House, wire: Any, samples: Any, change: list[str]
) -> None:
    client.send(b"put m 1 1 a=b\n")
    for command in change:
        assert not isinstance(wire.line(command), ErrorReply)
    client.send(b"put m 2 2 a=b\n")
    assert samples(house)[b"m{a=b}"] == [(2000, 2.0)]
    assert [row[2] for row in wire.line("TS.MRANGE - + FILTER a=b __name__=m")] in (
        [[[2000, Simple(b"2")]]],
        [[[2000, Simple(b"2")]], [[1000, Simple(b"1")]]],
    )
    house.store.databases[0].check()


def test_a_series_that_has_expired_is_made_again(client: Any, house: House, wire: Any, samples: Any) -> None:
    client.send(b"put m 1 1 a=b\n")
    wire("PEXPIRE", "m{a=b}", 10)
    house.clock.advance(11)
    client.send(b"put m 2 2 a=b\n")
    assert samples(house) == {b"m{a=b}": [(2000, 2.0)]}
    assert wire("TTL", "m{a=b}") == -1


def test_a_relabelled_series_stays_the_one_of_its_key(client: Any, wire: Any) -> None:
    client.send(b"put m 1 1 a=b\n")
    wire.line("TS.ALTER m{a=b} LABELS a c")
    client.send(b"put m 2 2 a=b\n")
    assert wire.line("TS.MRANGE - + FILTER a=c")[0][2] == [[1000, Simple(b"1")], [2000, Simple(b"2")]]


def test_a_series_that_another_command_has_made_takes_points(client: Any, wire: Any) -> None:
    wire.line("TS.CREATE m{a=b} DUPLICATE_POLICY BLOCK LABELS a b")
    client.send(b"put m 1 1 a=b\nput m 1 2 a=b\n")
    assert wire.line("TS.RANGE m{a=b} - +") == [[1000, Simple(b"2")]]


def test_rules_follow(client: Any, wire: Any) -> None:
    client.send(b"put m 1 1 a=b\n")
    wire.line("TS.CREATE sums")
    wire.line("TS.CREATERULE m{a=b} sums AGGREGATION sum 10000")
    client.send(b"put m 11 2 a=b\nput m 12 3 a=b\nput m 21 4 a=b\n")
    assert wire.line("TS.RANGE sums - +") == [[10000, Simple(b"5")]]


def test_points_older_than_a_retention_are_left_out(client: Any, house: House, wire: Any) -> None:
    wire.line("TS.CREATE m{a=b} RETENTION 5000")
    client.send(b"put m 100 1 a=b\nput m 101 1 a=b\nput m 50 1 a=b\nput m 99 2 a=b\n")
    assert wire.line("TS.RANGE m{a=b} - +") == [[n * 1000, Simple(b"2" if n == 99 else b"1")] for n in (99, 100, 101)]
    stats = house.server.accounts.stats
    assert (stats.timely_points_received, stats.timely_lines_refused) == (3, 1)


# ---------------------------------------------------------------- settings


def test_small_timestamps_can_be_milliseconds(client: Any, house: House, wire: Any, samples: Any) -> None:
    client.send(b"put m 1 1\n")
    wire.line("CONFIG SET timely-seconds no")
    client.send(b"put m 5 1\nput m 6 0x1p0\n")
    assert samples(house) == {b"m{}": [(5, 1.0), (6, 1.0), (1000, 1.0)]}


def test_another_database(make_house: Callable[..., House], connect_timely: Any) -> None:
    house = make_house(timely_database=3)
    connect_timely(house).send(b"put m 1 1\n")
    house.connect().send(b"put m 2 1\n")
    assert [len(each) for each in house.store.databases[:4]] == [0, 0, 0, 1]


def test_a_default_visibility(client: Any, house: House, wire: Any, samples: Any) -> None:
    client.send(b"put m 1 1 a=b\n")
    assert wire.line("CONFIG SET timely-default-visibility A&B") == Simple(b"OK")
    client.send(b"put m 2 1 a=b\nput m 3 1 a=b viz=C\n")
    assert sorted(samples(house)) == [b"m{a=b,viz=A&B}", b"m{a=b,viz=C}", b"m{a=b}"]
    assert isinstance(wire.line("CONFIG SET timely-default-visibility A&B|C"), ErrorReply)


def test_points_too_old_to_be_seen_are_left_out_and_removed(client: Any, house: House, wire: Any, samples: Any) -> None:
    day = 86_400_000
    now = house.clock.now_ms
    client.send(b"put m %d 1 a=b\nput kept %d 1 a=b\n" % (now - 2 * day, now - 2 * day))
    assert len(samples(house)) == 2
    wire.line('CONFIG SET timely-age-off "1 kept=0"')
    assert wire.line("CONFIG GET timely-age-off") == [b"timely-age-off", b"1 kept=0"]
    client.send(b"put m %d 1 a=c\nput m %d 2 a=c\nput kept %d 1 a=c\n" % (now - 2 * day, now, now - 2 * day))
    assert samples(house)[b"m{a=c}"] == [(now, 2.0)]
    house.advance(120_000)
    assert sorted(samples(house)) == [b"kept{a=b}", b"kept{a=c}", b"m{a=c}"]


@pytest.mark.parametrize("value", ["x", "-1", "m=", "=3", "1.5", "m=x"])
def test_a_bad_age_off(wire: Any, value: str) -> None:
    assert isinstance(wire("CONFIG", "SET", "timely-age-off", value), ErrorReply)


# ---------------------------------------------------------------- who may put


@pytest.mark.parametrize(
    ("password", "setting", "anonymous", "logged_in"),
    [
        ("", "auto", True, True),
        ("", "yes", True, True),
        ("", "no", False, False),
        ("secret", "auto", False, True),
        ("secret", "yes", True, True),
        ("secret", "no", False, True),
    ],
)
def test_who_may_put(
    make_house: Callable[..., House],
    connect_timely: Any,
    samples: Any,
    password: str,
    setting: str,
    anonymous: bool,
    logged_in: bool,
) -> None:
    house = make_house(requirepass=password, timely_anonymous_put=setting)
    unknown, known, own = house.connect(), house.connect(), connect_timely(house)
    if password:
        assert known("AUTH", password) == Simple(b"OK")
    assert unknown.send(b"put a 1 1\nversion\n") == VERSION
    assert own.send(b"put b 1 1\nversion\n") == VERSION
    known.send(b"put c 1 1\n")
    wanted = [b"a{}", b"b{}"] if anonymous else []
    assert sorted(samples(house)) == wanted + ([b"c{}"] if logged_in else [])
    stats = house.server.accounts.stats
    assert stats.timely_points_received + stats.timely_lines_refused == 3


def test_a_client_that_protected_mode_keeps_out(house: House, connect_timely: Any, samples: Any) -> None:
    client = connect_timely(house, ("192.0.2.1", 4000))
    assert client.send(b"put m 1 1\n") == b""
    assert client.transport.closed
    assert samples(house) == {}


def test_clients_count(make_house: Callable[..., House], connect_timely: Any) -> None:
    house = make_house(maxclients=2)
    wire, own = house.connect(), connect_timely(house)
    assert wire("CLIENT", "LIST").count(b" addr=") == 2
    refused = connect_timely(house)
    assert refused.transport.closed
    assert refused.transport.written == b""
    assert wire("CLIENT", "KILL", "ID", own.connection.client.id) == 1
    assert own.transport.aborted
    assert wire("CLIENT", "LIST").count(b" addr=") == 1


def test_idle_clients_are_closed(make_house: Callable[..., House], connect_timely: Any) -> None:
    house = make_house(timeout=5)
    own = connect_timely(house)
    for _ in range(3):
        house.advance(4000)
        own.send(b"put m 1 1\n")
    assert not own.transport.closed
    house.advance(4000)
    house.advance(4000)
    assert own.transport.aborted


# ---------------------------------------------------------------- what waits


def test_points_wait_while_writes_are_paused(client: Any, house: House, wire: Any, samples: Any) -> None:
    other = house.connect()
    other("CLIENT", "PAUSE", 1000, "WRITE")
    assert client.send(b"put m 1 1\nput m 2 2\n") == b""
    assert not client.transport.reading
    assert client.send(b"put m 3 3\nversion\n") == b""
    assert samples(house) == {}
    other("CLIENT", "UNPAUSE")
    client.transport.written = b""
    house.run_timers()
    assert samples(house) == {b"m{}": [(n * 1000, float(n)) for n in (1, 2, 3)]}
    assert client.transport.written == VERSION
    assert client.transport.reading


def test_points_wait_while_data_is_loaded(client: Any, house: House, samples: Any) -> None:
    house.server.state.set_loading(True)
    assert client.send(b"put m 1 1\n") == b""
    assert not client.transport.reading
    house.server.state.set_loading(False)
    house.run_timers()
    assert samples(house) == {b"m{}": [(1000, 1.0)]}
    assert client.transport.reading


def test_points_wait_while_changes_cannot_be_logged(client: Any, house: House, samples: Any) -> None:
    house.server.state.set_write_fault("the disk is full")
    client.send(b"put m 1 1\n")
    house.server.pause.begin(10, writes_only=False)
    house.server.state.set_write_fault("")
    house.run_timers()
    assert samples(house) == {}
    assert not client.transport.reading
    house.clock.advance(20)
    house.run_timers(1)
    assert samples(house) == {b"m{}": [(1000, 1.0)]}
    assert client.transport.reading


def test_who_waits_is_not_idle(make_house: Callable[..., House], connect_timely: Any, samples: Any) -> None:
    house = make_house(timeout=5)
    own = connect_timely(house)
    house.server.state.set_write_fault("the disk is full")
    own.send(b"put m 1 1\n")
    house.advance(4000)
    house.advance(60_000)
    assert not own.transport.closed
    house.server.state.set_write_fault("")
    house.run_timers()
    assert samples(house) == {b"m{}": [(1000, 1.0)]}


def test_points_that_wait_and_are_lost_are_logged(client: Any, house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.server.state.set_write_fault("the disk is full")
    client.send(b"put m 1 1\n")
    client.connection.kill()
    assert [record.getMessage() for record in caplog.records] == [
        "client 127.0.0.1:50000 closed: points that waited are lost"
    ]


def test_a_client_that_ends_while_its_points_wait(client: Any, house: House, samples: Any) -> None:
    house.server.state.set_loading(True)
    client.send(b"put m 1 1\n")
    client.connection.eof_received()
    house.server.state.set_loading(False)
    house.run_timers()
    assert samples(house) == {b"m{}": [(1000, 1.0)]}


# ---------------------------------------------------------------- who is told


def test_monitor_shows_lines(client: Any, house: House) -> None:
    watcher = house.connect()
    watcher("MONITOR")
    watcher.transport.written = b""
    client.send(b"put m 1 1 a=b\n")
    assert watcher.transport.written.endswith(b'"put" "m" "1" "1" "a=b"\r\n')


def test_watch_sees_points(client: Any, house: House, wire: Any) -> None:
    client.send(b"put m 1 1 a=b\n")
    watcher = house.connect()
    watcher("WATCH", "m{a=b}")
    client.send(b"put m 2 1 a=b\n")
    watcher("MULTI")
    watcher("PING")
    assert watcher("EXEC") is NULL_ARRAY


def test_notifications_and_caches_are_told(client: Any, house: House, wire: Any) -> None:
    wire.line("CONFIG SET notify-keyspace-events KEA")
    listener, reader = house.connect(), house.connect()
    listener.send(b"PSUBSCRIBE __keyevent@0__:*\r\n")
    client.send(b"put m 1 1 a=b\n")
    assert b"ts.add\r\n$6\r\nm{a=b}\r\n" in listener.transport.written
    reader.send(b"HELLO 3\r\nCLIENT TRACKING on\r\nTS.GET m{a=b}\r\n")
    reader.transport.written = b""
    client.send(b"put m 2 1 a=b\n")
    house.run_timers()
    assert b"invalidate" in reader.transport.written


# ---------------------------------------------------------------- the own port


@pytest.mark.parametrize(
    "data",
    [
        b"frobnicate now\n",
        b"\n" * 9,
        b" put m 1 1\n",
        b"PUT m 1 1\n",
        b"\xff\xfe\0\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"{}\n",
    ],
)
def test_other_lines_are_passed_over(timely: Any, house: House, samples: Any, data: bytes) -> None:
    assert timely.send(data + b"version\n") == VERSION
    assert samples(house) == {}
    assert not timely.transport.closed


def test_a_carriage_return_ends_a_line(timely: Any, house: House, samples: Any) -> None:
    timely.send(b"put m 1 1\rput m 2 2\r")
    assert samples(house) == {b"m{}": [(1000, 1.0), (2000, 2.0)]}


@pytest.mark.parametrize("size", [1, 70_000, 1_000_000])
def test_a_long_line_is_passed_over(timely: Any, house: House, samples: Any, size: int) -> None:
    data = b"put m 1 1 " + b"a" * 200_000
    for at in range(0, len(data), max(size, 1000)):
        timely.send(data[at : at + max(size, 1000)])
    assert timely.connection.pending_input() <= 65_536
    timely.send(b"a=b\nput m 2 2\n")
    assert samples(house) == {b"m{}": [(2000, 2.0)]}
    assert house.server.accounts.stats.timely_lines_refused == 1


@pytest.mark.parametrize("head", [b"POST /x HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.0\n\n"])
def test_a_browser_is_turned_away(timely: Any, house: House, samples: Any, head: bytes) -> None:
    timely.send(head + b"put m 1 1\n")
    assert timely.transport.closed
    assert samples(house) == {}


def test_replies_have_no_form_there(timely: Any) -> None:
    with pytest.raises(TypeError):
        timely.connection.push(Simple(b"OK"))
    with pytest.raises(TypeError):
        timely.connection.push_native({})


# ---------------------------------------------------------------- anything at all


def anything(chance: random.Random) -> bytes:
    """A line, or what nobody would send."""
    kind = chance.random()
    if kind < 0.4:
        line = b"put m%d %d %.3f a=%d\n" % (
            chance.randrange(5),
            chance.randrange(2**42),
            chance.gauss(0, 9),
            chance.randrange(9),
        )
        if chance.random() < 0.5:
            at = chance.randrange(len(line))
            line = line[:at] + bytes([chance.randrange(256)]) + line[at + chance.randrange(2) :]
        return line
    if kind < 0.7:
        words = [
            b"put",
            b" ",
            b"  ",
            b"m",
            b"1",
            b"-1",
            b"1e9",
            b"NaN",
            b"a=b",
            b"=",
            b"viz=",
            b"viz=(",
            b"\r",
            b"\n",
            b"\t",
            b"\0",
        ]
        return b"".join(chance.choice(words) for _ in range(chance.randrange(20)))
    if kind < 0.8:
        return b"\x14\0\0\0TMFB" + chance.randbytes(chance.randrange(60))
    return chance.randbytes(chance.randrange(50)) + chance.choice([b"", b"\n"])


@pytest.mark.parametrize("seed", range(30))
def test_any_bytes(house: House, connect_timely: Any, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(seed)
    client = connect_timely(house)
    for _ in range(100):
        client.send(anything(chance))
        assert not client.transport.closed
    client.send(b"x" * 300_000 + b"\n")  # ends what was begun, a buffer too
    for _ in range(20):
        client.send(b"\n")
    assert client.send(b"version\n") == VERSION
    house.advance(1)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
