"""Users of restricted rights in the Timely API: log-in, sessions, what they may read and store, subscriptions, lines."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from januskv.compat.server.access import Visitor
from januskv.compat.server.client import Peer
from januskv.compat.timely.connection import TimelyConnection
from januskv.compat.timely.datagrams import Datagrams
from januskv.compat.timely.websocket import TimelyWebSocket

from .compat.timely.sockets import Socket, TimelyHouse, frames
from .conftest import FakeTransport
from .http_port import open_ports
from .timely_api import Api, T

Open = Callable[..., Api]

USERS = (
    "reader on >read %R~cpu{host=a* +TS.MRANGE",
    "all on >all ~* +@timeseries",
    "sender on >send %W~cpu{* +TS.ADD",
    "keyless on >keyless +@all",
    "mute on >mute ~* +@all -@timeseries",
    "kiosk on >kiosk ~* +@all session:*",
    "test on >own ~* +@all",
)


@pytest.fixture
def open_api() -> Iterator[Open]:
    with open_ports() as open_port:

        def opened(**config: Any) -> Api:
            port = open_port(**config)
            for line in USERS:
                set_user(port.house, *line.split())
            api = Api(port)
            api.put_lines(
                f"cpu {T} 1 host=a1 rack=r1",
                f"cpu {T} 2 host=a2 rack=r1",
                f"cpu {T} 4 host=b1 rack=r2",
                f"mem {T} 8 host=a1 size=big",
                f"cpu {T} 16 host=a3 viz=A",
            )
            return api

        yield opened


@pytest.fixture(params=["", "secret"], ids=["open", "locked"])
def api(request: pytest.FixtureRequest, open_api: Open) -> Api:
    return open_api(requirepass=request.param, timely_authorizations="test A; legacy A")


def set_user(house: Any, name: str, *rules: str) -> None:
    house.server.users.set(name, [rule.encode() for rule in rules])


def basic(user: str, password: str = "") -> dict[str, str]:
    pair = f"{user}:{password or {'reader': 'read', 'sender': 'send', 'test': 'own'}.get(user, user)}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def query(api: Api, metric: str = "cpu", **headers: str) -> Any:
    asked = {"start": T, "end": T + 1, "queries": [{"metric": metric, "tags": {"host": ".*"}}]}
    return api.post("/api/query", asked, **headers)


def hosts(api: Api, metric: str = "cpu", **headers: str) -> set[str]:
    answer = query(api, metric, **headers)
    assert answer.status == 200, answer
    return {each["tags"]["host"] for each in answer.json}


def cookie_of(api: Api, user: str, password: str) -> dict[str, str]:
    answer = api.post("/login", {"username": user, "password": password})
    assert answer.status == 200, answer
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


# ---------------------------------------------------------------- log-in


def test_users_log_in_with_their_own_passwords(api: Api) -> None:
    assert hosts(api, **cookie_of(api, "all", "all")) == {"a1", "a2", "b1"}
    for user, password in (("all", "secret"), ("test", "secret"), ("reader", "own"), ("nobody", "secret")):
        assert api.post("/login", {"username": user, "password": password}).status == 401
        assert query(api, **basic(user, password)).status == 401
    entry = api.port.house.server.users.log.entries[0]
    assert (entry.reason, entry.name, entry.user) == ("auth", b"TIMELY", "nobody")


def test_authorizations_belong_to_users_of_the_table(api: Api) -> None:
    assert hosts(api, **basic("test")) == {"a1", "a2", "a3", "b1"}
    assert hosts(api, **cookie_of(api, "test", "own")) == {"a1", "a2", "a3", "b1"}


def test_who_is_in_the_table_only_has_the_default_user_s_password_and_rights(open_api: Open) -> None:
    api = open_api(requirepass="secret", timely_authorizations="legacy A")
    cookie = cookie_of(api, "legacy", "secret")
    assert hosts(api, **cookie) == {"a1", "a2", "a3", "b1"}
    set_user(api.port.house, "default", "resetkeys", "%R~cpu{host=a3*")
    cookie = cookie_of(api, "legacy", "secret")
    assert hosts(api, **cookie) == {"a3"}
    set_user(api.port.house, "legacy", "on", ">other", "~*", "+@all")
    assert query(api, **cookie).status == 401
    assert api.post("/login", {"username": "legacy", "password": "secret"}).status == 401


@pytest.mark.parametrize("change", [("off",), (">other",), ("resetpass",), ("nopass",)])
def test_a_session_ends_with_what_it_stands_on(open_api: Open, change: tuple[str, ...]) -> None:
    api = open_api(requirepass="secret")
    cookie, other = cookie_of(api, "all", "all"), cookie_of(api, "test", "own")
    assert hosts(api, **cookie)
    set_user(api.port.house, "all", *change)
    assert query(api, **cookie).status == 401
    assert hosts(api, **other)


def test_a_session_ends_with_its_user(open_api: Open) -> None:
    api = open_api(requirepass="secret")
    cookie = cookie_of(api, "all", "all")
    api.port.house.server.users.remove(["all"])
    set_user(api.port.house, "all", "on", ">all", "~*", "+@all")
    assert query(api, **cookie).status == 401


def test_rights_of_a_session_change_at_once(open_api: Open) -> None:
    api = open_api(requirepass="secret")
    cookie = cookie_of(api, "all", "all")
    set_user(api.port.house, "all", "resetkeys", "~cpu{host=b1*")
    assert hosts(api, **cookie) == {"b1"}
    set_user(api.port.house, "all", "-TS.MRANGE")
    assert query(api, **cookie).status == 403


# ---------------------------------------------------------------- reading


def test_series_that_may_not_be_read_are_left_out(api: Api) -> None:
    user = basic("reader")
    assert hosts(api, **user) == {"a1", "a2"}
    for metric in ("mem", "nosuch"):
        answer = query(api, metric, **user)
        assert (answer.status, answer.json["message"]) == (400, "No matching tags")
    other = {"start": T, "end": T + 1, "queries": [{"metric": "cpu", "tags": {"host": "b1"}}]}
    hidden = api.post("/api/query", other, **user)
    other["queries"] = [{"metric": "cpu", "tags": {"host": "nosuch"}}]
    missing = api.post("/api/query", other, **user)
    assert (hidden.status, hidden.body) == (missing.status, missing.body)


def test_names_that_may_not_be_read_are_left_out(api: Api) -> None:
    user = basic("reader")
    assert api.get("/api/suggest?type=metrics", **user).json == ["cpu"]
    assert api.get("/api/suggest?type=tagk&m=cpu", **user).json == ["host", "rack"]
    assert api.get("/api/suggest?type=tagk&m=mem", **user).json == []
    assert api.get("/api/suggest?type=tagv&m=cpu&t=rack", **user).json == ["r1"]
    assert api.get("/api/suggest?type=tagk&q=s", **user).json == []
    assert api.get("/api/search/lookup?m=mem", **user).json["totalResults"] == 0
    found = api.get("/api/search/lookup?m=cpu", **user).json["results"]
    assert [each["tags"] for each in found] == [{"host": "a1"}, {"host": "a2"}, {"host": "a3"}, {"rack": "r1"}]
    listed = api.get("/api/metrics", Accept="application/json", **user).json["metrics"]
    assert [each["metric"] for each in listed] == ["cpu"]
    assert {"key": "host", "value": "b1"} not in listed[0]["tags"]
    assert api.get("/api/cache", **user).json["metrics"] == ["cpu"]
    assert api.get("/api/cache", **basic("all")).json["metrics"] == ["cpu", "mem"]


READS = [
    "/api/suggest?type=metrics",
    "/api/suggest?type=tagv&m=cpu&t=host",
    "/api/search/lookup?m=cpu",
    f"/api/query?start={T}&m=none:cpu",
    "/api/metrics",
    "/api/cache",
]


@pytest.mark.parametrize("target", READS)
@pytest.mark.parametrize("user", ["sender", "mute", "kiosk"])
def test_reading_without_the_right(api: Api, target: str, user: str) -> None:
    answer = api.get(target, **basic(user))
    assert answer.status == 403
    wanted = "confined to sessions" if user == "kiosk" else "no permissions to run the 'ts.mrange' command"
    assert wanted in answer.json["message"]


def test_a_user_without_keys_finds_nothing(api: Api) -> None:
    user = basic("keyless")
    assert query(api, **user).status == 400
    assert api.get("/api/suggest?type=metrics", **user).json == []


def test_what_tells_nothing_needs_no_right(api: Api) -> None:
    for path in ("/version", "/api/aggregators", "/api/config", "/api/version"):
        assert api.get(path, **basic("mute")).status == 200


# ---------------------------------------------------------------- storing


def point(metric: str = "cpu", host: str = "z") -> dict[str, Any]:
    return {"metric": metric, "timestamp": T, "value": 1, "tags": {"host": host}}


def keys(api: Api) -> set[bytes]:
    return set(api.port.house.store.databases[0].data)


def test_points_need_the_right_to_write_their_series(api: Api) -> None:
    user = basic("sender")
    assert api.post("/api/put", point(), **user).status == 204
    answer = api.post("/api/put", point("mem"), **user)
    assert (answer.status, answer.json["message"]) == (403, "their sender may not write this series")
    answer = api.post("/api/put?details", [point("mem"), point(host="y")], **user)
    assert (answer.status, answer.json["success"], answer.json["failed"]) == (400, 1, 1)
    assert {b"cpu{host=z}", b"cpu{host=y}"} <= keys(api)
    assert b"mem{host=z}" not in keys(api)
    [entry] = api.port.house.server.users.log.entries
    assert (entry.reason, entry.name, entry.user, entry.count) == ("key", b"mem{host=z}", "sender", 2)


@pytest.mark.parametrize("user", ["reader", "mute", "kiosk", "keyless"])
def test_storing_without_the_right(api: Api, user: str) -> None:
    before = keys(api)
    assert api.post("/api/put", point(), **basic(user)).status == 403
    assert keys(api) == before


# ---------------------------------------------------------------- anonymous access


def test_anonymous_requests_have_the_default_user_s_rights(open_api: Open) -> None:
    api = open_api()
    set_user(api.port.house, "default", "resetkeys", "%R~cpu{host=a1*", "%W~new{*")
    assert hosts(api) == {"a1"}
    assert api.post("/api/put", point()).status == 403
    assert api.post("/api/put", point("new")).status == 204
    set_user(api.port.house, "default", "-@timeseries")
    assert query(api).status == 403
    assert api.post("/api/put", point("new")).status == 403
    assert hosts(api, **basic("all")) == {"a1", "a2", "b1"}


def test_lines_have_the_rights_of_their_sender(open_api: Open) -> None:
    api = open_api(requirepass="secret")
    house = api.port.house
    wire = house.connect()
    line = f"put cpu {T} 1 host=line\nput mem {T} 1 host=line\n".encode()
    wire.send(line)
    assert b"cpu{host=line}" not in keys(api)
    wire("AUTH", "sender", "send")
    wire.send(line)
    assert b"cpu{host=line}" in keys(api)
    assert b"mem{host=line}" not in keys(api)
    refused = house.server.accounts.stats.timely_lines_refused
    set_user(house, "sender", "-TS.ADD")
    wire.send(line)
    assert house.server.accounts.stats.timely_lines_refused == refused + 2
    entry = house.server.users.log.entries[0]
    assert (entry.reason, entry.name, entry.user, entry.count) == ("command", b"ts.add", "sender", 2)
    assert b"user=sender" in entry.client
    wire("AUTH", "kiosk", "kiosk")
    wire.send(line)
    assert house.server.accounts.stats.timely_lines_refused == refused + 4
    wire("AUTH", "secret")
    wire.send(line)
    assert b"mem{host=line}" in keys(api)


def test_lines_on_timely_s_own_port_have_the_default_user_s_rights(open_api: Open) -> None:
    api = open_api()
    house = api.port.house
    connection = TimelyConnection(house.server, house.ingest)
    connection.connection_made(FakeTransport())
    set_user(house, "default", "resetkeys", "~cpu{*")
    line = f"put cpu {T} 1 host=NAME\nput mem {T} 1 host=NAME\n"
    connection.data_received(line.replace("NAME", "own").encode())
    Datagrams(house.ingest).take(line.replace("NAME", "udp").encode(), ("127.0.0.1", 5))
    assert {b"cpu{host=own}", b"cpu{host=udp}"} <= keys(api)
    assert not {b"mem{host=own}", b"mem{host=udp}"} & keys(api)


# ---------------------------------------------------------------- subscriptions


@pytest.fixture
def house() -> TimelyHouse:
    house = TimelyHouse(timely_subscription_delay=0, requirepass="secret")
    for line in USERS:
        set_user(house, *line.split())
    for host in ("a1", "b1"):
        house.put("cpu", 1000, 1.0, host=host)
    return house


def subscribed(house: TimelyHouse, user: str, metric: str = "cpu") -> Any:
    socket = house.socket(None, basic(user)["Authorization"])
    socket("create", subscriptionId="s")
    return socket, socket("add", subscriptionId="s", metric=metric)


def test_a_subscription_has_what_its_user_may_read(house: TimelyHouse) -> None:
    socket, found = subscribed(house, "reader")
    assert [each["tags"] for each in found["responses"]] == [[{"host": "a1"}]]
    for host in ("a2", "b2", "b1"):
        house.put("cpu", 2000, 1.0, host=host)
    assert [each["tags"] for each in socket.points()] == [[{"host": "a2"}]]
    house.check()


def test_a_renamed_series_is_followed_as_long_as_it_may_be_read(house: TimelyHouse) -> None:
    socket, _ = subscribed(house, "reader")
    wire = house.connect()
    wire("AUTH", "secret")
    wire("RENAME", "cpu{host=a1}", "hidden")
    wire("TS.ADD", "hidden", 3000, 1)
    assert socket.points() == []
    wire("RENAME", "hidden", "cpu{host=a9}")
    assert [each["timestamp"] for each in socket.points()] == [1000, 3000]
    house.check()


@pytest.mark.parametrize("change", [("off",), ("resetkeys",), (">more",), None])
def test_a_subscription_ends_with_a_change_of_its_user(house: TimelyHouse, change: tuple[str, ...] | None) -> None:
    socket, _ = subscribed(house, "reader")
    if change is None:
        house.server.users.remove(["reader"])
    else:
        set_user(house, "reader", *change)
    house.put("cpu", 2000, 1.0, host="a1")
    house.run_timers()
    [(opcode, payload)] = frames(socket.transport.written)
    assert (opcode, payload[2:]) == (8, b"the user of a subscription of this socket has changed")
    house.check()


@pytest.mark.parametrize("user", ["sender", "kiosk", "mute"])
def test_a_subscription_without_the_right(house: TimelyHouse, user: str) -> None:
    _, found = subscribed(house, user)
    assert found[0] == 1008
    house.check()


# ---------------------------------------------------------------- WebSockets


def socket_of(house: TimelyHouse, authorization: str | None, visitor: Visitor) -> Socket:
    socket = house.socket()
    socket.connection = TimelyWebSocket(house.face, None, authorization, visitor)
    socket.connection.connection_made(socket.transport)
    return socket


def test_log_ins_over_a_websocket_are_slowed() -> None:
    house = TimelyHouse(requirepass="secret", max_login_failures_per_address=2)
    visitor = Visitor(Peer("192.0.2.1:5000"))
    for _ in range(2):
        assert socket_of(house, "Bearer wrong", visitor)("aggregators") == (1008, "User must authenticate")
    slowed = (1008, "too many log-ins of this address have failed, try again later")
    assert socket_of(house, "Bearer secret", visitor)("aggregators") == slowed
    house.clock.advance(1000)
    assert "sum" in socket_of(house, "Bearer secret", visitor)("aggregators")


def test_a_websocket_with_a_certificate(house: TimelyHouse) -> None:
    socket = socket_of(house, None, Visitor(Peer("192.0.2.1:5000"), "reader"))
    assert socket("suggest", type="tagv", m="cpu", t="host") == ["a1"]
    set_user(house, "reader", "off")
    assert socket("suggest", type="tagv", m="cpu", t="host") == (1008, "User must authenticate")


def test_points_over_a_websocket_need_the_right(house: TimelyHouse) -> None:
    socket = house.socket(None, basic("sender")["Authorization"])
    document = {"timestamp": 5000, "value": 1, "tags": [{"host": "z"}]}
    assert socket("put", metric="cpu", **document) is None
    assert b"cpu{host=z}" in house.store.databases[0].data
    assert socket("put", metric="mem", **document) == (1008, "their sender may not write this series")
