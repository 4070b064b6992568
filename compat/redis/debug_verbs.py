"""DEBUG: for tests and inspection. Off unless enable-debug-command says otherwise."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from januskv.commands.declare import Flag
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.compat.server.monitors import quoted
from januskv.compat.server.parameters import ConfigError, memory
from januskv.resp.replies import (
    OK,
    Attribute,
    Push,
    Reply,
    SetReply,
    Simple,
    Verbatim,
)
from januskv.storage.clock import ShiftedClock
from januskv.storage.durability.replay import reload
from januskv.storage.events import EventSeries
from januskv.storage.glob import matcher
from januskv.storage.keyspace import Keyspace
from januskv.storage.null import NULL, Null
from januskv.storage.samples import SampleSeries
from januskv.storage.sizes import size_of
from januskv.storage.streams import Stream
from januskv.storage.visiting import Visitor, visit

from .args import SYNTAX_ERROR, Args
from .encoding import encoding_of
from .help import help_lines

verbs = Family("server")

log = logging.getLogger("januskv")

_MOST_POPULATED = 1 << 32

_FLAGS = Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.PROTECTED


@verbs.verb("DEBUG", arity=-2, flags=_FLAGS)
def debug(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG

    A container for commands that inspect the server, or do harm on purpose.
    """
    raise AssertionError("a container is never run")


