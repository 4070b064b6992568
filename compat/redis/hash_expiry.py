"""TTLs of hash fields, as in Redis 7.4."""

from __future__ import annotations

from collections.abc import Callable

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import Reply
from januskv.storage.hashes import field_deadline, hash_at, hash_to_read, remove_fields, time_fields

from .args import Args

verbs = Family("hash")

_WRITE = Flag.WRITE | Flag.DENYOOM | Flag.FAST
_READ = Flag.READONLY | Flag.FAST
_MOST_MS = (1 << 46) - 1  # the latest time that Redis can store
_MISSING, _REFUSED, _SET, _DELETED = -2, 0, 1, 2  # replies for a field
_NO_DEADLINE = -1
_CONDITIONS = (b"NX", b"XX", b"GT", b"LT")
_NO_FIELDS_TO_EXPIRE = "ERR Parameter `numFields` should be greater than 0"
_NO_FIELDS = "ERR Number of fields must be a positive integer"


def take_fields(args: Args, none: str = _NO_FIELDS) -> list[bytes]:
    """The fields after FIELDS and their number, to the end; ``none`` is the error for a bad number. Raises RespError."""
    if not args.flag(b"FIELDS") or not args.more():
        raise RespError("ERR Mandatory argument FIELDS is missing or not at the right position")
    count = args.integer(none)
    if count < 1:
        raise RespError(none)
    if count != args.left():
        raise RespError("ERR The `numfields` parameter must match the number of arguments")
    return args.rest()


def _fits(condition: bytes, old: int | None, new: int) -> bool:
    """Whether a field's old expiry may be replaced by a new one."""
    if condition == b"NX":
        return old is None
    if condition == b"XX":
        return old is not None
    if condition == b"GT":
        return old is not None and new > old
    return condition == b"" or old is None or new < old


def expire_command(ctx: Context, argv: list[bytes], verb: str, unit_ms: int, *, relative: bool) -> Reply:
    """HEXPIRE, HPEXPIRE, HEXPIREAT and HPEXPIREAT."""
    keyspace = ctx.keyspace
    hash_value = hash_at(keyspace, argv[1], keyspace.get(argv[1]))
    args = Args(argv, 2)
    amount = args.integer()
    if amount < 0:
        raise RespError("ERR invalid expire time, must be >= 0")
    now_ms = ctx.store.clock.now_ms
    deadline = amount * unit_ms + (now_ms if relative else 0)
    if deadline > _MOST_MS:
        raise RespError(f"ERR invalid expire time in '{verb}' command")
    condition = args.word() if args.peek() in _CONDITIONS else b""
    fields = take_fields(args, _NO_FIELDS_TO_EXPIRE)
    if hash_value is None:
        return [_MISSING] * len(fields)
    replies: list[Reply] = []
    set_to: dict[bytes, int | None] = {}
    deleted: dict[bytes, None] = {}
    for field in fields:
        if field not in hash_value or field in deleted:
            replies.append(_MISSING)
        elif not _fits(condition, set_to.get(field, field_deadline(hash_value, field)), deadline):
            replies.append(_REFUSED)
        elif deadline <= now_ms:
            deleted[field] = None
            set_to.pop(field, None)
            replies.append(_DELETED)
        else:
            set_to[field] = deadline
            replies.append(_SET)
    if set_to:
        time_fields(keyspace, argv[1], hash_value, set_to, "hexpire")
    if deleted:
        remove_fields(keyspace, argv[1], deleted)
    return replies


@verbs.verb("HEXPIRE", arity=-6, flags=_WRITE, keys=key("RW", "update"), since="7.4.0")
def hexpire(ctx: Context, argv: list[bytes]) -> Reply:
    """HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]

    Sets the time to live of hash fields in seconds. Returns for each 1, 2 if it was removed at once, 0 if the condition
    is not met, -2 if it does not exist.

    Cost: O(N) with N fields, given and in the hash with a TTL
    """
    return expire_command(ctx, argv, "hexpire", 1000, relative=True)


@verbs.verb("HPEXPIRE", arity=-6, flags=_WRITE, keys=key("RW", "update"), since="7.4.0")
def hpexpire(ctx: Context, argv: list[bytes]) -> Reply:
    """HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]

    Sets the time to live of hash fields in milliseconds; see HEXPIRE.

    Cost: O(N) with N fields, given and in the hash with a TTL
    """
    return expire_command(ctx, argv, "hpexpire", 1, relative=True)


