"""redis-py's client-side cache against a running server."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis
from redis.cache import CacheConfig

pytestmark = pytest.mark.live


def test_a_cache_is_used_and_invalidated(janus: Any) -> None:
    cached = redis.Redis(port=janus.port, protocol=3, cache_config=CacheConfig(), decode_responses=True)
    other = redis.Redis(port=janus.port, decode_responses=True)
    assert int(other.info("server")["process_id"]) == janus.pid
    other.flushall()
    other.set("a", "1")
    assert cached.get("a") == "1"
    before = other.info("commandstats")["cmdstat_get"]["calls"]
    assert [cached.get("a") for _ in range(5)] == ["1"] * 5
    assert other.info("commandstats")["cmdstat_get"]["calls"] == before
    other.set("a", "2")
    deadline = time.monotonic() + 10
    while cached.get("a") != "2":
        assert time.monotonic() < deadline
    assert int(other.info("clients")["tracking_clients"]) >= 1
    cached.close()
