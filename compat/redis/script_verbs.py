"""Scripts: EVAL, EVALSHA and SCRIPT. How scripts run: ``compat/server/scripting.py``."""

from __future__ import annotations

from januskv.commands.declare import Flag, KeySpec
from januskv.commands.table import Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.compat.server.scripting import NO_SCRIPT
from januskv.resp.replies import OK, Reply
from januskv.storage.errors import NotAnInteger

from .args import parse_int
from .help import help_lines

verbs = Family("scripting", categories=("scripting",))

RUNS = Flag.NOSCRIPT | Flag.STALE | Flag.SKIP_MONITOR | Flag.MAY_REPLICATE | Flag.NO_MANDATORY_KEYS | Flag.MOVABLEKEYS
_READS = (RUNS | Flag.READONLY) & ~Flag.MAY_REPLICATE
_SHA_CHARACTERS = 40
_NOTES = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"
KEYS = KeySpec(begin=2, numkeys=True, flags=("RW", "access", "update"), notes=_NOTES)
KEYS_READ = KeySpec(
    begin=2,
    numkeys=True,
    flags=("RO", "access"),
    notes="We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
)


def keys_and_args(argv: list[bytes], bad_number: str | None = None) -> tuple[list[bytes], list[bytes]]:
    """The keys and the arguments behind their number, which stands third. Raises RespError."""
    try:
        count = parse_int(argv[2])
    except NotAnInteger:
        raise RespError(bad_number or "ERR value is not an integer or out of range") from None
    if count > len(argv) - 3:
        raise RespError("ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise RespError("ERR Number of keys can't be negative")
    return argv[3 : 3 + count], argv[3 + count :]


def _eval(ctx: ServerContext, argv: list[bytes], read_only: bool) -> Reply:
    words = keys_and_args(argv)
    scripting = ctx.server.scripting
    sha, script = scripting.script_of(argv[1])
    return scripting.eval(ctx, argv, sha, script, words, read_only)


def _evalsha(ctx: ServerContext, argv: list[bytes], read_only: bool) -> Reply:
    if len(argv[1]) != _SHA_CHARACTERS:
        raise RespError(NO_SCRIPT)
    words = keys_and_args(argv)
    scripting, sha = ctx.server.scripting, argv[1]
    script = scripting.find(sha)
    if script is None:
        sha = sha.lower()
        script = scripting.find(sha)
        if script is None:
            raise RespError(NO_SCRIPT)
    return scripting.eval(ctx, argv, sha, script, words, read_only)


@verbs.verb("EVAL", arity=-3, flags=RUNS, keys=KEYS, since="2.6.0")
def eval_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """EVAL script numkeys [key [key ...]] [arg [arg ...]]

    Runs a script in Lua; its keys and arguments are in KEYS and ARGV.

    Cost: that of the script
    """
    return _eval(ctx, argv, False)


@verbs.verb("EVAL_RO", arity=-3, flags=_READS, keys=KEYS_READ, since="7.0.0")
def eval_ro(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """EVAL_RO script numkeys [key [key ...]] [arg [arg ...]]

    Runs a script in Lua that only reads.

    Cost: that of the script
    """
    return _eval(ctx, argv, True)


@verbs.verb("EVALSHA", arity=-3, flags=RUNS, keys=KEYS, since="2.6.0")
def evalsha(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """EVALSHA sha1 numkeys [key [key ...]] [arg [arg ...]]

    Runs a script that the server knows, by its SHA-1.

    Cost: that of the script
    """
    return _evalsha(ctx, argv, False)


@verbs.verb("EVALSHA_RO", arity=-3, flags=_READS, keys=KEYS_READ, since="7.0.0")
def evalsha_ro(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """EVALSHA_RO sha1 numkeys [key [key ...]] [arg [arg ...]]

    Runs a script that the server knows, by its SHA-1, and that only reads.

    Cost: that of the script
    """
    return _evalsha(ctx, argv, True)


@verbs.verb("SCRIPT", arity=-2, since="2.6.0")
def script_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SCRIPT

    A container for commands about scripts.
    """
    raise AssertionError("a container is never run")


@verbs.verb(
    "SCRIPT|LOAD",
    arity=3,
    flags=Flag.NOSCRIPT | Flag.STALE,
    since="2.6.0",
    hints=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def script_load(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SCRIPT LOAD script

    Keeps a script for EVALSHA until SCRIPT FLUSH or a restart; returns its SHA-1.

    Cost: O(N) with a script of N bytes
    """
    return ctx.server.scripting.load(argv[2])


@verbs.verb(
    "SCRIPT|EXISTS",
    arity=-3,
    flags=Flag.NOSCRIPT,
    since="2.6.0",
    hints=("request_policy:all_shards", "response_policy:agg_logical_and"),
)
def script_exists(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SCRIPT EXISTS sha1 [sha1 ...]

    Returns for each SHA-1 whether the server knows its script.

    Cost: O(N) with N scripts
    """
    return [int(ctx.server.scripting.find(sha.lower()) is not None) for sha in argv[2:]]


@verbs.verb(
    "SCRIPT|FLUSH",
    arity=-2,
    flags=Flag.NOSCRIPT,
    since="2.6.0",
    hints=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def script_flush(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SCRIPT FLUSH [ASYNC | SYNC]

    Forgets all scripts.

    Cost: O(N) with N scripts
    """
    if len(argv) > 3 or (len(argv) == 3 and argv[2].upper() not in (b"ASYNC", b"SYNC")):
        raise RespError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    ctx.server.scripting.forget()
    return OK


@verbs.verb(
    "SCRIPT|KILL",
    arity=2,
    flags=Flag.NOSCRIPT | Flag.ALLOW_BUSY,
    since="2.6.0",
    hints=("request_policy:all_shards", "response_policy:one_succeeded"),
)
def script_kill(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SCRIPT KILL

    Ends the script that runs, unless it has written.

    Cost: O(1)
    """
    ctx.server.scripting.kill("SCRIPT")
    return OK


@verbs.verb("SCRIPT|DEBUG", arity=3, flags=Flag.NOSCRIPT, since="3.2.0")
def script_debug(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SCRIPT DEBUG <YES | SYNC | NO>

    Is refused, except for NO: there is no debugger for scripts.

    Cost: O(1)

    Differs: no debugger
    """
    mode = argv[2].upper()
    if mode not in (b"YES", b"SYNC", b"NO"):
        raise RespError("ERR Use SCRIPT DEBUG YES/SYNC/NO")
    if mode != b"NO":
        raise RespError("ERR There is no debugger for scripts")
    return OK


@verbs.verb("SCRIPT|HELP", arity=2, flags=Flag.LOADING | Flag.STALE, since="5.0.0")
def script_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SCRIPT HELP

    Describes the subcommands.

    Cost: O(1)
    """
    return help_lines(ctx.server.table, "SCRIPT")
