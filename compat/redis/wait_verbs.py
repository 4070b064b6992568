"""WAIT and WAITAOF. There are no replicas; WAITAOF can wait for the log's own sync."""

from __future__ import annotations

from functools import partial
from typing import Any

from januskv.commands.declare import Flag
from januskv.commands.table import Family
from januskv.compat.server.blocking import NOT_READY, Wait, Waiter, block
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.compat.server.server import Server
from januskv.resp.replies import Reply

from .args import Args
from .lists import integer_within

verbs = Family("connection")

_POLL_S = 0.01


def _timeout(args: Args) -> int | None:
    """A timeout in ms, None for forever. Raises RespError."""
    timeout = args.integer("ERR timeout is not an integer or out of range")
    if timeout < 0:
        raise RespError("ERR timeout is negative")
    return timeout or None


@verbs.verb(
    "WAIT",
    arity=3,
    flags=Flag.BLOCKING,
    since="3.0.0",
    hints=("request_policy:all_shards", "response_policy:agg_min"),
)
def wait(ctx: ServerContext, argv: list[bytes]) -> Reply | Wait:
    """WAIT numreplicas timeout

    Waits until ``numreplicas`` replicas have what the connection has written, or until the timeout in ms; returns how many have:
    0, since there are none.

    Cost: O(1)
    """
    args = Args(argv, 1)
    replicas, timeout_ms = args.integer(), _timeout(args)
    if replicas <= 0:
        return 0
    return block([], timeout_ms, lambda: NOT_READY, lambda: 0)


def synced(server: Server, record: int) -> bool:
    """Whether the log is durable up to a record; if not, start to write and sync it.

    Inside EXEC nothing is written, which would split the transaction's record.
    """
    persistence = server.persistence
    if persistence is None:
        return False
    journal = persistence.journal
    if not server.store.feed.undivided:
        persistence.commit()
        if journal.written_seq > journal.synced_seq and not journal.fault:
            persistence.start_sync()
    return bool(journal.synced_seq >= record and not journal.needs_base)


@verbs.verb(
    "WAITAOF",
    arity=4,
    flags=Flag.BLOCKING,
    since="7.2.0",
    hints=("request_policy:all_shards", "response_policy:agg_min"),
)
def waitaof(ctx: ServerContext, argv: list[bytes]) -> Reply | Wait:
    """WAITAOF numlocal numreplicas timeout

    Waits until what has been written is synced to the log (numlocal 1) and to the logs of ``numreplicas`` replicas, or until
    the timeout in ms; returns how many logs have it: 1 or 0 here, 0 replicas.

    Cost: O(1)
    """
    args = Args(argv, 1)
    local = args.between(0, 1)
    replicas = integer_within(args.take(), 0, "ERR value is out of range, must be positive")
    timeout_ms = _timeout(args)
    server = ctx.server
    if local and (server.persistence is None or not server.persistence.journal.logging):
        raise RespError("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    journal = None if server.persistence is None else server.persistence.journal
    record = 0 if journal is None else journal.seq + bool(journal.pending)  # the latest record so far

    def logs() -> list[Any]:
        return [int(synced(server, record)), 0]

    def attempt() -> Reply:
        reply = logs()
        return reply if reply[0] >= local and not replicas else NOT_READY

    def parked(waiter: Waiter) -> None:
        if local:
            server.waiting.for_log[waiter] = None
            _look_soon(server)

    return block([], timeout_ms, attempt, logs, parked=parked)


def _look_soon(server: Server) -> None:
    """Schedule a check of the clients that wait for the log; one timer serves them all."""
    if not server.waiting.looking_at_log:
        server.waiting.looking_at_log = True
        server.later(_POLL_S, partial(_look_again, server, _synced_seq(server)))


def _synced_seq(server: Server) -> int:
    """The last durable record."""
    return -1 if server.persistence is None else server.persistence.journal.synced_seq


def _look_again(server: Server, seen: int) -> None:
    """Retry the clients that wait for the log if more of it is synced than was ``seen`` when the timer was set."""
    waiting = server.waiting
    waiting.looking_at_log = False
    if not waiting.for_log:
        return
    synced(server, seen)  # retries what a full disk refused
    if _synced_seq(server) != seen:
        for waiter in list(waiting.for_log):
            if waiter in waiting.for_log:
                waiting.retry(waiter)
    if waiting.for_log:
        _look_soon(server)
