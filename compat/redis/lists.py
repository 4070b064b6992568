# cython: annotation_typing=True
"""List commands. A list is also a JSON array; elements that are not strings appear as their JSON text."""

from __future__ import annotations

from functools import partial
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import NULL_ARRAY, OK, Reply
from januskv.resp.slices import framed_reply, items_reply
from januskv.storage.errors import NoSuchKey, NotAnInteger
from januskv.storage.lists import (
    Items,
    as_list,
    bounds,
    framed_texts,
    insert_item,
    is_long,
    keep_range,
    move_item,
    pop,
    pop_one,
    pop_pieces,
    positions,
    push,
    remove_equal,
    set_item,
    texts_of,
)
from januskv.storage.values import kind_of, text_of

from .args import INT64_MAX, SYNTAX_ERROR, Args, parse_int

verbs = Family("list")

_WRITE = Flag.WRITE | Flag.DENYOOM
_SIDES = {b"LEFT": True, b"RIGHT": False}
_POP_KEY = key("RW", "access", "delete")
_PUSH_KEY = key("RW", "insert")
_MOVE_KEYS = (_POP_KEY, key("RW", "insert", begin=2))
_OUT_OF_RANGE = "ERR index out of range"
# Up to this many are popped as objects; more as the bytes that are sent.
_FEW = 256


def side(word: bytes) -> bool:
    """Whether a word means the head: LEFT or RIGHT."""
    at_head = _SIDES.get(word.upper())
    if at_head is None:
        raise RespError(SYNTAX_ERROR)
    return at_head


def integer_within(text: bytes, least: int, error: str) -> int:
    """A 64-bit integer of at least ``least``, or the error."""
    try:
        value = parse_int(text)
    except NotAnInteger:
        raise RespError(error) from None
    if value < least:
        raise RespError(error)
    return value


# ---------------------------------------------------------------- pushing and popping


@verbs.verb("LPUSH", arity=-3, flags=_WRITE | Flag.FAST, keys=_PUSH_KEY)
def lpush(ctx: Context, argv: list[bytes]) -> Reply:
    """LPUSH key element [element ...]

    Prepends elements to a list, one after another; creates the key if it doesn't exist.

    Cost: O(N) elements
    """
    return push(ctx.keyspace, argv[1], as_list(ctx.keyspace.get(argv[1])), True, argv[2:])


@verbs.verb("RPUSH", arity=-3, flags=_WRITE | Flag.FAST, keys=_PUSH_KEY)
def rpush(ctx: Context, argv: list[bytes]) -> Reply:
    """RPUSH key element [element ...]

    Appends elements to a list; creates the key if it doesn't exist.

    Cost: O(N) elements
    """
    return push(ctx.keyspace, argv[1], as_list(ctx.keyspace.get(argv[1])), False, argv[2:])


def push_if_there(ctx: Context, argv: list[bytes], at_head: bool) -> Reply:
    """LPUSHX and RPUSHX."""
    items = as_list(ctx.keyspace.get(argv[1]))
    return 0 if items is None else push(ctx.keyspace, argv[1], items, at_head, argv[2:])


@verbs.verb("LPUSHX", arity=-3, flags=_WRITE | Flag.FAST, keys=_PUSH_KEY, since="2.2.0")
def lpushx(ctx: Context, argv: list[bytes]) -> Reply:
    """LPUSHX key element [element ...]

    Prepends elements to a list only when the list exists.

    Cost: O(N) elements
    """
    return push_if_there(ctx, argv, True)


@verbs.verb("RPUSHX", arity=-3, flags=_WRITE | Flag.FAST, keys=_PUSH_KEY, since="2.2.0")
def rpushx(ctx: Context, argv: list[bytes]) -> Reply:
    """RPUSHX key element [element ...]

    Appends elements to a list only when the list exists.

    Cost: O(N) elements
    """
    return push_if_there(ctx, argv, False)


def pop_command(ctx: Context, argv: list[bytes], at_head: bool) -> Reply:
    """LPOP and RPOP."""
    if len(argv) == 2:
        items = as_list(ctx.keyspace.get(argv[1]))
        if not items:
            return None
        item = pop_one(ctx.keyspace, argv[1], items, at_head)
        return item if type(item) is bytes else text_of(item)
    if len(argv) > 3:
        raise RespError(f"ERR wrong number of arguments for '{'lpop' if at_head else 'rpop'}' command")
    count = integer_within(argv[2], 0, "ERR value is out of range, must be positive")
    items = as_list(ctx.keyspace.get(argv[1]))
    if not items:
        return NULL_ARRAY
    if count == 0:
        return []
    return popped(ctx, argv[1], items, at_head, count)


