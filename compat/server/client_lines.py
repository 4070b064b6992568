"""The line of a client, as CLIENT LIST and ACL LOG show it."""

from __future__ import annotations

import sys

from januskv.resp.inline import wire_size

from .blocking import Waiting
from .client import Client
from .shown_tokens import sees_tokens


def flags_of(waiting: Waiting, client: Client) -> str:
    """The letters of CLIENT LIST's flags; N for none."""
    letters = [
        ("O", client.monitoring),
        ("P", client.subscriptions is not None),
        ("x", client.queue is not None),
        ("b", client in waiting.by_client or client.connection.parked is not None),
        ("t", client.tracking is not None),
        ("R", client.tracking is not None and client.tracking.broken),
        ("B", client.tracking is not None and client.tracking.broadcast),
        ("d", client.watch_broken),
        ("U", client.unix_socket),
        ("c", client.connection.closing),
        ("e", client.no_evict),
        ("T", client.no_touch),
    ]
    return "".join(letter for letter, is_set in letters if is_set) or "N"


def _sizes(waiting: Waiting, client: Client, argv: list[bytes]) -> dict[str, int]:
    """The memory of a connection in bytes; ``argv`` is its running request."""
    connection = client.connection
    waiter = waiting.by_client.get(client)
    kept = argv or connection.parked or (None if waiter is None else waiter.request) or []
    queue = client.queue or []
    sizes = {
        "qbuf": connection.pending_input() + (wire_size(argv) if argv else 0),
        "qbuf-free": connection.spare_input(),
        "argv-mem": sum(map(len, kept)) if isinstance(kept, list) else len(kept),
        "multi-mem": sum(sys.getsizeof(argv) + sum(map(len, argv)) for _, argv in queue),
        "rbs": connection.encoder.room,
        "rbp": connection.most_written,
        "obl": 0,
        "oll": 0,
        "omem": connection.unread_bytes,
    }
    parts = (client, connection, connection.encoder, *client.watched)
    sizes["tot-mem"] = sum(sizes.values()) - sizes["rbp"] + sum(map(sys.getsizeof, parts))
    return sizes


def _place(waiting: Waiting, client: Client, viewer: Client | None) -> int:
    session = client.session
    if session is None:
        return client.keyspace.index
    shown = viewer is not None and (session is viewer.session or sees_tokens(waiting.core.table, viewer.user))
    return session.token if shown else -1


def describe(waiting: Waiting, client: Client, argv: list[bytes], viewer: Client | None = None) -> bytes:
    """The line of one connection, in the fields of Redis 7.2; ``argv`` is its running request, if any.

    The token of its session is shown to a ``viewer`` in the same session, or who may see tokens; the database is -1 otherwise.
    """
    now_ms = waiting.core.store.clock.now_ms
    connection = client.connection
    transport = connection.transport
    sizes = _sizes(waiting, client, argv)
    sock = transport.get_extra_info("socket") if transport is not None else None
    subscriptions = client.subscriptions
    fields: list[tuple[str, object]] = [
        ("id", client.id),
        ("addr", client.address),
        ("laddr", client.local_address),
        ("fd", sock.fileno() if sock is not None else -1),
        ("name", client.name.decode()),
        ("age", (now_ms - client.created_ms) // 1000),
        ("idle", (now_ms - client.active_ms) // 1000),
        ("flags", flags_of(waiting, client)),
        ("db", _place(waiting, client, viewer)),
        ("sub", 0 if subscriptions is None else len(subscriptions.channels)),
        ("psub", 0 if subscriptions is None else len(subscriptions.patterns)),
        ("ssub", 0 if subscriptions is None else len(subscriptions.shards)),
        ("multi", -1 if client.queue is None else len(client.queue)),
        ("watch", len(client.watched)),
        *sizes.items(),
        ("events", "rw" if sizes["omem"] else "r"),
        ("cmd", client.last_command),
        ("user", client.user_name),
        ("redir", -1 if client.tracking is None else client.tracking.redirect),
        ("resp", client.protocol),
        ("lib-name", client.lib_name.decode()),
        ("lib-ver", client.lib_ver.decode()),
    ]
    return " ".join(f"{name}={value}" for name, value in fields).encode(errors="surrogateescape")
