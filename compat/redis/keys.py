# cython: annotation_typing=True
"""Key commands: those for keys of any type, and for whole databases."""

from __future__ import annotations

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.compat.server.logs import NOTICE
from januskv.resp.replies import OK, Reply, Simple
from januskv.resp.slices import items_reply
from januskv.storage.errors import NoSuchKey, NoSuchSession, NotAnInteger, StillLoading
from januskv.storage.glob import matcher
from januskv.storage.keyspace import Keyspace
from januskv.storage.sessions import LEAST_TOKEN, Session
from januskv.storage.values import kind_of

from .args import INT64_MAX, SYNTAX_ERROR, Args, parse_int, parse_uint
from .encoding import encoding_of
from .help import help_lines
from .scanning import ScanOptions, parse_cursor

verbs = Family("generic")

_READ_FAST = Flag.READONLY | Flag.FAST
_WRITE_FAST = Flag.WRITE | Flag.FAST
_OUT_OF_RANGE = "ERR DB index is out of range"


# ---------------------------------------------------------------- existence, names, types


def remove(ctx: Context, argv: list[bytes]) -> int:
    """Remove keys. Returns how many existed."""
    keyspace = ctx.keyspace
    return sum([keyspace.delete(name) for name in argv[1:]])


@verbs.verb(
    "DEL",
    arity=-2,
    flags=Flag.WRITE,
    keys=key("RM", "delete", last=-1),
    hints=("request_policy:multi_shard", "response_policy:agg_sum"),
)
def del_(ctx: Context, argv: list[bytes]) -> Reply:
    """DEL key [key ...]

    Removes keys; returns how many existed.

    Cost: O(N) with N keys
    """
    return remove(ctx, argv)


@verbs.verb(
    "UNLINK",
    arity=-2,
    flags=_WRITE_FAST,
    keys=key("RM", "delete", last=-1),
    since="4.0.0",
    hints=("request_policy:multi_shard", "response_policy:agg_sum"),
)
def unlink(ctx: Context, argv: list[bytes]) -> Reply:
    """UNLINK key [key ...]

    Removes keys; returns how many existed.

    Cost: O(N) with N keys

    Differs: memory is freed at once, as by DEL.
    """
    return remove(ctx, argv)


@verbs.verb(
    "EXISTS",
    arity=-2,
    flags=_READ_FAST,
    keys=key("RO", last=-1),
    hints=("request_policy:multi_shard", "response_policy:agg_sum"),
)
def exists(ctx: Context, argv: list[bytes]) -> Reply:
    """EXISTS key [key ...]

    Counts those of the keys that exist; a key named twice counts twice.

    Cost: O(N) with N keys
    """
    keyspace = ctx.keyspace
    return sum([keyspace.look(name) is not None for name in argv[1:]])


@verbs.verb(
    "TOUCH",
    arity=-2,
    flags=_READ_FAST | Flag.TOUCHES,
    keys=key("RO", last=-1),
    since="3.2.1",
    hints=("request_policy:multi_shard", "response_policy:agg_sum"),
)
def touch(ctx: Context, argv: list[bytes]) -> Reply:
    """TOUCH key [key ...]

    Updates the access times of keys; returns how many exist.

    Cost: O(N) with N keys
    """
    keyspace = ctx.keyspace
    return sum([keyspace.read(name) is not None for name in argv[1:]])


@verbs.verb("TYPE", arity=2, flags=_READ_FAST, keys=key("RO"))
def type_(ctx: Context, argv: list[bytes]) -> Reply:
    """TYPE key

    Returns the type of a key's value, or none.

    Cost: O(1)
    """
    value = ctx.keyspace.look(argv[1])
    return Simple(b"none" if value is None else kind_of(value).encode())


@verbs.verb(
    "RANDOMKEY",
    arity=1,
    flags=Flag.READONLY | Flag.TOUCHES_ARBITRARY_KEYS,
    hints=("request_policy:all_shards", "nondeterministic_output"),
)
def randomkey(ctx: Context, argv: list[bytes]) -> Reply:
    """RANDOMKEY

    Returns a key at random, null if there is none.

    Cost: O(1), occasionally O(N) with N keys
    """
    return ctx.keyspace.random_key()


