"""Who gets in at the HTTP port, and for how long: Host and Origin, protected mode, maxclients, and clients that dawdle."""

from __future__ import annotations

import base64
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from januskv.compat.server.config import Config
from januskv.compat.server.hosts import WebAccess
from januskv.compat.server.parameters import ConfigError
from januskv.http import GUEST_S, IDLE_S, LEAVING_S, MOST_GUESTS, REQUEST_S, UNREAD_S

from .http_port import HttpPort, request, upgrade

REMOTE = ("192.168.1.9", 40_000)
Open = Callable[..., HttpPort]


@pytest.fixture
def open_port() -> Iterator[Open]:
    with contextlib.ExitStack() as stack:

        def opened(**config: Any) -> HttpPort:
            port = HttpPort(**config)
            stack.callback(port.close)
            return port

        yield opened


@pytest.fixture
def port(open_port: Open) -> HttpPort:
    return open_port()


# ---------------------------------------------------------------- Host


@pytest.mark.parametrize(
    ("bind", "host", "served"),
    [
        pytest.param("127.0.0.1 -::1", "localhost:8379", True, id="localhost"),
        pytest.param("127.0.0.1 -::1", "LocalHost.:8379", True, id="odd case and a dot at the end"),
        pytest.param("127.0.0.1 -::1", "localhost", True, id="no port"),
        pytest.param("127.0.0.1 -::1", "localhost:9000", True, id="the port of a tunnel"),
        pytest.param("127.0.0.1 -::1", "app.localhost:8379", True, id="a name below localhost"),
        pytest.param("127.0.0.1 -::1", "127.0.0.1:8379", True, id="the address bound"),
        pytest.param("127.0.0.1 -::1", "127.8.9.1:8379", True, id="another address of loopback"),
        pytest.param("127.0.0.1 -::1", "[::1]:8379", True, id="IPv6"),
        pytest.param("127.0.0.1 -::1", "[0:0:0:0:0:0:0:1]:8379", True, id="IPv6 in full"),
        pytest.param("127.0.0.1 -::1", "[::ffff:127.0.0.1]:8379", True, id="IPv4 as IPv6"),
        pytest.param("127.0.0.1 -::1", "evil:8379", False, id="a name"),
        pytest.param("127.0.0.1 -::1", "evil.example", False, id="a name without port"),
        pytest.param("127.0.0.1 -::1", "localhost.evil.example:8379", False, id="localhost as a label"),
        pytest.param("127.0.0.1 -::1", "notlocalhost", False, id="localhost as an ending"),
        pytest.param("127.0.0.1 -::1", "127.0.0.1.evil.example", False, id="an address as labels"),
        pytest.param("127.0.0.1 -::1", "10.0.0.7:8379", False, id="an address that cannot be bound to loopback"),
        pytest.param("127.0.0.1 -::1", "", False, id="empty"),
        pytest.param("127.0.0.1 -::1", ":8379", False, id="a port alone"),
        pytest.param("127.0.0.1 -::1", ".", False, id="a dot"),
        pytest.param("127.0.0.1 -::1", "localhost..", False, id="two dots"),
        pytest.param("127.0.0.1 -::1", "evil@localhost:8379", False, id="a user before localhost"),
        pytest.param("127.0.0.1 -::1", "localhost:8379@evil", False, id="localhost as user"),
        pytest.param("127.0.0.1 -::1", "localhost/evil", False, id="a path"),
        pytest.param("127.0.0.1 -::1", "localhost, evil", False, id="two"),
        pytest.param("127.0.0.1 -::1", "localhost:", False, id="no number"),
        pytest.param("127.0.0.1 -::1", "localhost:0", False, id="port 0"),
        pytest.param("127.0.0.1 -::1", "localhost:65536", False, id="a port too big"),
        pytest.param("127.0.0.1 -::1", "[::1", False, id="an open bracket"),
        pytest.param("127.0.0.1 -::1", "::1", False, id="IPv6 without brackets"),
        pytest.param("127.0.0.1 -::1", "[localhost]", False, id="a name in brackets"),
        pytest.param("127.0.0.1 -::1", "2130706433", False, id="an address as a number"),
        pytest.param("127.0.0.1 -::1", "127.1", False, id="an address cut short"),
        pytest.param("0.0.0.0", "10.0.0.7:8379", True, id="any address, bound to all"),
        pytest.param("*", "[2001:db8::7]:8379", True, id="any IPv6 address, bound to all"),
        pytest.param("0.0.0.0", socket.gethostname().upper(), True, id="this machine's name, bound to all"),
        pytest.param("127.0.0.1", f"x{socket.gethostname()}", False, id="another name"),
        pytest.param("0.0.0.0", "evil:8379", False, id="a name, bound to all"),
        pytest.param("127.0.0.1 db.lan", "db.lan:8379", True, id="a name that is bound"),
    ],
)
def test_host(bind: str, host: str, served: bool) -> None:
    assert WebAccess(bind, "", "").serves(host) is served


