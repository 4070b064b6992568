"""Task queues, caches, sessions, locks and rate limits of Python against a running server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.live
Job = Callable[..., Any]


def test_celery(job: Job) -> None:
    found = job("celery_tasks.py")
    assert found.pop("version").startswith("5.")
    assert found == {
        "add": 5,
        "state": ["SUCCESS", True],
        "group": [1, 2, 3, 4],
        "chord": 20,
        "chain": 113,
        "worker": [{"ok": "pong"}, ["add", "fail", "total"]],
        "countdown": [8, True],
        "fail": ["try 2", "FAILURE"],
        "revoked": "REVOKED",
        "forgotten": "PENDING",
        "purged": 1,
    }


def test_rq(job: Job) -> None:
    found = job("rq_jobs.py")
    assert found.pop("version").startswith("2.")
    assert found == {
        "before": [3, "deferred", True],
        "results": [5, -7, 42, "ab"],
        "statuses": ["finished", "finished", "finished", "finished", "canceled", "failed"],
        "at the front": True,
        "meta": {"who": "anna"},
        "ttl": True,
        "failed": [True, True],
        "finished": 4,
        "requeued": ["queued", 1],
        "emptied": [1, 0, 0],
        "worker": [0, 4, 2],
    }


def test_dramatiq(job: Job) -> None:
    found = job("dramatiq_actors.py")
    assert found.pop("version").startswith("2.")
    assert found == {
        "result": 42,
        "delay": [10, True],
        "group": [0, 2, 4, 6],
        "pipeline": 8,
        "failure": ["ValueError", 2],
        "dead letters": 2,
        "left": 0,
        "mutex": False,
        "window": [True, True, False],
        "barrier": [True, False, True],
    }


def test_huey(job: Job) -> None:
    found = job("huey_tasks.py")
    assert found.pop("version").startswith("3.")
    told = ["ValueError('try 2')", "laterlater", True, "middlemiddle", ["aa", "aaaa"], True, "locked", False, {"a": 1}]
    # Reading removes a value, but not one of the store with expiry.
    assert found == {
        "plain": [[5, 0], ["low", "high", "middle", "later", "a", "aa"], [*told, None, 0, 0]],
        "priorities and expiry": [[5, 0], ["high", "middle", "low", "later", "a", "aa"], [*told, {"a": 1}, 0, 0]],
    }


def test_locks_of_redis_py_and_pottery(job: Job) -> None:
    found = job("redis_locks.py")
    assert found.pop("version").startswith("8.")
    assert found.pop("pottery version").startswith("3.")
    assert found == {
        "acquire": [True, True, True, True],
        "second": [False, False, "LockError"],
        "extend": [True, True, True, True],
        "reacquire": [True, True],
        "of others": ["LockNotOwnedError", "LockError", "LockError"],
        "still": [True, None, 0, "LockError"],
        "waits": [False, None, True],
        "after expiry": True,
        "pottery acquire": [True, True, False, 0],
        "pottery extend": [None, "ExtendUnlockedLock", "ReleaseUnlockedLock"],
        "pottery release": [None, 0, True, None],
        "pottery ids": [1, 2, 3],
    }


def test_limits_and_flask_limiter(job: Job) -> None:
    found = job("rate_limits.py")
    assert found.pop("version").startswith("5.")
    assert found.pop("Flask-Limiter version").startswith("4.")
    strategy = [True, True, True, False, False, True, 0, True, True, True]
    pages = [[200, "1"], [200, "0"], [429, "0"]]
    assert found == {
        "FixedWindowRateLimiter": strategy,
        "MovingWindowRateLimiter": strategy,
        "SlidingWindowCounterRateLimiter": strategy,
        "check": True,
        "reset": [True, 0],
        "asyncio": [True, True, True, False],
        "Flask-Limiter fixed-window": pages,
        "Flask-Limiter moving-window": pages,
        "Flask-Limiter sliding-window-counter": pages,
    }


def test_flask_session_and_aiocache(job: Job) -> None:
    found = job("web_sessions.py")
    assert found.pop("Flask-Session version").startswith("0.")
    assert found.pop("aiocache version").startswith("0.12.")
    assert found == {
        "visits": ["1", "2", "1", "3"],
        "sessions": [2, True],
        "left": ["left", 1, "1"],
        "aiocache": {
            "set": True,
            "get": {"deep": [1, None]},
            "add": True,
            "added twice": True,
            "multi": [True, [1, 2, None]],
            "expire": [True, True],
            "delete": [1, False],
            "increment": [1, 6, "6"],
            "raw": True,
            "cached": ["slow", "slow", 1],
            "RedLock": [1, 1],
            "cas": True,
            "cas again": "refused",
            "cleared": None,
        },
    }


def test_django_and_django_redis(job: Job) -> None:
    found = job("django_caches.py")
    assert found.pop("version").startswith("5.2.")
    assert found.pop("django-redis version").startswith("7.")
    both = {
        "add": [True, False, 6, 3, 3],
        "touch": [True, False, "made"],
        "version": [2, None, "zwei"],
        "incr of none": "ValueError",
    }
    assert found == {
        "default": both
        | {
            "set": [None, {"deep": [1, None]}, "instead"],
            "many": [[], {"a": 1, "b": "zwei"}, True],
            "delete": [True, False, None, None],
            "clear": [True, None],
        },
        "other": both
        | {
            "set": [True, {"deep": [1, None]}, "instead"],
            "many": [None, {"a": 1, "b": "zwei"}, True],
            "delete": [True, False, 2, None],
            "clear": [None, None],
        },
        "visits": ["1", "2", "1", "3"],
        "new key": [True, "4"],
        "after leaving": "1",
        "keys": [30, 11],
        "ttl": [True, True, None, 0],
        "expire": [True, True],
        "pexpire": [True, True],
        "lock": False,
        "incr": [True, 6, True, 1],
        "nx": [False, 1],
        "sets": [2, 2, ["a", "b"]],
        "deleted": [30, []],
    }


def test_python_socketio(job: Job) -> None:
    found = job("socketio_server.py")
    assert found.pop("version").startswith("5.")
    assert found == {
        "room": "entered",
        "heard": [["from outside", "to the room", "00ff"], ["from outside", "00ff"]],
        "answer": 42,
    }
