"""XINFO: the inside of a stream, its groups and their consumers."""

from __future__ import annotations

from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.resp.replies import Reply
from januskv.storage.stream_groups import Consumer, Group
from januskv.storage.stream_ids import id_text
from januskv.storage.streams import MAX_ID, Stream

from .args import Args
from .help import help_lines, wrong_form
from .stream_groups import quoted
from .streams import entries_reply, entry_reply, stream_of

verbs = Family("stream")

# Beyond this many blocks, the nodes of Redis' tree are estimated from the blocks.
_COUNTED_BLOCKS = 10_000
_ID_BYTES = 16


@verbs.verb("XINFO", arity=-2, since="5.0.0")
def xinfo(ctx: Context, argv: list[bytes]) -> Reply:
    """XINFO

    A container for commands about the inside of streams.
    """
    raise AssertionError("a container is never run")


def _stream_to_show(ctx: Context, name: bytes) -> Stream:
    stream = stream_of(ctx.keyspace.read(name))
    if stream is None:
        raise RespError("ERR no such key")
    return stream


def tree_nodes(bases: list[int]) -> int:
    """How many nodes Redis' radix tree has with these ids as keys. O(N), an estimate for very many."""
    if not bases:
        return 1
    if len(bases) > _COUNTED_BLOCKS:
        return len(bases) + len(bases) // 16
    return _nodes_below([each.to_bytes(_ID_BYTES, "big") for each in bases], 0)


def _nodes_below(names: list[bytes], depth: int) -> int:
    """The nodes of a subtree whose keys, sorted, agree in their first ``depth`` bytes. At most 16 levels deep."""
    if depth == _ID_BYTES:
        return 1
    first, last, shared = names[0], names[-1], depth
    while shared < _ID_BYTES and first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return 1 + _nodes_below(names, shared)
    nodes, low = 1, 0
    for high in range(1, len(names) + 1):
        if high == len(names) or names[high][depth] != names[low][depth]:
            nodes += _nodes_below(names[low:high], depth + 1)
            low = high
    return nodes


def _summary(stream: Stream) -> dict[str, Any]:
    """The numbers that both forms of XINFO STREAM begin with."""
    return {
        "length": stream.length,
        "radix-tree-keys": len(stream.blocks),
        "radix-tree-nodes": tree_nodes(stream.bases),
        "last-generated-id": id_text(stream.last_id),
        "max-deleted-entry-id": id_text(stream.max_deleted),
        "entries-added": stream.added,
        "recorded-first-entry-id": id_text(stream.first_id()),
    }


@verbs.verb("XINFO|STREAM", arity=-3, flags=Flag.READONLY, keys=key("RO", "access", begin=2), since="5.0.0")
def xinfo_stream(ctx: Context, argv: list[bytes]) -> Reply:
    """XINFO STREAM key [FULL [COUNT count]]

    Describes a stream: its length, ids and counters, first and last entry. FULL shows entries, groups, consumers
    and pending entries, at most COUNT of each (10 unless given, 0: all).

    Cost: O(log(N)) with N entries; FULL: O(M) with M shown
    """
    stream = _stream_to_show(ctx, argv[2])
    if len(argv) > 3:
        return _full(ctx, stream, _full_count(argv))
    first, last = stream.range(0, MAX_ID, 1), stream.range_reversed(0, MAX_ID, 1)
    return _summary(stream) | {
        "groups": len(stream.groups),
        "first-entry": entry_reply(first[0]) if first else None,
        "last-entry": entry_reply(last[0]) if last else None,
    }


def _full_count(argv: list[bytes]) -> int:
    """How much of everything FULL shows, -1: all. Raises on other words."""
    args = Args(argv, 3)
    if not args.flag(b"FULL") or (args.more() and (args.left() != 2 or not args.flag(b"COUNT"))):
        raise wrong_form(argv)
    if not args.more():
        return 10
    count = args.integer()
    return 10 if count < 0 else count or -1


def _full(ctx: Context, stream: Stream, most: int) -> Reply:
    groups = [_full_group(stream, name, stream.groups[name], most) for name in sorted(stream.groups)]
    return _summary(stream) | {"entries": entries_reply(stream.range(0, MAX_ID, most)), "groups": groups}


def _full_group(stream: Stream, name: bytes, group: Group, most: int) -> dict[str, Any]:
    pending = group.pending.items(most)
    return {
        "name": name,
        "last-delivered-id": id_text(group.last_id),
        "entries-read": group.entries_read,
        "lag": stream.lag(group),
        "pel-count": len(group.pending),
        "pending": [[id_text(each), held.consumer, held.time_ms, held.count] for each, held in pending],
        "consumers": [_full_consumer(consumer, most) for consumer in group.consumers_in_order()],
    }


def _full_consumer(consumer: Consumer, most: int) -> dict[str, Any]:
    pending = consumer.pending.items(most)
    return {
        "name": consumer.name,
        "seen-time": consumer.seen_ms,
        "active-time": consumer.active_ms,
        "pel-count": len(consumer.pending),
        "pending": [[id_text(each), held.time_ms, held.count] for each, held in pending],
    }


@verbs.verb("XINFO|GROUPS", arity=3, flags=Flag.READONLY, keys=key("RO", "access", begin=2), since="5.0.0")
def xinfo_groups(ctx: Context, argv: list[bytes]) -> Reply:
    """XINFO GROUPS key

    Lists the consumer groups of a stream with their progress; the lag is null if it is unknown.

    Cost: O(N) with N groups
    """
    stream = _stream_to_show(ctx, argv[2])
    return [
        {
            "name": name,
            "consumers": len(group.consumers),
            "pending": len(group.pending),
            "last-delivered-id": id_text(group.last_id),
            "entries-read": group.entries_read,
            "lag": stream.lag(group),
        }
        for name, group in sorted(stream.groups.items())
    ]


@verbs.verb(
    "XINFO|CONSUMERS",
    arity=4,
    flags=Flag.READONLY,
    keys=key("RO", "access", begin=2),
    since="5.0.0",
    hints=("nondeterministic_output",),
)
def xinfo_consumers(ctx: Context, argv: list[bytes]) -> Reply:
    """XINFO CONSUMERS key group

    Lists the consumers of a group: number of pending entries, the milliseconds since the last command and since the last
    one that got entries (-1: never).

    Cost: O(N) with N consumers
    """
    stream = _stream_to_show(ctx, argv[2])
    group = stream.groups.get(argv[3])
    if group is None:
        raise RespError(f"NOGROUP No such consumer group '{quoted(argv[3])}' for key name '{quoted(argv[2])}'")
    now_ms = ctx.store.clock.now_ms
    return [
        {
            "name": consumer.name,
            "pending": len(consumer.pending),
            "idle": max(now_ms - consumer.seen_ms, 0),
            "inactive": -1 if consumer.active_ms < 0 else max(now_ms - consumer.active_ms, 0),
        }
        for consumer in group.consumers_in_order()
    ]


@verbs.verb("XINFO|HELP", arity=2, flags=Flag.LOADING | Flag.STALE, since="5.0.0")
def xinfo_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """XINFO HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "XINFO")