def popped(ctx: Context, name: bytes, items: Items, at_head: bool, count: int) -> Reply:
    """Pop elements from a nonempty list, in the order of removal."""
    count = min(count, len(items))
    if count <= _FEW or not is_long(items):
        return texts_of(pop(ctx.keyspace, name, items, at_head, count))
    pieces = pop_pieces(ctx.keyspace, name, items, at_head, count)
    return framed_reply(
        count, pieces if at_head else list(reversed(pieces)), partial(framed_texts, backwards=not at_head)
    )


@verbs.verb("LPOP", arity=-2, flags=Flag.WRITE | Flag.FAST, keys=_POP_KEY)
def lpop(ctx: Context, argv: list[bytes]) -> Reply:
    """LPOP key [count]

    Removes and returns the first element of a list, or up to ``count`` of them.

    Cost: O(N) elements returned
    """
    return pop_command(ctx, argv, True)


@verbs.verb("RPOP", arity=-2, flags=Flag.WRITE | Flag.FAST, keys=_POP_KEY)
def rpop(ctx: Context, argv: list[bytes]) -> Reply:
    """RPOP key [count]

    Removes and returns the last element of a list, or up to ``count`` of them.

    Cost: O(N) elements returned
    """
    return pop_command(ctx, argv, False)


# ---------------------------------------------------------------- reading


@verbs.verb("LLEN", arity=2, flags=Flag.READONLY | Flag.FAST, keys=key("RO"))
def llen(ctx: Context, argv: list[bytes]) -> Reply:
    """LLEN key

    Returns the length of a list, 0 if there is none.

    Cost: O(1)
    """
    return len(as_list(ctx.keyspace.read(argv[1])) or ())


@verbs.verb("LINDEX", arity=3, flags=Flag.READONLY, keys=key("RO", "access"))
def lindex(ctx: Context, argv: list[bytes]) -> Reply:
    """LINDEX key index

    Returns an element of a list by its index, which counts from the tail if negative.

    Cost: O(1)
    """
    items = as_list(ctx.keyspace.read(argv[1]))
    if items is None:
        return None
    index = parse_int(argv[2])
    if not -len(items) <= index < len(items):
        return None
    return texts_of([items[index]])[0]


@verbs.verb("LRANGE", arity=4, flags=Flag.READONLY, keys=key("RO", "access"))
def lrange(ctx: Context, argv: list[bytes]) -> Reply:
    """LRANGE key start stop

    Returns a range of elements from a list; both ends are included and count from the tail if negative.

    Cost: O(N) elements returned
    """
    start, stop = parse_int(argv[2]), parse_int(argv[3])
    items = as_list(ctx.keyspace.read(argv[1]))
    if items is None:
        return []
    first, end = bounds(len(items), start, stop)
    if is_long(items):
        return framed_reply(end - first, items.pieces(first, end), framed_texts)  # without an object for each element
    return items_reply(items[first:end], texts_of)


@verbs.verb("LPOS", arity=-3, flags=Flag.READONLY, keys=key("RO", "access"), since="6.0.6")
def lpos(ctx: Context, argv: list[bytes]) -> Reply:
    """LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]

    Returns the index of matching elements in a list. RANK begins at a later match, from the tail if
    negative; COUNT is the most to return, 0 for all; MAXLEN limits the comparisons.

    Cost: O(N) elements of the list
    """
    args = Args(argv, 3)
    rank, count, most = 1, -1, 0
    while args.more():
        word = args.word()
        if word == b"RANK" and args.more():
            rank = read_rank(args)
        elif word == b"COUNT" and args.more():
            count = integer_within(args.take(), 0, "ERR COUNT can't be negative")
        elif word == b"MAXLEN" and args.more():
            most = integer_within(args.take(), 0, "ERR MAXLEN can't be negative")
        else:
            raise RespError(SYNTAX_ERROR)
    items = as_list(ctx.keyspace.read(argv[1])) or []
    indexes = positions(items, argv[2], rank, 1 if count < 0 else count, most)
    if count >= 0:
        return indexes
    return indexes[0] if indexes else None


def read_rank(args: Args) -> int:
    """LPOS's RANK."""
    rank = args.between(-INT64_MAX, INT64_MAX)
    if rank == 0:
        raise RespError(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
            "or use negative to start from the end of the list"
        )
    return rank


# ---------------------------------------------------------------- changing in the middle


@verbs.verb("LSET", arity=4, flags=_WRITE, keys=key("RW", "update"))
def lset(ctx: Context, argv: list[bytes]) -> Reply:
    """LSET key index element

    Sets the value of an element in a list by its index.

    Cost: O(1)
    """
    items = as_list(ctx.keyspace.get(argv[1]))
    if items is None:
        raise NoSuchKey(argv[1])
    index = parse_int(argv[2])
    if not -len(items) <= index < len(items):
        raise RespError(_OUT_OF_RANGE)
    set_item(ctx.keyspace, argv[1], items, index, argv[3])
    return OK


