"""Reply values to bytes, on both builds."""

from __future__ import annotations

import enum
import math
from array import array
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.resp.decoder import Pairs, ReplyReader
from januskv.resp.replies import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    PONG,
    QUEUED,
    Attribute,
    Choice,
    Entries,
    ErrorReply,
    FlatMap,
    Framed,
    NamedRows,
    PairMap,
    Push,
    RawReply,
    Rows,
    SampleNumber,
    SetReply,
    Several,
    Simple,
    SpeltDouble,
    Verbatim,
)
from januskv.resp.slices import Many


class Number(enum.IntEnum):
    ONE = 1
    BIG = 1 << 70


Pair = namedtuple("Pair", "left right")


class Text(str):
    pass


FORMS = [
    pytest.param(None, b"$-1\r\n", b"_\r\n", id="null"),
    pytest.param(NULL_ARRAY, b"*-1\r\n", b"_\r\n", id="null array"),
    pytest.param(NO_REPLY, b"", b"", id="no reply"),
    pytest.param(OK, b"+OK\r\n", b"+OK\r\n", id="OK"),
    pytest.param(PONG, b"+PONG\r\n", b"+PONG\r\n", id="PONG"),
    pytest.param(QUEUED, b"+QUEUED\r\n", b"+QUEUED\r\n", id="QUEUED"),
    pytest.param(Simple(b"OK"), b"+OK\r\n", b"+OK\r\n", id="another OK"),
    pytest.param(Simple(b""), b"+\r\n", b"+\r\n", id="empty simple string"),
    pytest.param(True, b":1\r\n", b"#t\r\n", id="true"),
    pytest.param(False, b":0\r\n", b"#f\r\n", id="false"),
    pytest.param(0, b":0\r\n", b":0\r\n", id="zero"),
    pytest.param(9999, b":9999\r\n", b":9999\r\n", id="a small integer"),
    pytest.param(10_000, b":10000\r\n", b":10000\r\n", id="a bigger integer"),
    pytest.param(-1, b":-1\r\n", b":-1\r\n", id="minus one"),
    pytest.param((1 << 63) - 1, b":9223372036854775807\r\n", b":9223372036854775807\r\n", id="the biggest integer"),
    pytest.param(-(1 << 63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n", id="the smallest integer"),
    pytest.param(1 << 63, b"$19\r\n9223372036854775808\r\n", b"(9223372036854775808\r\n", id="a big number"),
    pytest.param(
        -(1 << 70), b"$23\r\n-1180591620717411303424\r\n", b"(-1180591620717411303424\r\n", id="below 64 bits"
    ),
    pytest.param(1.5, b"$3\r\n1.5\r\n", b",1.5\r\n", id="a double"),
    pytest.param(3.0, b"$1\r\n3\r\n", b",3\r\n", id="a whole double"),
    pytest.param(math.inf, b"$3\r\ninf\r\n", b",inf\r\n", id="infinity"),
    pytest.param(-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n", id="minus infinity"),
    pytest.param(math.nan, b"$3\r\nnan\r\n", b",nan\r\n", id="not a number"),
    pytest.param(b"", b"$0\r\n\r\n", b"$0\r\n\r\n", id="empty bytes"),
    pytest.param(b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n", id="bytes keep line ends"),
    pytest.param(
        b"x" * 5000, b"$5000\r\n" + b"x" * 5000 + b"\r\n", b"$5000\r\n" + b"x" * 5000 + b"\r\n", id="long bytes"
    ),
    pytest.param("zwölf", b"$6\r\nzw\xc3\xb6lf\r\n", b"$6\r\nzw\xc3\xb6lf\r\n", id="text"),
    pytest.param([], b"*0\r\n", b"*0\r\n", id="empty array"),
    pytest.param([1, b"a", None], b"*3\r\n:1\r\n$1\r\na\r\n$-1\r\n", b"*3\r\n:1\r\n$1\r\na\r\n_\r\n", id="array"),
    pytest.param((1, (True,)), b"*2\r\n:1\r\n*1\r\n:1\r\n", b"*2\r\n:1\r\n*1\r\n#t\r\n", id="tuples"),
    pytest.param([[NULL_ARRAY]], b"*1\r\n*1\r\n*-1\r\n", b"*1\r\n*1\r\n_\r\n", id="null array in arrays"),
    pytest.param(
        {b"a": 1, b"b": []},
        b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n*0\r\n",
        b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n*0\r\n",
        id="map",
    ),
    pytest.param({}, b"*0\r\n", b"%0\r\n", id="empty map"),
    pytest.param(SetReply([1, 2]), b"*2\r\n:1\r\n:2\r\n", b"~2\r\n:1\r\n:2\r\n", id="set"),
    pytest.param(
        Push([b"message", None]), b"*2\r\n$7\r\nmessage\r\n$-1\r\n", b">2\r\n$7\r\nmessage\r\n_\r\n", id="push"
    ),
    pytest.param(Verbatim(b"txt", b"a\nb"), b"$3\r\na\nb\r\n", b"=7\r\ntxt:a\nb\r\n", id="verbatim"),
    pytest.param(
        Verbatim(b"mkd", b"x" * 96),
        b"$96\r\n" + b"x" * 96 + b"\r\n",
        b"=100\r\nmkd:" + b"x" * 96 + b"\r\n",
        id="a longer verbatim",
    ),
    pytest.param(
        Attribute({b"ttl": 5}, [1]), b"*1\r\n:1\r\n", b"|1\r\n$3\r\nttl\r\n:5\r\n*1\r\n:1\r\n", id="attribute"
    ),
    pytest.param(ErrorReply("ERR no"), b"-ERR no\r\n", b"-ERR no\r\n", id="error"),
    pytest.param(ErrorReply(b"ERR \xff"), b"-ERR \xff\r\n", b"-ERR \xff\r\n", id="error with bytes"),
    pytest.param(
        ErrorReply("ERR got '\udcff'"),
        b"-ERR got '\xff'\r\n",
        b"-ERR got '\xff'\r\n",
        id="error with a byte that is not text",
    ),
    pytest.param(RawReply(b"*1\r\n:1\r\n"), b"*1\r\n:1\r\n", b"*1\r\n:1\r\n", id="raw"),
    pytest.param([RawReply(b":1\r\n")], b"*1\r\n:1\r\n", b"*1\r\n:1\r\n", id="raw in an array"),
    pytest.param(
        ErrorReply("ERR 'x\r\n+OK\r\n'"), b"-ERR 'x  +OK  '\r\n", b"-ERR 'x  +OK  '\r\n", id="an error forges no reply"
    ),
    pytest.param(Simple(b"a\rb\nc"), b"+a b c\r\n", b"+a b c\r\n", id="nor does a simple string"),
    pytest.param(Number.ONE, b":1\r\n", b":1\r\n", id="an enum's integer"),
    pytest.param(
        Number.BIG, b"$22\r\n1180591620717411303424\r\n", b"(1180591620717411303424\r\n", id="an enum's big number"
    ),
    pytest.param(Pair(1, 2), b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:1\r\n:2\r\n", id="a named tuple"),
    pytest.param(OrderedDict(a=1), b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n", id="an ordered dict"),
    pytest.param(Text("a"), b"$1\r\na\r\n", b"$1\r\na\r\n", id="a string's subclass"),
    pytest.param(SetReply({b"a"}), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n", id="members in a set"),
    pytest.param(
        FlatMap([1, 2, 1, 3]), b"*4\r\n:1\r\n:2\r\n:1\r\n:3\r\n", b"%2\r\n:1\r\n:2\r\n:1\r\n:3\r\n", id="flat map"
    ),
    pytest.param(Rows([(1, True)]), b"*2\r\n:1\r\n:1\r\n", b"*1\r\n*2\r\n:1\r\n#t\r\n", id="rows"),
    pytest.param(Rows([]), b"*0\r\n", b"*0\r\n", id="no rows"),
    pytest.param(PairMap([(1, 2)]), b"*1\r\n*2\r\n:1\r\n:2\r\n", b"%1\r\n:1\r\n:2\r\n", id="map of pairs"),
    pytest.param(
        NamedRows([(1, 2, 3)]), b"*1\r\n*3\r\n:1\r\n:2\r\n:3\r\n", b"%1\r\n:1\r\n*2\r\n:2\r\n:3\r\n", id="named rows"
    ),
    pytest.param(
        NamedRows([(1, 2, 3, 4)], slice(2, -1)),
        b"*1\r\n*3\r\n:1\r\n:2\r\n:4\r\n",
        b"%1\r\n:1\r\n*3\r\n:2\r\n:3\r\n:4\r\n",
        id="named rows with items that RESP3 alone has",
    ),
    pytest.param(Choice(2, 3), b":2\r\n", b":3\r\n", id="one of two"),
    pytest.param(SampleNumber(0.5), b"+5E-1\r\n", b",0.5\r\n", id="the value of a sample"),
    pytest.param(SpeltDouble(b"1.50"), b"$4\r\n1.50\r\n", b",1.50\r\n", id="a double with its digits"),
    pytest.param(Several([1, 2]), b":1\r\n:2\r\n", b":1\r\n:2\r\n", id="several replies"),
    pytest.param(
        Entries([(5 << 64 | 7, (b"f", b"v")), ((1 << 128) - 1, ())]),
        *[
            b"*2\r\n*2\r\n$3\r\n5-7\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$41\r\n%d-%d\r\n*0\r\n"
            % ((1 << 64) - 1, (1 << 64) - 1)
        ]
        * 2,
        id="entries of a stream",
    ),
    pytest.param(
        Framed(2, [b"a", b"b"], lambda part, mark, end: mark + b"1" + end + part + end),
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        id="framed by its holder",
    ),
    pytest.param([Many([1, 2], SetReply)], b"*1\r\n*2\r\n:1\r\n:2\r\n", b"*1\r\n~2\r\n:1\r\n:2\r\n", id="many items"),
    pytest.param(Many([(1, 2)], Rows), b"*2\r\n:1\r\n:2\r\n", b"*1\r\n*2\r\n:1\r\n:2\r\n", id="many rows"),
]


@pytest.mark.parametrize(("reply", "two", "three"), FORMS)
def test_forms(encoder: ModuleType, reply: Any, two: bytes, three: bytes) -> None:
    assert encoder.encode(reply) == two
    assert encoder.encode(reply, 3) == three


@pytest.mark.parametrize(("reply", "two", "three"), FORMS)
def test_forms_in_a_row(encoder: ModuleType, reply: Any, two: bytes, three: bytes) -> None:
    out = encoder.Encoder()
    out.write(reply)
    out.protocol = 3
    out.write(reply)
    out.write(b"end")
    assert out.size == len(two) + len(three) + 9
    assert out.take() == two + three + b"$3\r\nend\r\n"
    assert out.size == 0
    assert out.take() == b""


@pytest.mark.parametrize(
    "wrong", [object(), {1, 2}, bytearray(b"a"), 1j, Exception, ...], ids=lambda wrong: type(wrong).__name__
)
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda wrong: wrong, id="itself"),
        pytest.param(lambda wrong: [b"x" * 100, [1, wrong]], id="in arrays"),
        pytest.param(lambda wrong: {b"a": 1, b"b": wrong}, id="in a map"),
        pytest.param(lambda wrong: SetReply([wrong]), id="in a set"),
        pytest.param(lambda wrong: Attribute({b"a": b"b"}, (wrong,)), id="behind attributes"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 3])
def test_what_is_no_reply_leaves_nothing(
    encoder: ModuleType, wrong: Any, wrap: Callable[[Any], Any], protocol: int
) -> None:
    out = encoder.Encoder(protocol)
    out.write(1)
    with pytest.raises(TypeError):
        out.write(wrap(wrong))
    out.write(2)
    assert out.take() == b":1\r\n:2\r\n"


def test_a_lone_surrogate_leaves_nothing(encoder: ModuleType) -> None:
    out = encoder.Encoder()
    with pytest.raises(UnicodeEncodeError):
        out.write([1, "\ud800"])
    assert out.take() == b""


def test_nesting(encoder: ModuleType) -> None:
    reply: Any = 1
    for depth in range(200):
        reply = ([reply], (reply,), {b"a": reply}, SetReply([reply]), Attribute({b"a": 1}, [reply]))[depth % 5]
    assert encoder.encode(reply, 2).endswith(b":1\r\n")
    assert encoder.encode(reply, 3).count(b"|1\r\n") == 40


def test_endless_nesting_is_an_error(encoder: ModuleType) -> None:
    inner: list[Any] = []
    inner.append(inner)
    pairs: dict[bytes, Any] = {}
    pairs[b"a"] = pairs
    attribute = Attribute({}, 1)
    attribute.reply = attribute
    out = encoder.Encoder()
    for reply in (inner, (inner,), pairs, SetReply(inner), attribute):
        with pytest.raises(RecursionError):
            out.write(reply)
        assert out.take() == b""


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 100_000])
def test_raw_bytes(encoder: ModuleType, size: int) -> None:
    raw = b"x" * size
    out = encoder.Encoder()
    out.write_raw(raw)
    assert out.size == size
    assert out.take() == raw
    out.write_raw(raw)
    out.write_raw(raw)
    out.write(1)
    assert out.size == 2 * size + 4
    with pytest.raises(TypeError):
        out.write(object())
    out.write_raw(raw)
    assert out.take() == raw * 2 + b":1\r\n" + raw
    assert out.size == 0


def test_size_while_it_grows(encoder: ModuleType) -> None:
    out, size = encoder.Encoder(), 0
    for n in range(3000):
        out.write(b"x" * n)
        size += len(encoder.encode(b"x" * n))
        assert out.size == size
        if n % 1000 == 999:
            assert len(out.take()) == size
            size = 0


def test_the_format_of_verbatim_strings_is_checked() -> None:
    with pytest.raises(ValueError, match="three"):
        Verbatim(b"text", b"")


def test_memory_stays_flat(encoder: ModuleType, resident_bytes: Callable[[], int]) -> None:
    replies = [param.values[0] for param in FORMS] + [b"x" * 500_000, [b"y" * 1000] * 300]

    def work() -> None:
        out = encoder.Encoder(3)
        for reply in replies:
            out.write(reply)
            with pytest.raises(TypeError):
                out.write([reply, object()])
        out.take()
        out.write_raw(b"z" * 100_000)
        out.write(1)

    for _ in range(20):
        work()
    before = resident_bytes()
    for _ in range(150):
        work()
    assert resident_bytes() - before < 4 << 20


# ---------------------------------------------------------------- doubles

DOUBLES = [
    (0.0, b"0"),
    (-0.0, b"-0"),
    (1.0, b"1"),
    (-17.0, b"-17"),
    (0.1, b"0.1"),
    (-2.5, b"-2.5"),
    (3.14159, b"3.14159"),
    (1e7, b"10000000"),
    (1e15, b"1000000000000000"),
    (1e16, b"10000000000000000"),
    (2251799813685248.5, b"2251799813685248.5"),
    (2.0**53, b"9007199254740992"),
    (2.0**62, b"4611686018427387904"),
    (2.0**63, b"9223372036854776000"),
    (-(2.0**63), b"-9223372036854776000"),
    (1e19, b"1e+19"),
    (1e20, b"1e+20"),
    (12345678901234567890.0, b"12345678901234567000"),
    (1.5e300, b"1.5e+300"),
    (1e-5, b"0.00001"),
    (1e-6, b"0.000001"),
    (1e-7, b"1e-7"),
    (1.5e-7, b"1.5e-7"),
    (0.0001234567, b"1.234567e-4"),
    (0.001234567, b"0.001234567"),
    (1234.5678901, b"1234.5678901"),
    (12345.678901, b"12345.678901"),
    (12345.6789012, b"1.23456789012e+4"),
    (-12345.6789012, b"-1.23456789012e+4"),
    (1700000000.123456, b"1700000000.123456"),
    (5e-324, b"5e-324"),
    (1.7976931348623157e308, b"1.7976931348623157e+308"),
    (1e100, b"1e+100"),
    (1e-10, b"1e-10"),
]


@pytest.mark.parametrize(("value", "text"), DOUBLES)
def test_doubles(encoder: ModuleType, value: float, text: bytes) -> None:
    assert encoder.double_text(value) == text


SAMPLES = [
    (3.0, b"3"),
    (-0.0, b"-0"),
    (22.5, b"22.5"),
    (12345.678, b"12345.678"),
    (0.75, b"7.5E-1"),
    (-0.0625, b"-6.25E-2"),
    (1e-7, b"1E-7"),
    (1e15, b"1000000000000000"),
    (2.0**52 + 1, b"4503599627370497"),
    (2.0**53 - 2, b"9.00719925474099E15"),
    (1e20, b"1E20"),
    (-1.25e300, b"-1.25E300"),
    (math.inf, b"Infinity"),
    (-math.inf, b"-Infinity"),
    (math.nan, b"NaN"),
]


@pytest.mark.parametrize(("value", "text"), SAMPLES)
def test_values_of_samples(encoder: ModuleType, value: float, text: bytes) -> None:
    assert encoder.sample_text(value) == text


@given(value=st.floats() | st.builds(lambda number, power: number / 10**power, st.integers(), st.integers(0, 8)))
@settings(max_examples=1000)
def test_values_of_samples_come_back(encoders: list[ModuleType], value: float) -> None:
    texts = {encoder.sample_text(value) for encoder in encoders}
    assert len(texts) == 1
    text = texts.pop()
    assert float(text) == value or (text == b"NaN" and math.isnan(value))
    assert len(text) <= 26


@given(value=st.floats() | st.builds(lambda number, power: number / 10**power, st.integers(), st.integers(0, 8)))
@settings(max_examples=1000)
def test_doubles_come_back(encoders: list[ModuleType], value: float) -> None:
    texts = {encoder.double_text(value) for encoder in encoders}
    assert len(texts) == 1
    text = texts.pop()
    assert float(text) == value or (text == b"nan" and math.isnan(value))
    assert len(text) <= 26


# ---------------------------------------------------------------- properties

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(allow_nan=False),
    st.binary(max_size=60),
    st.text(max_size=20),
    st.sampled_from([NULL_ARRAY, OK, PONG]),
    st.binary(max_size=20).map(Simple),
    st.binary(max_size=20).map(ErrorReply),
    st.builds(Verbatim, st.binary(min_size=3, max_size=3), st.binary(max_size=30)),
)
KEYS = st.one_of(st.binary(max_size=8), st.integers(), st.text(max_size=8))
REPLIES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.lists(inner, max_size=4).map(SetReply),
        st.lists(inner, max_size=4).map(Push),
        st.builds(Attribute, st.dictionaries(st.binary(max_size=8), inner, max_size=2), inner),
    ),
    max_leaves=12,
)