@pytest.mark.parametrize(
    ("allowed", "host", "served"),
    [
        pytest.param("db.example.com", "DB.example.com.:443", True, id="any port"),
        pytest.param("db.example.com:8379", "db.example.com:8379", True, id="its port"),
        pytest.param("db.example.com:8379", "db.example.com", False, id="another port"),
        pytest.param("10.0.0.7 db", "10.0.0.7:1", True, id="an address"),
        pytest.param("*", "evil", True, id="any"),
        pytest.param("db", "evil", False, id="not listed"),
    ],
)
def test_listed_hosts(allowed: str, host: str, served: bool) -> None:
    assert WebAccess("127.0.0.1", allowed, "").serves(host) is served


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "welcome"),
    [
        pytest.param("http://localhost:8379", "localhost:8379", "", True, id="the same"),
        pytest.param("HTTP://LOCALHOST:8379", "localhost:8379", "", True, id="the same in capitals"),
        pytest.param("http://localhost", "localhost:80", "", True, id="the port that the scheme means"),
        pytest.param("https://localhost", "localhost", "", True, id="behind a proxy that ends TLS"),
        pytest.param("http://localhost:3000", "localhost:8379", "", False, id="another port"),
        pytest.param("http://evil", "localhost:8379", "", False, id="another host"),
        pytest.param("null", "localhost:8379", "", False, id="null"),
        pytest.param("null", "localhost:8379", "null", True, id="null is listed"),
        pytest.param("http://[", "localhost:8379", "", False, id="an open bracket"),
        pytest.param("", "localhost:8379", "", False, id="empty"),
        pytest.param("//localhost:8379", "localhost:8379", "", False, id="no scheme"),
        pytest.param("http://user@localhost:8379", "localhost:8379", "", False, id="a user"),
        pytest.param("file://localhost:8379", "localhost:8379", "", False, id="another scheme"),
        pytest.param("https://app.example", "localhost:8379", "https://App.example", True, id="listed"),
        pytest.param("http://app.example", "localhost:8379", "https://app.example", False, id="listed with https"),
        pytest.param("chrome-extension://abc", "localhost:8379", "chrome-extension://abc", True, id="an extension"),
        pytest.param("http://evil", "localhost:8379", "*", True, id="any"),
    ],
)
def test_origin(origin: str, host: str, allowed: str, welcome: bool) -> None:
    assert WebAccess("127.0.0.1", "", allowed).welcomes(origin, host) is welcome


@pytest.mark.parametrize("page", ["/", "/metrics", "/metrics?x=1", "http://localhost:8379/metrics"])
def test_pages_and_websockets_look_at_the_host(port: HttpPort, page: str) -> None:
    assert port.connect().status(request(page)) == 200
    answer = port.connect().send(request(page, host="evil:8379"))
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"http-allowed-hosts" in answer
    assert b"januskv_" not in answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(upgrade(), 101, id="no origin"),
        pytest.param(upgrade("Origin: http://localhost:8379"), 101, id="its own page"),
        pytest.param(upgrade("Origin: http://evil:8379", host="evil:8379"), 403, id="a rebound name"),
        pytest.param(upgrade("Origin: null", host=" "), 403, id="an empty host, and null"),
        pytest.param(upgrade(host=None), 400, id="no host"),
        pytest.param(upgrade("Origin: http://["), 403, id="an origin that is none"),
        pytest.param(upgrade(target="http://evil:8379/"), 403, id="an absolute target"),
        pytest.param(upgrade(target="http://localhost:8379/"), 101, id="its own absolute target"),
        pytest.param(upgrade("Host: localhost"), 400, id="two hosts"),
        pytest.param(upgrade("Origin: http://a", "Origin: http://localhost:8379"), 400, id="two origins"),
        pytest.param(upgrade(target="/?token=1"), 101, id="a query"),
        pytest.param(upgrade(target="/nosuch"), 404, id="another path"),
        pytest.param(upgrade(target="/websocket"), 101, id="the API of Timely"),
        pytest.param(upgrade(target="/websocket?metric=cpu"), 101, id="the API of Timely, with a query"),
        pytest.param(upgrade(target="/websockets"), 404, id="a path of other servers"),
    ],
)
def test_upgrade(port: HttpPort, data: bytes, status: int, caplog: Any) -> None:
    visitor = port.connect()
    assert visitor.status(data) == status
    assert visitor.closed is (status != 101)
    assert not [record for record in caplog.records if record.exc_info]
    assert (len(port.house.server.clients) == 1) is (status == 101)


