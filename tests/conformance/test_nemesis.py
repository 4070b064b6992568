"""The conformance cases of the native JSON commands (nemesis.json), through every listener.

The cases were written for a server that runs in one of three modes (kv, kv_sessions, ts) at a time. Ours
serves all of them in one process; ``contradiction`` says which cases cannot hold for such a server.
Waiting is done by moving the clock. Each case begins with an empty server.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from januskv.commands.status import TIME_SERIES
from januskv.compat.commands import build_table
from januskv.compat.native.websocket import WebSocketConnection
from januskv.resp import websocket as ws
from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import OK
from januskv.statuses import OF_ALL, OF_ALL_SERIES, of_command

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "nemesis.json").read_text())
KNOWN = frozenset(build_table().native)
# Changes nothing and is always answered: whatever else was to come has come before its reply.
PROBE = {"SH_EXISTS": {"tkns": []}}

QUIET = "quiet"


# ---------------------------------------------------------------- which cases apply


def messages(case: dict[str, Any]) -> Iterator[tuple[str, Any, object]]:
    """Command, body and expected status of the steps that send a command."""
    for step in case["steps"]:
        sent = step.get("send")
        if "send_raw" in step:
            try:
                sent = json.loads(step["send_raw"])
            except ValueError:
                continue
        if isinstance(sent, dict) and sent:
            name = next(iter(sent))
            expected = next(iter(step["expect"].values())) if len(step["expect"]) == 1 else None
            yield name, sent[name], expected.get("st") if isinstance(expected, dict) else None


def contradiction(case: dict[str, Any], *, sessions_required: bool = False) -> str | None:
    """Why a case cannot hold for this server; None if it can."""
    mode, _, variant = case["mode"].partition("+")
    if case["basis"] == "quirk":
        return "a quirk of the original"
    if variant:
        return "saving can be switched off"
    if mode == "ts":
        if not all(name.startswith("TS_") for name, _, _ in messages(case)) or not list(messages(case)):
            return "the original answers in the style of its mode, ours in that of the command"
    if mode == "kv" and sessions_required:
        return "sessions are mandatory here"
    for name, body, status in messages(case):
        if mode != "ts" and name.startswith("TS_"):
            return "the original answers in the style of its mode, ours in that of the command"
        if status == 10 and name in KNOWN:
            return "unknown in that mode only"
        if name.startswith("KV_") and isinstance(body, dict):
            if mode == "kv" and "tkn" in body:
                return "a token is ignored in that mode only"
            if mode == "kv_sessions" and "tkn" not in body and status == 101 and not sessions_required:
                return "a token may be left out here"
    return None


def chosen(**how: bool) -> list[Any]:
    return [
        pytest.param(case, id=f"{number} {case['group']} {case['note']}")
        for number, case in enumerate(CASES)
        if contradiction(case, **how) is None
    ]


def test_every_case_runs_or_has_a_reason() -> None:
    reasons = Counter(contradiction(case) for case in CASES)
    assert reasons.pop(None) >= 150
    assert set(reasons) <= {
        "a quirk of the original",
        "saving can be switched off",
        "the original answers in the style of its mode, ours in that of the command",
        "unknown in that mode only",
        "a token is ignored in that mode only",
        "a token may be left out here",
    }
    required = {contradiction(case, sessions_required=True) for case in CASES}
    assert "a token may be left out here" not in required


# ---------------------------------------------------------------- matching


def differs(expected: Any, actual: Any, at: str = "reply") -> str | None:
    """Where a reply is not what a case describes (specs: nemesis.md, section 16); None if it is."""
    if isinstance(expected, dict):
        return _object_differs(expected, actual, at)
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return f"{at}: {actual!r} is not like {expected!r}"
        pairs = enumerate(zip(expected, actual, strict=True))
        return next((found for i, (a, b) in pairs if (found := differs(a, b, f"{at}[{i}]"))), None)
    number = isinstance(expected, int | float) and not isinstance(expected, bool)
    same_kind = isinstance(actual, int | float) and not isinstance(actual, bool) if number else True
    exact = number or type(expected) is type(actual)
    return None if same_kind and exact and expected == actual else f"{at}: {actual!r} is not {expected!r}"


def _object_differs(expected: dict[str, Any], actual: Any, at: str) -> str | None:
    if set(expected) == {"_type"}:
        least, most = {"uint": (0, 1 << 64), "int": (-(1 << 63), 1 << 63)}[expected["_type"]]
        return None if type(actual) is int and least <= actual < most else f"{at}: {actual!r} is no {expected['_type']}"
    if not isinstance(actual, dict) or (not expected and actual):
        return f"{at}: {actual!r} is not like {expected!r}"
    for name in expected.get("_absent", ()):
        if name in actual:
            return f"{at}: has {name!r}"
    for name, value in expected.items():
        if name == "_absent":
            continue
        if name not in actual:
            return f"{at}: lacks {name!r}"
        found = differs(value, actual[name], f"{at}.{name}")
        if found:
            return found
    return None


def filled_in(value: Any, captured: dict[str, Any]) -> Any:
    """Replace strings that are exactly ``$name`` by what was captured under that name."""
    if isinstance(value, str):
        return captured.get(value[1:], value) if value.startswith("$") else value
    if isinstance(value, dict):
        return {name: filled_in(item, captured) for name, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item, captured) for item in value]
    return value


# ---------------------------------------------------------------- listeners

# Sends one message (text or binary) and gives what came back: JSON texts, or QUIET for a RESP client's OK.
Listener = Callable[[str, bool], list[str]]


def carries(listener: str, case: dict[str, Any]) -> bool:
    """Whether a case can go through a listener: on the data port only what begins with a brace is JSON."""
    if listener == "message":
        return True
    texts = [step.get("send_raw", "{}").strip() for step in case["steps"]]
    binary = any("send_binary" in step for step in case["steps"])
    if listener == "document" and any("send" in step and step["send"] is None for step in case["steps"]):
        return False  # RESP has one reply to a command
    return not binary and all(text.startswith("{") and "\n" not in text for text in texts)


def line_listener(house: Any) -> Listener:
    wire = house.connect()

    def send(text: str, binary: bool) -> list[str]:
        wire.send(text.encode() + b"\n")
        house.run_timers(1)  # until what the command has begun has ended
        return wire.transport.written.decode().splitlines()

    return send


def document_listener(house: Any) -> Listener:
    wire = house.connect()

    def send(text: str, binary: bool) -> list[str]:
        wire.send(b"*1\r\n$%d\r\n%b\r\n" % (len(text.strip().encode()), text.strip().encode()))
        house.run_timers(1)
        reader = ReplyReader()
        reader.feed(wire.transport.written)
        reply: Any = reader.gets()
        reply = reply[1]
        return [QUIET if reply == OK else reply.decode()]

    return send


def message_listener(house: Any) -> Listener:
    connection = WebSocketConnection(house.server, house.native)
    transport = type(house.connect().transport)()
    connection.connection_made(transport)

    def send(text: str, binary: bool) -> list[str]:
        payload, mask = text.encode(), b"\1\2\3\4"
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        size = len(payload)
        header = bytes([0x80 | (ws.BINARY if binary else ws.TEXT)])
        header += bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
        transport.written = b""
        connection.data_received(header + mask + masked)
        house.run_timers(1)
        house.server.outbox.flush()
        return list(_frames(transport.written))

    return send


def _frames(data: bytes) -> Iterator[str]:
    while data:
        assert data[0] == 0x80 | ws.TEXT
        size, at = data[1], 2
        if size > 125:
            at = 4 if size == 126 else 10
            size = int.from_bytes(data[2:at], "big")
        yield data[at : at + size].decode()
        data = data[at + size :]


LISTENERS = {"line": line_listener, "document": document_listener, "message": message_listener}


# ---------------------------------------------------------------- running


COMMANDS = build_table().native


def is_documented(reply: dict[str, Any]) -> bool:
    """Whether docs/statuses.md has the status of a reply among those of its command."""
    ((name, body),) = reply.items()
    command = COMMANDS.get(name.removesuffix("_RSP"))
    if command is None or not isinstance(body.get("st"), int):  # as series by their names have
        return True
    return (
        body["st"] in (OF_ALL_SERIES if command.rules.dialect is TIME_SERIES else OF_ALL) | of_command(command).keys()
    )


def run_case(case: dict[str, Any], send: Listener, wait: Callable[[float], None]) -> None:
    """Run the steps of a case. Fails with the step, what was sent and what is wrong with the reply."""
    captured: dict[str, Any] = {}
    arrived: deque[str] = deque()
    for number, step in enumerate(case["steps"]):
        if "wait_s" in step:
            wait(step["wait_s"])
            continue
        if "send_raw" in step or "send_binary" in step:
            sent = step.get("send_raw", step.get("send_binary"))
            arrived += send(sent, "send_binary" in step)
        elif step.get("send") is not None:
            sent = json.dumps(filled_in(step["send"], captured), ensure_ascii=False)
            arrived += send(sent, False)
        where = f"step {number}, {sent}"
        if step["expect"] == {"_no_reply": True}:
            assert list(arrived) in ([], [QUIET]), where
            arrived.clear()
            continue
        assert arrived, f"{where}: no reply"
        reply = json.loads(arrived.popleft())
        difference = differs(filled_in(step["expect"], captured), reply)
        assert difference is None, f"{where}: {difference}"
        assert is_documented(reply), f"{where}: docs/statuses.md does not have {reply}"
        for name, path in step.get("capture", {}).items():
            command, member = path.split(".")
            captured[name] = reply[command][member]
    assert not arrived, "more replies than expected"
    answers = send(json.dumps(PROBE), False)
    assert [json.loads(answer) for answer in answers] == [{"SH_EXISTS_RSP": {"st": 1, "exist": []}}]


@pytest.mark.parametrize(
    ("listener", "case"),
    [
        pytest.param(listener, each.values[0], id=f"{listener} {each.id}")
        for each in chosen()
        for listener in LISTENERS
        if carries(listener, each.values[0])
    ],
)
def test_case(make_house: Any, tmp_path: Path, listener: str, case: dict[str, Any]) -> None:
    house = make_house(dir=str(tmp_path))
    run_case(case, LISTENERS[listener](house), lambda seconds: house.advance(round(seconds * 1000)))


@pytest.mark.parametrize("case", [each for each in chosen(sessions_required=True) if "101" in json.dumps(each.values)])
def test_case_where_sessions_are_required(make_house: Any, tmp_path: Path, case: dict[str, Any]) -> None:
    house = make_house(sessions_required=True, dir=str(tmp_path))
    run_case(case, line_listener(house), lambda seconds: house.advance(round(seconds * 1000)))


# ---------------------------------------------------------------- a real server


class Socket:
    """A WebSocket to a real server, as a listener."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.loop = loop
        self.socket = socket

    def __call__(self, text: str, binary: bool) -> list[str]:
        return self.loop.run_until_complete(self.ask(text, binary))

    async def ask(self, text: str, binary: bool) -> list[str]:
        """Everything that comes back before the reply to a second message, which is always answered."""
        await (self.socket.send_bytes(text.encode()) if binary else self.socket.send_str(text))
        await self.socket.send_str('{"PROBE":{}}')
        answers: list[str] = []
        while not answers or not answers[-1].startswith('{"PROBE_RSP":'):
            answers.append((await self.socket.receive(timeout=10)).data)
        return answers[:-1]


def test_cases_over_a_real_websocket(
    start_januskv: Callable[..., Any], encode_command: Callable[..., bytes], tmp_path: Path
) -> None:
    server = start_januskv("--save", "no", "--dir", str(tmp_path))
    cases = [each.values[0] for each in chosen()]
    cases = [
        case
        for case in cases
        if not any("wait_s" in step or ("send" in step and step["send"] is None) for step in case["steps"])
    ]
    with asyncio.Runner() as runner, server.connect() as data_port:
        loop = runner.get_loop()
        session = runner.run(_session())
        for case in cases:
            data_port.sendall(encode_command("FLUSHALL") + encode_command('{"SH_END_ALL":{}}'))
            answer = b""
            while b"}\r\n" not in answer:
                answer += data_port.recv(4096)
            socket = runner.run(session.ws_connect(f"ws://127.0.0.1:{server.http_port}/"))
            run_case(case, Socket(loop, socket), _never)
            runner.run(socket.close())
        runner.run(session.close())


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


def _never(seconds: float) -> None:
    raise AssertionError("this case waits")
