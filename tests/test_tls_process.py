"""A server process whose ports speak TLS, under real clients."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.certificates import Authority, Pair
from tests.conftest import Process, encoded, free_port, januskv_process


class TlsProcess:
    """The process, its ports with TLS, and its certificates."""

    def __init__(self, process: Process, authority: Authority, client: Pair) -> None:
        self.process, self.authority, self.client = process, authority, client
        ports = re.findall(r"with TLS on 127\.0\.0\.1:(\d+)", process.start_log)
        self.port, self.http_port = int(ports[0]), int(ports[1])

    def redis(self, *, certificate: bool = False, **more: Any) -> redis.Redis:
        return redis.Redis(port=self.port, **self.options(certificate), **more)

    def options(self, certificate: bool = False) -> dict[str, Any]:
        own = {"ssl_certfile": self.client.certificate, "ssl_keyfile": self.client.key} if certificate else {}
        return {"host": "localhost", "ssl": True, "ssl_ca_certs": self.authority.path, **own}

    def connect(self) -> ssl.SSLSocket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return self.authority.client_context().wrap_socket(sock, server_hostname="localhost")

    def stats(self, field: str) -> int:
        return int(redis.Redis(port=self.process.port).info("everything")[field])


def options(authority: Authority, pair: Pair, verify: str = "optional") -> list[str]:
    names = {"cert-file": pair.certificate, "key-file": pair.key, "ca-cert-file": authority.path}
    found = [word for name, value in names.items() for word in (f"--tls-{name}", value)]
    return [*found, "--tls-port", "-1", "--tls-http-port", "-1", "--tls-auth-clients", verify]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsProcess]:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    pair, client = authority.issue("server", "localhost"), authority.issue("client", "app1")
    with januskv_process(*options(authority, pair), "--busy-reply-threshold", "20") as process:
        yield TlsProcess(process, authority, client)


@pytest.mark.parametrize("certificate", [False, True])
@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py(server: TlsProcess, certificate: bool, protocol: int) -> None:
    client = server.redis(certificate=certificate, protocol=protocol)
    value = b"x" * 3_000_000
    assert client.set("k", value)
    assert client.get("k") == value
    pipeline = client.pipeline(transaction=False)
    for number in range(5000):
        pipeline.set("n", number)
    assert pipeline.execute() == [True] * 5000
    listener = client.pubsub()
    listener.subscribe("c")
    assert listener.get_message(timeout=5)["type"] == "subscribe"
    client.publish("c", "m")
    assert listener.get_message(timeout=5)["data"] == b"m"


@pytest.mark.parametrize("certificate", [False, True])
def test_redis_py_with_asyncio(server: TlsProcess, certificate: bool) -> None:
    async def run() -> None:
        client = redis.asyncio.Redis(port=server.port, **server.options(certificate))
        assert all(await asyncio.gather(*(client.set(f"k{number}", number) for number in range(20))))
        assert await client.get("k19") == b"19"
        await client.aclose()

    asyncio.run(run())


def test_websocket_and_pages(server: TlsProcess) -> None:
    async def run() -> None:
        context = server.authority.client_context(server.client)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            base = f"https://localhost:{server.http_port}"
            for path in ("/healthz", "/metrics", "/api/server"):
                async with session.get(base + path) as response:
                    assert response.status == 200
                    await response.read()
            async with session.ws_connect(base.replace("https", "wss") + "/", origin=base) as websocket:
                await websocket.send_str('{"KV_SET":{"keys":{"w":"%s"}}}' % ("x" * 100_000))
                assert await websocket.receive_str() == '{"KV_SET_RSP":{"st":1}}'
                await websocket.send_str('{"KV_GET":{"keys":["w"]}}')
                assert "x" * 100_000 in await websocket.receive_str()
            point = {"metric": "m.tls", "timestamp": 1_700_000_000, "value": 1, "tags": {"host": "a"}}
            async with session.post(base + "/api/put", json=point) as response:
                assert response.status in (200, 204)
            async with session.get(base + "/api/v1/version") as response:
                await response.read()
        with pytest.raises(aiohttp.ClientConnectorError):
            async with (
                aiohttp.ClientSession() as stranger,
                stranger.get(f"https://localhost:{server.http_port}/healthz"),
            ):
                pass

    asyncio.run(run())


def test_users_of_certificates_and_sessions(server: TlsProcess) -> None:
    base = f"https://localhost:{server.http_port}"

    async def run() -> None:
        context = server.authority.client_context(server.client)
        stranger = aiohttp.TCPConnector(ssl=server.authority.client_context())
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            for path, status in (("/metrics", 403), ("/api/metrics", 200), ("/api/v1/timeseries/s/events", 403)):
                async with session.get(base + path) as response:
                    assert response.status == status, path
            async with session.ws_connect(base.replace("https", "wss") + "/", origin=base) as websocket:
                await websocket.send_str('{"KV_GET":{"keys":["w"]}}')
                assert '"st":171' in await websocket.receive_str()
        async with aiohttp.ClientSession(connector=stranger) as session:
            async with session.get(base + "/metrics") as response:
                assert response.status == 200
            login = {"username": "app1", "password": "secret"}
            async with session.post(base + "/login", json=login) as response:
                assert response.status == 200
                assert "; Secure" in response.headers["Set-Cookie"]
            async with session.get(base + "/api/server") as response:
                assert response.status == 403

    with server.redis() as client, server.redis(certificate=True) as known:
        client.acl_setuser("app1", enabled=True, passwords=["+secret"], commands=["+ts.mrange", "+acl|whoami"])
        client.config_set("tls-auth-clients-user", "CN")
        try:
            assert known.acl_whoami() == "app1"
            assert client.acl_whoami() == "default"
            asyncio.run(run())
        finally:
            client.config_set("tls-auth-clients-user", "off")
            client.acl_deluser("app1")


def test_certificates_exchanged_under_load(server: TlsProcess) -> None:
    pairs = [server.authority.issue(f"renewed-{number}", "localhost") for number in range(2)]
    failures: list[Exception] = []
    done = [0, 0]
    over = threading.Event()

    def work(at: int, fresh: bool) -> None:
        client = server.redis()
        try:
            while not over.is_set():
                if fresh:
                    client.close()
                    client = server.redis(retry=None)
                client.set("load", done[at])
                done[at] += 1
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(at, bool(at))) for at in (0, 1)]
    for thread in threads:
        thread.start()
    admin = redis.Redis(port=server.process.port)
    serials = set()
    number = 0
    while not failures and (number < 20 or min(done) < 20):
        number += 1
        pair = pairs[number % 2]
        assert admin.execute_command("CONFIG", "SET", "tls-cert-file", pair.certificate, "tls-key-file", pair.key)
        with server.connect() as sock:
            found = sock.getpeercert()
            assert found is not None
            assert found["serialNumber"] == pair.serial
            serials.add(found["serialNumber"])
        time.sleep(0.02)
    over.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(serials) == 2


def test_a_bad_certificate_leaves_the_old_one(server: TlsProcess, tmp_path: Path) -> None:
    bad = tmp_path / "bad.crt"
    bad.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    admin = redis.Redis(port=server.process.port)
    before = admin.config_get("tls-cert-file")
    with pytest.raises(redis.ResponseError, match="not a certificate with its key"):
        admin.config_set("tls-cert-file", str(bad))
    assert admin.config_get("tls-cert-file") == before
    assert server.redis().ping()


def test_who_comes_while_a_script_runs(server: TlsProcess) -> None:
    busy = b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"

    def ask(sock: ssl.SSLSocket, *argv: str) -> bytes:
        sock.sendall(encoded(*argv))
        return sock.recv(1000)

    with server.connect() as runner, server.connect() as before:
        assert ask(before, "PING") == b"+PONG\r\n"
        runner.sendall(encoded("EVAL", "while true do end", 0))
        while ask(before, "PING") != busy:
            pass
        with server.connect() as after, server.process.connect() as plain:  # a handshake, served meanwhile
            assert ask(after, "GET", "k") == busy
            after.sendall(b'{"KV_GET":{"keys":["k"]}}\n')
            assert b"BUSY" in after.recv(1000)
            stranger = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            stranger.sendall(b"PING\r\n")
            plain.sendall(encoded("SCRIPT", "KILL"))
            assert plain.recv(1000).endswith(b"+OK\r\n")
            assert runner.recv(1000).startswith(b"-ERR Script killed by user with SCRIPT KILL...")
            for sock in (before, after, runner):
                assert ask(sock, "PING") == b"+PONG\r\n"
            value = "y" * 1_000_000
            after.sendall(encoded("SET", "k", value))
            assert after.recv(10) == b"+OK\r\n"
            assert stranger.recv(10) == b""
            stranger.close()


def test_half_open_handshakes_stall_nobody(server: TlsProcess) -> None:
    hello = ssl.MemoryBIO()
    session = server.authority.client_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    data = hello.read()
    client = server.redis()
    half_open = []
    try:
        slowest = 0.0
        for number in range(200):
            sock = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            half_open.append(sock)
            sock.sendall(data if number % 2 else data[:100])
            begun = time.monotonic()
            assert client.ping()
            slowest = max(slowest, time.monotonic() - begun)
        assert server.stats("tls_handshakes_unfinished") == 200
        assert slowest < 1
    finally:
        for sock in half_open:
            sock.close()
    while server.stats("tls_handshakes_unfinished"):
        time.sleep(0.01)


def test_old_versions_are_refused(server: TlsProcess) -> None:
    context = server.authority.client_context()
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        pytest.raises(ssl.SSLError, match="protocol version"),
        socket.create_connection(("127.0.0.1", server.port)) as sock,
    ):
        context.wrap_socket(sock, server_hostname="localhost")


def test_tls_on_a_port_without_it(server: TlsProcess) -> None:
    with pytest.raises(ssl.SSLError), server.process.connect() as sock:
        server.authority.client_context().wrap_socket(sock, server_hostname="localhost")


def test_only_tls_and_another_port(start_januskv: Callable[..., Process], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, client = authority.issue("server", "localhost"), authority.issue("client", "app1")
    server = TlsProcess(start_januskv(*options(authority, pair, "yes")), authority, client)
    with pytest.raises(redis.ConnectionError):
        server.redis(retry=Retry(NoBackoff(), 0)).ping()
    admin = server.redis(certificate=True)
    admin.config_set("port", 0)
    with pytest.raises(ConnectionRefusedError):
        server.process.connect()
    info = admin.info("server")
    assert info["tcp_port"] == server.port
    assert info["listener0"]["name"] == "tls"
    server.port = free_port()
    admin.config_set("tls-port", server.port)
    assert server.redis(certificate=True).ping()
    with pytest.raises(redis.ResponseError, match="cannot read /nosuch"):
        admin.config_set("tls-key-file", "/nosuch")


def test_a_start_without_a_certificate(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended before it was ready"), januskv_process("--tls-port", "-1"):
        pass


def test_who_comes_through_the_unix_socket(start_januskv: Callable[..., Process], tmp_path: Path) -> None:
    path = tmp_path / "sock"
    server = start_januskv("--unixsocket", str(path), "--unixsocketperm", "700", "--loglevel", "verbose")
    assert path.stat().st_mode & 0o777 == 0o700
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"PING\r\n")
        assert sock.recv(10) == b"+PONG\r\n"
    assert server.process.stdout is not None
    line = b""
    while b"unix socket:" not in line:
        line = server.process.stdout.readline()
    assert b"process %d, user %d, group %d" % (os.getpid(), os.getuid(), os.getgid()) in line