def test_two_hosts_are_refused_for_pages_too(port: HttpPort) -> None:
    assert port.connect().status(request("/metrics", "Host: evil")) == 400


def test_pages_of_other_origins_get_no_statistics(port: HttpPort) -> None:
    assert port.connect().status(request("/metrics", "Origin: http://evil")) == 403
    assert port.connect().status(request("/metrics", "Origin: http://localhost:8379")) == 200


def test_a_second_request_is_looked_at_too(port: HttpPort) -> None:
    visitor = port.connect()
    assert visitor.status(request("/metrics")) == 200
    assert visitor.status(request("/metrics", host="evil")) == 403


def test_a_changed_list_counts_at_once(port: HttpPort) -> None:
    wire = port.house.connect()
    assert port.connect().status(upgrade("Origin: http://db:80", host="db")) == 403
    wire("CONFIG", "SET", "http-allowed-hosts", "db")
    assert port.connect().status(upgrade("Origin: http://db:80", host="db")) == 101


def test_refusals_are_logged_but_not_each(port: HttpPort, caplog: Any) -> None:
    for _ in range(5):
        port.connect().status(request("/metrics", host="evil<b>"))
    port.now_s += 11
    port.connect().status(upgrade(host="evil"))
    lines = [record.getMessage() for record in caplog.records if record.name == "januskv"]
    assert lines == [
        "HTTP request from 127.0.0.1:50000 refused: http-allowed-hosts, Host 'evil<b>'",
        "HTTP request from 127.0.0.1:50000 refused: http-allowed-hosts, Host 'evil' (4 more since the last line like this)",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("http-allowed-hosts", "http://db"),
        ("http-allowed-hosts", "a:b"),
        ("http-allowed-hosts", "db/"),
        ("http-allowed-origins", "https://app.example/"),
        ("http-allowed-origins", "app.example"),
    ],
)
def test_lists_that_mean_nothing_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match="is not"):
        Config().set_text(name, value)


# ---------------------------------------------------------------- protected mode and maxclients


def test_protected_mode_covers_the_pages(open_port: Open) -> None:
    port = open_port(bind="0.0.0.0")
    for data in (request("/"), request("/metrics"), upgrade()):
        visitor = port.connect(REMOTE)
        answer = visitor.send(data)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"protected-mode" in answer
        assert visitor.closed
    assert port.house.server.accounts.stats.rejected_connections == 3
    assert not port.house.server.clients


def test_protected_mode_that_comes_later(open_port: Open) -> None:
    port = open_port(bind="0.0.0.0", requirepass="secret")
    visitor = port.connect(REMOTE)
    assert visitor.status(request("/metrics", "Authorization: Bearer secret")) == 200
    port.house.server.users.set_default_password("")
    assert visitor.status(request("/metrics")) == 403


@pytest.mark.parametrize("page", ["/healthz", "/readyz"])
def test_health_is_told_to_everybody(open_port: Open, page: str) -> None:
    port = open_port(maxclients=1)
    keeper = port.connect()
    visitor = port.connect(REMOTE)
    assert visitor.status(request(page, host="10.244.0.7:8379")) == 200
    assert visitor.closed
    assert port.connect().status(request(page, host=None, version="1.0")) == 200
    assert not keeper.closed