@verbs.verb("LINSERT", arity=5, flags=_WRITE, keys=_PUSH_KEY, since="2.2.0")
def linsert(ctx: Context, argv: list[bytes]) -> Reply:
    """LINSERT key <BEFORE | AFTER> pivot element

    Inserts an element before or after another element in a list. Returns the new length, -1 if there is
    no such element, 0 if there is no list.

    Cost: O(N) elements of the list
    """
    where = argv[2].upper()
    if where not in (b"BEFORE", b"AFTER"):
        raise RespError(SYNTAX_ERROR)
    items = as_list(ctx.keyspace.get(argv[1]))
    if items is None:
        return 0
    indexes = positions(items, argv[3], 1, 1, 0)
    if not indexes:
        return -1
    index = indexes[0] + (where == b"AFTER")
    insert_item(ctx.keyspace, argv[1], items, index, argv[4])
    return len(items)


@verbs.verb("LREM", arity=4, flags=Flag.WRITE, keys=key("RW", "delete"))
def lrem(ctx: Context, argv: list[bytes]) -> Reply:
    """LREM key count element

    Removes equal elements from a list: the first ``count``, the last ones if ``count``
    is negative, all if it is 0. Returns how many were removed.

    Cost: O(N) elements of the list
    """
    count = parse_int(argv[2])
    items = as_list(ctx.keyspace.get(argv[1]))
    if items is None:
        return 0
    return remove_equal(ctx.keyspace, argv[1], items, count, argv[3])


@verbs.verb("LTRIM", arity=4, flags=Flag.WRITE, keys=key("RW", "delete"))
def ltrim(ctx: Context, argv: list[bytes]) -> Reply:
    """LTRIM key start stop

    Removes elements from both ends of a list so that only a range is left.

    Cost: O(N) elements removed
    """
    start, stop = parse_int(argv[2]), parse_int(argv[3])
    items = as_list(ctx.keyspace.get(argv[1]))
    if items is None:
        return OK
    keep_range(ctx.keyspace, argv[1], items, *bounds(len(items), start, stop))
    return OK


# ---------------------------------------------------------------- moving


def move(ctx: Context, source: bytes, target: bytes, from_head: bool, to_head: bool) -> bytes | None:
    """Move one element, which keeps its JSON type; None if there is none. Raises WrongType."""
    item = move_item(ctx.keyspace, source, target, from_head, to_head)
    return None if item is None else texts_of([item])[0]


@verbs.verb("LMOVE", arity=5, flags=_WRITE, keys=_MOVE_KEYS, since="6.2.0")
def lmove(ctx: Context, argv: list[bytes]) -> Reply:
    """LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>

    Returns an element after popping it from one list and pushing it to another.

    Cost: O(1)
    """
    return move(ctx, argv[1], argv[2], side(argv[3]), side(argv[4]))


@verbs.verb(
    "RPOPLPUSH",
    arity=3,
    flags=_WRITE,
    keys=_MOVE_KEYS,
    since="1.2.0",
    deprecated=("6.2.0", "LMOVE with the RIGHT and LEFT arguments"),
)
def rpoplpush(ctx: Context, argv: list[bytes]) -> Reply:
    """RPOPLPUSH source destination

    Returns the last element of a list after removing and pushing it to another list.

    Cost: O(1)
    """
    return move(ctx, argv[1], argv[2], False, True)


class ManyPop:
    """The arguments of LMPOP and BLMPOP."""

    __slots__ = ("at_head", "count", "names")

    def __init__(self, argv: list[bytes], begin: int) -> None:
        number = integer_within(argv[begin], 1, "ERR numkeys should be greater than 0")
        if begin + number + 1 >= len(argv):
            raise RespError(SYNTAX_ERROR)
        self.names = argv[begin + 1 : begin + 1 + number]
        args = Args(argv, begin + 1 + number)
        self.at_head = side(args.take())
        self.count = 1
        if args.more():
            if not args.flag(b"COUNT"):
                raise RespError(SYNTAX_ERROR)
            self.count = integer_within(args.take(), 1, "ERR count should be greater than 0")
            args.end()


def pop_first(ctx: Context, names: list[bytes], at_head: bool, count: int, strict: bool) -> list[Any]:
    """Name and elements from the first list that has any; [] if none has. Other types are refused if strict."""
    for name in names:
        value = ctx.keyspace.get(name)
        if not strict and value is not None and kind_of(value) != "list":
            continue
        items = as_list(value)
        if items:
            return [name, popped(ctx, name, items, at_head, count)]
    return []


@verbs.verb(
    "LMPOP",
    arity=-4,
    flags=Flag.WRITE | Flag.MOVABLEKEYS,
    keys=key("RW", "access", "delete", numkeys=True),
    since="7.0.0",
)
def lmpop(ctx: Context, argv: list[bytes]) -> Reply:
    """LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]

    Returns elements from the first of several lists that is not empty, after removing them.

    Cost: O(N+M) keys and elements returned
    """
    asked = ManyPop(argv, 1)
    return pop_first(ctx, asked.names, asked.at_head, asked.count, strict=True) or NULL_ARRAY