@verbs.verb(
    "KEYS",
    arity=2,
    flags=Flag.READONLY,
    categories=("dangerous",),
    hints=("request_policy:all_shards", "nondeterministic_output_order"),
)
def keys_(ctx: Context, argv: list[bytes]) -> Reply:
    """KEYS pattern

    Returns all keys that match a glob pattern.

    Cost: O(N) with N keys in the database
    """
    matches = matcher(argv[1])
    names = [name for name in ctx.keyspace.live_keys() if matches(name)]
    return items_reply(names)


@verbs.verb(
    "SCAN",
    arity=-2,
    flags=Flag.READONLY | Flag.TOUCHES_ARBITRARY_KEYS,
    since="2.8.0",
    hints=("nondeterministic_output", "request_policy:special", "response_policy:special"),
)
def scan(ctx: Context, argv: list[bytes]) -> Reply:
    """SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]

    Returns some of the keys and a cursor to continue with, 0 at the end.

    Every key that exists during the whole iteration is returned.

    Cost: O(COUNT) a call
    """
    cursor = parse_cursor(argv[1])
    options = ScanOptions(Args(argv, 2), typed=True)
    keyspace = ctx.keyspace
    cursor, names = keyspace.scan(cursor, options.count, keyspace.data)
    matches, kind = options.matches, options.kind
    batch: list[bytes] = []
    for name in names:
        if matches is None or matches(name):
            value = keyspace.get(name)
            if value is None:
                continue
            if kind is None:
                batch.append(name)
                continue
            keyspace.hits += 1
            if kind_of(value).lower() == kind:
                batch.append(name)
    return [b"%d" % cursor, batch]


# ---------------------------------------------------------------- other names, other places


@verbs.verb("RENAME", arity=3, flags=Flag.WRITE, keys=(key("RW", "access", "delete"), key("OW", "update", begin=2)))
def rename(ctx: Context, argv: list[bytes]) -> Reply:
    """RENAME key newkey

    Renames a key, replacing any other.

    Cost: O(1)
    """
    ctx.keyspace.rename(argv[1], argv[2])
    return OK


@verbs.verb("RENAMENX", arity=3, flags=_WRITE_FAST, keys=(key("RW", "access", "delete"), key("OW", "insert", begin=2)))
def renamenx(ctx: Context, argv: list[bytes]) -> Reply:
    """RENAMENX key newkey

    Renames a key if the new name does not exist; returns whether it did.

    Cost: O(1)
    """
    keyspace = ctx.keyspace
    if keyspace.get(argv[1]) is None:
        raise NoSuchKey(argv[1])
    if keyspace.get(argv[2]) is not None:
        return 0
    keyspace.rename(argv[1], argv[2])
    return 1


def check_place(ctx: Context, session: str | None) -> None:
    """Check that the caller's user may use the session of a name, or the numbered databases (None). Raises RespError."""
    if not ctx.caller.user.may_enter(session):
        raise RespError(f"NOPERM User {ctx.caller.user_name} has no permissions to use the databases")


def find_keyspace(ctx: ServerContext, text: bytes) -> tuple[Keyspace, Session | None]:
    """The database of a number, or the session of a token with its keyspace."""
    number = database_number(ctx, text)
    if number >= LEAST_TOKEN:
        if ctx.server.state.loading:
            raise StillLoading
        if not ctx.caller.user.may_enter(ctx.store.sessions.look_up(number).name):
            raise NoSuchSession(number)
        session = ctx.store.sessions.enter(number)
        return session.keyspace, session
    check_place(ctx, None)
    return ctx.store.databases[checked_index(ctx, number)], None


def database_number(ctx: Context, text: bytes) -> int:
    """The number of a database, or a token, from an argument; a 64-bit one must be the token of a session."""
    number = parse_uint(text) if text[:1] != b"-" else parse_int(text)
    if number > INT64_MAX and number not in ctx.store.sessions.by_token:
        raise NotAnInteger
    return number


def checked_index(ctx: Context, number: int) -> int:
    """The number of a database that exists. Raises RespError for others below the tokens."""
    if 0 <= number < len(ctx.store.databases):
        return number
    if not -(1 << 31) <= number < 1 << 31:
        raise RespError("ERR value is out of range, value must between -2147483648 and 2147483647")
    raise RespError(_OUT_OF_RANGE)


