"""DEBUG: off by default; what it does when it is on."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple
from januskv.storage.clock import ShiftedClock
from januskv.storage.store import Store

OK = Simple(b"OK")


@pytest.fixture
def debug(make_house: Any) -> Any:
    return make_house(enable_debug_command="yes").connect()


def test_off_by_default(wire: Any) -> None:
    assert wire("DEBUG", "SLEEP", 0) == ErrorReply(
        'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a'
        " local connection, otherwise you need to set this option in the configuration file, and then restart the"
        " server."
    )


def test_local_means_this_machine(make_house: Any) -> None:
    house = make_house(enable_debug_command="local", protected_mode=False)
    assert house.connect()("DEBUG", "SLEEP", 0) == OK
    assert house.connect(("10.0.0.1", 7))("DEBUG", "SLEEP", 0).text.startswith(b"ERR DEBUG command not allowed")


@pytest.mark.parametrize(
    ("line", "two", "three"),
    [
        ("string", b"$11\r\nHello World\r\n", b"$11\r\nHello World\r\n"),
        ("integer", b":12345\r\n", b":12345\r\n"),
        ("double", b"$5\r\n3.141\r\n", b",3.141\r\n"),
        ("null", b"$-1\r\n", b"_\r\n"),
        ("array", b"*3\r\n:0\r\n:1\r\n:2\r\n", b"*3\r\n:0\r\n:1\r\n:2\r\n"),
        ("set", b"*3\r\n:0\r\n:1\r\n:2\r\n", b"~3\r\n:0\r\n:1\r\n:2\r\n"),
        ("map", b"*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n", b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
        ("true", b":1\r\n", b"#t\r\n"),
        ("false", b":0\r\n", b"#f\r\n"),
        ("verbatim", b"$25\r\nThis is a verbatim\nstring\r\n", b"=29\r\ntxt:This is a verbatim\nstring\r\n"),
        (
            "push",
            b"-ERR RESP2 is not supported by this command\r\n",
            b"$40\r\nSome real reply following the push reply\r\n>2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n",
        ),
    ],
)
def test_reply_types(debug: Any, line: str, two: bytes, three: bytes) -> None:
    command = f"DEBUG PROTOCOL {line}\r\n".encode()
    assert debug.send(command) == two
    debug("HELLO", 3)
    assert debug.send(command) == three


def test_an_unknown_reply_type(debug: Any) -> None:
    assert debug("DEBUG", "PROTOCOL", "x").text.startswith(b"ERR Wrong protocol type name.")


def test_errors_are_counted(debug: Any) -> None:
    assert debug("DEBUG", "ERROR", "MYCODE text\r\n+OK") == ErrorReply("MYCODE text  +OK")
    assert b"errorstat_MYCODE:count=1" in debug("INFO", "errorstats")


def test_a_bug_is_survived(debug: Any) -> None:
    assert debug("DEBUG", "CRASH-COMMAND") == ErrorReply("ERR internal error")
    assert debug("PING") == Simple(b"PONG")


def test_object(debug: Any) -> None:
    debug("SET", "a", 1)
    assert b"refcount:1 encoding:int serializedlength:" in debug("DEBUG", "OBJECT", "a").text
    assert debug("DEBUG", "OBJECT", "b") == ErrorReply("ERR no such key")


def test_active_expiry_off(make_house: Any) -> None:
    house = make_house(enable_debug_command="yes")
    wire = house.connect()
    wire.line("DEBUG SET-ACTIVE-EXPIRE 0")
    wire.line("SET a 1 PX 1")
    house.advance(5_000)
    assert wire("DBSIZE") == 1
    wire.line("DEBUG SET-ACTIVE-EXPIRE 1")
    house.advance(1)
    assert wire("DBSIZE") == 0


def test_fast_forward_moves_the_servers_clock(make_house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    house = make_house(enable_debug_command="yes")
    assert house.connect().line("DEBUG FASTFORWARD 5") == ErrorReply("ERR the clock of this server cannot be moved")
    clock = ShiftedClock()
    store = Store(clock=clock)
    house.server.store = store
    wire = house.connect()
    before = int(wire("TIME")[0])
    wire.line("SET a 1 EX 100")
    assert wire.line("DEBUG FASTFORWARD 200000") == OK
    assert wire("GET", "a") is None
    assert int(wire("TIME")[0]) >= before + 200


def test_stringmatch(debug: Any) -> None:
    assert debug.line("DEBUG STRINGMATCH-LEN 1000 a*a*a*b") == 0
    assert debug.line("DEBUG STRINGMATCH-LEN 3 a?a") == 1


# ---------------------------------------------------------------- digests


def digest(wire: Any) -> bytes:
    return wire("DEBUG", "DIGEST").text  # type: ignore[no-any-return]


def test_an_empty_server_has_no_digest(debug: Any) -> None:
    assert digest(debug) == b"0" * 40


def test_the_digest_follows_the_data_not_its_history(debug: Any) -> None:
    found = []
    for names in ("ab", "ba"):
        debug("FLUSHALL")
        for name in names:
            debug("SET", name, name)
        found.append(digest(debug))
    assert found[0] == found[1]
    debug("SET", "a", "other")
    assert digest(debug) != found[0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param('{"x":1,"y":{"z":2}}', '{"y":{"z":2},"x":1}', True, id="the order of members is not content"),
        pytest.param("[1,2]", "[2,1]", False, id="the order of elements is"),
        pytest.param("1", '"1"', False, id="number and text"),
        pytest.param("1", "1.0", False, id="integer and float"),
        pytest.param("null", '"null"', False, id="null and text"),
        pytest.param('["a","b"]', '["a,b"]', False, id="one element and two"),
        pytest.param("[]", "{}", False, id="empty array and empty object"),
    ],
)
def test_digests_tell_values_apart(debug: Any, one: str, other: str, same: bool) -> None:
    found = []
    for value in (one, other):
        debug("KV_SET", f'{{"keys":{{"k":{value}}}}}')
        found.append(debug("DEBUG", "DIGEST-VALUE", "k", "nosuch"))
    assert (found[0] == found[1]) is same
    assert found[0][1] == Simple(b"0" * 40)


def test_a_deadline_is_part_of_it(debug: Any) -> None:
    debug("SET", "a", 1)
    before = digest(debug)
    debug("EXPIRE", "a", 100)
    assert digest(debug) != before


FILL = """
SET s text
SET n 5
SETRANGE long 70000 x
SETBIT bits 9 1
RPUSH l a b 3
HSET h f v g 2
HPEXPIRE h 100000 FIELDS 1 f
SADD m 1 2 x
ZADD z 1 a 2.5 b inf c
XADD x 1-1 f v
XGROUP CREATE x g 0
XREADGROUP GROUP g c STREAMS x >
PFADD p a b c
TS.CREATE source LABELS a 1
TS.CREATE sums
TS.CREATERULE source sums AGGREGATION sum 10
TS.MADD source 1 1 source 5 2 source 15 4
EXPIRE s 100
""".strip().splitlines()


def test_reload(debug: Any) -> None:
    for line in FILL:
        assert not isinstance(debug.line(line), ErrorReply), line
    debug.line("SELECT 3")
    debug.line("RPUSH other a b")
    debug("SH_NEW", '{"name":"visitor"}')
    before = debug.line("DEBUG DIGEST")
    assert debug.line("DEBUG RELOAD") == OK
    assert debug.line("DEBUG DIGEST") == before
    debug.line("SELECT 0")
    for line, answer in (
        ("TTL s", 100),
        ("HTTL h FIELDS 2 f g", [100, -1]),
        ("XPENDING x g", [1, b"1-1", b"1-1", [[b"c", b"1"]]]),
        ("TS.ADD source 25 1", 25),  # the rule goes on
        ("TS.RANGE sums - +", [[0, Simple(b"3")], [10, Simple(b"4")]]),
        ("TS.QUERYINDEX a=1", [b"source"]),
    ):
        assert debug.line(line) == answer, line


def test_reload_of_what_is_on_disk_is_refused(debug: Any) -> None:
    assert debug.line("DEBUG RELOAD NOSAVE").text.startswith(b"ERR DEBUG RELOAD")
    assert debug.line("DEBUG RELOAD x").text == b"ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
    assert debug.line("DEBUG LOADAOF").text.startswith(b"ERR there is no log")


def test_populate(debug: Any) -> None:
    debug.line("SET key:1 mine")
    assert debug.line("DEBUG POPULATE 3") == OK
    assert debug.line("MGET key:0 key:1 key:2 key:3") == [b"value:0", b"mine", b"value:2", None]
    assert debug.line("DEBUG POPULATE 2 p 10") == OK
    assert debug.line("MGET p:0 p:1") == [b"value:0\0\0\0", b"value:1\0\0\0"]
    assert debug.line("DEBUG POPULATE 1 q 3") == OK
    assert debug.line("GET q:0") == b"val"
    for bad in ("-1", "x", "9223372036854775807", "1 p 99999999999", "1 p 1 1"):
        assert isinstance(debug.line(f"DEBUG POPULATE {bad}"), ErrorReply), bad
    assert debug.line("DBSIZE") == 6


def test_pause_cron(make_house: Any) -> None:
    house = make_house(enable_debug_command="yes")
    wire = house.connect()
    wire.line("SET k v PX 10")
    assert wire.line("DEBUG PAUSE-CRON 1") == OK
    house.advance(5000)
    assert wire.line("DBSIZE") == 1
    assert wire.line("DEBUG PAUSE-CRON 0") == OK
    house.advance(1)
    assert wire.line("DBSIZE") == 0


@pytest.mark.parametrize(
    ("line", "fine"),
    [
        ("REPLYBUFFER PEAK-RESET-TIME 100", True),
        ("REPLYBUFFER PEAK-RESET-TIME never", True),
        ("REPLYBUFFER PEAK-RESET-TIME x", False),
        ("REPLYBUFFER RESIZING 0", True),
        ("REPLYBUFFER x 0", False),
        ("QUICKLIST-PACKED-THRESHOLD 100b", True),
        ("QUICKLIST-PACKED-THRESHOLD 0", True),
        ("QUICKLIST-PACKED-THRESHOLD 4gb", False),
        ("QUICKLIST-PACKED-THRESHOLD x", False),
    ],
)
def test_what_only_checks_its_arguments(debug: Any, line: str, fine: bool) -> None:
    assert (debug.line(f"DEBUG {line}") == OK) == fine


def test_the_digest_of_a_copy_is_that_of_the_original(debug: Any) -> None:
    debug.line("ZADD z 1 a 2 b")
    debug.line("COPY z copy")
    first, second = debug.line("DEBUG DIGEST-VALUE z copy")
    assert first == second
    debug.line("EXPIRE copy 100")
    assert debug.line("DEBUG DIGEST-VALUE z") != debug.line("DEBUG DIGEST-VALUE copy")
