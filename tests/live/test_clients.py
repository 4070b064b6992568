"""Real client libraries and tools against a running server. tests/live/install-clients installs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

ROOT = Path(__file__).parent.parent.parent
CLIENTS = ROOT / ".clients"
HERE = Path(__file__).parent


def run(*argv: str | Path, text: str | None = None, timeout: float = 60, check: bool = True, **environment: str) -> str:
    """Run a program to its end; what it printed."""
    done = subprocess.run(
        list(map(str, argv)), input=text, capture_output=True, text=True, timeout=timeout, env=os.environ | environment
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("version", [5, 7, 8])
def test_redis_py(janus: Any, version: int, protocol: int) -> None:
    python = CLIENTS / f"redis-py-{version}" / "bin" / "python"
    if not python.exists():
        pytest.skip("run tests/live/install-clients first")
    found = json.loads(run(python, HERE / "clients" / "redis_py.py", janus.port, protocol))
    assert found.pop("version").startswith(f"{version}.")
    library = found.pop("library")
    assert library.startswith("redis-py")
    assert found == {
        "ping": True,
        "set": None,
        "get": "v",
        "ttl": True,
        "mset": True,
        "mget": ["1", None, "drei"],
        "incr": [1, 6, 5, 1.5],
        "keys": ["a", "b", "c"],
        "name": "live-test",
        "lcs": "",
        "server": "januskv",
        "config": {"maxclients": "10000"},
        "echo": "ä€😀",
        "getex": "v",
        "type": "string",
        "commands": True,
        "dbsize": 6,
        "clients": True,
        "transaction": [True, 2, "2"],
        "pipeline": True,
        "watch": [True],
        "watch error": True,
        "unknown": "unknown command 'NOSUCH'",
        "wrong type": "WRONGTYPE",
        "session": ["yes", None, 1],
        "session natively": {"inside": "yes"},
        "no session": "no such session",
        "binary": True,
        "binary back": True,
        "big": True,
        "asyncio": [51, ["51", 1]],
        "monitor": "SET",
        "flushdb": True,
    }


def test_info_with_an_old_redis_py(start_januskv: Any) -> None:
    """redis-py 4.6 is stricter than later ones with lists of pairs: its info() raised."""
    python = CLIENTS / "redis-py-4.6" / "bin" / "python"
    if not python.exists():
        pytest.skip("run tests/live/install-clients first")
    server = start_januskv("--bind", "127.0.0.1 -::1")
    program = "import redis, sys, json; print(json.dumps(redis.Redis(port=int(sys.argv[1])).info('everything')))"
    found = json.loads(run(python, "-c", program, server.port))
    assert found["listener0"] == {"name": "tcp", "bind": "-::1", "port": server.port}
    assert len(found) > 100


def node(script: str, *arguments: Any) -> Any:
    """What a script of tests/live/clients has printed, as JSON."""
    need("node")
    modules = CLIENTS / "node" / "node_modules"
    if not modules.exists():
        pytest.skip("run tests/live/install-clients first")
    return json.loads(run("node", HERE / "clients" / script, *arguments, NODE_PATH=str(modules)))


def test_node_clients_cache(janus: Any, oracle: Any) -> None:
    found = node("caching.js", janus.port)
    assert found == {
        "ioredisOn": "OK",
        "ioredisRedirect": True,
        "ioredisRead": "anna",
        "ioredisAgain": "berta",
        "ioredisWaited": [["log", [["1-1", ["f", "v"]]]]],
        "ioredisTold": [["__redis__:invalidate", [key]] for key in ("user:1", "user:2", "log", "user:1")],
        "ioredisOff": "OK",
        "nodeRedisReads": ["1", "1", "1"],
        "nodeRedisAsked": 1,
        "nodeRedisHash": {},
        "nodeRedisHits": True,
    }
    assert found == node("caching.js", oracle.port)


def test_node_clients(janus: Any) -> None:
    found = node("node.js", janus.port, janus.http_port)
    expected = {
        "ioredisSet": "OK",
        "ioredisGet": "v",
        "ioredisPipeline": [[None, "OK"], [None, 2], [None, "2"]],
        "ioredisMulti": [[None, "OK"], [None, 7]],
        "ioredisMget": ["2", "7", None],
        "ioredisScan": ["a", "b"],
        "ioredisNative": "v",
        "ioredisError": "ERR unknown command",
        "webSocketSet": {"KV_SET_RSP": {"st": 1}},
        "webSocketGet": {"KV_GET_RSP": {"st": 1, "keys": {"ws": {"deep": [1, "ä€", None]}, "n": "2"}}},
        "webSocketLong": True,
        "webSocketClose": 1000,
    }
    for resp in (2, 3):
        expected |= {
            f"nodeRedis{resp}Set": "OK",
            f"nodeRedis{resp}Incr": 2,
            f"nodeRedis{resp}Multi": ["OK", "x"],
            f"nodeRedis{resp}Ttl": True,
            f"nodeRedis{resp}Info": True,
            f"nodeRedis{resp}Scan": ["m", "n"],
        }
    assert found == expected


# ---------------------------------------------------------------- redis-cli and redis-benchmark


def cli(janus: Any, *words: str, text: str | None = None) -> str:
    return run(need("redis-cli"), "-p", janus.port, *words, text=text).strip()


def test_redis_cli_commands(janus: Any) -> None:
    cli(janus, "flushall")
    assert cli(janus, "set", "k", "v") == "OK"
    assert cli(janus, "get", "k") == "v"
    assert cli(janus, "-3", "hello", "3").splitlines()[0].startswith(("server", "1#"))
    assert cli(janus, "-3", "config", "get", "maxclients").split() == ["maxclients", "10000"]
    assert cli(janus, "--no-raw", "incr", "n") == "(integer) 1"
    assert cli(janus, "--json", "-3", "mget", "k", "missing") == '["v",null]'
    assert cli(janus, "-n", "3", "dbsize") == "0"
    assert cli(janus, "command", "docs", "set").splitlines()[:2] == ["set", "summary"]


def test_redis_cli_scans(janus: Any) -> None:
    cli(janus, "flushall")
    cli(janus, text="".join(f"SET key:{i} {'x' * i}\n" for i in range(1, 300)))
    assert sorted(cli(janus, "--scan").splitlines()) == sorted(f"key:{i}" for i in range(1, 300))
    assert sorted(cli(janus, "--scan", "--pattern", "key:1?").splitlines()) == [f"key:{i}" for i in range(10, 20)]
    assert "Biggest string found '\"key:299\"' has 299 bytes" in cli(janus, "--bigkeys").replace("  ", " ")
    assert "key:299" in cli(janus, "--memkeys")


def test_redis_cli_pipe_mode(janus: Any, encode_command: Any) -> None:
    cli(janus, "flushall")
    commands = b"".join(encode_command("SET", f"k{i}", i) for i in range(10_000))
    done = subprocess.run(
        [need("redis-cli"), "-p", str(janus.port), "--pipe"], input=commands, capture_output=True, timeout=60
    )
    assert b"errors: 0, replies: 10000" in done.stdout
    assert cli(janus, "dbsize") == "10000"


def test_redis_cli_stat_latency_and_monitor(janus: Any) -> None:
    for words, wanted in (
        (["-i", "0.05", "--stat"], b"clients blocked requests"),
        (["-i", "0.3", "--latency"], b"\n"),
        (["monitor"], b"OK"),
    ):
        process = subprocess.Popen([need("redis-cli"), "-p", str(janus.port), *words], stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            deadline, printed = time.monotonic() + 10, b""
            while wanted not in printed and time.monotonic() < deadline:
                printed += process.stdout.read() or b""
                if words == ["monitor"]:
                    cli(janus, "set", "watched", "1")
                    wanted = b'"set" "watched" "1"' if b"OK" in printed else wanted
            assert wanted in printed
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("option", ["--rdb", "--functions-rdb", "--replica"])
def test_redis_cli_is_told_that_there_is_no_replication(janus: Any, option: str, tmp_path: Path) -> None:
    words = [option] if option == "--replica" else [option, str(tmp_path / "copy.rdb")]
    done = subprocess.run(
        [need("redis-cli"), "-p", str(janus.port), *words], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 1
    assert "replication is not supported by this server" in done.stderr


def test_redis_cli_help_and_hints(janus: Any) -> None:
    """The interactive client asks for COMMAND DOCS; its HELP shows what it knows of SET."""
    printed = cli(janus, text="HELP SET\n")
    assert "key value [NX|XX] [GET]" in printed
    printed = cli(janus, text="HELP KV_SET\n")
    assert "KV_SET" in printed


def test_redis_benchmark(janus: Any) -> None:
    tests = "ping_inline,ping_mbulk,set,get,incr,mset"
    printed = run(need("redis-benchmark"), "-p", janus.port, "-q", "-n", "2000", "-t", tests)
    assert "ERR" not in printed
    assert printed.count("requests per second") == 6


def test_json_lines_with_netcat(janus: Any) -> None:
    request = '{"KV_SET":{"keys":{"age":26}}}\n{"KV_SETQ":{"keys":{"quiet":1}}}\n{"KV_GET":{"keys":["age","quiet"]}}\nbad{\n{bad\n'
    printed = run(need("nc"), "-N", "127.0.0.1", janus.port, text=request)
    lines = printed.splitlines()
    assert lines[0] == '{"KV_SET_RSP":{"st":1}}'
    assert lines[1] == '{"KV_GET_RSP":{"st":1,"keys":{"age":26,"quiet":1}}}'
    assert lines[2].startswith("-ERR unknown command 'bad{'")
    assert lines[3] == '{"ERR":{"st":3,"m":""}}'


def test_http_pages_with_curl(janus: Any) -> None:
    base = f"http://127.0.0.1:{janus.http_port}"
    assert run(need("curl"), "-s", f"{base}/healthz") == "ok\n"
    assert run("curl", "-s", f"{base}/readyz") == "ready\n"
    assert "januskv_commands_processed_total" in run("curl", "-s", f"{base}/metrics")
    assert run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{base}/nosuch") == "404"
    refused = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{janus.port}/"], capture_output=True, text=True)
    assert refused.returncode == 52  # an empty reply: an HTTP request on the data port closes the connection
