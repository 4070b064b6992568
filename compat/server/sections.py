"""The server's state and statistics by section, for INFO and the metrics."""

from __future__ import annotations

import os
import platform
import re
import resource
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from januskv import __version__
from januskv.storage.durability.children import forks
from januskv.storage.keyspace import Keyspace

from .client import Client
from .core import REDIS_VERSION
from .latencies import percentiles_us
from .process import build, peak_resident_bytes, resident_bytes
from .server import Server

# Built-in features that clients know as modules, with the module versions that they follow.
MODULES = {"timeseries": 11209}

Fields = dict[str, Any]

# avg_ttl samples this many deadlines of a database.
_TTL_SAMPLES = 1000


def zeros(*names: str) -> Fields:
    """Counters of what this server does not do (replicas, forks, eviction ...), always 0."""
    return dict.fromkeys(names, 0)


def human(size: float) -> str:
    """A size in bytes as Redis shows it: 1.50M."""
    for unit in "BKMGT":
        if size < 1024 or unit == "T":
            return f"{int(size)}B" if unit == "B" else f"{size:.2f}{unit}"
        size /= 1024
    raise AssertionError("the loop returns")


def server_section(server: Server) -> Fields:
    now_ms = server.store.clock.now_ms
    uptime_s = (now_ms - server.started_ms) // 1000
    return {
        "redis_version": REDIS_VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "0",
        "redis_mode": "standalone",
        "server_name": server.config.server_name,
        "januskv_version": __version__,
        "januskv_build": build(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "arch_bits": 64 if sys.maxsize > 1 << 32 else 32,
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": "libuv",
        "python_version": platform.python_version(),
        "process_id": server.process.id,
        "process_supervised": "no",
        "run_id": server.process.run_id,
        "tcp_port": server.process.tcp_port or server.process.tls_port,
        "http_port": server.process.http_port or server.process.tls_http_port,
        "timely_port": server.process.timely_port or server.process.tls_timely_port,
        "timely_udp_port": server.process.timely_udp_port,
        "server_time_usec": server.store.clock.now_us(),
        "uptime_in_seconds": uptime_s,
        "uptime_in_days": uptime_s // 86400,
        "hz": server.config.hz,
        "configured_hz": server.config.hz,
        "lru_clock": now_ms // 1000 & 0xFFFFFF,
        "executable": sys.executable,
        "config_file": server.config.path or "",
        "io_threads_active": 0,
        **{f"listener{number}": text for number, text in enumerate(_listeners(server))},
    }


def _listeners(server: Server) -> Iterator[str]:
    """The listeners of the data port, one entry per address: clients read these as pairs separated by commas."""
    bound = [f"bind={word}" for word in server.config.bind.split()]
    if server.process.tcp_port:
        yield ",".join(["name=tcp", *bound, f"port={server.process.tcp_port}"])
    if server.process.unix_socket:
        yield f"name=unix,bind={server.process.unix_socket}"
    if server.process.tls_port:
        yield ",".join(["name=tls", *bound, f"port={server.process.tls_port}"])


def unread_bytes(client: Client) -> int:
    """Replies that the client has not read yet."""
    return client.connection.unread_bytes


def clients_section(server: Server) -> Fields:
    clients = server.clients.everyone()
    return {
        "connected_clients": len(clients),
        "cluster_connections": 0,
        "unauthenticated_clients": len(server.clients.unauthenticated),
        "tls_handshakes_unfinished": len(server.tls.unfinished),
        "maxclients": server.config.maxclients,
        "client_recent_max_input_buffer": max((c.connection.pending_input() for c in clients), default=0),
        "client_recent_max_output_buffer": max(map(unread_bytes, clients), default=0),
        "blocked_clients": len(server.waiting.by_client) + len(server.pause.parked_clients()),
        "tracking_clients": len(server.tracking.clients),
        "pubsub_clients": len(server.pubsub.clients),
        "watching_clients": sum(bool(client.watched) for client in clients),
        "clients_in_timeout_table": sum(each.timer is not None for each in server.waiting.by_client.values()),
        "total_watched_keys": len(server.watches.by_key),
        "total_blocking_keys": len(server.waiting.by_key),
        "total_blocking_keys_on_nokey": server.waiting.keys_of("XREADGROUP"),
    }


def memory_section(server: Server) -> Fields:
    used = resident_bytes()
    peak = max(peak_resident_bytes(), used)
    clients = sum(client.connection.pending_input() + unread_bytes(client) for client in server.clients.everyone())
    tables = sum(sys.getsizeof(each.data) + sys.getsizeof(each.deadlines) for each in server.store.keyspaces())
    overhead = min(server.process.startup_memory + tables + clients, used)
    dataset = used - overhead
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "used_memory": used,
        "used_memory_human": human(used),
        "used_memory_rss": used,
        "used_memory_rss_human": human(used),
        "used_memory_peak": peak,
        "used_memory_peak_human": human(peak),
        "used_memory_peak_perc": f"{100 * used / peak:.2f}%",
        "used_memory_overhead": overhead,
        "used_memory_startup": server.process.startup_memory,
        "used_memory_dataset": dataset,
        "used_memory_dataset_perc": f"{100 * dataset / max(used - server.process.startup_memory, 1):.2f}%",
        "total_system_memory": total,
        "total_system_memory_human": human(total),
        **zeros("used_memory_lua", "used_memory_vm_eval"),
        "used_memory_lua_human": "0B",
        **zeros("used_memory_scripts_eval", "number_of_cached_scripts", "number_of_functions", "number_of_libraries"),
        **zeros("used_memory_vm_functions", "used_memory_vm_total"),
        "used_memory_vm_total_human": "0B",
        **zeros("used_memory_functions", "used_memory_scripts"),
        "used_memory_scripts_human": "0B",
        "maxmemory": server.config.maxmemory,
        "maxmemory_human": human(server.config.maxmemory),
        "maxmemory_policy": server.config.maxmemory_policy,
        "mem_fragmentation_ratio": "1.00",
        **zeros("mem_fragmentation_bytes", "mem_not_counted_for_evict", "mem_replication_backlog"),
        **zeros("mem_total_replication_buffers", "mem_clients_slaves"),
        "mem_clients_normal": clients,
        **zeros("mem_cluster_links"),
        "mem_aof_buffer": 0 if server.persistence is None else sum(map(len, server.persistence.journal.unwritten)),
        "mem_allocator": "pymalloc",
        **zeros("active_defrag_running"),
        "lazyfree_pending_objects": server.store.feed.reclaimer.pending,
        "lazyfreed_objects": server.store.feed.reclaimer.freed,
    }


