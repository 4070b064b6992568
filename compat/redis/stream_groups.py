# cython: annotation_typing=True
"""Consumer groups of streams: XGROUP, XREADGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM."""

from __future__ import annotations

from functools import partial
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.blocking import NOT_READY, Wait
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.resp.replies import NULL_ARRAY, OK, PairMap, Reply
from januskv.resp.slices import items_reply
from januskv.storage.errors import NotAnInteger
from januskv.storage.group_operations import (
    ClaimTerms,
    acknowledge,
    claim,
    claim_idle,
    consumer_now,
    create_group,
    deliver_again,
    deliver_news,
    destroy_group,
    drop_consumer,
    set_progress,
)
from januskv.storage.stream_groups import Consumer, Group
from januskv.storage.stream_ids import id_text
from januskv.storage.streams import MAX_ID, Entry, Stream

from .args import INT64_MAX, SYNTAX_ERROR, Args, parse_int
from .help import help_lines, wrong_form
from .streams import (
    ReadOptions,
    entries_reply,
    parse_end,
    parse_id,
    parse_loose_id,
    parse_start,
    stream_of,
)

verbs = Family("stream")

_WRITE_FAST = Flag.WRITE | Flag.FAST
# XGROUP's options may be repeated within these numbers of arguments: those of a line with each once.
_MOST_CREATE_WORDS = 8
_MOST_SETID_WORDS = 7


def quoted(text: bytes) -> str:
    """A name for error texts."""
    return text.decode("utf-8", "surrogateescape")


def group_of(stream: Stream | None, argv_key: bytes, name: bytes, suffix: str = "") -> Group:
    """A group of a stream; refused if either is missing."""
    group = None if stream is None else stream.groups.get(name)
    if group is None:
        raise RespError(f"NOGROUP No such key '{quoted(argv_key)}' or consumer group '{quoted(name)}'{suffix}")
    return group


# ---------------------------------------------------------------- XGROUP