def as_read(reply: Any, protocol: int) -> Any:
    """What a client reads when this was sent: plain values in tuples that tell their kind."""
    match reply:
        case None:
            return ("null",)
        case bool():
            return ("boolean", reply) if protocol == 3 else ("integer", int(reply))
        case int():
            if protocol == 2 and not -(1 << 63) <= reply < 1 << 63:
                return ("bulk", b"%d" % reply)
            return ("integer", reply)
        case float():
            return ("double", reply) if protocol == 3 else ("bulk", float(reply))
        case bytes():
            return ("bulk", reply)
        case str():
            return ("bulk", reply.encode())
        case list() if isinstance(reply, Pairs):
            return ("map", [(as_read(key, protocol), as_read(value, protocol)) for key, value in reply])
        case list() | tuple():
            return ("array", [as_read(item, protocol) for item in reply])
        case dict():
            pairs = [(as_read(key, protocol), as_read(value, protocol)) for key, value in reply.items()]
            return ("map", pairs) if protocol == 3 else ("array", [each for pair in pairs for each in pair])
        case SetReply() | Push():
            kind = type(reply).__name__ if protocol == 3 else "array"
            return (kind, [as_read(item, protocol) for item in reply.items])
        case Simple() | ErrorReply():
            return (type(reply).__name__, reply.text.replace(b"\r", b" ").replace(b"\n", b" "))
        case Verbatim():
            return ("verbatim", reply.format, reply.text) if protocol == 3 else ("bulk", reply.text)
        case Attribute():
            inner = as_read(reply.reply, protocol)
            return ("attribute", as_read(reply.attributes, protocol), inner) if protocol == 3 else inner
    return ("null",) if protocol == 3 else ("null array",)


