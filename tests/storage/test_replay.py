"""Operations done again: the quick way for the commonest ones gives what the general way does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.clock import ManualClock
from januskv.storage.durability import replay
from januskv.storage.durability.codec import pack
from januskv.storage.durability.plain_operations import redo_plain
from januskv.storage.sessions import LEAST_TOKEN
from januskv.storage.store import Store

KEYS = st.sampled_from([b"", b"a", b"b", b"k" * 300, b"\xff" * 70_000])
INTEGERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from([n + d for n in (-(2**31), -128, 0, 2**31, 2**63) for d in (-1, 0, 1)]),
)
VALUES = st.one_of(st.binary(max_size=300), INTEGERS, st.booleans(), st.floats(allow_nan=False), st.just({b"f": b"v"}))
TOKENS = (LEAST_TOKEN + 5, 2**64 - 3)
PLACES = st.sampled_from([0, 3, *TOKENS])
DEADLINES = st.one_of(st.none(), st.integers(1, 2**41))
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), PLACES, KEYS, VALUES, DEADLINES),
        st.tuples(st.just("del"), PLACES, KEYS),
        st.tuples(st.just("flush"), PLACES),
    ),
    max_size=12,
)


def replayed(payload: bytes) -> dict[Any, Any]:
    """What the operations leave in a store that has a series, a session and a key with a deadline."""
    store = Store(clock=ManualClock(0))
    for token in TOKENS:
        replay.redo(store, pack(["session", token, "s", False, 0, False, 0]))
    replay.redo(store, pack(["put", 0, b"a", b"old", 77_000]))
    replay.redo(store, payload)
    for keyspace in store.keyspaces():
        keyspace.check()
    return {index: (keyspace.data, keyspace.deadlines) for index, keyspace in enumerate(store.keyspaces())}


@given(OPERATIONS)
def test_the_quick_way_and_the_general_one_agree(operations: list[tuple[Any, ...]]) -> None:
    payload = b"".join(pack(list(each)) for each in operations)
    quick = replayed(payload)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replay, "redo_plain", lambda store, payload, at, stop: at)
        assert replayed(payload) == quick


@given(OPERATIONS, st.data())
def test_broken_bytes_are_refused_or_mean_something_else(operations: list[tuple[Any, ...]], data: Any) -> None:
    payload = bytearray(b"".join(pack(list(each)) for each in operations))
    for _ in range(data.draw(st.integers(0, 3))):
        if payload:
            payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(payload[: data.draw(st.integers(0, len(payload)))])

    def outcome() -> Any:
        try:
            return replayed(broken)
        except replay.Unplayable:
            return "refused"

    quick = outcome()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replay, "redo_plain", lambda store, payload, at, stop: at)
        assert outcome() == quick


def test_it_stops_before_what_it_does_not_do() -> None:
    store = Store(clock=ManualClock(0))
    payload = pack(["put", 0, b"a", 1.5, None])
    assert redo_plain(store, payload, 0, len(payload)) == 0
    assert redo_plain(store, b"\x95\xa3put\x00\xc4", 0, 6) == 0
    assert store.databases[0].data == {}


def test_a_string_in_the_place_of_a_hash_with_fields_that_expire() -> None:
    store = Store(clock=ManualClock(0))
    for operation in (
        ["put", 0, b"h", {b"f": b"v"}, None],
        ["do", 0, b"h", "hash.time", {b"f": 5}],
        ["put", 0, b"h", b"text", None],
    ):
        replay.redo(store, pack(operation))
    store.databases[0].check()
    store.clock.advance(10)
    while store.run_cron():
        pass
    assert store.databases[0].data == {b"h": b"text"}
