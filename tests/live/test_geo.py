"""Random places and searches on us and on redis-server: the same members in the same order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import redis

from .fuzzing import Talker, chance_of, seeds

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


LONGITUDES = ("0", "180", "-180", "179.9999999", "-179.9999999", "1e-9", "90", "-90", "12.5")
LATITUDES = ("0", "85.05112878", "-85.05112878", "85.0511287", "-85.0511287", "1e-9", "66", "-66.0001", "80.1", "45")
LENGTHS = (
    "0",
    "0.5",
    "1",
    "100",
    "1e4",
    "5e5",
    "1e6",
    "5e6",
    "2e7",
    "2.1e7",
    "1e9",
    "1e308",
    "inf",
    "-1",
    "nan",
    "-inf",
)
SCORES = ("inf", "-inf", "-5", "0", "0.5", "4503599627370496", "18014398509481984", "1e18", "9.3e18", "1e19", "1e300")
WORDS = ("ASC", "DESC", "WITHDIST", "WITHHASH", "WITHCOORD", "COUNT 3", "COUNT 1", "COUNT 2 ANY", "ASC DESC")


def edge_line(chance: random.Random) -> list[str]:
    """A search or look-up among members at poles, the date line and the origin, or with scores that are not places."""
    place = [chance.choice(LONGITUDES), chance.choice(LATITUDES)]
    member, other = (chance.choice([f"m{number}" for number in range(14)] + ["missing"]) for _ in "12")
    unit = chance.choice(["m", "km", "ft", "mi"])
    key, count = chance.choice(["g", "g", "g", "odd", "missing"]), chance.choice([0, 0, 1, 1, 2])
    circle, box = ["BYRADIUS", chance.choice(LENGTHS), unit], ["BYBOX", *chance.choices(LENGTHS, k=2), unit]
    centre = chance.choice([["FROMMEMBER", member], ["FROMLONLAT", *place]])
    shape = chance.choice([circle, box])
    more = " ".join(chance.choices(WORDS, k=count)).split()
    parts = [centre, shape, more, *chance.choice([[], [], [centre], [shape], [circle], [["FROMLONLAT", "1", "1"]]])]
    chance.shuffle(parts)
    words = [word for part in parts for word in part]
    return chance.choice(
        [
            ["GEOSEARCH", key, *words],
            ["GEOSEARCH", key, *words],
            ["GEOSEARCHSTORE", "to", key, *words, *chance.choice([[], ["STOREDIST"]])],
            ["GEORADIUS", key, *place, chance.choice(LENGTHS), unit, *more],
            ["GEORADIUSBYMEMBER", key, member, chance.choice(LENGTHS), unit, *more],
            ["GEORADIUS", key, *place, chance.choice(LENGTHS), unit, *more, "STORE", "to", "STOREDIST", "to"],
            ["GEODIST", key, member, other, unit],
            ["GEOPOS", key, member, other],
            ["GEOHASH", key, member, other],
            ["ZRANGE", "to", "0", "-1", "WITHSCORES"],
            ["GEOADD", key, *place, member],
        ]
    )


def comparable(reply: Any, words: list[str]) -> str:
    """A reply in which members at the same distance may come in any order, and such as COUNT leaves of them too."""
    if words[0] == "ZRANGE" and isinstance(reply, list):  # doubles have another spelling in Redis 7.0
        return repr([reply[::2], list(map(float, reply[1::2]))])
    if isinstance(reply, list) and words[0].startswith(("GEOSEARCH", "GEORADIUS")):
        return str(len(reply)) if {"COUNT"} & set(words) else repr(sorted(reply, key=repr))
    return repr(reply)


def test_edges_of_the_earth(janus: Any, oracle: Any, encode_command: Callable[..., bytes]) -> None:
    talkers = [Talker(server.port, encode_command) for server in (janus, oracle)]
    for seed in seeds(30):
        chance = chance_of("geo", seed)
        places = [
            word for number in range(12) for word in (chance.choice(LONGITUDES), chance.choice(LATITUDES), f"m{number}")
        ]
        odd = [word for number in range(12) for word in (chance.choice(SCORES), f"m{number}")]
        for talker in talkers:
            talker("FLUSHALL")
            talker("GEOADD", "g", *places)
            talker("ZADD", "odd", *odd)
        for _ in range(40):
            words = edge_line(chance)
            ours, theirs = (comparable(talker(*words), words) for talker in talkers)
            assert ours == theirs, f"JANUSKV_FUZZ_SEED={seed} {words}\n{places}\n{odd}"
            if "COUNT" in words:  # which ones of those at the same distance may have been stored
                for talker in talkers:
                    talker("DEL", "to")