@verbs.verb("DEBUG|SLEEP", arity=3, flags=_FLAGS)
def debug_sleep(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG SLEEP seconds

    Blocks the whole server for some seconds, as a slow command would.

    Cost: O(1)
    """
    seconds = Args(argv, 2).number()
    if not 0 <= seconds <= 60:
        raise RespError("ERR seconds must be between 0 and 60")
    time.sleep(seconds)
    return OK


@verbs.verb("DEBUG|OBJECT", arity=3, flags=_FLAGS)
def debug_object(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG OBJECT key

    Describes how a value is stored.

    Cost: O(N) with N members
    """
    value = ctx.keyspace.get(argv[2])
    if value is None:
        raise RespError("ERR no such key")
    encoding = encoding_of(ctx.keyspace, argv[2], ctx.settings)
    size = size_of(argv[2], value, 0)
    idle_s = ctx.keyspace.idle_s(argv[2])
    lru = ctx.keyspace.clock.now_ms // 1000 - idle_s & 0xFFFFFF
    return Simple(
        f"Value at:{id(value):#x} refcount:1 encoding:{encoding} serializedlength:{size} lru:{lru}"
        f" lru_seconds_idle:{idle_s} type:{type(value).__name__}".encode()
    )


@verbs.verb("DEBUG|SET-ACTIVE-EXPIRE", arity=3, flags=_FLAGS)
def debug_set_active_expire(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG SET-ACTIVE-EXPIRE <0 | 1>

    Turns active expiry off and on; keys still expire when they are accessed.

    Cost: O(1)
    """
    if argv[2] not in (b"0", b"1"):
        raise RespError("ERR argument must be 0 or 1")
    ctx.store.active_expiry = argv[2] == b"1"
    return OK


@verbs.verb("DEBUG|PAUSE-CRON", arity=3, flags=_FLAGS)
def debug_pause_cron(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG PAUSE-CRON <0 | 1>

    Stops and resumes the periodic tasks: expiry, limits of slow clients, syncs, save points.

    Cost: O(1)
    """
    ctx.server.upkeep.stopped = Args(argv, 2).integer() != 0
    return OK


@verbs.verb("DEBUG|RELOAD", arity=-2, flags=_FLAGS)
def debug_reload(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG RELOAD

    Serialises all values in memory as for a snapshot, and replaces them by what that reads back as.

    Cost: O(N) with N members of all values

    Differs: nothing is loaded from disk, so the options NOSAVE, NOFLUSH and MERGE are refused.
    """
    if len(argv) > 2:
        if argv[2].upper() in (b"NOSAVE", b"NOFLUSH", b"MERGE"):
            raise RespError("ERR DEBUG RELOAD reads back what it writes itself: its options are not built")
        raise RespError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    reload(ctx.store)
    return OK


@verbs.verb("DEBUG|LOADAOF", arity=2, flags=_FLAGS)
def debug_loadaof(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG LOADAOF

    Rewrites the log as a snapshot of all data, and loads that.

    Cost: O(N) with N members of all values
    """
    server = ctx.server
    if server.persistence is None or not server.persistence.journal.logging:
        raise RespError("ERR there is no log: appendonly is off")
    server.persistence.save()
    reload(ctx.store)
    return OK


@verbs.verb("DEBUG|POPULATE", arity=-3, flags=_FLAGS)
def debug_populate(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG POPULATE count [prefix [size]]

    Sets keys called prefix:number that do not exist to the text value:number, with zero bytes up to the size.

    Cost: O(N) with N keys
    """
    args = Args(argv, 2)
    count = args.integer()
    prefix = args.take() if args.more() else b"key"
    size = args.integer() if args.more() else 0
    if args.more():
        raise RespError("ERR wrong number of arguments for 'debug|populate' command")
    if count < 0 or size < 0:
        raise RespError("ERR value is out of range, must be positive")
    if count * max(size, 1) > _MOST_POPULATED:
        raise RespError(f"ERR DEBUG POPULATE makes at most {_MOST_POPULATED} bytes of values")
    keyspace = ctx.keyspace
    for number in range(count):
        name, value = b"%b:%d" % (prefix, number), b"value:%d" % number
        if keyspace.get(name) is None:
            keyspace.put(name, value.ljust(size, b"\0")[:size] if size else value)
    return OK


@verbs.verb("DEBUG|REPLYBUFFER", arity=4, flags=_FLAGS)
def debug_replybuffer(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG REPLYBUFFER <PEAK-RESET-TIME | RESIZING> value

    Only checks its arguments, for Redis' tests: the system decides the size of reply buffers here.

    Cost: O(1)
    """
    word = argv[2].upper()
    if word == b"PEAK-RESET-TIME":
        if argv[3].upper() not in (b"NEVER", b"RESET"):
            Args(argv, 3).integer()
    elif word == b"RESIZING":
        Args(argv, 3).integer()
    else:
        raise RespError(SYNTAX_ERROR)
    return OK


@verbs.verb("DEBUG|QUICKLIST-PACKED-THRESHOLD", arity=3, flags=_FLAGS)
def debug_quicklist_packed_threshold(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG QUICKLIST-PACKED-THRESHOLD size

    Only checks its argument, for Redis' tests: long elements are stored like others here.

    Cost: O(1)
    """
    try:
        size = memory().parse(argv[2].decode(errors="replace"))
    except ConfigError:
        size = -1
    if not 0 <= size < 1 << 32:
        raise RespError("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    return OK


@verbs.verb("DEBUG|FASTFORWARD", arity=3, flags=_FLAGS)
def debug_fastforward(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG FASTFORWARD milliseconds

    Moves the server's clock forward. Ours, for tests of expiry.

    Cost: O(1)
    """
    clock = ctx.store.clock
    if not isinstance(clock, ShiftedClock):
        raise RespError("ERR the clock of this server cannot be moved")
    clock.offset_ms += Args(argv, 2).integer()
    clock.tick()
    return OK


@verbs.verb("DEBUG|STRINGMATCH-LEN", arity=4, flags=_FLAGS)
def debug_stringmatch_len(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG STRINGMATCH-LEN length pattern

    Matches a pattern against a string of ``length`` a's.

    Cost: O(N*M) with N and M the lengths of string and pattern
    """
    length = Args(argv, 2).integer()
    if not 0 <= length <= 1 << 20:
        raise RespError("ERR length must be between 0 and 1048576")
    return int(matcher(argv[3])(b"a" * length))


@verbs.verb("DEBUG|ERROR", arity=3, flags=_FLAGS)
def debug_error(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG ERROR message

    Replies with this error.

    Cost: O(1)
    """
    raise RespError(argv[2].decode(errors="surrogateescape"))


@verbs.verb("DEBUG|LOG", arity=3, flags=_FLAGS)
def debug_log(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG LOG message

    Writes a line to the server's log.

    Cost: O(1)
    """
    log.warning("DEBUG LOG: %s", quoted(argv[2]).decode())
    return OK


@verbs.verb("DEBUG|CRASH-COMMAND", arity=2, flags=_FLAGS)
def debug_crash_command(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG CRASH-COMMAND

    Fails as a bug in a command would: the server logs the traceback, replies with a generic error and continues.

    Cost: O(1)
    """
    raise RuntimeError("DEBUG CRASH-COMMAND was called")


_SAMPLES: dict[bytes, Reply] = {
    b"STRING": b"Hello World",
    b"INTEGER": 12345,
    b"DOUBLE": 3.141,
    b"BIGNUM": 1234567999999999999999999999999999999,
    b"NULL": None,
    b"ARRAY": [0, 1, 2],
    b"SET": SetReply([0, 1, 2]),
    b"MAP": {0: False, 1: True, 2: False},
    b"ATTRIB": Attribute({b"key-popularity": [b"key:123", 90]}, b"Some real reply following the attribute"),
    b"PUSH": b"Some real reply following the push reply",
    b"VERBATIM": Verbatim(b"txt", b"This is a verbatim\nstring"),
    b"TRUE": True,
    b"FALSE": False,
}


@verbs.verb("DEBUG|PROTOCOL", arity=3, flags=_FLAGS | Flag.CONNECTION)
def debug_protocol(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG PROTOCOL type

    Replies with a sample of a reply type: string, integer, double, bignum, null, array, set, map, attrib, push,
    verbatim, true or false.

    Cost: O(1)
    """
    word = argv[2].upper()
    if word not in _SAMPLES:
        names = "|".join(name.decode().lower() for name in _SAMPLES)
        raise RespError(f"ERR Wrong protocol type name. Please use one of the following: {names}")
    if word == b"PUSH":
        if ctx.connected.protocol < 3:
            raise RespError("ERR RESP2 is not supported by this command")
        ctx.connected.push(Push([b"server-cpu-usage", 42]))
    return _SAMPLES[word]


def _framed(kind: bytes, parts: Iterable[bytes]) -> bytes:
    return kind + b"".join([b"%d:%b" % (len(part), part) for part in parts]) + b";"


def _element(value: Any) -> bytes:
    """An element, or a part of one, as bytes that are equal for equal values: members sorted, types distinguished."""
    if isinstance(value, dict):
        named = ((name if isinstance(name, bytes) else name.encode(), member) for name, member in value.items())
        parts = [part for name, member in sorted(named, key=itemgetter(0)) for part in (name, _element(member))]
        return _framed(b"object", parts)
    if isinstance(value, list | tuple):
        return _framed(b"array", [_element(item) for item in value])
    if isinstance(value, str | bytes):
        return _framed(b"text", [value.encode() if isinstance(value, str) else value])
    if value is None or value is NULL:
        return _framed(b"null", [])
    return _framed(type(value).__name__.encode(), [repr(value).encode()])


class _Canonical(Visitor[bytes]):
    """Serialises values to bytes that are equal for equal values, whatever form they are stored in."""

    def text(self, text: bytes) -> bytes:
        return _element(text)

    def scalar(self, value: int | float | Null) -> bytes:
        return _element(value)

    def fields(self, fields: Iterable[tuple[bytes, Any]], deadlines: Mapping[bytes, int]) -> bytes:
        return _element(dict(fields))

    def elements(self, elements: Iterable[Any]) -> bytes:
        return _element(list(elements))

    def members(self, members: Iterable[bytes]) -> bytes:
        return _framed(b"set", sorted(members))

    def scores(self, pairs: Iterable[tuple[bytes, float]]) -> bytes:
        return _framed(b"zset", [_element(dict(pairs))])

    def stream(self, stream: Stream) -> bytes:
        return _framed(b"stream", [_element(stream.to_json())])

    def samples(self, series: SampleSeries) -> bytes:
        return _framed(b"TSDB-TYPE", [_element(part) for part in series.to_state()])

    def events(self, series: EventSeries) -> bytes:
        parts = (*series.columns(), [list(path) for path in series.indexes])
        return _framed(b"ts-events", [_element(part) for part in parts])


_CANONICAL = _Canonical()


def digest_of(keyspace: Keyspace, key: bytes) -> bytes:
    """A digest of a key, its value and its expiry."""
    deadline = keyspace.deadline_of(key)
    parts = (key, visit(keyspace.data[key], _CANONICAL), b"" if deadline is None else b"%d" % deadline)
    return hashlib.sha1(b"".join(b"%d:%b" % (len(part), part) for part in parts)).digest()


def value_digest(keyspace: Keyspace, key: bytes) -> bytes:
    """A digest of a key's value and whether it expires; a copy under another name has the same."""
    if keyspace.get(key) is None:
        return bytes(20)
    expires = b"!" if keyspace.deadline_of(key) is not None else b""
    return hashlib.sha1(expires + visit(keyspace.data[key], _CANONICAL)).digest()


@verbs.verb("DEBUG|DIGEST", arity=2, flags=_FLAGS)
def debug_digest(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG DIGEST

    Returns a digest of all databases and sessions, which does not depend on the order of keys.

    Cost: O(N) with N keys and members

    Differs: the digest differs from Redis' for the same data.
    """
    total = 0
    places = [(b"%d:" % keyspace.index, keyspace) for keyspace in ctx.store.databases]
    for session in ctx.store.sessions.by_token.values():
        properties = (session.token, session.name, session.shared, session.duration_s, session.delete_on_expiry)
        total ^= int.from_bytes(hashlib.sha1(repr(properties).encode(errors="surrogatepass")).digest(), "big")
        places.append((b"session %d:" % session.token, session.keyspace))
    for owner, keyspace in places:
        for key in keyspace.live_keys():
            total ^= int.from_bytes(hashlib.sha1(owner + digest_of(keyspace, key)).digest(), "big")
    return Simple(b"%040x" % total)


@verbs.verb("DEBUG|DIGEST-VALUE", arity=-2, flags=_FLAGS)
def debug_digest_value(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG DIGEST-VALUE [key [key ...]]

    Returns the digests of keys' values, zeros for missing keys.

    Cost: O(N) with N keys and members

    Differs: the digest differs from Redis' for the same data.
    """
    return [Simple(value_digest(ctx.keyspace, key).hex().encode()) for key in argv[2:]]


@verbs.verb("DEBUG|HELP", arity=2, flags=_FLAGS)
def debug_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """DEBUG HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "DEBUG")
