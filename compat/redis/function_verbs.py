"""Functions: FUNCTION and FCALL. How they run: ``compat/server/scripting.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from januskv.commands.declare import Flag
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.resp.replies import OK, Reply, SetReply, Simple
from januskv.storage.glob import matcher

from .function_payloads import dumped, restored
from .help import help_lines, wrong_form
from .script_verbs import KEYS, KEYS_READ, RUNS, keys_and_args

if TYPE_CHECKING:
    from januskv.lua import Function, Library

verbs = Family("scripting", categories=("scripting",))

_WRITES = Flag.NOSCRIPT | Flag.WRITE | Flag.DENYOOM
_SHARDS = ("request_policy:all_shards", "response_policy:all_succeeded")


def _shown(word: bytes) -> str:
    """A word as Redis repeats it at the end of an error: without line ends behind it."""
    return word.decode(errors="surrogateescape").rstrip("\r\n")


def _fcall(ctx: ServerContext, argv: list[bytes], *, read_only: bool) -> Reply:
    scripting = ctx.server.scripting
    scripting.sync()
    name = argv[1].decode(errors="surrogateescape").lower()
    if name not in scripting.functions:
        raise RespError("ERR Function not found")
    words = keys_and_args(argv, "ERR Bad number of keys provided")
    return scripting.call_function(ctx, argv, name, words, read_only)


@verbs.verb("FCALL", arity=-3, flags=RUNS, keys=KEYS, since="7.0.0")
def fcall(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FCALL function numkeys [key [key ...]] [arg [arg ...]]

    Calls a function of a library.

    Cost: that of the function
    """
    return _fcall(ctx, argv, read_only=False)


