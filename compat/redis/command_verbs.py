"""COMMAND: the command table for clients."""

from __future__ import annotations

from typing import Any

from januskv.commands.categories import categories_of
from januskv.commands.declare import SHOWN_FLAGS, Flag, KeySpec
from januskv.commands.table import Command, Family
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.compat.server.key_names import BadBody, called, keys_of
from januskv.resp.replies import Reply, SetReply, Simple
from januskv.storage.glob import matcher

from .args import SYNTAX_ERROR, Args
from .help import help_lines
from .usage import arguments_of

verbs = Family("server")

_FLAGS = Flag.LOADING | Flag.STALE
_BAD_ARGUMENTS = "ERR Invalid arguments specified for command"


def _shown_flags(command: Command) -> SetReply:
    return SetReply([Simple((flag.name or "").lower().encode()) for flag in SHOWN_FLAGS if flag in command.flags])


def _key_range(command: Command) -> tuple[int, int, int]:
    """First key, last key and step, in the old form that clients still use."""
    specs = [
        spec
        for spec in command.options.keys
        if spec.keyword is None and spec.search is None and spec.names is None and not spec.numkeys
    ]
    if not specs:
        return 0, 0, 0
    first = min(spec.begin for spec in specs)
    last = max((spec.begin + spec.last for spec in specs if spec.last >= 0), default=0)
    open_ended = [spec.last for spec in specs if spec.last < 0]
    return first, max(open_ended) if open_ended else last, max(spec.step for spec in specs)


def _key_spec(spec: KeySpec) -> dict[str, Any]:
    begin: dict[str, Any] = {"type": "index", "spec": {"index": spec.begin}}
    if spec.keyword is not None:
        begin = {"type": "keyword", "spec": {"keyword": spec.keyword, "startfrom": spec.begin}}
    find: dict[str, Any] = {"type": "range", "spec": {"lastkey": spec.last, "keystep": spec.step, "limit": spec.limit}}
    if spec.numkeys:
        find = {"type": "keynum", "spec": {"keynumidx": 0, "firstkey": 1, "keystep": spec.step}}
    if spec.search is not None or spec.names is not None:
        begin = find = {"type": "unknown", "spec": {}}
    flags = SetReply([Simple(flag.encode()) for flag in spec.flags])
    notes = {"notes": spec.notes} if spec.notes else {}
    return {**notes, "flags": flags, "begin_search": begin, "find_keys": find}


def describe(command: Command) -> list[Any]:
    """The ten elements of COMMAND and COMMAND INFO."""
    subcommands = (command.subcommands or {}).values()
    return [
        command.text_name,
        command.arity,
        _shown_flags(command),
        *_key_range(command),
        SetReply([Simple(b"@" + name.encode()) for name in categories_of(command)]),
        SetReply(command.options.hints),
        SetReply([_key_spec(spec) for spec in command.options.keys]),
        SetReply([describe(sub) for sub in subcommands]),
    ]


def documentation(command: Command) -> dict[str, Any]:
    """The map of COMMAND DOCS."""
    options, manual = command.options, command.manual
    document: dict[str, Any] = {"summary": manual.summary, "since": options.since, "group": _doc_group(options.group)}
    if manual.cost:
        document["complexity"] = manual.cost
    if options.deprecated is not None:
        since, replacement = options.deprecated
        document["doc_flags"] = SetReply([Simple(b"deprecated")])
        document["deprecated_since"] = since
        document["replaced_by"] = replacement
    if command.params is None:
        arguments = arguments_of(manual.usage, command.name.count("|") + 1, len(options.keys))
        if arguments:
            document["arguments"] = [argument.as_reply() for argument in arguments]
    elif command.max_args == 2:
        document["arguments"] = [
            {"name": "json", "type": "string", "display_text": "json-object", "flags": SetReply([Simple(b"optional")])}
        ]
    if command.subcommands:
        document["subcommands"] = {sub.text_name: documentation(sub) for sub in command.subcommands.values()}
    return document


def _doc_group(group: str) -> str:
    return "module" if group == "native" else group.replace("_", "-")


@verbs.verb(
    "COMMAND",
    arity=-1,
    flags=_FLAGS,
    since="2.8.13",
    categories=("connection",),
    hints=("nondeterministic_output_order",),
)
def command_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """COMMAND

    Describes all commands: arity, flags, keys, categories.

    Cost: O(N) with N commands
    """
    return [describe(command) for command in ctx.server.table]


