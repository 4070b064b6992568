"""Pub/Sub, locks and waiting as clients use them: redis-py sync and asyncio, ioredis, node-redis, redis-cli."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from .test_clients import CLIENTS, need, run

pytestmark = pytest.mark.live
HERE = Path(__file__).parent


@pytest.fixture(params=[2, 3])
def client(janus: Any, request: Any) -> Any:
    found = redis.Redis(port=janus.port, protocol=request.param, decode_responses=True)
    assert int(found.info("server")["process_id"]) == janus.pid
    found.flushall()
    yield found
    found.close()


def test_a_thread_that_listens(client: Any) -> None:
    heard: list[Any] = []
    done = threading.Event()

    def take(message: Any) -> None:
        heard.append((message["type"], message["channel"], message["data"]))
        if message["data"] == "last":
            done.set()

    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(news=take)
    pubsub.psubscribe(**{"n*": take})
    thread = pubsub.run_in_thread(sleep_time=0.01, daemon=True)
    while client.pubsub_numsub("news") != [("news", 1)] or client.pubsub_numpat() != 1:
        pass
    assert client.publish("news", "hello") == 2
    assert client.publish("numbers", "last") == 1
    assert done.wait(10)
    thread.stop()
    thread.join(10)
    pubsub.close()
    assert heard == [("message", "news", "hello"), ("pmessage", "news", "hello"), ("pmessage", "numbers", "last")]


@pytest.mark.parametrize("protocol", [2, 3])
def test_asyncio(janus: Any, protocol: int) -> None:
    async def talk() -> str:
        client = redis.asyncio.Redis(port=janus.port, protocol=protocol, decode_responses=True)
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            await client.publish("news", "hello")
            async for message in pubsub.listen():
                if message["type"] == "message":
                    break
        await client.aclose()
        return str(message["data"])

    assert asyncio.run(asyncio.wait_for(talk(), 10)) == "hello"


def test_expiry_is_heard(client: Any) -> None:
    client.config_set("notify-keyspace-events", "Ex")
    try:
        pubsub = client.pubsub()
        pubsub.psubscribe("__keyevent@*__:expired")
        client.set("short", "1", px=30)
        while (message := pubsub.get_message(timeout=10))["type"] != "pmessage":
            pass
        assert message["data"] == "short"
        pubsub.close()
    finally:
        client.config_set("notify-keyspace-events", "")


def test_collections(client: Any) -> None:
    assert client.zadd("z", {"a": 1, "b": 2.5}) == 2
    assert [tuple(each) for each in client.zrange("z", 0, -1, withscores=True)] == [("a", 1.0), ("b", 2.5)]
    assert [tuple(each) for each in client.zpopmin("z", 1)] == [("a", 1.0)]
    assert client.zscore("z", "b") == 2.5
    assert client.zrank("z", "b", withscore=True) == [0, 2.5]
    assert client.sadd("s", "x", "y") == 2
    assert client.smembers("s") == {"x", "y"}
    assert client.sintercard(1, ["s"]) == 1 + 1
    assert client.bzpopmin("z", timeout=1)[1:] in (("b", 2.5), ["b", 2.5])
    assert client.blmpop(1, 1, "nothing", direction="LEFT") is None


def test_node_clients(janus: Any) -> None:
    need("node")
    if not (CLIENTS / "node" / "node_modules").exists():
        pytest.skip("the node clients are not installed")
    out = run("node", HERE / "clients" / "pubsub.js", janus.port, NODE_PATH=str(CLIENTS / "node" / "node_modules"))
    assert json.loads(out) == {
        "ioredisReached": 2,
        "ioredisHeard": [["news", "hello"], ["n*", "news", "hello"]],
        "ioredisPopped": ["queue", "job"],
        "ioredisBoard": ["a", "1", "b", "2", "c", "3"],
        "ioredisTags": ["x", "y"],
        "nodeRedis2Heard": ["news", "from 2"],
        "nodeRedis2Score": 1.5,
        "nodeRedis2Member": True,
        "nodeRedis3Heard": ["news", "from 3"],
        "nodeRedis3Score": 1.5,
        "nodeRedis3Member": True,
    }


def test_redis_cli_listens(janus: Any) -> None:
    need("redis-cli")
    client = redis.Redis(port=janus.port)
    with subprocess.Popen(
        ["redis-cli", "-p", str(janus.port), "SUBSCRIBE", "cli"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline().strip() for _ in range(3)] == ["subscribe", "cli", "1"]
        assert client.publish("cli", "hello") == 1
        assert [process.stdout.readline().strip() for _ in range(3)] == ["message", "cli", "hello"]
        process.terminate()
