"""Real clients under TLS, with and without certificates of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import Authority
from tests.conftest import Process, encoded, januskv_process
from tests.test_tls_process import TlsProcess, options

from .test_clients import need, node, run

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", params=["no", "optional", "yes"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsProcess]:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    pair, client = authority.issue("server", "localhost"), authority.issue("client", "app1")
    with januskv_process(*options(authority, pair, request.param)) as process:
        found = TlsProcess(process, authority, client)
        found.verifies = request.param  # type: ignore[attr-defined]
        yield found


def ways(server: Any) -> list[bool]:
    """Whether clients show a certificate, in the ways that this server takes."""
    return {"no": [False], "optional": [False, True], "yes": [True]}[server.verifies]


def cli(server: TlsProcess, certificate: bool) -> list[str]:
    own = ["--cert", server.client.certificate, "--key", server.client.key] if certificate else []
    return [need("redis-cli"), "--tls", "--cacert", server.authority.path, *own, "-p", str(server.port)]


def test_redis_cli(server: TlsProcess) -> None:
    for certificate in ways(server):
        argv = cli(server, certificate)
        assert run(*argv, "set", "k", "v").strip() == "OK"
        assert run(*argv, "-3", "get", "k").strip() == "v"
        commands = b"".join(encoded("SET", f"k{number}", number) for number in range(10_000))
        done = subprocess.run([*argv, "--pipe"], input=commands, capture_output=True, timeout=60)
        assert b"errors: 0, replies: 10000" in done.stdout


def test_redis_cli_without_a_certificate(server: Any) -> None:
    if server.verifies != "yes":
        pytest.skip("it is not asked for")
    done = subprocess.run([*cli(server, False), "ping"], capture_output=True, text=True, timeout=20)
    assert "PONG" not in done.stdout


def test_node_clients(server: TlsProcess) -> None:
    for certificate in ways(server):
        own = [server.client.certificate, server.client.key] if certificate else []
        assert node("tls.js", server.port, server.http_port, server.authority.path, *own) == {
            "ioredisSet": "OK",
            "ioredisPipeline": [[None, "OK"], [None, 2], [None, "2"]],
            "ioredisLong": True,
            "nodeRedisMulti": ["OK", "x"],
            "webSocketGet": {"k": "v"},
            "webSocketClose": 1000,
        }


def s_client(server: TlsProcess) -> list[str]:
    own = ["-cert", server.client.certificate, "-key", server.client.key]
    place = ["-connect", f"127.0.0.1:{server.port}", "-CAfile", server.authority.path]
    return [need("openssl"), "s_client", *place, *own]


def openssl(server: TlsProcess, *words: str, text: str = "PING\r\n") -> str:
    argv = [*s_client(server), "-ign_eof", *words]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl(server: TlsProcess, version: str) -> None:
    printed = openssl(server, version, text="PING\r\nQUIT\r\n")
    assert "Verify return code: 0 (ok)" in printed
    assert "+PONG" in printed


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(server: TlsProcess, version: str) -> None:
    printed = openssl(server, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in printed
    assert "+PONG" not in printed


def test_handshakes_are_not_renegotiated(server: TlsProcess) -> None:
    argv = [*s_client(server), "-tls1_2"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while b"Extended master secret" not in process.stdout.readline():
            pass
        process.stdin.write(b"R\n")  # a line of its own that asks for it
        process.stdin.flush()
        printed = b""
        while b"no renegotiation" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line


def test_a_session_is_resumed(server: TlsProcess, tmp_path: Path) -> None:
    session = str(tmp_path / "session")
    text = "QUIT\r\n"
    assert "New, TLSv1.2" in openssl(server, "-tls1_2", "-sess_out", session, text=text)
    assert "Reused, TLSv1.2" in openssl(server, "-tls1_2", "-sess_in", session, text=text)


def test_plain_redis_cli_is_refused(server: TlsProcess) -> None:
    done = subprocess.run([need("redis-cli"), "-p", str(server.port), "ping"], capture_output=True, timeout=20)
    assert b"PONG" not in done.stdout


def test_redis_benchmark(server: TlsProcess) -> None:
    argv = [
        need("redis-benchmark"),
        *cli(server, True)[1:],
        "-n",
        "20000",
        "-c",
        "20",
        "-P",
        "16",
        "-q",
        "-t",
        "set,get",
    ]
    assert run(*argv).count("requests per second") >= 2


def test_redis_conf_of_both_servers(start_januskv: Callable[..., Process], oracle: Any, tmp_path: Path) -> None:
    """What redis-server shows of its parameters of TLS we show, too, except where ours has one value."""
    ours = start_januskv()
    shown = [run(need("redis-cli"), "-p", each.port, "config", "get", "tls-*").split("\n") for each in (oracle, ours)]
    theirs, mine = (dict(zip(lines[::2], lines[1::2], strict=False)) for lines in shown)
    different = {name for name in theirs if theirs[name] != mine.get(name)}
    assert different == {"tls-session-cache-timeout"}
