"""Time-series databases with an HTTP API, as peers of benchmarks/timeseries.py: started on free ports if installed.

InfluxDB 1.x and VictoriaMetrics both take rows in the line protocol of InfluxDB. Bodies of replies are read to their
end but not parsed.
"""

from __future__ import annotations

import contextlib
import http.client
import shutil
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from servers import START_LIMIT_S, free_port, started

_INFLUX_CONFIG = """
reporting-enabled = false
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  max-row-limit = 0
"""
_INFLUX = {"avg": "MEAN(value)", "min": "MIN(value)", "max": "MAX(value)", "p99": "PERCENTILE(value, 99)"}
_VICTORIA = {
    "avg": "avg_over_time(long_value[{step}s])",
    "min": "min_over_time(long_value[{step}s])",
    "max": "max_over_time(long_value[{step}s])",
    "p99": "quantile_over_time(0.99, long_value[{step}s])",
}


@dataclass(slots=True)
class SeriesStore:
    """A database with a series ``long`` of one field, and series ``many`` with a tag ``host``."""

    name: str
    http: http.client.HTTPConnection
    pid: int = 0
    put_port: int = 0  # for OpenTSDB's put lines, if it takes them

    def ask(self, method: str, path: str, parameters: dict[str, str], body: bytes = b"") -> tuple[float, int]:
        """Send a request and read its reply; seconds and bytes. Raises RuntimeError on an error."""
        started_at = time.perf_counter()
        self.http.request(method, f"{path}?{urllib.parse.urlencode(parameters)}", body or None)
        reply = self.http.getresponse()
        data = reply.read()
        spent = time.perf_counter() - started_at
        if reply.status >= 300 or b'"error"' in data[:200]:
            raise RuntimeError(f"{self.name}: {reply.status} {data[:300]!r}")
        return spent, len(data)

    def empty(self) -> None:
        """Delete all rows."""
        if self.name == "influxdb":
            for command in ("DROP DATABASE bench", "CREATE DATABASE bench"):
                self.ask("POST", "/query", {"q": command})
        else:
            self.ask("GET", "/api/v1/admin/tsdb/delete_series", {"match[]": '{__name__!=""}'})

    def write(self, lines: bytes) -> float:
        """Store rows of the line protocol, times in ms; seconds."""
        return self.ask("POST", "/write", {"db": "bench", "precision": "ms"}, lines)[0]

    def settle(self) -> None:
        """Make written rows visible."""
        if self.name != "influxdb":
            self.ask("GET", "/internal/force_flush", {})

    def all_rows(self, low_ms: int, high_ms: int) -> tuple[float, int]:
        """Read rows of ``long``; seconds and bytes."""
        if self.name == "influxdb":
            query = f"SELECT value FROM long WHERE time >= {low_ms}ms AND time <= {high_ms}ms"
            return self.ask("GET", "/query", {"db": "bench", "epoch": "ms", "q": query})
        times = {"start": f"{low_ms / 1000}", "end": f"{high_ms / 1000}"}
        return self.ask("GET", "/api/v1/export", {"match[]": "long_value", **times})

    def buckets(self, function: str, low_ms: int, high_ms: int, bucket_ms: int) -> float | None:
        """Downsample ``long``; seconds, None for an unsupported function."""
        if self.name == "influxdb":
            if function not in _INFLUX:
                return None
            query = (
                f"SELECT {_INFLUX[function]} FROM long WHERE time >= {low_ms}ms AND time < {high_ms}ms "
                f"GROUP BY time({bucket_ms}ms)"
            )
            return self.ask("GET", "/query", {"db": "bench", "epoch": "ms", "q": query})[0]
        if function not in _VICTORIA:
            return None
        return self._range(_VICTORIA[function].format(step=bucket_ms // 1000), low_ms, high_ms, bucket_ms)

    def grouped(self, low_ms: int, high_ms: int, bucket_ms: int) -> float:
        """Downsample all series ``many`` and add up those of each host; seconds."""
        if self.name == "influxdb":
            span = f"time >= {low_ms}ms AND time < {high_ms}ms"
            each = f"SELECT MEAN(value) FROM many WHERE {span} GROUP BY time({bucket_ms}ms), host, number"
            query = f"SELECT SUM(mean) FROM ({each}) WHERE {span} GROUP BY time({bucket_ms}ms), host"
            return self.ask("GET", "/query", {"db": "bench", "epoch": "ms", "q": query})[0]
        query = f"sum(avg_over_time(many_value[{bucket_ms // 1000}s])) by (host)"
        return self._range(query, low_ms, high_ms, bucket_ms)

    def _range(self, query: str, low_ms: int, high_ms: int, bucket_ms: int) -> float:
        times = {"start": f"{(low_ms + bucket_ms) / 1000}", "end": f"{high_ms / 1000}", "step": f"{bucket_ms / 1000}s"}
        return self.ask("GET", "/api/v1/query_range", {"query": query, "nocache": "1", **times})[0]


def _await(store: SeriesStore, path: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            store.ask("GET", path, {})
            return
        except (OSError, http.client.HTTPException):
            store.http.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def installed() -> list[str]:
    """The peers installed on this machine."""
    return [
        name for name, program in (("influxdb", "influxd"), ("victoria", "victoria-metrics")) if shutil.which(program)
    ]


@contextlib.contextmanager
def series_store(name: str) -> Iterator[SeriesStore]:
    """A running peer by its name, one of ``installed()``; loopback only, reporting disabled."""
    port, other = free_port(), free_port()  # the other one: internal, or put lines
    if name == "influxdb":
        argv = ["influxd", "-config", "influxdb.conf"]
    else:
        argv = [
            "victoria-metrics",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-storageDataPath=data",
            "-retentionPeriod=100y",
            f"-opentsdbListenAddr=127.0.0.1:{other}",
        ]
        argv += ["-search.maxUniqueTimeseries=10000000", "-search.maxPointsPerTimeseries=10000000"]

    def prepare(folder: Path) -> None:
        (folder / "influxdb.conf").write_text(_INFLUX_CONFIG.format(folder=folder, port=port, rpc=other))

    with started(name, argv, prepare=prepare) as (process, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        store = SeriesStore(name, connection, process.pid, other if name == "victoria" else 0)
        _await(store, "/ping" if name == "influxdb" else "/health")
        yield store
