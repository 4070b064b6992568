"""Sessions with real clients: how each enters one, and that it works nowhere else if there is none.

tests/live/install-clients installs the clients.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.live

ROOT = Path(__file__).parent.parent.parent
CLIENTS = ROOT / ".clients"
HERE = Path(__file__).parent / "clients"


def need(*programs: str) -> str:
    """The first of some programs that is installed."""
    for program in programs:
        path = shutil.which(program)
        if path is not None:
            return path
    pytest.skip(f"{programs[0]} is not installed")


def run(*argv: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, argv)), capture_output=True, text=True, timeout=60, env=os.environ | environment
    )


def cli(janus: Any, *words: object) -> subprocess.CompletedProcess[str]:
    done = run(need("redis-cli"), "-p", janus.port, "--no-auth-warning", *words)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.strip(), done.stderr.strip())


@pytest.fixture
def token(janus: Any) -> int:
    """The token of a session; the one below it is that of none, as they are random."""
    assert cli(janus, "FLUSHALL").stdout == "OK"
    return int(json.loads(cli(janus, '{"SH_NEW":{"name":"kiosk"}}').stdout)["SH_NEW_RSP"]["tkn"])


def nothing_in_databases(janus: Any) -> bool:
    return "db0" not in cli(janus, "INFO", "keyspace").stdout


# ---------------------------------------------------------------- what the documents show


def example(page: str, kind: str, part: str) -> str:
    """The first block of a kind in a part of a page."""
    text = (ROOT / page).read_text(encoding="utf-8").split(part, 1)[1]
    return text.split(f"```{kind}\n", 1)[1].split("```", 1)[0]


def with_token(text: str, token: int) -> str:
    return re.sub(r"[0-9]{16}", str(token), text)


def test_the_example_of_the_readme(janus: Any) -> None:
    need("redis-cli"), need("nc")
    assert cli(janus, "FLUSHALL").stdout == "OK"
    token: int | None = None
    for step in example("README.md", "console", "## Sessions").split("$ ")[1:]:
        command, _, wanted = step.partition("\n")
        command = command.replace("127.0.0.1 6379", f"127.0.0.1 {janus.port}").replace(
            "redis-cli", f"redis-cli -p {janus.port}"
        )
        printed = run("sh", "-c", command if token is None else with_token(command, token)).stdout
        if token is None:
            token = json.loads(printed)["SH_NEW_RSP"]["tkn"]
        assert printed.split() == with_token(wanted, token).split()
    assert nothing_in_databases(janus)


def test_the_first_steps_with_json_lines(janus: Any) -> None:
    lines = example("docs/native.md", "console", "## First steps").splitlines()[1:]
    token = 0
    with janus.connect() as sock, sock.makefile("rw") as both:
        for request, wanted in zip(lines[::2], lines[1::2], strict=True):
            both.write(with_token(request, token) + "\n")
            both.flush()
            reply = both.readline().strip()
            token = token or json.loads(reply).get("SH_NEW_RSP", {}).get("tkn", 0)
            assert reply == with_token(wanted, token)


def test_the_first_steps_in_python(janus: Any) -> None:
    python = CLIENTS / "redis-py-8" / "bin" / "python"
    if not python.exists():
        pytest.skip("run tests/live/install-clients first")
    program = example("docs/native.md", "python", "## First steps")
    program = program.replace("6379", str(janus.port)).replace("redis.Redis(", f"redis.Redis(port={janus.port}, ")
    done = run(python, "-c", program)
    assert done.stdout.splitlines()[1:] == ["{'lead': 'Ida', 'size': '4'}"], done.stderr


def test_the_first_steps_in_javascript(janus: Any) -> None:
    node, modules = need("node"), CLIENTS / "node" / "node_modules"
    if not modules.exists():
        pytest.skip("run tests/live/install-clients first")
    program = example("docs/native.md", "js", "## First steps").replace("8379", str(janus.http_port))
    program = program.replace("console.log(", "process.stdout.write(String(").replace(
        ".cart);", ".cart), () => process.exit());"
    )
    done = run(node, "-e", f"const WebSocket = require('ws');\n{program}", NODE_PATH=str(modules))
    assert done.stdout == "tea,bread", done.stderr


# ---------------------------------------------------------------- redis-cli


@pytest.mark.parametrize("protocol", ["-2", "-3"])
@pytest.mark.parametrize(
    "way",
    [
        pytest.param("--user session --pass {}", id="user and password"),
        pytest.param("-u redis://session:{}@127.0.0.1:{port}", id="URL"),
    ],
)
def test_redis_cli(janus: Any, token: int, protocol: str, way: str) -> None:
    words = [protocol, *way.format(token, port=janus.port).split()]
    assert cli(janus, *words, "SET", "greeting", "hello").stdout == "OK"
    assert cli(janus, *words, "DBSIZE").stdout == "1"
    lost = [protocol, *way.format(token - 1, port=janus.port).split()]
    done = cli(janus, *lost, "SET", "greeting", "hello")
    assert "does not exist" in done.stdout
    assert "WRONGPASS no such session" in done.stderr
    assert nothing_in_databases(janus)


def test_redis_cli_keeps_32_bits_of_a_database_number(janus: Any, token: int) -> None:
    done = cli(janus, "-n", token, "SET", "greeting", "hello")
    assert "logs in as the user 'session'" in done.stdout
    assert nothing_in_databases(janus)


def test_redis_cli_enters(janus: Any, token: int) -> None:
    lines = f"SH_ENTER {token}\nSET a 1\nSH_ENTER {token - 1}\nSET a 2\nSELECT 0\nDBSIZE\n"
    done = subprocess.run(
        [need("redis-cli"), "-p", str(janus.port)], input=lines, capture_output=True, text=True, timeout=60
    )
    first, second, third, fourth, fifth, sixth = filter(None, done.stdout.splitlines())
    assert (first, second, third, fifth, sixth) == ("OK", "OK", "ERR no such session", "OK", "0")
    assert fourth.startswith("ERR the session that was asked for does not exist")


# ---------------------------------------------------------------- redis-py

_REDIS_PY = """
import json, sys, redis
port, token, unknown = map(int, sys.argv[1:])
found = {}
for kind, value in (("", token), ("Unknown", unknown)):
    for way, url in (("db", f"redis://127.0.0.1:{port}/{value}"), ("user", f"redis://session:{value}@127.0.0.1:{port}")):
        client = redis.Redis.from_url(url)
        try:
            found[way + kind] = client.set("greeting", "py")
        except redis.RedisError as error:
            found[way + kind] = str(error).split(",")[0]
