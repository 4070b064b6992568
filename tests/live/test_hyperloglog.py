"""HyperLogLogs written by one server and read by the other, with the same estimates."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from .fuzzing import Talker, chance_of, seeds

pytestmark = pytest.mark.live


@pytest.mark.parametrize("count", [1, 10, 200, 1000, 3000, 20_000])
def test_same_estimates_whoever_wrote_it(janus: Any, oracle: Any, count: int) -> None:
    servers = [redis.Redis(port=each.port) for each in (janus, oracle)]
    drawn = random.Random(count)
    elements = [drawn.randbytes(drawn.randrange(1, 30)) for _ in range(count)]
    for server in servers:
        server.delete("h")
        for at in range(0, count, 50):
            server.pfadd("h", *elements[at : at + 50])
    ours, theirs = servers
    assert ours.pfcount("h") == theirs.pfcount("h")
    ours.set("copy", theirs.get("h"))
    theirs.set("copy", ours.get("h"))
    assert ours.pfcount("copy") == theirs.pfcount("copy") == ours.pfcount("h")
    assert ours.pfcount("copy", "h") == theirs.pfcount("copy", "h")


@pytest.fixture
def talkers(janus: Any, oracle: Any, encode_command: Callable[..., bytes]) -> Iterator[list[Talker]]:
    both = [Talker(server.port, encode_command) for server in (janus, oracle)]
    yield both
    for talker in both:
        talker("CONFIG", "SET", "hll-sparse-max-bytes", "3000")


def test_same_bytes(talkers: list[Talker]) -> None:
    """After every command: the header with the estimate, how sparse runs are split and joined, when it becomes dense."""
    for seed in seeds(25):
        chance = chance_of("hyperloglog", seed)
        most, kinds = (
            chance.choice([0, 20, 100, 300, 3000, 3000, 16_000]),
            chance.choice([10, 300, 3000, 100_000, 10**9]),
        )
        for talker in talkers:
            talker("FLUSHALL")
            talker("CONFIG", "SET", "hll-sparse-max-bytes", str(most))
        for _ in range(chance.randrange(5, 40)):
            one, other = chance.choice("abcd"), chance.choice("abcd")
            elements = [str(chance.randrange(kinds)) for _ in range(chance.choice([0, 1, 1, 3, 30, 300]))]
            words = chance.choice(
                [
                    ["PFADD", one, *elements],
                    ["PFADD", one, *elements],
                    ["PFCOUNT", one],
                    ["PFCOUNT", one, other],
                    ["PFMERGE", one, other],
                    ["PFMERGE", one],
                    ["PFDEBUG", chance.choice(["GETREG", "TODENSE", "DECODE"]), one],
                    ["COPY", one, other, "REPLACE"],
                    ["SETRANGE", one, chance.choice(["5", "8", "15"]), "x"] if chance.random() < 0.1 else ["GET", one],
                ]
            )
            for line in (words, *[["GET", name] for name in "abcd"]):
                ours, theirs = (repr(talker(*line)) for talker in talkers)
                assert ours == theirs, f"JANUSKV_FUZZ_SEED={seed} {words!r:.200} {line[:2]}"