def loading_fields(server: Server) -> Fields:
    """The progress of loading data."""
    recovery = server.state.recovery
    if recovery is None:
        return {}
    total, loaded = recovery.total_bytes, recovery.loaded_bytes
    return {
        "loading_start_time": int(recovery.began_s),
        "loading_total_bytes": total,
        "loading_rdb_used_mem": 0,
        "loading_loaded_bytes": loaded,
        "loading_loaded_perc": f"{100 * recovery.share:.2f}",
        "loading_eta_seconds": round(recovery.left_s()),
    }


def persistence_section(server: Server) -> Fields:
    persistence = server.persistence
    journal = None if persistence is None else persistence.journal
    running = journal is not None and journal.child is not None
    logging = journal is not None and journal.logging
    status = "err" if journal is not None and journal.snapshot_failed else "ok"
    since_s = -1 if journal is None or journal.child is None else int(journal.child.seconds)
    seconds = -1 if journal is None else journal.snapshot_seconds
    snapshots = 0 if journal is None else journal.snapshots
    return {
        "loading": int(server.state.loading),
        **loading_fields(server),
        **zeros("async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"),
        "current_fork_perc": "0.00",
        **zeros("current_save_keys_processed", "current_save_keys_total"),
        "rdb_changes_since_last_save": persistence.changes_since_save if persistence else server.store.feed.elements,
        "rdb_bgsave_in_progress": int(running),
        "rdb_last_save_time": (persistence.saved_ms if persistence else server.started_ms) // 1000,
        "rdb_last_bgsave_status": status,
        "rdb_last_bgsave_time_sec": seconds,
        "rdb_current_bgsave_time_sec": since_s,
        "rdb_saves": snapshots,
        **zeros("rdb_last_cow_size", "rdb_last_load_keys_expired"),
        "rdb_last_load_keys_loaded": persistence.keys_loaded if persistence else 0,
        "aof_enabled": int(logging),
        "aof_rewrite_in_progress": int(running and logging),
        "aof_rewrite_scheduled": int(persistence is not None and persistence.scheduled and logging),
        "aof_last_rewrite_time_sec": seconds,
        "aof_current_rewrite_time_sec": since_s,
        "aof_last_bgrewrite_status": status,
        "aof_rewrites": snapshots,
        "aof_rewrites_consecutive_failures": int(status == "err"),
        "aof_last_write_status": "err" if journal is not None and journal.fault else "ok",
        **zeros("aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"),
        **({} if persistence is None else persistence.log_fields()),
    }


