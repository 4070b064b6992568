"""Sessions: tokens, expiry, and what is told to whom."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.storage.clock import ManualClock
from januskv.storage.errors import NoSuchSession, SessionExists
from januskv.storage.sessions import LEAST_CUT, LEAST_TOKEN, shared_token
from januskv.storage.store import SWEEP_MS, Store

SHARED = 7951999720343780  # the token of the shared session "board"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> Store:
    return Store(clock=clock)


def advance(store: Store, clock: ManualClock, ms: int) -> None:
    clock.advance(ms)
    store.run_cron()


# ---------------------------------------------------------------- tokens


def test_private_tokens_are_random_and_no_database_numbers(store: Store) -> None:
    tokens = {store.sessions.open_new("a", shared=False).token for _ in range(100)}
    assert len(tokens) == 100
    assert all(LEAST_TOKEN <= token < 1 << 52 for token in tokens)


def test_tokens_have_at_most_53_bits(store: Store) -> None:
    """JavaScript, and whatever else reads the numbers of JSON as doubles, keeps them exactly."""
    tokens = [store.sessions.open_new(f"{i}", shared=bool(i % 2)).token for i in range(1000)]
    assert all(int(float(token)) == token < 1 << 53 for token in tokens)


def test_wider_tokens_on_request(store: Store) -> None:
    store.sessions.token_bits = 63
    tokens = [store.sessions.open_new(f"{i}", shared=False).token for i in range(100)]
    assert all(token < 1 << 62 for token in tokens)
    assert max(tokens) > 1 << 53
    assert 1 << 62 <= store.sessions.open_new("board", shared=True).token < 1 << 63


def test_what_is_left_of_a_token_in_32_bits_is_no_database(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = 5 << 32 | LEAST_CUT
    drawn = iter([3, LEAST_TOKEN, 1 << 40 | 15, 1 << 40 | 0xFFFFFFFF, wanted])
    monkeypatch.setattr("januskv.storage.sessions.secrets.randbits", lambda bits: next(drawn))
    assert store.sessions.open_new("a", shared=False).token == wanted


def test_shared_tokens_follow_from_the_name(store: Store) -> None:
    session = store.sessions.open_new("board", shared=True)
    assert session.token == shared_token("board") == SHARED
    assert 1 << 52 <= session.token < 1 << 53
    assert store.sessions.shared_by_name("board") is session
    assert store.sessions.shared_by_name("boar") is None


def test_sessions_of_before_keep_their_tokens_of_64_bits(store: Store) -> None:
    old = store.sessions.reopen(14487024801716488420, "board", shared=True, duration_s=0, delete_on_expiry=False)
    assert old is not None
    assert store.sessions.look_up(14487024801716488420) is old
    assert store.sessions.shared_by_name("board") is old
    with pytest.raises(SessionExists) as clash:
        store.sessions.open_new("board", shared=True)
    assert clash.value.token == old.token
    assert store.sessions.reopen(5 << 40, "board", shared=True, duration_s=0, delete_on_expiry=False) is None
    store.sessions.check()
    store.sessions.end(old.token)
    assert store.sessions.shared_by_name("board") is None
    assert store.sessions.open_new("board", shared=True).token == SHARED
    store.sessions.check()


def test_two_names_that_lead_to_one_token(store: Store) -> None:
    taken = store.sessions.reopen(SHARED, "other", shared=False, duration_s=0, delete_on_expiry=False)
    session = store.sessions.open_new("board", shared=True)
    assert session.token == shared_token("board", attempt=1) != SHARED
    assert taken is not None
    assert store.sessions.look_up(SHARED) is taken
    assert store.sessions.shared_by_name("board") is session


def test_a_shared_name_is_taken_once(store: Store) -> None:
    token = store.sessions.open_new("board", shared=True).token
    with pytest.raises(SessionExists) as clash:
        store.sessions.open_new("board", shared=True)
    assert clash.value.token == token
    assert not store.sessions.open_new("board", shared=False).shared
    assert len(store.sessions) == 2


def test_an_unknown_token(store: Store) -> None:
    for operation in (store.sessions.look_up, store.sessions.enter, store.sessions.end):
        with pytest.raises(NoSuchSession):
            operation(5)


# ---------------------------------------------------------------- expiry


def open_one(store: Store, *, duration_s: int = 10, delete: bool = True) -> Any:
    session = store.sessions.open_new("a", shared=False, duration_s=duration_s, delete_on_expiry=delete)
    session.keyspace.put(b"k", b"v")
    return session


def test_without_duration_a_session_never_expires(store: Store, clock: ManualClock) -> None:
    session = open_one(store, duration_s=0)
    advance(store, clock, 10**13)
    assert store.sessions.look_up(session.token) is session


def test_a_session_outlives_its_deadline_until_the_sweep(store: Store, clock: ManualClock) -> None:
    session = open_one(store, duration_s=1)
    advance(store, clock, SWEEP_MS - 1)
    assert not session.ended
    advance(store, clock, 1)
    assert session.ended
    assert session.token not in store.sessions.by_token


def test_entering_revives_it_before_the_sweep(store: Store, clock: ManualClock) -> None:
    session = open_one(store, duration_s=3)
    clock.advance(SWEEP_MS - 1)
    assert store.sessions.enter(session.token) is session
    advance(store, clock, 1)
    assert not session.ended
    assert session.deadline_ms == clock.now_ms - 1 + 3_000


def test_looking_does_not(store: Store, clock: ManualClock) -> None:
    session = open_one(store, duration_s=3)
    clock.advance(SWEEP_MS - 1)
    store.sessions.look_up(session.token)
    advance(store, clock, 1)
    assert session.ended


def test_deadlines_that_are_ahead_are_left(store: Store, clock: ManualClock) -> None:
    session = open_one(store, duration_s=60)
    advance(store, clock, SWEEP_MS)
    assert session.keyspace.get(b"k") == b"v"
    assert session.deadline_ms == clock.now_ms - SWEEP_MS + 60_000


def test_one_that_is_to_stay_is_emptied_and_begins_anew(store: Store, clock: ManualClock) -> None:
    session = open_one(store, duration_s=7, delete=False)
    for _ in range(2):
        session.keyspace.put(b"k", b"v")
        advance(store, clock, 2 * SWEEP_MS)
        assert not session.ended
        assert len(session.keyspace) == 0
        assert session.deadline_ms == clock.now_ms + 7_000


def test_a_clock_that_is_set_back_does_not_end_the_sweeps(store: Store, clock: ManualClock) -> None:
    advance(store, clock, -1_000_000)
    session = open_one(store, duration_s=1)
    advance(store, clock, SWEEP_MS)
    assert session.ended


def test_keys_of_sessions_expire_too(store: Store, clock: ManualClock) -> None:
    session = open_one(store, duration_s=0)
    session.keyspace.expire_at(b"k", clock.now_ms + 500)
    advance(store, clock, 2_000)
    assert len(session.keyspace) == 0


# ---------------------------------------------------------------- ending


def test_whoever_is_inside_is_told(store: Store) -> None:
    told: list[Any] = []
    store.sessions.on_end = told.extend
    first, second = open_one(store), open_one(store)
    store.sessions.end(first.token)
    assert told == [first]
    assert store.sessions.end_all() == 1
    assert told == [first, second]
    assert store.sessions.end_all() == 0


def test_flushing_leaves_sessions_alone(store: Store) -> None:
    session = open_one(store)
    store.flush_all()
    assert session.keyspace.get(b"k") == b"v"


def test_the_feed_hears_of_sessions(store: Store, clock: ManualClock) -> None:
    heard: list[tuple[str, bytes]] = []
    store.feed.subscribe(lambda keyspace, event, key, detail: heard.append((event, key)))
    session = open_one(store, duration_s=1)
    advance(store, clock, SWEEP_MS)
    assert heard == [("session_new", b""), ("set", b"k"), ("flushdb", b""), ("session_end", b"")]
    assert session.ended
