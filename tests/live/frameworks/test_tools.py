"""A browser of keys and an exporter of metrics, as programs beside a running server."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from ..test_clients import CLIENTS, need

pytestmark = pytest.mark.live


@contextmanager
def web_program(*argv: str | Path, ready: str) -> Iterator[Callable[..., str]]:
    """A program that serves HTTP at the port that stands for PORT in its arguments; gives what asks it for pages."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [str(word).replace("PORT", str(port)) for word in argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def page(path: str, **form: str) -> str:
        body = urllib.parse.urlencode(form).encode() or None
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", body, timeout=20) as answer:
            return answer.read().decode()

    assert process.stdout is not None
    try:
        line = ""
        while ready not in line:
            line = process.stdout.readline()
            assert line, "the program ended before it was ready"
        deadline = time.monotonic() + 20
        while True:
            try:
                page("/")
                break
            except urllib.error.URLError:  # it says that it listens just before it does
                assert time.monotonic() < deadline
        yield page
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_redis_commander(server: Any) -> None:
    need("node")
    folder = CLIENTS / "node" / "node_modules" / "redis-commander"
    if not folder.exists():
        pytest.skip("run tests/live/install-clients first")
    assert json.loads((folder / "package.json").read_text())["version"].startswith("0.9.")
    client = redis.Redis(port=server.port, decode_responses=True)
    client.mset({"fleet:a": 1, "fleet:b": 2, "plain": 3})
    client.hset("of-hash", "field", "hash value")
    client.rpush("of-list", "list value")
    client.sadd("of-set", "set value")
    client.zadd("of-zset", {"zset value": 1.5})
    client.xadd("of-stream", {"field": "stream value"})
    connection = f"R:127.0.0.1:{server.port}:0"
    with web_program(
        "node", folder / "bin" / "redis-commander.js", "--redis-host", "127.0.0.1", "--redis-port", str(server.port),
        "--address", "127.0.0.1", "--port", "PORT", "--nosave", ready="Redis Connection",
    ) as page:  # fmt: skip
        assert "<title>Redis Commander" in page("/")
        (known,) = json.loads(page("/apiv1/server/info"))["data"]
        assert known["connectionId"] == connection
        assert {"key": "Server name", "value": "januskv"} in known["info"]
        tree = json.loads(page(f"/apiv1/keystree/{connection}/"))["data"]
        assert {(node["text"], node.get("count")) for node in tree if node.get("children")} == {("fleet:* (2)", 2)}
        kinds = ("hash", "list", "set", "zset", "stream")
        assert {node["keyName"] for node in tree} == {"fleet:", "plain", *(f"of-{kind}" for kind in kinds)}
        for kind in kinds:
            shown = page(f"/apiv1/key/{connection}/of-{kind}")
            assert json.loads(shown)["type"] == kind
            assert f"{kind} value" in shown
        assert page(f"/apiv1/key/{connection}/plain", stringValue="changed") == "OK"
        assert json.loads(page(f"/apiv1/key/{connection}/plain"))["value"] == "changed"
        assert json.loads(page(f"/apiv1/exec/{connection}", cmd="lrange of-list 0 -1"))["data"] == ["list value"]
        assert page(f"/apiv1/key/{connection}/plain?action=delete", action="delete") == "ok"
    assert not client.exists("plain")
    client.close()


def use(client: redis.Redis) -> None:
    """Commands whose traces the exporter shows."""
    client.config_set("slowlog-log-slower-than", 0)
    client.mset({"a": 1, "b": 2, "c": 3})
    client.get("a")
    client.get("missing")
    client.xadd("stream", {"f": "v"})
    client.xgroup_create("stream", "group", 0)
    client.xreadgroup("group", "anna", {"stream": ">"})
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.lpush("a", "x")
    with pytest.raises(redis.ResponseError, match="MINE"):
        client.eval("return redis.error_reply('MINE not today')", 0)
    client.execute_command("SELECT", 3)
    client.set("short", 1, ex=100)


# What both servers' exporters say after that.
EXPORTED = {
    "redis_up": 1,
    'redis_exporter_last_scrape_error{err=""}': 0,
    "redis_connected_clients": 1,
    'redis_db_keys{db="db0"}': 4,
    'redis_db_keys{db="db3"}': 1,
    'redis_db_keys_expiring{db="db3"}': 1,
    'redis_commands_total{cmd="mset"}': 1,
    'redis_commands_total{cmd="get"}': 2,
    'redis_commands_failed_calls_total{cmd="lpush"}': 1,
    'redis_commands_failed_calls_total{cmd="eval"}': 1,
    'redis_errors_total{err="WRONGTYPE"}': 1,
    'redis_errors_total{err="MINE"}': 1,
    "redis_keyspace_misses_total": 1,
    "redis_config_maxclients": 10000,
    'redis_keys_count{db="db0",key="*"}': 4,
    'redis_key_value{db="db0",key="a"}': 1,
    'redis_key_size{db="db0",key="stream"}': 1,
    'redis_key_group_count{db="db0",key_group="s"}': 1,
    'redis_stream_length{db="db0",stream="stream"}': 1,
    'redis_stream_group_messages_pending{db="db0",group="group",stream="stream"}': 1,
    'redis_stream_group_consumer_messages_pending{consumer="anna",db="db0",group="group",stream="stream"}': 1,
    'redis_latency_percentiles_usec_count{cmd="get"}': 2,
}


def exported(port: int) -> dict[str, float]:
    """What the exporter finds out about a server: values by names with labels."""
    with redis.Redis(port=port, single_connection_client=True) as client:
        use(client)
    argv = (
        need("prometheus-redis-exporter"), "-redis.addr", f"redis://127.0.0.1:{port}", "-web.listen-address", "127.0.0.1:PORT",
        "-check-keys", "db0=a,db0=stream", "-check-streams", "db0=stream", "-count-keys", "db0=*", "-check-key-groups", "^(.).*$",
        "-include-config-metrics", "-include-system-metrics", "-export-client-list", "-redis-only-metrics",
    )  # fmt: skip
    with web_program(*argv, ready="Providing metrics") as page:
        lines = [line.rpartition(" ") for line in page("/metrics").splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_prometheus_redis_exporter(start_januskv: Callable[..., Any]) -> None:
    need("prometheus-redis-exporter")
    found = exported(start_januskv().port)
    assert {name: found.get(name) for name in EXPORTED} == EXPORTED
    assert 90 < found['redis_db_avg_ttl_seconds{db="db3"}'] <= 100
    assert found["redis_slowlog_length"] >= 9
    assert any(re.match(r'redis_connected_clients_details\{.*name="redis_exporter"', name) for name in found)
    (instance,) = [name for name in found if name.startswith("redis_instance_info")]
    assert 'redis_version="7.4' in instance


def test_the_exporter_finds_what_it_finds_in_redis(
    start_januskv: Callable[..., Any], start_redis: Callable[..., Any]
) -> None:
    need("prometheus-redis-exporter")
    ours, theirs = exported(start_januskv().port), exported(start_redis().port)
    assert {name: theirs.get(name) for name in EXPORTED} == EXPORTED
    missing = {name.partition("{")[0] for name in theirs} - {name.partition("{")[0] for name in ours}
    # These are figures of the allocator that redis-server has of its own.
    assert {name for name in missing if not name.startswith("redis_allocator_")} == set()
