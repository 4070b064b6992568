# cython: annotation_typing=True
"""Hash commands. A hash is also a JSON object; values that are not strings appear as their JSON text.

HINCRBY keeps a JSON integer one, and creates new counters as JSON integers, like INCR.
"""

from __future__ import annotations

from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import OK, FlatMap, Reply, Rows
from januskv.resp.slices import MANY, Many, items_reply
from januskv.storage.errors import IncrementNotFinite, NotAFloat, NotAnInteger
from januskv.storage.hashes import (
    Fields,
    Hash,
    add_decimal_to_field,
    add_integer_to_field,
    hash_at,
    hash_to_read,
    is_small,
    put_field,
    put_fields,
    random_fields,
    remove_fields,
)
from januskv.storage.lists import texts_of
from januskv.storage.numbers import add_as_text
from januskv.storage.values import text_of

from .args import INT64_MAX, MOST_REPEATED, OUT_OF_RANGE, SYNTAX_ERROR, Args, parse_int
from .scanning import ScanOptions, parse_cursor

verbs = Family("hash")

_READ = Flag.READONLY
_READ_FAST = Flag.READONLY | Flag.FAST
_WRITE_FAST = Flag.WRITE | Flag.DENYOOM | Flag.FAST
_ACCESS = key("RO", "access")


def read_hash(ctx: Context, name: bytes) -> Hash | None:
    """The hash of a key for a reading command, None if absent. Raises WrongType."""
    return hash_to_read(ctx.keyspace, name, ctx.keyspace.read(name))


def text(value: Any) -> Reply:
    """A field's value as text; None stays None."""
    return value if value is None or type(value) is bytes else text_of(value)


def _pairs(argv: list[bytes], verb: str) -> Fields:
    """The fields and values after a key."""
    if len(argv) % 2:
        raise RespError(f"ERR wrong number of arguments for '{verb}' command")
    return dict(zip(argv[2::2], argv[3::2], strict=True))


# ---------------------------------------------------------------- writing


@verbs.verb("HSET", arity=-4, flags=_WRITE_FAST, keys=key("RW", "update"), since="2.0.0")
def hset(ctx: Context, argv: list[bytes]) -> Reply:
    """HSET key field value [field value ...]

    Sets fields of a hash, which is created if the key does not exist; returns how many fields are new.

    Cost: O(N) with N fields
    """
    if len(argv) == 4:
        return put_field(ctx.keyspace, argv[1], argv[2], argv[3])
    return put_fields(ctx.keyspace, argv[1], _pairs(argv, "hset"))


@verbs.verb(
    "HMSET",
    arity=-4,
    flags=_WRITE_FAST,
    keys=key("RW", "update"),
    since="2.0.0",
    deprecated=("4.0.0", "HSET with multiple field-value pairs"),
)
def hmset(ctx: Context, argv: list[bytes]) -> Reply:
    """HMSET key field value [field value ...]

    Sets fields of a hash like HSET.

    Cost: O(N) with N fields
    """
    put_fields(ctx.keyspace, argv[1], _pairs(argv, "hmset"))
    return OK


@verbs.verb("HSETNX", arity=4, flags=_WRITE_FAST, keys=key("RW", "insert"), since="2.0.0")
def hsetnx(ctx: Context, argv: list[bytes]) -> Reply:
    """HSETNX key field value

    Sets a field of a hash if it does not exist; returns whether it did.

    Cost: O(1)
    """
    hash_value = hash_at(ctx.keyspace, argv[1], ctx.keyspace.get(argv[1]))
    if hash_value is not None and argv[2] in hash_value:
        return 0
    return put_field(ctx.keyspace, argv[1], argv[2], argv[3])


@verbs.verb("HDEL", arity=-3, flags=Flag.WRITE | Flag.FAST, keys=key("RW", "delete"), since="2.0.0")
def hdel(ctx: Context, argv: list[bytes]) -> Reply:
    """HDEL key field [field ...]

    Removes fields of a hash, and the key with the last one; returns how many there were.

    Cost: O(N) with N fields
    """
    return remove_fields(ctx.keyspace, argv[1], argv[2:])


@verbs.verb("HINCRBY", arity=4, flags=_WRITE_FAST, keys=key("RW", "access", "update"), since="2.0.0")
def hincrby(ctx: Context, argv: list[bytes]) -> Reply:
    """HINCRBY key field increment

    Adds an integer to the one in a field, which begins at 0; returns the sum.

    Cost: O(1)
    """
    amount = parse_int(argv[3])
    try:
        return add_integer_to_field(ctx.keyspace, argv[1], argv[2], amount)
    except NotAnInteger:
        raise RespError("ERR hash value is not an integer") from None


@verbs.verb("HINCRBYFLOAT", arity=4, flags=_WRITE_FAST, keys=key("RW", "access", "update"), since="2.6.0")
def hincrbyfloat(ctx: Context, argv: list[bytes]) -> Reply:
    """HINCRBYFLOAT key field increment

    Adds a decimal number to the one in a field, which begins at 0; returns the sum.

    A JSON number stays one, as with INCRBYFLOAT.

    Cost: O(1)
    """
    try:
        add_as_text(b"0", argv[3])  # a bad increment is reported first
    except IncrementNotFinite:
        raise RespError("ERR value is NaN or Infinity") from None
    try:
        return add_decimal_to_field(ctx.keyspace, argv[1], argv[2], argv[3])
    except NotAFloat:
        raise RespError("ERR hash value is not a float") from None


# ---------------------------------------------------------------- reading


