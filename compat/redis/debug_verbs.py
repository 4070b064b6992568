"""DEBUG: for tests and for looking inside. Off unless enable-debug-command says otherwise."""

from __future__ import annotations

import hashlib
import time

from januskv.commands.context import Context
from januskv.commands.declare import Flag
from januskv.commands.table import Family
from januskv.compat.faults import RespError
from januskv.resp.replies import (
    NULL_ARRAY,
    OK,
    Attribute,
    ErrorReply,
    Push,
    Reply,
    SetReply,
    Simple,
    Verbatim,
)
from januskv.storage.clock import ShiftedClock
from januskv.storage.glob import matcher
from januskv.storage.keyspace import Keyspace
from januskv.storage.values import kind_of, to_json

from .args import Args
from .encoding import encoding_of
from .help import help_lines
from .sizes import size_of

verbs = Family("server")

_FLAGS = Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.PROTECTED


@verbs.verb("DEBUG", arity=-2, flags=_FLAGS)
def debug(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG

    A container for commands that look inside, or do harm on purpose.
    """
    raise AssertionError("a container is never run")


@verbs.verb("DEBUG|SLEEP", arity=3, flags=_FLAGS)
def debug_sleep(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG SLEEP seconds

    Holds the whole server for some seconds, as a slow command would.

    Cost: O(1)
    """
    seconds = Args(argv, 2).number()
    if not 0 <= seconds <= 60:
        raise RespError("ERR seconds must be between 0 and 60")
    time.sleep(seconds)
    return OK


@verbs.verb("DEBUG|OBJECT", arity=3, flags=_FLAGS)
def debug_object(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG OBJECT key

    Describes how a value is held.

    Cost: O(N) with N members
    """
    value = ctx.keyspace.get(argv[2])
    if value is None:
        raise RespError("ERR no such key")
    encoding = encoding_of(value, ctx.server.config)
    size = size_of(argv[2], value, 0)
    return Simple(f"Value at:{id(value):#x} refcount:1 encoding:{encoding} serializedlength:{size} type:{type(value).__name__}".encode())


@verbs.verb("DEBUG|SET-ACTIVE-EXPIRE", arity=3, flags=_FLAGS)
def debug_set_active_expire(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG SET-ACTIVE-EXPIRE <0 | 1>

    Turns the search for expired keys off and on; keys still expire when they are looked at.

    Cost: O(1)
    """
    if argv[2] not in (b"0", b"1"):
        raise RespError("ERR argument must be 0 or 1")
    ctx.store.active_expiry = argv[2] == b"1"
    return OK


@verbs.verb("DEBUG|FASTFORWARD", arity=3, flags=_FLAGS)
def debug_fastforward(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG FASTFORWARD milliseconds

    Moves the server's clock. Ours, for tests of what expires.

    Cost: O(1)
    """
    clock = ctx.store.clock
    if not isinstance(clock, ShiftedClock):
        raise RespError("ERR the clock of this server cannot be moved")
    clock.offset_ms += Args(argv, 2).integer()
    clock.tick()
    return OK


@verbs.verb("DEBUG|STRINGMATCH-LEN", arity=4, flags=_FLAGS)
def debug_stringmatch_len(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG STRINGMATCH-LEN length pattern

    Matches a pattern against a string of so many a's.

    Cost: O(N*M) with N and M the lengths of string and pattern
    """
    length = Args(argv, 2).integer()
    if not 0 <= length <= 1 << 20:
        raise RespError("ERR length must be between 0 and 1048576")
    return int(matcher(argv[3])(b"a" * length))


@verbs.verb("DEBUG|ERROR", arity=3, flags=_FLAGS)
def debug_error(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG ERROR message

    Answers with this error.

    Cost: O(1)
    """
    return ErrorReply(argv[2])


@verbs.verb("DEBUG|CRASH-COMMAND", arity=2, flags=_FLAGS)
def debug_crash_command(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG CRASH-COMMAND

    Fails as a bug in a command would: the server logs the traceback, answers a generic error and goes on.

    Cost: O(1)
    """
    raise RuntimeError("DEBUG CRASH-COMMAND was called")


_SAMPLES: dict[bytes, Reply] = {
    b"STRING": b"Hello World",
    b"INTEGER": 12345,
    b"DOUBLE": 3.141,
    b"NULL": None,
    b"ARRAY": [0, 1, 2],
    b"SET": SetReply([0, 1, 2]),
    b"MAP": {0: False, 1: True, 2: False},
    b"ATTRIB": Attribute({b"key-popularity": [b"key:123", 90]}, b"Some real reply following the attribute"),
    b"PUSH": Push([b"server-cpu-usage", 42]),
    b"VERBATIM": Verbatim(b"txt", b"This is a verbatim\nstring"),
    b"TRUE": True,
    b"FALSE": False,
    b"BIGNUM": 1234567999999999999999999999999999999,
    b"NULLARRAY": NULL_ARRAY,
}


@verbs.verb("DEBUG|PROTOCOL", arity=3, flags=_FLAGS)
def debug_protocol(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG PROTOCOL <string | integer | double | null | array | set | map | attrib | push | verbatim | true | false | bignum>

    Answers with a sample of a reply type.

    Cost: O(1)
    """
    word = argv[2].upper()
    if word not in _SAMPLES:
        raise RespError("ERR Wrong protocol type name. Please use one of the following: " + "|".join(n.decode().lower() for n in _SAMPLES))
    return _SAMPLES[word]


def digest_of(keyspace: Keyspace, key: bytes) -> bytes:
    """A digest of a key's kind, value and deadline."""
    value = keyspace.data[key]
    text = repr((kind_of(value), to_json(value), keyspace.deadline_of(key)))
    return hashlib.sha1(key + b"\0" + text.encode()).digest()


@verbs.verb("DEBUG|DIGEST", arity=2, flags=_FLAGS)
def debug_digest(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG DIGEST

    Returns a digest of all databases, which does not depend on the order of keys.

    Cost: O(N) with N keys and members

    Differs: the digest is another one than Redis' for the same data.
    """
    total = 0
    for keyspace in ctx.store.databases:
        for key in keyspace.live_keys():
            tagged = hashlib.sha1(b"%d:" % keyspace.index + digest_of(keyspace, key)).digest()
            total ^= int.from_bytes(tagged, "big")
    return Simple(b"%040x" % total)


@verbs.verb("DEBUG|DIGEST-VALUE", arity=-2, flags=_FLAGS)
def debug_digest_value(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG DIGEST-VALUE [key [key ...]]

    Returns the digests of some keys, zeros for what does not exist.

    Cost: O(N) with N keys and members

    Differs: the digest is another one than Redis' for the same data.
    """
    keyspace = ctx.keyspace
    return [
        Simple((digest_of(keyspace, key) if keyspace.get(key) is not None else bytes(20)).hex().encode())
        for key in argv[2:]
    ]


@verbs.verb("DEBUG|HELP", arity=2, flags=_FLAGS)
def debug_help(ctx: Context, argv: list[bytes]) -> Reply:
    """DEBUG HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "DEBUG")
