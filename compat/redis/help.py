"""The HELP subcommands, made from the command table."""

from __future__ import annotations

from januskv.commands.table import CommandTable
from januskv.resp.replies import Simple


def help_lines(table: CommandTable, container: str) -> list[Simple]:
    """What ``<container> HELP`` answers: usage and summary of every subcommand."""
    lines = [f"{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    command = table.commands[container.encode()]
    assert command.subcommands is not None
    for sub in sorted(command.subcommands.values(), key=lambda each: each.name):
        lines.append(sub.manual.usage.partition(" ")[2])
        lines.append(f"    {sub.manual.summary}")
    return [Simple(line.encode()) for line in lines]
