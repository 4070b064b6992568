"""TLS without sockets: handshakes, what is inside them, their limits, and the parameters that they depend on."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import Authority, Pair
from tests.conftest import FakeTransport, House, encoded

from januskv.compat.server.connection import Connection
from januskv.compat.server.tls_stream import TlsStream, certificate_name

V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Socket(FakeTransport):
    """The transport of a socket."""

    protocol: Any = None

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high_water = high

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        found = super().get_extra_info(name)
        return default if found is None else found

    def is_closing(self) -> bool:
        return self.closed


class TlsClient:
    """A client under TLS of a server without sockets."""

    def __init__(self, house: House, context: ssl.SSLContext) -> None:
        self.house = house
        self.transport = Socket()
        self.stream: TlsStream = house.server.tls.stream(self.connect)
        self.inside: Connection | None = None
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.stream.connection_made(self.transport)

    def connect(self) -> Connection:
        self.inside = Connection(self.house.server, self.house.server.dispatcher, self.house.native)
        return self.inside

    def begin(self) -> bytes:
        """The first bytes of the handshake."""
        with pytest.raises(ssl.SSLWantReadError):
            self.session.do_handshake()
        return self.outgoing.read()

    def deliver(self, data: bytes) -> None:
        """Let the server have bytes, and take those that it sends."""
        if data and not self.transport.closed:
            self.stream.data_received(data)
        self.house.run_timers()
        self.incoming.write(self.transport.written)
        self.transport.written = b""

    def handshake(self) -> TlsClient:
        """Do the handshake to its end. Raises what the client does when it fails."""
        while True:
            try:
                self.session.do_handshake()
                break
            except ssl.SSLWantReadError:
                data = self.outgoing.read()
                assert data or self.incoming.pending or not self.transport.closed, "closed in the handshake"
                self.deliver(data)
        self.deliver(self.outgoing.read())
        return self

    def received(self) -> bytes:
        """The plain bytes that have come."""
        found = b""
        while True:
            try:
                data = self.session.read(1 << 16)
            except ssl.SSLWantReadError:
                return found
            if not data:
                return found + b"<end>"
            found += data

    def send(self, data: bytes) -> bytes:
        """Send plain bytes; the plain bytes that come back."""
        view = memoryview(data)
        while view:
            view = view[self.session.write(view) :]
        self.deliver(self.outgoing.read())
        return self.received()

    def serial(self) -> str:
        """The serial number of the server's certificate."""
        found = self.session.getpeercert()
        assert found is not None
        return str(found["serialNumber"])


