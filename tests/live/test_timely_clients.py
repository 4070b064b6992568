"""Programs that write points: collectd's write_tsdb with metrics of this machine, and netcat. Loopback only."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from tests.conftest import Process

from januskv import __version__

pytestmark = pytest.mark.live

LIMIT_S = 60.0
COLLECTD = shutil.which("collectd") or "/usr/sbin/collectd"
CONFIG = """
Hostname "this-machine"
FQDNLookup false
Interval 0.2
BaseDir "{folder}"
PIDFile "{folder}/pid"
PluginDir "/usr/lib/collectd"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "{folder}/log"
</Plugin>
LoadPlugin load
LoadPlugin memory
LoadPlugin write_tsdb
<Plugin write_tsdb>
  <Node "januskv">
    Host "127.0.0.1"
    Port "{port}"
    HostTags "dc=lab"
    StoreRates false
    AlwaysAppendDS false
  </Node>
</Plugin>
"""


def timely_port(server: Process) -> int:
    found = re.search(r"Timely lines on [0-9.]+:(\d+)", server.start_log)
    assert found is not None
    return int(found[1])


@pytest.fixture
def server(start_januskv: Callable[..., Process]) -> Process:
    return start_januskv("--timely-port", "-1", "--timely-udp-port", "-1")


@pytest.mark.parametrize("own_port", [True, False], ids=["own port", "data port"])
def test_collectd_writes_metrics_of_this_machine(server: Process, tmp_path: Path, own_port: bool) -> None:
    if not Path(COLLECTD).exists():
        pytest.skip("collectd is not installed")
    port = timely_port(server) if own_port else server.port
    config = tmp_path / "collectd.conf"
    config.write_text(CONFIG.format(folder=tmp_path, port=port))
    client = redis.Redis(port=server.port, decode_responses=True)
    key = "memory.free.memory{dc=lab,fqdn=this-machine}"
    collectd = subprocess.Popen(
        [COLLECTD, "-f", "-C", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + LIMIT_S
        rows: list[list[float]] = []
        while len(rows) < 3:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            assert collectd.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
            rows = client.ts().range(key, "-", "+") if client.exists(key) else []
    finally:
        collectd.terminate()
        collectd.wait(30)
    now_ms = time.time() * 1000
    free = [float(value) for _, value in rows]
    assert all(abs(float(when) - now_ms) < 60_000 for when, _ in rows)
    assert all(0 < each < 1e13 for each in free)
    names = {key.partition("{")[0] for key in client.scan_iter(count=1000)}
    assert {"load.load.shortterm", "load.load.midterm", "load.load.longterm", "memory.used.memory"} <= names
    assert client.ts().queryindex(["__name__=memory.free.memory", "dc=lab"]) == [key]
    assert client.exists("load.load.shortterm{dc=lab,fqdn=this-machine}") == 1
    stats = client.info("stats")
    assert stats["timely_lines_refused"] == 0
    assert stats["timely_points_received"] >= 3 * len(names)
    assert "failed" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("own_port", [True, False], ids=["own port", "data port"])
def test_netcat_asks_for_the_version_and_puts(server: Process, own_port: bool) -> None:
    port = timely_port(server) if own_port else server.port
    lines = b"version\nput disk.used 1893456000000 41.5 host=db7 mnt=data\nversion\n"
    done = subprocess.run(["nc", "-N", "127.0.0.1", str(port)], input=lines, capture_output=True, timeout=LIMIT_S)
    assert done.stdout == __version__.encode() * 2
    client = redis.Redis(port=server.port, decode_responses=True)
    assert tuple(client.ts().get("disk.used{host=db7,mnt=data}")) == (1893456000000, 41.5)


def test_netcat_sends_datagrams(server: Process) -> None:
    found = re.search(r"Timely datagrams on [0-9.]+:(\d+)", server.start_log)
    assert found is not None
    lines = b"put disk.used 1893456000000 41.5 host=db7\n"
    subprocess.run(["nc", "-u", "-q", "0", "-w", "1", "127.0.0.1", found[1]], input=lines, timeout=LIMIT_S, check=True)
    client = redis.Redis(port=server.port, decode_responses=True)
    deadline = time.monotonic() + LIMIT_S
    while not client.exists("disk.used{host=db7}"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
