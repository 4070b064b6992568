"""Every method of redis-py's ts() against a running server, in both protocols; and other clients' transports."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
import redis

pytestmark = pytest.mark.live


@pytest.fixture(params=[2, 3])
def client(janus: Any, request: Any) -> Any:
    found = redis.Redis(port=janus.port, protocol=request.param, decode_responses=True)
    assert int(found.info("server")["process_id"]) == janus.pid
    found.flushall()
    yield found
    found.close()


def pairs(samples: Any) -> list[tuple[int, float]]:
    return [(at, value) for at, value in samples]


def test_the_whole_interface(client: Any) -> None:
    ts = client.ts()
    assert ts.create("t", retention_msecs=0, labels={"room": "1"}, chunk_size=128, duplicate_policy="last")
    assert ts.add("t", 1000, 20.5) == 1000
    assert ts.add("t", 1000, 21.5, on_duplicate="max") == 1000
    assert ts.madd([("t", 2000, 22), ("t", 3000, 23.25)]) == [2000, 3000]
    assert ts.incrby("count", 5, timestamp=1) == 1
    assert ts.decrby("count", 2, timestamp=2) == 2
    assert tuple(ts.get("count")) == (2, 3.0)
    assert pairs(ts.range("t", "-", "+")) == [(1000, 21.5), (2000, 22.0), (3000, 23.25)]
    assert pairs(ts.revrange("t", 0, 2500, count=1)) == [(2000, 22.0)]
    assert pairs(ts.range("t", 0, 5000, aggregation_type="max", bucket_size_msec=2000, align=0)) == [
        (0, 21.5),
        (2000, 23.25),
    ]
    assert ts.alter("t", labels={"room": "1", "floor": "2"})
    assert ts.queryindex(["floor=2"]) in (["t"], {"t"})
    ts.add("u", 1500, 1, labels={"room": "2", "floor": "2"})
    assert ts.create("sums")
    assert ts.createrule("t", "sums", "sum", 2000)
    ts.add("t", 4000, 1)
    ts.add("t", 8000, 1)
    assert pairs(ts.range("sums", "-", "+")) == [(4000, 1.0)]
    assert ts.deleterule("t", "sums")
    assert ts.delete("t", 2000, 3000) == 2
    info = ts.info("t")
    assert (info["totalSamples"] if isinstance(info, dict) else info.total_samples) == 3
    assert len(ts.mget(["floor=2"], with_labels=True)) == 2
    grouped = ts.mrange("-", "+", ["floor=2"], groupby="floor", reduce="max")
    assert len(grouped) == 1
    assert len(ts.mrevrange("-", "+", ["floor=2"], count=1, select_labels=["room"])) == 2
    with pytest.raises(redis.ResponseError, match="TSDB: the key does not exist"):
        ts.get("nope")


def test_series_live_with_other_keys(client: Any) -> None:
    ts = client.ts()
    ts.add("s", 1, 1)
    client.set("k", "v")
    assert client.type("s") == "TSDB-TYPE"
    assert list(client.scan_iter(_type="TSDB-TYPE")) == ["s"]
    client.expire("s", 100)
    client.rename("s", "r")
    assert client.ttl("r") == 100
    client.copy("r", "c")
    assert tuple(ts.get("c")) == (1, 1.0)
    assert client.delete("r", "c", "k") == 3


def test_redis_cli(client: Any, janus: Any) -> None:
    cli = shutil.which("redis-cli")
    if cli is None:
        pytest.skip("redis-cli is not installed")

    def ask(line: str) -> str:
        return subprocess.run(
            [cli, "-p", str(janus.port), *line.split()], capture_output=True, text=True, check=True
        ).stdout

    assert ask("TS.ADD cli 1 0.1") == "1\n"
    assert ask("TS.RANGE cli - +") == "1\n1E-1\n"  # as RedisTimeSeries writes it
    assert '"t":[1]' in ask('TS_GET {"ts":"cli","rng":[]}')