def test_nothing_but_health_on_such_a_connection(open_port: Open) -> None:
    visitor = open_port(bind="0.0.0.0").connect(REMOTE)
    answer = visitor.send(request("/healthz") + request("/metrics"))
    assert answer.count(b"HTTP/1.1") == 1
    assert b"januskv_" not in answer


def test_a_full_server_refuses_in_the_handshake(open_port: Open) -> None:
    port = open_port(maxclients=2)
    assert port.connect().status(upgrade()) == 101
    port.house.connect()
    for data in (upgrade(), request("/metrics")):
        visitor = port.connect()
        assert visitor.status(data) == 503
        assert visitor.closed
    assert len(port.house.server.clients) == 2


def test_connections_count_whatever_they_are(open_port: Open) -> None:
    port = open_port(maxclients=3)
    visitors = [port.connect() for _ in range(3)]
    assert b"\njanuskv_http_connections 3\n" in visitors[0].send(request("/metrics"))
    assert b"max number of clients" in port.house.connect().transport.written
    assert port.connect().status(upgrade()) == 503
    visitors[0].transport.lose()
    visitors[1].status(upgrade())
    assert port.connect().status(upgrade()) == 101
    assert port.house.server.clients.http_connections == 1
    assert len(port.house.server.clients) == 2


def test_few_of_the_refused_are_heard(open_port: Open) -> None:
    port = open_port(maxclients=1)
    visitors = [port.connect() for _ in range(MOST_GUESTS + 3)]
    assert [visitor.closed for visitor in visitors] == [False] * (MOST_GUESTS + 1) + [True] * 2
    assert visitors[-1].transport.written.startswith(b"HTTP/1.1 503 ")
    port.advance(GUEST_S)
    assert [visitor.closed for visitor in visitors] == [False] + [True] * (MOST_GUESTS + 2)


# ---------------------------------------------------------------- time


def test_a_head_that_is_never_whole(port: HttpPort) -> None:
    silent, slow = port.connect(), port.connect()
    for _ in range(int(REQUEST_S) - 1):
        slow.send(b"GET / HTTP/1.1\r\n" if not slow.transport.protocol.head else b"a: b\r\n")
        port.advance(1)
    assert not silent.closed
    port.advance(1)
    assert silent.closed
    assert slow.transport.written.startswith(b"HTTP/1.1 408 ")
    assert slow.closed


def test_a_connection_that_does_not_end_is_aborted(port: HttpPort) -> None:
    visitor = port.connect()
    port.advance(REQUEST_S)
    port.advance(0.5)
    assert not visitor.transport.aborted
    port.advance(LEAVING_S)
    assert visitor.transport.aborted


def test_a_connection_that_is_kept_and_not_used(port: HttpPort) -> None:
    visitor = port.connect()
    visitor.status(request("/metrics"))
    port.advance(IDLE_S - 1)
    assert visitor.status(request("/metrics")) == 200
    port.advance(IDLE_S - 1)
    assert not visitor.closed
    port.advance(1)
    assert visitor.closed


def test_timeout_may_be_less(open_port: Open) -> None:
    visitor = (port := open_port(timeout=5)).connect()
    visitor.status(request("/metrics"))
    port.advance(5)
    assert visitor.closed


def test_a_second_head_that_is_never_whole(port: HttpPort) -> None:
    visitor = port.connect()
    visitor.status(request("/metrics"))
    for _ in range(int(REQUEST_S)):
        visitor.send(b"G" if visitor.transport.protocol.owes is False else b"E")
        port.advance(1)
    assert visitor.closed


def test_a_page_that_is_not_read(port: HttpPort) -> None:
    visitor = port.connect()
    visitor.status(request("/metrics"))
    visitor.transport.protocol.pause_writing()
    port.advance(UNREAD_S - 1)
    assert not visitor.closed
    port.advance(1)
    assert visitor.transport.aborted


def test_who_reads_on_is_spared(port: HttpPort) -> None:
    visitor = port.connect()
    visitor.status(request("/metrics"))
    visitor.transport.protocol.pause_writing()
    port.advance(UNREAD_S - 1)
    visitor.transport.protocol.resume_writing()
    port.advance(2)
    assert not visitor.closed


