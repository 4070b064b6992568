"""Timely's lines and buffers among other requests, on both builds."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.resp.inline import MOST_TIMELY, ProtocolError, TimelyBuffer, TimelyLines, begins_like_http

PING = b"*1\r\n$4\r\nPING\r\n"
PUT = b"put m 1 2 a=b\n"
BUFFER = b"\x14\0\0\0TMFB\0\0\n*1\r\nput x"


def parse(parser: Any, *chunks: bytes) -> list[Any]:
    """All requests, the class's name and the bytes of Timely's; lines that follow each other as one, as they may be cut anywhere."""
    found: list[Any] = []
    try:
        for chunk in chunks:
            parser.feed(chunk)
            while (request := parser.next()) is not None:
                before = found[-1] if found else None
                if (
                    isinstance(request, TimelyLines)
                    and isinstance(before, TimelyLines)
                    and before.text
                    and request.text
                ):
                    before.text += request.text
                else:
                    found.append(request)
    except ProtocolError as error:
        found.append(str(error).removeprefix("Protocol error: "))
    return found


TAKEN = [
    pytest.param(PUT, [TimelyLines(PUT)], id="a put"),
    pytest.param(PUT * 3, [TimelyLines(PUT * 3)], id="a run of puts is one request"),
    pytest.param(b"version\n", [TimelyLines(b"version\n")], id="version"),
    pytest.param(b"version\r\n" + PUT, [TimelyLines(b"version\r\n" + PUT)], id="version with a carriage return"),
    pytest.param(b"put \n", [TimelyLines(b"put \n")], id="a put without anything"),
    pytest.param(b"put \"a 'b\0\xff\n", [TimelyLines(b"put \"a 'b\0\xff\n")], id="quotes and binary are not looked at"),
    pytest.param(b"PUT m 1 2\n", [[b"PUT", b"m", b"1", b"2"]], id="capitals are another's"),
    pytest.param(b" put m\n", [[b"put", b"m"]], id="so is what is behind a blank"),
    pytest.param(b"put\n", [[b"put"]], id="put alone"),
    pytest.param(b"put\tm 1 2\n", [[b"put", b"m", b"1", b"2"]], id="put and a tab"),
    pytest.param(b"version 2\n", [[b"version", b"2"]], id="version with an argument"),
    pytest.param(b"version\rx\n", [[b"version", b"x"]], id="version and a carriage return in the line"),
    pytest.param(b"versions\n", [[b"versions"]], id="another word"),
    pytest.param(
        PING + PUT + PING + b"{}\n" + PUT + b"PING\n",
        [[b"PING"], TimelyLines(PUT), [b"PING"], b"{}", TimelyLines(PUT), [b"PING"]],
        id="among others",
    ),
    pytest.param(b"\r\n" + PUT, [TimelyLines(PUT)], id="behind an empty line"),
    pytest.param(b"*2\r\n$3\r\nGET\r\n$4\r\nput \r\n", [[b"GET", b"put "]], id="as an argument"),
]


@pytest.mark.parametrize(("data", "requests"), TAKEN)
def test_lines(parser_class: Any, data: bytes, requests: list[Any]) -> None:
    assert parse(parser_class(), data) == requests
    assert parse(parser_class(), *[data[at : at + 1] for at in range(len(data))]) == requests
    for cut in range(len(data)):
        assert parse(parser_class(), data[:cut], data[cut:]) == requests


def test_a_run_is_one_object_up_to_a_size(parser_class: Any) -> None:
    parser = parser_class()
    parser.feed(PUT * 50_000 + b"put m")
    sizes = []
    while (request := parser.next()) is not None:
        sizes.append(len(request.text))
    assert sum(sizes) == 50_000 * len(PUT)
    assert len(sizes) == 50_000 * len(PUT) // MOST_TIMELY + 1
    assert parser.pending == 5


@pytest.mark.parametrize("pieces", [1, 3, 1000], ids=["in one piece", "in three", "in many"])
def test_a_line_that_is_too_long_is_passed_over(parser_class: Any, pieces: int) -> None:
    data = PUT + b"put " + b"*1\r" * 30_000 + b"\n" + PUT + PING
    size = len(data) // pieces + 1
    found = parse(parser_class(), *[data[at : at + size] for at in range(0, len(data), size)])
    assert found == [TimelyLines(PUT), TimelyLines(b""), TimelyLines(PUT), [b"PING"]]


def test_what_is_passed_over_is_not_kept(parser_class: Any) -> None:
    parser = parser_class()
    for _ in range(100):
        parser.feed(b"put " + b"x" * 70_000)
        while parser.next() is not None:
            pass
    assert parser.pending == 0
    assert not parser.finish()
    parser.feed(b"\n" + PING)
    assert parser.next() == [b"PING"]


def test_a_long_line_is_told_once(parser_class: Any) -> None:
    parser = parser_class()
    parser.feed(b"put " + b"x" * 70_000)
    assert parser.next() == TimelyLines(b"")
    assert parser.next() is None
    parser.feed(b"{}\n*1")
    assert parser.next() is None
    assert parser.pending == 2


def test_the_longest_line(parser_class: Any) -> None:
    line = b"put " + b"x" * ((64 << 10) - 4) + b"\n"
    assert parse(parser_class(), line) == [TimelyLines(line)]
    assert parse(parser_class(), line[:-1] + b"y\n") == [TimelyLines(b"")]


def test_a_buffer_takes_all_that_came_with_it(parser_class: Any) -> None:
    parser = parser_class()
    assert parse(parser, PING + BUFFER, PING) == [[b"PING"], TimelyBuffer(BUFFER), [b"PING"]]


@pytest.mark.parametrize(
    ("data", "requests"),
    [
        pytest.param(b"GET TMFB\n", [[b"GET", b"TMFB"]], id="in a command"),
        pytest.param(b"put TMFB 1 2\n", [TimelyLines(b"put TMFB 1 2\n")], id="in a put"),
        pytest.param(b"\x14\0\0\0TMF", ["binary data in a command line"], id="cut"),
        pytest.param(b"\x14\0\0\0TMFC", ["binary data in a command line"], id="another mark"),
    ],
)
def test_what_is_no_buffer(parser_class: Any, data: bytes, requests: list[Any]) -> None:
    assert parse(parser_class(), data) == requests


PIECES = st.lists(
    st.sampled_from(
        [PUT, b"put ", b"x", b"\n", b"\r", b"version\n", b"version", PING, b"{}\n", b" ", b"GET k\r\n", BUFFER]
    )
)


@given(PIECES, st.integers(0, 2**32))
def test_both_builds_read_the_same(parser_classes: list[Any], pieces: list[bytes], seed: int) -> None:
    data = b"".join(pieces)
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(3))
    chunks = [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    limits = chance.choice([64 << 10, 20])
    results = []
    for build in parser_classes:
        parser = build()
        parser.max_inline = limits
        results.append((parse(parser, *[chunk for chunk in chunks if chunk]), parser.pending))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("text", "is_http"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n", True),
        (b"POST / x\n", True),
        (b"host: x\n", True),
        (b"put m 1 2\nGET / HTTP/1.1\n", False),
        (b"", False),
    ],
)
def test_what_begins_like_http(text: bytes, is_http: bool) -> None:
    assert begins_like_http(text) == is_http
