"""Long strings that are changed in place: the same answers as short ones, and a log of the changes only."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from januskv.compat.server.persistence import Persistence
from januskv.resp.replies import OK
from januskv.storage.clock import ManualClock
from januskv.storage.durability.journal import open_journal
from januskv.storage.long_text import LongString
from januskv.storage.store import Store
from januskv.storage.strings import LEAST


def logged(house: Any, folder: Path) -> Persistence:
    return house.server.keep(open_journal(str(folder), house.store, cut_torn_tail=True))


def loaded(folder: Path) -> dict[bytes, Any]:
    """What a start finds, long strings as bytes."""
    store = Store(clock=ManualClock())
    open_journal(str(folder), store, cut_torn_tail=True).close()
    return {
        key: value.text() if isinstance(value, LongString) else value for key, value in store.databases[0].data.items()
    }


@pytest.mark.parametrize("seed", range(6))
def test_a_random_program(make_house: Any, tmp_path: Path, seed: int) -> None:
    house = make_house()
    persistence = logged(house, tmp_path)
    wire = house.connect()
    chance = random.Random(seed)
    model = bytearray()
    for _ in range(400):
        part = chance.randbytes(chance.choice((1, 3, 300)))
        offset = chance.randrange(0, 2 * LEAST)
        verb = chance.choice(
            ("APPEND", "SETRANGE", "SETBIT", "BITFIELD", "GETRANGE", "SET", "SAVE", "STRLEN", "BITCOUNT")
        )
        if verb == "APPEND":
            model += part
            assert wire("APPEND", "s", part) == len(model)
        elif verb == "SETRANGE":
            model.extend(bytes(max(offset - len(model), 0)))
            model[offset : offset + len(part)] = part
            assert wire("SETRANGE", "s", offset, part) == len(model)
        elif verb == "SETBIT":
            model.extend(bytes(max(offset + 1 - len(model), 0)))
            assert wire("SETBIT", "s", offset * 8 + 7, part[0] & 1) == model[offset] & 1
            model[offset] = model[offset] & 0xFE | part[0] & 1
        elif verb == "BITFIELD":
            model.extend(bytes(max(offset + 2 - len(model), 0)))
            old = int.from_bytes(model[offset : offset + 2], "big")
            assert wire("BITFIELD", "s", "SET", "u16", offset * 8, part[0], "GET", "u8", offset * 8 + 8) == [
                old,
                part[0],
            ]
            model[offset : offset + 2] = bytes((0, part[0]))
        elif verb == "GETRANGE":
            assert wire("GETRANGE", "s", offset, offset + 9) == bytes(model[offset : offset + 10])
        elif verb == "STRLEN":
            assert wire("STRLEN", "s") == len(model)
        elif verb == "BITCOUNT":
            assert wire("BITCOUNT", "s") == int.from_bytes(model, "big").bit_count()
        elif verb == "SAVE" and chance.random() < 0.2:
            assert wire("SAVE") == OK
        elif verb == "SET" and chance.random() < 0.2:
            model[:] = part
            assert wire("SET", "s", part) == OK
        if chance.random() < 0.1 and model:
            assert wire("GET", "s") == bytes(model)
    persistence.close()
    assert loaded(tmp_path) == ({b"s": bytes(model)} if model else {})


def test_a_change_costs_its_own_length_in_the_log(make_house: Any, tmp_path: Path) -> None:
    house = make_house()
    persistence = logged(house, tmp_path)
    wire = house.connect()
    wire("SETBIT", "bits", 8_000_000, 1)
    wire("SETRANGE", "text", 1_000_000, "x")
    wire("PFADD", "p", *range(5000))
    persistence.commit()
    before = persistence.journal.end
    for number in range(100):
        wire("SETBIT", "bits", number * 1000, 1)
        wire("APPEND", "text", "0123456789")
        wire("SETRANGE", "text", number, "y")
        wire("BITFIELD", "bits", "INCRBY", "u8", number * 16, 1)
        wire("PFADD", "p", number + 10_000, number + 20_000)
        persistence.commit()
    assert persistence.journal.end - before < 60_000
    seen = {name: wire("GET", name) for name in (b"bits", b"text", b"p")}
    persistence.close()
    assert loaded(tmp_path) == seen


@pytest.mark.parametrize("number", ["7", "-0.5", "true"])
@pytest.mark.parametrize("change", ["APPEND n", "SETRANGE n 3", "SETRANGE n 9000"])
def test_a_number_that_becomes_long(make_house: Any, tmp_path: Path, number: str, change: str) -> None:
    house = make_house()
    persistence = logged(house, tmp_path)
    wire = house.connect()
    wire("KV_SET", f'{{"keys":{{"n":{number}}}}}')
    for part in ("x" * LEAST, "y"):
        wire(*change.split(), part)
        persistence.commit()
    seen = wire("GET", "n")
    assert len(seen) > LEAST
    persistence.close()
    assert loaded(tmp_path) == {b"n": seen}


def test_nobody_shares_it(wire: Any) -> None:
    wire("SET", "a", "x" * LEAST)
    wire("APPEND", "a", "y")
    for line in ("COPY a b", "RENAME a c"):
        wire.line(line)
    first = wire("GET", "c")
    wire("SETRANGE", "c", 0, "z")
    wire("APPEND", "c", "z")
    assert wire("GET", "b") == first
    assert wire("GETSET", "c", "1").startswith(b"zx")
    assert wire("GET", "b") == first
    assert wire("TYPE", "b") == wire("TYPE", "c")


@pytest.mark.parametrize(
    "line",
    ["GET s", "GETRANGE s -5 -1", "STRLEN s", "OBJECT ENCODING s", "TYPE s", "BITPOS s 0", "BITPOS s 1 -1", "BITCOUNT s 5 90",
     "GETBIT s 33", "BITFIELD_RO s GET i16 100", "BITOP NOT t s", "BITOP AND t s s", "MGET s s", "LCS s s LEN", "LPUSH s 1",
     "INCR s", "INCRBYFLOAT s 1", "HGET s f", "PFADD s x", "PFCOUNT s", "GETDEL s", "SET s 1 GET", "GETEX s", "SORT s",
     "DEBUG DIGEST", "SETRANGE s 0 ''", "SUBSTR s 0 3", "APPEND s ''", '''KV_GET '{"keys":["s"]}' ''', "SETNX s 1", "COPY s t",
     '''KV_FIND '{"path":"$"}' ''', '''KV_ADD '{"keys":{"s":1}}' ''', "SCAN 0 TYPE string"],
)  # fmt: skip
def test_it_is_a_string_like_any_other(make_house: Any, line: str) -> None:
    plain, changed = (make_house(enable_debug_command="yes").connect() for _ in range(2))
    text = ("0123456789ab" * LEAST)[: LEAST + 1]
    plain("SET", "s", text)
    changed("SET", "s", text[:-1])
    changed("APPEND", "s", text[-1])
    value = changed.connection.server.store.databases[0].data[b"s"]
    assert type(value) is LongString
    assert changed.line(line) == plain.line(line)
    assert changed.line("GET s") == plain.line("GET s")
    assert changed.line("GET t") == plain.line("GET t")
