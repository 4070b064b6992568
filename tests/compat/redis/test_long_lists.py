"""A list of many elements answers all commands, whichever form it has."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from januskv.resp.replies import Simple

COUNT = 5000


@pytest.fixture
def long(wire: Any) -> Any:
    wire("RPUSH", "l", *range(COUNT))
    wire("RPUSH", "l", "tail")
    wire("RPOP", "l")
    return wire


ANSWERS = [
    ("LLEN l", COUNT),
    ("TYPE l", Simple(b"list")),
    ("OBJECT ENCODING l", b"quicklist"),
    ("LINDEX l 0", b"0"),
    ("LINDEX l 4321", b"4321"),
    ("LINDEX l -1", b"4999"),
    ("LINDEX l 5000", None),
    ("LRANGE l 1023 1025", [b"1023", b"1024", b"1025"]),
    ("LRANGE l -2 -1", [b"4998", b"4999"]),
    ("LPOS l 3000", 3000),
    ("LPOS l 3000 RANK -1", 3000),
    ("LPUSH l x", COUNT + 1),
    ("LPOP l 2", [b"0", b"1"]),
    ("RPOP l", b"4999"),
    ("LSET l 2500 new", Simple(b"OK")),
    ("LINSERT l BEFORE 2500 new", COUNT + 1),
    ("LREM l 0 2500", 1),
    ("LREM l -9223372036854775808 3000", 1),
    ("LPOS l 3000 RANK 2 COUNT 9223372036854775807", []),
    ("LPOS l 3000 RANK -9223372036854775807", None),
    ("LPOS l 3000 COUNT 0 MAXLEN 9223372036854775807", [3000]),
    ("LTRIM l 100 -100", Simple(b"OK")),
    ("LMOVE l m RIGHT LEFT", b"4999"),
    ("LMPOP 1 l LEFT COUNT 2", [b"l", [b"0", b"1"]]),
    ("BLPOP l 0", [b"l", b"0"]),
    ("GET l", "WRONGTYPE"),
    ("COPY l m", 1),
]


@pytest.mark.parametrize(("line", "answer"), ANSWERS, ids=[line for line, _ in ANSWERS])
def test_answers(long: Any, line: str, answer: Any) -> None:
    got = long.line(line)
    if answer == "WRONGTYPE":
        assert got.text.startswith(b"WRONGTYPE")
    else:
        assert got == answer


def test_json_sees_an_array_and_a_patch_reaches_it(long: Any) -> None:
    def native(request: dict[str, Any]) -> Any:
        return orjson.loads(long.send(orjson.dumps(request) + b"\n"))

    held = native({"KV_GET": {"keys": ["l"]}})["KV_GET_RSP"]["keys"]["l"]
    assert held == [str(number) for number in range(COUNT)]
    native({"KV_SET": {"keys": {"j": list(range(COUNT))}}})
    assert long.line("RPUSH j x") == COUNT + 1
    assert long.line("LINDEX j 4000") == b"4000"
    assert native({"KV_GET": {"keys": ["j"]}})["KV_GET_RSP"]["keys"]["j"][4000:] == [*range(4000, COUNT), "x"]


@pytest.mark.parametrize("size", [1, 9, 10, 11, 300])
@pytest.mark.parametrize(
    ("line", "first", "last"),
    [("RPOPLPUSH l l", -1, -2), ("LMOVE l l LEFT RIGHT", 1, 0), ("BLMOVE l l LEFT LEFT 0", 0, -1)],
)
def test_a_list_is_turned_in_itself(wire: Any, size: int, line: str, first: int, last: int) -> None:
    """Pushing to it may give it another form, from which the element is then popped."""
    for number in range(size):
        wire("RPUSH", "numbers", number)
    wire("SORT", "numbers", "STORE", "l")
    for _ in range(2):
        held = wire("LRANGE", "l", 0, -1)
        wire.line(line)
        turned = wire("LRANGE", "l", 0, -1)
        assert len(turned) == size
        assert (turned[0], turned[-1]) == (held[first % size], held[last % size])
