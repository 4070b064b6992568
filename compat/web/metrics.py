"""The statistics in Prometheus' text format (version 0.0.4), for ``/metrics``.

Most of them are fields of INFO. The names are those of redis_exporter with ``januskv_`` for ``redis_``, so a dashboard
made for it shows this server after one replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from januskv.commands.table import Command
from januskv.compat.server.latencies import percentiles_us, table_us
from januskv.compat.server.sections import SECTIONS
from januskv.compat.server.server import Server

Sample = tuple[str, float]  # labels in braces or "", value

# By section of INFO: the field, the name of its metric, and its description. Names of counters end in _total.
_FROM_INFO: dict[str, tuple[tuple[str, str, str], ...]] = {
    "stats": (
        ("total_connections_received", "connections_received_total", "Connections accepted since start."),
        ("rejected_connections", "rejected_connections_total", "Connections rejected since start."),
        ("total_commands_processed", "commands_processed_total", "Commands run since start."),
        ("total_net_input_bytes", "net_input_bytes_total", "Bytes received."),
        ("total_net_output_bytes", "net_output_bytes_total", "Bytes sent."),
        ("total_error_replies", "error_replies_total", "Error replies sent."),
        ("unexpected_error_replies", "unexpected_error_replies_total", "Errors that should not happen: see the log."),
        ("protocol_errors", "protocol_errors_total", "Connections closed for input that is not a request."),
        ("tls_handshakes_accepted", "tls_handshakes_accepted_total", "TLS handshakes that have succeeded."),
        ("tls_handshakes_failed", "tls_handshakes_failed_total", "TLS handshakes that have failed."),
        ("tls_handshakes_timed_out", "tls_handshakes_timed_out_total", "TLS handshakes that took too long."),
        (
            "tls_handshakes_displaced",
            "tls_handshakes_displaced_total",
            "TLS handshakes ended for newer ones: too many.",
        ),
        (
            "unauthenticated_clients_timed_out",
            "unauthenticated_clients_timed_out_total",
            "Clients closed that did not log in in time.",
        ),
        ("login_failures", "login_failures_total", "Log-ins that have failed."),
        ("logins_slowed", "logins_slowed_total", "Log-ins refused unseen: too many of the address have failed."),
        ("timely_points_received", "timely_points_received_total", "Points of metrics stored."),
        ("timely_lines_refused", "timely_lines_refused_total", "Lines and points of metrics that were not stored."),
        ("total_changes", "changes_total", "Changes of the data set."),
        ("keyspace_hits", "keyspace_hits_total", "Look-ups that found their key."),
        ("keyspace_misses", "keyspace_misses_total", "Look-ups that found nothing."),
        ("expired_keys", "expired_keys_total", "Keys removed because they had expired."),
        ("evicted_keys", "evicted_keys_total", "Keys evicted because memory was exhausted."),
        ("total_forks", "forks_total", "Processes forked to write snapshots and saves."),
        (
            "client_query_buffer_limit_disconnections",
            "client_query_buffer_limit_disconnections_total",
            "Clients closed for too much pending input.",
        ),
        (
            "client_output_buffer_limit_disconnections",
            "client_output_buffer_limit_disconnections_total",
            "Clients closed for too many unread replies.",
        ),
        ("instantaneous_ops_per_sec", "instantaneous_ops_per_sec", "Commands per second, recently."),
        ("pubsub_channels", "pubsub_channels", "Channels with subscribers."),
        ("pubsub_patterns", "pubsub_patterns", "Patterns with subscribers."),
        ("pubsubshard_channels", "pubsubshard_channels", "Shard channels with subscribers."),
        ("tracking_total_keys", "tracking_total_keys", "Keys tracked for client-side caching."),
        ("tracking_total_items", "tracking_total_items", "Tracked keys, counted once per client."),
        ("tracking_total_prefixes", "tracking_total_prefixes", "Prefixes tracked for client-side caching."),
    ),
    "cpu": (
        ("used_cpu_sys", "cpu_sys_seconds_total", "System CPU time of the server."),
        ("used_cpu_user", "cpu_user_seconds_total", "User CPU time of the server."),
        ("used_cpu_sys_children", "cpu_sys_children_seconds_total", "System CPU time of its children."),
        ("used_cpu_user_children", "cpu_user_children_seconds_total", "User CPU time of its children."),
    ),
    "persistence": (
        ("rdb_saves", "rdb_saves_total", "Snapshots written."),
        ("aof_delayed_fsync", "aof_delayed_fsync_total", "Times that a write waited for the log's fsync."),
        ("loading", "loading_dump_file", "1 while data is being loaded."),
        ("rdb_changes_since_last_save", "rdb_changes_since_last_save", "Changes since the last snapshot."),
        ("rdb_bgsave_in_progress", "rdb_bgsave_in_progress", "1 while a snapshot is being written."),
        ("rdb_last_save_time", "rdb_last_save_timestamp_seconds", "When the last snapshot was written."),
        ("rdb_last_bgsave_time_sec", "rdb_last_bgsave_duration_sec", "How long it took; -1: there is none."),
        ("rdb_current_bgsave_time_sec", "rdb_current_bgsave_duration_sec", "How long it has taken so far."),
        ("aof_enabled", "aof_enabled", "1 if changes are logged."),
        ("aof_rewrite_in_progress", "aof_rewrite_in_progress", "1 while the log is rewritten."),
        ("aof_rewrite_scheduled", "aof_rewrite_scheduled", "1 if the log will be rewritten."),
        ("aof_last_rewrite_time_sec", "aof_last_rewrite_duration_sec", "How long the last rewrite took."),
        ("aof_current_rewrite_time_sec", "aof_current_rewrite_duration_sec", "How long it has taken so far."),
        ("aof_current_size", "aof_current_size_bytes", "Size of the log with its snapshot."),
        ("aof_base_size", "aof_base_size_bytes", "Size of the snapshot."),
        ("aof_buffer_length", "aof_buffer_length", "Bytes not written to the log yet."),
        ("aof_pending_bio_fsync", "aof_pending_bio_fsync", "1 while an fsync of the log is under way."),
        ("rdb_last_bgsave_status", "rdb_last_bgsave_status", "1 if the last snapshot succeeded."),
        ("aof_last_bgrewrite_status", "aof_last_bgrewrite_status", "1 if the last rewrite succeeded."),
        ("aof_last_write_status", "aof_last_write_status", "1 if the last write to the log succeeded."),
    ),
    "server": (
        ("uptime_in_seconds", "uptime_in_seconds", "Seconds since start."),
        ("process_id", "process_id", "The server's process."),
    ),
    "clients": (
        ("connected_clients", "connected_clients", "Open connections."),
        ("blocked_clients", "blocked_clients", "Clients blocked on a key or on the log."),
        ("tracking_clients", "tracking_clients", "Clients with client-side caching."),
        ("pubsub_clients", "pubsub_clients", "Clients with subscriptions."),
        ("watching_clients", "watching_clients", "Clients that watch keys."),
        ("maxclients", "max_clients", "Most connections at a time."),
        (
            "client_recent_max_input_buffer",
            "client_recent_max_input_buffer_bytes",
            "Largest pending input of a client.",
        ),
        (
            "client_recent_max_output_buffer",
            "client_recent_max_output_buffer_bytes",
            "Most unread replies of a client.",
        ),
    ),
    "memory": (
        ("used_memory", "memory_used_bytes", "Memory in RAM."),
        ("used_memory_rss", "memory_used_rss_bytes", "Memory in RAM."),
        ("used_memory_peak", "memory_used_peak_bytes", "Peak memory in RAM."),
        ("used_memory_overhead", "memory_used_overhead_bytes", "Memory other than data."),
        ("used_memory_dataset", "memory_used_dataset_bytes", "Memory for data."),
        ("used_memory_startup", "memory_used_startup_bytes", "Memory in RAM at the start."),
        ("total_system_memory", "total_system_memory_bytes", "Memory of the machine."),
        ("maxmemory", "memory_max_bytes", "Limit of the memory for data; 0: none."),
        ("mem_fragmentation_ratio", "mem_fragmentation_ratio", "Memory in RAM divided by memory in use."),
        ("lazyfree_pending_objects", "lazyfree_pending_objects", "Values being freed in slices."),
    ),
    "replication": (("connected_slaves", "connected_slaves", "Replicas, always 0."),),
    "sessions": (
        ("sessions", "sessions", "Open sessions."),
        ("session_keys", "session_keys", "Keys in sessions."),
    ),
}
# Fields whose values are words.
_NUMBERS = {"ok": 1, "err": 0}
_BY_COMMAND: tuple[tuple[str, Callable[[Command], float], str], ...] = (
    ("commands_total", lambda command: command.calls, "Calls by command."),
    ("commands_duration_seconds_total", lambda command: command.usec / 1e6, "Seconds spent by command."),
    ("commands_rejected_calls_total", lambda command: command.rejected, "Calls rejected before they ran, by command."),
    ("commands_failed_calls_total", lambda command: command.failed, "Calls that ended in an error, by command."),
)


def _labels(**labels: object) -> str:
    shown = (
        (name, str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for name, value in labels.items()
    )
    return "{" + ",".join(f'{name}="{value}"' for name, value in shown) + "}"


def _metric(name: str, kind: str, about: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP januskv_{name} {about}"
    yield f"# TYPE januskv_{name} {kind}"
    for labels, value in samples:
        yield f"januskv_{name}{labels} {value:.15g}"


def exposition(server: Server) -> Iterator[str]:
    """The lines of all metrics of a server, not all of one moment: the server may run between any two."""
    info: dict[str, dict[str, Any]] = {name: SECTIONS[name][1](server) for name in _FROM_INFO}
    about = info["server"]
    yield from _metric("up", "gauge", "1: the server is up.", [("", 1)])
    build = _labels(
        version=about["januskv_version"],
        build=about["januskv_build"],
        redis_version=about["redis_version"],
        python_version=about["python_version"],
        os=about["os"],
        role="master",
        redis_mode=about["redis_mode"],
        run_id=about["run_id"],
        tcp_port=about["tcp_port"],
    )
    yield from _metric("instance_info", "gauge", "Build and version.", [(build, 1)])
    started_s = server.started_ms / 1000
    yield from _metric("start_time_seconds", "gauge", "When the server was started.", [("", started_s)])
    for section, metrics in _FROM_INFO.items():
        for field, name, text in metrics:
            value = info[section].get(field)
            if value is not None:  # those of the log exist only with a log
                kind = "counter" if name.endswith("_total") else "gauge"
                yield from _metric(name, kind, text, [("", float(_NUMBERS.get(value, value)))])
    latest_fork_s = info["stats"]["latest_fork_usec"] / 1e6
    yield from _metric("latest_fork_seconds", "gauge", "How long the last fork took.", [("", latest_fork_s)])
    pages = server.clients.http_connections
    text = "Open connections that are not clients: pages, unfinished requests."
    yield from _metric("http_connections", "gauge", text, [("", pages)])
    entries = server.accounts.slowlog.entries
    yield from _metric("slowlog_length", "gauge", "Entries of the slow log.", [("", len(entries))])
    last = entries[0].number if entries else 0
    yield from _metric("slowlog_last_id", "gauge", "Number of its newest entry.", [("", last)])
    yield from _databases(server)
    yield from _commands(server)
    errors = ((_labels(err=code), count) for code, count in list(server.accounts.stats.errors.items()))
    yield from _metric("errors_total", "counter", "Error replies by code word.", errors)


def _databases(server: Server) -> Iterator[str]:
    used = [(_labels(db=f"db{each.index}"), each) for each in server.store.databases if len(each)]
    yield from _metric("db_keys", "gauge", "Keys by database.", ((labels, len(each)) for labels, each in used))
    expiring = ((labels, len(each.deadlines)) for labels, each in used)
    yield from _metric("db_keys_expiring", "gauge", "Keys with an expiry time, by database.", expiring)


def _commands(server: Server) -> Iterator[str]:
    called = [each for each in server.table.everything() if each.calls or each.rejected or each.failed]
    for name, value, about in _BY_COMMAND:
        samples = ((_labels(cmd=each.text_name), value(each)) for each in called)
        yield from _metric(name, "counter", about, samples)
    shares = server.config.latency_tracking_info_percentiles
    timed = [(each, each.times) for each in called if each.times is not None]
    quantiles = (
        (_labels(cmd=command.text_name, quantile=f"{share / 100:.10g}"), us)
        for command, times in timed
        for share, us in zip(shares, percentiles_us(times, shares), strict=True)
    )
    yield from _metric("latency_percentiles_usec", "gauge", "Microseconds that calls take, by command.", quantiles)
    yield "# HELP januskv_commands_latencies_usec How many calls took at most this many microseconds, by command."
    yield "# TYPE januskv_commands_latencies_usec histogram"
    for command, times in timed:
        # The counts of a command must be of one moment, so that they grow from bucket to bucket.
        buckets, total, usec = list(table_us(times)), times.total, command.usec
        for us, count in buckets:
            yield f"januskv_commands_latencies_usec_bucket{_labels(cmd=command.text_name, le=us)} {count}"
        named = _labels(cmd=command.text_name)
        yield f"januskv_commands_latencies_usec_bucket{_labels(cmd=command.text_name, le='+Inf')} {total}"
        yield f"januskv_commands_latencies_usec_sum{named} {usec:.15g}"
        yield f"januskv_commands_latencies_usec_count{named} {total}"
