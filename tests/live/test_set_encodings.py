"""What OBJECT ENCODING says of sets and sorted sets that grow and shrink, on JanusKV and on redis-server."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

pytestmark = pytest.mark.live

MOST_INTEGERS = 6


def random_line(chance: random.Random) -> list[Any]:
    key, other = chance.sample("abc", 2)
    members = chance.sample([*map(str, range(10)), "x", "y", "-1", "01"], chance.randrange(1, 5))
    return chance.choice(
        [
            ["SADD", key, *members],
            ["SADD", key, *(member for member in members if member.isdigit() and len(member) == 1), "3"],
            ["SREM", key, *members],
            ["SREM", key, "x", "y", "-1", "01"],
            ["SMOVE", key, other, members[0]],
            ["RENAME", key, other],
            ["COPY", key, other, "REPLACE"],
            ["SUNIONSTORE", key, other],
            ["SINTERSTORE", key, key, other],
            ["DEL", key],
        ]
    )


def answer(client: Any, line: list[Any]) -> Any:
    try:
        return client.execute_command(*line)
    except redis.ResponseError as error:
        return str(error)


def random_line_of_sorted_sets(chance: random.Random) -> list[Any]:
    key, other = chance.sample("abc", 2)
    members = chance.sample([*"0123456789", "x" * 20, "y" * 30], chance.randrange(1, 5))
    return chance.choice(
        [
            ["ZADD", key, *(word for member in members for word in (chance.randrange(9), member))],
            ["ZADD", key, *(word for member in members if len(member) == 1 for word in (1, member)), 2, "3"],
            ["ZREM", key, *members],
            ["ZREM", key, "x" * 20, "y" * 30],
            ["ZPOPMIN", key, chance.randrange(4)],
            ["ZREMRANGEBYRANK", key, 0, chance.randrange(3)],
            ["ZREMRANGEBYSCORE", key, 5, chance.randrange(9)],
            ["RENAME", key, other],
            ["COPY", key, other, "REPLACE"],
            ["ZUNIONSTORE", key, 1, other],
            ["DEL", key],
        ]
    )


LOW = {"set-max-intset-entries": MOST_INTEGERS, "zset-max-listpack-entries": 6, "zset-max-listpack-value": 16}


@pytest.mark.parametrize("make", [random_line, random_line_of_sorted_sets])
@pytest.mark.parametrize("seed", range(20))
def test_random_programs(janus: Any, oracle: Any, seed: int, make: Any) -> None:
    chance = random.Random(seed)
    clients = [redis.Redis(port=server.port, decode_responses=True) for server in (janus, oracle)]
    usual = {name: clients[0].config_get(name)[name] for name in LOW}
    try:
        for client in clients:
            client.flushall()
            client.config_set(*(word for pair in LOW.items() for word in pair))
        done: list[list[Any]] = []
        for _ in range(150):
            done.append(make(chance))
            ours, theirs = (answer(client, done[-1]) for client in clients)
            assert ours == theirs, done
            for key in "abc":
                ours, theirs = (answer(client, ["OBJECT", "ENCODING", key]) for client in clients)
                # Redis 7.0 has no listpacks for sets.
                assert ("hashtable" if ours == "listpack" and make is random_line else ours) == theirs, (key, done)
    finally:
        for client in clients:
            client.config_set(*(word for pair in usual.items() for word in pair))
            client.close()