def same(sent: Any, read: Any) -> bool:
    if isinstance(sent, tuple | list) and isinstance(read, tuple | list):
        return len(sent) == len(read) and all(map(same, sent, read))
    if isinstance(sent, float) and isinstance(read, bytes):  # a double of RESP2
        return float(read) == sent
    return type(sent) is type(read) and bool(sent == read)


@given(reply=REPLIES, protocol=st.sampled_from([2, 3]), cut=st.integers(0, 200))
@settings(deadline=None, max_examples=300)
def test_every_reply_is_read_back(encoders: list[ModuleType], reply: Any, protocol: int, cut: int) -> None:
    wires = [encoder.encode(reply, protocol) for encoder in encoders]
    assert wires[0] == wires[1]
    reader = ReplyReader()
    reader.feed(wires[0][:cut])
    found = reader.gets()
    if found is None:
        reader.feed(wires[0][cut:])
        found = reader.gets()
    assert found is not None
    assert found[0] == wires[0]
    assert same(as_read(reply, protocol), as_read(found[1], protocol))
    assert reader.gets() is None
    assert reader.buffer == b""


@pytest.mark.parametrize("protocol", [2, 3])
@given(st.lists(st.tuples(st.integers(-(1 << 63), (1 << 63) - 1), st.floats())))
def test_rows_of_numbers_are_what_single_replies_would_be(
    encoders: list[Any], protocol: int, rows: list[tuple[int, float]]
) -> None:
    for encoder in encoders:
        values = [value if protocol == 3 else Simple(encoder.sample_text(value)) for _, value in rows]
        expected = encoder.encode([[time, value] for (time, _), value in zip(rows, values, strict=True)], protocol)
        columns = array("q", [time for time, _ in rows]), array("d", [value for _, value in rows])
        assert encoder.array_head(len(rows)) + encoder.number_rows(*columns, protocol) == expected
