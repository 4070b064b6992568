"""The client's side of the codec: what it reads and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.decoder import Pairs, ReplyReader
from januskv.resp.replies import NULL_ARRAY, Attribute, ErrorReply, Push, SetReply, Simple, Verbatim


def tagged(value: Any) -> Any:
    """A value that can be compared: its kind beside its content."""
    if isinstance(value, SetReply | Push):
        return type(value), tagged(value.items)
    if isinstance(value, Attribute):
        return Attribute, value.attributes, tagged(value.reply)
    if isinstance(value, list):
        return type(value), [tagged(item) for item in value]
    return type(value), value


READ = [
    pytest.param(b"+OK\r\n", Simple(b"OK"), id="simple string"),
    pytest.param(b"-ERR no\r\n", ErrorReply("ERR no"), id="error"),
    pytest.param(b":-7\r\n", -7, id="integer"),
    pytest.param(b"(18446744073709551616\r\n", 1 << 64, id="big number"),
    pytest.param(b",1e+20\r\n", 1e20, id="double"),
    pytest.param(b"#t\r\n", True, id="true"),
    pytest.param(b"#f\r\n", False, id="false"),
    pytest.param(b"_\r\n", None, id="null"),
    pytest.param(b"$-1\r\n", None, id="null bulk string"),
    pytest.param(b"*-1\r\n", NULL_ARRAY, id="null array"),
    pytest.param(b"$4\r\na\r\nb\r\n", b"a\r\nb", id="bulk string"),
    pytest.param(b"=7\r\ntxt:abc\r\n", Verbatim(b"txt", b"abc"), id="verbatim string"),
    pytest.param(b"*2\r\n*0\r\n:1\r\n", [[], 1], id="arrays"),
    pytest.param(b"~1\r\n:1\r\n", SetReply([1]), id="set"),
    pytest.param(b">1\r\n:1\r\n", Push([1]), id="push"),
    pytest.param(b"%1\r\n*0\r\n:1\r\n", Pairs([([], 1)]), id="map with an array as key"),
    pytest.param(b"|1\r\n:1\r\n:2\r\n:3\r\n", Attribute({1: 2}, 3), id="attribute"),
]


@pytest.mark.parametrize(("data", "value"), READ)
def test_read(data: bytes, value: Any) -> None:
    for chunks in ([data], [data[at : at + 1] for at in range(len(data))], [data + b":0\r\n:"]):
        reader = ReplyReader()
        for chunk in chunks[:-1]:
            reader.feed(chunk)
            assert reader.gets() is None
        reader.feed(chunks[-1])
        found = reader.gets()
        assert found is not None
        assert found[0] == data
        assert tagged(found[1]) == tagged(value)
    assert reader.gets() == (b":0\r\n", 0)
    assert reader.gets() is None
    assert reader.buffer == b":"


@pytest.mark.parametrize(
    "data", [b"x\r\n", b"$-2\r\n", b"*-2\r\n", b"%-1\r\n", b"#x\r\n", b"_x\r\n", b":a\r\n", b"$1\r\nabc", b"x1\r\n"]
)
def test_refused(data: bytes) -> None:
    reader = ReplyReader()
    reader.feed(data)
    with pytest.raises(ValueError):
        reader.gets()
