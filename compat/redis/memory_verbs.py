"""MEMORY: what the memory is used for."""

from __future__ import annotations

import ctypes
import sys

from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.compat.server.sections import human, memory_section
from januskv.resp.replies import OK, Reply, Verbatim
from januskv.storage.sizes import size_of

from .args import SYNTAX_ERROR, Args
from .help import help_lines

verbs = Family("server")

_EACH_SHARD = ("nondeterministic_output", "request_policy:all_shards", "response_policy:special")


@verbs.verb("MEMORY", arity=-2, since="4.0.0")
def memory_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MEMORY

    A container for commands about memory.
    """
    raise AssertionError("a container is never run")


@verbs.verb("MEMORY|USAGE", arity=-3, flags=Flag.READONLY, keys=key("RO", begin=2), since="4.0.0")
def memory_usage(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MEMORY USAGE key [SAMPLES count]

    Estimates the bytes that a key and its value take, from a sample of a collection's members (0: all).

    Cost: O(N) with N samples
    """
    args = Args(argv, 3)
    samples = 5
    while args.more():
        if not args.flag(b"SAMPLES"):
            raise RespError(SYNTAX_ERROR)
        samples = args.integer()
        if samples < 0:
            raise RespError(SYNTAX_ERROR)
    value = ctx.keyspace.get(argv[2])
    return None if value is None else size_of(argv[2], value, samples)


@verbs.verb("MEMORY|STATS", arity=2, since="4.0.0", hints=_EACH_SHARD)
def memory_stats(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MEMORY STATS

    Says what the memory is used for.

    Cost: O(N) with N databases and clients

    Differs: total is what the process has in RAM; allocator and fragmentation figures are not separate.
    """
    memory = memory_section(ctx.server)
    keys = sum(len(keyspace) for keyspace in ctx.store.keyspaces())
    dataset = memory["used_memory_dataset"]
    stats: dict[str, Reply] = {
        "peak.allocated": memory["used_memory_peak"],
        "total.allocated": memory["used_memory"],
        "startup.allocated": memory["used_memory_startup"],
        "replication.backlog": 0,
        "clients.slaves": 0,
        "clients.normal": memory["mem_clients_normal"],
        "cluster.links": 0,
        "aof.buffer": 0,
        "lua.caches": 0,
        "functions.caches": 0,
    }
    for keyspace in ctx.store.databases:
        if len(keyspace):
            stats[f"db.{keyspace.index}"] = {
                "overhead.hashtable.main": sys.getsizeof(keyspace.data),
                "overhead.hashtable.expires": sys.getsizeof(keyspace.deadlines),
            }
    return stats | {
        "overhead.total": memory["used_memory_overhead"],
        "keys.count": keys,
        "keys.bytes-per-key": dataset // keys if keys else 0,
        "dataset.bytes": dataset,
        "dataset.percentage": 100.0 * dataset / memory["used_memory"],
        "peak.percentage": 100.0 * memory["used_memory"] / memory["used_memory_peak"],
    }


@verbs.verb("MEMORY|DOCTOR", arity=2, since="4.0.0", hints=_EACH_SHARD)
def memory_doctor(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MEMORY DOCTOR

    Describes in words whether memory use looks healthy.

    Cost: O(1)
    """
    memory = memory_section(ctx.server)
    used, total = memory["used_memory"], memory["total_system_memory"]
    text = f"{human(used)} of {human(total)} are used."
    if used * 4 > total * 3:
        text += " That is more than three quarters; nothing is evicted, so writes go on until the system refuses."
    return Verbatim(b"txt", text.encode())


@verbs.verb(
    "MEMORY|PURGE", arity=2, since="4.0.0", hints=("request_policy:all_shards", "response_policy:all_succeeded")
)
def memory_purge(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MEMORY PURGE

    Returns free memory to the system, as far as the C library can.

    Cost: O(N) with N pages
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is None:
        raise RespError("ERR this system's C library cannot give memory back")
    trim(0)
    return OK


@verbs.verb("MEMORY|MALLOC-STATS", arity=2, since="4.0.0", hints=_EACH_SHARD)
def memory_malloc_stats(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MEMORY MALLOC-STATS

    Describes the allocator.

    Cost: O(1)
    """
    return Verbatim(b"txt", f"pymalloc: {sys.getallocatedblocks()} blocks allocated".encode())


@verbs.verb("MEMORY|HELP", arity=2, flags=Flag.LOADING | Flag.STALE, since="4.0.0")
def memory_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MEMORY HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "MEMORY")