@verbs.verb("FCALL_RO", arity=-3, flags=(RUNS | Flag.READONLY) & ~Flag.MAY_REPLICATE, keys=KEYS_READ, since="7.0.0")
def fcall_ro(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FCALL_RO function numkeys [key [key ...]] [arg [arg ...]]

    Calls a function of a library that only reads.

    Cost: that of the function
    """
    return _fcall(ctx, argv, read_only=True)


@verbs.verb("FUNCTION", arity=-2, since="7.0.0")
def function_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION

    A container for commands about functions.
    """
    raise AssertionError("a container is never run")


@verbs.verb("FUNCTION|LOAD", arity=-3, flags=_WRITES, since="7.0.0", hints=_SHARDS)
def function_load(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION LOAD [REPLACE] code

    Makes a library of its code, which is kept as data is; returns its name.

    Cost: O(N) with code of N bytes
    """
    replace = False
    for word in argv[2:-1]:
        if word.upper() != b"REPLACE":
            raise RespError(f"ERR Unknown option given: {_shown(word)}")
        replace = True
    scripting = ctx.server.scripting
    library = scripting.library_of(argv[-1], replace=replace)
    scripting.put_library(library, replace=replace)
    return library.name.encode()


@verbs.verb("FUNCTION|DELETE", arity=3, flags=Flag.NOSCRIPT | Flag.WRITE, since="7.0.0", hints=_SHARDS)
def function_delete(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION DELETE library

    Deletes a library with its functions.

    Cost: O(1)
    """
    ctx.server.scripting.remove_library(argv[2].decode(errors="surrogateescape"))
    return OK


@verbs.verb("FUNCTION|FLUSH", arity=-2, flags=Flag.NOSCRIPT | Flag.WRITE, since="7.0.0", hints=_SHARDS)
def function_flush(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION FLUSH [ASYNC | SYNC]

    Deletes all libraries.

    Cost: O(N) with N libraries
    """
    if len(argv) > 3:
        raise wrong_form(argv)
    if len(argv) == 3 and argv[2].upper() not in (b"ASYNC", b"SYNC"):
        raise RespError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    ctx.server.scripting.clear_libraries()
    return OK


def _described(name: str, function: Function) -> dict[bytes, Reply]:
    flags = [Simple(flag.encode()) for flag in sorted(function.flags)]
    return {b"name": name.encode(), b"description": function.description, b"flags": SetReply(flags)}


def _listed(library: Library, with_code: bool) -> dict[bytes, Reply]:
    functions: list[Reply] = [_described(name, function) for name, function in library.functions.items()]
    listed: dict[bytes, Reply] = {b"library_name": library.name.encode(), b"engine": b"LUA", b"functions": functions}
    if with_code:
        listed[b"library_code"] = library.code
    return listed


@verbs.verb(
    "FUNCTION|LIST",
    arity=-2,
    flags=Flag.NOSCRIPT,
    since="7.0.0",
    hints=("nondeterministic_output_order",),
)
def function_list(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]

    Lists libraries and their functions.

    Cost: O(N) with N functions
    """
    pattern: bytes | None = None
    with_code = False
    words = iter(argv[2:])
    for word in words:
        if word.upper() == b"WITHCODE" and not with_code:
            with_code = True
        elif word.upper() == b"LIBRARYNAME" and pattern is None:
            pattern = next(words, None)
            if pattern is None:
                raise RespError("ERR library name argument was not given")
        else:
            raise RespError(f"ERR Unknown argument {_shown(word)}")
    scripting = ctx.server.scripting
    scripting.sync()
    matches = (lambda name: True) if pattern is None else matcher(pattern)
    return [_listed(each, with_code) for name, each in scripting.libraries.items() if matches(name.encode())]


@verbs.verb(
    "FUNCTION|STATS",
    arity=2,
    flags=Flag.NOSCRIPT | Flag.ALLOW_BUSY,
    since="7.0.0",
    hints=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def function_stats(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION STATS

    Describes the script or function that runs, and how many libraries and functions there are.

    Cost: O(1)
    """
    scripting = ctx.server.scripting
    running = scripting.running
    shown: Reply = None
    if running is not None:
        shown = {b"name": running.name, b"command": list(running.argv), b"duration_ms": running.spent_ms}
    else:
        scripting.sync()
    counts: Reply = {b"libraries_count": len(scripting.libraries), b"functions_count": len(scripting.functions)}
    return {b"running_script": shown, b"engines": {b"LUA": counts}}


@verbs.verb("FUNCTION|DUMP", arity=2, flags=Flag.NOSCRIPT, since="7.0.0")
def function_dump(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION DUMP

    Returns all libraries as a payload for FUNCTION RESTORE, also of redis-server.

    Cost: O(N) with N bytes of code
    """
    return dumped(list(ctx.store.libraries.code.values()))


@verbs.verb("FUNCTION|RESTORE", arity=-3, flags=_WRITES, since="7.0.0", hints=_SHARDS)
def function_restore(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]

    Makes the libraries of a payload: besides those that are there, in place of them all, or of those with their names.

    Cost: O(N) with N bytes of code
    """
    policy = argv[3].upper() if len(argv) > 3 else b"APPEND"
    if len(argv) > 4:
        raise wrong_form(argv)
    if policy not in (b"FLUSH", b"APPEND", b"REPLACE"):
        raise RespError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    scripting = ctx.server.scripting
    libraries = [scripting.library_of(code) for code in restored(argv[2])]
    scripting.restore(libraries, replace=policy == b"REPLACE", flush=policy == b"FLUSH")
    return OK


@verbs.verb(
    "FUNCTION|KILL",
    arity=2,
    flags=Flag.NOSCRIPT | Flag.ALLOW_BUSY,
    since="7.0.0",
    hints=("request_policy:all_shards", "response_policy:one_succeeded"),
)
def function_kill(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION KILL

    Ends the function that runs, unless it has written.

    Cost: O(1)
    """
    ctx.server.scripting.kill("FUNCTION")
    return OK


@verbs.verb("FUNCTION|HELP", arity=2, flags=Flag.LOADING | Flag.STALE, since="7.0.0")
def function_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FUNCTION HELP

    Describes the subcommands.

    Cost: O(1)
    """
    return help_lines(ctx.server.table, "FUNCTION")
