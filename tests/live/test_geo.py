"""Random places and searches on us and on redis-server: the same members in the same order."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

pytestmark = pytest.mark.live


@pytest.mark.parametrize("seed", range(6))
def test_same_hits(janus: Any, oracle: Any, seed: int) -> None:
    drawn = random.Random(seed)
    spread = (0.01, 1, 20, 180)[seed % 4]
    middle = drawn.uniform(-170, 170), drawn.uniform(-80, 80)

    def place() -> tuple[float, float]:
        longitude, latitude = (drawn.uniform(each - spread, each + spread) for each in middle)
        return max(min(longitude, 180.0), -180.0), max(min(latitude, 85.0), -85.0)

    servers = [redis.Redis(port=each.port) for each in (janus, oracle)]
    places = [part for number in range(300) for part in (*place(), f"m{number}")]
    for server in servers:
        server.delete("g")
        server.execute_command("GEOADD", "g", *places)
    for _ in range(60):
        centre = ("FROMMEMBER", f"m{drawn.randrange(300)}") if drawn.random() < 0.3 else ("FROMLONLAT", *place())
        reach = spread * drawn.choice((0.1, 1, 3)) * 111
        shape = ("BYRADIUS", reach, "km") if drawn.random() < 0.5 else ("BYBOX", reach, reach * drawn.random(), "km")
        words: list[Any] = drawn.choice(
            ([], ["ASC"], ["DESC"], ["COUNT", 5], ["COUNT", 5, "ANY"], ["WITHDIST", "WITHHASH"])
        )
        ours, theirs = (server.execute_command("GEOSEARCH", "g", *centre, *shape, *words) for server in servers)
        assert ours == theirs, (centre, shape, words)
