"""INFO: sections, the fields that tools read, and whether they are true."""

from __future__ import annotations

import os
from typing import Any

import pytest

SHOWN = """
    Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster
    Keyspace Sessions
"""
ALL = SHOWN.split()
DEFAULT = [name for name in ALL if name not in ("Commandstats", "Latencystats")]


def sections(text: bytes) -> list[str]:
    return [line[2:] for line in text.decode().splitlines() if line.startswith("# ")]


def fields(wire: Any, *words: str) -> dict[str, str]:
    lines = wire("INFO", *words).decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param("", DEFAULT, id="default"),
        pytest.param("default", DEFAULT, id="default by name"),
        pytest.param("all", ALL, id="all"),
        pytest.param("EVERYTHING", ALL, id="everything, in any letter case"),
        pytest.param("keyspace server", ["Server", "Keyspace"], id="two, in the usual order"),
        pytest.param("server server", ["Server"], id="one twice"),
        pytest.param("default commandstats", [name for name in ALL if name != "Latencystats"], id="one more"),
        pytest.param("nosuch", [], id="an unknown one is empty"),
    ],
)
def test_sections(wire: Any, words: str, found: list[str]) -> None:
    assert sections(wire.line(f"INFO {words}")) == found


def test_form(wire: Any) -> None:
    text = wire("INFO", "cluster", "keyspace")
    assert text == b"# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n"
    wire("HELLO", 3)
    assert wire.send(b"INFO cluster\r\n").startswith(b"=34\r\ntxt:# Cluster\r\n")


# Who reads it: RedisInsight, redis_exporter, Telegraf, ioredis, BullMQ, redis-cli --stat, redis-py, test harnesses.
READ = """
    redis_version redis_mode os arch_bits process_id run_id tcp_port uptime_in_seconds uptime_in_days hz
    lru_clock executable config_file server_name connected_clients blocked_clients maxclients tracking_clients
    client_recent_max_input_buffer client_recent_max_output_buffer used_memory used_memory_human used_memory_rss
    used_memory_peak used_memory_peak_perc used_memory_overhead used_memory_startup used_memory_dataset
    used_memory_dataset_perc used_memory_lua total_system_memory maxmemory maxmemory_policy
    mem_fragmentation_ratio mem_allocator mem_clients_normal mem_clients_slaves number_of_cached_scripts
    lazyfree_pending_objects active_defrag_running loading rdb_changes_since_last_save rdb_bgsave_in_progress
    rdb_last_save_time rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec
    rdb_last_cow_size aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled aof_last_rewrite_time_sec
    aof_last_bgrewrite_status aof_last_write_status aof_last_cow_size total_connections_received
    total_commands_processed instantaneous_ops_per_sec total_net_input_bytes total_net_output_bytes
    instantaneous_input_kbps instantaneous_output_kbps rejected_connections sync_full sync_partial_ok
    sync_partial_err expired_keys evicted_keys keyspace_hits keyspace_misses pubsub_channels pubsub_patterns
    latest_fork_usec migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits active_defrag_misses
    total_error_replies role connected_slaves master_replid master_repl_offset second_repl_offset
    repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen used_cpu_sys
    used_cpu_user used_cpu_sys_children used_cpu_user_children cluster_enabled
"""


def test_the_fields_that_tools_read(wire: Any) -> None:
    assert not set(READ.split()) - fields(wire, "all").keys()


def test_the_server_section_is_true(house: Any, wire: Any) -> None:
    house.advance(90_061_000)
    found = fields(wire, "server")
    assert found["redis_version"].startswith("7.4.")
    assert found["process_id"] == str(os.getpid())
    assert found["uptime_in_seconds"] == "90061"
    assert found["uptime_in_days"] == "1"
    assert found["server_time_usec"] == str(house.clock.now_ms * 1000)
    assert found["januskv_build"] in ("compiled", "plain")
    assert len(found["run_id"]) == 40


def test_clients(house: Any, wire: Any) -> None:
    house.connect()("WATCH", "a", "b")
    found = fields(wire, "clients")
    assert (found["connected_clients"], found["watching_clients"], found["total_watched_keys"]) == ("2", "1", "2")


def test_memory_adds_up(wire: Any) -> None:
    found = fields(wire, "memory")
    used, overhead, dataset = (int(found[f"used_memory{part}"]) for part in ("", "_overhead", "_dataset"))
    assert used == overhead + dataset
    assert used <= int(found["used_memory_peak"])
    assert found["used_memory_human"] == f"{used / (1 << 20):.2f}M"
    assert found["maxmemory_policy"] == "noeviction"


def test_statistics(house: Any, wire: Any) -> None:
    for line in ("SET a 1", "GET a", "GET b", "SET c 1 PX 1", "NOSUCH", "GET"):
        wire.line(line)
    house.advance(2_000)
    found = fields(wire, "stats")
    names = ("keyspace_hits", "keyspace_misses", "expired_keys", "total_error_replies", "total_connections_received")
    assert [found[name] for name in names] == ["1", "1", "1", "2", "1"]
    assert int(found["total_net_input_bytes"]) == wire.connection.bytes_in
    assert [found[name] for name in ("total_reads_processed", "total_writes_processed")] == ["7", "6"]
    assert int(found["total_commands_processed"]) == 4


