"""Commands about the server: configuration, logs, time, shutdown."""

from __future__ import annotations

from collections.abc import Sequence

from januskv import __version__
from januskv.commands.declare import REDACTED, Flag
from januskv.commands.table import Family
from januskv.compat.server.config import Config
from januskv.compat.server.context import ServerContext
from januskv.compat.server.core import REDIS_VERSION
from januskv.compat.server.faults import RespError
from januskv.compat.server.parameters import BY_NAME, ConfigError, Parameter
from januskv.compat.server.persistence import Persistence
from januskv.compat.server.sections import MODULES
from januskv.compat.server.shown_tokens import sees_tokens, without_tokens
from januskv.resp.replies import NO_REPLY, OK, Reply, Simple, Verbatim
from januskv.storage.glob import matcher

from .args import SYNTAX_ERROR, Args
from .help import help_lines, wrong_form

verbs = Family("server")

_ANY = Flag.LOADING | Flag.STALE
_ADMIN = _ANY | Flag.ADMIN | Flag.NOSCRIPT
_SAVING = Flag.ADMIN | Flag.NOSCRIPT | Flag.NO_ASYNC_LOADING
_REPLICATION_STREAM = Flag.ADMIN | Flag.NOSCRIPT
_REPLICATION = _SAVING | Flag.STALE
_MODULES = _SAVING | Flag.PROTECTED

NO_PERSISTENCE = "ERR this server was started to keep nothing (save no): there is no directory to save to"
NO_MODULES = "ERR this server loads no modules"


# ---------------------------------------------------------------- CONFIG


@verbs.verb("CONFIG", arity=-2, since="2.0.0")
def config_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CONFIG

    A container for commands about the configuration.
    """
    raise AssertionError("a container is never run")


@verbs.verb("CONFIG|GET", arity=-3, flags=_ADMIN, since="2.0.0")
def config_get(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CONFIG GET parameter [parameter ...]

    Returns the parameters that match glob patterns, with their values.

    Cost: O(N) with N patterns
    """
    config = ctx.server.config
    values: dict[str, bytes] = {}
    for text in argv[2:]:
        pattern = text.decode(errors="replace")
        parameter = BY_NAME.get(pattern.lower())
        if parameter is not None:
            values[pattern] = _value_text(config, parameter)  # under the name as written
            continue
        matches = matcher(text.lower())
        values |= {
            name: _value_text(config, each)
            for name, each in BY_NAME.items()
            if not each.hidden and matches(name.encode())
        }
    return values


def _value_text(config: Config, parameter: Parameter) -> bytes:
    return config.shown(parameter).encode(errors="surrogateescape")


def _hide_secret_values(argv: Sequence[bytes]) -> list[bytes]:
    redacted = list(argv)
    for at in range(3, len(argv), 2):
        parameter = BY_NAME.get(argv[at - 1].decode(errors="replace").lower())
        if parameter is not None and parameter.secret:
            redacted[at] = REDACTED
    return redacted


