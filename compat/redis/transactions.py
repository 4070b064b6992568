"""Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH. Queueing itself is dispatch's."""

from __future__ import annotations

from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.resp.replies import NULL_ARRAY, OK, Reply
from januskv.storage.keyspace import Keyspace

verbs = Family("transactions")

_FLAGS = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.FAST | Flag.ALLOW_BUSY | Flag.NO_QUEUE | Flag.CONNECTION


@verbs.verb("MULTI", arity=1, flags=_FLAGS, since="1.2.0")
def multi(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MULTI

    Begins a transaction: the following commands are queued until EXEC.

    Cost: O(1)
    """
    client = ctx.connected
    if client.queue is not None:
        raise RespError("ERR MULTI calls can not be nested")
    client.queue = []
    client.queue_failed = False
    client.refresh()
    return OK


def leave(ctx: ServerContext) -> None:
    """End the client's transaction and its watches."""
    client = ctx.connected
    client.queue = None
    client.queue_failed = False
    ctx.server.watches.forget(client)
    client.refresh()


@verbs.verb("DISCARD", arity=1, flags=_FLAGS, since="2.0.0")
def discard(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DISCARD

    Ends a transaction without running its commands.

    Cost: O(N) with N queued commands
    """
    if ctx.connected.queue is None:
        raise RespError("ERR DISCARD without MULTI")
    leave(ctx)
    return OK


@verbs.verb(
    "EXEC", arity=1, flags=(_FLAGS | Flag.SKIP_SLOWLOG | Flag.COMMITS) & ~(Flag.FAST | Flag.ALLOW_BUSY), since="1.2.0"
)
def exec_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """EXEC

    Runs the queued commands without any others in between; returns their replies.

    Returns null if a watched key has changed. A command that fails does not stop the others.

    Cost: that of the commands
    """
    client = ctx.connected
    if client.queue is None:
        raise RespError("ERR EXEC without MULTI")
    queue, failed = client.queue, client.queue_failed
    broken = client.watch_broken or any(_has_expired(keyspace, name) for keyspace, name in client.watched)
    leave(ctx)
    if failed:
        raise RespError("EXECABORT Transaction discarded because of previous errors.")
    if broken:
        return NULL_ARRAY
    execute = ctx.server.dispatcher.execute_queued
    running, feed = ctx.command, ctx.store.feed
    ctx.in_transaction = feed.undivided = True
    try:
        return [execute(ctx, command, line) for command, line in queue]
    finally:
        ctx.in_transaction = feed.undivided = False
        ctx.command = running
        if client.tracking is not None:
            client.tracking.caching = False


def _has_expired(keyspace: Keyspace, name: bytes) -> bool:
    deadline = keyspace.deadline_of(name)
    return deadline is not None and deadline < keyspace.clock.now_ms


@verbs.verb("WATCH", arity=-2, flags=_FLAGS, keys=key("RO", last=-1), since="2.2.0")
def watch(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """WATCH key [key ...]

    Makes the next EXEC fail if one of the keys changes first.

    Cost: O(N) with N keys
    """
    if ctx.connected.queue is not None:
        raise RespError("ERR WATCH inside MULTI is not allowed")
    for name in argv[1:]:
        ctx.keyspace.get(name)  # a key that has already expired counts as absent
        ctx.server.watches.add(ctx.connected, ctx.keyspace, name)
    return OK


@verbs.verb("UNWATCH", arity=1, flags=_FLAGS & ~Flag.NO_QUEUE, since="2.2.0")
def unwatch(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """UNWATCH

    Forgets all watched keys.

    Cost: O(1)
    """
    ctx.server.watches.forget(ctx.connected)
    return OK
