"""The frames of a WebSocket: whole, byte by byte, in fragments, broken; and big ones, which cost what they weigh."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from januskv.resp import websocket as ws
from januskv.resp.payload import Payload, is_utf8, unmasked
from januskv.resp.websocket import FrameError, FrameReader

Message = tuple[int, bytes]


def framed(opcode: int, payload: bytes, *, final: bool = True, mask: bytes = b"\x11\x22\x33\xf4") -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | size])
    elif size < 65536:
        head = bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return bytes([opcode | (0x80 if final else 0)]) + head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    key = mask * (len(payload) // 4 + 1)
    return bytes(byte ^ other for byte, other in zip(payload, key, strict=False))


def read(*pieces: bytes, max_message: int = 1 << 20) -> list[Message]:
    """What a reader finds that is fed these pieces."""
    reader = FrameReader(max_message)
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (message := reader.next()) is not None:
            found.append(message)
    return found


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """The data as a whole, byte by byte, and in pieces of other sizes."""
    yield [data]
    for size in (1, 2, 3, 7, 100):
        yield [data[at : at + size] for at in range(0, len(data), size)]


UMLAUTS = "grün, 東京, 🎈 ".encode() * 20

STREAMS = [
    pytest.param(framed(1, b"{}") + framed(1, b"[]"), [(1, b"{}"), (1, b"[]")], id="two messages"),
    pytest.param(framed(1, b""), [(1, b"")], id="an empty one"),
    pytest.param(framed(2, bytes(range(256)) * 300), [(2, bytes(range(256)) * 300)], id="a long binary one"),
    pytest.param(framed(1, UMLAUTS), [(1, UMLAUTS)], id="characters of several bytes"),
    pytest.param(
        b"".join(framed(0 if i else 1, UMLAUTS[i : i + 1], final=i == len(UMLAUTS) - 1) for i in range(len(UMLAUTS))),
        [(1, UMLAUTS)],
        id="characters cut by fragments",
    ),
    pytest.param(
        framed(1, b"a", final=False) + framed(9, b"p") + framed(0, b"b", final=False) + framed(8, b"") + framed(0, b""),
        [(9, b"p"), (8, b""), (1, b"ab")],
        id="control frames between fragments",
    ),
    pytest.param(framed(2, b"", final=False) + framed(0, b""), [(2, b"")], id="fragments of nothing"),
    pytest.param(framed(1, b"x" * 125) + framed(1, b"x" * 126), [(1, b"x" * 125), (1, b"x" * 126)], id="lengths"),
]


@pytest.mark.parametrize(("data", "messages"), STREAMS)
def test_messages_however_they_arrive(data: bytes, messages: list[Message]) -> None:
    for pieces in cuts(data):
        assert read(*pieces) == messages


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(framed(1, b"\xff"), 1007, id="no UTF-8"),
        pytest.param(framed(1, b"\xe6\x9d"), 1007, id="a character cut off"),
        pytest.param(framed(1, b"a", final=False) + framed(0, b"\xe6\x9d"), 1007, id="a character cut off at the end"),
        pytest.param(framed(1, b"\xed\xa0\x80"), 1007, id="a surrogate"),
        pytest.param(framed(1, b"\xc0\x80"), 1007, id="an overlong zero"),
        pytest.param(framed(0, b"x"), 1002, id="a continuation of nothing"),
        pytest.param(framed(1, b"x", final=False) + framed(1, b"y"), 1002, id="a message inside another"),
        pytest.param(framed(9, b"x", final=False), 1002, id="a fragment of a control frame"),
        pytest.param(framed(9, b"x" * 126), 1002, id="a long control frame"),
        pytest.param(framed(3, b"x"), 1002, id="a reserved opcode"),
        pytest.param(b"\x81\x00", 1002, id="no mask"),
        pytest.param(framed(1, b"x" * 1001), 1009, id="too big"),
        pytest.param(framed(1, b"x" * 600, final=False) + framed(0, b"x" * 401), 1009, id="too big together"),
        pytest.param(b"\x81\xff" + b"\xff" * 12, 1009, id="2^64-1 bytes"),
    ],
)
def test_broken_frames(data: bytes, code: int) -> None:
    for pieces in cuts(data):
        with pytest.raises(FrameError) as error:
            read(*pieces, max_message=1000)
        assert error.value.code == code


def test_text_is_refused_before_it_is_whole() -> None:
    with pytest.raises(FrameError) as error:
        read(framed(1, b"x" * 70_000 + b"\xff" + b"x" * 70_000)[:70_100])
    assert error.value.code == ws.NOT_UTF8


def test_an_announced_gigabyte_takes_no_memory() -> None:
    reader = FrameReader(1 << 30)
    reader.feed(b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"mask" + b"x" * 100)
    assert reader.next() is None
    assert reader.pending == 100


def test_pending_counts_what_waits_everywhere() -> None:
    reader = FrameReader(1 << 20)
    data = framed(1, b"x" * 300, final=False) + framed(0, b"y" * 300)
    for at in range(0, len(data), 50):
        reader.feed(data[at : at + 50])  # and nobody asks for messages
    assert reader.pending == len(data)
    assert reader.next() == (1, b"x" * 300 + b"y" * 300)
    assert reader.pending == 0


def test_random_streams() -> None:
    rng = random.Random(21)
    for _ in range(200):
        data, messages = b"", []
        for _ in range(rng.randint(1, 5)):
            text = rng.random() < 0.5
            size = rng.choice((0, 1, 5, 125, 126, 1000, 70_000))
            whole = (
                ("aä東🎈" * size).encode()[: size * 2].decode(errors="ignore").encode() if text else rng.randbytes(size)
            )
            ends = sorted(rng.randint(0, len(whole)) for _ in range(rng.randint(0, 3)))
            parts = [whole[start:end] for start, end in zip([0, *ends], [*ends, len(whole)], strict=True)]
            for i, part in enumerate(parts):
                last = i == len(parts) - 1
                data += framed(0 if i else 2 - text, part, final=last, mask=rng.randbytes(4))
                if rng.random() < 0.2 and not last:
                    data += framed(9, b"ping")
                    messages.append((9, b"ping"))
            messages.append((2 - text, whole))
        pieces, at = [], 0
        while at < len(data):
            size = rng.choice((1, 2, 13, 1000, 65536))
            pieces.append(data[at : at + size])
            at += size
        assert read(*pieces) == messages


def test_payload_and_mask() -> None:
    mask = b"\x01\x80\xff\x7f"
    data = random.Random(1).randbytes(1000)
    assert unmasked(mask + masked(data, mask), 4, 1000) == data
    payload = Payload(False)
    payload.begin_frame(mask)
    hidden, at = masked(data, mask), 0
    for size in (0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 861):
        payload.add(hidden, at, size)
        at += size
    assert (payload.size, payload.take()) == (1000, data)


@pytest.mark.parametrize(
    "data", [b"", b"a" * 100, "ä".encode() * 50, b"a" * 31 + b"\xff", b"\x80", b"a" * 17 + b"\xc3"]
)
def test_utf8(data: bytes) -> None:
    assert is_utf8(data) == (data.decode(errors="replace").encode() == data)


def cost_s(size: int, *, ask: bool) -> float:
    """Processor time for a message of this size that arrives as sockets give it; the least of three."""
    data = framed(2, b"", mask=bytes(4))[:1] + b"\xff" + size.to_bytes(8, "big") + bytes(4)
    chunk = b"x" * 16384
    costs = []
    for _ in range(3):
        started = time.process_time()
        reader = FrameReader(1 << 30)
        reader.feed(data)
        for _ in range(size // len(chunk)):
            reader.feed(chunk)
            if ask:
                assert reader.next() is None or reader.pending == 0
        assert ask or reader.next() is not None
        costs.append(time.process_time() - started)
    return min(costs)


@pytest.mark.parametrize("ask", [True, False], ids=["as it arrives", "after a pause"])
def test_a_big_message_costs_what_it_weighs(ask: bool) -> None:
    assert cost_s(32 << 20, ask=ask) < 10 * cost_s(4 << 20, ask=ask) + 0.05
