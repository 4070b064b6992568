# cython: annotation_typing=True
"""Stream commands: adding, reading and removing entries. Groups are in stream_groups.py, XINFO in stream_info.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.blocking import NOT_READY, Wait, block
from januskv.compat.server.faults import RespError
from januskv.resp.replies import NULL_ARRAY, OK, Entries, PairMap, Reply
from januskv.resp.slices import MANY, EntryParts, Together
from januskv.storage.errors import NotAnInteger, WrongType
from januskv.storage.stream_ids import id_text
from januskv.storage.stream_operations import append, begin, delete, set_last_id, trim_before, trim_length
from januskv.storage.streams import (
    MAX_ID,
    MAX_PART,
    SEQ_BITS,
    Entry,
    Stream,
    make_id,
)

from .args import SYNTAX_ERROR, Args, parse_int

verbs = Family("stream")

_BAD_ID = "ERR Invalid stream ID specified as stream command argument"
_WRITE_FAST = Flag.WRITE | Flag.FAST

# What C's strtoull accepts besides plain digits. Redis uses it for parts of an id that do not fit a signed integer.
_UNUSUAL_PART = re.compile(rb"[ \t\n\v\f\r]*\+?[0-9]+\Z")


# ---------------------------------------------------------------- ids


def parse_part(text: bytes) -> int:
    """One part of an id, 64 bits unsigned."""
    if text.isdigit() or _UNUSUAL_PART.match(text):
        value = int(text) if len(text) <= 128 else MAX_PART + 1
        if value <= MAX_PART:
            return value
    raise RespError(_BAD_ID)


def parse_id(text: bytes, missing_seq: int = 0) -> int:
    """An id: ``ms-seq``, or ``ms`` alone with the given sequence number. As in C, it ends at a zero byte."""
    if len(text) > 127:
        raise RespError(_BAD_ID)
    ms, dash, seq = (text.partition(b"\0")[0] if b"\0" in text else text).partition(b"-")
    return parse_part(ms) << SEQ_BITS | (parse_part(seq) if dash else missing_seq)


def parse_loose_id(text: bytes, missing_seq: int = 0) -> int:
    """An id, ``-`` for the smallest or ``+`` for the greatest one."""
    if text == b"-":
        return 0
    return MAX_ID if text == b"+" else parse_id(text, missing_seq)


def parse_start(text: bytes) -> int:
    """Where a range begins: an id, ``-``, or ``(`` and an excluded id."""
    if text[:1] != b"(" or len(text) == 1:
        return parse_loose_id(text)
    start = parse_id(text[1:])
    if start == MAX_ID:
        raise RespError("ERR invalid start ID for the interval")
    return start + 1


def parse_end(text: bytes) -> int:
    """Where a range ends: an id, ``+``, or ``(`` and an excluded id."""
    if text[:1] != b"(" or len(text) == 1:
        return parse_loose_id(text, MAX_PART)
    end = parse_id(text[1:], MAX_PART)
    if end == 0:
        raise RespError("ERR invalid end ID for the interval")
    return end - 1


# ---------------------------------------------------------------- streams and replies


def stream_of(value: object) -> Stream | None:
    """A key's value as a stream, None if there is none. Raises WrongType."""
    if value is None or type(value) is Stream:
        return value
    raise WrongType


def entry_reply(entry: Entry) -> Reply:
    """An entry as clients see it: its id and its fields."""
    return [id_text(entry[0]), entry[1]]


def entries_reply(entries: list[Entry]) -> Reply:
    """Entries as clients see them: their ids and their fields."""
    return Entries(entries)


# ---------------------------------------------------------------- trimming


class Trim:
    """A trimming option: MAXLEN or MINID with its threshold, whether approximate, the most to remove."""

    __slots__ = ("approximate", "limit", "strategy", "threshold")

    def __init__(self) -> None:
        self.strategy = b""
        self.threshold = 0
        self.approximate = False
        self.limit: int | None = None

    def take(self, word: bytes, args: Args) -> bool:
        """Take an option if it is one for trimming and has an argument."""
        if word not in (b"MAXLEN", b"MINID", b"LIMIT") or not args.more():
            return False
        if word == b"LIMIT":
            self.limit = args.integer()
            if self.limit < 0:
                raise RespError("ERR The LIMIT argument must be >= 0.")
            return True
        if self.strategy:
            raise RespError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
        self.approximate = False
        if args.left() >= 2 and args.peek() in (b"~", b"="):
            self.approximate = args.take() == b"~"
        self.strategy = word
        if word == b"MINID":
            self.threshold = parse_id(args.take())
            return True
        self.threshold = args.integer()
        if self.threshold < 0:
            raise RespError("ERR The MAXLEN argument must be >= 0.")
        return True

    def check(self) -> None:
        """Refuse options that exclude each other."""
        if self.limit and not self.strategy:
            raise RespError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")

    def settle(self, ctx: Context) -> None:
        """Set the limit, after ``check``: by default approximate trimming stops after a hundred nodes."""
        if self.limit is not None and not self.approximate:
            raise RespError("ERR syntax error, LIMIT cannot be used without the special ~ option")
        if self.limit is None:
            limit = 100 * ctx.settings.stream_node_max_entries
            self.limit = min(limit if limit > 0 else 10_000, 1_000_000) if self.approximate else 0

    def apply(self, ctx: Context, name: bytes, stream: Stream, counts: bool) -> int:
        """Trim. Returns how many entries were removed. ``counts``: whether each counts as a change."""
        keyspace, limit = ctx.keyspace, self.limit or 0
        if self.strategy == b"MAXLEN":
            return trim_length(keyspace, name, stream, self.threshold, self.approximate, limit, counts)
        return trim_before(keyspace, name, stream, self.threshold, self.approximate, limit, counts)


# ---------------------------------------------------------------- XADD


class NewEntry:
    """The options of XADD: the id as given (None: ``*``; with ``free_seq`` only its ms), where the fields begin."""

    __slots__ = ("entry_id", "fields_at", "free_seq", "make", "trim")

    def __init__(self, argv: list[bytes]) -> None:
        self.entry_id: int | None = None
        self.free_seq = False
        self.make = True
        self.trim = Trim()
        args = Args(argv, 2)
        while args.more():
            text = args.take()
            if text == b"*":
                break
            word = text.upper()
            if word == b"NOMKSTREAM":
                self.make = False
            elif not self.trim.take(word, args):
                self.parse_new_id(text)
                break
        self.fields_at = args.at
        self.trim.check()

    def parse_new_id(self, text: bytes) -> None:
        """The id as given: ``ms``, ``ms-seq`` or ``ms-*``."""
        if text.endswith(b"-*") and len(text) <= 127:
            self.free_seq = True
            self.entry_id = make_id(parse_part(text[:-2]), 0)
        else:
            self.entry_id = parse_id(text)

    def next_id(self, ctx: Context, stream: Stream) -> int:
        """The id of the new entry."""
        if self.entry_id is None:
            return stream.next_id(ctx.store.clock.now_ms)
        if self.free_seq:
            return stream.next_id_at(self.entry_id >> SEQ_BITS)
        return self.entry_id


@verbs.verb(
    "XADD",
    arity=-5,
    flags=_WRITE_FAST | Flag.DENYOOM,
    keys=key("RW", "update", notes="UPDATE instead of INSERT because of the optional trimming feature"),
    since="5.0.0",
    hints=("nondeterministic_output",),
)
def xadd(ctx: Context, argv: list[bytes]) -> Reply:
    """XADD key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]

    Appends an entry to a stream and returns its id. The id is made from the clock with `*`, from a given
    time with `ms-*`. A missing stream is created, unless NOMKSTREAM is given.

    Cost: O(1), and O(N) with N entries trimmed
    """
    keyspace = ctx.keyspace
    if argv[2] == b"*" and len(argv) & 1:  # the usual form, to an existing stream
        stream = keyspace.get(argv[1])
        if type(stream) is Stream:
            entry_id = stream.next_id(keyspace.clock.now_ms)
            config = ctx.settings
            most_bytes, most_entries = config.stream_node_max_bytes, config.stream_node_max_entries
            return append(keyspace, argv[1], stream, entry_id, tuple(argv[3:]), most_bytes, most_entries)
    return add_with_options(ctx, argv)


def add_with_options(ctx: Context, argv: list[bytes]) -> Reply:
    """XADD in any form."""
    new = NewEntry(argv)
    fields = tuple(argv[new.fields_at :])
    if len(fields) < 2 or len(fields) % 2:
        raise RespError("ERR wrong number of arguments for 'xadd' command")
    if new.trim.strategy or new.trim.limit is not None:
        new.trim.settle(ctx)
    if new.entry_id == 0 and not new.free_seq:
        raise RespError("ERR The ID specified in XADD must be greater than 0-0")
    keyspace, name = ctx.keyspace, argv[1]
    stream = stream_of(keyspace.get(name))
    if stream is None and not new.make:
        return None
    config = ctx.settings
    most_bytes, most_entries = config.stream_node_max_bytes, config.stream_node_max_entries
    entry_id = new.next_id(ctx, Stream() if stream is None else stream)
    if stream is None:
        stream = begin(keyspace, name, entry_id, fields, most_bytes, most_entries)
    else:
        append(keyspace, name, stream, entry_id, fields, most_bytes, most_entries)
    if new.trim.strategy:
        new.trim.apply(ctx, name, stream, counts=False)  # appending and trimming count as one change
    return id_text(entry_id)


# ---------------------------------------------------------------- ranges


@verbs.verb("XLEN", arity=2, flags=Flag.READONLY | Flag.FAST, keys=key("RO"), since="5.0.0")
def xlen(ctx: Context, argv: list[bytes]) -> Reply:
    """XLEN key

    Counts the entries of a stream; 0 if there is none.

    Cost: O(1)
    """
    stream = stream_of(ctx.keyspace.read(argv[1]))
    return 0 if stream is None else stream.length


def part_reply(count: int, batches: Iterator[list[Entry]], most: int) -> EntryParts:
    """A reply of ``count`` entries, at most ``most`` (-1: all), in parts."""
    count = count if most < 0 else min(count, most)
    return EntryParts(count, _first(batches, count))


def _first(batches: Iterator[list[Entry]], left: int) -> Iterator[list[Entry]]:
    for entries in batches:
        yield entries[:left]
        left -= len(entries)
        if left <= 0:
            return


def _range(ctx: Context, argv: list[bytes], start: int, end: int, reverse: bool) -> Reply:
    """XRANGE and XREVRANGE."""
    args = Args(argv, 4)
    most = -1
    while args.more():
        if args.word() != b"COUNT" or not args.more():
            raise RespError(SYNTAX_ERROR)
        most = max(args.integer(), 0)
    stream = stream_of(ctx.keyspace.read(argv[1]))
    if stream is None:
        return []
    if most == 0:
        return NULL_ARRAY
    if len(stream) > MANY and not 0 <= most <= MANY:
        return part_reply(*stream.part(start, end, reverse), most)
    return entries_reply(stream.range_reversed(start, end, most) if reverse else stream.range(start, end, most))


@verbs.verb("XRANGE", arity=-4, flags=Flag.READONLY, keys=key("RO", "access"), since="5.0.0")
def xrange_(ctx: Context, argv: list[bytes]) -> Reply:
    """XRANGE key start end [COUNT count]

    Returns the entries between two ids, oldest first. `-` and `+` are the smallest and greatest id; `(`
    before an id excludes it.

    Cost: O(log(N) + M) with N entries, M returned
    """
    return _range(ctx, argv, parse_start(argv[2]), parse_end(argv[3]), False)


@verbs.verb("XREVRANGE", arity=-4, flags=Flag.READONLY, keys=key("RO", "access"), since="5.0.0")
def xrevrange(ctx: Context, argv: list[bytes]) -> Reply:
    """XREVRANGE key end start [COUNT count]

    Returns the entries between two ids, newest first.

    Cost: O(log(N) + M) with N entries, M returned
    """
    start = parse_start(argv[3])
    return _range(ctx, argv, start, parse_end(argv[2]), True)


# ---------------------------------------------------------------- removing


@verbs.verb(
    "XTRIM",
    arity=-4,
    flags=Flag.WRITE,
    keys=key("RW", "delete"),
    since="5.0.0",
    hints=("nondeterministic_output",),
)
def xtrim(ctx: Context, argv: list[bytes]) -> Reply:
    """XTRIM key <MAXLEN | MINID> [= | ~] threshold [LIMIT count]

    Removes the oldest entries, down to a number of entries or up to an id; returns how many. With `~`
    only whole nodes of `stream-node-max-entries` are removed, at most LIMIT entries.

    Cost: O(N) with N entries removed
    """
    trim = Trim()
    args = Args(argv, 2)
    while args.more():
        if not trim.take(args.word(), args):
            raise RespError(SYNTAX_ERROR)
    trim.check()
    if not trim.strategy:
        raise RespError("ERR syntax error, XTRIM must be called with a trimming strategy")
    trim.settle(ctx)
    stream = stream_of(ctx.keyspace.get(argv[1]))
    return 0 if stream is None else trim.apply(ctx, argv[1], stream, counts=True)


@verbs.verb("XDEL", arity=-3, flags=_WRITE_FAST, keys=key("RW", "delete"), since="5.0.0")
def xdel(ctx: Context, argv: list[bytes]) -> Reply:
    """XDEL key id [id ...]

    Removes entries; returns how many existed. An empty stream stays.

    Cost: O(log(N)) for each id
    """
    stream = stream_of(ctx.keyspace.get(argv[1]))
    if stream is None:
        return 0
    ids = [parse_id(text) for text in argv[2:]]
    return delete(ctx.keyspace, argv[1], stream, ids)


@verbs.verb("XSETID", arity=-3, flags=_WRITE_FAST | Flag.DENYOOM, keys=key("RW", "update"), since="5.0.0")
def xsetid(ctx: Context, argv: list[bytes]) -> Reply:
    """XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]

    Sets the last id of a stream, and its counters.

    Cost: O(1)
    """
    last_id = parse_id(argv[2])
    added: int | None = None
    max_deleted = 0
    args = Args(argv, 3)
    while args.more():
        word = args.word()
        if word == b"ENTRIESADDED" and args.more():
            added = args.integer()
            if added < 0:
                raise RespError("ERR entries_added must be positive")
        elif word == b"MAXDELETEDID" and args.more():
            max_deleted = parse_id(args.take())
            if last_id < max_deleted:
                raise RespError("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
        else:
            raise RespError(SYNTAX_ERROR)
    stream = stream_of(ctx.keyspace.get(argv[1]))
    if stream is None:
        raise RespError("ERR no such key")
    set_last_id(ctx.keyspace, argv[1], stream, last_id, added, max_deleted)
    return OK


# ---------------------------------------------------------------- XREAD


class ReadOptions:
    """The options that XREAD and XREADGROUP share. ``most`` 0: all; ``timeout_ms`` None: forever; group b"": none."""

    __slots__ = ("block", "consumer", "group", "ids", "most", "names", "noack", "timeout_ms")

    def __init__(self, argv: list[bytes], grouped: bool) -> None:
        self.block = False
        self.timeout_ms: int | None = None
        self.most = -1
        self.group: bytes | None = None
        self.consumer = b""
        self.noack = False
        self.names: list[bytes] = []
        self.ids: list[bytes] = []
        args = Args(argv)
        while args.more() and not self.names:
            self.take(args.word(), args, grouped)
        if not self.names:
            raise RespError(SYNTAX_ERROR)
        if grouped and self.group is None:
            raise RespError("ERR Missing GROUP option for XREADGROUP")

    def take(self, word: bytes, args: Args, grouped: bool) -> None:
        """Take one option with its arguments."""
        if word == b"BLOCK" and args.more():
            self.block = True
            self.timeout_ms = parse_block_ms(args.take())
        elif word == b"COUNT" and args.more():
            self.most = args.integer()
            if self.most <= 0:
                self.most = -1
        elif word == b"STREAMS" and args.more():
            rest = args.rest()
            if len(rest) % 2:
                verb, new = ("xreadgroup", ">") if grouped else ("xread", "$")
                raise RespError(
                    f"ERR Unbalanced '{verb}' list of streams: for each stream key an ID or '{new}' must be specified."
                )
            self.names, self.ids = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        elif word == b"GROUP" and args.left() >= 2:
            if not grouped:
                raise RespError("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
            self.group, self.consumer = args.take(), args.take()
        elif word == b"NOACK":
            if not grouped:
                raise RespError("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
            self.noack = True
        else:
            raise RespError(SYNTAX_ERROR)

    def serve(self, ctx: Context, attempt: Callable[[], Reply]) -> Reply | Wait:
        """Reply now, or block if requested."""
        if self.block:
            return block(self.names, self.timeout_ms, attempt)
        reply = attempt()
        return NULL_ARRAY if reply is NOT_READY else reply


def parse_block_ms(text: bytes) -> int | None:
    """A timeout in ms; None for 0, which means forever."""
    try:
        timeout_ms = parse_int(text)
    except NotAnInteger:
        raise RespError("ERR timeout is not an integer or out of range") from None
    if timeout_ms < 0:
        raise RespError("ERR timeout is negative")
    return timeout_ms or None


def _read_after(ctx: Context, name: bytes, text: bytes) -> int:
    """The id after which XREAD begins; ``$`` and ``+`` are resolved now."""
    stream = stream_of(ctx.keyspace.read(name))
    if text == b"$":
        return 0 if stream is None else stream.last_id
    if text == b"+":
        if stream is None:
            return 0
        return stream.greatest_id() - 1 if stream.length else stream.last_id
    if text == b">":
        raise RespError(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
        )
    return parse_id(text)


def _read(ctx: Context, options: ReadOptions, after: list[int]) -> Reply:
    """What XREAD returns now; NOT_READY if nothing."""
    replies: list[tuple[bytes, Reply]] = []
    streams: list[tuple[bytes, Stream, int]] = []
    for at in range(len(after)):
        name, entry_id = options.names[at], after[at]
        value = ctx.keyspace.get(name)
        if type(value) is Stream:
            if value.last_id > entry_id:
                streams.append((name, value, entry_id))
        elif value is not None and not options.block:
            raise WrongType  # a client that waits for a stream of this name keeps waiting
    if not options.block and not 0 <= options.most <= MANY:
        if max([len(stream) for _, stream, _ in streams], default=0) > MANY:
            return _read_in_slices(streams, options.most)
    for name, stream, entry_id in streams:
        entries = stream.range(entry_id + 1, MAX_ID, options.most)
        if entries:
            replies.append((name, entries_reply(entries)))
    return PairMap(replies) if replies else NOT_READY


def _read_in_slices(streams: list[tuple[bytes, Stream, int]], most: int) -> Reply:
    """The newer entries of streams, by stream, if there may be many; NOT_READY if there are none."""
    replies: list[tuple[bytes, Reply]] = []
    for name, stream, entry_id in streams:
        count, some = stream.part(entry_id + 1, MAX_ID, False)
        if count:
            replies.append((name, part_reply(count, some, most)))
    nothing: Reply = NOT_READY
    return Together(PairMap(replies)) if replies else nothing


@verbs.verb(
    "XREAD",
    arity=-4,
    flags=Flag.READONLY | Flag.BLOCKING | Flag.MOVABLEKEYS,
    keys=key("RO", "access", begin=1, keyword="STREAMS", last=-1, limit=2),
    since="5.0.0",
)
def xread(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]

    Returns the entries of streams that are newer than the given ids, null if there are none. `$` is the
    last id, `+` begins with the last entry. With BLOCK it waits for entries, 0: forever.

    Cost: O(log(N) + M) for each stream, with N entries, M returned
    """
    options = ReadOptions(argv, False)
    after = [_read_after(ctx, options.names[at], options.ids[at]) for at in range(len(options.names))]
    if not options.block:
        reply = _read(ctx, options, after)
        return NULL_ARRAY if reply is NOT_READY else reply
    return options.serve(ctx, partial(_read, ctx, options, after))
