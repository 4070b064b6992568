"""The HELP subcommands: in Redis' words, or from the command table if Redis has no such container."""

from __future__ import annotations

from januskv.commands.table import CommandTable
from januskv.compat.server.faults import RespError
from januskv.resp.replies import Simple

from .help_texts import TEXTS


def wrong_form(argv: list[bytes]) -> RespError:
    """The error for a subcommand whose arguments match none of its forms."""
    container, sub = argv[0].upper().decode(), argv[1][:128].decode("utf-8", "surrogateescape")
    return RespError(f"ERR unknown subcommand or wrong number of arguments for '{sub}'. Try {container} HELP.")


def help_lines(table: CommandTable, container: str) -> list[Simple]:
    """The reply to ``<container> HELP``: usage and summary of every subcommand."""
    lines = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    if container in TEXTS:
        lines += TEXTS[container].splitlines()
        lines += ["HELP", "    Print this help."]
        return [Simple(line.encode()) for line in lines]
    command = table.commands[container.encode()]
    assert command.subcommands is not None
    for sub in sorted(command.subcommands.values(), key=lambda each: each.name):
        lines.append(sub.manual.usage.partition(" ")[2])
        lines.append(f"    {sub.manual.summary}")
    return [Simple(line.encode()) for line in lines]
