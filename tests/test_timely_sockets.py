"""WebSockets of the Timely API with a real client and a real event loop, and what an upgrade brings along."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from januskv.app import App
from januskv.compat.server.config import Config
from januskv.resp import websocket as ws

from .compat.timely.sockets import frame, frames
from .http_port import HttpPort, upgrade

# Times of ten digits would be seconds.
T = 1_600_000_000_000
Scenario = Callable[[App, aiohttp.ClientSession], Awaitable[None]]


def served(scenario: Scenario, **config: Any) -> None:
    """Run something with a server and a client in one event loop."""

    async def run() -> None:
        ports = {"port": -1, "http_port": -1, "timely_port": -1}
        app = App(Config(**{"bind": "127.0.0.1", "appendonly": False, **ports, **config}))
        await app.start()
        try:
            async with aiohttp.ClientSession() as session, asyncio.timeout(60):
                await scenario(app, session)
        finally:
            await app.close()

    asyncio.run(run())


async def subscribed(app: App, session: aiohttp.ClientSession, metric: str, **more: Any) -> Any:
    """A socket that follows a metric."""
    socket = await session.ws_connect(f"ws://127.0.0.1:{app.server.process.http_port}/websocket")
    await socket.send_json({"operation": "create", "subscriptionId": "s"})
    await socket.send_json({"operation": "add", "subscriptionId": "s", "metric": metric, **more})
    return socket


async def points(socket: Any, count: int) -> list[tuple[str, int]]:
    """So many points that have come: host and time."""
    found: list[tuple[str, int]] = []
    while len(found) < count:
        for each in json.loads((await socket.receive()).data)["responses"]:
            found.append((each["tags"][0]["host"], each["timestamp"]))
    return found


def test_history_and_live_points_of_many_series() -> None:
    async def scenario(app: App, session: aiohttp.ClientSession) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", app.server.process.timely_port)

        def put(low: int, high: int) -> list[tuple[str, int]]:
            made = [(f"h{host}", T + time) for time in range(low, high) for host in range(50)]
            writer.write(b"".join(b"put cpu %d 1.5 host=%s\n" % (time, host.encode()) for host, time in made))
            return made

        expected = put(1, 101)
        await writer.drain()
        while app.server.accounts.stats.timely_points_received < 5000:
            await asyncio.sleep(0)
        first, second = (
            await subscribed(app, session, "cpu"),
            await subscribed(app, session, "cpu", tags={"host": "h7"}),
        )
        expected += put(101, 201)
        await writer.drain()
        assert sorted(await points(first, 10_000)) == sorted(expected)
        assert await points(second, 200) == [("h7", T + time) for time in range(1, 201)]
        await first.close()
        await second.close()
        writer.close()
        while app.server.clients:
            await asyncio.sleep(0)
        assert app.http.timely.subscriptions.following.by_metric == {}

    served(scenario)


def test_a_reader_that_stops_is_cut_off_and_others_are_not() -> None:
    async def scenario(app: App, session: aiohttp.ClientSession) -> None:
        app.config.set_text("client-output-buffer-limit", "pubsub 1mb 0 0")
        keyspace = app.server.store.databases[0]
        ingest = app.server.points
        ingest.take_lines(b"put cpu %d 1 host=a\n" % (T + 1))  # type: ignore[attr-defined]
        slow, quick = await subscribed(app, session, "cpu"), await subscribed(app, session, "cpu")
        assert await points(quick, 1) == [("a", T + 1)]
        assert await points(slow, 1) == [("a", T + 1)]
        slow._response.connection.transport.pause_reading()
        taken, last = 0, 1
        while len(app.server.clients) > 1 and last < 3_000_000:
            block = b"".join(b"put cpu %d 1 host=a\n" % (T + time) for time in range(last + 1, last + 1001))
            ingest.take_lines(block)  # type: ignore[attr-defined]
            last += 1000
            while taken < last - 1:
                taken += len(await points(quick, 1))
            app.server.upkeep.close_lingering(app.server.store.clock.now_ms + 10_000)
        assert len(app.server.clients) == 1
        assert app.server.accounts.stats.client_output_buffer_limit_disconnections == 1
        assert len(keyspace) == 1
        await quick.close()
        slow._response.close()

    served(scenario)


def test_a_collector_and_a_query_are_served_while_history_is_read() -> None:
    async def scenario(app: App, session: aiohttp.ClientSession) -> None:
        ingest = app.server.points
        for host in range(20):
            lines = b"".join(b"put cpu %d 1 host=h%d\n" % (T + time, host) for time in range(1, 10_001))
            ingest.take_lines(lines)  # type: ignore[attr-defined]
        socket = await subscribed(app, session, "cpu")
        reader, writer = await asyncio.open_connection("127.0.0.1", app.server.process.tcp_port)
        pings, reading = 0, asyncio.create_task(points(socket, 200_000))
        while not reading.done():
            began = time.perf_counter()
            writer.write(b"PING\r\n")
            assert await reader.readexactly(7) == b"+PONG\r\n"
            assert time.perf_counter() - began < 2
            pings += 1
        assert pings > 20
        assert len(await reading) == 200_000
        writer.close()

    served(scenario)


# ---------------------------------------------------------------- what an upgrade brings along


def reply(port: HttpPort, *headers: str, operation: bytes = b'{"operation":"aggregators"}') -> tuple[int, bytes]:
    """The reply to a request over a WebSocket that was asked for with some headers."""
    visitor = port.connect()
    assert visitor.status(upgrade(*headers, target="/websocket")) == 101
    found = frames(visitor.send(frame(ws.TEXT, operation)))
    assert len(found) == 1
    visitor.transport.lose()
    return found[0]


@pytest.mark.parametrize(
    ("origin", "listed", "trusted"),
    [
        pytest.param(None, "", True, id="no page"),
        pytest.param("http://localhost:8379", "", True, id="its own page"),
        pytest.param("https://app.example", "https://app.example", True, id="a page that is listed"),
        pytest.param("https://app.example", "https://app.example *", True, id="one that is listed by name"),
        pytest.param("https://other.example", "https://app.example *", False, id="one of any origin"),
    ],
)
def test_the_cookie_of_the_upgrade_is_the_session(origin: str | None, listed: str, trusted: bool) -> None:
    port = HttpPort(requirepass="secret", http_allowed_origins=listed)
    try:
        session = port.listener.timely.callers.login("default", "secret")
        headers = [f"Cookie: theme=dark; TSESSIONID={session}", *([] if origin is None else [f"Origin: {origin}"])]
        opcode, payload = reply(port, *headers)
        assert (opcode, payload[:2]) == ((ws.TEXT, b'["') if trusted else (ws.CLOSE, b"\x03\xf0"))
    finally:
        port.close()


def test_the_authorization_of_the_upgrade_counts() -> None:
    port = HttpPort(requirepass="secret")
    try:
        assert reply(port, "Authorization: Bearer secret")[0] == ws.TEXT
        assert reply(port) == (ws.CLOSE, b"\x03\xf0User must authenticate")
        assert reply(port, "Authorization: Bearer wrong") == (ws.CLOSE, b"\x03\xf0User must authenticate")
        assert port.connect().status(upgrade("Origin: https://evil.example", target="/websocket")) == 403
    finally:
        port.close()
