"""What OBJECT ENCODING and SMEMBERS say of sets that grow and shrink, on JanusKV and on redis-server."""

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


@pytest.mark.parametrize("seed", range(20))
def test_random_programs(janus: Any, oracle: Any, seed: int) -> None:
    chance = random.Random(seed)
    clients = [redis.Redis(port=server.port, decode_responses=True) for server in (janus, oracle)]
    usual = clients[0].config_get("set-max-intset-entries")
    try:
        for client in clients:
            client.flushall()
            client.config_set("set-max-intset-entries", MOST_INTEGERS)
        done = []
        for _ in range(150):
            done.append(random_line(chance))
            ours, theirs = (answer(client, done[-1]) for client in clients)
            assert ours == theirs, done
            for key in "abc":
                ours, theirs = (answer(client, ["OBJECT", "ENCODING", key]) for client in clients)
                # Redis 7.0 has no listpacks for sets.
                assert (ours if ours != "listpack" else "hashtable") == theirs, (key, done)
    finally:
        for client in clients:
            client.config_set("set-max-intset-entries", usual["set-max-intset-entries"])
            client.close()
