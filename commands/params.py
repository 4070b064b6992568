"""Checking the parameters of native commands, as NemesisDB does (specs: nemesis.md, section 3.4).

The parameters are checked in alphabetical order and the first problem is reported: absent, then of a wrong
type. If all types are right, empty values are checked, then the command's own rules.

NemesisDB ignores unknown parameters, and so do its commands here, except for names that resemble
those of optional parameters: nobody means ``limt``, and without an error nobody would notice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .declare import DeclarationError, Param
from .status import KEY_VALUES, Dialect

UINT64_MAX: Final = (1 << 64) - 1

# Name -> the Python type that the JSON parser returns; uint is a nonnegative int.
KINDS: dict[str, type | None] = {
    "object": dict,
    "array": list,
    "string": str,
    "bool": bool,
    "uint": int,
    "any": None,
}

MISSING = "Missing parameter"
WRONG_TYPE = "Param type incorrect"

_ABSENT: Final = object()


class NativeError(Exception):
    """A native request is refused: status, text, and if present the token to repeat and the parameter at fault."""

    def __init__(self, status: int, text: str = "", token: int | None = None, param: str | None = None) -> None:
        super().__init__(status, text)
        self.param = param
        self.status = status
        self.text = text
        self.token = token


def is_uint(value: object) -> bool:
    """Whether a JSON value is an unsigned 64-bit integer."""
    return type(value) is int and 0 <= value <= UINT64_MAX


def is_misspelling(name: str, meant: str) -> bool:
    """Whether two different names differ only in case, or by one letter changed, missing or added, or two swapped."""
    if abs(len(name) - len(meant)) > 1:
        return False
    if name.lower() == meant.lower():
        return True
    common = 0
    while common < min(len(name), len(meant)) and name[common] == meant[common]:
        common += 1
    name, meant = name[common:], meant[common:]
    swapped = name[:2] == meant[:2][::-1] and name[2:] == meant[2:]
    return swapped or name[1:] == meant[1:] or name[1:] == meant or name == meant[1:]


class ParamCheck:
    """The checks of one command, built once from its declared parameters. ``own`` runs after them.

    ``taken`` are optional parameters that are checked elsewhere. With ``strict`` unknown ones are refused, without it
    only misspelt ones.
    """

    __slots__ = ("dialect", "filled", "known", "optional", "own", "rules", "strict", "takes_token")

    def __init__(
        self,
        params: tuple[Param, ...] = (),
        dialect: Dialect = KEY_VALUES,
        own: Callable[[dict[str, Any]], None] | None = None,
        *,
        taken: tuple[str, ...] = (),
        strict: bool = False,
    ) -> None:
        for param in params:
            if param.kind not in KINDS:
                raise DeclarationError(f"parameter {param.name}: no kind is called {param.kind}")
        ordered = sorted(params, key=lambda param: param.name)
        # name, Python type, whether it is an unsigned integer, whether it is required
        self.rules: list[tuple[str, type | None, bool, bool]] = [
            (param.name, KINDS[param.kind], param.kind == "uint", param.required) for param in ordered
        ]
        self.filled: list[tuple[str, str]] = [
            (param.name, param.empty_text) for param in ordered if param.empty_text is not None
        ]
        self.known: frozenset[str] = frozenset([*taken, *(param.name for param in params)])
        self.optional: list[str] = [*taken, *(param.name for param in ordered if not param.required)]
        self.takes_token = "tkn" in taken
        self.strict = strict
        self.dialect = dialect
        self.own = own

    def check(self, body: dict[str, Any]) -> None:
        """Check a body. Raises NativeError with the dialect's statuses."""
        present = 0
        for name, kind, unsigned, required in self.rules:
            value = body.get(name, _ABSENT)
            if value is _ABSENT:
                if required:
                    raise NativeError(self.dialect.param_missing, MISSING, param=name)
            elif (kind is not None and type(value) is not kind) or (unsigned and not is_uint(value)):
                raise NativeError(self.dialect.param_type, WRONG_TYPE, param=name)
            else:
                present += 1
        if present != len(body) and not (present + 1 == len(body) and self.takes_token and "tkn" in body):
            self.check_names(body)
        for name, text in self.filled:
            if not body.get(name, True):
                raise NativeError(self.dialect.param_empty, text)
        if self.own is not None:
            self.own(body)

    def check_names(self, body: dict[str, Any]) -> None:
        """Check only the names of the parameters. Raises NativeError with the dialect's status."""
        for name in body:
            if name in self.known:
                continue
            meant = next((each for each in self.optional if is_misspelling(name, each)), None)
            if meant is not None:
                raise NativeError(self.dialect.param_unknown, f"Unknown parameter, similar to '{meant}'", param=name)
            if self.strict:
                raise NativeError(self.dialect.param_unknown, "Unknown parameter", param=name)
