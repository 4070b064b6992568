"""Verbs about the server: configuration, logs, time, the end."""

from __future__ import annotations

import time

from januskv import __version__
from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.config import BY_NAME, ConfigError
from januskv.compat.faults import RespError
from januskv.compat.server import REDIS_VERSION, Server, Stats
from januskv.resp.replies import OK, Reply, Simple, Verbatim
from januskv.storage.glob import matcher

from .args import SYNTAX_ERROR, Args
from .help import help_lines
from .sizes import size_of

verbs = Family("server")

_ANY = Flag.LOADING | Flag.STALE
_ADMIN = _ANY | Flag.ADMIN | Flag.NOSCRIPT


# ---------------------------------------------------------------- CONFIG


@verbs.verb("CONFIG", arity=-2, since="2.0.0")
def config_(ctx: Context, argv: list[bytes]) -> Reply:
    """CONFIG

    A container for commands about the configuration.
    """
    raise AssertionError("a container is never run")


@verbs.verb("CONFIG|GET", arity=-3, flags=_ADMIN, since="2.0.0")
def config_get(ctx: Context, argv: list[bytes]) -> Reply:
    """CONFIG GET parameter [parameter ...]

    Returns the parameters that match glob patterns, with their values.

    Cost: O(N) with N patterns
    """
    config = ctx.server.config
    found: dict[str, str] = {}
    for text in argv[2:]:
        pattern = text.decode(errors="replace")
        parameter = BY_NAME.get(pattern.lower())
        if parameter is not None:
            found[pattern] = config.shown(parameter)  # under the name as it was written
            continue
        matches = matcher(text.lower())
        found |= {name: config.shown(each) for name, each in BY_NAME.items() if matches(name.encode())}
    return found


@verbs.verb("CONFIG|SET", arity=-4, flags=_ADMIN, since="2.0.0", hints=("request_policy:all_nodes", "response_policy:all_succeeded"))
def config_set(ctx: Context, argv: list[bytes]) -> Reply:
    """CONFIG SET parameter value [parameter value ...]

    Changes parameters, all of them or, if one cannot be changed, none.

    Cost: O(N) with N parameters
    """
    if len(argv) % 2:
        raise RespError("ERR wrong number of arguments for 'config|set' command")
    config = ctx.server.config
    names = [name.decode(errors="replace").lower() for name in argv[2::2]]
    values = [value.decode(errors="surrogateescape") for value in argv[3::2]]
    new: dict[str, object] = {}
    for name, value in zip(names, values, strict=True):
        parameter = BY_NAME.get(name)
        if parameter is None:
            raise RespError(f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
        failed = f"ERR CONFIG SET failed (possibly related to argument '{name}') - "
        if parameter.fixed:
            raise RespError(f"{failed}can't set immutable config")
        if parameter.attribute in new:
            raise RespError(f"{failed}duplicate parameter")
        try:
            new[parameter.attribute] = parameter.kind.parse(value)
        except ConfigError as error:
            raise RespError(f"{failed}{error}") from None
    config.update(new)
    return OK


@verbs.verb("CONFIG|RESETSTAT", arity=2, flags=_ADMIN, since="2.0.0", hints=("request_policy:all_nodes", "response_policy:all_succeeded"))
def config_resetstat(ctx: Context, argv: list[bytes]) -> Reply:
    """CONFIG RESETSTAT

    Begins the statistics anew.

    Cost: O(N) with N commands and clients
    """
    server: Server = ctx.server
    server.stats = Stats()
    for command in server.table.everything():
        command.reset_counters()
    for client in server.clients.values():
        client.connection.bytes_in = client.connection.bytes_out = 0
    for keyspace in server.store.keyspaces():
        keyspace.hits = keyspace.misses = keyspace.expired = 0
    server.rates.reset()
    return OK


@verbs.verb("CONFIG|REWRITE", arity=2, flags=_ADMIN, since="2.8.0", hints=("request_policy:all_nodes", "response_policy:all_succeeded"))
def config_rewrite(ctx: Context, argv: list[bytes]) -> Reply:
    """CONFIG REWRITE

    Writes the parameters in force into the configuration file that the server was started with.

    Cost: O(N) with N parameters
    """
    config = ctx.server.config
    if config.path is None:
        raise RespError("ERR The server is running without a config file")
    try:
        config.rewrite()
    except OSError as error:
        raise RespError(f"ERR Rewriting config file: {error.strerror}") from error
    return OK


@verbs.verb("CONFIG|HELP", arity=2, flags=_ANY, since="5.0.0")
def config_help(ctx: Context, argv: list[bytes]) -> Reply:
    """CONFIG HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "CONFIG")


# ---------------------------------------------------------------- SLOWLOG


@verbs.verb("SLOWLOG", arity=-2, since="2.2.12")
def slowlog_(ctx: Context, argv: list[bytes]) -> Reply:
    """SLOWLOG

    A container for commands about the log of slow commands.
    """
    raise AssertionError("a container is never run")


@verbs.verb("SLOWLOG|GET", arity=-2, flags=_ADMIN & ~Flag.NOSCRIPT, since="2.2.12", hints=("request_policy:all_nodes", "nondeterministic_output"))
def slowlog_get(ctx: Context, argv: list[bytes]) -> Reply:
    """SLOWLOG GET [count]

    Returns the newest slow commands; -1 for all.

    Cost: O(N) with N entries
    """
    count = 10
    if len(argv) > 3:
        raise RespError("ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.")
    if len(argv) == 3:
        count = Args(argv, 2).integer("ERR count should be greater than or equal to -1")
        if count < -1:
            raise RespError("ERR count should be greater than or equal to -1")
    entries = list(ctx.server.slowlog.entries)
    return [
        [entry.number, entry.time_s, entry.usec, entry.argv, entry.address, entry.client_name]
        for entry in (entries if count < 0 else entries[:count])
    ]


@verbs.verb("SLOWLOG|LEN", arity=2, flags=_ADMIN & ~Flag.NOSCRIPT, since="2.2.12", hints=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"))
def slowlog_len(ctx: Context, argv: list[bytes]) -> Reply:
    """SLOWLOG LEN

    Counts the entries of the slow log.

    Cost: O(1)
    """
    return len(ctx.server.slowlog.entries)


@verbs.verb("SLOWLOG|RESET", arity=2, flags=_ADMIN & ~Flag.NOSCRIPT, since="2.2.12", hints=("request_policy:all_nodes", "response_policy:all_succeeded"))
def slowlog_reset(ctx: Context, argv: list[bytes]) -> Reply:
    """SLOWLOG RESET

    Empties the slow log.

    Cost: O(N) with N entries
    """
    ctx.server.slowlog.entries.clear()
    return OK


@verbs.verb("SLOWLOG|HELP", arity=2, flags=_ANY, since="6.2.0")
def slowlog_help(ctx: Context, argv: list[bytes]) -> Reply:
    """SLOWLOG HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "SLOWLOG")