print(json.dumps(found))
"""


@pytest.mark.parametrize("version", ["4.6", 5, 7, 8])
def test_redis_py(janus: Any, token: int, version: int | str) -> None:
    python = CLIENTS / f"redis-py-{version}" / "bin" / "python"
    if not python.exists():
        pytest.skip("run tests/live/install-clients first")
    done = run(python, "-c", _REDIS_PY, janus.port, token, token - 1)
    found = json.loads(done.stdout)
    assert found.pop("userUnknown").removeprefix("WRONGPASS ").startswith(("no such session", "invalid username"))
    assert found == {"db": True, "user": True, "dbUnknown": "no such session"}
    assert nothing_in_databases(janus)


# ---------------------------------------------------------------- JavaScript, PHP


def test_node_clients(janus: Any, token: int) -> None:
    node, modules = need("node"), CLIENTS / "node" / "node_modules"
    if not modules.exists():
        pytest.skip("run tests/live/install-clients first")
    # Node has a WebSocket of its own since 22, and one to be asked for since 20.10.
    own = "--experimental-websocket"
    flags = [own] if run(node, own, "-e", "0").returncode == 0 else []
    done = run(
        node, *flags, HERE / "sessions.js", janus.port, janus.http_port, token, token - 1, NODE_PATH=str(modules)
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("ioredisDbUnknown") == "ERR the session that was asked for does not exist"
    assert found.pop("nodeRedisDbUnknown") == "ERR no such session"
    for name in ("ioredisUser", "nodeRedisUser", "nodeRedis3"):
        assert found.pop(f"{name}Unknown") == "WRONGPASS no such session"
    for maker in {"ws", "own"} if "ownEnter" in found else {"ws"}:
        assert found.pop(f"{maker}Enter") == [1, 1]
        assert found.pop(f"{maker}Token") == [1]
        assert found.pop(f"{maker}EnterUnknown") == [100, 100]
        assert found.pop(f"{maker}TokenUnknown") == [100]
    assert found.pop("wsUser") == [1]
    assert found.pop("wsUserUnknown") == "refused"
    assert found == dict.fromkeys(("ioredisDb", "ioredisUser", "nodeRedisDb", "nodeRedisUser", "nodeRedis3"), "OK")
    assert nothing_in_databases(janus)


def test_phpredis(janus: Any, token: int) -> None:
    php = need("php")
    if "redis" not in run(php, "-m").stdout.split():
        pytest.skip("PhpRedis is not installed")
    done = run(php, HERE / "sessions.php", janus.port, token, token - 1)
    found = json.loads(done.stdout)
    # Its select() keeps 32 bits of a number, so it can enter by the other ways only; what it writes then goes nowhere.
    assert found == {
        "select": [False, False],
        "auth": [True, True],
        "enter": [True, True],
        "selectUnknown": [False, False],
        "authUnknown": ["WRONGPASS no such session", False],
        "enterUnknown": [False, False],
    }
    assert nothing_in_databases(janus)


# ---------------------------------------------------------------- a browser


@contextlib.contextmanager
def page_server(answers: queue.Queue[Any]) -> Iterator[int]:
    """Serves the page of this test on a port of loopback, and takes what it has found."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (HERE / "sessions.html").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Nothing is printed."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_page_in_a_browser(start_januskv: Any, tmp_path: Path) -> None:
    browser = need("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    answers: queue.Queue[Any] = queue.Queue()
    with page_server(answers) as page_port:
        janus = start_januskv("--http-allowed-origins", f"http://127.0.0.1:{page_port}")
        token = int(json.loads(cli(janus, '{"SH_NEW":{"name":"kiosk"}}').stdout)["SH_NEW_RSP"]["tkn"])
        query = urlencode({"http": janus.http_port, "token": token, "unknown": token - 1})
        process = subprocess.Popen(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             f"--user-data-dir={tmp_path}", "--remote-debugging-port=0", f"http://127.0.0.1:{page_port}/?{query}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"HOME": str(tmp_path)}, start_new_session=True,
        )  # fmt: skip
        try:
            found = answers.get(timeout=60)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # its own processes end with it
            process.wait(20)
        assert found == {
            "enter": [1, 1, {"page": "hello"}],
            "login": [1, {"page": "hello"}],
            "token": [{"page": "hello"}],
            "enterUnknown": [100, 100, 100],
            "loginUnknown": [170, 100],
            "tokenUnknown": [100],
            "new": [1, 1, {"page": "hello"}],
            "safe": True,
        }
        assert nothing_in_databases(janus)
