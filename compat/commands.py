"""The command table of the server: all families of all faces, listed by name."""

from __future__ import annotations

from januskv.commands.table import CommandTable, Family

from .redis import strings

FAMILIES: tuple[Family, ...] = (strings.verbs,)


def build_table() -> CommandTable:
    """Put the families together. Raises DeclarationError where two of them contradict each other."""
    return CommandTable(FAMILIES)
