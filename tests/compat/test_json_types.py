"""What Redis commands make of values that JSON commands wrote: the table in docs/native.md is what this finds.

``python -m tests.compat.test_json_types`` writes the table into the page again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from januskv.commands.declare import Flag
from januskv.compat.commands import build_table
from januskv.resp.replies import ErrorReply

from ..conftest import House, words

PAGE = Path(__file__).parent.parent.parent / "docs" / "native.md"
BEGIN, END = "<!-- types: made by tests/compat/test_json_types.py -->\n", "<!-- end of types -->\n"

# One value of each JSON type; the commands act on it as the key k.
VALUES: dict[str, Any] = {
    'string `"7"`': "7",
    "`26`": 26,
    "`0.5`": 0.5,
    "`true`": True,
    "`null`": None,
    '`{"f":26}`': {"f": 26, "g": [1, None]},
    '`["a",2]`': ["a", 2],
}
# What stands beside it in the same database: o is a list, h a hash, s a set.
SETTING = ("RPUSH o x", "HSET h a b", "SADD s m")

# Every command that writes, with arguments that would change something.
LINES: dict[str, tuple[str, ...]] = {
    "SET MSET SETEX PSETEX": ("SET k v", "MSET k v", "SETEX k 100 v", "PSETEX k 100000 v"),
    "GETSET": ("GETSET k v", "SET k v GET"),
    "SETNX MSETNX": ("SETNX k v", "MSETNX k v"),
    "INCR": ("INCR k",),
    "INCRBY": ("INCRBY k 4",),
    "DECR": ("DECR k",),
    "DECRBY": ("DECRBY k 4",),
    "INCRBYFLOAT k 0.5": ("INCRBYFLOAT k 0.5",),
    "INCRBYFLOAT k 1e30": ("INCRBYFLOAT k 1e30",),
    "APPEND": ("APPEND k 5",),
    "SETRANGE": ("SETRANGE k 0 8",),
    "SETBIT": ("SETBIT k 0 1",),
    "BITFIELD": ("BITFIELD k SET u8 0 56",),
    "DEL UNLINK": ("DEL k", "UNLINK k"),
    "GETDEL": ("GETDEL k",),
    "GETEX": ("GETEX k EX 100",),
    "EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST": (
        "EXPIRE k 100", "PEXPIRE k 100000", "EXPIREAT k 99999999999", "PEXPIREAT k 99999999999999",
        "PERSIST k",
    ),
    "RENAME RENAMENX COPY MOVE, the new key": ("RENAME k n", "RENAMENX k n", "COPY k n", "MOVE k 1"),
    "HSET k f 27": ("HSET k f 27", "HMSET k f 27"),
    "HSET k new 1": ("HSET k new 1", "HSETNX k new 1"),
    "HINCRBY k f 4": ("HINCRBY k f 4",),
    "HINCRBYFLOAT k f 0.5": ("HINCRBYFLOAT k f 0.5",),
    "HINCRBY k new 4": ("HINCRBY k new 4",),
    "HINCRBYFLOAT k new 0.5": ("HINCRBYFLOAT k new 0.5",),
    "HDEL k f": ("HDEL k f",),
    "HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT HPERSIST": (
        "HEXPIRE k 100 FIELDS 1 f", "HPEXPIRE k 100000 FIELDS 1 f", "HEXPIREAT k 1900000000 FIELDS 1 f",
        "HPEXPIREAT k 1900000000000 FIELDS 1 f", "HPERSIST k FIELDS 1 f",
    ),
    "RPUSH RPUSHX": ("RPUSH k 3", "RPUSHX k 3"),
    "LPUSH LPUSHX": ("LPUSH k 3", "LPUSHX k 3"),
    "LPOP": ("LPOP k", "LMPOP 1 k LEFT", "BLPOP k 1", "BLMPOP 1 1 k LEFT"),
    "RPOP": ("RPOP k", "BRPOP k 1"),
    "LSET k 1 3": ("LSET k 1 3",),
    "LINSERT": ("LINSERT k BEFORE 2 3",),
    "LREM k 0 2": ("LREM k 0 2",),
    "LTRIM k 1 1": ("LTRIM k 1 1",),
    "LMOVE o k LEFT RIGHT, to the array": ("LMOVE o k LEFT RIGHT", "BLMOVE o k LEFT RIGHT 1"),
    "RPOPLPUSH k o, from the array": ("RPOPLPUSH k o", "BRPOPLPUSH k o 1"),
}  # fmt: skip

# These make another value in the place of the key, whatever it held.
REPLACE = {
    "SINTERSTORE": "SINTERSTORE k s", "SUNIONSTORE": "SUNIONSTORE k s", "SDIFFSTORE": "SDIFFSTORE k s",
    "ZUNIONSTORE": "ZUNIONSTORE k 1 z", "ZINTERSTORE": "ZINTERSTORE k 1 z", "ZDIFFSTORE": "ZDIFFSTORE k 1 z",
    "ZRANGESTORE": "ZRANGESTORE k z 0 -1", "GEOSEARCHSTORE": "GEOSEARCHSTORE k geo FROMLONLAT 0 0 BYRADIUS 9 km",
    "GEORADIUS": "GEORADIUS geo 0 0 9 km STORE k", "GEORADIUSBYMEMBER": "GEORADIUSBYMEMBER geo m 9 km STORE k",
    "SORT": "SORT o ALPHA STORE k", "BITOP": "BITOP NOT k bits",
}  # fmt: skip

# These work on types that JSON does not have, and refuse all the types that it has.
REFUSE = {
    "SADD": "SADD k m", "SREM": "SREM k m", "SMOVE": "SMOVE k s m", "SPOP": "SPOP k",
    "ZADD": "ZADD k 1 m", "ZINCRBY": "ZINCRBY k 1 m", "ZREM": "ZREM k m", "ZREMRANGEBYRANK": "ZREMRANGEBYRANK k 0 1",
    "ZREMRANGEBYSCORE": "ZREMRANGEBYSCORE k 0 1", "ZREMRANGEBYLEX": "ZREMRANGEBYLEX k - +", "ZPOPMIN": "ZPOPMIN k",
    "ZPOPMAX": "ZPOPMAX k", "ZMPOP": "ZMPOP 1 k MIN", "BZPOPMIN": "BZPOPMIN k 1", "BZPOPMAX": "BZPOPMAX k 1",
    "BZMPOP": "BZMPOP 1 1 k MIN", "GEOADD": "GEOADD k 1 1 m",
    "TS.CREATE": "TS.CREATE k", "TS.ALTER": "TS.ALTER k RETENTION 1", "TS.ADD": "TS.ADD k 1 1", "TS.MADD": "TS.MADD k 1 1",
    "TS.INCRBY": "TS.INCRBY k 1", "TS.DECRBY": "TS.DECRBY k 1", "TS.DEL": "TS.DEL k 0 1",
    "TS.CREATERULE": "TS.CREATERULE k o AGGREGATION avg 10", "TS.DELETERULE": "TS.DELETERULE k o",
    "XADD": "XADD k * a b", "XTRIM": "XTRIM k MAXLEN 1", "XDEL": "XDEL k 1-1", "XSETID": "XSETID k 1-1",
    "XGROUP|CREATE": "XGROUP CREATE k g 0", "XGROUP|SETID": "XGROUP SETID k g 0", "XGROUP|DESTROY": "XGROUP DESTROY k g",
    "XGROUP|CREATECONSUMER": "XGROUP CREATECONSUMER k g c", "XGROUP|DELCONSUMER": "XGROUP DELCONSUMER k g c",
    "XREADGROUP": "XREADGROUP GROUP g c STREAMS k >", "XACK": "XACK k g 1-1", "XCLAIM": "XCLAIM k g c 0 1-1",
    "XAUTOCLAIM": "XAUTOCLAIM k g c 0 0", "PFADD": "PFADD k m", "PFMERGE": "PFMERGE k o", "PFDEBUG": "PFDEBUG GETREG k",
}  # fmt: skip


def shown(value: Any) -> str:
    return f"`{json.dumps(value, separators=(',', ':'), ensure_ascii=False)}`"


def outcome(line: str, value: Any) -> str:
    """What a command makes of the key k that a JSON command has given a value, as the table shows it."""
    house = House()
    wire = house.connect()
    for each in SETTING:
        wire.line(each)

    def ask(name: str, body: object) -> Any:
        return json.loads(wire(name, json.dumps(body)))[f"{name}_RSP"]

    ask("KV_SET", {"keys": {"k": value}})
    reply = wire.line(line)
    if line.startswith("MOVE"):
        wire("SELECT", 1)
    elif words(line)[-1] == b"n":
        assert wire("RENAME", "n", "k") is not None
    after = ask("KV_GET", {"keys": ["k"]})["keys"]
    if isinstance(reply, ErrorReply) or (isinstance(reply, list) and reply and isinstance(reply[0], ErrorReply)):
        assert after == {"k": value}, line
        return "refused"
    if not wire("EXISTS", "k"):
        return "gone"
    kept = json.dumps(after["k"]) == json.dumps(value)  # which tells 1 from 1.0 and true
    return "·" if kept else shown(after["k"])


def table() -> str:
    rows = [f"| | {' | '.join(VALUES)} |", f"|---|{'---|' * len(VALUES)}"]
    for name, lines in LINES.items():
        cells = []
        for value in VALUES.values():
            (cell,) = {outcome(line, value) for line in lines}
            cells.append(cell)
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def test_the_table_in_the_page_is_what_happens() -> None:
    part = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert part.strip() == table().strip(), "run python -m tests.compat.test_json_types"


def test_every_command_that_writes_is_looked_at() -> None:
    writing = {
        each.name
        for each in build_table().everything()
        if Flag.WRITE in each.flags and each.options.keys and each.handle is None
    }
    lines = {words(line)[0].decode() for lines in LINES.values() for line in lines}
    assert lines | set(REPLACE) | set(REFUSE) == writing


@pytest.mark.parametrize("line", REFUSE.values(), ids=list(REFUSE))
def test_commands_for_types_that_json_does_not_have(line: str) -> None:
    for name, value in VALUES.items():
        if not (line.startswith(("PFADD", "PFMERGE", "PFDEBUG", "TS.")) and isinstance(value, str)):
            assert outcome(line, value) in ("refused", "·"), (name, line)


@pytest.mark.parametrize("line", REPLACE.values(), ids=list(REPLACE))
def test_commands_that_store_a_result(line: str) -> None:
    for value in VALUES.values():
        assert outcome(line, value) != "refused"


def test_what_only_reads_changes_nothing() -> None:
    """Every command that only reads, with the key where it takes one and plausible words behind it."""
    house = House()
    wire = house.connect()
    values = {f"k{number}": value for number, value in enumerate(VALUES.values())}
    wire("KV_SET", json.dumps({"keys": values}))
    reading = [
        each
        for each in house.server.table.everything()
        if Flag.READONLY in each.flags and each.options.keys and Flag.BLOCKING not in each.flags and each.handle is None
    ]
    assert len(reading) > 80
    for command in reading:
        name = command.name.split("|")
        for key in values:
            for more in range(4):
                wire(*name, key, *["0", "1", "f"][:more])
    assert json.loads(wire("KV_GET", json.dumps({"keys": list(values)})))["KV_GET_RSP"]["keys"] == values


@pytest.mark.parametrize(
    ("before", "increment", "reply", "after"),
    [
        pytest.param(26, "0.5", b"26.5", 26.5, id="an integer becomes a double"),
        pytest.param(0.5, "0.5", b"1", 1, id="a whole sum is an integer"),
        pytest.param(0.1, "0.2", b"0.3", 0.3, id="in extended precision, as Redis"),
        pytest.param(1, "1e30", b"1000000000000000000024696061952", "1000000000000000000024696061952", id="too long"),
        pytest.param(0, "3e-8", b"0.00000003", "0.00000003", id="what JSON writes with an exponent"),
        pytest.param("26", "0.5", b"26.5", "26.5", id="a string stays one"),
    ],
)
def test_incrbyfloat_answers_what_get_shows(wire: Any, before: Any, increment: str, reply: bytes, after: Any) -> None:
    wire("KV_SET", json.dumps({"keys": {"k": before, "h": {"f": before}}}))
    assert wire("INCRBYFLOAT", "k", increment) == wire("GET", "k") == reply
    assert wire("HINCRBYFLOAT", "h", "f", increment) == wire("HGET", "h", "f") == reply
    keys = json.loads(wire("KV_GET", '{"keys":["k","h"]}'))["KV_GET_RSP"]["keys"]
    assert json.dumps(keys) == json.dumps({"k": after, "h": {"f": after}})


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    PAGE.write_text(head + BEGIN + "\n" + table() + "\n" + END + rest.split(END)[1], encoding="utf-8")
