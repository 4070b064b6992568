"""Subscriptions: history and then what arrives, batches, ends, silence, slow clients."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from januskv.resp import websocket as ws

from .sockets import Socket, TimelyHouse, brief, elements, frame, frames

NOW = 1_700_000_000_000


@pytest.fixture
def house() -> TimelyHouse:
    return TimelyHouse(timely_subscription_delay=0)


def subscribed(house: TimelyHouse, metric: str = "m", name: Any = "s", **more: Any) -> Socket:
    """A socket with a subscription to a metric; what has come at once is still to be taken."""
    socket = house.socket()
    assert socket("create", subscriptionId=name) is None
    socket.connection.data_received(_request("add", subscriptionId=name, metric=metric, **more))
    return socket


def _request(operation: str, **members: Any) -> bytes:
    return frame(ws.TEXT, orjson.dumps({"operation": operation, **members}))


# ---------------------------------------------------------------- what elements say


def test_the_shape_of_points(house: TimelyHouse) -> None:
    house.put("m", 1000, 41.5, host="db1", mnt="data")
    (opcode, payload), *rest = subscribed(house, name=7).came()
    assert (opcode, rest) == (ws.TEXT, [])
    assert payload == (
        b'{"responses":[{"metric":"m","timestamp":1000,"value":41.5,"tags":[{"host":"db1"},{"mnt":"data"}],'
        b'"subscriptionId":"7","complete":false}]}'
    )


def test_values_that_are_no_numbers_and_odd_names(house: TimelyHouse) -> None:
    for time, value in enumerate((float("nan"), float("inf"), float("-inf"), 1e300, -0.0, 5e-324)):
        house.put('m"\\', time, value, hö="\u2028x")
    socket = subscribed(house, 'm"\\')
    found = socket.points()
    assert [each["value"] for each in found] == ["NaN", "Infinity", "-Infinity", 1e300, -0.0, 5e-324]
    assert (found[0]["metric"], found[0]["tags"]) == ('m"\\', [{"hö": "\u2028x"}])


def test_completion_comes_when_the_end_is_reached(house: TimelyHouse) -> None:
    for time in (1000, 2000, 3000):
        house.put("m", time, 1.0, host="a")
    socket = subscribed(house, startTime=1000, endTime=2000)
    found = socket.points()
    assert [brief(each) for each in found] == [("a", 1000, 1.0), ("a", 2000, 1.0), "m"]
    assert found[-1] == {
        "metric": "m", "timestamp": 0, "value": 0.0, "tags": None, "subscriptionId": "s", "complete": True,
    }  # fmt: skip
    house.put("m", 2500, 1.0, host="a")
    assert socket.points() == []
    house.check()
    assert house.store.feed.listeners == []


def test_completion_of_nothing(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    assert subscribed(house, startTime=5000, endTime=6000).brief() == ["m"]


# ---------------------------------------------------------------- history and what arrives


def test_history_and_then_what_arrives(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    house.put("m", 2000, 2.0, host="b")
    socket = subscribed(house)
    assert socket.brief() == [("a", 1000, 1.0), ("b", 2000, 2.0)]
    house.put("m", 3000, 3.0, host="a")
    house.put("m", 3000, 4.0, host="new")
    house.put("other", 3000, 4.0, host="a")
    house.put("m", 1500, 9.0, host="a")
    assert sorted(socket.brief()) == [("a", 3000, 3.0), ("new", 3000, 4.0)]


def test_tags_select_series(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a", rack="r1")
    house.put("m", 1000, 2.0, host="b", rack="r2")
    assert subscribed(house, tags={"rack": "r2"}).brief() == [("b", 1000, 2.0)]
    socket = subscribed(house, tags={"rack": "r[2-3]"})
    assert socket.brief() == [("b", 1000, 2.0)]
    house.put("m", 1000, 3.0, host="c", rack="r3")
    house.put("m", 1000, 4.0, host="c", rack="r4")
    house.put("m", 1000, 5.0, host="c")
    assert socket.brief() == [("c", 1000, 3.0)]
    assert subscribed(house, tags=[{"key": "host", "value": "a"}]).brief() == [("a", 1000, 1.0)]
    assert len(subscribed(house, tags=[]).brief()) == 5


def test_numbers_may_be_texts(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    house.put("m", 2000, 1.0, host="a")
    assert subscribed(house, startTime="2000", endTime="3000", delayTime="1").brief() == [("a", 2000, 1.0), "m"]


def test_a_long_history_comes_in_batches_with_others_served_in_between(house: TimelyHouse) -> None:
    for number in range(5):
        key = house.put("m", 0, 0.0, host=str(number))
        series: Any = house.store.databases[0].data[key]
        series.add_many(house.store.databases[0], key, list(range(1, 1000)), [1.0] * 999)
    socket = subscribed(house)
    found = socket.came()
    sizes = [len(elements([each])) for each in found]
    assert (sum(sizes), max(sizes)) == (5000, 1000)
    house.server.config.timely_subscription_batch = 7
    socket = subscribed(house, endTime=10)
    assert [len(elements([each])) for each in socket.came()] == [7] * 7 + [6, 1]


def test_points_wait_for_the_lag_and_for_their_time() -> None:
    house = TimelyHouse(timely_subscription_delay=0, timely_subscription_lag=2)
    house.put("m", NOW - 5000, 1.0, host="a")
    house.put("m", NOW - 1000, 2.0, host="a")
    socket = subscribed(house)
    assert socket.brief() == [("a", NOW - 5000, 1.0)]
    house.put("m", NOW - 500, 3.0, host="a")
    house.pass_time(999)
    assert socket.brief() == []
    house.pass_time(1)
    assert socket.brief() == [("a", NOW - 1000, 2.0)]
    house.pass_time(5000)
    assert socket.brief() == [("a", NOW - 500, 3.0)]


def test_the_delay_is_between_batches_and_the_first_does_not_wait(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    socket = subscribed(house, delayTime=500)
    assert socket.brief() == [("a", 1000, 1.0)]
    house.put("m", 2000, 2.0, host="a")
    house.put("m", 3000, 3.0, host="a")
    assert socket.brief() == []
    house.pass_time(499)
    assert socket.brief() == []
    house.pass_time(1)
    assert socket.brief() == [("a", 2000, 2.0), ("a", 3000, 3.0)]
    house.pass_time(10_000)
    house.put("m", 4000, 4.0, host="a")
    assert socket.brief() == [("a", 4000, 4.0)]


def test_a_full_batch_does_not_wait(house: TimelyHouse) -> None:
    house.server.config.timely_subscription_batch = 3
    house.put("m", 1000, 1.0, host="a")
    socket = subscribed(house, delayTime=60_000)
    socket.came()
    for time in (2000, 3000):
        house.put("m", time, 1.0, host="a")
    assert socket.came() == []
    house.put("m", 4000, 1.0, host="a")
    assert len(socket.points()) == 3


def test_old_points_are_not_given() -> None:
    house = TimelyHouse(timely_subscription_delay=0)
    house.server.config.set_text("timely-age-off", "1")
    house.put("m", NOW - 86_400_001, 1.0, host="a")
    house.put("m", NOW - 86_300_000, 2.0, host="a")
    assert subscribed(house).brief() == [("a", NOW - 86_300_000, 2.0)]


def test_a_future_point_does_not_hide_the_present(house: TimelyHouse) -> None:
    house.put("m", NOW + 3_600_000, 1.0, host="a")
    socket = subscribed(house)
    house.put("m", NOW, 2.0, host="a")
    assert socket.brief() == [("a", NOW, 2.0)]


# ---------------------------------------------------------------- ends


def test_remove_ends_a_metric_and_says_so(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    house.put("n", 1000, 2.0, host="a")
    socket = subscribed(house)
    socket.came()
    assert socket("add", subscriptionId="s", metric="n")["responses"][0]["metric"] == "n"
    assert socket.raw(_request("remove", subscriptionId="s", metric="none")) == []
    assert elements(socket.raw(_request("remove", subscriptionId="s", metric="m")))[0]["complete"]
    assert socket.raw(_request("remove", subscriptionId="s", metric="m")) == []
    house.put("m", 2000, 1.0, host="a")
    house.put("n", 2000, 2.0, host="a")
    assert [each["metric"] for each in socket.points()] == ["n"]


def test_remove_in_the_middle_of_history(house: TimelyHouse) -> None:
    for number in range(3000):
        house.put("m", 1000, 1.0, host=str(number))
    socket = house.socket()
    socket("create", subscriptionId="s")
    socket.connection.data_received(
        _request("add", subscriptionId="s", metric="m") + _request("remove", subscriptionId="s", metric="m")
    )
    found = socket.points()
    assert found[-1]["complete"]
    assert sum(each["complete"] for each in found) == 1
    house.check()
    assert house.store.feed.listeners == []


@pytest.mark.parametrize("what", ["flush", "swap", "delete", "close"])
def test_races_with_history(house: TimelyHouse, what: str) -> None:
    keys = [house.put("m", 1000, 1.0, host=str(number)) for number in range(3000)]
    socket = subscribed(house)
    while not socket.transport.written:
        timers, house.timers[:] = list(house.timers), []
        for _, call in timers:
            call()
    keyspace, other = house.store.databases[:2]
    if what == "flush":
        keyspace.clear()
    elif what == "swap":
        keyspace.swap(other)
    elif what == "delete":
        for key in keys[::2]:
            keyspace.delete(key)
    else:
        socket.connection.data_received(_request("close", subscriptionId="s"))
    found = socket.came()
    house.check()
    if what == "close":
        assert found[-1] == (ws.CLOSE, b"\x03\xe8Client requested close.")
        last = elements(found[:-1])[-1]
        assert last["complete"]
        return
    count = len(elements(found))
    assert count < 3000 if what != "delete" else 1500 <= count < 3000
    house.put("m", 5000, 7.0, host="after")
    assert socket.brief() == [("after", 5000, 7.0)]


def test_close_completes_and_closes(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    socket = subscribed(house)
    socket.came()
    found = socket.raw(_request("close", subscriptionId="s"))
    assert [brief(each) for each in elements(found[:1])] == ["m"]
    assert found[1] == (ws.CLOSE, b"\x03\xe8Client requested close.")
    assert socket.transport.closed
    assert house.store.feed.listeners == []


def test_creating_again_replaces(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    socket = subscribed(house)
    socket.came()
    assert socket("create", subscriptionId="s") is None
    house.put("m", 2000, 1.0, host="a")
    assert socket.points() == []
    assert len(socket("add", subscriptionId="s", metric="m")["responses"]) == 2


def test_adding_again_replaces(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    socket = subscribed(house)
    socket.came()
    assert len(socket("add", subscriptionId="s", metric="m", startTime=500)["responses"]) == 1
    house.put("m", 2000, 1.0, host="a")
    assert len(socket.points()) == 1


def test_subscriptions_and_sockets_do_not_disturb_each_other(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    first, second = subscribed(house), subscribed(house)
    second("create", subscriptionId="t")
    second("add", subscriptionId="t", metric="m", startTime=2000)
    first.came()
    second.came()
    first("remove", subscriptionId="s", metric="m")
    house.put("m", 2000, 2.0, host="a")
    assert first.points() == []
    assert sorted(each["subscriptionId"] for each in second.points()) == ["s", "t"]
    second.connection.connection_lost(None)
    assert house.store.feed.listeners == []


def test_the_seed_names_subscriptions_by_sessions(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    socket = house.socket()
    assert socket("create", sessionId="1234") is None
    found = socket("add", sessionId="1234", metric="m", tags=None)
    assert found["responses"][0]["subscriptionId"] == "1234"
    house.server.config.timely_strict = True
    assert house.socket()("create", sessionId="1234") == (1008, "Subscription ID is required.")


# ---------------------------------------------------------------- who may see what


def test_visibilities() -> None:
    house = TimelyHouse(
        timely_subscription_delay=0,
        requirepass="test1",
        timely_anonymous="yes",
        timely_authorizations="test A,B,C",
    )
    house.put("m", 1000, 1.0, host="a")
    house.put("m", 2000, 2.0, "A", host="a")
    house.put("m", 3000, 3.0, "D", host="a")
    assert subscribed(house).brief() == [("a", 1000, 1.0)]
    socket = house.socket(house.face.callers.login("test", "test1"))
    socket("create", subscriptionId="s")
    found = socket("add", subscriptionId="s", metric="m")["responses"]
    assert [(each["timestamp"], each["tags"]) for each in found] == [
        (1000, [{"host": "a"}]),
        (2000, [{"host": "a"}, {"viz": "A"}]),
    ]
    house.put("m", 4000, 4.0, "A&B", host="b")
    house.put("m", 4000, 5.0, "A&D", host="b")
    assert socket.brief() == [("b", 4000, 4.0)]


# ---------------------------------------------------------------- silence


def test_a_client_is_pinged_and_its_subscriptions_end_when_it_is_silent(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    socket = subscribed(house)
    socket.came()
    house.pass_time(29_999)
    assert socket.came() == []
    house.pass_time(1)
    assert socket.came() == [(ws.PING, b"")]
    socket.raw(frame(ws.PONG, b""))
    house.pass_time(30_000)
    assert socket.came() == [(ws.PING, b"")]
    house.pass_time(29_999)
    assert socket.came() == []
    house.pass_time(1)
    assert socket.brief() == ["m"]
    assert not socket.transport.closed
    assert house.store.feed.listeners == []
    house.put("m", 2000, 1.0, host="a")
    assert socket.points() == []
    assert not socket.connection.client.streaming
    assert socket("add", subscriptionId="s", metric="m")[0] == 1003


def test_a_socket_without_subscriptions_is_not_pinged(house: TimelyHouse) -> None:
    socket = house.socket()
    house.pass_time(100_000)
    assert socket.came() == []


def test_the_timeout_is_configured() -> None:
    house = TimelyHouse(timely_websocket_timeout=10)
    house.put("m", 1000, 1.0, host="a")
    socket = subscribed(house)
    socket.came()
    house.pass_time(5000)
    assert socket.came() == [(ws.PING, b"")]
    house.pass_time(5000)
    assert socket.brief() == ["m"]


def test_idle_clients_with_subscriptions_are_not_closed_by_timeout() -> None:
    house = TimelyHouse(timeout=5)
    house.put("m", 1000, 1.0, host="a")
    listening, idle = subscribed(house), house.socket()
    for _ in range(8):
        house.advance(1000)
    assert idle.transport.closed
    assert not listening.transport.closed


# ---------------------------------------------------------------- slow clients


def test_history_is_not_read_while_the_socket_has_enough(house: TimelyHouse) -> None:
    for number in range(5000):
        house.put("m", 1000, 1.0, host=str(number))
    socket = subscribed(house)
    socket.connection.pause_writing()
    assert socket.came() == []
    socket.connection.resume_writing()
    assert len(socket.points()) == 5000


def test_what_arrives_for_a_slow_client_is_kept_within_limits(house: TimelyHouse) -> None:
    house.server.config.set_text("client-output-buffer-limit", "pubsub 4mb 0 0")
    house.put("m", 0, 1.0, host="a")
    socket, other = subscribed(house), subscribed(house)
    socket.came()
    other.came()
    socket.connection.pause_writing()
    for time in range(1, 12_000):
        house.put("m", time, 1.0, host="a")
    assert socket.came() == []
    assert 12_000 * 50 < socket.connection.unread_bytes < 4 << 20
    socket.connection.resume_writing()
    assert len(socket.points()) == 11_999
    socket.connection.pause_writing()
    taken = len(other.points())
    for time in range(12_000, 60_000):
        house.put("m", time, 1.0, host="a")
        if time % 1000 == 999:
            taken += len(other.points())
    (opcode, payload) = socket.came()[-1]
    assert (opcode, payload) == (ws.CLOSE, b"\x03\xf0the subscriptions of this socket leave too much unread")
    assert house.server.accounts.stats.client_output_buffer_limit_disconnections == 1
    assert taken == 59_999
    assert not other.transport.closed
    house.check()


def test_a_client_over_the_soft_limit_for_too_long_is_closed(house: TimelyHouse) -> None:
    house.server.config.set_text("client-output-buffer-limit", "pubsub 0 1mb 5")
    house.put("m", 0, 1.0, host="a")
    socket = subscribed(house)
    socket.came()
    socket.connection.pause_writing()
    for time in range(1, 12_000):
        house.put("m", time, 1.0, host="a")
    for _ in range(4):
        house.advance(1000)
    assert not socket.transport.closed
    for _ in range(4):
        house.advance(1000)
    assert socket.transport.aborted


def test_streams_and_series_are_limited(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    socket = house.socket()
    for number in range(999):
        assert socket("create", subscriptionId=number) is None
    assert len(socket("add", subscriptionId=1, metric="m")["responses"]) == 1
    assert socket("create", subscriptionId="more")[0] == 1008
    small = TimelyHouse(timely_subscription_series=10)
    for number in range(11):
        small.put("m", 1000, 1.0, host=str(number))
    socket = subscribed(small)
    assert socket.came()[-1] == (ws.CLOSE, b"\x03\xf0the subscriptions of this socket follow too many series")
    assert small.store.feed.listeners == []


def test_a_fault_of_ours_ends_one_socket_only(house: TimelyHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("m", 1000, 1.0, host="a")
    good, bad = subscribed(house), subscribed(house)
    stream = bad.connection.subscriber.streams["s"]
    good.came()
    assert stream
    next(iter(stream.values())).send_batch = lambda: 1 // 0
    house.put("m", 2000, 2.0, host="a")
    assert good.brief() == [("a", 2000, 2.0)]
    assert bad.transport.aborted
    house.check()


# ---------------------------------------------------------------- a model


@pytest.mark.parametrize("seed", range(12))
def test_two_subscribers_against_a_model(seed: int) -> None:
    """Points of random series in random order, to sockets that pause, with another subscription that comes and goes."""
    chance = random.Random(seed)
    house = TimelyHouse(timely_subscription_delay=chance.choice((0, 20)))
    house.server.config.timely_subscription_batch = chance.choice((1, 7, 1000))
    lists: list[list[Any]] = [[], []]
    cursors: list[dict[str, int]] = [{}, {}]
    wanted: list[list[Any]] = [[], []]
    for number in range(50):
        house.put("m", NOW - 10_000 + number, float(number), host=chance.choice("abc"))
    filters = [{}, {"host": "[ab]"}]
    sockets = [subscribed(house, tags=each) for each in filters]
    for which, socket in enumerate(sockets):
        lists[which] += socket.brief()
        assert len(lists[which]) == len({(host, time) for host, time, _ in lists[which]})
        for host, time, _ in lists[which]:
            assert time > cursors[which].get(host, -1)
            cursors[which][host] = time
        wanted[which] = list(lists[which])
    paused = [False, False]
    for step in range(400):
        kind = chance.random()
        if kind < 0.7:
            host, time = chance.choice("abc"), house.clock.now_ms - chance.choice((0, 0, 0, 5, 500))
            house.put("m", time, float(step), host=host)
            for which in (0, 1):
                if (which == 0 or host in "ab") and time > cursors[which].get(host, -1):
                    wanted[which].append((host, time, float(step)))
                    cursors[which][host] = time
            house.clock.advance(chance.randint(0, 3))
        elif kind < 0.8:
            which = chance.randint(0, 1)
            socket = sockets[which]
            paused[which] = not paused[which]
            socket.connection.pause_writing() if paused[which] else socket.connection.resume_writing()
        elif kind < 0.85:
            extra = subscribed(house)
            extra.came()
            extra.connection.connection_lost(None)
        else:
            house.pass_time(chance.randint(0, 30))
        for which, socket in enumerate(sockets):
            lists[which] += socket.brief()
        house.check()
    for socket in sockets:
        socket.connection.resume_writing()
    house.pass_time(1000)
    for which, socket in enumerate(sockets):
        lists[which] += socket.brief()
        assert sorted(lists[which]) == sorted(wanted[which])
        for host in "abc":
            times = [time for each, time, _ in lists[which] if each == host]
            assert times == sorted(times)


def test_no_frames_are_left_open(house: TimelyHouse) -> None:
    house.put("m", 1000, 1.0, host="a")
    socket = subscribed(house)
    house.run_timers()
    assert len(frames(socket.transport.written)) == 1
