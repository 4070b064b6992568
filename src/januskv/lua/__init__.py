"""Lua scripts: the language, its sandbox and its libraries. It knows of replies, and of nothing else here."""

from .engine import Function, Host, Library, LuaEngine, Script
from .errors import CommandError, Killed, ScriptError
from .metadata import FLAGS, library_name, script_flags

__all__ = [
    "FLAGS",
    "CommandError",
    "Function",
    "Host",
    "Killed",
    "Library",
    "LuaEngine",
    "Script",
    "ScriptError",
    "library_name",
    "script_flags",
]