@verbs.verb("HEXPIREAT", arity=-6, flags=_WRITE, keys=key("RW", "update"), since="7.4.0")
def hexpireat(ctx: Context, argv: list[bytes]) -> Reply:
    """HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]

    Sets the time when hash fields expire, in seconds; see HEXPIRE.

    Cost: O(N) with N fields, given and in the hash with a TTL
    """
    return expire_command(ctx, argv, "hexpireat", 1000, relative=False)


@verbs.verb("HPEXPIREAT", arity=-6, flags=_WRITE, keys=key("RW", "update"), since="7.4.0")
def hpexpireat(ctx: Context, argv: list[bytes]) -> Reply:
    """HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]

    Sets the time when hash fields expire, in milliseconds; see HEXPIRE.

    Cost: O(N) with N fields, given and in the hash with a TTL
    """
    return expire_command(ctx, argv, "hpexpireat", 1, relative=False)


def ask_command(ctx: Context, argv: list[bytes], spelling: Callable[[int], int]) -> Reply:
    """HTTL, HPTTL, HEXPIRETIME and HPEXPIRETIME."""
    hash_value = hash_to_read(ctx.keyspace, argv[1], ctx.keyspace.read(argv[1]))
    fields = take_fields(Args(argv, 2))
    if hash_value is None:
        return [_MISSING] * len(fields)
    replies: list[Reply] = []
    for field in fields:
        deadline = field_deadline(hash_value, field)
        if field not in hash_value:
            replies.append(_MISSING)
        else:
            replies.append(_NO_DEADLINE if deadline is None else spelling(deadline))
    return replies


@verbs.verb("HTTL", arity=-5, flags=_READ, keys=key("RO", "access"), since="7.4.0")
def httl(ctx: Context, argv: list[bytes]) -> Reply:
    """HTTL key FIELDS numfields field [field ...]

    Returns the time to live of hash fields in seconds; -1 without one, -2 for no such field.

    Cost: O(N) with N fields
    """
    now_ms = ctx.store.clock.now_ms
    return ask_command(ctx, argv, lambda deadline: (deadline - now_ms + 999) // 1000)


@verbs.verb("HPTTL", arity=-5, flags=_READ, keys=key("RO", "access"), since="7.4.0")
def hpttl(ctx: Context, argv: list[bytes]) -> Reply:
    """HPTTL key FIELDS numfields field [field ...]

    Returns the time to live of hash fields in milliseconds; -1 without one, -2 for no such field.

    Cost: O(N) with N fields
    """
    now_ms = ctx.store.clock.now_ms
    return ask_command(ctx, argv, lambda deadline: deadline - now_ms)


@verbs.verb("HEXPIRETIME", arity=-5, flags=_READ, keys=key("RO", "access"), since="7.4.0")
def hexpiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """HEXPIRETIME key FIELDS numfields field [field ...]

    Returns when hash fields expire, in seconds; -1 for never, -2 for no such field.

    Cost: O(N) with N fields
    """
    return ask_command(ctx, argv, lambda deadline: (deadline + 999) // 1000)


@verbs.verb("HPEXPIRETIME", arity=-5, flags=_READ, keys=key("RO", "access"), since="7.4.0")
def hpexpiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """HPEXPIRETIME key FIELDS numfields field [field ...]

    Returns when hash fields expire, in milliseconds; -1 for never, -2 for no such field.

    Cost: O(N) with N fields
    """
    return ask_command(ctx, argv, lambda deadline: deadline)


@verbs.verb("HPERSIST", arity=-5, flags=Flag.WRITE | Flag.FAST, keys=key("RW", "update"), since="7.4.0")
def hpersist(ctx: Context, argv: list[bytes]) -> Reply:
    """HPERSIST key FIELDS numfields field [field ...]

    Removes the TTL of hash fields. Returns for each 1, -1 if it had none, -2 if there is no such field.

    Cost: O(N) with N fields, given and in the hash with a TTL
    """
    keyspace = ctx.keyspace
    hash_value = hash_at(keyspace, argv[1], keyspace.get(argv[1]))
    fields = take_fields(Args(argv, 2))
    if hash_value is None:
        return [_MISSING] * len(fields)
    replies: list[Reply] = []
    kept: dict[bytes, int | None] = {}
    for field in fields:
        if field not in hash_value:
            replies.append(_MISSING)
        elif field_deadline(hash_value, field) is None or field in kept:
            replies.append(_NO_DEADLINE)
        else:
            kept[field] = None
            replies.append(_SET)
    if kept:
        time_fields(keyspace, argv[1], hash_value, kept, "hpersist")
    return replies