@pytest.mark.parametrize(
    ("line", "hits", "misses"),
    [
        ("SUNIONSTORE to set other none", 2, 1),
        ("SINTERSTORE to none set", 1, 1),
        ("SDIFFSTORE to set other", 2, 0),
        ("ZUNIONSTORE to 2 zset none", 1, 1),
        ("ZINTERSTORE to 2 none zset", 1, 1),
        ("ZDIFFSTORE to 2 zset set", 2, 0),
        ("ZRANGESTORE to zset 0 -1", 1, 0),
        ("GEOSEARCHSTORE to none FROMLONLAT 1 1 BYRADIUS 1 m", 0, 1),
        ("BITOP AND to text none", 1, 1),
        ("PFMERGE to none", 0, 2),
        ("SORT set ALPHA BY text_* GET # GET none_* STORE to", 2, 3),
        ("XINFO STREAM stream", 1, 0),
        ("XINFO GROUPS none", 0, 1),
    ],
)
def test_what_a_stored_result_is_made_of_is_read(wire: Any, line: str, hits: int, misses: int) -> None:
    for each in ("SADD set a b", "SADD other b", "ZADD zset 1 a", "SET text x", "SET text_a 1", "XADD stream 1 f v"):
        wire.line(each)
    wire.line(line)
    found = fields(wire, "stats")
    assert [int(found["keyspace_hits"]), int(found["keyspace_misses"])] == [hits, misses]


def test_rates_are_those_of_the_last_samples(house: Any, wire: Any) -> None:
    for _ in range(16):
        for _ in range(10):
            wire("PING")
        house.advance(100)
    found = fields(wire, "stats")
    assert 90 <= int(found["instantaneous_ops_per_sec"]) <= 110
    assert float(found["instantaneous_input_kbps"]) > 0


def test_command_statistics(wire: Any) -> None:
    for line in ("SET a x", "INCR a", "GET", "CONFIG GET hz", "GET a", "GET a"):
        wire.line(line)
    found = fields(wire, "commandstats")
    assert found["cmdstat_get"].startswith("calls=2,usec=")
    assert found["cmdstat_get"].endswith(",rejected_calls=1,failed_calls=0")
    assert found["cmdstat_incr"].endswith(",rejected_calls=0,failed_calls=1")
    assert "cmdstat_config|get" in found
    assert "cmdstat_mget" not in found


def test_error_statistics_stay_lines(make_house: Any) -> None:
    wire = make_house(enable_debug_command="yes").connect()
    wire.line("NOSUCH")
    wire("LPUSHX")
    wire("DEBUG", "ERROR", "MY\r\nERROR:x text")
    assert fields(wire, "errorstats") == {"errorstat_ERR": "count=2", "errorstat_MY__ERROR_x": "count=1"}


def test_keyspace_lines(wire: Any) -> None:
    wire.line("SET a 1")
    wire.line("SET b 1 EX 100")
    wire.line("SELECT 3")
    wire.line("SET c 1 PX 50")
    assert fields(wire, "keyspace") == {
        "db0": "keys=2,expires=1,avg_ttl=100000,subexpiry=0",
        "db3": "keys=1,expires=1,avg_ttl=50,subexpiry=0",
    }


def test_sessions_are_counted_apart(house: Any, wire: Any) -> None:
    session = house.store.sessions.open_new("mine", shared=True, duration_s=60)
    wire("SELECT", session.token)
    wire("SET", "a", 1)
    assert fields(wire, "keyspace") == {}
    assert fields(wire, "sessions") == {
        "sessions": "1",
        "session_keys": "1",
        "sessions_shared": "1",
        "sessions_expiring": "1",
    }


def test_each_address_of_a_listener_is_a_pair(make_house: Any) -> None:
    """redis-py up to 4.6 takes every part between commas apart at its last equals sign, and fails where there is none."""
    house = make_house(bind="127.0.0.1 -::1")
    house.server.process.tcp_port, house.server.process.unix_socket = 7000, "/tmp/janus.sock"
    lines = house.connect()("INFO", "server").decode().split("\r\n")
    assert [line for line in lines if line.startswith("listener")] == [
        "listener0:name=tcp,bind=127.0.0.1,bind=-::1,port=7000",
        "listener1:name=unix,bind=/tmp/janus.sock",
    ]


def test_clients_that_wait(house: Any, wire: Any) -> None:
    wire.line("XGROUP CREATE s g $ MKSTREAM")
    for line in (b"BLPOP l 0", b"BLPOP l m 5", b"XREADGROUP GROUP g c BLOCK 0 STREAMS s >"):
        house.connect().send(line + b"\r\n")
    found = fields(wire, "clients")
    assert found["total_blocking_keys"] == "3"
    assert found["total_blocking_keys_on_nokey"] == "1"
    assert found["clients_in_timeout_table"] == "1"


def test_expiry_that_takes_longer_than_it_may(house: Any, wire: Any) -> None:
    for number in range(2000):
        wire("SET", f"k{number}", 1, "PX", 100)
    house.clock.advance(1000)
    assert house.store.run_cron(0.0)
    found = fields(wire, "stats")
    assert found["expired_time_cap_reached_count"] == "1"
    assert 90 < float(found["expired_stale_perc"]) <= 100
    house.advance(0)
    assert fields(wire, "stats")["expired_stale_perc"] == "0.00"
    wire.line("CONFIG RESETSTAT")
    assert fields(wire, "stats")["expired_time_cap_reached_count"] == "0"
