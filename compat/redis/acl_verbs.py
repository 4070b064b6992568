"""ACL: the users, what they may do, and what they were denied."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

from januskv.commands.categories import CATEGORIES
from januskv.commands.declare import REDACTED, Flag
from januskv.commands.table import Family
from januskv.compat.server.acl.files import FileError
from januskv.compat.server.acl.log import Entry
from januskv.compat.server.acl.rights import Selector
from januskv.compat.server.acl.rules import (
    RuleError,
    line_of,
    shown_channels,
    shown_commands,
    shown_flags,
    shown_keys,
    shown_sessions,
    text_of,
)
from januskv.compat.server.acl.users import denial
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.resp.replies import OK, Reply, SetReply

from .args import Args
from .help import help_lines, wrong_form

log = logging.getLogger("januskv")

verbs = Family("server")

_HELP = Flag.LOADING | Flag.STALE
_ANY = _HELP | Flag.NOSCRIPT
_ADMIN = _ANY | Flag.ADMIN
_EVERYWHERE = ("request_policy:all_nodes", "response_policy:all_succeeded")

_MOST_BITS = 4096
_DEFAULT_BITS = 256
_DEFAULT_ENTRIES = 10
_NO_FILE = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER"
    " command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users"
    " in the Redis configuration."
)


def _hide_user(argv: Sequence[bytes]) -> list[bytes]:
    return [*argv[:2], *[REDACTED] * (len(argv) - 2)]


@verbs.verb("ACL", arity=-2, since="6.0.0")
def acl(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL

    A container for commands about users and their rights.
    """
    raise AssertionError("a container is never run")


