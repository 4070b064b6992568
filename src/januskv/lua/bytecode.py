"""Compiled chunks of Lua 5.1, in which calls of library functions are no tail calls.

Most functions that scripts see are Lua functions of the sandbox where Redis has C functions. In ``return redis.call(...)``
Lua forgets the calling function for a Lua function, and with it the line that errors name; for a C function it does not.
So such tail calls become plain calls. Tail calls of functions that a script keeps in variables of its own stay as they
are: they may recur without end.
"""

from __future__ import annotations

from array import array
from struct import unpack_from
from typing import Final

_MOVE, _GETUPVAL, _GETGLOBAL, _GETTABLE, _CALL, _TAILCALL, _CLOSURE = 0, 4, 5, 6, 28, 29, 36
_OPCODE: Final = 0x3F
_HEADER: Final = 12
# Instructions whose field A is not the register that they write.
_WRITES_NOTHING: Final = frozenset((7, 8, 9, 22, 23, 24, 25, 26, 30, 34, 35))


class _Function:
    """The parts of a compiled function that matter here."""

    def __init__(self, code: array[int], at: int) -> None:
        self.code = code
        self.at = at
        self.local_names: list[tuple[bytes, int]] = []
        self.upvalue_names: list[bytes] = []


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = _HEADER
        self.functions: list[_Function] = []

    def _int(self) -> int:
        value: int = unpack_from("<i", self._data, self._at)[0]
        self._at += 4
        return value

    def _string(self) -> bytes:
        size: int = unpack_from("<Q", self._data, self._at)[0]
        start = self._at + 8
        self._at = start + size
        return self._data[start : start + size - 1] if size else b""

    def function(self) -> None:
        self._string()
        self._at += 8 + 4  # lines; upvalues, parameters, varargs, size of the stack
        count = self._int()
        code = array("I", self._data[self._at : self._at + 4 * count])
        function = _Function(code, self._at)
        self.functions.append(function)
        self._at += 4 * count
        for _ in range(self._int()):
            kind = self._data[self._at]
            self._at += 1
            if kind == 1:
                self._at += 1
            elif kind == 3:
                self._at += 8
            elif kind == 4:
                self._string()
        for _ in range(self._int()):
            self.function()
        lines = self._int()
        self._at += 4 * lines
        for _ in range(self._int()):
            name = self._string()
            function.local_names.append((name, self._int()))
            self._at += 4
        function.upvalue_names = [self._string() for _ in range(self._int())]


def without_library_tail_calls(chunk: bytes) -> bytes:
    """The chunk with tail calls of what comes from a table, a global or a local name for such made plain calls."""
    reader = _Reader(chunk)
    reader.function()
    # Names of locals that stand for something taken from a table or a global: local call = redis.call
    aliases = {
        name
        for function in reader.functions
        for name, start in function.local_names
        if 0 < start <= len(function.code) and function.code[start - 1] & _OPCODE in (_GETGLOBAL, _GETTABLE)
    }
    changed = bytearray(chunk)
    for function in reader.functions:
        code = function.code
        for place, instruction in enumerate(code):
            if instruction & _OPCODE == _TAILCALL and _is_library_call(function, place, aliases):
                plain = instruction & ~_OPCODE & ~(0x1FF << 14) | _CALL  # any number of results
                start = function.at + 4 * place
                changed[start : start + 4] = plain.to_bytes(4, "little")
    return bytes(changed)


def _is_library_call(function: _Function, place: int, aliases: set[bytes]) -> bool:
    code = function.code
    register = code[place] >> 6 & 0xFF
    for before in range(place - 1, -1, -1):
        instruction = code[before]
        opcode = instruction & _OPCODE
        if instruction >> 6 & 0xFF != register or opcode in _WRITES_NOTHING:
            continue
        if opcode == _GETUPVAL:
            upvalue = instruction >> 23
            names = function.upvalue_names
            return upvalue < len(names) and names[upvalue] in aliases
        return opcode != _CLOSURE
    return False
