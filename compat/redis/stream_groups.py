# cython: annotation_typing=True
"""Consumer groups of streams: XGROUP, XREADGROUP, XACK, XPENDING, XCLAIM, XAUTOCLAIM.

The change feed hears of deliveries, acknowledgements and claims under names of our own (xreadgroup, xack,
xclaim, xautoclaim), for which Redis publishes nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.blocking import NOT_READY
from januskv.compat.server.faults import RespError
from januskv.compat.server.slices import MANY, items_in_slices
from januskv.resp.replies import NULL_ARRAY, OK, Reply
from januskv.storage.errors import NotAnInteger
from januskv.storage.stream_groups import Consumer, Delivery, Group
from januskv.storage.stream_ids import id_text
from januskv.storage.streams import MAX_ID, Stream

from .args import INT64_MAX, SYNTAX_ERROR, Args, parse_int
from .help import help_lines, wrong_form
from .streams import (
    ReadOptions,
    by_stream,
    entries_reply,
    parse_end,
    parse_id,
    parse_loose_id,
    parse_start,
    stream_of,
)

verbs = Family("stream")

_WRITE_FAST = Flag.WRITE | Flag.FAST
# More deliveries than this are logged by the first and the last of them.
_FEW = 16
# XAUTOCLAIM looks at so many pending entries for each one that it may return.
_LOOKS = 10
# Options of XGROUP may be repeated up to these lengths of the line: those of a line with all of them once.
_MOST_CREATE_WORDS = 8
_MOST_SETID_WORDS = 7


def shown(text: bytes) -> str:
    """A name as error texts repeat it."""
    return text.decode("utf-8", "surrogateescape")


def group_of(stream: Stream | None, argv_key: bytes, name: bytes, suffix: str = "") -> Group:
    """A group of a stream that may not exist; refused where either is missing."""
    group = None if stream is None else stream.groups.get(name)
    if group is None:
        raise RespError(f"NOGROUP No such key '{shown(argv_key)}' or consumer group '{shown(name)}'{suffix}")
    return group


def consumer_of(ctx: Context, name: bytes, group_name: bytes, group: Group, consumer: bytes) -> Consumer:
    """The consumer that acts now. A new one is made and reported."""
    now_ms = ctx.store.clock.now_ms
    fresh = consumer not in group.consumers
    found = group.consumer(consumer, now_ms)
    if fresh:
        ctx.keyspace.changed("xgroup-createconsumer", name, ("stream.consumer", group_name, consumer, now_ms))
    return found


# ---------------------------------------------------------------- XGROUP


@verbs.verb("XGROUP", arity=-2, since="5.0.0")
def xgroup(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP

    A container for commands about consumer groups.
    """
    raise AssertionError("a container is never run")


def _stream_for_group(ctx: Context, name: bytes) -> Stream:
    """The stream that XGROUP acts on, which has to exist."""
    stream = stream_of(ctx.keyspace.get(name))
    if stream is None:
        raise RespError(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the"
            " MKSTREAM option to create an empty stream automatically."
        )
    return stream


def _group_for(stream: Stream, argv: list[bytes]) -> Group:
    """The group that an XGROUP line names, which has to exist."""
    group = stream.groups.get(argv[3])
    if group is None:
        raise RespError(f"NOGROUP No such consumer group '{shown(argv[3])}' for key name '{shown(argv[2])}'")
    return group


def _group_options(argv: list[bytes], create: bool) -> tuple[bool, int | None]:
    """The options behind the id: whether to make the stream, how many entries count as read (None: unknown)."""
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

    Makes a consumer group that has read everything up to an id, `$`: all there is. MKSTREAM makes the stream too.

    Cost: O(1)
    """
    make, entries_read = _group_options(argv, True)
    keyspace, name = ctx.keyspace, argv[2]
    held = stream_of(keyspace.get(name)) if make else _stream_for_group(ctx, name)
    if len(argv) > _MOST_CREATE_WORDS:
        raise wrong_form(argv)
    last_id = (0 if held is None else held.last_id) if argv[4] == b"$" else parse_id(argv[4])
    stream = Stream() if held is None else held
    if argv[3] in stream.groups:
        raise RespError("BUSYGROUP Consumer Group name already exists")
    stream.groups[argv[3]] = Group(last_id, entries_read)
    if held is None:
        keyspace.put(name, stream, "xgroup-create")
    else:
        keyspace.changed("xgroup-create", name, ("stream.group", argv[3], id_text(last_id), entries_read))
    return OK


@verbs.verb("XGROUP|SETID", arity=-5, flags=Flag.WRITE, keys=key("RW", "update", begin=2), since="5.0.0")
def xgroup_setid(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]

    Sets up to which id a group has read.

    Cost: O(1)
    """
    _, entries_read = _group_options(argv, False)
    stream = _stream_for_group(ctx, argv[2])
    group = _group_for(stream, argv)
    if len(argv) > _MOST_SETID_WORDS:
        raise wrong_form(argv)
    last_id = stream.last_id if argv[4] == b"$" else parse_loose_id(argv[4])
    group.last_id, group.entries_read = last_id, entries_read
    ctx.keyspace.changed("xgroup-setid", argv[2], ("stream.group", argv[3], id_text(last_id), entries_read))
    return OK


