"""The metrics that /metrics shows, in Prometheus' text format."""

from __future__ import annotations

import re
from typing import Any

from januskv.compat.web.metrics import exposition

SAMPLE = re.compile(r'januskv_[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.]+(e[-+][0-9]+)?')


def read(house: Any) -> dict[str, str]:
    """Samples by name and labels; each has a kind and a meaning before it."""
    known, found = set(), {}
    for line in exposition(house.server):
        if line.startswith("# TYPE "):
            known.add(line.split()[2])
        elif not line.startswith("# HELP "):
            assert SAMPLE.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            assert (
                re.sub("_(bucket|sum|count)$", "", name.partition("{")[0]) in known or name.partition("{")[0] in known
            )
            assert name not in found
            found[name] = value
    return found


def test_what_dashboards_look_for(house: Any, wire: Any) -> None:
    wire.line("SET a 1")
    wire.line("SET b 1 EX 100")
    wire.line("GET a")
    wire.line("GET nosuch")
    wire.line("LPUSH a 1")
    wire.line("LPUSH")
    found = read(house)
    assert found["januskv_up"] == "1"
    assert found["januskv_connected_clients"] == "1"
    assert found["januskv_blocked_clients"] == "0"
    assert found["januskv_keyspace_hits_total"] == "1"
    assert found["januskv_keyspace_misses_total"] == "1"
    assert found['januskv_db_keys{db="db0"}'] == "2"
    assert found['januskv_db_keys_expiring{db="db0"}'] == "1"
    assert found['januskv_commands_total{cmd="set"}'] == "2"
    assert found['januskv_commands_failed_calls_total{cmd="lpush"}'] == "1"
    assert found['januskv_commands_rejected_calls_total{cmd="lpush"}'] == "1"
    assert found['januskv_errors_total{err="WRONGTYPE"}'] == "1"
    assert found['januskv_commands_latencies_usec_bucket{cmd="set",le="+Inf"}'] == "2"
    assert found['januskv_commands_latencies_usec_count{cmd="set"}'] == "2"
    assert float(found['januskv_latency_percentiles_usec{cmd="set",quantile="0.99"}']) > 0
    assert found["januskv_rdb_last_bgsave_status"] == "1"
    (about,) = (name for name in found if name.startswith("januskv_instance_info{"))
    assert 'role="master"' in about


def test_buckets_grow(house: Any, wire: Any) -> None:
    wire.line("SET a 1")
    for us in (3, 50, 50, 700):
        house.server.table.commands[b"SET"].took(us * 1000, 1)
    buckets = [int(value) for name, value in read(house).items() if '_bucket{cmd="set"' in name]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 5


def test_a_blocked_client(house: Any, wire: Any) -> None:
    wire.send(b"*3\r\n$5\r\nBLPOP\r\n$1\r\nl\r\n$1\r\n0\r\n")
    assert read(house)["januskv_blocked_clients"] == "1"
