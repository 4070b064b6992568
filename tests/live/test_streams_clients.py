"""Streams as an application uses them: redis-py, a group of workers, one of which dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

redis = pytest.importorskip("redis")

pytestmark = pytest.mark.live

JOBS = 200


@pytest.fixture(params=[2, 3])
def connect(janus: Any, request: Any) -> Callable[[], Any]:
    def make() -> Any:
        return redis.Redis(port=janus.port, protocol=request.param, decode_responses=True)

    make().flushall()
    return make


def entries_of(reply: Any) -> list[tuple[str, dict[str, str]]]:
    """The entries of the one stream in a reply: pairs of name and entries, or a map of names to batches."""
    if not reply:
        return []
    if isinstance(reply, dict):
        (batches,) = reply.values()
        return [entry for batch in batches for entry in batch]
    return reply[0][1]  # type: ignore[no-any-return]


def work(connect: Any, name: str, done: dict[str, str], lock: threading.Lock) -> None:
    """Take jobs until an entry says that there are no more."""
    client = connect()
    while True:
        for entry_id, fields in entries_of(client.xreadgroup("workers", name, {"jobs": ">"}, count=5, block=5000)):
            client.xack("jobs", "workers", entry_id)
            if "stop" in fields:
                return
            with lock:
                assert fields["n"] not in done
                done[fields["n"]] = name


def test_two_workers_do_every_job_once(connect: Any) -> None:
    client = connect()
    client.xgroup_create("jobs", "workers", id="$", mkstream=True)
    done: dict[str, str] = {}
    lock = threading.Lock()
    threads = [threading.Thread(target=work, args=(connect, name, done, lock)) for name in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for number in range(JOBS):
        client.xadd("jobs", {"n": number})
    while len(done) < JOBS and any(thread.is_alive() for thread in threads):
        threads[0].join(0.01)
    while any(thread.is_alive() for thread in threads):
        client.xadd("jobs", {"stop": 1})
        threads[0].join(0.05)
    assert sorted(map(int, done)) == list(range(JOBS))
    assert client.xpending("jobs", "workers")["pending"] == 0


def test_the_jobs_of_a_dead_worker_are_taken_over(connect: Any) -> None:
    client = connect()
    ids = [client.xadd("jobs", {"n": number}) for number in range(10)]
    client.xgroup_create("jobs", "workers", id="0")
    client.xreadgroup("workers", "dead", {"jobs": ">"}, count=6)
    client.xdel("jobs", ids[2])
    cursor, taken, removed = client.xautoclaim("jobs", "workers", "heir", min_idle_time=0, start_id="0-0", count=100)
    assert cursor == "0-0"
    assert [entry_id for entry_id, _ in taken] == [*ids[:2], *ids[3:6]]
    assert removed == [ids[2]]
    assert client.xack("jobs", "workers", *[entry_id for entry_id, _ in taken]) == 5
    (group,) = client.xinfo_groups("jobs")
    assert (group["name"], group["pending"], group["consumers"]) == ("workers", 0, 2)
    assert {each["name"] for each in client.xinfo_consumers("jobs", "workers")} == {"dead", "heir"}
    info = client.xinfo_stream("jobs")
    assert (info["length"], info["entries-added"], info["max-deleted-entry-id"]) == (9, 10, ids[2])
    assert client.xinfo_stream("jobs", full=True)["groups"][0]["pel-count"] == 0


def test_a_capped_stream(connect: Any) -> None:
    client = connect()
    for number in range(500):
        client.xadd("log", {"n": number}, maxlen=100, approximate=True)
    assert 100 <= client.xlen("log") < 200
    newest = client.xrevrange("log", count=1)
    assert newest[0][1] == {"n": "499"}
    assert client.xtrim("log", maxlen=10, approximate=False) > 0
    assert [fields["n"] for _, fields in client.xrange("log")] == [str(number) for number in range(490, 500)]


def test_streams_are_there_again_after_a_restart(start_januskv: Any, tmp_path: Any) -> None:
    options = ("--dir", str(tmp_path), "--appendonly", "yes")
    server = start_januskv(*options)
    client = redis.Redis(port=server.port)
    for number in range(250):
        client.xadd("s", {"n": number, "twice": 2 * number}, id=f"{number + 1}-1")
    client.xgroup_create("s", "g", id="0")
    client.xreadgroup("g", "ann", {"s": ">"}, count=20)
    client.xack("s", "g", "3-1", "4-1")
    client.xclaim("s", "g", "bob", 0, ["5-1", "6-1"])
    client.xdel("s", "6-1", "100-1")
    client.xautoclaim("s", "g", "cleo", 0, count=4)
    client.xtrim("s", maxlen=230, approximate=False)
    client.execute_command("XSETID", "s", "400-1", "ENTRIESADDED", "300")
    client.xadd("s", {"after": 1}, id="400-2", maxlen=100)
    questions = ("XINFO STREAM s FULL COUNT 0", "XRANGE s - +", "XINFO GROUPS s", "XPENDING s g")
    before = [client.execute_command(*line.split()) for line in questions]
    server.stop()
    again = redis.Redis(port=start_januskv(*options).port)
    assert [again.execute_command(*line.split()) for line in questions] == before