@verbs.verb(
    "COPY",
    arity=-3,
    flags=Flag.WRITE | Flag.DENYOOM,
    keys=(key("RO", "access"), key("OW", "update", begin=2)),
    since="6.2.0",
)
def copy(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """COPY source destination [DB destination-db] [REPLACE]

    Copies a value with its expiry to another key; returns whether it did.

    DB takes the number of a database or the token of a session.

    Cost: O(N) with N members of the value
    """
    args = Args(argv, 3)
    target = ctx.keyspace
    replace = False
    while args.more():
        word = args.word()
        if word == b"REPLACE":
            replace = True
        elif word == b"DB" and args.more():
            target, _ = find_keyspace(ctx, args.take())
        else:
            raise RespError(SYNTAX_ERROR)
    keyspace = ctx.keyspace
    source, name = argv[1], argv[2]
    if target is keyspace and source == name:
        raise RespError("ERR source and destination objects are the same")
    return int(keyspace.copy_to(source, target, name, replace))


@verbs.verb("MOVE", arity=3, flags=_WRITE_FAST, keys=key("RW", "access", "delete"))
def move(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MOVE key db

    Moves a key to another database unless it exists there; returns whether it did.

    ``db`` can also be a session's token.

    Cost: O(1)
    """
    source, name = ctx.keyspace, argv[1]
    target, _ = find_keyspace(ctx, argv[2])
    if target is source:
        raise RespError("ERR source and destination objects are the same")
    return int(source.move_to(target, name))


# ---------------------------------------------------------------- deadlines


def set_deadline(ctx: Context, argv: list[bytes], unit: int, relative: bool, verb: str) -> int:
    """EXPIRE and its relatives; 1 if the expiry was set."""
    only = _expire_condition(Args(argv, 3)) if len(argv) > 3 else None
    amount = parse_int(argv[2])
    error = f"ERR invalid expire time in '{verb}' command"
    if unit == 1000 and abs(amount) > INT64_MAX // 1000:
        raise RespError(error)
    deadline = amount * unit + (ctx.store.clock.now_ms if relative else 0)
    if deadline > INT64_MAX:
        raise RespError(error)
    keyspace, name = ctx.keyspace, argv[1]
    if keyspace.get(name) is None:
        return 0
    old_deadline = keyspace.deadline_of(name)
    if only and not _meets(only, old_deadline, deadline):
        return 0
    keyspace.expire_at(name, deadline)
    return 1


def _expire_condition(args: Args) -> set[bytes]:
    only: set[bytes] = set()
    while args.more():
        word = args.take()
        if word.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            raise RespError(f"ERR Unsupported option {word.decode(errors='surrogateescape')}")
        only.add(word.upper())
    if b"NX" in only and len(only) > 1:
        raise RespError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if b"GT" in only and b"LT" in only:
        raise RespError("ERR GT and LT options at the same time are not compatible")
    return only


def _meets(only: set[bytes], old_deadline: int | None, deadline: int) -> bool:
    """Whether the conditions allow the new expiry; a key without one counts as never expiring."""
    if b"NX" in only and old_deadline is not None:
        return False
    if b"XX" in only and old_deadline is None:
        return False
    if b"GT" in only and (old_deadline is None or deadline <= old_deadline):
        return False
    return not (b"LT" in only and old_deadline is not None and deadline >= old_deadline)


_EXPIRE_KEYS = key("RW", "update")


@verbs.verb("EXPIRE", arity=-3, flags=_WRITE_FAST, keys=_EXPIRE_KEYS)
def expire(ctx: Context, argv: list[bytes]) -> Reply:
    """EXPIRE key seconds [NX | XX | GT | LT]

    Sets a key's time to live in seconds; returns whether it did.

    Cost: O(1)
    """
    return set_deadline(ctx, argv, 1000, True, "expire")


@verbs.verb("PEXPIRE", arity=-3, flags=_WRITE_FAST, keys=_EXPIRE_KEYS, since="2.6.0")
def pexpire(ctx: Context, argv: list[bytes]) -> Reply:
    """PEXPIRE key milliseconds [NX | XX | GT | LT]

    Sets a key's time to live in milliseconds; returns whether it did.

    Cost: O(1)
    """
    return set_deadline(ctx, argv, 1, True, "pexpire")


@verbs.verb("EXPIREAT", arity=-3, flags=_WRITE_FAST, keys=_EXPIRE_KEYS, since="1.2.0")
def expireat(ctx: Context, argv: list[bytes]) -> Reply:
    """EXPIREAT key unix-time-seconds [NX | XX | GT | LT]

    Sets the time when a key expires, in seconds; returns whether it did.

    Cost: O(1)
    """
    return set_deadline(ctx, argv, 1000, False, "expireat")


@verbs.verb("PEXPIREAT", arity=-3, flags=_WRITE_FAST, keys=_EXPIRE_KEYS, since="2.6.0")
def pexpireat(ctx: Context, argv: list[bytes]) -> Reply:
    """PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]

    Sets the time when a key expires, in milliseconds; returns whether it did.

    Cost: O(1)
    """
    return set_deadline(ctx, argv, 1, False, "pexpireat")


@verbs.verb("PERSIST", arity=2, flags=_WRITE_FAST, keys=key("RW", "update"), since="2.2.0")
def persist(ctx: Context, argv: list[bytes]) -> Reply:
    """PERSIST key

    Removes a key's expiry; returns whether it had one.

    Cost: O(1)
    """
    keyspace = ctx.keyspace
    return int(keyspace.get(argv[1]) is not None and keyspace.persist(argv[1]))


def deadline_or(ctx: Context, name: bytes) -> int:
    """When a key expires; -2 if there is no key, -1 for never."""
    if ctx.keyspace.look(name) is None:
        return -2
    deadline = ctx.keyspace.deadline_of(name)
    return -1 if deadline is None else deadline


@verbs.verb("TTL", arity=2, flags=_READ_FAST, keys=key("RO", "access"), hints=("nondeterministic_output",))
def ttl(ctx: Context, argv: list[bytes]) -> Reply:
    """TTL key

    Returns a key's time to live in seconds, -1 without one, -2 without a key.

    Cost: O(1)
    """
    deadline = deadline_or(ctx, argv[1])
    return deadline if deadline < 0 else (max(deadline - ctx.store.clock.now_ms, 0) + 500) // 1000


@verbs.verb(
    "PTTL", arity=2, flags=_READ_FAST, keys=key("RO", "access"), since="2.6.0", hints=("nondeterministic_output",)
)
def pttl(ctx: Context, argv: list[bytes]) -> Reply:
    """PTTL key

    Returns a key's time to live in milliseconds, -1 without one, -2 without a key.

    Cost: O(1)
    """
    deadline = deadline_or(ctx, argv[1])
    return deadline if deadline < 0 else max(deadline - ctx.store.clock.now_ms, 0)


@verbs.verb("EXPIRETIME", arity=2, flags=_READ_FAST, keys=key("RO", "access"), since="7.0.0")
def expiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """EXPIRETIME key

    Returns when a key expires in seconds since the epoch, -1 for never, -2 without a key.

    Cost: O(1)
    """
    deadline = deadline_or(ctx, argv[1])
    return deadline if deadline < 0 else (deadline + 500) // 1000


@verbs.verb("PEXPIRETIME", arity=2, flags=_READ_FAST, keys=key("RO", "access"), since="7.0.0")
def pexpiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """PEXPIRETIME key

    Returns when a key expires in milliseconds since the epoch, -1 for never, -2 without a key.

    Cost: O(1)
    """
    return deadline_or(ctx, argv[1])


# ---------------------------------------------------------------- OBJECT


@verbs.verb("OBJECT", arity=-2, since="2.2.3")
def object_(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT

    A container for commands about how a value is stored.
    """
    raise AssertionError("a container is never run")


def _object_of(ctx: Context, name: bytes) -> object:
    """The value of a key, counted as a hit or a miss but without a keymiss event; None if there is none."""
    keyspace = ctx.keyspace
    value = keyspace.get(name)
    if value is None:
        keyspace.misses += 1
    else:
        keyspace.hits += 1
    return value


@verbs.verb(
    "OBJECT|ENCODING",
    arity=3,
    flags=Flag.READONLY,
    keys=key("RO", begin=2),
    since="2.2.3",
    hints=("nondeterministic_output",),
)
def object_encoding(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT ENCODING key

    Names the representation that Redis would choose for the value, by its configured thresholds.

    Cost: O(1), for hashes and lists O(N) up to the threshold
    """
    value = _object_of(ctx, argv[2])
    return None if value is None else encoding_of(ctx.keyspace, argv[2], ctx.settings)


@verbs.verb(
    "OBJECT|REFCOUNT",
    arity=3,
    flags=Flag.READONLY,
    keys=key("RO", begin=2),
    since="2.2.3",
    hints=("nondeterministic_output",),
)
def object_refcount(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT REFCOUNT key

    Counts the references to a value: always one, since values are not shared.

    Cost: O(1)
    """
    return None if _object_of(ctx, argv[2]) is None else 1


@verbs.verb(
    "OBJECT|IDLETIME",
    arity=3,
    flags=Flag.READONLY,
    keys=key("RO", begin=2),
    since="2.2.3",
    hints=("nondeterministic_output",),
)
def object_idletime(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT IDLETIME key

    Returns for how many seconds a key has not been read or written.

    Cost: O(1)

    Differs: beyond some thousand keys, several share a slot, so the time may be too short; before the
    first OBJECT IDLETIME in such a keyspace, far too short.
    """
    return None if _object_of(ctx, argv[2]) is None else ctx.keyspace.idle_s(argv[2])


@verbs.verb(
    "OBJECT|FREQ",
    arity=3,
    flags=Flag.READONLY,
    keys=key("RO", begin=2),
    since="4.0.0",
    hints=("nondeterministic_output",),
)
def object_freq(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT FREQ key

    Refused unless the eviction policy counts accesses, which none does yet.

    Cost: O(1)
    """
    if _object_of(ctx, argv[2]) is None:
        return None
    raise RespError(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching"
        " between policies at runtime LRU and LFU data will take some time to adjust."
    )


@verbs.verb("OBJECT|HELP", arity=2, flags=Flag.LOADING | Flag.STALE, since="6.2.0")
def object_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """OBJECT HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "OBJECT")


# ---------------------------------------------------------------- whole databases


@verbs.verb(
    "DBSIZE",
    arity=1,
    flags=_READ_FAST,
    group="server",
    categories=("keyspace",),
    hints=("request_policy:all_shards", "response_policy:agg_sum"),
)
def dbsize(ctx: Context, argv: list[bytes]) -> Reply:
    """DBSIZE

    Counts the keys of the selected database or session.

    Cost: O(1)
    """
    return len(ctx.keyspace)


def _log_flush(ctx: ServerContext, verb: str, keys: int) -> None:
    """Log who removed all keys, unless there were none."""
    if keys:
        ctx.server.limited_log.note(verb, f"{verb} by {ctx.caller.shown}: {keys} keys removed", NOTICE)


def _check_flush_option(argv: list[bytes]) -> None:
    if len(argv) > 2 or (len(argv) == 2 and argv[1].upper() not in (b"ASYNC", b"SYNC")):
        raise RespError(SYNTAX_ERROR)


@verbs.verb(
    "FLUSHDB",
    arity=-1,
    flags=Flag.WRITE,
    group="server",
    categories=("keyspace", "dangerous"),
    hints=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def flushdb(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FLUSHDB [ASYNC | SYNC]

    Removes all keys of the selected database or session.

    Cost: O(N) with N keys
    """
    _check_flush_option(argv)
    keys = len(ctx.keyspace)
    ctx.keyspace.clear()
    ctx.server.tracking.flushed()
    _log_flush(ctx, "FLUSHDB", keys)
    return OK


@verbs.verb(
    "FLUSHALL",
    arity=-1,
    flags=Flag.WRITE,
    group="server",
    categories=("keyspace", "dangerous"),
    hints=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def flushall(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FLUSHALL [ASYNC | SYNC]

    Removes all keys of all numbered databases, not of sessions; SH_END_ALL ends those.

    Cost: O(N) with N keys

    Differs: the keys of sessions stay.
    """
    _check_flush_option(argv)
    check_place(ctx, None)
    keys = sum(map(len, ctx.store.databases))
    ctx.store.flush_all()
    ctx.server.tracking.flushed()
    _log_flush(ctx, "FLUSHALL", keys)
    return OK


@verbs.verb("SWAPDB", arity=3, flags=_WRITE_FAST, group="server", since="4.0.0", categories=("keyspace", "dangerous"))
def swapdb(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SWAPDB index1 index2

    Exchanges the contents of two databases.

    Cost: O(1)
    """
    check_place(ctx, None)
    numbers: list[int] = []
    for text, which in ((argv[1], "first"), (argv[2], "second")):
        try:
            number = parse_int(text)
        except NotAnInteger:
            number = 1 << 31
        if not -(1 << 31) <= number < 1 << 31:
            raise RespError(f"ERR invalid {which} DB index")
        numbers.append(number)
    if not all(0 <= number < len(ctx.store.databases) for number in numbers):
        raise RespError(_OUT_OF_RANGE)
    first, second = (ctx.store.databases[number] for number in numbers)
    if first is not second:
        ctx.server.watches.before_swap(first, second)
        first.swap(second)
    return OK
