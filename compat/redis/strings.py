# cython: annotation_typing=True
"""String commands. A string is bytes; JSON numbers, booleans and null also count as strings.

Reading commands see the JSON text (26, 0.5, true, null). INCR keeps a JSON integer one, and creates
counter that INCR creates is one; every other command that changes a value leaves bytes.
"""

from __future__ import annotations

from functools import partial

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import OK, Reply
from januskv.resp.slices import LONG, LongText
from januskv.storage.lcs import longest_common_subsequence
from januskv.storage.reclaiming import is_big
from januskv.storage.strings import add_decimal, add_integer, data_of, overwrite, size_of, string_text
from januskv.storage.strings import append as append_to
from januskv.storage.values import kind_of, text_of

from .args import INT64_MAX, INT64_MIN, SYNTAX_ERROR, Args, parse_int

verbs = Family("string")

_READ_FAST = Flag.READONLY | Flag.FAST
_WRITE = Flag.WRITE | Flag.DENYOOM


def string_reply(ctx: Context, text: bytes, start: int = 0, end: int | None = None) -> Reply:
    """A string as a reply, or a part of it; copied piece by piece if it is long."""
    end = len(text) if end is None else end
    if end - start <= LONG:
        return text[start:end]
    # Its keys may have been removed before it has been sent.
    return LongText(text, start, end, partial(ctx.store.feed.reclaimer.take, text) if is_big(text) else None)


# ---------------------------------------------------------------- plain reads and writes


@verbs.verb("GET", arity=2, flags=_READ_FAST, keys=key("RO", "access"))
def get(ctx: Context, argv: list[bytes]) -> Reply:
    """GET key

    Returns the string value of a key, null if there is none.

    Cost: O(1)
    """
    value = ctx.keyspace.read(argv[1])
    if value is None or (type(value) is bytes and len(value) <= LONG):
        return value
    return string_reply(ctx, string_text(value))


# Option -> its unit in ms, and whether it counts from now. If repeated, the last one counts (as in Redis).
_EXPIRE_UNITS = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}


def _set_key_flags(argv: list[bytes]) -> tuple[str, ...]:
    """SET's key flags: with GET it also reads."""
    reads = any(word.upper() == b"GET" for word in argv[3:])
    return ("RW", "access", "update") if reads else ("OW", "update")


_SET_KEY = key(
    "RW",
    "access",
    "update",
    "variable_flags",
    notes="RW and ACCESS due to the optional `GET` argument",
    flags_of=_set_key_flags,
)


@verbs.verb("SET", arity=-3, flags=_WRITE | Flag.QUICK, keys=_SET_KEY)
def set_(ctx: Context, argv: list[bytes]) -> Reply:
    """SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]

    Sets a key to a string, replacing any value. NX sets only a new key, XX only an existing one; GET
    returns the old value.

    Cost: O(1)
    """
    if len(argv) == 3:
        ctx.keyspace.put(argv[1], argv[2])
        return OK
    if len(argv) == 5 and argv[3] in _EXPIRE_UNITS:  # the usual way to set a key that expires
        ctx.keyspace.put_until(argv[1], argv[2], deadline_from(ctx, argv[3], argv[4], "set"))
        return OK
    return set_with_options(ctx, argv)