def stale_percentage(spaces: list[Keyspace]) -> float:
    """The percentage of keys with an expiry that have expired but are not removed yet."""
    timed = sum(len(each.deadlines) for each in spaces)
    overdue = sum(
        len(item) if isinstance(item, set) else 1
        for each in spaces
        if each.times is not None
        for item in each.times.overdue
    )
    return min(100 * overdue / timed, 100.0) if timed else 0.0


def stats_section(server: Server) -> Fields:
    stats = server.accounts.stats
    received, sent = server.clients.net_bytes()
    reads, writes = server.clients.reads_and_writes()
    spaces = list(server.store.keyspaces())
    return {
        "total_connections_received": stats.total_connections_received,
        "total_commands_processed": server.accounts.commands_processed,
        "instantaneous_ops_per_sec": round(server.accounts.rates.per_second("commands")),
        "total_net_input_bytes": received,
        "total_net_output_bytes": sent,
        **zeros("total_net_repl_input_bytes", "total_net_repl_output_bytes"),
        "instantaneous_input_kbps": f"{server.accounts.rates.per_second('input') / 1024:.2f}",
        "instantaneous_output_kbps": f"{server.accounts.rates.per_second('output') / 1024:.2f}",
        "instantaneous_input_repl_kbps": "0.00",
        "instantaneous_output_repl_kbps": "0.00",
        "rejected_connections": stats.rejected_connections,
        **zeros("sync_full", "sync_partial_ok", "sync_partial_err"),
        "expired_keys": sum(each.expired for each in spaces),
        "expired_stale_perc": f"{stale_percentage(spaces):.2f}",
        "expired_time_cap_reached_count": server.store.expiry_cuts,
        "expire_cycle_cpu_milliseconds": int(server.store.expiry_s * 1000),
        **zeros("evicted_keys", "evicted_clients", "total_eviction_exceeded_time", "current_eviction_exceeded_time"),
        "keyspace_hits": sum(each.hits for each in spaces),
        "keyspace_misses": sum(each.misses for each in spaces),
        "pubsub_channels": len(server.pubsub.channels),
        "pubsub_patterns": len(server.pubsub.patterns),
        "pubsubshard_channels": len(server.pubsub.shards),
        "total_forks": forks.count,
        "latest_fork_usec": forks.latest_us,
        **zeros("migrate_cached_sockets", "slave_expires_tracked_keys"),
        **zeros("total_active_defrag_time", "current_active_defrag_time", "dump_payload_sanitizations"),
        "total_reads_processed": reads,
        "total_writes_processed": writes,
        **zeros("io_threaded_reads_processed", "io_threaded_writes_processed"),
        **zeros("active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses"),
        "tracking_total_keys": len(server.tracking.readers),
        "tracking_total_items": sum(map(len, server.tracking.readers.values())),
        "tracking_total_prefixes": len(server.tracking.prefixes),
        "unexpected_error_replies": stats.unexpected_error_replies,
        "total_error_replies": stats.total_error_replies,
        **{
            f"acl_access_denied_{name}": stats.denied.get(reason, 0)
            for name, reason in (("auth", "auth"), ("cmd", "command"), ("key", "key"), ("channel", "channel"))
        },
        "login_failures": stats.login_failures,
        "logins_slowed": stats.logins_slowed,
        "total_changes": server.store.feed.changes,
        "protocol_errors": stats.protocol_errors,
        "tls_handshakes_accepted": stats.tls_handshakes_accepted,
        "tls_handshakes_failed": stats.tls_handshakes_failed,
        "tls_handshakes_timed_out": stats.tls_handshakes_timed_out,
        "tls_handshakes_displaced": stats.tls_handshakes_displaced,
        "unauthenticated_clients_timed_out": stats.unauthenticated_clients_timed_out,
        "timely_points_received": stats.timely_points_received,
        "timely_lines_refused": stats.timely_lines_refused,
        "client_query_buffer_limit_disconnections": stats.client_query_buffer_limit_disconnections,
        "client_output_buffer_limit_disconnections": stats.client_output_buffer_limit_disconnections,
    }


