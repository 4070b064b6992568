"""Hashes that grow and shrink from one form into another, against a dict; effects done again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage import hashes
from januskv.storage.clock import ManualClock
from januskv.storage.durability.codec import pack, unpack
from januskv.storage.hashes import EFFECTS, as_hash, put_fields, remove_fields, time_fields
from januskv.storage.null import NULL
from januskv.storage.small_hashes import LONGEST, MOST_FIELDS, SmallHash, small
from januskv.storage.store import Store
from januskv.storage.values import compact, copied, from_json, to_json

names = st.integers(0, 30).map(lambda number: b"f%d" % number if number < 30 else b"%070d" % number)  # one is long
short = st.one_of(
    st.binary(max_size=3),
    st.text(max_size=3).map(str.encode),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.booleans(),
    st.just(NULL),
)
elements = st.one_of(short, short, short, st.sampled_from([b"x" * 65, 1 << 63, ["nested"], {"a": 1}]))
steps = st.one_of(
    st.tuples(st.just("put"), st.dictionaries(names, short, min_size=1, max_size=5)),
    st.tuples(st.just("put"), st.dictionaries(names, elements, min_size=1, max_size=5)),
    st.tuples(st.just("remove"), st.lists(names, min_size=1, max_size=8)),
    st.tuples(st.just("time"), names),
)


@pytest.fixture(autouse=True, scope="module")
def few_fields() -> Any:
    """The form for small hashes so small that they leave it often."""
    before = hashes.SMALL
    hashes.SMALL = 6  # type: ignore[misc]
    yield
    hashes.SMALL = before  # type: ignore[misc]


@given(st.lists(steps, max_size=30))
@settings(max_examples=200)
def test_programs_and_their_effects(program: list[tuple[str, Any]]) -> None:
    keyspace, again = (Store(clock=ManualClock(1000)).databases[0] for _ in range(2))

    def listen(where: object, event: str, key: bytes, detail: tuple[Any, ...]) -> None:
        if event == "del":
            again.delete(key)
        elif detail and isinstance(detail[0], str) and "." in detail[0]:
            EFFECTS[detail[0]](again, key, *detail[1:])
        else:
            again.put(key, unpack(pack(keyspace.data[key])))

    keyspace.feed.subscribe(listen)
    model: dict[bytes, Any] = {}
    for name, what in program:
        held = as_hash(keyspace.get(b"h"))
        if name == "put":
            assert put_fields(keyspace, b"h", dict(what)) == len(what.keys() - model.keys())
            model |= what
        elif name == "remove":
            assert remove_fields(keyspace, b"h", what) == len(set(what) & model.keys())
            model = {field: element for field, element in model.items() if field not in what}
        elif held is not None and what in held:
            time_fields(keyspace, b"h", held, {what: 5000}, "hexpire")
        held = as_hash(keyspace.get(b"h"))
        assert (held is None) == (not model)
        if held is not None:
            looks_like(held, model)
            assert list(copied(held).items()) == list(model.items())  # type: ignore[attr-defined]
    copy = as_hash(again.get(b"h"))
    assert (copy is None) == (not model)
    if copy is not None:
        looks_like(copy, model)


def looks_like(held: Any, model: dict[bytes, Any]) -> None:
    assert len(held) == len(model)
    assert list(held) == list(held.keys()) == list(model)
    assert list(held.items()) == list(model.items())
    assert list(held.values()) == list(model.values())
    assert list(map(type, held.values())) == list(map(type, model.values()))
    assert [held[field] for field in model] == list(model.values())
    assert b"not there" not in held
    assert held.get(b"not there", 5) == 5
    assert to_json(held) == to_json(model)


def test_a_hash_is_small_until_it_grows_and_when_it_has_shrunk() -> None:
    keyspace = Store(clock=ManualClock()).databases[0]
    for number in range(hashes.SMALL):
        put_fields(keyspace, b"h", {b"%d" % number: b"v"})
    assert type(keyspace.data[b"h"]) is SmallHash
    put_fields(keyspace, b"h", {b"one more": b"v"})
    assert type(keyspace.data[b"h"]) is dict
    remove_fields(keyspace, b"h", [b"%d" % number for number in range(hashes.SMALL // 2 + 1)])
    assert type(keyspace.data[b"h"]) is SmallHash


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({b"%d" % number: b"" for number in range(MOST_FIELDS + 1)}, id="too many fields"),
        pytest.param({b"f" * (LONGEST + 1): b""}, id="a long name"),
        pytest.param({b"f": b"v" * (LONGEST + 1)}, id="a long value"),
        pytest.param({b"f": 1 << 63}, id="an integer beyond 64 bits"),
        pytest.param({b"f": []}, id="an array"),
    ],
)
def test_what_stays_a_dict(fields: dict[bytes, Any]) -> None:
    assert compact(fields) is fields
    held = small({b"a": b"1"})
    assert held is not None
    assert held.put(fields) == -1
    assert held == {b"a": b"1"}


def test_what_just_fits() -> None:
    fields = {b"%063d" % number + b"f": b"v" * LONGEST for number in range(MOST_FIELDS)}
    held = small(fields)
    assert held is not None
    assert held == fields
    assert held.put({b"new": b""}) == -1
    assert held.put({next(iter(fields)): b""}) == 0
    assert held.remove(b"new") is False


def test_a_json_object_is_a_small_hash_too() -> None:
    held = from_json({"text": "a", "number": 5, "none": None, "flag": True, "real": 0.5})
    assert type(held) is SmallHash
    assert to_json(held) == {"text": "a", "number": 5, "none": None, "flag": True, "real": 0.5}


def test_a_small_hash_shares_no_fields() -> None:
    given = {b"a": b"1", b"b": b"2"}
    held = small(given)
    assert held is not None
    given[b"a"] = b"9"
    copy, fields = held.copy(), held.to_dict()
    assert copy.put({b"a": b"3", b"c": b"4"}) == 1
    fields[b"d"] = b"5"
    assert held == {b"a": b"1", b"b": b"2"}
    assert copy == {b"a": b"3", b"b": b"2", b"c": b"4"}
    for field in held:
        assert held.remove(field)
    assert len(held) == 0
    assert held.size_bytes < copy.size_bytes
