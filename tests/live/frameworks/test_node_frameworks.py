"""Job queues, sessions, locks, rate limits and a browser of keys, of Node, against a running server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.live
Job = Callable[..., Any]


def majors(found: Any) -> dict[str, str]:
    """The versions that a script printed, without what follows the first number."""
    return {name: version.split(".")[0] for name, version in found.pop("versions").items()}


def test_scripts_locks_and_limits(job: Job) -> None:
    found = job("client_scripts.js", "ioredis", "redis", "redlock", "rate-limiter-flexible")
    assert majors(found) == {"ioredis": "6", "redis": "6", "redlock": "4", "rate-limiter-flexible": "11"}
    expected = {
        "ioredisCommand": [["a", "b", "x", 1], ["a", "b", "y", 2]],
        "ioredisError": "MINE not today",
        # The scripts are not known to the server: they run when the rest has run.
        "ioredisPipeline": [[None, "OK"], [None, ["a", "b", "p", 11]], [None, "10"], [None, ["a", "b", "q", 12]]],
        "ioredisMulti": [[None, ["a", "b", "m", 13]], [None, "13"]],
        "ioredisBuffer": "00ff",
        "redlockSecond": "LockError",
        "redlockExtended": True,
        "redlockStale": "LockError",
        "redlockLeft": 0,
        "redlockSeveral": [2, "LockError"],
        "limiter": [[1, 1], [2, 0], [3, 0]],
        "limiterBlocked": True,
        "limiterReward": -3,
        "limiterPenalty": 2,
        "limiterDeleted": [True, None],
        "limiterQueue": [0, 0],
        "limiterQueueWaited": True,
        "limiterBursty": [True, True, False],
    }
    for resp in (2, 3):
        name = f"nodeRedis{resp}"
        expected[f"{name}Loaded"] = f"lib{resp}"
        expected[f"{name}Functions"] = ["OK", 42]
        expected[f"{name}Script"] = ["HALF 10", "HALF 5"]
        expected[f"{name}Multi"] = ["OK", "HALF 3"]
        expected[f"{name}List"] = f"lib{resp}"
        expected[f"{name}Restored"] = ["OK", "OK"]
        expected[f"{name}Again"] = 7
    assert found == expected


def test_bullmq(job: Job) -> None:
    found = job("bullmq_jobs.js", "bullmq")
    assert majors(found) == {"bullmq": "6"}
    assert found == {
        "plainCounts": {"waiting": 2, "prioritized": 2, "delayed": 0},
        "plainState": "delayed",
        "plainDelayed": [10, True],
        "plainErrors": ["try 2", "never"],
        "plainOrder": ["lifo", "first", "same", "high", "low"],
        "plainSame": ["same-id", "same-id"],
        "plainProgress": {"half": True},
        "plainLogs": ["a line"],
        "plainFailed": [["failing", 3], ["never", 1]],
        "plainPaused": [True, {"paused": 0, "waiting": 1}],
        "plainCleaned": 6,
        "plainObliterated": 0,
        "repeatedSchedulers": [["often", 200]],
        "repeated": ["tick", "tick", "tick"],
        "repeatedNightly": [["night"], True],
        "limited": [1, 2, 3, 4],
        "limitedWaited": True,
        "flow": 15,
        "flowDependencies": 3,
    }


def test_bee_queue(job: Job) -> None:
    found = job("bee_queue_jobs.js", "bee-queue")
    assert majors(found) == {"bee-queue": "2"}
    assert found == {
        "again": None,
        "health": 1,
        "ended": [["succeeded", 5], ["failed", "no"], ["succeeded", 6], ["succeeded", 7]],
        "delayed": True,
        "progress": {"half": True},
        "tries": [2, 6],
        "after": [3, 1, 0, 0],
        "job": "succeeded",
    }


def test_express_session(job: Job) -> None:
    found = job("express_sessions.js", "express", "express-session", "connect-redis")
    assert majors(found) == {"express": "5", "express-session": "1", "connect-redis": "9"}
    assert found == {
        "visits": ["1", "2", "1", "3"],
        "stored": [2, 2, [1, 3]],
        "ttls": [True, True],
        "afterLogin": ["1", 2],
        "afterLeaving": [1, "1"],
        "cleared": 0,
    }