def replication_section(server: Server) -> Fields:
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": server.process.run_id,
        "master_replid2": "0" * 40,
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": 1048576,
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def cpu_section(server: Server) -> Fields:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "used_cpu_sys": f"{own.ru_stime:.6f}",
        "used_cpu_user": f"{own.ru_utime:.6f}",
        "used_cpu_sys_children": f"{children.ru_stime:.6f}",
        "used_cpu_user_children": f"{children.ru_utime:.6f}",
        **main_thread_times(),
    }


def main_thread_times() -> Fields:
    """The CPU time of the thread that owns the data; empty if the system does not tell."""
    if sys.platform != "linux":
        return {}
    own = resource.getrusage(resource.RUSAGE_THREAD)
    return {
        "used_cpu_sys_main_thread": f"{own.ru_stime:.6f}",
        "used_cpu_user_main_thread": f"{own.ru_utime:.6f}",
    }


def modules_section(server: Server) -> Fields:
    shown = (
        f"name={name},ver={version},api=1,filters=0,usedby=[],using=[],options=[]" for name, version in MODULES.items()
    )
    return {"module": "\r\nmodule:".join(shown)}


def commandstats_section(server: Server) -> Fields:
    return {
        f"cmdstat_{command.text_name}": (
            f"calls={command.calls},usec={int(command.usec)},usec_per_call={command.usec / max(command.calls, 1):.2f},"
            f"rejected_calls={command.rejected},failed_calls={command.failed}"
        )
        for command in server.table.everything()
        if command.calls or command.rejected or command.failed
    }


def errorstats_section(server: Server) -> Fields:
    errors = sorted(server.accounts.stats.errors.items())
    return {f"errorstat_{re.sub('[^!-9;-~]', '_', code)}": f"count={count}" for code, count in errors}


def latencystats_section(server: Server) -> Fields:
    shares = server.config.latency_tracking_info_percentiles
    return {
        f"latency_percentiles_usec_{command.text_name}": ",".join(
            f"p{float(f'{share:.6f}'):.9g}={us:.3f}"
            for share, us in zip(shares, percentiles_us(command.times, shares), strict=True)
        )
        for command in server.table.everything()
        if command.times is not None
    }


def cluster_section(server: Server) -> Fields:
    return {"cluster_enabled": 0}


def keyspace_section(server: Server) -> Fields:
    now_ms = server.store.clock.now_ms
    fields: Fields = {}
    for keyspace in server.store.databases:
        if len(keyspace):
            deadlines = keyspace.deadlines
            sample = list(islice(deadlines.values(), _TTL_SAMPLES))
            average = sum(max(each - now_ms, 0) for each in sample) // len(sample) if sample else 0
            fields[f"db{keyspace.index}"] = (
                f"keys={len(keyspace)},expires={len(deadlines)},avg_ttl={average},subexpiry=0"
            )
    return fields


def sessions_section(server: Server) -> Fields:
    sessions = server.store.sessions.by_token.values()
    return {
        "sessions": len(sessions),
        "session_keys": sum(len(session.keyspace) for session in sessions),
        "sessions_shared": sum(session.shared for session in sessions),
        "sessions_expiring": sum(session.duration_s > 0 for session in sessions),
    }


# Name -> (heading, function, shown by default).
SECTIONS: dict[str, tuple[str, Callable[[Server], Fields], bool]] = {
    "server": ("Server", server_section, True),
    "clients": ("Clients", clients_section, True),
    "memory": ("Memory", memory_section, True),
    "persistence": ("Persistence", persistence_section, True),
    "stats": ("Stats", stats_section, True),
    "replication": ("Replication", replication_section, True),
    "cpu": ("CPU", cpu_section, True),
    "modules": ("Modules", modules_section, True),
    "commandstats": ("Commandstats", commandstats_section, False),
    "errorstats": ("Errorstats", errorstats_section, True),
    "latencystats": ("Latencystats", latencystats_section, False),
    "cluster": ("Cluster", cluster_section, True),
    "keyspace": ("Keyspace", keyspace_section, True),
    "sessions": ("Sessions", sessions_section, True),
}
