"""The conformance cases of Timely (timely.json) over TCP, UDP, HTTP and WebSocket, with anonymous access and without.

A case is a list of steps, each of which sends something and says what is to come back (specs: timely.md, section 20). The cases
write metrics of their own, so they run in any order on one server; those of a metric that is not there yet are asked again.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from januskv.app import App
from januskv.compat.server.config import Config

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "timely.json").read_text())

# Time in which something that must not come would have come: it would be there before the probe of the next step.
_QUIET_S = 0.05
_ANSWER_S = 8.0
_AGAIN_S = 0.05


def needs_login(case: dict[str, Any]) -> bool:
    return "anonymous=off" in case["note"]


def chosen(*, closed: bool) -> list[Any]:
    return [
        pytest.param(case, id=f"{number} {case['group']} {case['note']}")
        for number, case in enumerate(CASES)
        if needs_login(case) is closed
    ]


def test_no_case_is_left_out() -> None:
    assert len(chosen(closed=False)) + len(chosen(closed=True)) == len(CASES) >= 88


# ---------------------------------------------------------------- matching


def differs(expected: Any, actual: Any, at: str = "$", *, exact: bool = False) -> str | None:
    """Where an answer is not what a case describes; None if it is. ``exact``: an object has no other members."""
    match expected:
        case dict():
            if not isinstance(actual, dict) or (exact and set(expected) != set(actual)):
                return f"{at}: {actual!r} is not like {expected!r}"
            for name, member in expected.items():
                if name not in actual:
                    return f"{at}.{name} is missing in {actual!r}"
                whole = name in ("dps", "tags") and isinstance(member, dict)
                if (found := differs(member, actual[name], f"{at}.{name}", exact=whole)) is not None:
                    return found
            return None
        case list():
            left = list(actual) if isinstance(actual, list) else []
            for member in expected:
                place = next((i for i, each in enumerate(left) if differs(member, each) is None), None)
                if place is None:
                    return f"{at}: nothing like {member!r} in {actual!r}"
                del left[place]
            return None
        case bool() | None | str():
            same = expected == actual and type(expected) is type(actual)
        case _:
            number = isinstance(actual, int | float) and not isinstance(actual, bool)
            same = number and abs(actual - expected) <= 1e-9 * max(1, abs(expected))
    return None if same else f"{at}: {actual!r} is not {expected!r}"


def text_differs(expect: dict[str, Any], text: str) -> str | None:
    """Where the text of an answer is not what a step expects."""
    if "body_regex" in expect and not re.search(expect["body_regex"], text):
        return f"{expect['body_regex']!r} is not in {text[:300]!r}"
    if "json_subset" not in expect and "json_len" not in expect:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return f"no JSON: {text[:300]!r}"
    if "json_len" in expect and len(value) != expect["json_len"]:
        return f"{len(value)} elements, not {expect['json_len']}: {text[:300]}"
    return differs(expect["json_subset"], value) if "json_subset" in expect else None


def test_matching() -> None:
    assert differs({"a": [1, {"dps": {"1": 2.0}}]}, {"a": [{"dps": {"1": 2}}, 1, 5], "b": 1}) is None
    for expected, actual in (
        ({"a": 1}, {}),
        ({"tags": {}}, {"tags": {"host": "a"}}),
        ([1, 1], [1, 2]),
        (True, 1),
        (None, 0),
        (1.0, 1.1),
        ("1", 1),
        ([1], {}),
    ):
        assert differs(expected, actual) is not None
    assert text_differs({"json_len": 1}, "[1,2]") is not None
    assert text_differs({"json_subset": []}, "no") is not None
    assert text_differs({"body_regex": "^a"}, "ba") is not None


# ---------------------------------------------------------------- transports


class Run:
    """One case on one server: a connection for each transport, and what it has learned."""

    def __init__(self, app: App, session: aiohttp.ClientSession) -> None:
        process = app.server.process
        self.http_port, self.tcp_port, self.udp_port = process.http_port, process.timely_port, process.timely_udp_port
        self.session = session
        self.known: dict[str, str] = {}
        self.now_ms = int(time.time() * 1000)
        self.stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.socket: aiohttp.ClientWebSocketResponse | None = None

    async def run(self, case: dict[str, Any]) -> None:
        """Run the steps. Fails where an answer differs."""
        try:
            for number, step in enumerate(case["steps"]):
                send, expect = self.filled(step["send"]), self.filled(step["expect"])
                transport = send.get("transport") if isinstance(send, dict) else None
                does = {"http": self.http, "tcp": self.tcp, "udp": self.udp, "ws": self.ws}[
                    transport or case["transport"]
                ]
                found = await does(send, expect)
                assert found is None, f"step {number}: {found}"
        finally:
            if self.stream is not None:
                self.stream[1].close()
            if self.socket is not None:
                await self.socket.close()

    def filled(self, value: Any) -> Any:
        """A part of a case with what stands for its placeholders."""
        if isinstance(value, dict):
            return {name: self.filled(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.filled(member) for member in value]
        if not isinstance(value, str):
            return value

        def known(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("now_ms"):
                return str(self.now_ms + int(name[6:] or 0))
            return self.known.get(name, found[0])

        text = re.sub(r"\{\{([^}]+)\}\}", known, value)
        return int(text) if re.fullmatch(r"\{\{now_ms[^}]*\}\}", value) else text

    async def until_right(self, expect: dict[str, Any], attempt: Callable[[], Any]) -> str | None:
        """Try until the answer is right, or the time for that is over; what was wrong at last."""
        until = time.monotonic() + expect.get("retry_ms", 0) / 1000
        while (found := await attempt()) is not None and time.monotonic() < until:
            await asyncio.sleep(_AGAIN_S)
        assert found is None or isinstance(found, str)
        return found

    # ------------------------------------------------------------ HTTP

    async def http(self, send: dict[str, Any], expect: dict[str, Any]) -> str | None:
        return await self.until_right(expect, lambda: self.http_once(send, expect))

    async def http_once(self, send: dict[str, Any], expect: dict[str, Any]) -> str | None:
        url = URL(f"http://127.0.0.1:{self.http_port}{send['path']}", encoded=True)
        body = send.get("body")
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        async with self.session.request(
            send["method"], url, data=body, headers=send.get("headers") or {}, allow_redirects=False
        ) as response:
            text = await response.text()
            wanted = expect.get("status", response.status)
            if response.status not in (wanted if isinstance(wanted, list) else [wanted]):
                return f"status {response.status}: {text[:300]}"
            for name, pattern in expect.get("headers_subset", {}).items():
                if not re.search(pattern, response.headers.get(name, "")):
                    return f"header {name} is {response.headers.get(name)!r}"
            if "save_cookie" in expect:
                name = expect["save_cookie"]
                found = re.search(f"{name}=([^;]+)", response.headers.get("Set-Cookie", ""))
                if found is None:
                    return f"no cookie {name}"
                self.known[name] = found[1]
            return text_differs(expect, text)

    # ------------------------------------------------------------ TCP and UDP

    async def tcp(self, send: Any, expect: dict[str, Any]) -> str | None:
        if self.stream is None:
            self.stream = await asyncio.open_connection("127.0.0.1", self.tcp_port)
        reader, writer = self.stream
        writer.write(_bytes_of(send))
        await writer.drain()
        if "nothing_within_ms" in expect:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), _QUIET_S)
            return None
        text = b""
        while not re.search(expect["body_regex"], text.decode()):
            text += await asyncio.wait_for(reader.read(4096), _ANSWER_S)
        return None

    async def udp(self, send: Any, expect: dict[str, Any]) -> str | None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(_bytes_of(send), ("127.0.0.1", self.udp_port))
        return None

    # ------------------------------------------------------------ WebSocket

    async def ws(self, send: Any, expect: dict[str, Any]) -> str | None:
        if self.socket is None:
            url = f"ws://127.0.0.1:{self.http_port}/websocket"
            self.socket = await self.session.ws_connect(url, autoping=False)
        return await self.until_right(expect, lambda: self.ws_once(send, expect))

    async def ws_once(self, send: Any, expect: dict[str, Any]) -> str | None:
        assert self.socket is not None
        match send:
            case None:
                pass
            case {"raw_text": text}:
                await self.socket.send_str(text)
            case {"binary_hex": digits}:
                await self.socket.send_bytes(bytes.fromhex(digits))
            case {"ping": payload}:
                await self.socket.ping(payload.encode())
            case _:
                await self.socket.send_str(json.dumps(send))
        if "nothing_within_ms" in expect:
            with pytest.raises(TimeoutError):
                await self.received(_QUIET_S)
            return None
        if "subscription" in expect:
            return await self.subscribed(expect["subscription"], expect.get("timeout_ms", 30_000) / 1000)
        message = await self.received(expect.get("timeout_ms", _ANSWER_S * 1000) / 1000, pongs="pong" in expect)
        if "pong" in expect:
            right = message.type is aiohttp.WSMsgType.PONG and message.data == expect["pong"].encode()
        elif "close" in expect:
            reason = expect["close"].get("reason_regex", "")
            right = message.type is aiohttp.WSMsgType.CLOSE and message.data == expect["close"]["code"]
            right = right and re.search(reason, message.extra or "") is not None
        else:
            right = message.type is aiohttp.WSMsgType.TEXT
            return text_differs(expect, message.data) if right else f"received {message!r}"
        return None if right else f"received {message!r}"

    async def received(self, most_s: float, *, pongs: bool = False) -> Any:
        """The next message that is not a ping, or pong. Raises TimeoutError."""
        assert self.socket is not None
        async with asyncio.timeout(most_s):
            while True:
                message = await self.socket.receive()
                if message.type is aiohttp.WSMsgType.PING:
                    await self.socket.pong(message.data)
                elif pongs or message.type is not aiohttp.WSMsgType.PONG:
                    return message

    async def subscribed(self, expect: dict[str, Any], most_s: float) -> str | None:
        """Read batches until all points, and the end of them, have come."""
        missing, extra, complete = list(expect["points"]), [], None
        until = time.monotonic() + most_s
        while missing or ("complete" in expect and complete is None):
            message = await self.received(until - time.monotonic())
            if message.type is not aiohttp.WSMsgType.TEXT:
                return f"received {message!r}"
            for each in json.loads(message.data)["responses"]:
                if each.get("complete"):
                    complete = each
                    continue
                place = next((i for i, point in enumerate(missing) if differs(point, each) is None), None)
                if place is None:
                    extra.append(each)
                else:
                    del missing[place]
        if expect.get("exact") and extra:
            return f"too many points: {extra}"
        return differs(expect["complete"], complete) if "complete" in expect else None


def _bytes_of(send: Any) -> bytes:
    if isinstance(send, dict):
        return bytes.fromhex(send["hex"]) if "hex" in send else str(send["text"]).encode()
    return str(send).encode()


# ---------------------------------------------------------------- servers


class Served:
    """A server in this process, on ports of the kernel's choice, and a client of it."""

    def __init__(self, **config: Any) -> None:
        self.runner = asyncio.Runner()
        ports = {"port": -1, "http_port": -1, "timely_port": -1, "timely_udp_port": -1}
        self.app = App(
            Config(**{"bind": "127.0.0.1", "appendonly": False, "http_allowed_origins": "*", **ports, **config})
        )
        self.session = self.runner.run(self.open())

    async def open(self) -> aiohttp.ClientSession:
        await self.app.start()
        return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=["Accept"])

    def run(self, case: dict[str, Any]) -> None:
        self.runner.run(Run(self.app, self.session).run(case))

    def close(self) -> None:
        self.runner.run(self.session.close())
        self.runner.run(self.app.close())
        self.runner.close()


@pytest.fixture(scope="module")
def open_server() -> Iterator[Served]:
    """A server that answers everybody."""
    server = Served()
    yield server
    server.close()


@pytest.fixture(scope="module")
def closed_server() -> Iterator[Served]:
    """A server that answers nobody without a log-in, but takes points from everybody."""
    server = Served(
        requirepass="test1",
        timely_authorizations="test A,B,C; ops D",
        timely_anonymous="no",
        timely_anonymous_put="yes",
    )
    yield server
    server.close()


@pytest.mark.parametrize("case", chosen(closed=False))
def test_case(open_server: Served, case: dict[str, Any]) -> None:
    open_server.run(case)


@pytest.mark.parametrize("case", chosen(closed=True))
def test_case_of_users(closed_server: Served, case: dict[str, Any]) -> None:
    closed_server.run(case)
