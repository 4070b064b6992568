"""The request parser: what it accepts, what it refuses, whole and in pieces, both builds."""

from __future__ import annotations

import itertools
import re
import resource
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.resp.inline import HttpRequest, ProtocolError

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*.bin"))

GET = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"

ACCEPTED = [
    pytest.param(GET, [[b"GET", b"k"]], id="an array of bulk strings"),
    pytest.param(b"*1\r\n$0\r\n\r\n", [[b""]], id="an empty argument"),
    pytest.param(b"*0\r\n" + GET, [[b"GET", b"k"]], id="an empty array is passed over"),
    pytest.param(b"*-1\r\n*-5\r\n" + GET, [[b"GET", b"k"]], id="negative counts are passed over"),
    pytest.param(b"\r\n\n" + GET, [[b"GET", b"k"]], id="empty lines are passed over"),
    pytest.param(b"*2\r\n$1\r\n\0\r\n$4\r\n\r\n*1\r\n", [[b"\0", b"\r\n*1"]], id="arguments are binary"),
    pytest.param(b"*1\r\n$1\r\n$\r\n" + GET, [[b"$"], [b"GET", b"k"]], id="an argument that looks like a header"),
    pytest.param(GET * 3, [[b"GET", b"k"]] * 3, id="pipelined"),
    pytest.param(b"PING\r\n", [[b"PING"]], id="inline"),
    pytest.param(b"PING\n", [[b"PING"]], id="inline, line feed only"),
    pytest.param(b"  set  k   v \r\n", [[b"set", b"k", b"v"]], id="inline with many blanks"),
    pytest.param(b"set \"a b\" 'c d'\r\n", [[b"set", b"a b", b"c d"]], id="inline with quotes"),
    pytest.param(b"x \"\\x41\\n\\t\\\"\\q\" '\\''\r\n", [[b"x", b'A\n\t"q', b"'"]], id="inline with escapes"),
    pytest.param(b'x ""\r\n', [[b"x", b""]], id="inline with an empty word"),
    pytest.param(b'{"A":{}}\n', [b'{"A":{}}'], id="a JSON line"),
    pytest.param(b' \t{"A":{}} \r\n', [b'{"A":{}}'], id="a JSON line with blanks around"),
    pytest.param(
        GET + b'{"A":{}}\nPING\r\n' + GET, [[b"GET", b"k"], b'{"A":{}}', [b"PING"], [b"GET", b"k"]], id="mixed"
    ),
]

REFUSED = [
    pytest.param(b"*abc\r\n", "invalid multibulk length", id="a count that is no number"),
    pytest.param(b"*01\r\n", "invalid multibulk length", id="a count with a leading zero"),
    pytest.param(b"*+1\r\n", "invalid multibulk length", id="a count with a plus"),
    pytest.param(b"* 1\r\n", "invalid multibulk length", id="a count with a blank"),
    pytest.param(b"*\r\n", "invalid multibulk length", id="no count"),
    pytest.param(b"*2147483648\r\n", "invalid multibulk length", id="a count beyond 32 bits"),
    pytest.param(b"*1000000000\r\n", "invalid multibulk length", id="a count that would take gigabytes"),
    pytest.param(b"*9223372036854775808\r\n", "invalid multibulk length", id="a count beyond 64 bits"),
    pytest.param(b"*1\r\n:1\r\n", "expected '$', got ':'", id="an integer as argument"),
    pytest.param(b"*2\r\n$3\r\nGET\r\n+k\r\n", "expected '$', got '+'", id="a simple string as argument"),
    pytest.param(b"*1\r\n*1\r\n$1\r\na\r\n", "expected '$', got '*'", id="an array as argument"),
    pytest.param(b"*1\r\n$-1\r\n", "invalid bulk length", id="a null argument"),
    pytest.param(b"*1\r\n$abc\r\n", "invalid bulk length", id="a length that is no number"),
    pytest.param(b"*1\r\n$536870913\r\n", "invalid bulk length", id="an argument beyond 512 MB"),
    pytest.param(b"*1\r\n$1000000000000\r\n", "invalid bulk length", id="an argument of a terabyte"),
    pytest.param(b'set "a b\r\n', "unbalanced quotes in request", id="an open quote"),
    pytest.param(b'set "a"b\r\n', "unbalanced quotes in request", id="a letter behind a quote"),
    pytest.param(b"x" * 70_000, "too big inline request", id="a line without end"),
    pytest.param(b"*" + b"1" * 70_000, "too big mbulk count string", id="a count without end"),
    pytest.param(b"*1\r\n$" + b"1" * 70_000, "too big bulk count string", id="a length without end"),
]


def take(parser: Any) -> list[Any]:
    """All requests that are complete."""
    found = []
    while (request := parser.next()) is not None:
        found.append(request)
    return found


def outcome(parser: Any, pieces: list[bytes]) -> tuple[list[Any], str]:
    """The requests in the pieces, and the error that ends them."""
    found: list[Any] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (request := parser.next()) is not None:
                found.append(request)
    except ProtocolError as error:
        return found, f"{type(error).__name__} {error}"
    return found, ""


@pytest.mark.parametrize(("data", "wanted"), ACCEPTED)
def test_whole(parser_module: ModuleType, data: bytes, wanted: list[Any]) -> None:
    parser = parser_module.Parser()
    parser.feed(data)
    assert take(parser) == wanted
    assert parser.pending == 0


@pytest.mark.parametrize(("data", "wanted"), ACCEPTED)
def test_byte_by_byte(parser_module: ModuleType, data: bytes, wanted: list[Any]) -> None:
    assert outcome(parser_module.Parser(), [data[i : i + 1] for i in range(len(data))]) == (wanted, "")


