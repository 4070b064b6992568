"""CLIENT: names, descriptions, closing others, replies."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple

OK = Simple(b"OK")
FIELDS = """
    id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp
    obl oll omem tot-mem events cmd user redir resp lib-name lib-ver
"""


def described(text: bytes) -> dict[str, str]:
    return dict(field.split("=", 1) for field in text.decode().strip().split(" "))


def sizes(text: bytes) -> dict[str, int]:
    names = ("qbuf", "qbuf-free", "argv-mem", "multi-mem", "rbs", "rbp", "omem", "tot-mem")
    return {name: int(value) for name, value in described(text).items() if name in names}


def test_what_a_connection_takes(house: Any, wire: Any) -> None:
    """The figures that redis-server 7.0.15 has too; a request counts where it is kept."""
    other = house.connect()

    def others() -> dict[str, int]:
        return sizes(wire("CLIENT", "LIST", "ID", other.connection.client.id))

    own = sizes(wire("CLIENT", "INFO"))
    assert (own["qbuf"], own["argv-mem"], own["omem"]) == (26, 10, 0)
    fresh = others()
    assert (fresh["qbuf"], fresh["argv-mem"], fresh["multi-mem"], fresh["rbp"]) == (0, 0, 0, 0)
    assert fresh["tot-mem"] > 100
    other.line("MULTI")
    other.line("SET a 1")
    queued = others()
    assert 5 < queued["multi-mem"] < 200
    assert queued["rbp"] == len("+QUEUED\r\n")
    assert queued["tot-mem"] >= fresh["tot-mem"] + queued["multi-mem"]
    other.line("DISCARD")
    other.send(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$10000\r\n" + b"y" * 5000)
    assert 5000 <= others()["qbuf"] <= 5040
    assert others()["tot-mem"] >= fresh["tot-mem"] + 5000
    other.send(b"y" * 5000 + b"\r\n")
    assert others()["qbuf"] == 0
    other.send(b"BLPOP list 0\r\n")
    assert others()["argv-mem"] == len("BLPOPlist0")
    wire.line("RPUSH list a")
    assert others()["argv-mem"] == 0


def test_what_is_parked_is_counted(house: Any, wire: Any) -> None:
    other = house.connect()
    wire.line("CLIENT PAUSE 1000")
    other.send(b"SET a " + b"x" * 100 + b"\r\n")
    assert sizes(wire("CLIENT", "LIST", "ID", other.connection.client.id))["argv-mem"] == 104


def test_the_line_has_all_fields_in_order(wire: Any) -> None:
    wire("CLIENT", "SETNAME", "me")
    wire("CLIENT", "SETINFO", "LIB-NAME", "redis-py")
    wire("CLIENT", "SETINFO", "lib-ver", "8.1.0")
    found = described(wire("CLIENT", "INFO"))
    assert list(found) == FIELDS.split()
    shown = {name: found[name] for name in ("id", "addr", "name", "cmd", "resp", "lib-name", "lib-ver", "flags", "db")}
    assert shown == {
        "id": str(wire("CLIENT", "ID")),
        "addr": "127.0.0.1:50000",
        "name": "me",
        "cmd": "client|info",
        "resp": "2",
        "lib-name": "redis-py",
        "lib-ver": "8.1.0",
        "flags": "N",
        "db": "0",
    }


def test_the_line_follows_state_and_clock(house: Any, wire: Any) -> None:
    other = house.connect(("127.0.0.1", 7))
    other("SELECT", 3)
    other("WATCH", "a")
    other("MULTI")
    other("SET", "a", "1")
    house.advance(5_000)
    found = described(wire.line(f"CLIENT LIST ID {other.connection.client.id}"))
    shown = {name: found[name] for name in ("age", "idle", "db", "multi", "watch", "flags", "cmd")}
    assert shown == {
        "age": "5",
        "idle": "5",
        "db": "3",
        "multi": "1",
        "watch": "1",
        "flags": "x",
        "cmd": "set",
    }


def test_a_session_is_shown_by_its_token(house: Any, wire: Any) -> None:
    token = house.store.sessions.open_new("mine", shared=True).token
    wire("SELECT", token)
    assert described(wire("CLIENT", "INFO"))["db"] == str(token)


def test_list_by_type_and_number(house: Any, wire: Any) -> None:
    house.connect()
    assert len(wire("CLIENT", "LIST").splitlines()) == 2
    assert len(wire.line("CLIENT LIST TYPE normal").splitlines()) == 2
    assert wire.line("CLIENT LIST TYPE pubsub") == b""
    assert wire.line("CLIENT LIST ID 1 2 999").count(b"\n") == 2
    assert wire.line("CLIENT LIST ID 0 -1") == b""


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("CLIENT SETNAME 'a b'", "ERR Client names cannot contain spaces, newlines or special characters."),
        ("CLIENT SETINFO lib-name 'a b'", "ERR lib-name cannot contain spaces, newlines or special characters."),
        ("CLIENT SETINFO lib-x a", "ERR Unrecognized option 'lib-x'"),
        ("CLIENT LIST TYPE x", "ERR Unknown client type 'x'"),
        ("CLIENT LIST ID x", "ERR Invalid client ID"),
        ("CLIENT LIST TYPE x TYPE x", "ERR syntax error"),
        ("CLIENT KILL ID 0", "ERR client-id should be greater than 0"),
        ("CLIENT KILL 1.2.3.4:5", "ERR No such client"),
        ("CLIENT KILL SKIPME maybe", "ERR syntax error"),
        ("CLIENT PAUSE x", "ERR timeout is not an integer or out of range"),
        ("CLIENT PAUSE -1", "ERR timeout is negative"),
        ("CLIENT PAUSE 1 x", "ERR CLIENT PAUSE mode must be WRITE or ALL"),
        ("CLIENT REPLY x", "ERR syntax error"),
        ("CLIENT TRACKING x", "ERR syntax error"),
        ("CLIENT UNBLOCK 5 x", "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        ("CLIENT NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
        ("CLIENT", "ERR wrong number of arguments for 'client' command"),
    ],
)
def test_refused(wire: Any, line: str, text: str) -> None:
    assert wire.line(line) == ErrorReply(text)


@pytest.mark.parametrize(
    ("filters", "killed"),
    [
        pytest.param("ID {other}", 1, id="by number"),
        pytest.param("ADDR 10.0.0.1:7", 1, id="by address"),
        pytest.param("ADDR 10.0.0.2:7", 0, id="by an address that nobody has"),
        pytest.param("TYPE normal", 1, id="by type, the killer is spared"),
        pytest.param("USER default", 1, id="by user"),
        pytest.param("MAXAGE 5", 1, id="by age"),
        pytest.param("MAXAGE 6", 0, id="nobody is that old"),
        pytest.param("ID {other} ADDR 10.0.0.2:7", 0, id="all conditions must hold"),
    ],
)
def test_kill_by_conditions(house: Any, wire: Any, filters: str, killed: int) -> None:
    house.server.config.protected_mode = False
    other = house.connect(("10.0.0.1", 7))
    house.advance(5_000)
    assert wire.line("CLIENT KILL " + filters.format(other=other.connection.client.id)) == killed
    assert other.transport.closed == bool(killed)
    assert not wire.transport.closed


def test_kill_by_address_in_the_old_form(house: Any, wire: Any) -> None:
    other = house.connect(("127.0.0.1", 9))
    assert wire("CLIENT", "KILL", "127.0.0.1:9") == OK
    assert other.transport.closed


def test_killing_oneself_is_answered_first(wire: Any) -> None:
    line = f"CLIENT KILL SKIPME no ID {wire.connection.client.id}\r\nPING\r\n"
    assert wire.send(line.encode()) == b":1\r\n"
    assert wire.transport.closed


def test_replies_off_on_and_skipped(wire: Any) -> None:
    assert wire.send(b"CLIENT REPLY OFF\r\nPING\r\nNOSUCH\r\nSET a 1\r\n") == b""
    assert wire.send(b"CLIENT REPLY ON\r\nGET a\r\n") == b"+OK\r\n$1\r\n1\r\n"
    assert wire.send(b"CLIENT REPLY SKIP\r\nPING\r\nECHO x\r\n") == b"$1\r\nx\r\n"


def test_what_clients_send_unasked_is_accepted(wire: Any) -> None:
    assert wire.line("CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-ip") == OK
    assert wire.line("CLIENT TRACKING OFF") == OK
    assert wire.line("CLIENT NO-TOUCH on") == OK
    assert wire.line("CLIENT GETREDIR") == -1
