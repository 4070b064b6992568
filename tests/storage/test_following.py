"""Followers of metrics get what is stored and what arrives, each point once, whatever happens to the series."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from januskv.storage.clock import ManualClock
from januskv.storage.feed import Feed
from januskv.storage.following import Follower, Following, Labels
from januskv.storage.keyspace import Keyspace
from januskv.storage.metrics import NAME_LABEL, series_for, series_key
from januskv.storage.sample_queries import first_samples
from januskv.storage.samples import SampleSeries

NOW = 1_700_000_000_000


def everything(labels: Labels) -> bool:
    return True


class Place:
    """A keyspace with followers; ``clock`` stands still."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.feed = Feed()
        self.keyspace = Keyspace(0, self.clock, self.feed)
        self.other = Keyspace(1, self.clock, self.feed)
        self.following = Following(self.keyspace)

    def put(self, time: int, value: float, metric: bytes = b"m", **tags: str) -> bytes:
        key, series = series_for(self.keyspace, metric, {k.encode(): v.encode() for k, v in tags.items()})
        series.add(self.keyspace, key, time, value)
        return key

    def follow(self, metric: bytes = b"m", accepts: Callable[[Labels], bool] = everything, **more: int) -> Follower:
        follower = Follower(metric, accepts, clock=self.clock, **more)  # type: ignore[arg-type]
        self.following.add(follower)
        self.following.look_through(follower, self.following.keys_of(follower))
        return follower

    def taken(self, follower: Follower, most: int = 1000) -> list[tuple[str, int, float]]:
        """All that there is to take now: host, time, value."""
        found = []
        while follower.busy:
            self.following.look(follower)
            for cursor, times, values in follower.take(most):
                host = cursor.series.labels.get(b"host", b"").decode()
                found += [(host, time, value) for time, value in zip(times, values, strict=True)]
        self.following.check()
        return found


@pytest.fixture
def place() -> Place:
    return Place()


def test_what_is_stored_comes_first_and_then_what_arrives(place: Place) -> None:
    place.put(1000, 1.0, host="a")
    place.put(2000, 2.0, host="b")
    follower = place.follow()
    assert place.taken(follower) == [("a", 1000, 1.0), ("b", 2000, 2.0)]
    place.put(3000, 3.0, host="a")
    assert follower.waiting == 1
    assert place.taken(follower) == [("a", 3000, 3.0)]
    assert follower.waiting == 0


def test_a_start_bounds_what_is_given_of_each_series(place: Place) -> None:
    place.put(1000, 1.0, host="a")
    place.put(2000, 2.0, host="a")
    follower = place.follow(start_ms=2000)
    place.put(1500, 9.0, host="b")
    place.put(2500, 3.0, host="b")
    assert sorted(place.taken(follower)) == [("a", 2000, 2.0), ("b", 2500, 3.0)]


def test_an_end_finishes(place: Place) -> None:
    for time in (1000, 2000, 3000):
        place.put(time, 1.0, host="a")
    follower = place.follow(end_ms=2000)
    assert not follower.finished
    assert place.taken(follower) == [("a", 1000, 1.0), ("a", 2000, 1.0)]
    assert follower.finished


def test_an_end_in_the_future_finishes_with_what_is_stored(place: Place) -> None:
    place.put(NOW + 5000, 1.0, host="a")
    follower = place.follow(end_ms=NOW + 10_000)
    assert place.taken(follower) == [("a", NOW + 5000, 1.0)]
    assert follower.finished


def test_what_comes_late_or_again_is_never_given(place: Place) -> None:
    place.put(5000, 1.0, host="a")
    follower = place.follow()
    place.taken(follower)
    place.put(4000, 2.0, host="a")
    place.put(5000, 3.0, host="a")
    assert not follower.busy
    place.put(5001, 4.0, host="a")
    assert place.taken(follower) == [("a", 5001, 4.0)]


def test_each_series_has_a_cursor_of_its_own(place: Place) -> None:
    place.put(5000, 1.0, host="a")
    follower = place.follow()
    place.taken(follower)
    place.put(4000, 2.0, host="b")
    assert place.taken(follower) == [("b", 4000, 2.0)]