@verbs.verb("COMMAND|COUNT", arity=2, flags=_FLAGS, since="2.8.13", categories=("connection",))
def command_count(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """COMMAND COUNT

    Counts the commands.

    Cost: O(1)
    """
    return len(ctx.server.table.commands)


@verbs.verb(
    "COMMAND|INFO",
    arity=-2,
    flags=_FLAGS,
    since="2.8.13",
    categories=("connection",),
    hints=("nondeterministic_output_order",),
)
def command_info(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """COMMAND INFO [command-name [command-name ...]]

    Describes some commands, or all; null for what is not a command.

    Cost: O(N) with N commands
    """
    table = ctx.server.table
    if len(argv) == 2:
        return [describe(command) for command in table]
    commands_found = [table.by_name(name.decode(errors="replace")) for name in argv[2:]]
    return [None if command is None else describe(command) for command in commands_found]


@verbs.verb(
    "COMMAND|DOCS",
    arity=-2,
    flags=_FLAGS,
    since="7.0.0",
    categories=("connection",),
    hints=("nondeterministic_output_order",),
)
def command_docs(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """COMMAND DOCS [command-name [command-name ...]]

    Documents some commands, or all.

    Cost: O(N) with N commands
    """
    table = ctx.server.table
    commands = list(table)
    if len(argv) > 2:
        named = [table.by_name(name.decode(errors="replace")) for name in argv[2:]]
        commands = [command for command in named if command is not None]
    return {command.text_name: documentation(command) for command in commands}


@verbs.verb(
    "COMMAND|LIST",
    arity=-2,
    flags=_FLAGS,
    since="7.0.0",
    categories=("connection",),
    hints=("nondeterministic_output_order",),
)
def command_list(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]

    Lists the names of all commands, or of those in an ACL category or matching a pattern.

    Cost: O(N) with N commands
    """
    commands = list(ctx.server.table.everything())
    if len(argv) > 2:
        args = Args(argv, 2)
        if not args.flag(b"FILTERBY") or args.left() != 2:
            raise RespError(SYNTAX_ERROR)
        kind, text = args.word(), args.take()
        if kind == b"MODULE":
            commands = []
        elif kind == b"ACLCAT":
            commands = [command for command in commands if text.decode(errors="replace") in categories_of(command)]
        elif kind == b"PATTERN":
            matches = matcher(text.lower())
            commands = [command for command in commands if matches(command.text_name.encode())]
        else:
            raise RespError(SYNTAX_ERROR)
        return [command.text_name for command in commands]
    return [command.text_name for command in commands]


def _keys_of(ctx: ServerContext, line: list[bytes]) -> list[tuple[bytes, KeySpec]]:
    try:
        command, arguments = called(ctx.server.table, line)
    except BadBody:
        raise RespError(_BAD_ARGUMENTS) from None
    if command is None or (command.subcommands and len(line) > 1):
        raise RespError("ERR Invalid command specified")
    if all("not_key" in spec.flags for spec in command.options.keys):
        raise RespError("ERR The command has no key arguments")
    if ctx.server.table.find(line) is command and not command.min_args <= len(line) <= command.max_args:
        raise RespError("ERR Invalid number of arguments specified for command")
    try:
        return keys_of(command, arguments)
    except ValueError:
        raise RespError(_BAD_ARGUMENTS) from None


@verbs.verb("COMMAND|GETKEYS", arity=-3, flags=_FLAGS, since="2.8.13", categories=("connection",))
def command_getkeys(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """COMMAND GETKEYS command [arg ...]

    Returns the keys in a command line.

    Cost: O(N) with N arguments
    """
    return [name for name, _ in _keys_of(ctx, argv[2:])]


def _flags_of(spec: KeySpec, line: list[bytes]) -> tuple[str, ...]:
    return spec.flags if spec.flags_of is None else spec.flags_of(line)


@verbs.verb("COMMAND|GETKEYSANDFLAGS", arity=-3, flags=_FLAGS, since="7.0.0", categories=("connection",))
def command_getkeysandflags(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """COMMAND GETKEYSANDFLAGS command [arg ...]

    Returns the keys in a command line, each with its access flags.

    Cost: O(N) with N arguments
    """
    line = argv[2:]
    return [
        [name, SetReply([Simple(flag.encode()) for flag in _flags_of(spec, line)])]
        for name, spec in _keys_of(ctx, line)
    ]


@verbs.verb("COMMAND|HELP", arity=2, flags=_FLAGS, since="5.0.0", categories=("connection",))
def command_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """COMMAND HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "COMMAND")
