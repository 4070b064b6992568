"""Random frames to WebSockets: what is read does not depend on how it arrives, every answer is whole, and so is the end."""

from __future__ import annotations

import json
import random
import time

import pytest
from tests.http_port import Visitor, upgrade

from januskv.resp.websocket import FrameError, FrameReader

from .web import SECONDS, SEED, Arena, damaged, fuzz, pieces

pytestmark = pytest.mark.timeout(SECONDS * 2 + 120)

_SIZES = (0, 1, 2, 125, 126, 127, 1000, 65_535, 65_536, 70_000)


def frame(opcode: int, payload: bytes, mask: bytes, *, final: bool = True) -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    key = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def message(chance: random.Random, opcode: int, payload: bytes) -> bytes:
    """A message in one frame, or in some with other frames in between."""
    ends = sorted(chance.randint(0, len(payload)) for _ in range(chance.choice((0, 0, 0, 1, 3, 50))))
    data, start = b"", 0
    for number, end in enumerate([*ends, len(payload)]):
        data += frame(0 if number else opcode, payload[start:end], chance.randbytes(4), final=number == len(ends))
        start = end
        if chance.random() < 0.1:
            data += frame(chance.choice((9, 10)), chance.randbytes(chance.randint(0, 125)), chance.randbytes(4))
    return data


def text(chance: random.Random) -> bytes:
    """A native command, something like it, or any text."""
    key = chance.choice(("a", "ä", "東京", "🎈", "x" * 300))
    command = chance.choice(
        (
            {"KV_SET": {"keys": {key: chance.choice((1, "text", [1, 2], {"a": 1}, None, 1.5, "ü" * 1000))}}},
            {"KV_GET": {"keys": [key]}},
            {"KV_RMV": {"keys": [key]}},
            {"KV_COUNT": {}},
            {"SV_INFO": {}},
            {"SV_SUBSCRIBE": {"channels": ["c"], "keys": ["*"]}},
            {"SV_PUBLISH": {"channel": "c", "message": key}},
            {"SV_UNSUBSCRIBE": {}},
            {"SV_AUTH": {"password": chance.choice(("secret", "wrong"))}},
            {"SH_NEW": {"name": key}},
            {"NOSUCH": {}},
            [],
        )
    )
    whole = json.dumps(command, ensure_ascii=chance.random() < 0.5).encode()
    return damaged(chance, whole) if chance.random() < 0.3 else whole


def frames(chance: random.Random) -> bytes:
    """Some messages, more or less as the protocol has them."""
    data = b""
    for _ in range(chance.choice((1, 1, 3, 20))):
        kind = chance.random()
        if kind < 0.7:
            data += message(chance, 1, text(chance))
        elif kind < 0.8:
            data += message(chance, 2, chance.randbytes(chance.choice(_SIZES)))
        elif kind < 0.9:
            data += message(chance, 1, ("aä東🎈" * 20_000).encode()[: chance.choice(_SIZES)])
        elif kind < 0.93:
            data += frame(
                8, chance.choice((b"", b"\x03", b"\x03\xe8bye", b"\x03\xed", b"\xff\xff")), chance.randbytes(4)
            )
        else:
            announced = chance.choice((1 << 20, (1 << 20) + 1, 1 << 30, 1 << 63, (1 << 64) - 1))
            data += (
                bytes([chance.choice((0x81, 0x01, 0x82)), 0xFF]) + announced.to_bytes(8, "big") + b"mask" + b"x" * 100
            )
    return damaged(chance, data) if chance.random() < 0.3 else data


# ---------------------------------------------------------------- the reader


def read(parts: list[bytes], *, lazy: bool) -> tuple[list[tuple[int, bytes]], int]:
    """What a reader finds, and the code it ends with (0: it waits for more)."""
    reader = FrameReader(1 << 20)
    found: list[tuple[int, bytes]] = []
    try:
        for number, part in enumerate(parts):
            reader.feed(part)
            if lazy and number < len(parts) - 1:
                continue
            while (got := reader.next()) is not None:
                found.append(got)
            assert reader.pending <= sum(map(len, parts))
    except FrameError as error:
        return found, error.code
    return found, 0


def test_the_reader() -> None:
    started, number = time.monotonic(), 0
    while time.monotonic() - started < SECONDS:
        chance = random.Random(f"{SEED} reader {number}")
        data = frames(chance)
        whole = read([data], lazy=False)
        # What is invalid may be seen earlier in pieces, never at another place.
        for lazy in (False, True):
            assert read(list(pieces(chance, data)), lazy=lazy) == whole, f"seed {SEED}, episode {number}"
        number += 1
    print(f"reader: seed {SEED}, {number} episodes")


# ---------------------------------------------------------------- the connection


def check_frames(visitor: Visitor, answer: bytes) -> None:
    """What the server sends: whole frames without masks, text that is JSON, and nothing behind a close."""
    at = 0
    while at < len(answer):
        first, size = answer[at], answer[at + 1]
        at += 2
        assert first in (0x81, 0x88, 0x8A), answer[at - 2 : at + 100]
        assert size < 128
        if size >= 126:
            more = 2 if size == 126 else 8
            size = int.from_bytes(answer[at : at + more], "big")
            at += more
        payload = answer[at : at + size]
        assert len(payload) == size
        at += size
        if first == 0x81:
            assert type(json.loads(payload)) is dict
        elif first == 0x88:
            assert at == len(answer)
            assert visitor.closed


_HEADERS = ("Origin: http://localhost:8379", "Origin: http://evil", "Authorization: Bearer secret", "Cookie: a=b")
_HEADERS += ("Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Protocol: chat", "Origin: http://[")


def one_step(arena: Arena) -> None:
    chance = arena.chance
    visitor = arena.visitor()
    if chance.random() < 0.15:
        arena.disturb(visitor)
    elif visitor.transport.protocol in arena.port.listener.connections:
        asked = upgrade(
            *chance.choices(_HEADERS, k=chance.choice((0, 0, 0, 1, 2))), host=chance.choice(("", "", "", "evil"))
        )
        if chance.random() < 0.2:
            asked = damaged(chance, asked)
        answer = arena.send(visitor, asked + (frames(chance) if chance.random() < 0.2 else b""))
        assert not answer or answer.startswith(b"HTTP/"), answer[:100]
        if answer.startswith(b"HTTP/1.1 101 "):
            check_frames(visitor, answer.partition(b"\r\n\r\n")[2])
    else:
        check_frames(visitor, arena.send(visitor, frames(chance)))


def test_connections() -> None:
    fuzz("websocket", one_step)