@verbs.verb("XGROUP|DESTROY", arity=4, flags=Flag.WRITE, keys=key("RW", "delete", begin=2), since="5.0.0")
def xgroup_destroy(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP DESTROY key group

    Removes a consumer group with all that is pending in it; tells whether there was one.

    Cost: O(N) with N entries pending
    """
    stream = _stream_for_group(ctx, argv[2])
    if stream.groups.pop(argv[3], None) is None:
        return 0
    ctx.keyspace.changed("xgroup-destroy", argv[2], ("stream.group_gone", argv[3]))
    return 1


@verbs.verb(
    "XGROUP|CREATECONSUMER",
    arity=5,
    flags=Flag.WRITE | Flag.DENYOOM,
    keys=key("RW", "insert", begin=2),
    since="6.2.0",
)
def xgroup_createconsumer(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP CREATECONSUMER key group consumer

    Makes a consumer in a group; tells whether it was new.

    Cost: O(1)
    """
    group = _group_for(_stream_for_group(ctx, argv[2]), argv)
    if argv[4] in group.consumers:
        return 0
    consumer_of(ctx, argv[2], argv[3], group, argv[4])
    return 1


@verbs.verb("XGROUP|DELCONSUMER", arity=5, flags=Flag.WRITE, keys=key("RW", "delete", begin=2), since="5.0.0")
def xgroup_delconsumer(ctx: Context, argv: list[bytes]) -> Reply:
    """XGROUP DELCONSUMER key group consumer

    Removes a consumer with all that is pending for it; returns how much that was.

    Cost: O(N log(M)) with N entries pending for it, M in the group
    """
    group = _group_for(_stream_for_group(ctx, argv[2]), argv)
    if argv[4] not in group.consumers:
        return 0
    lost = group.drop_consumer(argv[4])
    ctx.keyspace.changed("xgroup-delconsumer", argv[2], ("stream.consumer_gone", argv[3], argv[4]))
    return lost


@verbs.verb("XGROUP|HELP", arity=2, flags=Flag.LOADING | Flag.STALE, since="5.0.0")
def xgroup_help(ctx: Context, argv: list[bytes]) -> Reply:
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
    """Behind which id of its history a consumer reads; None: what nobody has read yet."""
    assert options.group is not None
    group_of(stream_of(ctx.keyspace.read(name)), name, options.group, " in XREADGROUP with GROUP option")
    if text == b"$" or text == b"+":
        raise RespError(_MEANINGLESS.format(text.decode(), text.decode()))
    if text == b">":
        return None
    after = parse_id(text)
    return None if after == MAX_ID else after


def _read_group(ctx: Context, options: ReadOptions, after: list[int | None]) -> Reply:
    """What XREADGROUP finds now; NOT_READY if nothing."""
    group_name = options.group
    assert group_name is not None
    groups: list[tuple[bytes, Stream, Group, int | None]] = []
    for name, entry_id in zip(options.names, after, strict=True):
        stream = stream_of(ctx.keyspace.get(name))
        group = group_of(stream, name, group_name, " in XREADGROUP with GROUP option")
        assert stream is not None
        groups.append((name, stream, group, entry_id))
    found: list[tuple[bytes, Reply]] = []
    for name, stream, group, entry_id in groups:
        consumer = consumer_of(ctx, name, group_name, group, options.consumer)
        if entry_id is not None:
            found.append((name, _history(ctx, name, stream, group, consumer, entry_id, options)))
        elif stream.length and stream.last_id > group.last_id:
            entries = _news(ctx, name, stream, group, consumer, options)
            if entries:
                found.append((name, entries))
    return by_stream(ctx, found) if found else NOT_READY


def _news(ctx: Context, name: bytes, stream: Stream, group: Group, consumer: Consumer, options: ReadOptions) -> Reply:
    """Deliver entries that the group has not read yet."""
    now_ms = ctx.store.clock.now_ms
    entries = stream.range(group.last_id + 1, MAX_ID, options.most)
    if not entries:
        return []
    for entry_id, _ in entries:
        stream.advance(group, entry_id)
    if not options.noack:
        group.deliver_news([entry_id for entry_id, _ in entries], consumer, now_ms)
    consumer.active_ms = now_ms
    read = (options.group, consumer.name, now_ms, id_text(group.last_id), group.entries_read)
    if len(entries) > _FEW and not options.noack:
        ends = id_text(entries[0][0]), id_text(entries[-1][0])
        ctx.keyspace.changed("xreadgroup", name, ("stream.deliver_from", *read, *ends))
    else:
        pending = () if options.noack else tuple([id_text(entry_id) for entry_id, _ in entries])
        ctx.keyspace.changed("xreadgroup", name, ("stream.deliver", *read, *pending))
    return entries_reply(ctx, entries)


def _history(
    ctx: Context, name: bytes, stream: Stream, group: Group, consumer: Consumer, after: int, options: ReadOptions
) -> list[Reply]:
    """Give a consumer again what is pending for it; what was removed meanwhile has no fields."""
    now_ms = ctx.store.clock.now_ms
    reply: list[Reply] = []
    again: list[tuple[bytes, int, int]] = []
    pending = consumer.pending
    for entry_id in pending.ids(after + 1, MAX_ID, options.most):
        held = pending.deliveries[entry_id]
        fields = stream.get(entry_id)
        text = id_text(entry_id)
        if fields is None:
            reply.append([text, NULL_ARRAY])
            continue
        held.time_ms = now_ms
        held.count += 1
        again.append((text, now_ms, held.count))
        reply.append([text, fields])
    if again:
        consumer.active_ms = now_ms
        gone: list[bytes] = []
        effect = ("stream.claim", options.group, consumer.name, now_ms, id_text(group.last_id), again, gone)
        ctx.keyspace.changed("xreadgroup", name, effect)
    return reply


@verbs.verb(
    "XREADGROUP",
    arity=-7,
    flags=Flag.WRITE | Flag.BLOCKING | Flag.MOVABLEKEYS,
    keys=key("RO", "access", begin=4, keyword="STREAMS", last=-1, limit=2),
    since="5.0.0",
)
def xreadgroup(ctx: Context, argv: list[bytes]) -> Reply:
    """XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]

    Delivers entries to a consumer of a group: with `>` those that nobody of the group has read, which are pending
    until XACK, unless NOACK is given; with an id, those that are pending for the consumer behind that id.

    Cost: O(log(N) + M) for each stream, with N entries held, M returned; O(M log(P)) with P entries pending
    """
    options = ReadOptions(argv, True)
    after = [_after(ctx, options, name, text) for name, text in zip(options.names, options.ids, strict=True)]
    return options.serve(ctx, partial(_read_group, ctx, options, after))


# ---------------------------------------------------------------- XACK, XPENDING


@verbs.verb("XACK", arity=-4, flags=_WRITE_FAST, keys=key("RW", "update"), since="5.0.0")
def xack(ctx: Context, argv: list[bytes]) -> Reply:
    """XACK key group id [id ...]

    Acknowledges entries, which are pending no longer; returns how many there were.

    Cost: O(log(N)) for each id, with N entries pending
    """
    stream = stream_of(ctx.keyspace.read(argv[1]))
    group = None if stream is None else stream.groups.get(argv[2])
    if group is None:
        return 0
    ids = [parse_id(text) for text in argv[3:]]
    gone = [id_text(entry_id) for entry_id in ids if group.acknowledge(entry_id)]
    if gone:
        ctx.keyspace.feed.extra += len(gone) - 1
        ctx.keyspace.changed("xack", argv[1], ("stream.acknowledge", argv[2], *gone))
    return len(gone)


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

    Returns what is pending in a group: a summary, or entry by entry with consumer, idle time and deliveries.

    Cost: O(C) with C consumers; O(log(N) + M) with N entries pending, M looked at
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
    found: list[tuple[int, bytes, int, int]] = []
    now_ms = ctx.store.clock.now_ms
    for entry_id in pending.ids(start, end, -1 if min_idle_ms else most):
        if len(found) >= most:
            break
        held = pending.deliveries[entry_id]
        idle_ms = now_ms - held.time_ms
        if min_idle_ms and idle_ms < min_idle_ms:
            continue
        found.append((entry_id, held.consumer, idle_ms, held.count))
    if len(found) > MANY:
        return items_in_slices(ctx, found, b"*%d\r\n" % len(found), _pending_shown)
    return _pending_shown(found)


def _pending_shown(found: list[tuple[int, bytes, int, int]]) -> list[Any]:
    return [[id_text(entry_id), name, max(idle_ms, 0), count] for entry_id, name, idle_ms, count in found]


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


class Claim:
    """The options of XCLAIM. ``time_ms``: when the entries count as delivered; ``count`` -1: one more than before."""

    __slots__ = ("count", "force", "just_id", "last_id", "time_ms")

    def __init__(self, args: Args, now_ms: int) -> None:
        self.force = self.just_id = False
        self.count = -1
        self.last_id = 0
        self.time_ms = now_ms
        while args.more():
            text = args.take()
            word = text.upper()
            if word == b"FORCE":
                self.force = True
            elif word == b"JUSTID":
                self.just_id = True
            elif word == b"IDLE" and args.more():
                self.time_ms = now_ms - args.integer("ERR Invalid IDLE option argument for XCLAIM")
            elif word == b"TIME" and args.more():
                self.time_ms = args.integer("ERR Invalid TIME option argument for XCLAIM")
            elif word == b"RETRYCOUNT" and args.more():
                self.count = args.integer("ERR Invalid RETRYCOUNT option argument for XCLAIM")
            elif word == b"LASTID" and args.more():
                self.last_id = parse_id(args.take())
            else:
                raise RespError(f"ERR Unrecognized XCLAIM option '{shown(text)}'")
        if not 0 <= self.time_ms <= now_ms:
            self.time_ms = now_ms  # clients compute times with clocks of their own


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

    Gives pending entries that have been idle for some milliseconds to a consumer, and returns them. FORCE takes
    entries that are not pending too. Entries that were removed from the stream are pending no longer.

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
    now_ms = ctx.store.clock.now_ms
    claim = Claim(Args(argv, at), now_ms)
    advanced = claim.last_id > group.last_id
    group.last_id = max(claim.last_id, group.last_id)
    consumer = consumer_of(ctx, argv[1], argv[2], group, argv[3])
    reply: list[Reply] = []
    claimed: list[tuple[bytes, int, int]] = []
    gone: list[bytes] = []
    for text in argv[5:at]:
        entry_id = parse_id(text)
        held: Delivery | None = group.pending.get(entry_id)
        fields = stream.get(entry_id)
        if fields is None:
            if group.acknowledge(entry_id):
                gone.append(id_text(entry_id))
            continue
        if held is None and not claim.force:
            continue
        if held is not None and min_idle_ms > 0 and now_ms - held.time_ms < min_idle_ms:
            continue
        count = claim.count
        if count < 0:
            count = (1 if held is None else held.count) + (0 if claim.just_id else 1)
        group.deliver(entry_id, consumer, claim.time_ms, count)
        claimed.append((id_text(entry_id), claim.time_ms, count))
        reply.append(id_text(entry_id) if claim.just_id else [id_text(entry_id), fields])
    if claimed:
        consumer.active_ms = now_ms
    if claimed or gone or advanced:
        ctx.keyspace.feed.extra += max(len(claimed) + len(gone), 1) - 1
        effect = ("stream.claim", argv[2], argv[3], now_ms, id_text(group.last_id), claimed, gone)
        ctx.keyspace.changed("xclaim", argv[1], effect)
    return reply


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

    Gives pending entries from an id on that have been idle for some milliseconds to a consumer. Returns where to
    go on (0-0: from the beginning), the entries, and the ids of those that were removed from the stream.

    Cost: O(log(N)) for each entry looked at, which are at most ten times COUNT
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
    consumer = consumer_of(ctx, argv[1], argv[2], group, argv[3])
    return _claim_idle(ctx, argv[1], argv[2], stream, group, consumer, min_idle_ms, start, most, just_id)


def _claim_idle(
    ctx: Context,
    name: bytes,
    group_name: bytes,
    stream: Stream,
    group: Group,
    consumer: Consumer,
    min_idle_ms: int,
    start: int,
    most: int,
    just_id: bool,
) -> Reply:
    """Walk over what is pending and claim what is idle enough."""
    now_ms = ctx.store.clock.now_ms
    reply: list[Reply] = []
    claimed: list[tuple[bytes, int, int]] = []
    gone: list[bytes] = []
    looks, following = most * _LOOKS, 0
    chosen: list[tuple[int, Delivery]] = []
    for entry_id in group.pending.ids(start, None, looks + 1):  # the group changes only after the walk
        if looks == 0 or len(chosen) + len(gone) == most:
            following = entry_id
            break
        looks -= 1
        held = group.pending.deliveries[entry_id]
        fields = stream.get(entry_id)
        if fields is None:
            gone.append(id_text(entry_id))
        elif min_idle_ms <= 0 or now_ms - held.time_ms >= min_idle_ms:
            chosen.append((entry_id, held))
            reply.append(id_text(entry_id) if just_id else [id_text(entry_id), fields])
    for text in gone:
        group.acknowledge(parse_id(text))
    for entry_id, held in chosen:
        count = held.count if just_id else held.count + 1
        group.deliver(entry_id, consumer, now_ms, count)
        claimed.append((id_text(entry_id), now_ms, count))
    if claimed:
        consumer.active_ms = now_ms
    if claimed or gone:
        ctx.keyspace.feed.extra += len(claimed) + len(gone) - 1
        effect = ("stream.claim", group_name, consumer.name, now_ms, id_text(group.last_id), claimed, gone)
        ctx.keyspace.changed("xautoclaim", name, effect)
    return [id_text(following), reply, gone]
