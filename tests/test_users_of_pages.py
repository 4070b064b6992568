"""Users of restricted rights on the HTTP port: /metrics, the page, WebSockets for native JSON; failed log-ins there."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from januskv.resp import websocket as ws

from .http_api import Api, read_answer
from .http_port import HttpPort, Visitor, upgrade

Open = Callable[..., HttpPort]
REMOTE = ("192.0.2.1", 5000)


@pytest.fixture
def open_port() -> Iterator[Open]:
    with contextlib.ExitStack() as stack:

        def opened(**config: Any) -> HttpPort:
            port = HttpPort(**config)
            stack.callback(port.close)
            add_users(port)
            return port

        yield opened


def add_users(port: HttpPort) -> None:
    for line in (
        "looker on >look -@all +info",
        "reader on >read ~r:* +KV_GET +KV_SET",
        "kiosk on >kiosk +@all ~* &* session:kiosk-*",
        "off off >off +@all ~*",
        "open on nopass +info",
    ):
        name, *rules = line.split()
        port.house.server.users.set(name, [rule.encode() for rule in rules])


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def acl_log(port: HttpPort) -> list[tuple[str, bytes, str]]:
    return [(each.reason, each.name, each.user) for each in port.house.server.users.log.entries]


# ---------------------------------------------------------------- /metrics and the page


@pytest.mark.parametrize("path", ["/metrics", "/api/server"])
@pytest.mark.parametrize("password", ["", "secret"])
def test_who_may_run_info(open_port: Open, path: str, password: str) -> None:
    api = Api(open_port(requirepass=password))
    assert api.get(path).status == (401 if password else 200)
    for user, secret, status in (
        ("looker", "look", 200),
        ("open", "anything", 200),
        ("default", "secret", 200),
        ("reader", "read", 403),
        ("looker", "wrong", 401),
        ("off", "off", 401),
        ("nobody", "secret", 401),
    ):
        assert api.get(path, Authorization=basic(user, secret)).status == status, user
    if password:
        assert api.get(path, Authorization="Bearer secret").status == 200
        assert api.get(path, Authorization="Bearer look").status == 401


def test_the_refusal_says_why(open_port: Open) -> None:
    port = open_port()
    api = Api(port)
    answer = api.get("/metrics", Authorization=basic("reader", "read"))
    assert (answer.status, answer.text) == (403, "User reader has no permissions to run the 'info' command\n")
    answer = api.get("/api/server", Authorization=basic("reader", "read"))
    assert answer.json["message"] == "User reader has no permissions to run the 'info' command"
    assert acl_log(port) == [("command", b"info", "reader")]


def test_changes_count_at_once(open_port: Open) -> None:
    port = open_port(requirepass="secret")
    api, users = Api(port), port.house.server.users
    header = basic("looker", "look")
    assert api.get("/metrics", Authorization=header).status == 200
    users.set("looker", [b"-info"])
    assert api.get("/metrics", Authorization=header).status == 403
    users.set("looker", [b"+info", b"off"])
    assert api.get("/metrics", Authorization=header).status == 401
    users.set("looker", [b"on", b"resetpass", b">other"])
    assert api.get("/metrics", Authorization=header).status == 401
    assert api.get("/metrics", Authorization=basic("looker", "other")).status == 200
    users.remove(["looker"])
    assert api.get("/metrics", Authorization=basic("looker", "other")).status == 401


def test_a_default_user_with_few_rights(open_port: Open) -> None:
    port = open_port()
    port.house.server.users.set("default", [b"-info"])
    api = Api(port)
    assert api.get("/metrics").status == 403
    assert api.get("/api/server").status == 403
    assert api.get("/metrics", Authorization=basic("looker", "look")).status == 200


def test_a_default_user_that_is_off(open_port: Open) -> None:
    port = open_port()
    port.house.server.users.set("default", [b"off"])
    api = Api(port)
    assert api.get("/metrics").status == 401
    assert api.get("/metrics", Authorization=basic("default", "")).status == 401
    assert api.get("/metrics", Authorization=basic("looker", "look")).status == 200


def test_sessions_are_named_to_those_who_may_list_them(open_port: Open) -> None:
    port = open_port()
    port.house.store.sessions.open_new("kiosk-1", shared=False)
    api = Api(port)
    assert [each["name"] for each in api.get("/api/server").json["sessions"]["first"]] == ["kiosk-1"]
    shown = api.get("/api/server", Authorization=basic("looker", "look")).json["sessions"]
    assert (shown["open"], shown["first"]) == (1, [])


def test_a_session_of_the_browser_is_its_user_s(open_port: Open) -> None:
    port = open_port(requirepass="secret")
    api = Api(port)
    for user, password, status in (("looker", "look", 200), ("reader", "read", 403)):
        cookie = api.post("/login", {"username": user, "password": password}).headers["set-cookie"].partition(";")[0]
        assert api.get("/api/server", Cookie=cookie).status == status
    port.house.server.users.set("reader", [b"+info"])
    assert api.get("/api/server", Cookie=cookie).status == 200
    port.house.server.users.set("reader", [b">more"])
    assert api.get("/api/server", Cookie=cookie).status == 401


# ---------------------------------------------------------------- WebSockets


def ask(visitor: Visitor, command: str, **body: Any) -> dict[str, Any]:
    """The reply to a native command."""
    payload = json.dumps({command: body}).encode()
    received = visitor.send(bytes([0x80 | ws.TEXT, 0x80 | len(payload)]) + bytes(4) + payload)
    size = 2 if received[1] < 126 else 4
    found: dict[str, Any] = json.loads(received[size:])
    [reply] = found.values()
    return reply if isinstance(reply, dict) else found


def websocket(port: HttpPort, user: str, password: str) -> Visitor:
    visitor = port.connect()
    assert visitor.status(upgrade("Authorization: " + basic(user, password))) == 101
    return visitor


@pytest.mark.parametrize("password", ["", "secret"])
def test_a_websocket_acts_for_its_user(open_port: Open, password: str) -> None:
    port = open_port(requirepass=password)
    visitor = websocket(port, "reader", "read")
    assert ask(visitor, "KV_SET", keys={"r:1": 5})["st"] == 1
    assert ask(visitor, "KV_GET", keys=["r:1"])["keys"] == {"r:1": 5}
    assert ask(visitor, "KV_GET", keys=["r:1", "other"])["st"] == 171
    assert ask(visitor, "KV_RMV", keys=["r:1"])["st"] == 171
    port.house.server.users.set("reader", [b"-KV_SET"])
    assert ask(visitor, "KV_SET", keys={"r:1": 5})["st"] == 171
    [client] = port.house.server.clients.everyone()
    assert client.user_name == "reader"


@pytest.mark.parametrize("password", ["", "secret"])
@pytest.mark.parametrize(("user", "secret"), [("reader", "wrong"), ("nobody", "read"), ("off", "off")])
def test_a_websocket_with_wrong_credentials(open_port: Open, password: str, user: str, secret: str) -> None:
    port = open_port(requirepass=password)
    assert port.connect().status(upgrade("Authorization: " + basic(user, secret))) == 401
    assert acl_log(port) == [("auth", b"WEBSOCKET", user)]


def test_a_websocket_may_log_in_later(open_port: Open) -> None:
    port = open_port(requirepass="secret")
    visitor = port.connect()
    assert visitor.status(upgrade()) == 101
    assert ask(visitor, "KV_GET", keys=["r:1"])["st"] == 170
    assert ask(visitor, "SV_AUTH", user="reader", password="read")["st"] == 1
    assert ask(visitor, "KV_GET", keys=["r:1"]).get("st", 1) != 171


def test_a_confined_user_begins_nowhere(open_port: Open) -> None:
    port = open_port()
    session = port.house.store.sessions.open_new("kiosk-1", shared=False)
    visitor = websocket(port, "kiosk", "kiosk")
    assert ask(visitor, "KV_SET", keys={"a": 1})["st"] != 1
    assert ask(visitor, "SH_ENTER", tkn=session.token)["st"] == 1
    assert ask(visitor, "KV_SET", keys={"a": 1})["st"] == 1
    assert b"a" in session.keyspace.data


# ---------------------------------------------------------------- failed log-ins


def test_failed_log_ins_are_in_the_log(open_port: Open) -> None:
    port = open_port(requirepass="secret")
    api = Api(port)
    api.visitor = port.connect(REMOTE)
    api.get("/metrics", Authorization=basic("looker", "a wrong pass phrase"))
    [entry] = port.house.server.users.log.entries
    assert (entry.reason, entry.context, entry.name, entry.user) == ("auth", "toplevel", b"HTTP", "looker")
    assert entry.client == b"addr=192.0.2.1:5000 laddr=127.0.0.1:6379"
    assert "pass phrase" not in str(port.house.connect()("AUTH", "secret"))
    stats = port.house.server.accounts.stats
    assert (stats.login_failures, stats.denied) == (1, {"auth": 1})


def test_requests_without_credentials_are_no_failures(open_port: Open) -> None:
    port = open_port(requirepass="secret")
    api = Api(port)
    for path in ("/metrics", "/api/server", "/api/metrics", "/api/v1/timeseries/s/events"):
        assert api.get(path).status == 401
    assert port.house.server.accounts.stats.login_failures == 0


SLOWED = [
    pytest.param("GET", "/metrics", id="metrics"),
    pytest.param("GET", "/api/server", id="page"),
    pytest.param("GET", "/api/metrics", id="Timely"),
    pytest.param("GET", "/api/v1/timeseries/s/events", id="Ditto"),
]


@pytest.mark.parametrize(("method", "path"), SLOWED)
def test_failed_log_ins_are_slowed(open_port: Open, method: str, path: str) -> None:
    port = open_port(requirepass="secret", max_login_failures_per_address=3)
    api = Api(port)

    def get(header: str, peer: tuple[str, int] = REMOTE) -> Any:
        api.visitor = port.connect(peer)
        return api.ask(method, path, Authorization=header)

    for _ in range(3):
        assert get("Bearer wrong").status == 401
    answer = get("Bearer secret")
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert "too many log-ins of this address have failed" in answer.text
    assert get("Bearer secret", ("192.0.2.2", 5000)).status == 200
    port.house.clock.advance(1000)
    assert get("Bearer secret").status == 200
    stats = port.house.server.accounts.stats
    assert (stats.login_failures, stats.logins_slowed) == (3, 1)
    text = get("Bearer secret").text if path == "/metrics" else ""
    assert "januskv_login_failures_total 3\n" in text or path != "/metrics"


def test_all_faces_count_together(open_port: Open) -> None:
    port = open_port(requirepass="secret", max_login_failures_per_address=5)
    api = Api(port)
    for path in ("/metrics", "/api/metrics", "/api/v1/timeseries/s/events"):
        api.visitor = port.connect(REMOTE)
        assert api.get(path, Authorization=basic("looker", "wrong")).status == 401
    api.visitor = port.connect(REMOTE)
    assert api.post("/login", {"username": "looker", "password": "wrong"}).status == 401
    assert port.connect(REMOTE).status(upgrade("Authorization: " + basic("looker", "wrong"))) == 401
    answer = read_answer(port.connect(REMOTE).send(upgrade("Authorization: Bearer secret")))
    assert answer is not None
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    api.visitor = port.connect(REMOTE)
    assert api.post("/login", {"username": "default", "password": "secret"}).status == 429
    assert b"WRONGPASS too many" in port.house.connect(REMOTE).send(b"AUTH secret\r\n")