# ---------------------------------------------------------------- LATENCY


@verbs.verb("LATENCY", arity=-2, since="2.8.13")
def latency_(ctx: Context, argv: list[bytes]) -> Reply:
    """LATENCY

    A container for commands about events that took long.
    """
    raise AssertionError("a container is never run")


@verbs.verb("LATENCY|LATEST", arity=2, flags=_ADMIN, since="2.8.13", hints=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"))
def latency_latest(ctx: Context, argv: list[bytes]) -> Reply:
    """LATENCY LATEST

    Returns the latest and the worst time of every kind of event.

    Cost: O(1)
    """
    return [
        [event, samples[-1][0], samples[-1][1], max(ms for _, ms in samples)]
        for event, samples in ctx.server.latency.items()
        if samples
    ]


@verbs.verb("LATENCY|HISTORY", arity=3, flags=_ADMIN, since="2.8.13", hints=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"))
def latency_history(ctx: Context, argv: list[bytes]) -> Reply:
    """LATENCY HISTORY event

    Returns times and durations of one kind of event.

    Cost: O(1)
    """
    return [[second, ms] for second, ms in ctx.server.latency.get(argv[2].decode(errors="replace"), ())]


@verbs.verb("LATENCY|RESET", arity=-2, flags=_ADMIN, since="2.8.13", hints=("request_policy:all_nodes", "response_policy:agg_sum"))
def latency_reset(ctx: Context, argv: list[bytes]) -> Reply:
    """LATENCY RESET [event [event ...]]

    Forgets some or all kinds of events; returns how many there were.

    Cost: O(1)
    """
    latency = ctx.server.latency
    names = [name.decode(errors="replace") for name in argv[2:]] or list(latency)
    return sum(latency.pop(name, None) is not None for name in names)


@verbs.verb("LATENCY|DOCTOR", arity=2, flags=_ADMIN, since="2.8.13", hints=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"))
def latency_doctor(ctx: Context, argv: list[bytes]) -> Reply:
    """LATENCY DOCTOR

    Says in words what the events show.

    Cost: O(1)
    """
    server = ctx.server
    threshold = server.config.latency_monitor_threshold
    if not threshold:
        text = "Events are not noted: set latency-monitor-threshold to the milliseconds from which they should be."
    elif not server.latency:
        text = f"No event has taken {threshold} ms or more."
    else:
        text = "\n".join(
            f"{event}: {len(samples)} noted, worst {max(ms for _, ms in samples)} ms."
            + (" SLOWLOG GET names the slow commands." if event == "command" else "")
            for event, samples in server.latency.items()
        )
    return Verbatim(b"txt", text.encode())


@verbs.verb("LATENCY|HELP", arity=2, flags=_ANY, since="2.8.13")
def latency_help(ctx: Context, argv: list[bytes]) -> Reply:
    """LATENCY HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "LATENCY")


# ---------------------------------------------------------------- MEMORY


@verbs.verb("MEMORY", arity=-2, since="4.0.0")
def memory_(ctx: Context, argv: list[bytes]) -> Reply:
    """MEMORY

    A container for commands about memory.
    """
    raise AssertionError("a container is never run")


@verbs.verb("MEMORY|USAGE", arity=-3, flags=Flag.READONLY, keys=key("RO", begin=2), since="4.0.0")
def memory_usage(ctx: Context, argv: list[bytes]) -> Reply:
    """MEMORY USAGE key [SAMPLES count]

    Estimates the bytes that a key and its value take; of a collection some members are looked at (0: all).

    Cost: O(N) with N samples
    """
    args = Args(argv, 3)
    samples = 5
    while args.more():
        if not args.flag(b"SAMPLES"):
            raise RespError(SYNTAX_ERROR)
        samples = args.integer()
        if samples < 0:
            raise RespError(SYNTAX_ERROR)
    value = ctx.keyspace.get(argv[2])
    return None if value is None else size_of(argv[2], value, samples)


@verbs.verb("MEMORY|STATS", arity=2, since="4.0.0", hints=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"))
def memory_stats(ctx: Context, argv: list[bytes]) -> Reply:
    """MEMORY STATS

    Says what the memory is used for.

    Cost: O(1)
    """
    from .info import memory_section

    memory = memory_section(ctx.server)
    keys = sum(len(keyspace) for keyspace in ctx.store.keyspaces())
    dataset = memory["used_memory_dataset"]
    return {
        "peak.allocated": memory["used_memory_peak"],
        "total.allocated": memory["used_memory"],
        "startup.allocated": memory["used_memory_startup"],
        "clients.normal": sum(c.connection.pending_input for c in ctx.server.clients.values()),
        "keys.count": keys,
        "keys.bytes-per-key": dataset // keys if keys else 0,
        "dataset.bytes": dataset,
        "dataset.percentage": 100.0 * dataset / memory["used_memory"],
        "peak.percentage": 100.0 * memory["used_memory"] / memory["used_memory_peak"],
    }


@verbs.verb("MEMORY|DOCTOR", arity=2, since="4.0.0", hints=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"))
def memory_doctor(ctx: Context, argv: list[bytes]) -> Reply:
    """MEMORY DOCTOR

    Says in words whether the use of memory looks healthy.

    Cost: O(1)
    """
    from .info import human, memory_section

    memory = memory_section(ctx.server)
    used, total = memory["used_memory"], memory["total_system_memory"]
    text = f"{human(used)} of {human(total)} are used."
    if used * 4 > total * 3:
        text += " That is more than three quarters; nothing is evicted, so writes go on until the system refuses."
    return Verbatim(b"txt", text.encode())


@verbs.verb("MEMORY|PURGE", arity=2, since="4.0.0", hints=("request_policy:all_shards", "response_policy:all_succeeded"))
def memory_purge(ctx: Context, argv: list[bytes]) -> Reply:
    """MEMORY PURGE

    Gives memory that is free back to the system, as far as the C library can.

    Cost: O(N) with N pages
    """
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        raise RespError("ERR this system's C library cannot give memory back")
    trim(0)
    return OK


@verbs.verb("MEMORY|MALLOC-STATS", arity=2, since="4.0.0", hints=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"))
def memory_malloc_stats(ctx: Context, argv: list[bytes]) -> Reply:
    """MEMORY MALLOC-STATS

    Describes the allocator.

    Cost: O(1)
    """
    import sys

    return Verbatim(b"txt", f"pymalloc: {sys.getallocatedblocks()} blocks allocated".encode())


@verbs.verb("MEMORY|HELP", arity=2, flags=_ANY, since="4.0.0")
def memory_help(ctx: Context, argv: list[bytes]) -> Reply:
    """MEMORY HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "MEMORY")


# ---------------------------------------------------------------- the rest


@verbs.verb("TIME", arity=1, flags=_ANY | Flag.FAST, since="2.6.0", hints=("nondeterministic_output",))
def time_(ctx: Context, argv: list[bytes]) -> Reply:
    """TIME

    Returns the server's time: seconds since the epoch, and microseconds.

    Cost: O(1)
    """
    usec = time.time_ns() // 1000
    return [b"%d" % (usec // 10**6), b"%d" % (usec % 10**6)]


@verbs.verb("MONITOR", arity=1, flags=_ADMIN)
def monitor(ctx: Context, argv: list[bytes]) -> Reply:
    """MONITOR

    Shows every command that is run from now on, until the connection closes.

    Cost: O(1); every command then costs more
    """
    ctx.server.set_monitor(ctx.client, True)
    return OK


@verbs.verb("ROLE", arity=1, flags=_ANY | Flag.NOSCRIPT | Flag.FAST, since="2.8.12", categories=("admin", "dangerous"))
def role(ctx: Context, argv: list[bytes]) -> Reply:
    """ROLE

    Returns the part that the server plays in replication: a master without replicas.

    Cost: O(1)
    """
    return [b"master", 0, []]


@verbs.verb("REPLICAOF", arity=3, flags=Flag.NO_ASYNC_LOADING | Flag.ADMIN | Flag.NOSCRIPT | Flag.STALE, since="5.0.0", aliases=())
def replicaof(ctx: Context, argv: list[bytes]) -> Reply:
    """REPLICAOF host port

    Replication is not built: NO ONE is accepted, everything else refused.

    Cost: O(1)

    Differs: only NO ONE is accepted.
    """
    if (argv[1].upper(), argv[2].upper()) == (b"NO", b"ONE"):
        return OK
    raise RespError("ERR replication is not supported by this server")


@verbs.verb("MODULE", arity=-2, since="4.0.0")
def module_(ctx: Context, argv: list[bytes]) -> Reply:
    """MODULE

    A container for commands about modules, of which there are none.
    """
    raise AssertionError("a container is never run")


@verbs.verb("MODULE|LIST", arity=2, flags=Flag.ADMIN | Flag.NOSCRIPT, since="4.0.0", hints=("nondeterministic_output_order",))
def module_list(ctx: Context, argv: list[bytes]) -> Reply:
    """MODULE LIST

    Lists the loaded modules: none.

    Cost: O(1)
    """
    return []


@verbs.verb("MODULE|HELP", arity=2, flags=_ANY, since="5.0.0")
def module_help(ctx: Context, argv: list[bytes]) -> Reply:
    """MODULE HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "MODULE")


@verbs.verb("LOLWUT", arity=-1, flags=Flag.READONLY | Flag.FAST, since="5.0.0")
def lolwut(ctx: Context, argv: list[bytes]) -> Reply:
    """LOLWUT [VERSION version]

    Draws a picture, and names the version.

    Cost: O(1)
    """
    faces = " .-''-.  .-''-.\n /  o  \\/  o  \\\n |    <  >    |\n \\  --' '--  /\n  '-..-''-..-'\n"
    return Verbatim(b"txt", f"{faces}\nJanusKV ver. {__version__} (Redis ver. {REDIS_VERSION})\n".encode())


@verbs.verb("SHUTDOWN", arity=-1, flags=_ADMIN | Flag.NO_MULTI | Flag.ALLOW_BUSY)
def shutdown(ctx: Context, argv: list[bytes]) -> Reply:
    """SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]

    Ends the server: it closes its listeners and connections and exits.

    Cost: O(N) with N connections

    Differs: SAVE and ABORT are refused, since nothing is saved at the end yet.
    """
    words = {word.upper() for word in argv[1:]}
    if not words <= {b"SAVE", b"NOSAVE", b"NOW", b"FORCE", b"ABORT"} or {b"SAVE", b"NOSAVE"} <= words:
        raise RespError(SYNTAX_ERROR)
    if b"ABORT" in words:
        raise RespError("ERR No shutdown in progress.")
    if b"SAVE" in words:
        raise RespError("ERR this server cannot save yet: use SHUTDOWN NOSAVE")
    ctx.server.stop(False)
    return OK


@verbs.verb("LASTSAVE", arity=1, flags=_ANY | Flag.FAST, categories=("admin", "dangerous"), hints=("nondeterministic_output",))
def lastsave(ctx: Context, argv: list[bytes]) -> Reply:
    """LASTSAVE

    Returns the time of the last save: that of the start, since nothing is saved yet.

    Cost: O(1)
    """
    return int(ctx.server.started_ms // 1000)
