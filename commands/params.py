"""Checking the parameters of native commands, as NemesisDB does (specs: nemesis.md, section 3.4).

The parameters are visited in alphabetical order and the first problem wins: absent, then of a wrong
type. What must not be empty is looked at when all types are right, and then the command's own check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .declare import DeclarationError, Param
from .status import Status

UINT64_MAX = (1 << 64) - 1

# Name -> the Python type that the JSON parser makes of it; uint is an int that is not negative.
KINDS: dict[str, type] = {
    "object": dict,
    "array": list,
    "string": str,
    "bool": bool,
    "int": int,
    "uint": int,
    "any": object,
}

MISSING = "Missing parameter"
WRONG_TYPE = "Param type incorrect"


class NativeError(Exception):
    """A native request is refused: status, text, and members that its reply has besides."""

    def __init__(self, status: int, text: str = "", **members: Any) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.members = members


def is_uint(value: object) -> bool:
    """Whether a JSON value is an unsigned 64-bit integer."""
    return type(value) is int and 0 <= value <= UINT64_MAX


def _fits(value: object, kind: str) -> bool:
    if kind == "any":
        return True
    if kind == "uint":
        return is_uint(value)
    return type(value) is KINDS[kind]


def compile_params(params: tuple[Param, ...]) -> Callable[[Mapping[str, Any]], None]:
    """Make the check of a command from its declared parameters. It raises NativeError."""
    for param in params:
        if param.kind not in KINDS:
            raise DeclarationError(f"parameter {param.name}: no kind is called {param.kind}")
    rules = [(p.name, p.kind, KINDS[p.kind], p.required) for p in sorted(params, key=lambda p: p.name)]
    filled = [(p.name, p.empty_text) for p in params if p.empty_text is not None]

    def check(body: Mapping[str, Any]) -> None:
        for name, kind, python_type, required in rules:
            if name not in body:
                if required:
                    raise NativeError(Status.PARAM_MISSING, MISSING)
                continue
            value = body[name]
            if type(value) is not python_type or kind == "uint":
                if not _fits(value, kind):
                    raise NativeError(Status.VALUE_TYPE, WRONG_TYPE)
        for name, text in filled:
            if not body.get(name, True):
                raise NativeError(Status.VALUE_SIZE, text)

    return check
