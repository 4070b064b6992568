"""HyperLogLogs written by one server and read by the other, with the same estimates."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

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
