"""Effects on hashes with deadlines, done again, give the same hashes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.clock import ManualClock
from januskv.storage.hashes import EFFECTS, hash_at, put_fields, remove_fields, time_fields
from januskv.storage.store import Store
from januskv.storage.timed_hashes import TimedHash

fields = st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), min_size=1, max_size=3, unique=True)
steps = st.one_of(
    st.tuples(st.just("put"), fields, st.sampled_from(["hset", "hincrby"])),
    st.tuples(st.just("remove"), fields, st.none()),
    st.tuples(st.just("time"), fields, st.none() | st.integers(1, 50)),
    st.tuples(st.just("wait"), st.none(), st.integers(1, 20)),
)


@given(st.lists(steps, max_size=30))
def test_programs(program: list[tuple[str, Any, Any]]) -> None:
    clock = ManualClock()
    keyspace, again = Store(clock=clock).databases[0], Store(clock=ManualClock()).databases[0]

    def listen(where: object, event: str, key: bytes, detail: tuple[Any, ...]) -> None:
        if event == "del":
            if key in again.data:
                again.forget(key)
        elif detail and isinstance(detail[0], str) and "." in detail[0]:
            EFFECTS[detail[0]](again, key, *detail[1:])
        else:
            value: Any = keyspace.data[key]
            again.put(key, value.copy())

    keyspace.feed.subscribe(listen)
    again.clock.now_ms = 0
    for name, names, what in program:
        held = hash_at(keyspace, b"h", keyspace.get(b"h"))
        if name == "put":
            put_fields(keyspace, b"h", dict.fromkeys(names, b"1"), what)
        elif name == "remove":
            remove_fields(keyspace, b"h", names)
        elif name == "time" and held is not None:
            there = {field: what and clock.now_ms + what for field in names if field in held}
            if there:
                time_fields(keyspace, b"h", held, there, "hexpire")
        elif name == "wait":
            clock.advance(what)
            keyspace.expire_fields(100)
        value, copy = keyspace.data.get(b"h"), again.data.get(b"h")
        assert (value and dict(value)) == (copy and dict(copy))  # type: ignore[call-overload]
        if isinstance(value, TimedHash):
            value.check()
            assert isinstance(copy, TimedHash)
            assert copy.deadlines == value.deadlines
            assert not value.soonest or value.soonest >= clock.now_ms
            assert TimedHash.from_state(value.to_state()).deadlines == value.deadlines
