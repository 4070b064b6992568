"""The page for browsers: who gets which files, what they may load, and what the server tells about itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from januskv.browser import POLICY, page_files

from .http_port import HttpPort, request

BROWSER = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.fixture
def port() -> Iterator[HttpPort]:
    port = HttpPort()
    yield port
    port.close()


@pytest.fixture
def closed_port() -> Iterator[HttpPort]:
    port = HttpPort(requirepass="secret")
    yield port
    port.close()


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body


def test_browsers_get_the_page_and_others_json(port: HttpPort) -> None:
    status, headers, body = parts(port.connect().send(request("/", BROWSER)))
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>JanusKV</title>" in body
    assert headers["vary"].startswith("Accept")
    for accept in ((), ("Accept: */*",), ("Accept: application/json",)):
        assert json.loads(parts(port.connect().send(request("/", *accept)))[2])["server"] == "JanusKV"


@pytest.mark.parametrize("name", sorted(page_files()))
def test_every_file_is_served_with_the_policy(port: HttpPort, name: str) -> None:
    visitor = port.connect()
    status, headers, body = parts(visitor.send(request(f"/page/{name}")))
    assert (status, body) == (200, page_files()[name][0])
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    status, headers, body = parts(visitor.send(request(f"/page/{name}", f"If-None-Match: {headers['etag']}")))
    assert (status, body) == (304, b"")
    assert not visitor.closed


@pytest.mark.parametrize(
    "path", ["/page/", "/page/none.js", "/page/../pages.py", "/page/%2e%2e/pages.py", "/page/index.html/x"]
)
def test_nothing_else_is_served(port: HttpPort, path: str) -> None:
    assert port.connect().status(request(path)) in (400, 404)


def test_the_page_refers_to_its_own_files_only_and_has_no_inline_code() -> None:
    files = page_files()
    html = files["index.html"][0].decode()
    for found in re.findall(r'(?:src|href)="([^"]*)"', html):
        assert found.startswith("#") or found.removeprefix("/page/") in files, found
    assert not re.search(r"<style|style=| on[a-z]+=|<script>|javascript:", html)
    for name in ("page.js", "api.js", "explorer.js", "live.js", "plot.js", "server.js", "text.js"):
        script = files[name][0].decode()
        for found in re.findall(r'from "([^"]*)"', script):
            assert found.removeprefix("./") in files
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|https?://(?!www\.w3\.org)", script
        )
    for name in ("page.css", "uPlot.css"):
        assert b"@import" not in files[name][0]
        assert b"url(" not in files[name][0]


def test_each_field_has_a_label_and_each_id_is_there_once() -> None:
    html = page_files()["index.html"][0].decode()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    wrapped = set(re.findall(r'<label><input type="checkbox" id="([^"]+)"', html))
    labelled = set(re.findall(r'<label for="([^"]+)"', html)) | wrapped
    fields = set(re.findall(r'<(?:input|select) (?:type="checkbox" )?id="([^"]+)"', html))
    assert fields == labelled
    for script in ("page.js", "explorer.js", "server.js"):
        named = re.findall(r'element\("([^"]+)"\)', page_files()[script][0].decode())
        assert set(named) <= set(ids), script


# ---------------------------------------------------------------- what the server tells about itself


def overview(port: HttpPort, *headers: str) -> tuple[int, Any]:
    status, _, body = parts(port.connect().send(request("/api/server", *headers)))
    return status, json.loads(body)


def test_the_overview(port: HttpPort) -> None:
    wire = port.house.connect()
    wire.line("SET a 1 EX 100")
    wire.line("TS.ADD s 1000 1 LABELS __name__ cpu host a")
    wire.line("SELECT 3")
    wire.line("SET b 1")
    session = port.house.store.sessions.open_new("kiosk", shared=False, duration_s=60)
    session.renew(port.house.clock.now_ms)
    session.keyspace.put(b"c", b"1")
    status, found = overview(port)
    assert status == 200
    assert found["databases"] == [
        {"index": 0, "keys": 2, "series": 1, "expiring": 1},
        {"index": 3, "keys": 1, "series": 0, "expiring": 0},
    ]
    kiosk = {"name": "kiosk", "shared": False, "ends_in_s": 60, "keys": 1, "series": 0, "expiring": 0}
    assert found["sessions"] == {"open": 1, "keys": 1, "first": [kiosk]}
    assert found["metrics"]["names"] == 1
    assert found["clients"]["connected"] == 1
    assert found["keeps"] == "nothing"
    assert found["memory"]["used_bytes"] > 0


def test_sessions_are_listed_up_to_a_number_and_without_tokens(port: HttpPort) -> None:
    tokens = [port.house.store.sessions.open_new(f"s{number}", shared=False).token for number in range(60)]
    status, found = overview(port)
    assert (status, found["sessions"]["open"], len(found["sessions"]["first"])) == (200, 60, 50)
    text = json.dumps(found)
    assert not any(str(token) in text for token in tokens)


def test_the_overview_needs_the_password_or_a_session(closed_port: HttpPort) -> None:
    assert overview(closed_port)[0] == 401
    assert overview(closed_port, "Authorization: Bearer wrong")[0] == 401
    assert overview(closed_port, "Cookie: TSESSIONID=unknown")[0] == 401
    assert overview(closed_port, "Authorization: Bearer secret")[0] == 200
    session = closed_port.listener.timely.callers.login("default", "secret")
    assert overview(closed_port, f"Cookie: TSESSIONID={session}")[0] == 200
    closed_port.house.server.config.timely_anonymous = "yes"  # is about metrics only
    assert overview(closed_port)[0] == 401


def test_pages_of_any_origin_may_not_use_the_session_of_a_browser() -> None:
    port = HttpPort(requirepass="secret", http_allowed_origins="*")
    try:
        cookie = f"Cookie: TSESSIONID={port.listener.timely.callers.login('default', 'secret')}"
        assert overview(port, cookie)[0] == 200
        assert overview(port, cookie, "Origin: http://localhost:8379")[0] == 200
        assert overview(port, cookie, "Origin: https://elsewhere.example")[0] == 401
    finally:
        port.close()
