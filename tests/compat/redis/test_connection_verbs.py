"""HELLO, AUTH, SELECT, QUIT, RESET: what they answer, refuse and change."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple

OK = Simple(b"OK")
WRONG = ErrorReply("WRONGPASS invalid username-password pair or user is disabled.")


def error(text: str) -> ErrorReply:
    return ErrorReply(text)


def fields(reply: list[Any]) -> dict[bytes, Any]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def test_hello_describes_the_server(wire: Any) -> None:
    found = fields(wire("HELLO"))
    assert found.pop(b"id") == wire.connection.client.id
    assert found.pop(b"version").startswith(b"7.4.")
    assert found == {
        b"server": b"redis",
        b"proto": 2,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": wire("MODULE", "LIST"),
    }


def test_hello_3_answers_in_the_new_protocol(wire: Any) -> None:
    assert wire.send(b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n").startswith(b"%7\r\n")
    assert wire.send(b"GET nothing\r\n") == b"_\r\n"
    assert wire.send(b"HELLO 2\r\n").startswith(b"*14\r\n")
    assert wire.send(b"GET nothing\r\n") == b"$-1\r\n"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        pytest.param("HELLO 1", "NOPROTO unsupported protocol version", id="too old"),
        pytest.param("HELLO 4", "NOPROTO unsupported protocol version", id="too new"),
        pytest.param("HELLO -1", "NOPROTO unsupported protocol version", id="negative"),
        pytest.param("HELLO x", "ERR Protocol version is not an integer or out of range", id="no number"),
        pytest.param("HELLO 03", "ERR Protocol version is not an integer or out of range", id="leading zero"),
        pytest.param("HELLO 3 AUTH x", "ERR Syntax error in HELLO option 'AUTH'", id="AUTH without password"),
        pytest.param("HELLO 3 SETNAME", "ERR Syntax error in HELLO option 'SETNAME'", id="SETNAME without name"),
        pytest.param("HELLO 3 FOO", "ERR Syntax error in HELLO option 'FOO'", id="unknown option"),
    ],
)
def test_hello_refuses(wire: Any, line: str, text: str) -> None:
    assert wire.line(line) == error(text)
    assert wire.connection.client.protocol == 2


def test_a_failed_login_in_hello_changes_nothing(make_house: Any) -> None:
    wire = make_house(requirepass="secret").connect()
    assert wire.line("HELLO 3 AUTH default wrong SETNAME me") == WRONG
    client = wire.connection.client
    assert (client.protocol, client.name, client.authenticated) == (2, b"", False)


def test_password_is_asked_for(make_house: Any) -> None:
    wire = make_house(requirepass="secret").connect()
    assert wire("GET", "a") == error("NOAUTH Authentication required.")
    assert wire("HELLO", 3).text.startswith(b"NOAUTH HELLO must be called with the client already authenticated")
    assert wire("AUTH", "wrong") == WRONG
    assert wire("AUTH", "nobody", "secret") == WRONG
    assert wire("AUTH", "a", "b", "c") == error("ERR syntax error")
    assert wire("AUTH", "secret") == OK
    assert wire("GET", "a") is None
    assert wire("RESET") == Simple(b"RESET")
    assert wire("GET", "a") == error("NOAUTH Authentication required.")
    assert wire("AUTH", "default", "secret") == OK


def test_login_in_hello(make_house: Any) -> None:
    wire = make_house(requirepass="secret").connect()
    assert fields(wire.line("HELLO 2 AUTH default secret SETNAME me"))[b"proto"] == 2
    assert wire("CLIENT", "GETNAME") == b"me"


def test_auth_without_a_password_set(wire: Any) -> None:
    assert wire("AUTH", "x") == error(
        "ERR AUTH <password> called without any password configured for the default user."
        " Are you sure your configuration is correct?"
    )
    assert wire("AUTH", "default", "anything") == OK


@pytest.mark.parametrize("password", [b"\xff\xfe", "ä".encode(), b"a b", b'"'])
def test_a_password_is_any_bytes(house: Any, password: bytes) -> None:
    admin = house.connect()
    assert admin("CONFIG", "SET", "requirepass", password) == OK
    wire = house.connect()
    assert wire("AUTH", password + b"\xfd") == WRONG
    assert wire("AUTH", password) == OK
    assert wire("CONFIG", "GET", "requirepass") == [b"requirepass", password]


def test_select_a_database_or_a_session(house: Any, wire: Any) -> None:
    session = house.store.sessions.open_new("mine", shared=False)
    assert wire("SELECT", 3) == OK
    assert wire("SET", "a", "in 3") == OK
    assert wire("SELECT", session.token) == OK
    assert wire("GET", "a") is None
    wire("SET", "a", "in the session")
    assert session.keyspace.get(b"a") == b"in the session"
    assert wire("SELECT", 3) == OK
    assert wire("GET", "a") == b"in 3"


@pytest.mark.parametrize(
    ("index", "text"),
    [
        pytest.param("16", "ERR DB index is out of range", id="no such database"),
        pytest.param("-1", "ERR DB index is out of range", id="negative"),
        pytest.param("x", "ERR value is not an integer or out of range", id="no number"),
        pytest.param("9223372036854775807", "ERR no such session", id="unknown token"),
        pytest.param("9223372036854775808", "ERR value is not an integer or out of range", id="beyond 64 bits signed"),
    ],
)
def test_select_refuses(wire: Any, index: str, text: str) -> None:
    assert wire("SELECT", index) == error(text)


def test_quit_answers_and_closes(wire: Any) -> None:
    assert wire.send(b"QUIT\r\nPING\r\n") == b"+OK\r\n"
    assert wire.transport.closed


def test_reset_puts_everything_back(house: Any, wire: Any) -> None:
    wire("HELLO", 3)
    wire("CLIENT", "SETNAME", "me")
    wire("CLIENT", "NO-EVICT", "ON")
    wire("SELECT", 5)
    wire("WATCH", "a")
    wire("MULTI")
    wire("SET", "a", 1)
    assert wire.send(b"RESET\r\n") == b"+RESET\r\n"
    client = wire.connection.client
    assert (client.protocol, client.name, client.no_evict, client.queue, client.watched) == (2, b"", False, None, set())
    assert client.keyspace is house.store.databases[0]
    assert wire("EXEC") == error("ERR EXEC without MULTI")
    assert wire("GET", "a") is None


def test_reset_ends_monitor_and_silence(house: Any, wire: Any) -> None:
    wire("MONITOR")
    assert wire("RESET") == Simple(b"RESET")
    house.connect()("SET", "a", 1)
    assert wire.transport.written == b"+RESET\r\n"
    wire.send(b"CLIENT REPLY OFF\r\n")
    assert wire("RESET") == Simple(b"RESET")
    assert wire("PING") == Simple(b"PONG")
