"""Log-ins that fail: they change nothing, tell nothing about users there are, and come by every way."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from januskv.compat.server.acl import passwords
from januskv.resp.replies import ErrorReply, Simple

OK = Simple(b"OK")
WRONG = ErrorReply("WRONGPASS invalid username-password pair or user is disabled.")


@pytest.fixture
def users(wire: Any) -> None:
    wire("ACL", "SETUSER", "sha", "on", ">right", ">also", "+@all", "~*")
    wire("ACL", "SETUSER", "off", "off", ">right")
    wire("ACL", "SETUSER", "none", "on")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes what is computed."""
    done: list[str] = []

    def noted(name: str, function: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            done.append(name)
            return function(*args, **options)

        return call

    monkeypatch.setattr(passwords.hashlib, "sha256", noted("sha256", hashlib.sha256))
    monkeypatch.setattr(passwords.hashlib, "scrypt", noted("scrypt", hashlib.scrypt))
    return done


FAILING = [
    ("sha", "wrong"),
    ("sha", ""),
    ("nosuch", "wrong"),
    ("off", "right"),
    ("off", "wrong"),
    ("none", "x"),
    ("", "x"),
]


@pytest.mark.usefixtures("users")
def test_every_failure_takes_the_same_work(house: Any, work: list[str]) -> None:
    replies, costs = [], []
    for name, password in FAILING:
        work.clear()
        replies.append(house.connect()("AUTH", name, password))
        costs.append(list(work))
    assert replies == [WRONG] * len(FAILING)
    assert costs == [["sha256"]] * len(FAILING)


@pytest.mark.usefixtures("users")
def test_while_somebody_has_a_password_by_scrypt_every_failure_takes_that(
    house: Any, wire: Any, work: list[str]
) -> None:
    wire("ACL", "SETUSER", "costly", "on", ">scrypt:hard")
    assert house.connect()("AUTH", "costly", "hard") == OK
    # Also with the password of somebody else, which is remembered as right for that one.
    for name, password in [*FAILING, ("costly", "wrong"), ("nosuch", "hard"), ("sha", "hard")]:
        work.clear()
        assert house.connect()("AUTH", name, password) == WRONG, name
        assert work == (["sha256", "scrypt"]), (name, password)
    work.clear()
    assert house.connect()("AUTH", "sha", "right") == OK
    assert "scrypt" not in work


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize(
    "line", ["AUTH sha wrong", "AUTH nosuch x", "HELLO 3 AUTH sha wrong", "HELLO 3 AUTH sha wrong SETNAME n"]
)
def test_a_failure_changes_nothing(house: Any, line: str) -> None:
    other = house.connect()
    assert other("AUTH", "sha", "right") == OK
    other("CLIENT", "SETNAME", "before")
    assert other.line(line) == WRONG
    assert other("ACL", "WHOAMI") == b"sha"
    assert other("CLIENT", "GETNAME") == b"before"
    assert other.connection.client.protocol == 2


@pytest.mark.usefixtures("users")
def test_within_a_transaction(house: Any, wire: Any) -> None:
    other = house.connect()
    lines = ("MULTI", "AUTH sha wrong", "ACL WHOAMI", "AUTH sha right", "ACL WHOAMI", "EXEC")
    *queued, replies = [other.line(line) for line in lines]
    assert queued == [OK, *[Simple(b"QUEUED")] * 4]
    assert replies == [WRONG, b"default", OK, b"sha"]
    # With other rights what follows in the same transaction is refused.
    wire("ACL", "SETUSER", "few", "on", ">x", "+ping")
    lines = ("MULTI", "AUTH few x", "SET a 1", "PING", "EXEC")
    replies = [other.line(line) for line in lines][-1]
    assert replies[0] == OK
    assert type(replies[1]) is ErrorReply
    assert replies[2] == Simple(b"PONG")
    assert wire("GET", "a") is None


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize(
    "call", ["'AUTH', 'sha', 'right'", "'HELLO', '3', 'AUTH', 'sha', 'right'", "'RESET'", "'SV_AUTH', '{}'"]
)
def test_not_within_a_script(house: Any, call: str) -> None:
    other = house.connect()
    assert (
        other("EVAL", f"return redis.pcall({call})['err']", 0) == b"ERR This Redis command is not allowed from script"
    )
    assert other("ACL", "WHOAMI") == b"default"


@pytest.mark.usefixtures("users")
def test_guessing_gives_nobody_away(house: Any, wire: Any) -> None:
    wire("CONFIG", "SET", "requirepass", "secret")
    other = house.connect()
    assert {str(other("AUTH", f"user{number}", "x")) for number in range(200)} == {str(WRONG)}
    assert {str(other("AUTH", "sha", f"guess{number}")) for number in range(200)} == {str(WRONG)}
    assert other("GET", "a") == ErrorReply("NOAUTH Authentication required.")
    requests = [{"SV_AUTH": {"user": name, "password": "x"}} for name in ("sha", "nosuch", "off")]
    answers = {other.send(json.dumps(request).encode() + b"\n") for request in requests}
    assert len(answers) == 1
    stats = wire("INFO", "stats").decode()
    assert "acl_access_denied_auth:403\r\n" in stats
    assert len(wire("ACL", "LOG", 1000)) <= 128
