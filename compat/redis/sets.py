# cython: annotation_typing=True
"""Set commands. To JSON commands a set is an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import Reply, SetReply
from januskv.resp.slices import items_reply
from januskv.storage.errors import NotAnInteger
from januskv.storage.picking import random_member
from januskv.storage.sets import (
    Members,
    add_members,
    as_set,
    pop_members,
    random_members,
    remove_members,
)

from .args import INT64_MAX, MOST_REPEATED, OUT_OF_RANGE, SYNTAX_ERROR, Args, parse_int
from .encoding import is_intset, shrunk
from .scanning import ScanOptions, parse_cursor

verbs = Family("set")

_READ = Flag.READONLY
_READ_FAST = Flag.READONLY | Flag.FAST
_WRITE_FAST = Flag.WRITE | Flag.DENYOOM | Flag.FAST
_ACCESS = key("RO", "access")
_STORE_KEYS = (key("OW", "update"), key("RO", "access", begin=2, last=-1))
_UNORDERED = ("nondeterministic_output_order",)
_RANDOM = ("nondeterministic_output",)


def read_set(ctx: Context, name: bytes) -> Members | None:
    """The set of a key for a reading command, None if absent. Raises WrongType."""
    return as_set(ctx.keyspace.read(name))


def in_order(ctx: Context, members: Members, key: bytes | None) -> list[bytes]:
    """All members: those of a small set of integers ascending, as in Redis, else in no order. A result has no key."""
    if is_intset(members, 0 if key is None else ctx.keyspace.mark_of(key), ctx.settings):
        return sorted(members, key=int)
    return list(members)


def members_of(ctx: Context, members: Members, key: bytes | None) -> Reply:
    """All members as a reply, of a key or of a result, which has no key."""
    return items_reply(in_order(ctx, members, key), SetReply)


# ---------------------------------------------------------------- members


@verbs.verb("SADD", arity=-3, flags=_WRITE_FAST, keys=key("RW", "insert"))
def sadd(ctx: Context, argv: list[bytes]) -> Reply:
    """SADD key member [member ...]

    Adds members to a set, which is created if the key doesn't exist; returns how many are new.

    Cost: O(N) with N members
    """
    return add_members(ctx.keyspace, argv[1], argv[2:])


@verbs.verb("SREM", arity=-3, flags=Flag.WRITE | Flag.FAST, keys=key("RW", "delete"))
def srem(ctx: Context, argv: list[bytes]) -> Reply:
    """SREM key member [member ...]

    Removes members of a set, and the key with the last one; returns how many there were.

    Cost: O(N) with N members
    """
    members = as_set(ctx.keyspace.get(argv[1]))
    if members is None:
        return 0
    removed = members.intersection(argv[2:])
    count = remove_members(ctx.keyspace, argv[1], removed)
    shrunk(ctx.keyspace, argv[1], removed, ctx.settings)
    return count


@verbs.verb("SISMEMBER", arity=3, flags=_READ_FAST, keys=key("RO"))
def sismember(ctx: Context, argv: list[bytes]) -> Reply:
    """SISMEMBER key member

    Returns whether a member belongs to a set.

    Cost: O(1)
    """
    return int(argv[2] in (read_set(ctx, argv[1]) or ()))


@verbs.verb("SMISMEMBER", arity=-3, flags=_READ_FAST, keys=_ACCESS, since="6.2.0")
def smismember(ctx: Context, argv: list[bytes]) -> Reply:
    """SMISMEMBER key member [member ...]

    Returns for each member whether it belongs to a set.

    Cost: O(N) with N members
    """
    members = read_set(ctx, argv[1]) or set()
    return [int(member in members) for member in argv[2:]]


@verbs.verb("SCARD", arity=2, flags=_READ_FAST, keys=key("RO"))
def scard(ctx: Context, argv: list[bytes]) -> Reply:
    """SCARD key

    Returns the number of members in a set.

    Cost: O(1)
    """
    return len(read_set(ctx, argv[1]) or ())


@verbs.verb("SMEMBERS", arity=2, flags=_READ, keys=_ACCESS, hints=_UNORDERED)
def smembers(ctx: Context, argv: list[bytes]) -> Reply:
    """SMEMBERS key

    Returns all members of a set.

    Cost: O(N) with N members
    """
    members = read_set(ctx, argv[1])
    return members_of(ctx, set() if members is None else members, argv[1])


@verbs.verb(
    "SMOVE", arity=4, flags=Flag.WRITE | Flag.FAST, keys=(key("RW", "access", "delete"), key("RW", "insert", begin=2))
)
def smove(ctx: Context, argv: list[bytes]) -> Reply:
    """SMOVE source destination member

    Moves a member from one set to another one, which is created if necessary; returns whether it existed.

    Cost: O(1)
    """
    keyspace = ctx.keyspace
    source = as_set(keyspace.get(argv[1]))
    if source is None:
        return 0
    as_set(keyspace.get(argv[2]))
    if argv[3] not in source:
        return 0
    if argv[1] != argv[2]:
        remove_members(keyspace, argv[1], (argv[3],))
        shrunk(keyspace, argv[1], (argv[3],), ctx.settings)
        add_members(keyspace, argv[2], (argv[3],))
    return 1


# ---------------------------------------------------------------- at random


@verbs.verb("SPOP", arity=-2, flags=Flag.WRITE | Flag.FAST, keys=key("RW", "access", "delete"), hints=_RANDOM)
def spop(ctx: Context, argv: list[bytes]) -> Reply:
    """SPOP key [count]

    Removes and returns a random member of a set, or up to ``count`` of them.

    Cost: O(N) with N members returned
    """
    if len(argv) == 2:
        members = as_set(ctx.keyspace.get(argv[1]))
        if members is None:
            return None
        return popped(ctx, argv[1], members, 1)[0]
    args = Args(argv, 2)
    count = _positive(args)
    args.end()
    members = as_set(ctx.keyspace.get(argv[1]))
    return SetReply([] if members is None or not count else popped(ctx, argv[1], members, count))


def popped(ctx: Context, key: bytes, members: Members, count: int) -> list[bytes]:
    """Remove random members of a set and return them."""
    taken = pop_members(ctx.keyspace, key, members, count)
    shrunk(ctx.keyspace, key, taken, ctx.settings)
    return taken


def _positive(args: Args) -> int:
    error = "ERR value is out of range, must be positive"
    count = args.integer(error)
    if count < 0:
        raise RespError(error)
    return count


@verbs.verb("SRANDMEMBER", arity=-2, flags=_READ, keys=_ACCESS, hints=_RANDOM)
def srandmember(ctx: Context, argv: list[bytes]) -> Reply:
    """SRANDMEMBER key [count]

    Returns a random member, or up to count different ones, or with a negative count members that may repeat.

    Cost: O(N) with N members returned
    """
    if len(argv) == 2:
        members = read_set(ctx, argv[1])
        return None if members is None else random_member(members)
    args = Args(argv, 2)
    count = args.between(-INT64_MAX, INT64_MAX)
    args.end()
    members = read_set(ctx, argv[1])
    if members is None or not count:
        return []
    if count < -MOST_REPEATED:
        raise RespError(OUT_OF_RANGE)
    if count > 0:
        return random_members(members, count)
    return [random_member(members) for _ in range(-count)]


# ---------------------------------------------------------------- several sets


def _sets(ctx: Context, names: Sequence[bytes]) -> list[Members]:
    """The sets of keys, empty ones for keys that do not exist. Raises WrongType."""
    keyspace = ctx.keyspace
    sets = [as_set(keyspace.read(name)) for name in names]
    return [set() if each is None else each for each in sets]


def _intersection(sets: Sequence[Members]) -> Members:
    ordered = sorted(sets, key=len)
    return ordered[0].intersection(*ordered[1:])


def _union(sets: Sequence[Members]) -> Members:
    return sets[0].union(*sets[1:])


def _difference(sets: Sequence[Members]) -> Members:
    return sets[0].difference(*sets[1:])


def _combined(ctx: Context, argv: list[bytes], combine: Callable[[Sequence[Members]], Members]) -> Reply:
    return members_of(ctx, combine(_sets(ctx, argv[1:])), None)


def _stored(ctx: Context, argv: list[bytes], combine: Callable[[Sequence[Members]], Members], event: str) -> Reply:
    """The commands that store their result in their first key; an empty one removes it."""
    result = combine(_sets(ctx, argv[2:]))
    if result:
        ctx.keyspace.put(argv[1], result, event)
    else:
        ctx.keyspace.delete(argv[1])
    return len(result)


@verbs.verb("SINTER", arity=-2, flags=_READ, keys=key("RO", "access", last=-1), hints=_UNORDERED)
def sinter(ctx: Context, argv: list[bytes]) -> Reply:
    """SINTER key [key ...]

    Returns the members that all sets have.

    Cost: O(N*M) with N members in the smallest of M sets
    """
    return _combined(ctx, argv, _intersection)


@verbs.verb(
    "SINTERSTORE",
    arity=-3,
    flags=Flag.WRITE | Flag.DENYOOM,
    keys=(key("RW", "update"), key("RO", "access", begin=2, last=-1)),
)
def sinterstore(ctx: Context, argv: list[bytes]) -> Reply:
    """SINTERSTORE destination key [key ...]

    Stores the members that all sets have in a key; returns how many there are.

    Cost: O(N*M) with N members in the smallest of M sets
    """
    return _stored(ctx, argv, _intersection, "sinterstore")


@verbs.verb("SUNION", arity=-2, flags=_READ, keys=key("RO", "access", last=-1), hints=_UNORDERED)
def sunion(ctx: Context, argv: list[bytes]) -> Reply:
    """SUNION key [key ...]

    Returns the members that any of the sets has.

    Cost: O(N) with N members in all sets
    """
    return _combined(ctx, argv, _union)


@verbs.verb("SUNIONSTORE", arity=-3, flags=Flag.WRITE | Flag.DENYOOM, keys=_STORE_KEYS)
def sunionstore(ctx: Context, argv: list[bytes]) -> Reply:
    """SUNIONSTORE destination key [key ...]

    Stores the members that any of the sets has in a key; returns how many there are.

    Cost: O(N) with N members in all sets
    """
    return _stored(ctx, argv, _union, "sunionstore")


@verbs.verb("SDIFF", arity=-2, flags=_READ, keys=key("RO", "access", last=-1), hints=_UNORDERED)
def sdiff(ctx: Context, argv: list[bytes]) -> Reply:
    """SDIFF key [key ...]

    Returns the members of the first set that none of the others has.

    Cost: O(N) with N members in all sets
    """
    return _combined(ctx, argv, _difference)


@verbs.verb("SDIFFSTORE", arity=-3, flags=Flag.WRITE | Flag.DENYOOM, keys=_STORE_KEYS)
def sdiffstore(ctx: Context, argv: list[bytes]) -> Reply:
    """SDIFFSTORE destination key [key ...]

    Stores the members of the first set that none of the others has in a key; returns how many there are.

    Cost: O(N) with N members in all sets
    """
    return _stored(ctx, argv, _difference, "sdiffstore")


def numbered_keys(args: Args) -> list[bytes]:
    """Keys after their number. Raises RespError."""
    try:
        count = parse_int(args.take())
    except NotAnInteger:
        count = 0
    if count < 1:
        raise RespError("ERR numkeys should be greater than 0")
    if count > args.left():
        raise RespError("ERR Number of keys can't be greater than number of args")
    return [args.take() for _ in range(count)]


def read_limit(args: Args) -> int:
    """The option LIMIT of the commands that count an intersection, to the end; 0 for none. Raises RespError."""
    limit = 0
    while args.more():
        if args.word() != b"LIMIT" or not args.more():
            raise RespError(SYNTAX_ERROR)
        limit = args.integer("ERR LIMIT can't be negative")
        if limit < 0:
            raise RespError("ERR LIMIT can't be negative")
    return limit


@verbs.verb(
    "SINTERCARD", arity=-3, flags=_READ | Flag.MOVABLEKEYS, keys=key("RO", "access", numkeys=True), since="7.0.0"
)
def sintercard(ctx: Context, argv: list[bytes]) -> Reply:
    """SINTERCARD numkeys key [key ...] [LIMIT limit]

    Returns how many members all sets have, counting up to a limit.

    Cost: O(N*M) with N members in the smallest of M sets
    """
    args = Args(argv, 1)
    names = numbered_keys(args)
    limit = read_limit(args)
    sets = sorted(_sets(ctx, names), key=len)
    if not limit:
        return len(_intersection(sets))
    count = 0
    for member in sets[0]:
        if all(member in other for other in sets[1:]):
            count += 1
            if count == limit:
                break
    return count


# ---------------------------------------------------------------- walking


@verbs.verb("SSCAN", arity=-3, flags=_READ, keys=_ACCESS, since="2.8.0", hints=_RANDOM)
def sscan(ctx: Context, argv: list[bytes]) -> Reply:
    """SSCAN key cursor [MATCH pattern] [COUNT count]

    Iterates over the members of a set; a small set is returned at once.

    Cost: O(COUNT) a call
    """
    cursor = parse_cursor(argv[2])
    members = read_set(ctx, argv[1])
    if members is None:
        return [b"0", []]
    options = ScanOptions(Args(argv, 3))
    config = ctx.settings
    if len(members) <= max(config.set_max_listpack_entries, config.set_max_intset_entries):
        cursor, batch = 0, in_order(ctx, members, argv[1])
    else:
        cursor, batch = ctx.keyspace.scan(cursor, options.count, members)
    return [b"%d" % cursor, [member for member in batch if member in members and options.wants(member)]]