@verbs.verb("HGET", arity=3, flags=_READ_FAST, keys=_ACCESS, since="2.0.0")
def hget(ctx: Context, argv: list[bytes]) -> Reply:
    """HGET key field

    Returns the value of a field, null if there is none.

    Cost: O(1)
    """
    hash_value = read_hash(ctx, argv[1])
    return None if hash_value is None else text(hash_value.get(argv[2]))


@verbs.verb("HMGET", arity=-3, flags=_READ_FAST, keys=_ACCESS, since="2.0.0")
def hmget(ctx: Context, argv: list[bytes]) -> Reply:
    """HMGET key field [field ...]

    Returns the values of fields, null for those that do not exist.

    Cost: O(N) with N fields
    """
    hash_value = read_hash(ctx, argv[1]) or {}
    return [text(hash_value.get(field)) for field in argv[2:]]


@verbs.verb("HGETALL", arity=2, flags=_READ, keys=_ACCESS, since="2.0.0", hints=("nondeterministic_output_order",))
def hgetall(ctx: Context, argv: list[bytes]) -> Reply:
    """HGETALL key

    Returns all fields with their values.

    Cost: O(N) with N fields
    """
    hash_value = read_hash(ctx, argv[1]) or {}
    if is_small(hash_value):
        return FlatMap(texts_of(hash_value.flat()))  # without making a map
    if len(hash_value) > MANY:
        return Many(list(hash_value.items()), _as_map)
    return {field: text(value) for field, value in hash_value.items()}


def _as_map(pairs: list[Any]) -> FlatMap:
    return FlatMap([part for field, value in pairs for part in (field, text(value))])


@verbs.verb("HKEYS", arity=2, flags=_READ, keys=_ACCESS, since="2.0.0", hints=("nondeterministic_output_order",))
def hkeys(ctx: Context, argv: list[bytes]) -> Reply:
    """HKEYS key

    Returns all fields.

    Cost: O(N) with N fields
    """
    return items_reply(list(read_hash(ctx, argv[1]) or ()))


@verbs.verb("HVALS", arity=2, flags=_READ, keys=_ACCESS, since="2.0.0", hints=("nondeterministic_output_order",))
def hvals(ctx: Context, argv: list[bytes]) -> Reply:
    """HVALS key

    Returns the values of all fields.

    Cost: O(N) with N fields
    """
    return items_reply(list((read_hash(ctx, argv[1]) or {}).values()), texts_of)


@verbs.verb("HLEN", arity=2, flags=_READ_FAST, keys=key("RO"), since="2.0.0")
def hlen(ctx: Context, argv: list[bytes]) -> Reply:
    """HLEN key

    Returns the number of fields.

    Cost: O(1)
    """
    return len(read_hash(ctx, argv[1]) or ())


@verbs.verb("HEXISTS", arity=3, flags=_READ_FAST, keys=key("RO"), since="2.0.0")
def hexists(ctx: Context, argv: list[bytes]) -> Reply:
    """HEXISTS key field

    Returns whether a field exists.

    Cost: O(1)
    """
    return int(argv[2] in (read_hash(ctx, argv[1]) or ()))


@verbs.verb("HSTRLEN", arity=3, flags=_READ_FAST, keys=key("RO"), since="3.2.0")
def hstrlen(ctx: Context, argv: list[bytes]) -> Reply:
    """HSTRLEN key field

    Returns the length of a field's value, 0 if there is none.

    Cost: O(1)
    """
    value = (read_hash(ctx, argv[1]) or {}).get(argv[2])
    return 0 if value is None else len(text_of(value))


@verbs.verb("HRANDFIELD", arity=-2, flags=_READ, keys=_ACCESS, since="6.2.0", hints=("nondeterministic_output",))
def hrandfield(ctx: Context, argv: list[bytes]) -> Reply:
    """HRANDFIELD key [count [WITHVALUES]]

    Returns a random field, or up to count different ones, or with a negative count fields that may repeat.

    Cost: O(N) with N fields of the hash
    """
    if len(argv) == 2:
        hash_value = read_hash(ctx, argv[1])
        return random_fields(hash_value, -1)[0] if hash_value else None
    args = Args(argv, 2)
    count = args.between(-INT64_MAX, INT64_MAX)
    with_values = args.more()
    if with_values and not args.flag(b"WITHVALUES"):
        raise RespError(SYNTAX_ERROR)
    args.end()
    if with_values and not -INT64_MAX // 2 <= count <= INT64_MAX // 2:
        raise RespError(OUT_OF_RANGE)
    hash_value = read_hash(ctx, argv[1]) or {}
    if hash_value and count < -MOST_REPEATED:
        raise RespError(OUT_OF_RANGE)
    chosen = random_fields(hash_value, count) if hash_value else []
    if not with_values:
        return chosen
    return Rows([(field, text(hash_value[field])) for field in chosen])


@verbs.verb("HSCAN", arity=-3, flags=_READ, keys=_ACCESS, since="2.8.0", hints=("nondeterministic_output",))
def hscan(ctx: Context, argv: list[bytes]) -> Reply:
    """HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]

    Iterates over the fields of a hash; a small hash is returned at once.

    Cost: O(COUNT) a call
    """
    cursor = parse_cursor(argv[2])
    hash_value = read_hash(ctx, argv[1])
    if hash_value is None:
        return [b"0", []]
    options = ScanOptions(Args(argv, 3), valued=True)
    keyspace = ctx.keyspace
    if len(hash_value) <= ctx.settings.hash_max_listpack_entries:
        cursor, fields = 0, list(hash_value)
    else:
        cursor, fields = keyspace.scan(cursor, options.count, hash_value)
    batch = [field for field in fields if field in hash_value and options.wants(field)]
    items = batch if options.no_values else [part for field in batch for part in (field, text(hash_value[field]))]
    return [b"%d" % cursor, items]