@verbs.verb("XGROUP", arity=-2, since="5.0.0")
def xgroup(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP

    A container for commands about consumer groups.
    """
    raise AssertionError("a container is never run")


def _stream_for_group(ctx: Context, name: bytes) -> Stream:
    """The stream that XGROUP acts on, which must exist."""
    stream = stream_of(ctx.keyspace.get(name))
    if stream is None:
        raise RespError(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the"
            " MKSTREAM option to create an empty stream automatically."
        )
    return stream


def _group_for(stream: Stream, argv: list[bytes]) -> Group:
    """The group that XGROUP names, which must exist."""
    group = stream.groups.get(argv[3])
    if group is None:
        raise RespError(f"NOGROUP No such consumer group '{quoted(argv[3])}' for key name '{quoted(argv[2])}'")
    return group


def _group_options(argv: list[bytes], create: bool) -> tuple[bool, int | None]:
    """The options after the id: whether to create the stream, how many entries count as read (None: unknown)."""
    make, entries_read = False, None
    args = Args(argv, 5)
    while args.more():
        word = args.word()
        if word == b"MKSTREAM" and create:
            make = True
        elif word == b"ENTRIESREAD" and args.more():
            number = args.integer()
            if number < -1:
                raise RespError("ERR value for ENTRIESREAD must be positive or -1")
            entries_read = None if number == -1 else number
        else:
            raise wrong_form(argv)
    return make, entries_read


@verbs.verb(
    "XGROUP|CREATE", arity=-5, flags=Flag.WRITE | Flag.DENYOOM, keys=key("RW", "insert", begin=2), since="5.0.0"
)
def xgroup_create(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]

    Creates a consumer group that has read everything up to an id, `$`: the last one. MKSTREAM creates the stream too.

    Cost: O(1)
    """
    make, entries_read = _group_options(argv, True)
    keyspace, name = ctx.keyspace, argv[2]
    stream = stream_of(keyspace.get(name)) if make else _stream_for_group(ctx, name)
    if len(argv) > _MOST_CREATE_WORDS:
        raise wrong_form(argv)
    last_id = (0 if stream is None else stream.last_id) if argv[4] == b"$" else parse_id(argv[4])
    create_group(keyspace, name, stream, argv[3], last_id, entries_read)
    return OK


@verbs.verb("XGROUP|SETID", arity=-5, flags=Flag.WRITE, keys=key("RW", "update", begin=2), since="5.0.0")
def xgroup_setid(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]

    Sets the last id that a group has read.

    Cost: O(1)
    """
    _, entries_read = _group_options(argv, False)
    stream = _stream_for_group(ctx, argv[2])
    group = _group_for(stream, argv)
    if len(argv) > _MOST_SETID_WORDS:
        raise wrong_form(argv)
    last_id = stream.last_id if argv[4] == b"$" else parse_loose_id(argv[4])
    set_progress(ctx.keyspace, argv[2], argv[3], group, last_id, entries_read)
    return OK


@verbs.verb("XGROUP|DESTROY", arity=4, flags=Flag.WRITE, keys=key("RW", "delete", begin=2), since="5.0.0")
def xgroup_destroy(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP DESTROY key group

    Removes a consumer group and its pending entries; returns whether it existed.

    Cost: O(N) with N entries pending
    """
    stream = _stream_for_group(ctx, argv[2])
    return int(destroy_group(ctx.keyspace, argv[2], stream, argv[3]))


@verbs.verb(
    "XGROUP|CREATECONSUMER",
    arity=5,
    flags=Flag.WRITE | Flag.DENYOOM,
    keys=key("RW", "insert", begin=2),
    since="6.2.0",
)
def xgroup_createconsumer(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP CREATECONSUMER key group consumer

    Creates a consumer in a group; returns whether it was new.

    Cost: O(1)
    """
    group = _group_for(_stream_for_group(ctx, argv[2]), argv)
    if argv[4] in group.consumers:
        return 0
    consumer_now(ctx.keyspace, argv[2], argv[3], group, argv[4])
    return 1


@verbs.verb("XGROUP|DELCONSUMER", arity=5, flags=Flag.WRITE, keys=key("RW", "delete", begin=2), since="5.0.0")
def xgroup_delconsumer(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP DELCONSUMER key group consumer

    Removes a consumer and its pending entries; returns how many there were.

    Cost: O(N log(M)) with N entries pending for it, M in the group
    """
    group = _group_for(_stream_for_group(ctx, argv[2]), argv)
    if argv[4] not in group.consumers:
        return 0
    return drop_consumer(ctx.keyspace, argv[2], argv[3], group, argv[4])


@verbs.verb("XGROUP|HELP", arity=2, flags=Flag.LOADING | Flag.STALE, since="5.0.0")
def xgroup_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """XGROUP HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "XGROUP")


# ---------------------------------------------------------------- XREADGROUP

_MEANINGLESS = (
    "ERR The {} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by"
    " specifying a proper ID, or use the > ID to get new messages. The {} ID would just return an empty result set."
)


def _after(ctx: Context, options: ReadOptions, name: bytes, text: bytes) -> int | None:
    """The id of its history after which a consumer reads; None: new entries."""
    assert options.group is not None
    group_of(stream_of(ctx.keyspace.read(name)), name, options.group, " in XREADGROUP with GROUP option")
    if text == b"$" or text == b"+":
        raise RespError(_MEANINGLESS.format(text.decode(), text.decode()))
    if text == b">":
        return None
    after = parse_id(text)
    return None if after == MAX_ID else after


def _read_group(ctx: Context, options: ReadOptions, after: list[int | None]) -> Reply:
    """What XREADGROUP returns now; NOT_READY if nothing."""
    group_name = options.group
    assert group_name is not None
    groups: list[tuple[bytes, Stream, Group, int | None]] = []
    for name, entry_id in zip(options.names, after, strict=True):
        stream = stream_of(ctx.keyspace.get(name))
        group = group_of(stream, name, group_name, " in XREADGROUP with GROUP option")
        assert stream is not None
        groups.append((name, stream, group, entry_id))
    replies: list[tuple[bytes, Reply]] = []
    for name, stream, group, entry_id in groups:
        consumer = consumer_now(ctx.keyspace, name, group_name, group, options.consumer)
        if entry_id is not None:
            replies.append((name, _history(ctx, name, stream, group, consumer, entry_id, options)))
        elif stream.length and stream.last_id > group.last_id:
            entries = deliver_news(
                ctx.keyspace, name, stream, group_name, group, consumer, options.most, not options.noack
            )
            if entries:
                replies.append((name, entries_reply(entries)))
    return PairMap(replies) if replies else NOT_READY


def _history(
    ctx: Context, name: bytes, stream: Stream, group: Group, consumer: Consumer, after: int, options: ReadOptions
) -> list[Reply]:
    """Redeliver a consumer's pending entries; those removed meanwhile have no fields."""
    assert options.group is not None
    entries = deliver_again(ctx.keyspace, name, stream, options.group, group, consumer, after, options.most)
    return [[id_text(entry_id), NULL_ARRAY if fields is None else fields] for entry_id, fields in entries]


@verbs.verb(
    "XREADGROUP",
    arity=-7,
    flags=Flag.WRITE | Flag.BLOCKING | Flag.MOVABLEKEYS,
    keys=key("RO", "access", begin=4, keyword="STREAMS", last=-1, limit=2),
    since="5.0.0",
)
def xreadgroup(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]

    Delivers entries to a consumer of a group: with `>` those that no consumer has read, which are pending
    until XACK, unless NOACK is given; with an id, the consumer's pending entries after that id.

    Cost: O(log(N) + M) for each stream, with N entries, M returned; O(M log(P)) with P entries pending
    """
    options = ReadOptions(argv, True)
    after = [_after(ctx, options, name, text) for name, text in zip(options.names, options.ids, strict=True)]
    return options.serve(ctx, partial(_read_group, ctx, options, after))


# ---------------------------------------------------------------- XACK, XPENDING


@verbs.verb("XACK", arity=-4, flags=_WRITE_FAST, keys=key("RW", "update"), since="5.0.0")
def xack(ctx: Context, argv: list[bytes]) -> Reply:
    """XACK key group id [id ...]

    Acknowledges entries, which are then no longer pending; returns how many were.

    Cost: O(log(N)) for each id, with N entries pending
    """
    stream = stream_of(ctx.keyspace.read(argv[1]))
    group = None if stream is None else stream.groups.get(argv[2])
    if group is None:
        return 0
    ids = [parse_id(text) for text in argv[3:]]
    return acknowledge(ctx.keyspace, argv[1], argv[2], group, ids)


@verbs.verb(
    "XPENDING",
    arity=-3,
    flags=Flag.READONLY,
    keys=key("RO", "access"),
    since="5.0.0",
    hints=("nondeterministic_output",),
)
def xpending(ctx: Context, argv: list[bytes]) -> Reply:
    """XPENDING key group [[IDLE min-idle-time] start end count [consumer]]

    Returns the pending entries of a group: a summary, or each with consumer, idle time and deliveries.

    Cost: O(C) with C consumers; O(log(N) + M) with N entries pending, M examined
    """
    size = len(argv)
    if size != 3 and not 6 <= size <= 9:
        raise RespError(SYNTAX_ERROR)
    if size == 3:
        stream = stream_of(ctx.keyspace.read(argv[1]))
        return _pending_summary(group_of(stream, argv[1], argv[2]))
    at, min_idle_ms = 3, 0
    if argv[3].upper() == b"IDLE":
        min_idle_ms = parse_int(argv[4])
        if size < 8:
            raise RespError(SYNTAX_ERROR)
        at = 5
    most = max(parse_int(argv[at + 2]), 0)
    start, end = parse_start(argv[at]), parse_end(argv[at + 1])
    stream = stream_of(ctx.keyspace.read(argv[1]))
    group = group_of(stream, argv[1], argv[2])
    pending = group.pending
    if size > at + 3:
        consumer = group.consumers.get(argv[at + 3])
        if consumer is None:
            return []
        pending = consumer.pending
    rows: list[tuple[int, bytes, int, int]] = []
    now_ms = ctx.store.clock.now_ms
    for entry_id in pending.ids(start, end, -1 if min_idle_ms else most):
        if len(rows) >= most:
            break
        delivery = pending.deliveries[entry_id]
        idle_ms = now_ms - delivery.time_ms
        if min_idle_ms and idle_ms < min_idle_ms:
            continue
        rows.append((entry_id, delivery.consumer, idle_ms, delivery.count))
    return items_reply(rows, _pending_reply)


def _pending_reply(rows: list[tuple[int, bytes, int, int]]) -> list[Any]:
    return [[id_text(entry_id), name, max(idle_ms, 0), count] for entry_id, name, idle_ms, count in rows]


def _pending_summary(group: Group) -> Reply:
    """How many entries are pending, the first and last of them, and how many for each consumer."""
    pending = group.pending
    if not pending:
        return [0, None, None, NULL_ARRAY]
    first, last = pending.ends()
    each = [
        [consumer.name, b"%d" % len(consumer.pending)] for consumer in group.consumers_in_order() if consumer.pending
    ]
    return [len(pending), id_text(first), id_text(last), each]


# ---------------------------------------------------------------- XCLAIM, XAUTOCLAIM


def _claim_terms(args: Args, now_ms: int, min_idle_ms: int) -> ClaimTerms:
    """The options of XCLAIM."""
    terms = ClaimTerms(now_ms, min_idle_ms)
    while args.more():
        text = args.take()
        word = text.upper()
        if word == b"FORCE":
            terms.force = True
        elif word == b"JUSTID":
            terms.just_id = True
        elif word == b"IDLE" and args.more():
            terms.time_ms = now_ms - args.integer("ERR Invalid IDLE option argument for XCLAIM")
        elif word == b"TIME" and args.more():
            terms.time_ms = args.integer("ERR Invalid TIME option argument for XCLAIM")
        elif word == b"RETRYCOUNT" and args.more():
            count = args.integer("ERR Invalid RETRYCOUNT option argument for XCLAIM")
            terms.count = None if count < 0 else count
        elif word == b"LASTID" and args.more():
            terms.last_id = parse_id(args.take())
        else:
            raise RespError(f"ERR Unrecognized XCLAIM option '{quoted(text)}'")
    if not 0 <= terms.time_ms <= now_ms:
        terms.time_ms = now_ms  # clients use their own clocks
    return terms


def _claimed(entries: list[Entry], just_id: bool) -> list[Reply]:
    """Claimed entries, in the requested form."""
    if just_id:
        return [id_text(entry_id) for entry_id, _ in entries]
    return [[id_text(entry_id), fields] for entry_id, fields in entries]


def _is_id(text: bytes) -> bool:
    try:
        parse_id(text)
    except RespError:
        return False
    return True


@verbs.verb(
    "XCLAIM",
    arity=-6,
    flags=_WRITE_FAST,
    keys=key("RW", "update"),
    since="5.0.0",
    hints=("nondeterministic_output",),
)
def xclaim(ctx: Context, argv: list[bytes]) -> Reply:
    """XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]

    Assigns pending entries that have been idle for some milliseconds to a consumer, and returns them. FORCE also takes
    entries that are not pending. Entries that were removed from the stream are no longer pending.

    Cost: O(log(N)) for each id, with N entries pending
    """
    stream = stream_of(ctx.keyspace.read(argv[1]))
    group = group_of(stream, argv[1], argv[2])
    assert stream is not None
    try:
        min_idle_ms = parse_int(argv[4])
    except NotAnInteger:
        raise RespError("ERR Invalid min-idle-time argument for XCLAIM") from None
    at = 5
    while at < len(argv) and _is_id(argv[at]):
        at += 1
    terms = _claim_terms(Args(argv, at), ctx.store.clock.now_ms, min_idle_ms)
    consumer = consumer_now(ctx.keyspace, argv[1], argv[2], group, argv[3])
    ids = [parse_id(text) for text in argv[5:at]]
    return _claimed(claim(ctx.keyspace, argv[1], stream, argv[2], group, consumer, ids, terms), terms.just_id)


@verbs.verb(
    "XAUTOCLAIM",
    arity=-6,
    flags=_WRITE_FAST,
    keys=key("RW", "delete"),
    since="6.2.0",
    hints=("nondeterministic_output",),
)
def xautoclaim(ctx: Context, argv: list[bytes]) -> Reply:
    """XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]

    Assigns pending entries from an id on that have been idle for some milliseconds to a consumer. Returns where to
    continue (0-0: from the beginning), the entries, and the ids of those that were removed from the stream.

    Cost: O(log(N)) for each entry examined, at most ten times COUNT
    """
    try:
        min_idle_ms = parse_int(argv[4])
    except NotAnInteger:
        raise RespError("ERR Invalid min-idle-time argument for XAUTOCLAIM") from None
    start = parse_start(argv[5])
    most, just_id = 100, False
    args = Args(argv, 6)
    while args.more():
        word = args.word()
        if word == b"COUNT" and args.more():
            most = args.integer("ERR COUNT must be > 0")
            if not 0 < most <= INT64_MAX // 16:
                raise RespError("ERR COUNT must be > 0")
        elif word == b"JUSTID":
            just_id = True
        else:
            raise RespError(SYNTAX_ERROR)
    stream = stream_of(ctx.keyspace.read(argv[1]))
    group = group_of(stream, argv[1], argv[2])
    assert stream is not None
    consumer = consumer_now(ctx.keyspace, argv[1], argv[2], group, argv[3])
    following, entries, removed = claim_idle(
        ctx.keyspace, argv[1], stream, argv[2], group, consumer, min_idle_ms, start, most, just_id
    )
    return [id_text(following), _claimed(entries, just_id), removed]
