"""The keys in a command line, which may be words, a name with a JSON body, or a JSON document.

COMMAND GETKEYS and client-side caches ask for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from januskv.commands.declare import KeySpec
from januskv.commands.table import Command, CommandTable

from .json_text import JsonError, loads


class BadBody(ValueError):
    """The JSON text of a native command is not JSON, or not an object."""


def _body(text: bytes) -> dict[str, Any]:
    try:
        body = loads(text)
    except JsonError as error:
        raise BadBody(str(error)) from None
    if type(body) is not dict:
        raise BadBody("not an object")
    return body


def called(table: CommandTable, argv: Sequence[bytes]) -> tuple[Command | None, Sequence[bytes] | dict[str, Any]]:
    """The command that a line calls, None if there is none, and its arguments: a native command's body, others' line.

    Raises BadBody.
    """
    command = table.find(argv)
    if command is table.document:
        request = _body(argv[0])
        if len(request) != 1:
            raise BadBody("not one command")
        name, body = next(iter(request.items()))
        if type(body) is not dict:
            raise BadBody("not an object")
        return table.native.get(name), body
    if command is None or command.handle is None:
        return command, argv
    return command, arguments_of(command, argv)


def arguments_of(command: Command, argv: Sequence[bytes]) -> dict[str, Any]:
    """The body of a native command in a line of its name and JSON text. Raises BadBody."""
    return _body(argv[1]) if len(argv) > 1 else {}


def keys_of(command: Command, arguments: Sequence[bytes] | dict[str, Any]) -> list[tuple[bytes, KeySpec]]:
    """The keys in the arguments of a command, each with the key spec that found it. Raises ValueError."""
    specs = [spec for spec in command.options.keys if "not_key" not in spec.flags]
    if isinstance(arguments, dict):
        return [(name.encode(), spec) for spec in specs if spec.names is not None for name in spec.names(arguments)]
    return [(arguments[at], spec) for spec in specs for at in spec.positions(arguments)]
