"""The reply encoder: every reply value in both protocols, both builds, and back."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.resp.decoder import Pairs, ReplyReader
from januskv.resp.encoder import encode
from januskv.resp.replies import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    PONG,
    Attribute,
    ErrorReply,
    Push,
    RawReply,
    SetReply,
    Simple,
    Verbatim,
)

FORMS = [
    pytest.param(None, b"$-1\r\n", b"_\r\n", id="null"),
    pytest.param(NULL_ARRAY, b"*-1\r\n", b"_\r\n", id="null array"),
    pytest.param(True, b":1\r\n", b"#t\r\n", id="true"),
    pytest.param(False, b":0\r\n", b"#f\r\n", id="false"),
    pytest.param(0, b":0\r\n", b":0\r\n", id="zero"),
    pytest.param(-5, b":-5\r\n", b":-5\r\n", id="negative"),
    pytest.param(12345, b":12345\r\n", b":12345\r\n", id="beyond the table of small integers"),
    pytest.param(2**63 - 1, b":9223372036854775807\r\n", b":9223372036854775807\r\n", id="largest integer"),
    pytest.param(-(2**63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n", id="smallest integer"),
    pytest.param(2**63, b"$19\r\n9223372036854775808\r\n", b"(9223372036854775808\r\n", id="big number"),
    pytest.param(3.0, b"$1\r\n3\r\n", b",3\r\n", id="whole double"),
    pytest.param(0.1, b"$3\r\n0.1\r\n", b",0.1\r\n", id="double"),
    pytest.param(math.inf, b"$3\r\ninf\r\n", b",inf\r\n", id="infinity"),
    pytest.param(-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n", id="negative infinity"),
    pytest.param(math.nan, b"$3\r\nnan\r\n", b",nan\r\n", id="no number"),
    pytest.param(b"", b"$0\r\n\r\n", b"$0\r\n\r\n", id="empty bulk string"),
    pytest.param(b"a\r\nb\0", b"$5\r\na\r\nb\0\r\n", b"$5\r\na\r\nb\0\r\n", id="bulk strings are binary"),
    pytest.param("ä", b"$2\r\n\xc3\xa4\r\n", b"$2\r\n\xc3\xa4\r\n", id="text"),
    pytest.param(b"x" * 5000, b"$5000\r\n" + b"x" * 5000 + b"\r\n", b"$5000\r\n" + b"x" * 5000 + b"\r\n", id="long"),
    pytest.param([], b"*0\r\n", b"*0\r\n", id="empty array"),
    pytest.param([1, [b"a", None]], b"*2\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n", b"*2\r\n:1\r\n*2\r\n$1\r\na\r\n_\r\n", id="array"),
    pytest.param((1, 2), b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:1\r\n:2\r\n", id="tuple"),
    pytest.param({b"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n", id="map"),
    pytest.param(SetReply([1]), b"*1\r\n:1\r\n", b"~1\r\n:1\r\n", id="set"),
    pytest.param(Push([1]), b"*1\r\n:1\r\n", b">1\r\n:1\r\n", id="push"),
    pytest.param(Verbatim(b"txt", b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n", id="verbatim"),
    pytest.param(Verbatim(b"txt", b"y" * 20_000), b"$20000\r\n" + b"y" * 20_000 + b"\r\n",
                 b"=20004\r\ntxt:" + b"y" * 20_000 + b"\r\n", id="long verbatim"),
    pytest.param(Attribute({b"a": 1}, b"x"), b"$1\r\nx\r\n", b"|1\r\n$1\r\na\r\n:1\r\n$1\r\nx\r\n", id="attribute"),
    pytest.param(OK, b"+OK\r\n", b"+OK\r\n", id="OK"),
    pytest.param(PONG, b"+PONG\r\n", b"+PONG\r\n", id="PONG"),
    pytest.param(ErrorReply("ERR no"), b"-ERR no\r\n", b"-ERR no\r\n", id="error"),
    pytest.param(ErrorReply("ERR 'x\r\n+OK\r\n'"), b"-ERR 'x  +OK  '\r\n", b"-ERR 'x  +OK  '\r\n", id="no forged reply"),
    pytest.param(Simple(b"a\nb"), b"+a b\r\n", b"+a b\r\n", id="simple strings are one line"),
    pytest.param(RawReply(b"+raw\r\n"), b"+raw\r\n", b"+raw\r\n", id="raw"),
    pytest.param(NO_REPLY, b"", b"", id="no reply"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "two", "three"), FORMS)
def test_forms(encoder_module: ModuleType, reply: Any, two: bytes, three: bytes) -> None:
    assert encoder_module.encode(reply, 2) == two
    assert encoder_module.encode(reply, 3) == three


@pytest.mark.parametrize("value", [object(), {1, 2}, [1, object()], {b"a": [object()]}, bytearray(b"x"), 1j])
def test_what_is_no_reply_is_refused_and_leaves_nothing(encoder_module: ModuleType, value: Any) -> None:
    encoder = encoder_module.Encoder()
    encoder.write(b"before")
    with pytest.raises(TypeError):
        encoder.write(value)
    encoder.write(1)
    assert encoder.take() == b"$6\r\nbefore\r\n:1\r\n"
    assert encoder.size == 0


def test_collects_until_taken(encoder_module: ModuleType) -> None:
    encoder = encoder_module.Encoder()
    encoder.write(OK)
    encoder.write_raw(b'{"st":1}\n')
    assert encoder.size == 14
    assert encoder.take() == b'+OK\r\n{"st":1}\n'
    assert encoder.take() == b""
    encoder.write(b"x" * 3_000_000)
    assert len(encoder.take()) == 3_000_000 + 12
    encoder.protocol = 3
    encoder.write(None)
    assert encoder.take() == b"_\r\n"


def test_deep_nesting(encoder_module: ModuleType) -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    assert encoder_module.encode(deep) == b"*1\r\n" * 200 + b":1\r\n"


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=False),
    st.binary(max_size=30),
    st.builds(Simple, st.binary(max_size=10)),
    st.builds(ErrorReply, st.text(max_size=10)),
    st.builds(lambda text: Verbatim(b"txt", text), st.binary(max_size=10)),
    st.just(NULL_ARRAY),
)
replies = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.binary(max_size=5), inner, max_size=3),
        st.builds(SetReply, st.lists(inner, max_size=3)),
        st.builds(Push, st.lists(inner, max_size=3)),
        st.builds(
            lambda attributes, reply: Attribute(attributes, reply),
            st.dictionaries(st.binary(max_size=3), leaves, max_size=2),
            inner,
        ),
    ),
    max_leaves=12,
)


def plain_form(value: Any) -> Any:
    """A value as RESP3 tells it, comparable."""
    if isinstance(value, (Simple, ErrorReply)):
        return type(value).__name__, value.text.replace(b"\r", b" ").replace(b"\n", b" ")
    if isinstance(value, Verbatim):
        return "verbatim", value.text
    if isinstance(value, (SetReply, Push)):
        return type(value).__name__, [plain_form(item) for item in value.items]
    if isinstance(value, Attribute):
        return "attribute", plain_form(Pairs(list(value.attributes.items()))), plain_form(value.reply)
    if isinstance(value, Pairs):
        return "map", [(plain_form(k), plain_form(v)) for k, v in value]
    if isinstance(value, dict):
        return "map", [(plain_form(k), plain_form(v)) for k, v in value.items()]
    if isinstance(value, list):
        return [plain_form(item) for item in value]
    return None if value is NULL_ARRAY else value


@settings(max_examples=300, deadline=None)
@given(reply=replies)
def test_every_reply_parses_back(reply: Any) -> None:
    reader = ReplyReader()
    reader.feed(encode(reply, 3))
    found = reader.gets()
    assert found is not None
    assert plain_form(found[1]) == plain_form(reply)
    assert reader.buffer == b""


@settings(max_examples=300, deadline=None)
@given(reply=replies, protocol=st.sampled_from([2, 3]))
def test_both_builds_write_alike(both_encoders: Any, reply: Any, protocol: int) -> None:
    plain, compiled = both_encoders
    assert plain(reply, protocol) == compiled(reply, protocol)
    reader = ReplyReader()
    reader.feed(plain(reply, protocol))
    assert reader.gets() is not None
    assert reader.buffer == b""
