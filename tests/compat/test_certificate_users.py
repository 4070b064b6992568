"""Users by the names in certificates of clients (``tls-auth-clients-user CN``)."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.compat.test_tls import Setting, TlsClient
from tests.conftest import House

from januskv.compat.timely.connection import TimelyConnection
from januskv.http import HttpListener


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tmp_path_factory.mktemp("tls"))


def house_of(setting: Setting, *rules: str, **more: Any) -> House:
    house = setting.house(**{"tls_auth_clients": "optional", "tls_auth_clients_user": "CN", **more})
    if rules:
        house.server.users.set("app1", [rule.encode() for rule in rules])
    return house


def whoami(client: TlsClient) -> bytes:
    return client.send(b"ACL WHOAMI\r\n")


def failures(house: House) -> list[tuple[bytes, str]]:
    return [(each.name, each.user) for each in house.server.users.log.entries]


@pytest.mark.parametrize("password", ["", "secret"])
def test_a_certificate_logs_in(setting: Setting, password: str) -> None:
    house = house_of(setting, "on", "~a*", "+get", "+acl|whoami", requirepass=password)
    client = setting.connect(house, setting.client)
    assert whoami(client) == b"$4\r\napp1\r\n"
    assert client.send(b"GET a\r\n") == b"$-1\r\n"
    assert client.send(b"GET b\r\n").startswith(b"-NOPERM")
    house.server.users.set("app1", [b"-get"])
    assert client.send(b"GET a\r\n").startswith(b"-NOPERM")
    house.server.users.remove(["app1"])
    assert client.transport.closed


def test_it_does_so_only_where_that_is_wanted(setting: Setting) -> None:
    house = house_of(setting, "on", "+@all", tls_auth_clients_user="off")
    assert whoami(setting.connect(house, setting.client)) == b"$7\r\ndefault\r\n"
    house.server.config.set_text("tls-auth-clients-user", "cn")
    assert house.connect()("CONFIG", "GET", "tls-auth-clients-user")[1] == b"CN"
    assert whoami(setting.connect(house, setting.client)) == b"$4\r\napp1\r\n"


@pytest.mark.parametrize("rules", [(), ("off", "+@all")])
def test_no_such_user(setting: Setting, rules: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "januskv")
    house = house_of(setting, *rules)
    assert whoami(setting.connect(house, setting.client)) == b"$7\r\ndefault\r\n"
    assert failures(house) == [(b"TLS", "app1")]
    assert house.server.accounts.stats.login_failures == 1
    assert "is that of no user: 'app1'" in caplog.text
    locked = house_of(setting, *rules, requirepass="secret")
    assert whoami(setting.connect(locked, setting.client)).startswith(b"-NOAUTH")


def test_without_a_certificate(setting: Setting) -> None:
    house = house_of(setting, "on", "+@all")
    assert whoami(setting.connect(house)) == b"$7\r\ndefault\r\n"
    two = setting.authority.issue("two-names", "app1", "admin")
    assert whoami(setting.connect(house, two)) == b"$7\r\ndefault\r\n"
    assert failures(house) == []
    assert house.connect()("ACL", "WHOAMI") == b"default"


def test_a_certificate_that_nobody_has_verified(setting: Setting) -> None:
    house = house_of(setting, "on", "+@all", tls_auth_clients="no")
    assert whoami(setting.connect(house, setting.client)) == b"$7\r\ndefault\r\n"


def test_a_confined_user_begins_nowhere(setting: Setting) -> None:
    house = house_of(setting, "on", "+@all", "~*", "session:kiosk-*")
    client = setting.connect(house, setting.client)
    assert client.send(b"SET a 1\r\n").startswith(b"-")
    session = house.store.sessions.open_new("kiosk-1", shared=False)
    assert client.send(b"SELECT %d\r\nSET a 1\r\n" % session.token) == b"+OK\r\n+OK\r\n"


def test_it_counts_as_logged_in(setting: Setting) -> None:
    house = house_of(setting, "on", "+@all", requirepass="secret", max_unauthenticated_clients_per_address=1)
    first = setting.connect(house)
    assert whoami(first).startswith(b"-NOAUTH")
    assert whoami(setting.connect(house, setting.client)) == b"$4\r\napp1\r\n"


class _Other(TlsClient):
    """A client under TLS of something else than the data port."""

    def __init__(self, house: House, context: Any, make: Any) -> None:
        self.make = make
        super().__init__(house, context)

    def connect(self) -> Any:
        return self.make()


def test_lines_on_timely_s_port_have_the_rights_of_the_certificate_s_user(setting: Setting) -> None:
    house = house_of(setting, "on", "%W~cpu{*", "+ts.add", requirepass="secret")
    context = setting.authority.client_context(setting.client)
    client = _Other(house, context, lambda: TimelyConnection(house.server, house.ingest)).handshake()
    client.send(b"put cpu 1 1 host=a\nput mem 1 1 host=a\n")
    assert list(house.store.databases[0].data) == [b"cpu{host=a}"]


def test_a_visitor_of_the_http_port(setting: Setting) -> None:
    house = house_of(setting, "on", "+info")
    listener = HttpListener(house.server, house.native)
    client = setting.connect(house, setting.client)
    visitor = listener.visitor_of(client.stream)
    assert visitor.certificate == "app1"
    assert visitor.peer is not None
    assert visitor.peer.address == "127.0.0.1:50000"
    assert failures(house) == []
    house.server.users.set("app1", [b"off"])
    listener.visitor_of(client.stream)
    assert failures(house) == [(b"TLS", "app1")]