def test_a_batch_of_samples_is_given_from_where_it_is_new(place: Place) -> None:
    key = place.put(5000, 1.0, host="a")
    series = place.keyspace.data[key]
    assert isinstance(series, SampleSeries)
    follower = place.follow()
    place.taken(follower)
    series.add_many(place.keyspace, key, [4000, 5000, 6000, 7000], [1.0, 2.0, 3.0, 4.0])
    assert place.taken(follower) == [("a", 6000, 3.0), ("a", 7000, 4.0)]
    series.add_many(place.keyspace, key, [9000, 8000], [6.0, 5.0])
    assert place.taken(follower) == [("a", 8000, 5.0), ("a", 9000, 6.0)]


def test_a_big_batch_is_read_from_the_series(place: Place) -> None:
    key = place.put(1, 1.0, host="a")
    series = place.keyspace.data[key]
    assert isinstance(series, SampleSeries)
    follower = place.follow()
    place.taken(follower)
    series.add_many(place.keyspace, key, list(range(10, 5010)), [0.0] * 5000)
    assert follower.waiting == 0
    assert [time for _, time, _ in place.taken(follower)] == list(range(10, 5010))


def test_a_part_of_what_has_arrived_can_be_taken(place: Place) -> None:
    key = place.put(1, 1.0, host="a")
    series = place.keyspace.data[key]
    assert isinstance(series, SampleSeries)
    follower = place.follow()
    place.taken(follower)
    series.add_many(place.keyspace, key, [2, 3, 4], [2.0, 3.0, 4.0])
    assert [list(times) for _, times, _ in follower.take(2)] == [[2, 3]]
    assert follower.waiting == 1
    place.following.check()
    assert [list(times) for _, times, _ in follower.take(2)] == [[4]]


@pytest.mark.parametrize("lag_ms", [0, 5000], ids=["of the future", "younger than the lag"])
def test_points_wait_for_their_time(place: Place, lag_ms: int) -> None:
    waits: list[int] = []
    follower = place.follow(lag_ms=lag_ms)
    follower.on_wait = lambda: waits.append(1)
    place.put(NOW - lag_ms + 100, 2.0, host="a")
    place.put(NOW - lag_ms + 200, 3.0, host="a")
    assert place.taken(follower) == []
    assert waits
    assert follower.due_ms == NOW + 100
    place.put(NOW - lag_ms - 1, 1.0, host="a")  # older, and so at once
    assert place.taken(follower) == [("a", NOW - lag_ms - 1, 1.0)]
    place.clock.advance(99)
    follower.wake()
    assert not follower.busy
    place.clock.advance(1)
    follower.wake()
    assert place.taken(follower) == [("a", NOW - lag_ms + 100, 2.0)]
    assert follower.due_ms == NOW + 200
    place.clock.advance(1000)
    follower.wake()
    assert place.taken(follower) == [("a", NOW - lag_ms + 200, 3.0)]
    assert follower.due_ms is None


def test_only_series_with_accepted_labels_are_followed(place: Place) -> None:
    place.put(1000, 1.0, host="a")
    place.put(1000, 2.0, host="b")
    follower = place.follow(accepts=lambda labels: labels.get(b"host") in (b"b", b"c"))
    place.put(1000, 3.0, host="c")
    place.put(1000, 4.0, host="d")
    place.put(1000, 5.0, b"other", host="b")
    assert sorted(place.taken(follower)) == [("b", 1000, 2.0), ("c", 1000, 3.0)]


# ---------------------------------------------------------------- series come and go


def test_a_deleted_series_leaves_and_one_of_its_name_begins_from_scratch(place: Place) -> None:
    key = place.put(1000, 1.0, host="a")
    follower = place.follow()
    assert len(place.taken(follower)) == 1
    place.keyspace.delete(key)
    place.following.check()
    assert not follower.cursors
    place.put(500, 2.0, host="a")
    assert place.taken(follower) == [("a", 500, 2.0)]


def test_an_expired_series_leaves(place: Place) -> None:
    key = place.put(1000, 1.0, host="a")
    follower = place.follow()
    place.taken(follower)
    place.keyspace.expire_at(key, NOW + 10)
    place.clock.advance(1000)
    assert place.keyspace.get(key) is None
    place.following.check()
    assert not follower.cursors


def test_a_renamed_series_is_followed_from_where_it_was(place: Place) -> None:
    key = place.put(1000, 1.0, host="a")
    target = place.put(1000, 2.0, host="b")
    follower = place.follow()
    place.taken(follower)
    place.keyspace.rename(key, target)
    place.following.check()
    series = place.keyspace.data[target]
    assert isinstance(series, SampleSeries)
    series.add(place.keyspace, target, 2000, 3.0)
    assert place.taken(follower) == [("a", 2000, 3.0)]