def deadline_from(ctx: Context, option: bytes, amount: bytes, verb: str) -> int:
    """When a value with such an option expires, in ms since the epoch; the amount must be positive."""
    unit, relative = _EXPIRE_UNITS[option]
    number = parse_int(amount)
    error = f"ERR invalid expire time in '{verb}' command"
    if number <= 0 or (unit == 1000 and number > INT64_MAX // 1000):
        raise RespError(error)
    deadline = number * unit + (ctx.store.clock.now_ms if relative else 0)
    if deadline > INT64_MAX:
        raise RespError(error)
    return deadline


def set_with_options(ctx: Context, argv: list[bytes]) -> Reply:
    """SET with at least one option."""
    args = Args(argv, 3)
    keyspace, name = ctx.keyspace, argv[1]
    only_new = only_old = give_old = keep = False
    expiry: tuple[bytes, bytes] | None = None
    while args.more():
        word = args.word()
        if word == b"NX" and not only_old:
            only_new = True
        elif word == b"XX" and not only_new:
            only_old = True
        elif word == b"GET":
            give_old = True
        elif word == b"KEEPTTL" and expiry is None:
            keep = True
        elif word in _EXPIRE_UNITS and not keep and (expiry is None or expiry[0] == word) and args.more():
            expiry = (word, args.take())
        else:
            raise RespError(SYNTAX_ERROR)
    deadline = deadline_from(ctx, *expiry, "set") if expiry is not None else None
    old: Reply = None
    if give_old:
        held = keyspace.read(name)
        old = None if held is None else string_text(held)
    if only_new or only_old:
        exists = keyspace.get(name) is not None
        if (only_new and exists) or (only_old and not exists):
            return old
    if deadline is not None:
        keyspace.put_until(name, argv[2], deadline)
    elif keep:
        keyspace.get(name)  # KEEPTTL does not keep a TTL that has expired
        keyspace.replace(name, argv[2], "set")
    else:
        keyspace.put(name, argv[2])
    return old if give_old else OK


@verbs.verb("SETNX", arity=3, flags=_WRITE | Flag.FAST, keys=key("OW", "insert"), deprecated=("2.6.12", "SET with NX"))
def setnx(ctx: Context, argv: list[bytes]) -> Reply:
    """SETNX key value

    Sets a key to a string if it does not exist; returns whether it did.

    Cost: O(1)
    """
    if ctx.keyspace.get(argv[1]) is not None:
        return 0
    ctx.keyspace.put(argv[1], argv[2])
    return 1


@verbs.verb(
    "SETEX", arity=4, flags=_WRITE, keys=key("OW", "update"), since="2.0.0", deprecated=("2.6.12", "SET with EX")
)
def setex(ctx: Context, argv: list[bytes]) -> Reply:
    """SETEX key seconds value

    Sets a key to a string that expires.

    Cost: O(1)
    """
    ctx.keyspace.put_until(argv[1], argv[3], deadline_from(ctx, b"EX", argv[2], "setex"))
    return OK


@verbs.verb(
    "PSETEX", arity=4, flags=_WRITE, keys=key("OW", "update"), since="2.6.0", deprecated=("2.6.12", "SET with PX")
)
def psetex(ctx: Context, argv: list[bytes]) -> Reply:
    """PSETEX key milliseconds value

    Sets a key to a string that expires after some milliseconds.

    Cost: O(1)
    """
    ctx.keyspace.put_until(argv[1], argv[3], deadline_from(ctx, b"PX", argv[2], "psetex"))
    return OK


@verbs.verb(
    "GETSET",
    arity=3,
    flags=_WRITE | Flag.FAST,
    keys=key("RW", "access", "update"),
    deprecated=("6.2.0", "SET with GET"),
)
def getset(ctx: Context, argv: list[bytes]) -> Reply:
    """GETSET key value

    Sets a key to a string and returns the old one.

    Cost: O(1)
    """
    value = ctx.keyspace.read(argv[1])
    old = None if value is None else string_reply(ctx, string_text(value))
    ctx.keyspace.put(argv[1], argv[2])
    return old


@verbs.verb("GETDEL", arity=2, flags=Flag.WRITE | Flag.FAST, keys=key("RW", "access", "delete"), since="6.2.0")
def getdel(ctx: Context, argv: list[bytes]) -> Reply:
    """GETDEL key

    Returns the string value of a key and removes the key.

    Cost: O(1)
    """
    value = ctx.keyspace.read(argv[1])
    if value is None:
        return None
    text = string_text(value)
    ctx.keyspace.delete(argv[1])
    return string_reply(ctx, text)


@verbs.verb("GETEX", arity=-2, flags=Flag.WRITE | Flag.FAST, keys=key("RW", "access", "update"), since="6.2.0")
def getex(ctx: Context, argv: list[bytes]) -> Reply:
    """GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]

    Returns the string value of a key, and sets or removes its expiry.

    Cost: O(1)
    """
    args = Args(argv, 2)
    persist = False
    expiry: tuple[bytes, bytes] | None = None
    while args.more():
        word = args.word()
        if word == b"PERSIST" and expiry is None:
            persist = True
        elif word in _EXPIRE_UNITS and not persist and (expiry is None or expiry[0] == word) and args.more():
            expiry = (word, args.take())
        else:
            raise RespError(SYNTAX_ERROR)
    value = ctx.keyspace.read(argv[1])
    if value is None:
        return None
    text = string_text(value)
    if expiry is not None:
        ctx.keyspace.expire_at(argv[1], deadline_from(ctx, *expiry, "getex"))
    elif persist:
        ctx.keyspace.persist(argv[1])
    return string_reply(ctx, text)


# ---------------------------------------------------------------- several keys


@verbs.verb(
    "MGET", arity=-2, flags=_READ_FAST, keys=key("RO", "access", last=-1), hints=("request_policy:multi_shard",)
)
def mget(ctx: Context, argv: list[bytes]) -> Reply:
    """MGET key [key ...]

    Returns the string values of several keys, null for missing ones and other types.

    Cost: O(N) with N keys
    """
    keyspace = ctx.keyspace
    texts: list[object] = []
    for i in range(1, len(argv)):
        value = keyspace.read(argv[i])
        if value is None or type(value) is bytes:
            texts.append(value)
        else:
            texts.append(text_of(value) if kind_of(value) == "string" else None)
    return texts


@verbs.verb(
    "MSET",
    arity=-3,
    flags=_WRITE,
    keys=key("OW", "update", last=-1, step=2),
    since="1.0.1",
    hints=("request_policy:multi_shard", "response_policy:all_succeeded"),
)
def mset(ctx: Context, argv: list[bytes]) -> Reply:
    """MSET key value [key value ...]

    Sets several keys to strings, all at once.

    Cost: O(N) with N keys
    """
    if not len(argv) & 1:
        raise RespError("ERR wrong number of arguments for 'mset' command")
    keyspace = ctx.keyspace
    for i in range(1, len(argv), 2):
        keyspace.put(argv[i], argv[i + 1])
    return OK


@verbs.verb("MSETNX", arity=-3, flags=_WRITE, keys=key("OW", "insert", last=-1, step=2), since="1.0.1")
def msetnx(ctx: Context, argv: list[bytes]) -> Reply:
    """MSETNX key value [key value ...]

    Sets several keys to strings if none of them exists; returns whether it did.

    Cost: O(N) with N keys
    """
    if not len(argv) & 1:
        raise RespError("ERR wrong number of arguments for 'msetnx' command")
    keyspace = ctx.keyspace
    if any(keyspace.get(name) is not None for name in argv[1::2]):
        return 0
    for i in range(1, len(argv), 2):
        keyspace.put(argv[i], argv[i + 1])
    return 1


# ---------------------------------------------------------------- parts of a string


@verbs.verb("STRLEN", arity=2, flags=_READ_FAST, keys=key("RO"), since="2.2.0")
def strlen(ctx: Context, argv: list[bytes]) -> Reply:
    """STRLEN key

    Returns the length of a string in bytes, 0 if there is none.

    Cost: O(1)
    """
    return size_of(ctx.keyspace.read(argv[1]))


@verbs.verb("APPEND", arity=3, flags=_WRITE | Flag.FAST, keys=key("RW", "insert"), since="2.0.0")
def append(ctx: Context, argv: list[bytes]) -> Reply:
    """APPEND key value

    Adds bytes to the end of a string, which is created if it does not exist; returns its length.

    Cost: O(N) with N the length of the value
    """
    return append_to(ctx.keyspace, argv[1], argv[2], ctx.store.max_string_bytes)


def cut(ctx: Context, argv: list[bytes]) -> Reply:
    """The part of a string between two positions, both included; negative ones count from the end."""
    start, end = parse_int(argv[2]), parse_int(argv[3])
    value = ctx.keyspace.read(argv[1])
    if value is None:
        return b""
    text = data_of(value)
    size = len(text)
    if start < 0 and end < 0 and start > end:
        return b""
    start = max(start + size, 0) if start < 0 else start
    end = max(end + size, 0) if end < 0 else end
    end = min(end, size - 1) + 1
    if end - start <= LONG:
        return text[start:end]
    return string_reply(ctx, string_text(value), start, end)


@verbs.verb("GETRANGE", arity=4, flags=Flag.READONLY, keys=key("RO", "access"), since="2.4.0")
def getrange(ctx: Context, argv: list[bytes]) -> Reply:
    """GETRANGE key start end

    Returns the part of a string between two positions, both included.

    Cost: O(N) with N the length of the reply
    """
    return cut(ctx, argv)


@verbs.verb("SUBSTR", arity=4, flags=Flag.READONLY, keys=key("RO", "access"), deprecated=("2.0.0", "GETRANGE"))
def substr(ctx: Context, argv: list[bytes]) -> Reply:
    """SUBSTR key start end

    Returns the part of a string between two positions, both included.

    Cost: O(N) with N the length of the reply
    """
    return cut(ctx, argv)


@verbs.verb("SETRANGE", arity=4, flags=_WRITE, keys=key("RW", "update"), since="2.2.0")
def setrange(ctx: Context, argv: list[bytes]) -> Reply:
    """SETRANGE key offset value

    Overwrites a part of a string, which is padded with zero bytes if it is shorter; returns its length.

    Cost: O(N) with N the length of the value, or the growth of the string
    """
    offset = parse_int(argv[2])
    if offset < 0:
        raise RespError("ERR offset is out of range")
    if not argv[3]:
        return size_of(ctx.keyspace.get(argv[1]))
    return overwrite(ctx.keyspace, argv[1], offset, argv[3], ctx.store.max_string_bytes)


# ---------------------------------------------------------------- counters


@verbs.verb("INCR", arity=2, flags=_WRITE | Flag.FAST, keys=key("RW", "access", "update"))
def incr(ctx: Context, argv: list[bytes]) -> Reply:
    """INCR key

    Adds one to a counter, which begins at 0; returns the sum.

    Cost: O(1)
    """
    return add_integer(ctx.keyspace, argv[1], 1)


@verbs.verb("DECR", arity=2, flags=_WRITE | Flag.FAST, keys=key("RW", "access", "update"))
def decr(ctx: Context, argv: list[bytes]) -> Reply:
    """DECR key

    Subtracts one from a counter, which begins at 0; returns the difference.

    Cost: O(1)
    """
    return add_integer(ctx.keyspace, argv[1], -1)


@verbs.verb("INCRBY", arity=3, flags=_WRITE | Flag.FAST, keys=key("RW", "access", "update"))
def incrby(ctx: Context, argv: list[bytes]) -> Reply:
    """INCRBY key increment

    Adds an integer to a counter, which begins at 0; returns the sum.

    Cost: O(1)
    """
    return add_integer(ctx.keyspace, argv[1], parse_int(argv[2]))


@verbs.verb("DECRBY", arity=3, flags=_WRITE | Flag.FAST, keys=key("RW", "access", "update"))
def decrby(ctx: Context, argv: list[bytes]) -> Reply:
    """DECRBY key decrement

    Subtracts an integer from a counter, which begins at 0; returns the difference.

    Cost: O(1)
    """
    amount = parse_int(argv[2])
    if amount == INT64_MIN:
        raise RespError("ERR decrement would overflow")
    return add_integer(ctx.keyspace, argv[1], -amount)


@verbs.verb("INCRBYFLOAT", arity=3, flags=_WRITE | Flag.FAST, keys=key("RW", "access", "update"), since="2.6.0")
def incrbyfloat(ctx: Context, argv: list[bytes]) -> Reply:
    """INCRBYFLOAT key increment

    Adds a decimal number to the number in a string, which begins at 0; returns the sum.

    A JSON number stays one if JSON spells the sum as Redis does: without an exponent, and exact as a double.

    Cost: O(1)
    """
    return add_decimal(ctx.keyspace, argv[1], argv[2])


# ---------------------------------------------------------------- comparison


@verbs.verb("LCS", arity=-3, flags=Flag.READONLY, keys=key("RO", "access", last=1), since="7.0.0")
def lcs(ctx: Context, argv: list[bytes]) -> Reply:
    """LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]

    Finds the longest common subsequence of two strings.

    Cost: O(N*M) with N and M the lengths of the strings
    """
    texts: list[bytes] = []
    values = [ctx.keyspace.read(name) for name in argv[1:3]]
    for value in values:
        if value is not None and kind_of(value) != "string":
            raise RespError("ERR The specified keys must contain string values")
        texts.append(b"" if value is None else text_of(value))
    args = Args(argv, 3)
    length_only = positions = with_lengths = False
    least = 0
    while args.more():
        word = args.word()
        if word == b"LEN":
            length_only = True
        elif word == b"IDX":
            positions = True
        elif word == b"WITHMATCHLEN":
            with_lengths = True
        elif word == b"MINMATCHLEN" and args.more():
            least = max(args.integer(), 0)
        else:
            raise RespError(SYNTAX_ERROR)
    if length_only and positions:
        raise RespError("ERR If you want both the length and indexes, please just use IDX.")
    if 4 * (len(texts[0]) + 1) * (len(texts[1]) + 1) > ctx.store.max_string_bytes:
        raise RespError("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    common, matches = longest_common_subsequence(texts[0], texts[1])
    if length_only:
        return len(common)
    if not positions:
        return common
    spans: list[object] = []
    for (a, b), (c, d) in matches:
        if b - a + 1 >= least:
            spans.append([[a, b], [c, d], b - a + 1] if with_lengths else [[a, b], [c, d]])
    return {b"matches": spans, b"len": len(common)}