@verbs.verb("ACL|CAT", arity=-2, flags=_ANY, since="6.0.0")
def acl_cat(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL CAT [category]

    Lists the categories of commands, or the commands in one of them.

    Cost: O(N) with N categories or commands
    """
    if len(argv) > 3:
        raise wrong_form(argv)
    if len(argv) == 2:
        return list(CATEGORIES)
    commands = ctx.server.users.rules.by_category.get(text_of(argv[2].lower()))
    if commands is None:
        raise RespError(f"ERR Unknown category '{text_of(argv[2][:128])}'")
    return [command.text_name for command in commands]


@verbs.verb("ACL|DELUSER", arity=-3, flags=_ADMIN, since="6.0.0", redact=_hide_user, hints=_EVERYWHERE)
def acl_deluser(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL DELUSER username [username ...]

    Removes users and closes their connections; returns how many there were.

    Cost: O(N) with N users, and the number of connections
    """
    try:
        return ctx.server.users.remove(list(map(text_of, argv[2:])))
    except RuleError as error:
        raise RespError(f"ERR {error}") from None


@verbs.verb("ACL|DRYRUN", arity=-4, flags=_ADMIN, since="7.0.0")
def acl_dryrun(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL DRYRUN username command [arg [arg ...]]

    Tells whether a user may run a command line, without running it: OK, or why not.

    Cost: O(1)
    """
    user = ctx.server.users.by_name.get(text_of(argv[2]))
    if user is None:
        raise RespError(f"ERR User '{text_of(argv[2])}' not found")
    line = argv[3:]
    table = ctx.server.table
    command = table.find(line)
    unknown_sub = command is not None and command.subcommands is not None and len(line) > 1
    if command is None or command is table.document or (unknown_sub and "|" not in command.name):
        raise RespError(f"ERR Command '{text_of(argv[3])}' not found")
    if not command.min_args <= len(line) <= command.max_args:
        raise RespError(f"ERR wrong number of arguments for '{command.text_name}' command")
    refusal = user.refusal(command, line)
    return OK if refusal is None else denial(refusal, user.name, named=True).encode(errors="surrogateescape")


@verbs.verb("ACL|GENPASS", arity=-2, flags=_ANY, since="6.0.0")
def acl_genpass(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL GENPASS [bits]

    Returns a random password in hexadecimal digits, of 256 bits or as many as are asked for.

    Cost: O(1)
    """
    if len(argv) > 3:
        raise wrong_form(argv)
    bits = Args(argv, 2).integer() if len(argv) == 3 else _DEFAULT_BITS
    if not 0 < bits <= _MOST_BITS:
        raise RespError(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to"
            f" {_MOST_BITS}"
        )
    digits = (bits + 3) // 4
    return secrets.token_hex((digits + 1) // 2)[:digits]


def _described(selector: Selector) -> dict[str, bytes]:
    return {
        "commands": shown_commands(selector),
        "keys": shown_keys(selector),
        "channels": shown_channels(selector),
    }


@verbs.verb("ACL|GETUSER", arity=3, flags=_ADMIN, since="6.0.0", redact=_hide_user)
def acl_getuser(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL GETUSER username

    Describes a user: flags, digests of passwords, and the rules of commands, keys and channels.

    Cost: O(N) with N rules
    """
    user = ctx.server.users.by_name.get(text_of(argv[2]))
    if user is None:
        return None
    return {
        "flags": SetReply(shown_flags(user)),
        "passwords": list(user.passwords),
        **_described(user.root),
        "selectors": [_described(each) for each in user.selectors[1:]],
        **({} if user.sessions is None else {"sessions": shown_sessions(user)}),
    }


@verbs.verb("ACL|HELP", arity=2, flags=_HELP, since="6.0.0")
def acl_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "ACL")


@verbs.verb("ACL|LIST", arity=2, flags=_ADMIN, since="6.0.0")
def acl_list(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL LIST

    Describes all users, as lines of an ACL file.

    Cost: O(N) with N users
    """
    return [line_of(user) for user in ctx.server.users.everyone()]


@verbs.verb("ACL|USERS", arity=2, flags=_ADMIN, since="6.0.0")
def acl_users(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL USERS

    Lists the names of all users.

    Cost: O(N) with N users
    """
    return [user.name.encode(errors="surrogateescape") for user in ctx.server.users.everyone()]


@verbs.verb("ACL|WHOAMI", arity=2, flags=_ANY, since="6.0.0")
def acl_whoami(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL WHOAMI

    Returns the name of the user that the connection has logged in as.

    Cost: O(1)
    """
    return ctx.caller.user_name.encode(errors="surrogateescape")


def _entry(entry: Entry, now_ms: int) -> dict[str, Any]:
    return {
        "count": entry.count,
        "reason": entry.reason,
        "context": entry.context,
        "object": entry.name,
        "username": entry.user.encode(errors="surrogateescape"),
        "age-seconds": (now_ms - entry.last_ms) / 1000,
        "client-info": entry.client,
        "entry-id": entry.number,
        "timestamp-created": entry.first_ms,
        "timestamp-last-updated": entry.last_ms,
    }


@verbs.verb("ACL|LOG", arity=-2, flags=_ADMIN, since="6.0.0")
def acl_log(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL LOG [count | RESET]

    Lists what users were denied, and failed log-ins, newest first: ten entries or as many as are asked for. RESET forgets them.

    Cost: O(N) with N entries
    """
    if len(argv) > 3:
        raise wrong_form(argv)
    entries = ctx.server.users.log
    if len(argv) == 3 and argv[2].upper() == b"RESET":
        entries.reset()
        return OK
    count = Args(argv, 2).integer() if len(argv) == 3 else _DEFAULT_ENTRIES
    now_ms = ctx.store.clock.now_ms
    return [_entry(entry, now_ms) for entry in entries.newest(count)]


@verbs.verb("ACL|LOAD", arity=2, flags=_ADMIN, since="6.0.0")
def acl_load(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL LOAD

    Replaces all users by those of the ACL file; if anything in it is wrong, none is changed.

    Connections of users that are no longer there are closed.

    Cost: O(N) with N users, and the number of connections
    """
    if not ctx.server.config.aclfile:
        raise RespError(_NO_FILE)
    try:
        ctx.server.users.load()
    except FileError as error:
        raise RespError(f"ERR {error}") from None
    return OK


@verbs.verb("ACL|SAVE", arity=2, flags=_ADMIN, since="6.0.0", hints=_EVERYWHERE)
def acl_save(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL SAVE

    Writes all users to the ACL file, which is replaced as a whole.

    Cost: O(N) with N users
    """
    if not ctx.server.config.aclfile:
        raise RespError(_NO_FILE)
    try:
        ctx.server.users.save()
    except OSError as error:
        log.error("the ACL file %s cannot be written: %s", ctx.server.config.aclfile, error.strerror)
        raise RespError(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
        ) from None
    return OK


@verbs.verb("ACL|SETUSER", arity=-3, flags=_ADMIN, since="6.0.0", redact=_hide_user, hints=_EVERYWHERE)
def acl_setuser(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ACL SETUSER username [rule [rule ...]]

    Changes a user by rules, or makes one; if one of the rules is wrong, nothing changes.

    A user that is new is off and has no rights. What is taken away is lost at once, by connections too.

    Cost: O(N) with N rules, and the number of connections
    """
    try:
        ctx.server.users.set(text_of(argv[2]), argv[3:])
    except RuleError as error:
        raise RespError(f"ERR {error}") from None
    return OK
