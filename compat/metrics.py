"""The statistics in Prometheus' text format (version 0.0.4), for ``/metrics``."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator

from .server import Server, resident_bytes

Sample = tuple[str, float]  # labels in braces or "", value


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _metric(name: str, kind: str, about: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield f"{name}{labels} {value:.15g}"


def exposition(server: Server) -> bytes:
    """All metrics of a server."""
    stats, store = server.stats, server.store
    received, sent = server.net_bytes()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    counters: list[tuple[str, str, float]] = [
        ("connections_received", "Connections accepted since start.", stats.total_connections_received),
        ("connections_rejected", "Connections refused since start.", stats.rejected_connections),
        ("commands_processed", "Commands run since start.", server.commands_processed),
        ("net_input_bytes", "Bytes received.", received),
        ("net_output_bytes", "Bytes sent.", sent),
        ("error_replies", "Error replies sent.", stats.total_error_replies),
        ("protocol_errors", "Connections closed for input that is no request.", stats.protocol_errors),
        ("changes", "Changes of the data set.", store.feed.changes),
        ("keyspace_hits", "Look-ups that found their key.", sum(ks.hits for ks in store.keyspaces())),
        ("keyspace_misses", "Look-ups that found nothing.", sum(ks.misses for ks in store.keyspaces())),
        ("expired_keys", "Keys removed because their time had come.", sum(ks.expired for ks in store.keyspaces())),
        ("cpu_seconds", "Processor time, user and system.", usage.ru_utime + usage.ru_stime),
    ]
    gauges: list[tuple[str, str, float]] = [
        ("uptime_seconds", "Seconds since start.", (store.clock.now_ms - server.started_ms) // 1000),
        ("connected_clients", "Open connections.", len(server.clients)),
        (
            "http_connections",
            "Open connections that are no clients: pages, unfinished requests.",
            server.http_connections,
        ),
        ("sessions", "Open sessions.", len(store.sessions)),
        ("memory_resident_bytes", "Memory in RAM.", resident_bytes()),
        ("slowlog_length", "Entries of the slow log.", len(server.slowlog.entries)),
    ]
    lines: list[str] = []
    for name, about, value in counters:
        lines += _metric(f"januskv_{name}_total", "counter", about, [("", value)])
    for name, about, value in gauges:
        lines += _metric(f"januskv_{name}", "gauge", about, [("", value)])
    used = [ks for ks in store.databases if len(ks)]
    lines += _metric("januskv_keys", "gauge", "Keys by database.", ((f'{{db="{ks.index}"}}', len(ks)) for ks in used))
    called = [command for command in server.table.everything() if command.calls]
    for name, attribute, about in (
        ("januskv_command_calls_total", "calls", "Calls by command."),
        ("januskv_command_usec_total", "usec", "Microseconds spent by command."),
        ("januskv_command_failed_total", "failed", "Calls that ended in an error, by command."),
    ):
        samples = ((f'{{cmd="{_escaped(each.text_name)}"}}', getattr(each, attribute)) for each in called)
        lines += _metric(name, "counter", about, samples)
    errors = ((f'{{code="{_escaped(code)}"}}', count) for code, count in stats.errors.items())
    lines += _metric("januskv_errors_total", "counter", "Error replies by code word.", errors)
    return ("\n".join(lines) + "\n").encode()