class Setting:
    """An authority, a server's certificate and a client's, and houses that use them."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.server = self.authority.issue("server", "localhost")
        self.client = self.authority.issue("client", "app1")

    def values(self, **more: Any) -> dict[str, Any]:
        return {
            "tls_port": 6380,
            "tls_cert_file": self.server.certificate,
            "tls_key_file": self.server.key,
            "tls_ca_cert_file": self.authority.path,
            "tls_auth_clients": "no",
            **more,
        }

    def house(self, **more: Any) -> House:
        house = House(**self.values(**more))
        house.server.tls.use(house.server.tls.prepare({}))
        return house

    def connect(self, house: House, pair: Pair | None = None, version: ssl.TLSVersion | None = None) -> TlsClient:
        return TlsClient(house, self.authority.client_context(pair, version)).handshake()


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tmp_path_factory.mktemp("tls"))


def info(house: House, field: str) -> int:
    text = house.connect()("INFO", "clients", "stats")
    return int(str(text).split(f"{field}:")[1].split("\\r")[0].split("\r")[0])


# ---------------------------------------------------------------- what is inside


@pytest.mark.parametrize("version", [V1_2, V1_3])
def test_requests_and_replies(setting: Setting, version: ssl.TLSVersion) -> None:
    house = setting.house()
    client = setting.connect(house, version=version)
    assert client.session.version() == {V1_2: "TLSv1.2", V1_3: "TLSv1.3"}[version]
    assert client.send(b"PING\r\n") == b"+PONG\r\n"
    assert client.send(b'{"KV_SET":{"keys":{"a":1}}}\n').startswith(b'{"KV_SET_RSP"')
    assert client.send(encoded("GET", "a")) == b"$1\r\n1\r\n"
    assert info(house, "tls_handshakes_accepted") == 1
    assert info(house, "tls_handshakes_unfinished") == 0


def test_values_of_many_records(setting: Setting) -> None:
    client = setting.connect(setting.house())
    value = bytes(range(256)) * 4000
    assert client.send(encoded("SET", "big", value)) == b"+OK\r\n"
    assert client.send(encoded("GET", "big")) == b"$%d\r\n%b\r\n" % (len(value), value)


def test_many_requests_that_arrive_together_are_one_batch(setting: Setting) -> None:
    client = setting.connect(setting.house())
    assert client.inside is not None
    batches = 0

    class Feed:
        def data_received(self, data: bytes) -> None:
            nonlocal batches
            batches += 1
            client.inside.data_received(data)  # type: ignore[union-attr]

    client.stream.set_protocol(Feed())
    assert client.send(encoded("PING") * 10_000) == b"+PONG\r\n" * 10_000
    assert batches == 1


def test_bytes_one_by_one(setting: Setting) -> None:
    house = setting.house()
    client = TlsClient(house, setting.authority.client_context())
    for byte in client.begin():
        client.deliver(bytes((byte,)))
    client.handshake()
    client.session.write(b"PING\r\n")
    for byte in client.outgoing.read():
        client.deliver(bytes((byte,)))
    assert client.received() == b"+PONG\r\n"


def test_requests_sent_with_the_end_of_the_handshake(setting: Setting) -> None:
    client = TlsClient(setting.house(), setting.authority.client_context())
    client.deliver(client.begin())
    client.session.do_handshake()
    client.session.write(b"PING\r\n")
    client.deliver(client.outgoing.read())
    assert client.received() == b"+PONG\r\n"


def test_the_server_closes_in_order(setting: Setting) -> None:
    client = setting.connect(setting.house())
    assert client.send(b"QUIT\r\n") == b"+OK\r\n<end>"
    assert client.transport.closed
    assert not client.transport.aborted


def test_the_client_ends_and_its_last_request_is_answered(setting: Setting) -> None:
    client = setting.connect(setting.house())
    client.session.write(b'{"KV_SET":{"keys":{"a":1}}}')  # complete by the end of the input
    with pytest.raises(ssl.SSLWantReadError):
        client.session.unwrap()
    client.deliver(client.outgoing.read())
    assert client.transport.closed
    assert client.house.connect()("GET", "a") == b"1"


def test_input_that_is_cut_off_is_not_run(setting: Setting) -> None:
    client = setting.connect(setting.house())
    client.send(b'{"KV_SET":{"keys":{"a":1}}}')
    assert client.stream.eof_received() is False
    assert client.transport.aborted
    client.stream.connection_lost(None)
    assert client.house.connect()("GET", "a") is None
    assert len(client.house.server.clients) == 1


def test_bytes_that_were_changed_on_the_way(setting: Setting) -> None:
    client = setting.connect(setting.house())
    client.session.write(encoded("SET", "a", 1))
    data = bytearray(client.outgoing.read())
    data[-1] ^= 1
    client.deliver(bytes(data))
    assert client.transport.aborted
    assert client.house.connect()("GET", "a") is None


def test_a_client_that_does_not_read_is_closed(setting: Setting) -> None:
    house = setting.house(client_output_buffer_limit={"normal": (1000, 0, 0), "pubsub": (0, 0, 0)})
    client = setting.connect(house)
    client.transport.unread = 1001
    client.stream.pause_writing()
    assert client.transport.aborted


def test_killed_while_connected(setting: Setting) -> None:
    house = setting.house()
    client = setting.connect(house)
    assert house.connect()("CLIENT", "KILL", "SKIPME", "yes") == 1
    assert client.transport.aborted
    client.stream.connection_lost(None)


def test_reading_rests_and_goes_on(setting: Setting) -> None:
    client = setting.connect(setting.house())
    client.stream.pause_reading()
    assert not client.transport.reading
    client.stream.resume_reading()
    assert client.transport.reading


# ---------------------------------------------------------------- handshakes


def test_plain_bytes(setting: Setting) -> None:
    house = setting.house()
    client = TlsClient(house, setting.authority.client_context())
    client.deliver(b"PING\r\n")
    assert client.transport.closed
    assert client.inside is None
    assert info(house, "tls_handshakes_failed") == 1
    assert info(house, "tls_handshakes_unfinished") == 0


def test_what_begins_like_tls_and_is_not(setting: Setting) -> None:
    house = setting.house()
    client = TlsClient(house, setting.authority.client_context())
    client.deliver(b"\x16\x03\x01\x00\x05hello")
    assert client.transport.closed
    assert info(house, "tls_handshakes_failed") == 1


def test_a_client_that_leaves_is_counted_once(setting: Setting) -> None:
    house = setting.house()
    client = TlsClient(house, setting.authority.client_context())
    client.deliver(client.begin())
    assert not client.stream.eof_received()
    client.stream.connection_lost(None)
    other = TlsClient(house, setting.authority.client_context())
    other.stream.connection_lost(ConnectionResetError())
    assert info(house, "tls_handshakes_failed") == 2
    assert house.server.clients.handshakes == 0


def test_half_open_handshakes_end_in_time(setting: Setting) -> None:
    house = setting.house(tls_handshake_timeout=5)
    silent = TlsClient(house, setting.authority.client_context())
    slow = TlsClient(house, setting.authority.client_context())
    slow.deliver(slow.begin())
    done = setting.connect(house)
    house.advance(4_900)
    assert not silent.transport.closed
    assert not slow.transport.closed
    house.advance(200)
    assert silent.transport.aborted
    assert slow.transport.aborted
    assert done.send(b"PING\r\n") == b"+PONG\r\n"
    assert info(house, "tls_handshakes_timed_out") == 2
    assert house.server.clients.handshakes == 0


def test_one_handshake_too_many_ends_the_longest(setting: Setting) -> None:
    house = setting.house(tls_max_handshakes=2)
    clients = [TlsClient(house, setting.authority.client_context()) for _ in range(3)]
    assert [client.transport.closed for client in clients] == [True, False, False]
    assert clients[2].handshake().send(b"PING\r\n") == b"+PONG\r\n"
    assert info(house, "tls_handshakes_displaced") == 1


def test_who_waits_for_a_turn_is_not_displaced_and_has_time(setting: Setting) -> None:
    house = setting.house(tls_max_handshakes=2, tls_handshake_timeout=5)
    first, second = (TlsClient(house, setting.authority.client_context()) for _ in range(2))
    for client in (first, second):
        client.stream.data_received(client.begin())
    assert TlsClient(house, setting.authority.client_context()).transport.aborted
    house.advance(60_000)
    for client in (first, second):
        client.deliver(b"")
        assert client.handshake().send(b"PING\r\n") == b"+PONG\r\n"
    assert info(house, "tls_handshakes_displaced") == 0
    assert info(house, "rejected_connections") == 1


def test_handshakes_count_for_maxclients(setting: Setting) -> None:
    house = setting.house(maxclients=2)
    half_open = TlsClient(house, setting.authority.client_context())
    plain = house.connect()
    assert b"max number of clients" in house.connect().transport.written
    client = setting.connect(house)  # in the place of the one that is half-open
    assert half_open.transport.aborted
    assert client.send(b"PING\r\n") == b"+PONG\r\n"
    refused = TlsClient(house, setting.authority.client_context())
    assert refused.transport.aborted
    assert not plain.transport.closed
    assert house.server.accounts.stats.rejected_connections == 2


def test_a_step_in_each_round(setting: Setting) -> None:
    house = setting.house()
    clients = [TlsClient(house, setting.authority.client_context()) for _ in range(3)]
    for client in clients:
        client.stream.data_received(client.begin())
    assert not any(client.transport.reading for client in clients)
    for rounds in range(1, 4):
        (call,) = [timer[1] for timer in house.timers]
        house.timers.clear()
        call()
        assert sum(bool(client.transport.written) for client in clients) == rounds
        assert sum(client.transport.reading for client in clients) == rounds


def test_nothing_new_while_the_server_ends(setting: Setting) -> None:
    house = setting.house()
    half_open = TlsClient(house, setting.authority.client_context())
    house.server.state.end()
    house.server.tls.end()
    assert half_open.transport.aborted
    assert TlsClient(house, setting.authority.client_context()).transport.aborted


# ---------------------------------------------------------------- certificates of clients


def test_certificates_are_required(setting: Setting, tmp_path: Path) -> None:
    house = setting.house(tls_auth_clients="yes")
    assert setting.connect(house, setting.client).send(b"PING\r\n") == b"+PONG\r\n"
    stranger = Authority(tmp_path, "another authority").issue("stranger", "app1")
    for pair in (None, stranger):
        client = TlsClient(house, setting.authority.client_context(pair, V1_2))
        with pytest.raises(ssl.SSLError):
            client.handshake()
        assert client.inside is None
    assert info(house, "tls_handshakes_failed") == 2


@pytest.mark.parametrize("days", [-2, 2], ids=["expired", "not valid yet"])
@pytest.mark.parametrize("verifies", ["yes", "optional"])
@pytest.mark.parametrize("version", [V1_2, V1_3])
def test_certificates_of_another_time(setting: Setting, days: int, verifies: str, version: ssl.TLSVersion) -> None:
    house = setting.house(tls_auth_clients=verifies)
    pair = setting.authority.issue(f"other-time{days}", "app1", from_now=datetime.timedelta(days=days))
    client = TlsClient(house, setting.authority.client_context(pair, version))
    with pytest.raises(ssl.SSLError):  # TLS 1.3 tells the client after its handshake
        client.handshake().send(b"PING\r\n")
    assert client.inside is None
    assert info(house, "tls_handshakes_failed") == 1
    assert setting.connect(house, setting.client, version).send(b"PING\r\n") == b"+PONG\r\n"


def test_certificates_are_optional(setting: Setting, tmp_path: Path) -> None:
    house = setting.house(tls_auth_clients="optional")
    assert setting.connect(house).send(b"PING\r\n") == b"+PONG\r\n"
    assert setting.connect(house, setting.client).send(b"PING\r\n") == b"+PONG\r\n"
    stranger = Authority(tmp_path, "another authority").issue("stranger", "app1")
    with pytest.raises(ssl.SSLError):
        TlsClient(house, setting.authority.client_context(stranger, V1_2)).handshake()


@pytest.mark.parametrize("version", [V1_2, V1_3])
def test_the_name_in_a_certificate(setting: Setting, version: ssl.TLSVersion) -> None:
    house = setting.house(tls_auth_clients="optional")
    assert certificate_name(setting.connect(house, setting.client, version).stream) == "app1"
    assert certificate_name(setting.connect(house, None, version).stream) == ""
    two = setting.authority.issue("two", "app1", "admin")
    assert certificate_name(setting.connect(house, two, version).stream) == ""
    assert certificate_name(FakeTransport()) == ""


def test_a_name_that_nobody_has_verified(setting: Setting) -> None:
    assert certificate_name(setting.connect(setting.house(), setting.client).stream) == ""


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("protocols", "client", "served"),
    [("TLSv1.2", V1_3, False), ("TLSv1.2", V1_2, True), ("TLSv1.3", V1_2, False), ("TLSv1.3", V1_3, True)],
)
def test_versions(setting: Setting, protocols: str, client: ssl.TLSVersion, served: bool) -> None:
    house = setting.house(tls_protocols=protocols)
    if served:
        setting.connect(house, version=client)
    else:
        with pytest.raises(ssl.SSLError):
            setting.connect(house, version=client)


def test_old_versions_are_refused(setting: Setting) -> None:
    client = TlsClient(setting.house(), setting.authority.client_context())
    hello = bytearray(client.begin())
    hello[9:11] = b"\x03\x02"  # the version that a client of TLSv1.1 asks for
    at = hello.index(b"\x00\x2b\x00")
    hello[at : at + 2] = b"\xff\xf0"  # and no list of others
    client.deliver(bytes(hello))
    assert client.transport.closed


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        pytest.param("tls-protocols", "TLSv1.1 TLSv1.2", "TLSv1.1 is not safe", id="an old version"),
        pytest.param("tls-protocols", "SSLv3", "the versions are TLSv1.2 and TLSv1.3", id="no version"),
        pytest.param("tls-session-caching", "no", "only 'yes' works", id="sessions"),
        pytest.param("tls-session-cache-size", "5", "only '20480' works", id="size of the cache"),
        pytest.param("tls-ciphers", "nosuch", "no such ciphers: ", id="ciphers"),
        pytest.param("tls-cert-file", "/nosuch.crt", "cannot read /nosuch.crt: No such file", id="no certificate"),
        pytest.param("tls-cert-file", "", "TLS needs tls-cert-file", id="certificate taken away"),
        pytest.param("tls-key-file", "", "TLS needs tls-key-file", id="key taken away"),
        pytest.param("tls-ca-cert-dir", "/nosuch", "/nosuch is not a directory", id="no directory"),
        pytest.param("tls-ca-cert-file", "/nosuch", "cannot read /nosuch", id="no authority"),
        pytest.param("tls-ca-cert-file", __file__, "has no usable certificates", id="no certificates of authorities"),
        pytest.param("tls-dh-params-file", __file__, "no usable parameters", id="no parameters"),
        pytest.param("tls-port", "-2", "between -1 and 65535", id="port"),
    ],
)
def test_what_cannot_be_set(setting: Setting, name: str, value: str, reason: str) -> None:
    house = setting.house()
    before = house.server.tls.context
    reply = house.connect()("CONFIG", "SET", name, value)
    assert f"(possibly related to argument '{name}')" in str(reply.text)
    assert reason in str(reply.text)
    assert house.server.tls.context is before
    assert house.connect()("CONFIG", "GET", name) == [
        name.encode(),
        House(**setting.values()).connect()("CONFIG", "GET", name)[1],
    ]


@pytest.mark.skipif(hasattr(ssl.SSLContext, "set_ciphersuites"), reason="this Python can")
def test_suites_that_python_cannot_choose(setting: Setting) -> None:
    reply = setting.house().connect()("CONFIG", "SET", "tls-ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert "from Python 3.15 on" in str(reply.text)


def test_clients_cannot_be_verified_without_authorities(setting: Setting) -> None:
    reply = setting.house(tls_ca_cert_file="").connect()("CONFIG", "SET", "tls-auth-clients", "yes")
    assert "'tls-auth-clients yes' needs tls-ca-cert-file or tls-ca-cert-dir" in str(reply.text)


def test_ciphers(setting: Setting) -> None:
    house = setting.house(tls_ciphers="ECDHE-ECDSA-AES256-GCM-SHA384", tls_prefer_server_ciphers=True)
    client = setting.connect(house, version=V1_2)
    cipher = client.session.cipher()
    assert cipher is not None
    assert cipher[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.parametrize(("given", "works"), [("s3cret", True), ("wrong", False), ("", False)])
def test_the_password_of_a_key(setting: Setting, given: str, works: bool) -> None:
    locked = setting.authority.issue("locked", "localhost", password="s3cret")
    house = setting.house()
    argv = ("tls-cert-file", locked.certificate, "tls-key-file", locked.key, "tls-key-file-pass", given)
    reply = house.connect()("CONFIG", "SET", *argv)
    assert (str(reply) == "OK" or "OK" in repr(reply)) is works
    assert setting.connect(house).serial() == (locked if works else setting.server).serial


def test_the_password_of_a_key_is_kept_from_monitors_and_the_slow_log(setting: Setting) -> None:
    house = setting.house(slowlog_log_slower_than=0)
    monitor, other = house.connect(), house.connect()
    monitor("MONITOR")
    monitor.transport.written = b""
    other("CONFIG", "SET", "tls-key-file-pass", "s3cret")
    slow = str(other("SLOWLOG", "GET", "10"))
    assert "tls-key-file-pass" in slow
    assert "s3cret" not in slow
    assert b"s3cret" not in monitor.transport.written
    assert other("CONFIG", "GET", "tls-key-file-pass") == [b"tls-key-file-pass", b"s3cret"]


# ---------------------------------------------------------------- another certificate


def test_another_certificate_is_for_new_connections(setting: Setting) -> None:
    house = setting.house()
    before = setting.connect(house)
    new = setting.authority.issue("new", "localhost")
    house.connect()("CONFIG", "SET", "tls-cert-file", new.certificate, "tls-key-file", new.key)
    assert before.serial() == setting.server.serial
    assert before.send(b"PING\r\n") == b"+PONG\r\n"
    assert setting.connect(house).serial() == new.serial


def test_a_certificate_without_its_key_changes_nothing(setting: Setting) -> None:
    house = setting.house()
    new = setting.authority.issue("newer", "localhost")
    reply = house.connect()("CONFIG", "SET", "tls-cert-file", new.certificate)
    assert "not a certificate with its key: key values mismatch" in str(reply.text)
    assert setting.connect(house).serial() == setting.server.serial


def test_files_with_other_content_are_read_when_they_are_set_again(setting: Setting, tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("again", "localhost")
    house = House(**{**setting.values(), "tls_cert_file": pair.certificate, "tls_key_file": pair.key})
    house.server.tls.use(house.server.tls.prepare({}))
    renewed = setting.authority.issue("renewed", "localhost")
    Path(pair.certificate).write_bytes(Path(renewed.certificate).read_bytes())
    Path(pair.key).write_bytes(Path(renewed.key).read_bytes())
    house.connect()("CONFIG", "SET", "tls-cert-file", pair.certificate)
    assert setting.connect(house).serial() == renewed.serial


def test_without_a_port_nothing_is_read(house: House) -> None:
    assert "OK" in repr(house.connect()("CONFIG", "SET", "tls-cert-file", "/nosuch", "tls-auth-clients", "yes"))
    reply = house.connect()("CONFIG", "SET", "tls-port", "6390")
    assert "cannot read /nosuch" in str(reply.text)


def test_a_failed_handshake_is_logged_now_and_then(
    setting: Setting, caplog: pytest.LogCaptureFixture, make_house: Callable[..., House]
) -> None:
    house = setting.house()
    with caplog.at_level("INFO", "januskv"):
        for _ in range(5):
            TlsClient(house, setting.authority.client_context()).deliver(b"x")
    assert [record.message for record in caplog.records] == [
        "TLS handshake with 127.0.0.1:50000 has failed: this is not TLS"
    ]
