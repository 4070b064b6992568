"""WAIT and WAITAOF. There are no replicas; the log's own sync is what WAITAOF can wait for."""

from __future__ import annotations

from functools import partial
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag
from januskv.commands.table import Family
from januskv.compat.blocking import NOT_READY, block
from januskv.compat.faults import RespError
from januskv.compat.server import Server
from januskv.resp.replies import Reply

from .args import Args

verbs = Family("connection")

_POLL_S = 0.01


def _timeout(args: Args) -> int | None:
    """A timeout in ms, None for ever. Raises RespError."""
    timeout = args.integer("ERR timeout is not an integer or out of range")
    if timeout < 0:
        raise RespError("ERR timeout is negative")
    return timeout or None


@verbs.verb(
    "WAIT",
    arity=3,
    flags=Flag.NOSCRIPT,
    since="3.0.0",
    hints=("request_policy:all_shards", "response_policy:agg_min"),
)
def wait(ctx: Context, argv: list[bytes]) -> Reply:
    """WAIT numreplicas timeout

    Waits until so many replicas have what the connection has written, or the time in ms is over; returns how many have:
    0, there are none.

    Cost: O(1)
    """
    args = Args(argv, 1)
    replicas, timeout_ms = args.integer(), _timeout(args)
    if replicas <= 0:
        return 0
    return block(ctx, [], timeout_ms, lambda: NOT_READY, 0)


def synced(server: Server) -> bool:
    """Whether all that has been changed so far is safe from a power failure."""
    persistence: Any = server.persistence
    if persistence is None:
        return False
    journal = persistence.journal
    if journal.pending or journal.unwritten:
        persistence.commit()
    if not journal.durable:
        persistence.start_sync()
    return bool(journal.durable)


@verbs.verb(
    "WAITAOF",
    arity=4,
    flags=Flag.NOSCRIPT,
    since="7.2.0",
    hints=("request_policy:all_shards", "response_policy:agg_min"),
)
def waitaof(ctx: Context, argv: list[bytes]) -> Reply:
    """WAITAOF numlocal numreplicas timeout

    Waits until what has been written is synced to the log (numlocal 1) and to the logs of so many replicas, or the time
    in ms is over; returns how many logs have it: 1 or 0 here, 0 replicas.

    Cost: O(1)
    """
    args = Args(argv, 1)
    local, replicas = args.integer(), args.integer()
    if not 0 <= local <= 1 or replicas < 0:
        raise RespError(
            "ERR value is out of range, must be positive" if local < 0 or replicas < 0 else "ERR value is out of range"
        )
    timeout_ms = _timeout(args)
    server = ctx.server
    if local and (server.persistence is None or not server.persistence.journal.logging):
        raise RespError("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")

    def attempt() -> Reply:
        done = synced(server) if local else False
        return [int(done), 0] if done >= bool(local) and not replicas else NOT_READY

    reply = block(ctx, [], timeout_ms, attempt, [0, 0])
    if local:
        _look_again(server, ctx.client)
    return reply


def _look_again(server: Server, client: Any) -> None:
    """Try a client that waits for the log once more, soon."""
    waiter = server.waiting.by_client.get(client)
    if waiter is not None and waiter.command is not None and waiter.command.name == "WAITAOF":
        server.waiting.retry(waiter)
        server.later(_POLL_S, partial(_look_again, server, client))
