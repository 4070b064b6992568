"""The first line of scripts and libraries, ``#!lua ...``."""

from __future__ import annotations

import re
from typing import Final

from januskv.resp.inline import split_words

from .errors import ScriptError

FLAGS: Final = frozenset(("no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"))
_NAME = re.compile(rb"[A-Za-z0-9_]+").fullmatch
NAME_ERROR: Final = (
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
)


def script_flags(body: bytes) -> tuple[frozenset[str] | None, bytes]:
    """Flags of a script, None without a first line that says so, and its code with that line empty."""
    if not body.startswith(b"#!"):
        return None, body
    line, newline, _ = body.partition(b"\n")
    if not newline:
        raise ScriptError("ERR Invalid script shebang")
    words = split_words(line.partition(b"\0")[0])
    if not words:
        raise ScriptError("ERR Invalid engine in script shebang")
    if words[0] != b"#!lua":
        raise ScriptError(b"ERR Unexpected engine in script shebang: " + words[0])
    flags: set[str] = set()
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise ScriptError(b"ERR Unknown lua shebang option: " + word)
        given = word.removeprefix(b"flags=")
        for flag in given.split(b",") if given else ():
            text = flag.decode("latin-1")
            if text not in FLAGS:
                raise ScriptError(b"ERR Unexpected flag in script shebang: " + flag)
            flags.add(text)
    return frozenset(flags), body[len(line) :]


def library_name(code: bytes) -> tuple[str, bytes]:
    """Name of a library, and its code with the first line empty.

    To be asked before a library is loaded, since Redis looks for one of the same name first.
    """
    if not code.startswith(b"#!"):
        raise ScriptError("ERR Missing library metadata")
    line, newline, _ = code.partition(b"\n")
    words = split_words(line.partition(b"\0")[0]) if newline else None
    if not words:
        raise ScriptError("ERR Invalid library metadata")
    name: bytes | None = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise ScriptError(b"ERR Invalid metadata value given: " + word)
        if name is not None:
            raise ScriptError("ERR Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise ScriptError("ERR Library name was not given")
    if not _NAME(name):
        raise ScriptError(NAME_ERROR)
    if words[0][2:].lower() != b"lua":
        raise ScriptError(b"ERR Engine '" + words[0][2:] + b"' not found")
    return name.decode(), code[len(line) :]