@verbs.verb(
    "CONFIG|SET",
    arity=-4,
    flags=_ADMIN,
    since="2.0.0",
    redact=_hide_secret_values,
    hints=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def config_set(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CONFIG SET parameter value [parameter value ...]

    Changes parameters, all of them or, if one cannot be changed, none.

    Cost: O(N) with N parameters
    """
    if len(argv) % 2:
        raise RespError(SYNTAX_ERROR)
    given: dict[str, tuple[str, Parameter]] = {}
    for word in argv[2::2]:
        name = word.decode(errors="replace")
        parameter = BY_NAME.get(name.lower())
        if parameter is None:
            raise RespError(f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
        if parameter.fixed:
            raise _config_set_failed(name, "can't set immutable config")
        if name.lower() in given:
            raise _config_set_failed(name, "duplicate parameter")
        given[name.lower()] = (name, parameter)
    new: dict[str, object] = {}
    for (name, parameter), value in zip(given.values(), argv[3::2], strict=True):
        try:
            new[parameter.attribute] = parameter.kind.parse(value.decode(errors="surrogateescape"))
        except ConfigError as error:
            raise _config_set_failed(name, str(error)) from None
    try:
        ctx.server.prepare_change(new)
    except ConfigError as error:
        raise _config_set_failed(error.parameter, str(error)) from None
    ctx.server.config.update(new)
    if "requirepass" in new:
        ctx.server.users.set_default_password(ctx.server.config.requirepass)
    return OK


def _config_set_failed(name: str, reason: str) -> RespError:
    return RespError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")


@verbs.verb(
    "CONFIG|RESETSTAT",
    arity=2,
    flags=_ADMIN,
    since="2.0.0",
    hints=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def config_resetstat(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CONFIG RESETSTAT

    Resets the statistics.

    Cost: O(N) with N commands and clients
    """
    server = ctx.server
    server.accounts.reset()
    for client in server.clients.everyone():
        client.connection.bytes_in = client.connection.bytes_out = 0
        client.connection.reads = client.connection.writes = 0
    for keyspace in server.store.keyspaces():
        keyspace.hits = keyspace.misses = keyspace.expired = 0
    server.store.feed.reclaimer.freed = 0
    server.store.expiry_cuts = 0
    server.store.expiry_s = 0.0
    return OK


@verbs.verb(
    "CONFIG|REWRITE",
    arity=2,
    flags=_ADMIN,
    since="2.8.0",
    hints=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def config_rewrite(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CONFIG REWRITE

    Writes the parameters in force into the configuration file that the server was started with.

    Cost: O(N) with N parameters
    """
    config = ctx.server.config
    if config.path is None:
        raise RespError("ERR The server is running without a config file")
    try:
        config.rewrite(ctx.server.users.config_lines())
    except OSError as error:
        raise RespError(f"ERR Rewriting config file: {error.strerror}") from error
    except ConfigError as error:
        raise RespError(f"ERR Rewriting config file: {error}") from error
    return OK


@verbs.verb("CONFIG|HELP", arity=2, flags=_ANY, since="5.0.0")
def config_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CONFIG HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "CONFIG")


# ---------------------------------------------------------------- SLOWLOG


@verbs.verb("SLOWLOG", arity=-2, since="2.2.12")
def slowlog_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SLOWLOG

    A container for commands about the log of slow commands.
    """
    raise AssertionError("a container is never run")


@verbs.verb(
    "SLOWLOG|GET",
    arity=-2,
    flags=_ADMIN & ~Flag.NOSCRIPT,
    since="2.2.12",
    hints=("request_policy:all_nodes", "nondeterministic_output"),
)
def slowlog_get(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SLOWLOG GET [count]

    Returns the newest slow commands; -1 for all.

    Cost: O(N) with N entries
    """
    count = 10
    if len(argv) > 3:
        raise wrong_form(argv)
    if len(argv) == 3:
        count = Args(argv, 2).integer("ERR count should be greater than or equal to -1")
        if count < -1:
            raise RespError("ERR count should be greater than or equal to -1")
    entries = list(ctx.server.accounts.slowlog.entries)
    tokens = {} if sees_tokens(ctx.server.table, ctx.caller.user) else ctx.store.sessions.by_token
    return [
        [entry.number, entry.time_s, entry.usec, without_tokens(entry.argv, tokens), entry.address, entry.client_name]
        for entry in (entries if count < 0 else entries[:count])
    ]


@verbs.verb(
    "SLOWLOG|LEN",
    arity=2,
    flags=_ADMIN & ~Flag.NOSCRIPT,
    since="2.2.12",
    hints=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
)
def slowlog_len(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SLOWLOG LEN

    Counts the entries of the slow log.

    Cost: O(1)
    """
    return len(ctx.server.accounts.slowlog.entries)


@verbs.verb(
    "SLOWLOG|RESET",
    arity=2,
    flags=_ADMIN & ~Flag.NOSCRIPT,
    since="2.2.12",
    hints=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def slowlog_reset(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SLOWLOG RESET

    Empties the slow log.

    Cost: O(N) with N entries
    """
    ctx.server.accounts.slowlog.entries.clear()
    return OK


@verbs.verb("SLOWLOG|HELP", arity=2, flags=_ANY, since="6.2.0")
def slowlog_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SLOWLOG HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "SLOWLOG")


# ---------------------------------------------------------------- the rest


@verbs.verb("TIME", arity=1, flags=_ANY | Flag.FAST, since="2.6.0", hints=("nondeterministic_output",))
def time_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """TIME

    Returns the server's time: seconds since the epoch, and microseconds.

    Cost: O(1)
    """
    usec = ctx.store.clock.now_us()
    return [b"%d" % (usec // 10**6), b"%d" % (usec % 10**6)]


@verbs.verb("MONITOR", arity=1, flags=_ADMIN | Flag.CONNECTION)
def monitor(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MONITOR

    Shows every command that is run from now on, until the connection closes.

    Cost: O(1); every command then costs more
    """
    ctx.server.monitors.set(ctx.connected, True)
    return OK


@verbs.verb("ROLE", arity=1, flags=_ANY | Flag.NOSCRIPT | Flag.FAST, since="2.8.12", categories=("admin", "dangerous"))
def role(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ROLE

    Returns the server's role in replication: a master without replicas.

    Cost: O(1)
    """
    return [b"master", 0, []]


_BAD_PORT = "ERR Invalid master port"
_NO_REPLICATION = "ERR replication is not supported by this server"


def _replicate(argv: list[bytes]) -> Reply:
    if (argv[1].upper(), argv[2].upper()) == (b"NO", b"ONE"):
        return OK
    if not 0 <= Args(argv, 2).integer(_BAD_PORT) <= 65535:
        raise RespError(_BAD_PORT)
    raise RespError(_NO_REPLICATION)


@verbs.verb("SLAVEOF", arity=3, flags=_REPLICATION, deprecated=("5.0.0", "`REPLICAOF`"))
def slaveof(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SLAVEOF host port

    The old name of REPLICAOF.

    Cost: O(1)

    Differs: only NO ONE is accepted.
    """
    return _replicate(argv)


@verbs.verb("REPLICAOF", arity=3, flags=_REPLICATION, since="5.0.0")
def replicaof(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """REPLICAOF host port

    Replication is not implemented: NO ONE is accepted, everything else refused.

    Cost: O(1)

    Differs: only NO ONE is accepted.
    """
    return _replicate(argv)


@verbs.verb("FAILOVER", arity=-1, flags=_ADMIN & ~Flag.LOADING, since="6.2.0")
def failover(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]

    Hands the role of master over to a replica. Refused: there are no replicas.

    Cost: O(1)

    Differs: always refused.
    """
    args = Args(argv, 1)
    if args.flag(b"ABORT") and not args.more():
        raise RespError("ERR No failover in progress.")
    args.at = 1
    left = {b"TIMEOUT", b"TO", b"FORCE"}
    while args.more():
        word = args.word()
        if word not in left:
            raise RespError(SYNTAX_ERROR)
        left.remove(word)
        if word == b"TO":
            args.take()
        if word != b"FORCE" and args.integer() <= 0 and word == b"TIMEOUT":
            raise RespError("ERR FAILOVER timeout must be greater than 0")
    raise RespError("ERR FAILOVER requires connected replicas.")


@verbs.verb(
    "REPLCONF", arity=-1, flags=_REPLICATION_STREAM | Flag.LOADING | Flag.STALE | Flag.ALLOW_BUSY, since="3.0.0"
)
def replconf(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """REPLCONF [option value [option value ...]]

    Sent by a replica to its master before PSYNC. Refused: replication is not implemented.

    Cost: O(1)

    Differs: always refused.
    """
    raise RespError(_NO_REPLICATION)


@verbs.verb("PSYNC", arity=-3, flags=_REPLICATION_STREAM | Flag.NO_ASYNC_LOADING | Flag.NO_MULTI, since="2.8.0")
def psync(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PSYNC replication-id offset

    Sent by a replica to request the stream of changes. Refused: replication is not implemented.

    Cost: O(1)

    Differs: always refused.
    """
    raise RespError(_NO_REPLICATION)


@verbs.verb("SYNC", arity=1, flags=_REPLICATION_STREAM | Flag.NO_ASYNC_LOADING | Flag.NO_MULTI)
def sync(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SYNC

    The old form of PSYNC; `redis-cli --rdb` and `redis-cli --replica` also send it to request a copy of the data. Refused:
    replication is not implemented.

    Cost: O(1)

    Differs: always refused.
    """
    raise RespError(_NO_REPLICATION)


def _persistence(ctx: ServerContext) -> Persistence:
    found = ctx.server.persistence
    if found is None:
        raise RespError(NO_PERSISTENCE)
    return found


@verbs.verb("SAVE", arity=1, flags=_SAVING | Flag.NO_MULTI)
def save(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SAVE

    Writes a snapshot of everything and rewrites the log; no other command runs meanwhile.

    Cost: O(N) with N keys and their members

    Differs: refused if nothing is persisted (``save no``).
    """
    _persistence(ctx).save()
    return OK


@verbs.verb("BGSAVE", arity=-1, flags=_SAVING)
def bgsave(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """BGSAVE [SCHEDULE]

    Writes a snapshot in a child process and rewrites the log, like BGREWRITEAOF; inside a
    transaction, soon after it. With SCHEDULE it waits for one in progress.

    Cost: O(1)

    Differs: refused if nothing is persisted (``save no``).
    """
    if len(argv) > 2 or (len(argv) == 2 and argv[1].upper() != b"SCHEDULE"):
        raise RespError(SYNTAX_ERROR)
    begun = _persistence(ctx).save_in_background("Background save already in progress", schedule=len(argv) == 2)
    return Simple(b"Background saving started" if begun else b"Background saving scheduled")


@verbs.verb("BGREWRITEAOF", arity=1, flags=_SAVING)
def bgrewriteaof(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """BGREWRITEAOF

    Rewrites the log from a snapshot that a process of its own writes; inside a transaction, soon after it.

    Cost: O(1)

    Differs: refused if nothing is persisted (``save no``).
    """
    begun = _persistence(ctx).save_in_background("Background append only file rewriting already in progress")
    return Simple(b"Background append only file rewriting " + (b"started" if begun else b"scheduled"))


def module_entries() -> list[Reply]:
    """The built-in modules, as MODULE LIST and HELLO describe them."""
    return [{"name": name, "ver": version, "path": "", "args": []} for name, version in MODULES.items()]


@verbs.verb("MODULE", arity=-2, since="4.0.0")
def module_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MODULE

    A container for commands about modules. None can be loaded; the built-in ones are listed.
    """
    raise AssertionError("a container is never run")


@verbs.verb(
    "MODULE|LIST", arity=2, flags=Flag.ADMIN | Flag.NOSCRIPT, since="4.0.0", hints=("nondeterministic_output_order",)
)
def module_list(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MODULE LIST

    Lists what clients expect as modules: time series, as of RedisTimeSeries 1.12.

    Cost: O(1)
    """
    return module_entries()


@verbs.verb("MODULE|LOAD", arity=-3, flags=_MODULES, since="4.0.0")
def module_load(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MODULE LOAD path [arg [arg ...]]

    Refused: there are no modules.

    Cost: O(1)

    Differs: always refused.
    """
    raise RespError(NO_MODULES)


@verbs.verb("MODULE|LOADEX", arity=-3, flags=_MODULES, since="7.0.0")
def module_loadex(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MODULE LOADEX path [CONFIG name value [CONFIG name value ...]] [ARGS arg [arg ...]]

    Refused: there are no modules.

    Cost: O(1)

    Differs: always refused.
    """
    raise RespError(NO_MODULES)


@verbs.verb("MODULE|UNLOAD", arity=3, flags=_MODULES, since="4.0.0")
def module_unload(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MODULE UNLOAD name

    Refused: there are no modules.

    Cost: O(1)

    Differs: always refused.
    """
    raise RespError(NO_MODULES)


@verbs.verb("MODULE|HELP", arity=2, flags=_ANY, since="5.0.0")
def module_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """MODULE HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "MODULE")


@verbs.verb("LOLWUT", arity=-1, flags=Flag.READONLY | Flag.FAST, since="5.0.0")
def lolwut(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LOLWUT [VERSION version] [argument [argument ...]]

    Draws a picture, and names the version.

    Cost: O(1)

    Differs: always the same picture; Redis reads the arguments as version and sizes.
    """
    if len(argv) > 2 and argv[1].upper() == b"VERSION":
        Args(argv, 2).integer()
    faces = " .-''-.  .-''-.\n /  o  \\/  o  \\\n |    <  >    |\n \\  --' '--  /\n  '-..-''-..-'\n"
    return Verbatim(b"txt", f"{faces}\nJanusKV ver. {__version__} (Redis ver. {REDIS_VERSION})\n".encode())


@verbs.verb("SHUTDOWN", arity=-1, flags=_ADMIN | Flag.NO_MULTI | Flag.ALLOW_BUSY)
def shutdown(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]

    Ends the server: it closes its listeners and connections, writes and syncs the log, and exits. A snapshot is written
    with SAVE, or unless NOSAVE if there are save points but no log; if that fails, the server continues unless FORCE
    is given.

    Cost: O(N) with N connections; with a snapshot O(M) with M keys and their members

    Differs: SAVE is refused if nothing is persisted; the server ends at once, so there is nothing to ABORT.
    """
    words = {word.upper() for word in argv[1:]}
    if not words <= {b"SAVE", b"NOSAVE", b"NOW", b"FORCE", b"ABORT"} or {b"SAVE", b"NOSAVE"} <= words:
        raise RespError(SYNTAX_ERROR)
    if b"ABORT" in words:
        raise RespError(SYNTAX_ERROR if len(words) > 1 else "ERR No shutdown in progress.")
    server = ctx.server
    if server.state.busy:
        if b"NOSAVE" not in words:
            raise RespError(server.state.busy)
        server.process.exit_now()
    if not server.state.loading:
        try:
            if b"SAVE" in words:
                _persistence(ctx).save()
            elif b"NOSAVE" not in words and server.persistence is not None:
                server.persistence.save_at_end()
        except RespError:
            if b"FORCE" not in words:
                raise
    server.process.stop()
    return NO_REPLY  # clients take a closed connection as success, and any reply as failure


@verbs.verb(
    "LASTSAVE", arity=1, flags=_ANY | Flag.FAST, categories=("admin", "dangerous"), hints=("nondeterministic_output",)
)
def lastsave(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """LASTSAVE

    Returns the time of the last snapshot; before the first one, the time of the start.

    Cost: O(1)
    """
    persistence = ctx.server.persistence
    return int((ctx.server.started_ms if persistence is None else persistence.saved_ms) // 1000)
