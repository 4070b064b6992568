"""Ranges of bits in short, empty and missing strings, in whichever form the string is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply

BAD_OFFSET = ErrorReply("ERR bit offset is not an integer or out of range")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("BITPOS empty 0", -1),
        ("BITPOS empty 1", -1),
        ("BITPOS empty 0 0", -1),
        ("BITPOS empty 0 0 -1", -1),
        ("BITPOS empty 0 -5 -7 BIT", -1),
        ("BITPOS missing 0", 0),
        ("BITPOS missing 0 x y", ErrorReply("ERR value is not an integer or out of range")),
        ("BITPOS missing 1", -1),
        ("BITPOS m 1 -4 -5", 2),
        ("BITPOS m 1 -40 -50 BIT", -1),
        ("BITPOS m 0 -4 -5", 0),
        ("BITPOS m 1 1 0", -1),
        ("BITPOS m 1 0 x foo", ErrorReply("ERR syntax error")),
        ("BITPOS m 1 x 0 foo", ErrorReply("ERR value is not an integer or out of range")),
        ("BITCOUNT m -4 -5", 0),
        ("BITCOUNT m -4 -5 foo", ErrorReply("ERR syntax error")),
        ("BITCOUNT m -5 -4", 4),
        ("BITCOUNT m 5 4 foo", ErrorReply("ERR syntax error")),
        ("BITFIELD m GET u8 4294967295 GET u8 4294967290", [0, 0]),
        ("BITFIELD m GET u8 4294967296", BAD_OFFSET),
        ("BITFIELD m GET u8 #536870911", [0]),
        ("BITFIELD m GET u8 #536870912", BAD_OFFSET),
        ("BITFIELD m GET u8 9223372036854775808", BAD_OFFSET),
        ("BITFIELD_RO m GET i64 4294967295", [0]),
        ("BITFIELD_RO m SET u8 0 x", ErrorReply("ERR value is not an integer or out of range")),
        ("BITFIELD_RO m SET u8 0 1", ErrorReply("ERR BITFIELD_RO only supports the GET subcommand")),
    ],
)
def test_answers(wire: Any, line: str, reply: Any) -> None:
    wire("SET", "empty", "")
    wire("SET", "m", "-0")
    assert wire.line(line) == reply


@pytest.mark.parametrize("text", ["-12", "0.5", "true", "null", "12345678901234567890"])
@pytest.mark.parametrize("line", ["BITCOUNT {} -3 -2", "BITPOS {} 1 -9 -8", "GETRANGE {} -2 -3", "BITFIELD_RO {} GET u8 3", "SUBSTR {} 0 -1", "GETBIT {} 7"])  # fmt: skip
def test_numbers_of_json_are_their_text(wire: Any, text: str, line: str) -> None:
    wire("SET", "text", text)
    value = json.loads(text) if len(text) < 20 else text
    wire(json.dumps({"KV_SET": {"keys": {"json": value}}}))
    assert wire.line(line.format("json")) == wire.line(line.format("text"))
