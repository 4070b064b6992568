"""A secret goes in by every way there is, right and wrong, and must come out by none."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

import pytest
from tests.compat.test_both_transports import Native
from tests.conftest import encoded

from januskv.resp.replies import Simple

SECRET = "Xq7-s3cret-9Zw"
OK = Simple(b"OK")
# A script is shown with its arguments, as in Redis: it gets them so that the secret is not among them.
BACKWARDS = "for at, word in ipairs(ARGV) do ARGV[at] = word:reverse() end return redis.pcall(unpack(ARGV))"

# As somebody who is logged in: lines with the secret, well formed and not.
LINES = [
    f"AUTH {SECRET}",
    f"AUTH u {SECRET}",
    f"AUTH nobody {SECRET}",
    f"AUTH u {SECRET} more",
    f"auth u {SECRET}x",
    f"HELLO 3 AUTH u {SECRET}",
    f"HELLO 3 AUTH nobody {SECRET}",
    f"HELLO 9 AUTH u {SECRET}",
    f"HELLO 3 SETNAME n AUTH u {SECRET}",
    f"HELLO 3 AUTH u {SECRET} SETNAME 'a b'",
    f"ACL SETUSER v on >{SECRET}",
    f"ACL SETUSER v <{SECRET}",
    f"ACL SETUSER v <{SECRET}x",
    f"ACL SETUSER v >scrypt:{SECRET}",
    f"ACL SETUSER v >{SECRET} +get",
    f"acl setuser w reset >{SECRET}",
    f"CONFIG SET requirepass {SECRET}",
    f"CONFIG SET maxclients 100 requirepass {SECRET}",
    f"CONFIG SET requirepass {SECRET} nosuch x",
    f"CONFIG SET tls-key-file-pass {SECRET}",
    f'SV_AUTH \'{{"user":"nobody","password":"{SECRET}"}}\'',
    f'SV_AUTH \'{{"password":"{SECRET}"}}\'',
    f'SV_AUTH \'{{"password":["{SECRET}"]}}\'',
    f'SV_AUTH \'{{"password":"{SECRET}"\'',
    f'\'{{"SV_AUTH":{{"user":"u","password":"{SECRET}"}}}}\'',
    f"AUTH session 99999999999:{SECRET}",
]
REQUESTS: list[dict[str, Any]] = [
    {"SV_AUTH": {"password": SECRET}},
    {"SV_AUTH": {"user": "nobody", "password": SECRET}},
    {"SV_AUTH": {"user": ["u"], "password": SECRET}},
    {"SV_AUTH": {"user": "u", "password": SECRET, "pasword": SECRET}},
    {"SV_AUTH": {"user": "session", "password": f"99999999999:{SECRET}"}},
]


@pytest.fixture
def outputs(house: Any, wire: Any, caplog: Any) -> Any:
    """Gathers what anybody is shown, after everything went in."""
    caplog.set_level(logging.DEBUG)
    monitor = house.connect()
    monitor("MONITOR")
    for line in (
        "CONFIG SET slowlog-log-slower-than 0",
        "CONFIG SET latency-monitor-threshold 1",
        "ACL SETUSER u on nopass",
    ):
        assert wire.line(line) == OK

    def gather() -> dict[str, bytes]:
        asked = (
            *(
                "SLOWLOG GET -1",
                "ACL LOG 1000",
                "ACL LIST",
                "ACL GETUSER u",
                "ACL GETUSER v",
                "CLIENT LIST",
                "CLIENT INFO",
            ),
            *(
                "INFO everything",
                "CONFIG GET maxclients",
                "LATENCY LATEST",
                "LATENCY DOCTOR",
                "MEMORY DOCTOR",
                "COMMAND COUNT",
            ),
            *("ACL USERS", "CONFIG GET dir", "KEYS *", "MEMORY STATS"),
        )
        shown = {line: repr(wire.line(line)).encode() for line in asked}
        return shown | {"MONITOR": monitor.transport.written, "the log": caplog.text.encode()}

    return gather


def check(shown: dict[str, bytes]) -> None:
    assert {name for name, data in shown.items() if SECRET.encode() in data} == set()


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("logged_in", [True, False], ids=["logged in", "not logged in"])
def test_redis_commands(house: Any, wire: Any, outputs: Any, line: str, logged_in: bool, split_line: Any) -> None:
    if not logged_in:
        wire("CONFIG", "SET", "requirepass", "other")
    sender = house.connect()
    if logged_in:
        sender("AUTH", "u", "x")
        wire("ACL", "SETUSER", "u", "+@all", "allkeys", "allchannels")
    argv = split_line(line)
    # What it answers itself is searched too; the last one is left within a transaction, in its buffer.
    replies = sender.send(encoded(*argv))
    for words in (["MULTI"], argv, ["EXEC"], ["EVAL", BACKWARDS, "0", *[word[::-1] for word in argv]], ["MULTI"], argv):
        replies += sender.send(encoded(*words))
    replies += house.connect().send(b" ".join(b'"%b"' % each.replace(b'"', b'\\"') for each in argv) + b"\r\n")
    check(outputs() | {"replies": replies})


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("listener", ["line", "message"])
def test_native_requests(house: Any, wire: Any, outputs: Any, request_: dict[str, Any], listener: str) -> None:
    native = Native(house, listener)
    replies = json.dumps(native.send(request_)).encode()
    wire("CONFIG", "SET", "requirepass", "other")
    replies += json.dumps(native.send(request_, request_)).encode()
    check(outputs() | {"replies": replies})


def test_the_right_one_too(house: Any, wire: Any, outputs: Any) -> None:
    wire("ACL", "SETUSER", "u", "reset", "on", ">" + SECRET, "+@all")
    for argv in (("AUTH", "u", SECRET), ("HELLO", "3", "AUTH", "u", SECRET), ("HELLO", "2", "AUTH", "u", SECRET + "x")):
        house.connect().send(encoded(*argv))
    native = Native(house, "line")
    assert native.send({"SV_AUTH": {"user": "u", "password": SECRET}}) == [{"SV_AUTH_RSP": {"st": 1}}]
    shown = outputs()
    check(shown)
    assert hashlib.sha256(SECRET.encode()).hexdigest().encode() in shown["ACL LIST"]  # it did go in
    assert b"AUTH" in shown["SLOWLOG GET -1"]
    assert b"HELLO" in shown["ACL LOG 1000"]
