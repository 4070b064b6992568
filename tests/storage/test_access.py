"""Times of access: never earlier than the last one, and exact where no other key shares the slot."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.access import ANY_NUMBER, ROOMY_SLOTS, AccessTimes, enough_for

KEYS = st.binary(max_size=4)


@given(st.lists(st.tuples(KEYS, st.integers(0, 2**40)), min_size=1), st.integers(0, 2**33))
def test_a_key_is_never_idle_for_longer_than_it_is(accesses: list[tuple[bytes, int]], later: int) -> None:
    times, known = AccessTimes(), dict[bytes, int]()
    now_ms = 0
    for number, (key, step) in enumerate(accesses):
        now_ms = (now_ms + step) % 2**44
        if key not in known and len(known) >= times.most_keys:
            times.grow(len(known) + 1)
        if number == len(accesses) // 2:
            times.ask(len(known))
        times.note(key, now_ms)
        known[key] = now_ms
    for key, noted_ms in known.items():
        idle_ms = now_ms + later - noted_ms
        assert times.seconds_since(key, now_ms + later) <= (idle_ms + 511) / 1000 or not 0 <= idle_ms < 256 << 32


def test_growing_keeps_what_was_noted() -> None:
    times = AccessTimes()
    times.grow(1)
    times.note(b"a", 5_000)
    for keys in (100, 10_000, 100_000, 200_000):
        if keys == 200_000:
            times.ask(keys)
        times.grow(keys)
        assert times.most_keys >= keys
        assert times.seconds_since(b"a", 12_400) == 7


def test_keys_that_were_loaded() -> None:
    times = AccessTimes()
    assert times.seconds_since(b"a", 10_000) == 10  # without slots for it, which is not an error
    times.begin(100_000, 5_000)
    assert {times.seconds_since(b"%d" % number, 12_400) for number in range(1000)} == {7}


def test_few_keys_share() -> None:
    times = AccessTimes()
    times.grow(1000)
    keys = [b"key:%d" % number for number in range(1000)]
    for number, key in enumerate(keys):
        times.note(key, number * 1000)
    assert (
        sum(times.seconds_since(key, 10**6) not in (999 - number, 1000 - number) for number, key in enumerate(keys))
        < 200
    )


def test_memory() -> None:
    for keys in (1_000, 2_049, 10_000, 16_385, 1_000_000):
        asked = AccessTimes()
        asked.ask(keys)
        assert keys <= asked.most_keys <= max(2 * keys, ROOMY_SLOTS)  # which are as many slots of four bytes
    assert enough_for(ROOMY_SLOTS, False) == ANY_NUMBER


def test_frozen() -> None:
    times = AccessTimes()
    times.grow(1)
    times.note(b"a", 1000)
    times.frozen = True
    times.note(b"a", 9000)
    assert times.seconds_since(b"a", 9001) == 8
