"""Users of restricted rights in the Ditto API: log-in, keys that belong to users, what they may read, write and delete."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from januskv.compat.server.parameters import ConfigError

from .http_api import Api
from .http_port import open_ports

Open = Callable[..., Api]
STORE = "/api/v4/store/write"
USERS = (
    "reader on >read %R~s* +TS_GET",
    "writer on >write ~s* +@timeseries",
    "sender on >send %W~s* +TS_ADD_EVT",
    "mute on >mute ~* +@all -@timeseries",
    "kiosk on >kiosk ~* +@all session:*",
    "off off >off ~* +@all",
)


@pytest.fixture
def open_api() -> Iterator[Open]:
    with open_ports() as open_port:

        def opened(**config: Any) -> Api:
            port = open_port(**config)
            for line in USERS:
                set_user(port.house, *line.split())
            return Api(port)

        yield opened


KEYS = json.dumps({"own": {"read": {"everything": True}}})


@pytest.fixture(params=[{}, {"requirepass": "secret"}, {"ditto_api_keys": KEYS}], ids=["open", "locked", "keys"])
def api(request: pytest.FixtureRequest, open_api: Open) -> Api:
    return open_api(**request.param)


def set_user(house: Any, name: str, *rules: str) -> None:
    house.server.users.set(name, [rule.encode() for rule in rules])


PASSWORDS = {"reader": "read", "writer": "write", "sender": "send"}


def basic(user: str, password: str = "") -> dict[str, str]:
    pair = f"{user}:{password or PASSWORDS.get(user, user)}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def line(second: int) -> str:
    return json.dumps({"_time": f"2023-03-05T08:00:{second:02}Z", "n": second}) + "\n"


def events(series: str) -> str:
    return f"/api/v1/timeseries/{series}/events"


def statuses(api: Api, series: str, headers: dict[str, str]) -> dict[str, int]:
    """How the operations on a series end."""
    indexes = f"/api/v1/timeseries/{series}/indexes"
    distinct = f"/api/v2/timeseries/{series}/distinct_values"
    document = {"method": "upsert", "collection": "__timeseries", "id": series, "value": {"a": 1}}
    return {
        "insert": api.post(events(series), line(1), **headers).status,
        "document": api.post(STORE, {"commands": [document]}, **headers).status,
        "index": api.post(indexes, {"path": "n"}, **headers).status,
        "unindex": api.ask("DELETE", indexes, {"path": "n"}, **headers).status,
        "delete": api.ask("DELETE", events(series) + "?start=2023-01-01T00:00:00Z", **headers).status,
        "query": api.get(events(series), **headers).status,
        "distinct": api.post(distinct, {"paths": ["n"]}, **headers).status,
        "indexes": api.get(indexes, **headers).status,
    }


READS = ("query", "distinct", "indexes")
WRITES = ("insert", "document", "index", "unindex", "delete")


@pytest.mark.parametrize(
    ("user", "series", "allowed"),
    [
        ("reader", "s1", READS),
        ("reader", "t", ()),
        ("writer", "s1", READS + WRITES),
        ("writer", "t", ()),
        ("sender", "s1", tuple(name for name in WRITES if name != "delete")),
        ("mute", "s1", ()),
        ("kiosk", "s1", ()),
    ],
)
def test_what_users_may_do(api: Api, user: str, series: str, allowed: tuple[str, ...]) -> None:
    found = statuses(api, series, basic(user))
    assert {name: status for name, status in found.items() if status != 403} == dict.fromkeys(allowed, 200)
    assert statuses(api, series, bearer(f"{user}:{PASSWORDS.get(user, user)}")) == found


@pytest.mark.parametrize(
    "headers",
    [
        basic("reader", "wrong"),
        basic("off"),
        basic("nobody", "read"),
        bearer("reader:wrong"),
        bearer("off:off"),
        bearer("reader:"),
    ],
)
def test_wrong_credentials(open_api: Open, headers: dict[str, str]) -> None:
    for config in ({"requirepass": "secret"}, {"ditto_api_keys": KEYS}):
        api = open_api(**config)
        assert api.get(events("s1"), **headers).status == 401
        assert api.post(events("s1"), line(1), **headers).status == 401
        entry = api.port.house.server.users.log.entries[0]
        assert (entry.reason, entry.name, entry.count) == ("auth", b"DITTO", 2)
        assert entry.user in ("reader", "off", "nobody")


def test_wrong_credentials_on_an_open_server(open_api: Open) -> None:
    api = open_api()
    assert api.get(events("s1"), **basic("reader", "wrong")).status == 401
    assert api.get(events("s1"), **basic("nobody", "x")).status == 401
    assert api.get(events("s1"), **bearer("whatever")).status == 200


def test_changes_count_at_once(open_api: Open) -> None:
    api = open_api(requirepass="secret")
    for rules, status in ((("resetkeys",), 403), (("%R~s1",), 200), (("-TS_GET",), 403), (("off",), 401)):
        set_user(api.port.house, "reader", *rules)
        assert api.get(events("s1"), **basic("reader")).status == status


def test_what_is_denied_is_in_the_log(open_api: Open) -> None:
    api = open_api()
    assert api.get(events("t"), **basic("reader")).status == 403
    [entry] = api.port.house.server.users.log.entries
    assert (entry.reason, entry.name, entry.user) == ("key", b"t", "reader")
    assert entry.client.startswith(b"addr=127.0.0.1:")


def test_the_default_user_s_rights_are_those_of_requests_without_a_log_in(open_api: Open) -> None:
    api = open_api()
    set_user(api.port.house, "default", "resetkeys", "%R~s1")
    assert api.get(events("s1")).status == 200
    assert api.get(events("s2")).status == 403
    assert api.post(events("s1"), line(1)).status == 403
    set_user(api.port.house, "default", "session:kiosk")
    assert api.get(events("s1")).status == 403


def test_the_password_brings_the_default_user_s_rights(open_api: Open) -> None:
    api = open_api(requirepass="secret")
    set_user(api.port.house, "default", "resetkeys", "%R~s1")
    for headers in (bearer("secret"), basic("default", "secret")):
        assert api.get(events("s1"), **headers).status == 200
        assert api.get(events("s2"), **headers).status == 403


# ---------------------------------------------------------------- keys


OF_USERS = {
    "all-of-writer": {"user": "writer"},
    "some-of-writer": {"user": "writer", "read": {"timeseries": ["s1", "t"]}, "write": {"timeseries": ["s2"]}},
    "of-off": {"user": "off"},
    "of-nobody": {"user": "nobody", "read": {"everything": True}},
    "of-kiosk": {"user": "kiosk"},
    "own": {"read": {"everything": True}},
}


@pytest.mark.parametrize("in_file", [True, False])
def test_keys_of_users(open_api: Open, tmp_path: Path, in_file: bool) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(OF_USERS))
    api = open_api(**({"ditto_api_keys_file": str(path)} if in_file else {"ditto_api_keys": json.dumps(OF_USERS)}))

    def get(key: str, series: str) -> int:
        return api.get(events(series), **bearer(key)).status

    def post(key: str, series: str) -> int:
        return api.post(events(series), line(1), **bearer(key)).status

    assert (get("all-of-writer", "s1"), post("all-of-writer", "s1"), get("all-of-writer", "t")) == (200, 200, 403)
    assert (get("some-of-writer", "s1"), get("some-of-writer", "s2"), get("some-of-writer", "t")) == (200, 403, 403)
    assert (post("some-of-writer", "s1"), post("some-of-writer", "s2")) == (403, 200)
    assert (get("of-off", "s1"), get("of-nobody", "s1"), get("of-kiosk", "s1")) == (401, 401, 403)
    assert (get("own", "t"), post("own", "t")) == (200, 403)
    set_user(api.port.house, "writer", "-TS_DEL_EVT")
    target = events("s2") + "?start=2023-01-01T00:00:00Z"
    assert api.ask("DELETE", target, **bearer("some-of-writer")).status == 403
    set_user(api.port.house, "writer", "off")
    assert get("all-of-writer", "s1") == 401


@pytest.mark.parametrize("key", [{"user": 1}, {"user": ""}, {"user": "a", "typo": {}}, {"user": "a", "read": []}])
def test_bad_keys_of_users(key: dict[str, Any]) -> None:
    from januskv.compat.server.config import Config

    with pytest.raises(ConfigError, match="key 1"):
        Config().set_text("ditto-api-keys", json.dumps({"k": key}))