@pytest.mark.parametrize("target", ["/", "/websocket"])
def test_a_connection_that_has_asked_for_pages_becomes_a_websocket(port: HttpPort, target: str) -> None:
    visitor = port.connect()
    for _ in range(2):
        assert visitor.status(request("/metrics")) == 200
    assert visitor.status(upgrade(target=target, host="evil")) == 403
    assert visitor.closed
    visitor.transport.lose()
    visitor = port.connect()
    assert visitor.status(request("/version")) == 200
    assert visitor.status(upgrade(target=target)) == 101
    assert visitor.send(b"\x89\x80mask") == b"\x8a\x00"
    assert not port.listener.connections
    assert not port.listener.by_protocol
    assert port.house.server.clients.http_connections == 0
    assert len(port.house.server.clients) == 1
    visitor.transport.lose()
    assert not port.house.server.clients


def test_a_websocket_has_all_the_time(port: HttpPort) -> None:
    visitor = port.connect()
    visitor.status(upgrade())
    port.advance(10 * IDLE_S)
    assert not visitor.closed
    assert port.house.server.clients.http_connections == 0


def test_the_last_request_of_a_client_is_answered(port: HttpPort) -> None:
    visitor = port.connect()
    visitor.transport.protocol.data_received(request("/metrics"))
    assert visitor.transport.protocol.eof_received() is True
    port.settle()
    assert visitor.transport.written.startswith(b"HTTP/1.1 200 ")
    assert visitor.closed


def test_a_client_that_asks_nothing_more_is_let_go(port: HttpPort) -> None:
    visitor = port.connect()
    visitor.status(request("/metrics"))
    assert visitor.transport.protocol.eof_received() is False


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(request("/metrics", method="HEAD"), 200, id="HEAD"),
        pytest.param(request("/metrics", method="POST"), 405, id="POST"),
        pytest.param(request("/metrics", method="OPTIONS"), 405, id="OPTIONS"),
        pytest.param(request("/metrics", "Content-Length: 5") + b"hello", 413, id="a body"),
        pytest.param(request("/metrics", "Content-Length: 99999999999"), 413, id="a huge body"),
        pytest.param(request("/metrics", "Transfer-Encoding: chunked"), 413, id="a body in chunks"),
        pytest.param(request("/metrics", *(f"h{i}: {'x' * 1000}" for i in range(20))), 431, id="many headers"),
        pytest.param(request("/metrics", *(f"h{i}: x" for i in range(100))), 400, id="too many headers"),
        pytest.param(b"get / HTTP/1.1\r\n\r\n", 400, id="a method in small letters"),
        pytest.param(b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400, id="an unknown version"),
        pytest.param(b"\r\n" + request("/metrics"), 200, id="an empty line first"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
    ],
)
def test_requests(port: HttpPort, data: bytes, status: int, caplog: Any) -> None:
    caplog.set_level(logging.WARNING)
    visitor = port.connect()
    assert visitor.status(data) == status
    assert not caplog.records
    port.advance(REQUEST_S)
    port.advance(LEAVING_S)
    assert visitor.closed or status == 200
    assert port.connect().status(request("/healthz")) == 200


# ---------------------------------------------------------------- sessions


def login(user: str, password: object) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("requirepass", "password", "status"),
    [
        pytest.param("", "{token}", 101, id="the token"),
        pytest.param("", "{unknown}", 401, id="a token that no session has"),
        pytest.param("", "kiosk", 401, id="no token"),
        pytest.param("secret", "{token}", 401, id="the token alone where there is a password"),
        pytest.param("secret", "{token}:secret", 101, id="token and password"),
    ],
)
def test_a_websocket_in_a_session(open_port: Open, requirepass: str, password: str, status: int) -> None:
    port = open_port(requirepass=requirepass)
    session = port.house.store.sessions.open_new("kiosk", shared=False)
    words = password.format(token=session.token, unknown=session.token - 1)
    assert port.connect().status(upgrade(login("session", words))) == status
    clients = port.house.server.clients.everyone()
    assert [client.keyspace for client in clients] == ([session.keyspace] if status == 101 else [])


def test_a_websocket_in_a_session_while_data_is_loaded(open_port: Open) -> None:
    port = open_port()
    session = port.house.store.sessions.open_new("kiosk", shared=False)
    port.house.server.state.set_loading(True)
    assert port.connect().status(upgrade(login("session", session.token))) == 503
