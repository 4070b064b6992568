"""The server's state for the page, as JSON: its data, its connections, its activity."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from januskv import __version__
from januskv.compat.server.acl.rights import User
from januskv.compat.server.process import build
from januskv.compat.server.sections import memory_section
from januskv.compat.server.server import Server
from januskv.storage.keyspace import Keyspace
from januskv.storage.sessions import Session

# How many sessions are listed; beyond that only their number is given.
MOST_SESSIONS: Final = 50


def overview(server: Server, user: User) -> dict[str, Any]:
    """The state of a server, as a user may see it: names of sessions only with the right to SH_INFO_ALL. O(databases + clients + sessions)."""
    now_ms = server.store.clock.tick()
    sessions = server.store.sessions.by_token.values()
    lists = user.refusal(server.table.commands[b"SH_INFO_ALL"], [b"SH_INFO_ALL"]) is None
    named = sessions if lists else ()
    memory = memory_section(server)
    received, sent = server.clients.net_bytes()
    rates, metrics = server.accounts.rates, server.store.databases[server.config.timely_database]
    return {
        "version": __version__,
        "build": build(),
        "time_ms": now_ms,
        "uptime_s": (now_ms - server.started_ms) // 1000,
        "loading": server.state.loading,
        "databases": [{"index": each.index, **_held(each)} for each in server.store.databases if len(each)],
        "sessions": {
            "open": len(sessions),
            "keys": sum(len(session.keyspace) for session in sessions),
            "first": [_session(session, now_ms) for session in islice(named, MOST_SESSIONS)],
        },
        "metrics": {
            "database": metrics.index,
            "names": len(metrics.labels.catalogue.metrics),
            "points_received": server.accounts.stats.timely_points_received,
        },
        "clients": {
            "connected": len(server.clients),
            "pages": server.clients.http_connections,
            "most": server.clients.peak,
            "blocked": len(server.waiting.by_client),
        },
        "memory": {
            "used_bytes": memory["used_memory"],
            "peak_bytes": memory["used_memory_peak"],
            "dataset_bytes": memory["used_memory_dataset"],
        },
        "work": {
            "commands": server.accounts.commands_processed,
            "commands_per_s": rates.per_second("commands"),
            "received_bytes": received,
            "received_bytes_per_s": rates.per_second("input"),
            "sent_bytes": sent,
            "sent_bytes_per_s": rates.per_second("output"),
            "changes": server.store.feed.changes,
        },
        "keeps": _keeping(server),
    }


def _held(keyspace: Keyspace) -> dict[str, int]:
    return {"keys": len(keyspace), "series": keyspace.series_count, "expiring": len(keyspace.deadlines)}


def _session(session: Session, now_ms: int) -> dict[str, Any]:
    """A session without its token, which would give readers access."""
    left_s = max(session.deadline_ms - now_ms, 0) // 1000 if session.duration_s else None
    return {"name": session.name, "shared": session.shared, "ends_in_s": left_s, **_held(session.keyspace)}


def _keeping(server: Server) -> str:
    """How data is kept: ``log``, ``snapshots`` or ``nothing``; with ``failing`` appended while that fails."""
    persistence = server.persistence
    kept = "nothing" if persistence is None else "log" if persistence.journal.logging else "snapshots"
    return f"{kept} failing" if server.state.write_fault else kept
