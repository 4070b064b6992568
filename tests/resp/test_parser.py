"""Requests from bytes, on both builds: whole, byte by byte, and with more behind them."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from januskv.resp.inline import HttpRequest, ProtocolError, split_words

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*.bin"))
KIB = 1024


def encoded(*argv: bytes) -> bytes:
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in argv)


PING = encoded(b"PING")


def requests_of(parser: Any) -> list[Any]:
    """What the parser has to give; an error ends the list, as its text."""
    found: list[Any] = []
    try:
        while (request := parser.next()) is not None:
            found.append(request)
    except HttpRequest:
        found.append("HTTP")
    except ProtocolError as error:
        found.append(("JSON " if error.json else "") + str(error).removeprefix("Protocol error: "))
    return found


def parse(parser: Any, chunks: Iterable[bytes]) -> list[Any]:
    found: list[Any] = []
    for chunk in chunks:
        parser.feed(chunk)
        found += requests_of(parser)
        if found and type(found[-1]) is str:
            break
    return found


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


# ---------------------------------------------------------------- what is taken

TAKEN = [
    pytest.param(b"*1\r\n$4\r\nPING\r\n", [[b"PING"]], id="one array"),
    pytest.param(encoded(b"GET", b"k") * 3, [[b"GET", b"k"]] * 3, id="a pipeline"),
    pytest.param(encoded(b"SET", b"", b""), [[b"SET", b"", b""]], id="empty arguments"),
    pytest.param(b"*1\r\n$0\r\n\r\n", [[b""]], id="an empty name is a request"),
    pytest.param(encoded(b"SET", b"k", bytes(range(256))), [[b"SET", b"k", bytes(range(256))]], id="all bytes"),
    pytest.param(
        encoded(b"SET", b"k", b"\r\n*1\r\n$4\r\nPING\r\n"),
        [[b"SET", b"k", b"\r\n*1\r\n$4\r\nPING\r\n"]],
        id="a request as value",
    ),
    pytest.param(
        encoded(b"KEYS", b"*") + encoded(b"GET", b"$1"), [[b"KEYS", b"*"], [b"GET", b"$1"]], id="marks as values"
    ),
    pytest.param(b"*0\r\n*-1\r\n*-9223372036854775808\r\n" + PING, [[b"PING"]], id="empty and null arrays are skipped"),
    pytest.param(b"\r\n\n  \r\n" + PING + b"\r\n" + PING, [[b"PING"]] * 2, id="empty lines are skipped"),
    pytest.param(b"*1\r\n$4\r\nPINGxy", [[b"PING"]], id="two bytes behind an argument are not looked at"),
    pytest.param(
        b"*2\r\n$4\r\nECHO$1$1\r\na$4" + PING, [[b"ECHO", b"a"], [b"PING"]], id="nor in the middle of an array"
    ),
    pytest.param(b"*1\rX$4\rYPING\r\n", [[b"PING"]], id="a header ends at its carriage return"),
    pytest.param(
        encoded(b"MSET", *[b"%d" % n for n in range(2000)]),
        [[b"MSET", *[b"%d" % n for n in range(2000)]]],
        id="many arguments",
    ),
    pytest.param(encoded(b"SET", b"k", b"v" * 50_000), [[b"SET", b"k", b"v" * 50_000]], id="a big argument"),
    pytest.param(encoded(b"a" * 30_000, b"b" * 20_000), [[b"a" * 30_000, b"b" * 20_000]], id="two big arguments"),
    pytest.param(b"PING\r\n", [[b"PING"]], id="inline"),
    pytest.param(b"PING\nGET k\n", [[b"PING"], [b"GET", b"k"]], id="a line feed alone ends a line"),
    pytest.param(b"  SET\t k   v \r\n", [[b"SET", b"k", b"v"]], id="blanks between words"),
    pytest.param(b"SET a\vb\x0cc \v d\n", [[b"SET", b"a\vb\x0cc", b"d"]], id="a vertical tab does not end a word"),
    pytest.param(b"SET a\vb 'c'\vd\n", [[b"SET", b"a\vb", b"c", b"d"]], id="but may follow a quote"),
    pytest.param(b"\v \tGET \1\x1f\x7f\n", [[b"GET", b"\1\x1f\x7f"]], id="arguments may hold control characters"),
    pytest.param(b'"\\x16\\x03" "\\x00"\n', [[b"\x16\x03", b"\0"]], id="escaped bytes may be any"),
    pytest.param(b"GET a\rb\r\n", [[b"GET", b"a", b"b"]], id="a carriage return within a line is a blank"),
    pytest.param(b"GET \xff\xc3\xa4\n", [[b"GET", b"\xff\xc3\xa4"]], id="inline bytes need not be UTF-8"),
    pytest.param(b"$4\r\nPING\r\n", [[b"$4"], [b"PING"]], id="a bulk string outside an array is a line"),
    pytest.param(
        b":1\r\n+OK\r\n-ERR\r\n%1\r\n~1\r\n>1\r\n_\r\n#t\r\n,1\r\n(1\r\n=1\r\n|1\r\n!1\r\n",
        [[x] for x in b":1 +OK -ERR %1 ~1 >1 _ #t ,1 (1 =1 |1 !1".split()],
        id="types of replies are words",
    ),
    pytest.param(
        b'SET k "a\\x41\\n\\r\\t\\b\\a\\"\\\\\\q"\n',
        [[b"SET", b"k", b'aA\n\r\t\b\a"\\q']],
        id="escapes in double quotes",
    ),
    pytest.param(b'GET "\\x4g\\x"\n', [[b"GET", b"x4gx"]], id="an escape that is not a hex number"),
    pytest.param(b"SET k 'a\\'b\\n\"'\n", [[b"SET", b"k", b"a'b\\n\""]], id="escapes in single quotes"),
    pytest.param(b"GET \"\" ''\n", [[b"GET", b"", b""]], id="empty words in quotes"),
    pytest.param(b'""\n', [[b""]], id="an empty name in quotes"),
    pytest.param(b'GET a"b c"\n', [[b"GET", b"ab c"]], id="a quote may begin within a word"),
    pytest.param(b'{"KV_GET":{}}\n', [b'{"KV_GET":{}}'], id="a JSON line"),
    pytest.param(b' \t{"a":"\r\\n"} \t\r\n', [b'{"a":"\r\\n"}'], id="blanks around JSON"),
    pytest.param(b"{\n{}\r\n", [b"{", b"{}"], id="JSON is not looked into"),
    pytest.param(
        PING + b"{}\n" + b"PING\r\n" + PING + b"{}\n",
        [[b"PING"], b"{}", [b"PING"], [b"PING"], b"{}"],
        id="all kinds mixed",
    ),
    pytest.param(
        b'{"' + b"x" * 100_000 + b'"}\n',
        [b'{"' + b"x" * 100_000 + b'"}'],
        id="JSON beyond the limit of inline commands",
    ),
    pytest.param(
        b"GET " + b"x" * (64 * KIB - 4) + b"\n", [[b"GET", b"x" * (64 * KIB - 4)]], id="the longest inline command"
    ),
    pytest.param(b" " * 64 * KIB + b"{}\n", [b"{}"], id="JSON behind as many blanks as a line may have"),
    pytest.param(b"GET x HTTP/1.2\r\n", [[b"GET", b"x", b"HTTP/1.2"]], id="no HTTP version that browsers speak"),
    pytest.param(
        b"GET xHTTP/1.1\r\npostal 1\nhost:x\n",
        [[b"GET", b"xHTTP/1.1"], [b"postal", b"1"], [b"host:x"]],
        id="not quite HTTP",
    ),
    pytest.param(encoded(b"POST", b"/ HTTP/1.1"), [[b"POST", b"/ HTTP/1.1"]], id="an array is not an HTTP request"),
]


@pytest.mark.parametrize(("data", "requests"), TAKEN)
def test_taken_whole(parser_class: Any, data: bytes, requests: list[Any]) -> None:
    parser = parser_class()
    assert parse(parser, [data]) == requests
    assert parser.pending == 0


@pytest.mark.parametrize(("data", "requests"), TAKEN)
def test_taken_byte_by_byte(parser_class: Any, data: bytes, requests: list[Any]) -> None:
    parser = parser_class()
    assert parse(parser, byte_by_byte(data)) == requests
    assert parser.pending == 0


@pytest.mark.parametrize(("data", "requests"), TAKEN)
@pytest.mark.parametrize("more", [PING, b"PING\n", b"*1\r\n$4\r\nPI", b"{"], ids=["array", "line", "half", "JSON"])
def test_taken_with_more_behind(parser_class: Any, data: bytes, requests: list[Any], more: bytes) -> None:
    parser = parser_class()
    last = [] if len(more) in (1, 10) else [[b"PING"]]
    assert parse(parser, [data + more]) == requests + last
    assert parser.pending == (0 if last else len(more))


@pytest.mark.parametrize(("data", "requests"), TAKEN)
def test_taken_at_any_split(parser_class: Any, data: bytes, requests: list[Any]) -> None:
    cuts = range(len(data)) if len(data) < 200 else random.Random(len(data)).sample(range(len(data)), 20)
    for cut in cuts:
        assert parse(parser_class(), [data[:cut], data[cut:]]) == requests


@pytest.mark.parametrize(("data", "requests"), TAKEN)
def test_taken_behind_a_request(parser_class: Any, data: bytes, requests: list[Any]) -> None:
    assert parse(parser_class(), [PING + data]) == [[b"PING"], *requests]


# ---------------------------------------------------------------- what is refused

BINARY = "binary data in a command line"

REFUSED = [
    pytest.param(b"*2147483648\r\n", "invalid multibulk length", id="count beyond 32 bits"),
    pytest.param(b"*1048577\r\n", "invalid multibulk length", id="count beyond ours"),
    pytest.param(b"*9223372036854775808\r\n", "invalid multibulk length", id="count beyond 64 bits"),
    pytest.param(b"*-9223372036854775809\r\n", "invalid multibulk length", id="count below 64 bits"),
    pytest.param(b"*99999999999999999999999999\r\n", "invalid multibulk length", id="count of 26 digits"),
    pytest.param(b"*01\r\n", "invalid multibulk length", id="count with a leading zero"),
    pytest.param(b"*-0\r\n", "invalid multibulk length", id="minus zero"),
    pytest.param(b"*+1\r\n", "invalid multibulk length", id="count with a plus"),
    pytest.param(b"* 1\r\n", "invalid multibulk length", id="count behind a space"),
    pytest.param(b"*1 \r\n", "invalid multibulk length", id="count before a space"),
    pytest.param(b"*\r\n", "invalid multibulk length", id="no count"),
    pytest.param(b"*-\r\n", "invalid multibulk length", id="a minus alone"),
    pytest.param(b"*a\r\n", "invalid multibulk length", id="count is not a number"),
    pytest.param(b"*1\n$4\r\n", "invalid multibulk length", id="a line feed alone ends no header"),
    pytest.param(b"*1\0\r\n", "invalid multibulk length", id="a NUL in the count"),
    pytest.param(b"*1_0\r\n", "invalid multibulk length", id="Python's digit groups"),
    pytest.param("*١\r\n".encode(), "invalid multibulk length", id="digits of another script"),
    pytest.param(b"*" + b"1" * 64 * KIB, "too big mbulk count string", id="a count that never ends"),
    pytest.param(b"*1\r\n$" + b"1" * 64 * KIB, "too big bulk count string", id="a size that never ends"),
    pytest.param(b"*1\r\n" + b"x" * (64 * KIB + 1), "too big bulk count string", id="an argument that never begins"),
    pytest.param(b"*1\r\n$-1\r\n", "invalid bulk length", id="a null argument"),
    pytest.param(b"*1\r\n$-2\r\n", "invalid bulk length", id="a negative size"),
    pytest.param(b"*1\r\n$abc\r\n", "invalid bulk length", id="size is not a number"),
    pytest.param(b"*1\r\n$\r\n", "invalid bulk length", id="no size"),
    pytest.param(b"*1\r\n$04\r\nPING\r\n", "invalid bulk length", id="size with a leading zero"),
    pytest.param(b"*1\r\n$+4\r\nPING\r\n", "invalid bulk length", id="size with a plus"),
    pytest.param(b"*1\r\n$4\nPING\r\n", "invalid bulk length", id="a line feed alone after the size"),
    pytest.param(b"*1\r\n$536870913\r\n", "invalid bulk length", id="size beyond the limit"),
    pytest.param(b"*1\r\n$9223372036854775808\r\n", "invalid bulk length", id="size beyond 64 bits"),
    pytest.param(b"*1\r\n:1\r\n", "expected '$', got ':'", id="an integer as argument"),
    pytest.param(b"*1\r\n+PING\r\n", "expected '$', got '+'", id="a simple string as argument"),
    pytest.param(b"*1\r\n=8\r\ntxt:PING\r\n", "expected '$', got '='", id="a verbatim string as argument"),
    pytest.param(b"*1\r\n(1\r\n", "expected '$', got '('", id="a big number as argument"),
    pytest.param(b"*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$', got '*'", id="an array as argument"),
    pytest.param(b"*1\r\n\r\n", "expected '$', got '\r'", id="an empty line as argument"),
    pytest.param(b"*2\r\n$4\r\nPING\r\nPONG\r\n", "expected '$', got 'P'", id="an argument without header"),
    pytest.param(b"*2\r\n$4\r\nPINGx\r\n$1\r\na\r\n", "expected '$', got '\n'", id="an argument longer than told"),
    pytest.param(b"*1\r\n\xff\r\n", "expected '$', got '\udcff'", id="a byte beyond ASCII"),
    pytest.param(b"*1\r\n\0\r\n", "expected '$', got '\0'", id="a NUL"),
    pytest.param(b"x" * (64 * KIB + 1), "too big inline request", id="a line that never ends"),
    pytest.param(b"x" * (64 * KIB + 1) + b"\n", "too big inline request", id="a line that is too long"),
    pytest.param(b" " * (64 * KIB + 1) + b"{}\n", "too big inline request", id="JSON behind too many blanks"),
    pytest.param(b'GET "a\n', "unbalanced quotes in request", id="a double quote is not closed"),
    pytest.param(b"GET 'a\n", "unbalanced quotes in request", id="a single quote is not closed"),
    pytest.param(b'GET "a\\"\n', "unbalanced quotes in request", id="the closing quote is escaped"),
    pytest.param(b'GET "a"b\n', "unbalanced quotes in request", id="a quote is followed by a letter"),
    pytest.param(b"GET 'a''b'\n", "unbalanced quotes in request", id="a quote is followed by a quote"),
    pytest.param(b'GET "a\\\n', "unbalanced quotes in request", id="a backslash at the end"),
    pytest.param(b"GET / HTTP/1.1\r\n", "HTTP", id="GET of HTTP"),
    pytest.param(b"PUT /x HTTP/1.0 \n", "HTTP", id="PUT of HTTP"),
    pytest.param(b"post x\n", "HTTP", id="POST in any case"),
    pytest.param(b"POST\r\n", "HTTP", id="POST alone"),
    pytest.param(b'"POST" x\r\n', "HTTP", id="POST in quotes"),
    pytest.param(b"POST 'x\r\n", "HTTP", id="POST with a quote that is not closed"),
    pytest.param(b"hOST: x\r\n", "HTTP", id="a Host header"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\nSET pwned 1\r\n", BINARY, id="a TLS hello"),
    pytest.param(b"\x16", BINARY, id="the first byte of a TLS hello"),
    pytest.param(b"\x80\x2e\x01\x03\x01", BINARY, id="an SSL 2 hello"),
    pytest.param(b"\0\0\0\x54\0\3\0\0user\0\n", BINARY, id="a length"),
    pytest.param(b"  \x16\x03\n", BINARY, id="binary behind blanks"),
    pytest.param(b"GET\1 a\n", BINARY, id="a control character in the command"),
    pytest.param(b"G\xc3\x89T a\n", BINARY, id="a command that is not ASCII"),
    pytest.param(b'"\xff" a\n', BINARY, id="in quotes, too"),
    pytest.param(b"AMQP\0\0\x09\1\n", BINARY, id="text and a NUL"),
    pytest.param(b"GET a\0b\n", BINARY, id="a NUL in an argument"),
    pytest.param(b"GET 'a\0b'\n", BINARY, id="a NUL in quotes"),
    pytest.param(b"PRI * HTTP/2.0\r\n", "HTTP", id="HTTP 2"),
    pytest.param(b'GET /"x HTTP/1.1\r\n', "HTTP", id="HTTP with an unbalanced quote"),
]


@pytest.mark.parametrize(("data", "text"), REFUSED)
def test_refused_whole(parser_class: Any, data: bytes, text: str) -> None:
    assert parse(parser_class(), [data]) == [text]


@pytest.mark.parametrize(("data", "text"), REFUSED)
def test_refused_byte_by_byte(parser_class: Any, data: bytes, text: str) -> None:
    assert parse(parser_class(), byte_by_byte(data)) == [text]


@pytest.mark.parametrize(("data", "text"), REFUSED)
def test_refused_between_requests(parser_class: Any, data: bytes, text: str) -> None:
    tail = b"" if len(data) > 60_000 else PING
    assert parse(parser_class(), [PING * 3 + data + tail]) == [[b"PING"]] * 3 + [text]
    assert parse(parser_class(), [PING + PING[:5], PING[5:] + data + tail]) == [[b"PING"]] * 2 + [text]


def test_a_broken_parser_stays_broken(parser_class: Any) -> None:
    parser = parser_class()
    parser.feed(PING + b"*1\r\n:1\r\n" + PING)
    assert parser.next() == [b"PING"]
    for _ in range(3):
        with pytest.raises(ProtocolError, match="expected"):
            parser.next()
        parser.feed(PING)
    assert parser.pending == 0


def test_the_text_is_that_of_redis(parser_class: Any) -> None:
    parser = parser_class()
    parser.feed(b"*x\r\n")
    with pytest.raises(ProtocolError) as caught:
        parser.next()
    assert str(caught.value) == "Protocol error: invalid multibulk length"
    assert not caught.value.json


@pytest.mark.parametrize("data", [None, "PING", bytearray(b"PING"), 1])
def test_only_bytes_are_fed(parser_classes: list[Any], data: Any) -> None:
    with pytest.raises(TypeError):
        parser_classes[1]().feed(data)  # the plain build leaves this to the type checker


# ---------------------------------------------------------------- what hiredis takes and Redis does not

DISGUISED = [
    pytest.param(b"*1\r\n+PING\r\n*2\r\n", "expected '$', got '+'", 0, id="simple string, half an array"),
    pytest.param(
        b"*2\r\n+P$\r\n$2\r\n\r\n\r\n", "expected '$', got '+'", 0, id="simple string with marks, line end in a bulk"
    ),
    pytest.param(b"*1\r\n+PING\r\n:0\r\n", "expected '$', got '+'", 0, id="simple string, zero"),
    pytest.param(PING + b"~1\r\n$4\r\nPING\r\n", None, 1, id="a set"),
    pytest.param(b"*1\r\n$1\r\n*\r\n~1\r\n$4\r\nPING\r\n", None, 1, id="a set behind a star"),
    pytest.param(PING + b">1\r\n$4\r\nPING\r\n", None, 1, id="a push"),
    pytest.param(PING + b"|1\r\n$1\r\na\r\n$1\r\nb\r\n" + PING, None, 1, id="an attribute"),
    pytest.param(PING + b"%1\r\n$1\r\na\r\n$1\r\nb\r\n", None, 1, id="a map"),
    pytest.param(PING + b":0\r\n", None, 1, id="zero"),
    pytest.param(PING + b"#f\r\n", None, 1, id="false"),
    pytest.param(PING + b"$0\r\n\r\n", None, 1, id="a bulk string"),
    pytest.param(PING + b"$0\r\n", None, 1, id="half a bulk string"),
    pytest.param(b"*1\r\n$4\r\nPINGxx*2\r\n", None, 1, id="no line end, half an array"),
    pytest.param(b"*1\r\n$2\r\na\r\nX" + PING, None, 1, id="a line end half in the argument"),
    pytest.param(
        b"*1\r\n$4\r\nPINGxx*1\r\n=8\r\n\r\n1:PING\r\n",
        "expected '$', got '='",
        1,
        id="a line end in a verbatim prefix",
    ),
    pytest.param(PING + b"*", None, 1, id="a star behind"),
    pytest.param(PING + b"*1\r\n$4\r\n", None, 1, id="half an array behind"),
    pytest.param(PING + b"*0\r\n" + PING, None, 2, id="an empty array between"),
    pytest.param(PING + b"*1000000000\r\n", "invalid multibulk length", 1, id="room for a thousand million arguments"),
    pytest.param(PING + b"*1\r\n*1000000000\r\n", "expected '$', got '*'", 1, id="the same, nested"),
    pytest.param(PING + b"*1\r\n~1000000000\r\n", "expected '$', got '~'", 1, id="a set as big, nested"),
    pytest.param(PING + b"*1\r\n%1000000000\r\n", "expected '$', got '%'", 1, id="a map as big, nested"),
    pytest.param(PING + b"*1\r\n>1000000000\r\n", "expected '$', got '>'", 1, id="a push as big, nested"),
]


@pytest.mark.parametrize(("data", "text", "served"), DISGUISED)
def test_disguised(parser_classes: list[Any], data: bytes, text: str | None, served: int) -> None:
    results = [parse(parser(), chunks) for parser in parser_classes for chunks in ([data], byte_by_byte(data))]
    for result in results:
        assert result == results[0]
        assert all(type(request) is list for request in result[:served])
        if text is not None:
            assert result[served:] == [text]


# ---------------------------------------------------------------- limits

LIMITED = [
    pytest.param({"max_bulk": 3}, b"*1\r\n$4\r\nPING\r\n", ["invalid bulk length"], id="an argument too long"),
    pytest.param({"max_bulk": 4}, PING * 2, [[b"PING"]] * 2, id="the longest argument"),
    pytest.param(
        {"max_args": 1}, PING + encoded(b"GET", b"k"), [[b"PING"], "invalid multibulk length"], id="too many arguments"
    ),
    pytest.param({"max_inline": 4}, b"PING\n", [[b"PING"]], id="the longest line"),
    pytest.param({"max_inline": 4}, b"PING\r\n", ["too big inline request"], id="its carriage return counts"),
    pytest.param({"max_inline": 40}, b"*" + b"1" * 41 + b"\r\n", ["too big mbulk count string"], id="a long header"),
    pytest.param({"max_json": 4}, b"{  }\n", [b"{  }"], id="the longest JSON"),
    pytest.param({"max_json": 4}, b"{  }\r\n", [b"{  }"], id="its carriage return does not count"),
    pytest.param({"max_json": 4}, b"{   }\n", ["JSON too big JSON request"], id="JSON too long"),
    pytest.param({"max_json": 4}, b"{  } \r\n", ["JSON too big JSON request"], id="blanks count"),
    pytest.param({"max_json": 4}, b"{    ", ["JSON too big JSON request"], id="JSON too long already"),
    pytest.param({"max_json": 4}, b"GET key\n", [[b"GET", b"key"]], id="an inline command may be longer than JSON"),
    pytest.param({"max_json": 4}, b"   {}\n", ["JSON too big JSON request"], id="blanks before it count"),
    pytest.param(
        {"max_json": 9, "max_inline": 2}, b"{      }\n", [b"{      }"], id="JSON may be longer than an inline command"
    ),
    pytest.param(
        {"authenticated": False}, encoded(*[b"x"] * 10), [[b"x"] * 10], id="an unauthenticated client's arguments"
    ),
    pytest.param(
        {"authenticated": False},
        encoded(*[b"x"] * 11),
        ["unauthenticated multibulk length"],
        id="too many for an unauthenticated client",
    ),
    pytest.param(
        {"authenticated": False},
        encoded(b"x" * 16384),
        [[b"x" * 16384]],
        id="an unauthenticated client's longest argument",
    ),
    pytest.param(
        {"authenticated": False},
        encoded(b"x" * 16385),
        ["unauthenticated bulk length"],
        id="too long for an unauthenticated client",
    ),
    pytest.param(
        {"authenticated": False},
        encoded(b"x", b"x" * 16385),
        ["unauthenticated bulk length"],
        id="too long at second place",
    ),
    pytest.param(
        {"authenticated": False},
        b"{" + b" " * 16382 + b"}\n",
        [b"{" + b" " * 16382 + b"}"],
        id="an unauthenticated client's longest JSON",
    ),
    pytest.param(
        {"authenticated": False},
        b"{" + b" " * 16383 + b"}\n",
        ["JSON too big JSON request"],
        id="JSON too long for an unauthenticated client",
    ),
    pytest.param(
        {"authenticated": False}, b"x" * 20_000 + b"\n", [[b"x" * 20_000]], id="lines are as long as anybody's"
    ),
    pytest.param({"authenticated": False}, b"*11x\r\n", ["invalid multibulk length"], id="no number, whoever sends it"),
    pytest.param({"authenticated": False}, b"*1\r\n$536870913\r\n", ["invalid bulk length"], id="too long for anybody"),
]


@pytest.mark.parametrize(("limits", "data", "requests"), LIMITED)
def test_limits(parser_class: Any, limits: dict[str, Any], data: bytes, requests: list[Any]) -> None:
    for chunks in ([data], byte_by_byte(data)):
        parser = parser_class()
        for name, value in limits.items():
            setattr(parser, name, value)
        assert parse(parser, chunks) == requests


def test_limits_end_with_authentication(parser_class: Any) -> None:
    parser = parser_class()
    parser.authenticated = False
    long = encoded(*[b"x"] * 20)
    parser.feed(encoded(b"AUTH", b"secret") + long)
    assert parser.next() == [b"AUTH", b"secret"]
    parser.authenticated = True
    assert parser.next() == [b"x"] * 20


# ---------------------------------------------------------------- pending, memory, time


def test_pending_counts_what_was_not_returned(parser_class: Any) -> None:
    data = encoded(b"MSET", b"k" * 40_000, *[b"%d" % n for n in range(100)]) + b'{"a":1}\n' + b"PING x\n" + PING * 2
    ends, at = [], 0
    for size in (len(data) - 8 - 7 - 28, 8, 7, 14, 14):
        at += size
        ends.append(at)
    parser, returned = parser_class(), 0
    for count, chunk in enumerate(byte_by_byte(data), 1):
        parser.feed(chunk)
        assert parser.pending == count - returned
        while parser.next() is not None:
            returned = ends.pop(0)
        assert parser.pending == count - returned
    assert returned == len(data)


def test_pending_counts_requests_that_wait(parser_class: Any) -> None:
    parser = parser_class()
    one = encoded(b"SET", b"key", b"v" * 100)
    parser.feed(one * 5)
    for left in range(5, 0, -1):
        assert parser.pending == len(one) * left
        parser.next()
    parser.feed(PING)
    assert parser.pending == len(PING)


@pytest.mark.parametrize("header", [b"*1\r\n$536870912\r\n", b"*1048576\r\n$1\r\n", b"*1048576\r\n$536870912\r\n"])
def test_headers_reserve_no_memory(parser_class: Any, resident_bytes: Callable[[], int], header: bytes) -> None:
    parsers = [parser_class() for _ in range(200)]
    before = resident_bytes()
    for parser in parsers:
        parser.feed(PING + header + b"x" * 10)
        assert parser.next() == [b"PING"]
        assert parser.next() is None
    assert resident_bytes() - before < 16 << 20


def seconds(work: Callable[[], Any]) -> float:
    best = 1e9
    for _ in range(3):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


BIG = bytes(range(256)) * 10_000

GROWING = [
    pytest.param(
        lambda n: encoded(b"MSET", *[b"key:%d" % i for i in range(n * 100)]), 512, id="an array of many arguments"
    ),
    pytest.param(lambda n: encoded(b"SET", b"k", b"v" * (n * 16 * KIB)), 512, id="a big argument"),
    pytest.param(lambda n: b"{" + b" " * (n * 16 * KIB) + b"}\n", 512, id="a JSON line"),
    pytest.param(lambda n: (b"GET " + b"x" * 2000 + b"\n") * n, 16, id="lines"),
    pytest.param(lambda n: encoded(b"SET", b"k", b"v" * 1000) * (n * 8), 999, id="a pipeline"),
]


@pytest.mark.parametrize("size", [65_536, 1460])
@pytest.mark.parametrize(
    ("data", "request_"),
    [
        pytest.param(encoded(b"SET", b"k", BIG), [b"SET", b"k", BIG], id="a big argument"),
        pytest.param(
            b'{"k":"' + b"v" * 3_000_000 + b'"}\n', b'{"k":"' + b"v" * 3_000_000 + b'"}', id="a big JSON line"
        ),
        pytest.param(
            encoded(b"MSET", *[b"key:%d" % n for n in range(20_000)]),
            [b"MSET", *[b"key:%d" % n for n in range(20_000)]],
            id="many arguments",
        ),
    ],
)
def test_big_requests_in_pieces(parser_class: Any, data: bytes, request_: Any, size: int) -> None:
    assert parse(parser_class(), in_pieces(data + PING, size)) == [request_, [b"PING"]]


@pytest.mark.parametrize(("make", "piece"), GROWING)
def test_time_is_linear_in_the_bytes(parser_class: Any, make: Callable[[int], bytes], piece: int) -> None:
    # Twenty times the bytes in equal pieces; quadratic work would take four hundred times as long.
    small, big = in_pieces(make(5), piece), in_pieces(make(100), piece)
    one = seconds(lambda: parse(parser_class(), small))
    many = seconds(lambda: parse(parser_class(), big))
    assert many < 100 * one + 0.05


def test_memory_stays_flat(parser_class: Any, resident_bytes: Callable[[], int]) -> None:
    samples: list[bytes] = [param.values[0] for param in TAKEN + REFUSED]  # type: ignore[misc]
    samples = [data for data in samples if len(data) < 60_000]
    samples += [encoded(b"SET", b"k", b"v" * 200_000), b'{"a":"' + b"x" * 200_000 + b'"}\n']

    def work() -> None:
        for data in samples:
            cut = len(data) // 3
            parse(
                parser_class(),
                [PING + data[:cut], data[cut : 2 * cut], data[2 * cut :] + b"*3\r\n$2\r\nab\r\n$70000\r\nabc"],
            )

    for _ in range(20):
        work()
    before = resident_bytes()
    for _ in range(100):
        work()
    assert resident_bytes() - before < 4 << 20


# ---------------------------------------------------------------- properties

ARGS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"GET", b"SET", b"", b"*", b"$", b"\r\n", b"=1", b"~2", b"*123456", b"v" * 20_000]),
)
COMMANDS = st.lists(st.lists(ARGS, min_size=1, max_size=80), max_size=12)
CUTS = st.lists(st.integers(0, 2000), max_size=8)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)] or [data]


@given(commands=COMMANDS, cuts=CUTS)
@settings(deadline=None, max_examples=150)
def test_commands_come_back(parser_classes: list[Any], commands: list[list[bytes]], cuts: list[int]) -> None:
    data = b"".join(encoded(*argv) for argv in commands)
    for parser_class in parser_classes:
        parser = parser_class()
        assert parse(parser, pieces(data, cuts)) == commands
        assert parser.pending == 0


HEADERS = b"*1 *2 *3 *0 *-1 *01 $0 $1 $2 $4 +OK :0 =5 ~1 >1 |1 %1 _ #f ,1 (1 -E".split()
WORDS = rb"* $ PING a ab \" ' \ \x41 { } 1 9 - POST HTTP/1.1 txt:a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".split()
BYTES = [b"\r\n", b"\r", b"\n", b"{}\n", b" ", b"\t", b"\v", b"\0", b"\xff", b" HTTP/1.1\r\n"]
FRAGMENTS: SearchStrategy[bytes] = st.one_of(
    st.sampled_from([header + b"\r\n" for header in HEADERS]),
    st.sampled_from([*WORDS, *BYTES]),
    st.sampled_from([PING, encoded(b"GET", b"k"), encoded(b"SET", b"k", b"v")]),
    st.binary(max_size=6),
)


@given(parts=st.lists(FRAGMENTS, max_size=25), cuts=CUTS, known=st.booleans())
@settings(deadline=None, max_examples=600)
def test_both_builds_agree_on_anything(
    parser_classes: list[Any], parts: list[bytes], cuts: list[int], known: bool
) -> None:
    data = b"".join(parts)
    results = []
    for parser_class in parser_classes:
        for chunks in ([data], pieces(data, cuts), byte_by_byte(data)):
            parser = parser_class()
            parser.authenticated = known
            parser.max_inline, parser.max_json, parser.max_bulk, parser.max_args = 40, 50, 60, 12
            results.append((parse(parser, chunks), parser.pending))
    assert all(result == results[0] for result in results)


@given(line=st.binary(max_size=60))
@settings(deadline=None)
def test_words_without_quotes_are_what_is_between_blanks(line: bytes) -> None:
    if not set(line) & set(b"\"'\v\f"):
        assert split_words(line) == line.split()


@pytest.mark.parametrize("path", SEEDS, ids=[path.stem for path in SEEDS])
def test_seeds(parser_classes: list[Any], path: Path) -> None:
    data = path.read_bytes()
    chunkings = [[data], byte_by_byte(data), in_pieces(data, 7), in_pieces(data, 1000)]
    results = [parse(parser(), chunks) for parser in parser_classes for chunks in chunkings]
    assert all(result == results[0] for result in results)


def test_there_are_seeds() -> None:
    assert len(SEEDS) > 20


# ---------------------------------------------------------------- the end of input


@pytest.mark.parametrize(
    ("data", "last"),
    [
        pytest.param(b'{"A":{}}', b'{"A":{}}', id="a JSON line without its end"),
        pytest.param(PING + b' \t{"A":{}} \r', b'{"A":{}}', id="with blanks around it"),
        pytest.param(b'{"A"', b'{"A"', id="cut"),
        pytest.param(b'{"A":{}}\n', None, id="nothing is left"),
        pytest.param(b"", None, id="nothing at all"),
        pytest.param(b"  ", None, id="blanks"),
        pytest.param(b"DEL a", None, id="a command line may have been cut"),
        pytest.param(b"*1\r\n$4\r\nPING", None, id="an array lacks its end"),
        pytest.param(b"*2\r\n$1\r\na\r\n", None, id="an array lacks an argument"),
        pytest.param(b"*2\r\n$1\r\na\r\n$8\r\n{}", None, id="an argument that looks like JSON is cut"),
        pytest.param(b"*1\r\n:", None, id="broken"),
    ],
)
def test_the_last_line(parser_class: Any, data: bytes, last: bytes | None) -> None:
    for chunks in ([data], byte_by_byte(data)):
        parser = parser_class()
        for chunk in chunks:
            parser.feed(chunk)
            with contextlib.suppress(ProtocolError):
                while parser.next() is not None:
                    pass
        assert parser.finish() is (last is not None)
        if last is not None:
            assert parser.next() == last
            assert not parser.finish()