def test_a_series_is_followed_through_a_copy_a_move_and_a_value_in_its_place(place: Place) -> None:
    key = place.put(1000, 1.0, host="a")
    follower = place.follow()
    place.taken(follower)
    assert place.keyspace.copy_to(key, place.keyspace, b"copy", False)
    assert place.taken(follower) == [("a", 1000, 1.0)]
    assert place.keyspace.move_to(place.other, b"copy")
    place.following.check()
    assert place.other.move_to(place.keyspace, b"copy")
    assert place.taken(follower) == [("a", 1000, 1.0)]
    place.keyspace.put(b"copy", b"text")
    place.following.check()
    assert list(follower.cursors) == [key]


def test_new_labels_let_a_series_join_or_leave(place: Place) -> None:
    key = place.put(1000, 1.0, host="a")
    series = place.keyspace.data[key]
    assert isinstance(series, SampleSeries)
    follower = place.follow(b"n")
    assert place.taken(follower) == []
    series.alter(place.keyspace, key, {"labels": {NAME_LABEL: b"n", b"host": b"x"}})
    assert place.taken(follower) == [("x", 1000, 1.0)]
    follower.cursors[key].note = "worded"
    series.alter(place.keyspace, key, {"labels": {NAME_LABEL: b"n", b"host": b"y"}})
    assert follower.cursors[key].note is None
    series.alter(place.keyspace, key, {"labels": {NAME_LABEL: b"m"}})
    place.following.check()
    assert not follower.cursors


def test_a_flush_in_the_middle_of_reading(place: Place) -> None:
    for host in range(600):
        place.put(1000, 1.0, host=str(host))
    follower = place.follow()
    place.following.look(follower)
    follower.take(10)
    place.keyspace.clear()
    assert place.taken(follower) == []
    place.put(2000, 2.0, host="a")
    assert place.taken(follower) == [("a", 2000, 2.0)]


def test_swapped_databases(place: Place) -> None:
    place.put(1000, 1.0, host="a")
    follower = place.follow()
    place.taken(follower)
    place.keyspace.swap(place.other)
    assert place.taken(follower) == []
    key, series = series_for(place.other, b"m", {b"host": b"a"})
    series.add(place.other, key, 2000, 9.0)  # not in the database that is followed
    assert not follower.busy
    place.keyspace.swap(place.other)
    assert place.taken(follower) == [("a", 1000, 1.0), ("a", 2000, 9.0)]


def test_series_that_go_while_they_are_looked_for(place: Place) -> None:
    keys = [place.put(1000, 1.0, host=str(host)) for host in range(600)]
    follower = place.follow()
    place.following.look(follower)
    for key in keys[100:590]:
        place.keyspace.delete(key)
    place.put(1000, 1.0, host="new")
    assert len(place.taken(follower)) == 111


def test_a_removed_follower_gets_nothing_more_and_nobody_listens(place: Place) -> None:
    place.put(1000, 1.0, host="a")
    first, second = place.follow(), place.follow()
    place.taken(first)
    place.following.remove(first)
    place.following.remove(first)
    place.put(2000, 2.0, host="a")
    assert not first.busy
    assert len(place.taken(second)) == 2
    place.following.remove(second)
    assert place.feed.listeners == []
    place.following.check()


def test_other_databases_and_keys_are_none_of_its_business(place: Place) -> None:
    follower = place.follow()
    place.taken(follower)
    place.keyspace.put(b"text", b"value")
    place.keyspace.expire_at(b"text", NOW + 1000)
    key, series = series_for(place.other, b"m", {b"host": b"a"})
    series.add(place.other, key, 1000, 1.0)
    place.other.clear()
    assert not follower.busy
    place.following.check()


# ---------------------------------------------------------------- reading


def test_first_samples() -> None:
    series = SampleSeries()
    series.extend(list(range(0, 100_000, 10)), [float(time) for time in range(0, 100_000, 10)])
    assert first_samples(series, 15, 45, 10) == ([20, 30, 40], [20.0, 30.0, 40.0])
    assert first_samples(series, 15, 45, 2)[0] == [20, 30]
    assert first_samples(series, 50, 10, 2) == ([], [])
    assert first_samples(series, 0, 10**9, 9000)[0] == list(range(0, 90_000, 10))
    series.retention_ms = 50
    assert first_samples(series, 0, 10**9, 3)[0] == [99_940, 99_950, 99_960]
    assert first_samples(SampleSeries(), 0, 10, 3) == ([], [])


