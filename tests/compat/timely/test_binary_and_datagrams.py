"""Points in the binary form, and points that come as datagrams."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import flatbuffers
import pytest
from tests.conftest import House

from januskv.compat.timely.binary import BadBuffer, CutBuffer, read_buffer
from januskv.compat.timely.datagrams import Datagrams
from januskv.compat.timely.points import Point
from januskv.resp.replies import ErrorReply

# Two metrics, made with another library.
VECTOR = bytes.fromhex(
    "14000000544d46420000000000000600080004000600000004000000020000007c000000100000000c002000080014000c0004000c000000"
    "2c000000180000000000000000209c40e8b7c5dab8010000000000000b000000636f6e662e66622e66616e00010000000400000070ffffff"
    "080000001000000005000000656467653700000004000000686f7374000000000c001c00080014000c0004000c0000002c00000014000000"
    "000000000080354000b4c5dab80100000c000000636f6e662e66622e74656d7000000000020000003400000004000000dcffffff08000000"
    "10000000040000006c6162320000000004000000726f6f6d0000000008000c00080004000800000008000000100000000500000065646765"
    "3700000004000000686f737400000000"
)
POINTS = [
    Point(b"conf.fb.temp", 1893456000000, 21.5, {b"room": b"lab2", b"host": b"edge7"}),
    Point(b"conf.fb.fan", 1893456001000, 1800.0, {b"host": b"edge7"}),
]


def encoded(points: list[Point]) -> bytes:
    """A buffer of points, by the library of the format."""
    builder = flatbuffers.Builder(0)

    def row(places: list[int]) -> int:
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return int(builder.EndVector())

    def table(*fields: tuple[Any, Any]) -> int:
        builder.StartObject(len(fields))
        for slot, (prepend, value) in enumerate(fields):
            prepend(slot, value, 0)
        return int(builder.EndObject())

    text, offset = builder.CreateString, builder.PrependUOffsetTRelativeSlot
    metrics = []
    for point in points:
        tags = {**point.tags, **({b"viz": point.visibility} if point.visibility else {})}
        pairs = [(text(name), text(value)) for name, value in tags.items()]
        tag_row = row([table((offset, name), (offset, value)) for name, value in pairs])
        metrics.append(
            table(
                (offset, text(point.metric)),
                (builder.PrependInt64Slot, point.time_ms),
                (builder.PrependFloat64Slot, point.value),
                (offset, tag_row),
            )
        )
    builder.Finish(table((offset, row(metrics))), file_identifier=b"TMFB")
    return bytes(builder.Output())


def test_a_buffer_of_another_library() -> None:
    assert read_buffer(VECTOR) == POINTS


def test_what_the_library_of_the_format_writes() -> None:
    points = [
        Point(b"m", 0, 0.0, {}),
        Point("\u00e4".encode(), 2**62, -1.5e300, {b"a": b"", b"b": b"x" * 1000}, b"A&B"),
        *[Point(b"n%d" % n, n, float(n), {b"host": b"%d" % n}) for n in range(300)],
    ]
    assert read_buffer(encoded(points)) == points


def test_every_cut_buffer_is_seen() -> None:
    for size in range(8, len(VECTOR) - 4):  # what is behind the last text is padding
        with pytest.raises(CutBuffer):
            read_buffer(VECTOR[:size])


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_are_points_or_a_bad_buffer(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(300):
        data = bytearray(VECTOR)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(8, len(data))] = chance.choice([0, 1, 4, 8, 255, chance.randrange(256)])
        try:
            assert all(isinstance(point, Point) for point in read_buffer(bytes(data)))
        except BadBuffer:
            continue


def test_the_same_tags_over_and_over_are_refused() -> None:
    builder = flatbuffers.Builder(0)
    name = builder.CreateString("a")
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    tag = builder.EndObject()
    builder.StartVector(4, 1000, 4)
    for _ in range(1000):
        builder.PrependUOffsetTRelative(tag)
    tags = builder.EndVector()
    metrics = []
    for _ in range(300):
        builder.StartObject(4)
        builder.PrependUOffsetTRelativeSlot(3, tags, 0)
        metrics.append(builder.EndObject())
    builder.StartVector(4, len(metrics), 4)
    for metric in metrics:
        builder.PrependUOffsetTRelative(metric)
    row = builder.EndVector()
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, row, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"TMFB")
    with pytest.raises(BadBuffer, match="too often"):
        read_buffer(bytes(builder.Output()))


# ---------------------------------------------------------------- connections


def found(house: House) -> list[bytes]:
    return sorted(house.store.databases[0].data)


KEYS = [b"conf.fb.fan{host=edge7}", b"conf.fb.temp{host=edge7,room=lab2}"]


def test_on_the_data_port(house: House, wire: Any) -> None:
    assert wire.send(VECTOR) == b""
    assert found(house) == KEYS
    assert wire.send(b"PING\r\n") == b"+PONG\r\n"


def test_a_cut_buffer_ends_a_connection_of_the_data_port(house: House, wire: Any) -> None:
    assert wire.send(VECTOR[:200]) == b"-ERR Protocol error: binary data in a command line\r\n"
    assert wire.transport.closed
    assert found(house) == []


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_on_the_own_port(house: House, timely: Any, pieces: int) -> None:
    size = len(VECTOR) // pieces + 1
    for _ in range(2):
        for at in range(0, len(VECTOR), size):
            assert timely.send(VECTOR[at : at + size]) == b""
    assert timely.send(b"put m 1 1\n") == b""
    assert found(house) == [*KEYS, b"m{}"]
    assert house.server.accounts.stats.timely_points_received == 5


def test_a_buffer_that_never_ends(house: House, timely: Any) -> None:
    for at in range(20, 300, 2):
        timely.send(VECTOR[:20] if at == 20 else b"\0\0")
    timely.send(b"\nput m 1 1\n")
    assert found(house) == [b"m{}"]
    assert house.server.accounts.stats.timely_lines_refused > 0


def test_a_point_that_cannot_be_stored(house: House, timely: Any) -> None:
    bad = Point(b"m", 1, 1.0, {b"__name__": b"n"})
    assert timely.send(encoded([bad, Point(b"m", 1, 1.0, {}, b"A&B|C"), Point(b"ok", 1, 1.0, {})])) == b""
    assert found(house) == [b"ok{}"]
    assert house.server.accounts.stats.timely_lines_refused == 2


def test_times_of_buffers_are_milliseconds(house: House, timely: Any, samples: Any) -> None:
    timely.send(encoded([Point(b"m", 5, 1.0, {})]))
    assert samples(house) == {b"m{}": [(5, 1.0)]}


def test_monitor_shows_buffers(house: House, timely: Any, wire: Any) -> None:
    wire("MONITOR")
    timely.send(VECTOR)
    assert b'"put" "\\x14\\x00' in wire.transport.written


# ---------------------------------------------------------------- datagrams


@pytest.fixture
def datagrams(house: House) -> Callable[..., None]:
    receiver = Datagrams(house.ingest)
    return lambda data, address=("127.0.0.1", 5000): receiver.take(data, address)


def test_lines(house: House, datagrams: Any, samples: Any) -> None:
    datagrams(b"put m 1 1\nput m 2 2\r\nversion\n" + b"put m 3 3 viz=(\n")
    assert samples(house) == {b"m{}": [(1000, 1.0), (2000, 2.0)]}


def test_a_line_needs_its_end(house: House, datagrams: Any, samples: Any) -> None:
    datagrams(b"put m 1 1\nput m 2 2")
    datagrams(b"put m 3 3")
    assert samples(house) == {b"m{}": [(1000, 1.0)]}
    assert house.server.accounts.stats.timely_lines_refused == 2


def test_a_buffer(house: House, datagrams: Any) -> None:
    datagrams(VECTOR[:100])
    assert found(house) == []
    datagrams(VECTOR)
    assert found(house) == KEYS
    assert house.server.accounts.stats.timely_lines_refused == 1


@pytest.mark.parametrize(
    ("settings", "address", "stored"),
    [
        ({}, ("127.0.0.1", 1), True),
        ({}, ("::1", 1, 0, 0), True),
        ({}, ("192.0.2.1", 1), False),
        ({"protected_mode": False}, ("192.0.2.1", 1), True),
        ({"requirepass": "x"}, ("127.0.0.1", 1), False),
        ({"requirepass": "x", "timely_anonymous_put": "yes"}, ("192.0.2.1", 1), True),
    ],
)
def test_whose_are_taken(
    make_house: Callable[..., House], settings: dict[str, Any], address: tuple[Any, ...], stored: bool
) -> None:
    house = make_house(**settings)
    receiver = Datagrams(house.ingest)
    receiver.take(b"put m 1 1\n", address)
    receiver.take(VECTOR, address)
    assert found(house) == ([*KEYS, b"m{}"] if stored else [])


@pytest.mark.parametrize("seed", range(10))
def test_any_datagrams(house: House, datagrams: Any, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(300):
        data = chance.randbytes(chance.randrange(80))
        datagrams(data if chance.random() < 0.5 else VECTOR[: chance.randrange(len(VECTOR))] + data)
    house.advance(1)


def test_a_setting_that_is_no_visibility(wire: Any) -> None:
    assert isinstance(wire.line("CONFIG SET timely-default-visibility (A"), ErrorReply)