@pytest.mark.parametrize(("data", "wanted"), ACCEPTED)
def test_with_the_beginning_of_another_request(parser_module: ModuleType, data: bytes, wanted: list[Any]) -> None:
    parser = parser_module.Parser()
    parser.feed(data + GET[:-4])
    assert take(parser) == wanted
    assert parser.pending > 0
    parser.feed(GET[-4:])
    assert take(parser) == [[b"GET", b"k"]]


@pytest.mark.parametrize(("data", "text"), REFUSED)
def test_refused(parser_module: ModuleType, data: bytes, text: str) -> None:
    parser = parser_module.Parser()
    parser.feed(GET + data)
    assert parser.next() == [b"GET", b"k"]
    for _ in range(2):  # and it stays refused
        with pytest.raises(ProtocolError, match=re.escape(f"Protocol error: {text}")):
            parser.next()


@pytest.mark.parametrize(("data", "text"), [p for p in REFUSED if len(p.values[0]) < 1000])
def test_refused_byte_by_byte(parser_module: ModuleType, data: bytes, text: str) -> None:
    found, error = outcome(parser_module.Parser(), [bytes([byte]) for byte in data])
    assert (found, error) == ([], f"ProtocolError Protocol error: {text}")


@pytest.mark.parametrize(
    "line", ["GET / HTTP/1.1", "POST / HTTP/1.1", "POST /x", "Host: example.org", "host: x", "PUT /api HTTP/1.0"]
)
def test_http_is_noticed(parser_module: ModuleType, line: str) -> None:
    parser = parser_module.Parser()
    parser.feed(line.encode() + b"\r\n")
    with pytest.raises(HttpRequest):
        parser.next()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"*11\r\n", "unauthenticated multibulk length", id="many arguments"),
        pytest.param(b"*1\r\n$16385\r\n", "unauthenticated bulk length", id="a big argument"),
        pytest.param(b"{" + b" " * 70_000, "too big JSON request", id="a big JSON line"),
    ],
)
def test_strangers_have_smaller_limits(parser_module: ModuleType, data: bytes, text: str) -> None:
    parser = parser_module.Parser()
    parser.authenticated = False
    assert outcome(parser, [data]) == ([], f"ProtocolError Protocol error: {text}")


def test_limits_can_be_set(parser_module: ModuleType) -> None:
    parser = parser_module.Parser()
    parser.max_bulk = 10
    assert outcome(parser, [b"*1\r\n$11\r\nxxxxxxxxxxx\r\n"])[1].endswith("invalid bulk length")
    parser = parser_module.Parser()
    parser.max_json = 100
    _found, error = outcome(parser, [b'{"a":"' + b"x" * 200 + b'"}\n'])
    assert error.endswith("too big JSON request")


def test_a_big_command_in_pieces_is_not_parsed_anew_for_each(parser_module: ModuleType, encode_command: Any) -> None:
    argv = ["MSET", *(f"key:{i:08}" for i in range(20_000))]
    data = encode_command(*argv)
    found, error = outcome(parser_module.Parser(), [data[i : i + 1000] for i in range(0, len(data), 1000)])
    assert (len(found), len(found[0]), error) == (1, 20_001, "")


def test_a_big_argument_in_pieces(parser_module: ModuleType) -> None:
    value = bytes(range(256)) * 40_000
    data = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%b\r\n" % (len(value), value) + GET
    found, _ = outcome(parser_module.Parser(), [data[i : i + 65536] for i in range(0, len(data), 65536)])
    assert found == [[b"SET", b"k", value], [b"GET", b"k"]]


def test_a_big_json_line_in_pieces(parser_module: ModuleType) -> None:
    line = b'{"KV_SET":{"keys":{"k":"' + b"v" * 3_000_000 + b'"}}}'
    data = line + b"\n" + GET
    found, _ = outcome(parser_module.Parser(), [data[i : i + 65536] for i in range(0, len(data), 65536)])
    assert found == [line, [b"GET", b"k"]]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.stem)
def test_seeds(both_parsers: Any, seed: Path) -> None:
    data = seed.read_bytes()
    plain, compiled = both_parsers
    assert outcome(plain(), [data]) == outcome(compiled(), [data])


arguments = st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b"$", b"*1", b"\r\n", b"{", b""])), min_size=1)
requests = st.lists(arguments, min_size=1, max_size=6)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(ends)]


@settings(max_examples=200, deadline=None)
@given(commands=requests, places=st.lists(st.integers(0, 400), max_size=8))
def test_commands_come_back_however_they_are_cut(commands: list[list[bytes]], places: list[int]) -> None:
    from januskv.resp.parser import Parser

    data = b"".join(b"*%d\r\n" % len(c) + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in c) for c in commands)
    assert outcome(Parser(), cut(data, places)) == (commands, "")


noise = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"*1\r\n", b"*2\r\n", b"$3\r\n", b"$0\r\n", b"GET", b"\r\n", b"*-1\r\n", b"{", b"}", b'"', b"'", b"\n"]
        ),
    ),
    max_size=20,
).map(b"".join)


@settings(max_examples=500, deadline=None)
@given(data=noise, places=st.lists(st.integers(0, 200), max_size=4))
def test_both_builds_read_noise_alike(both_parsers: Any, data: bytes, places: list[int]) -> None:
    plain, compiled = both_parsers
    assert outcome(plain(), cut(data, places)) == outcome(compiled(), cut(data, places))


def test_memory_stays_flat(parser_module: ModuleType) -> None:
    parser = parser_module.Parser()

    def work(rounds: int) -> int:
        for _ in range(rounds):
            parser.feed(GET * 50 + GET[:9])
            parser.feed(GET[9:] + b'{"a":1}\n')
            assert len(take(parser)) == 52
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = work(2000)
    assert work(4000) - before < 4096  # KiB