# ---------------------------------------------------------------- a model


class Model:
    """What a follower is to get, found by looking at all series each time."""

    def __init__(self, place: Place, lag_ms: int, host: bytes | None) -> None:
        self.place, self.lag_ms, self.host = place, lag_ms, host
        self.given: dict[SampleSeries, int] = {}  # the last time given of the series that are followed

    def new(self) -> list[tuple[bytes, int, float]]:
        found: list[tuple[bytes, int, float]] = []
        followed: dict[SampleSeries, int] = {}
        for held in list(self.place.keyspace.data.values()):
            if not isinstance(held, SampleSeries) or held.labels.get(NAME_LABEL) != b"m":
                continue
            host = held.labels.get(b"host", b"")
            if self.host is not None and host != self.host:
                continue
            last = self.given.get(held, -1)
            times, values = held.between(last + 1, self.place.clock.now_ms - self.lag_ms)
            for time, value in zip(times.tolist(), values.tolist(), strict=True):
                found.append((host, time, value))
                last = time
            followed[held] = last
        self.given = followed
        return found


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_against_a_model(seed: int) -> None:
    """Followers that take what there is after each step get what one gets who looks at everything each time."""
    chance = random.Random(seed)
    place = Place()
    hosts = [b"a", b"b", b"c", b"d"]
    wanted = [Model(place, 0, None), Model(place, 300, None), Model(place, 0, b"a")]
    followers = [
        place.follow(
            accepts=everything if each.host is None else lambda labels: labels.get(b"host") == b"a", lag_ms=each.lag_ms
        )
        for each in wanted
    ]
    kinds = ("put", "batch", "delete", "rename", "flush", "swap", "time", "alter", "expire", "move")
    for _ in range(400):
        step = chance.choices(kinds, (50, 15, 3, 3, 1, 2, 20, 3, 2, 2))[0]
        key = series_key(b"m", {b"host": chance.choice(hosts)})
        held = place.keyspace.get(key)
        now_ms = place.clock.now_ms
        if step in ("put", "batch"):
            key, held = series_for(place.keyspace, b"m", {b"host": chance.choice(hosts)})
            times = [now_ms + chance.randint(-200, 100) for _ in range(1 if step == "put" else chance.randint(1, 6))]
            if chance.random() < 0.5:
                times = sorted(set(times))
            if step == "put":
                held.add(place.keyspace, key, times[0], chance.random())
            else:
                held.add_many(place.keyspace, key, times, [chance.random() for _ in times])
        elif step == "delete":
            place.keyspace.delete(key)
        elif step == "flush":
            place.keyspace.clear()
        elif step == "swap":
            place.keyspace.swap(place.other)
        elif step == "time":
            place.clock.advance(chance.randint(0, 100))
        elif isinstance(held, SampleSeries):
            if step == "expire":
                place.keyspace.expire_at(key, now_ms + chance.randint(1, 50))
            elif step == "rename":
                place.keyspace.rename(key, series_key(b"m", {b"host": chance.choice(hosts)}))
            elif step == "move":
                place.keyspace.move_to(place.other, key)
            else:
                labels = {NAME_LABEL: chance.choice((b"m", b"m", b"n")), b"host": chance.choice(hosts)}
                held.alter(place.keyspace, key, {"labels": labels})
        place.keyspace.run_cron(100)
        while place.keyspace.run_cron(100):
            pass
        for follower, model in zip(followers, wanted, strict=True):
            follower.wake()
            found = [
                (host.encode(), time, value) for host, time, value in place.taken(follower, chance.choice((1, 3, 1000)))
            ]
            assert sorted(found) == sorted(model.new()), step
    for follower in followers:
        place.following.remove(follower)
    assert place.feed.listeners == []


def test_series_that_may_not_be_read_are_not_followed(place: Place) -> None:
    place.put(1000, 1.0, host="a")
    place.put(1000, 2.0, host="b")
    follower = place.follow(may_read=lambda key: key == b"m{host=a}")  # type: ignore[arg-type]
    place.put(2000, 3.0, host="b")
    place.put(2000, 4.0, host="c")
    place.put(2000, 5.0, host="a")
    assert place.taken(follower) == [("a", 1000, 1.0), ("a", 2000, 5.0)]
