"""Files of commands: exports in both formats, and the append-only files of Redis, one or many with a manifest.

A *step* is commands that belong together (one, or a whole transaction) with their position in the file.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from januskv.storage.durability.portable import Entry

from .rebuild import BadEntry, Command, commands_of, rules_last

# Longest line of a file of commands.
_MOST_LINE: Final = 1 << 16
# Bytes read at a time: a wrong length must not take memory.
_PIECE: Final = 1 << 20
_MOST_WORD: Final = 1 << 32
_MOST_WORDS: Final = 1 << 27


@dataclass(slots=True)
class Step:
    """Commands that run together; ``where`` is an offset, or a line."""

    file: str
    where: str
    commands: list[Command]


class BadFile(Exception):
    """A file cannot be read any further. The text names file and position."""


Advance = Callable[[int], object]


class Input:
    """A file that is being read. ``advance`` is called with the number of bytes read."""

    def __init__(self, name: str, file: BinaryIO, advance: Advance) -> None:
        self.name = name
        self.file = file
        self.advance = advance
        self.at = 0
        self.lines = 0

    def line(self, most: int = -1) -> bytes:
        """The next line with its end, or its first bytes; empty at the end of the file."""
        data = self.file.readline(most)
        self.count(data)
        self.lines += 1
        return data

    def take(self, size: int) -> bytes:
        """The next bytes; fewer at the end of the file."""
        pieces = []
        while size and (piece := self.file.read(min(size, _PIECE))):
            self.count(piece)
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def count(self, data: bytes) -> None:
        self.at += len(data)
        self.advance(len(data))

    def bad(self, where: str, reason: str) -> BadFile:
        return BadFile(f"{self.name}: {where}: {reason}")


class _Ends(Exception):
    """The file ends within a command."""


# ---------------------------------------------------------------- commands


def _number(source: Input, line: bytes, mark: bytes, most: int, start: int) -> int:
    if not line.endswith(b"\n") and len(line) < _MOST_LINE and line[:1] in (mark, b""):
        raise _Ends
    digits = line[1:].rstrip(b"\r\n")
    if line[:1] != mark or not digits.isdigit() or len(digits) > 12 or int(digits) > most:
        raise source.bad(f"offset {start}", f"{line[:40]!r} where {mark.decode()} and a number have to be")
    return int(digits)


def _command(source: Input) -> Command | None:
    """The next command, None at the end. Raises BadFile, _Ends."""
    start = source.at
    line = source.line(_MOST_LINE)
    while line[:1] == b"#":  # Redis' timestamps
        line = source.line(_MOST_LINE)
    if not line:
        return None
    words = []
    for _ in range(_number(source, line, b"*", _MOST_WORDS, start)):
        size = _number(source, source.line(_MOST_LINE), b"$", _MOST_WORD, start)
        word = source.take(size + 2)
        if len(word) < size + 2:
            raise _Ends
        if word[-2:] != b"\r\n":
            raise source.bad(f"offset {start}", "an argument does not end where it has to")
        words.append(word[:-2])
    return words


def command_steps(source: Input) -> Iterator[Step]:
    """The commands of a file; those of a transaction together.

    Raises BadFile after the last complete one, also for a transaction without EXEC.
    """
    held: list[Command] | None = None
    held_at = 0
    start = source.at
    try:
        while (words := _command(source)) is not None:
            name = words[0].upper() if words else b""
            if name == b"MULTI" and held is not None:
                raise source.bad(
                    f"offset {held_at}", "a transaction without EXEC, which is left out with everything after it"
                )
            if name == b"MULTI":
                held, held_at = [words], start
            elif held is not None:
                held.append(words)
                if name in (b"EXEC", b"DISCARD"):
                    yield Step(source.name, f"offset {held_at}", held)
                    held = None
            elif words:
                yield Step(source.name, f"offset {start}", [words])
            start = source.at
    except _Ends:
        if held is None:
            raise source.bad(f"offset {start}", "the file ends within this command, which is left out") from None
    if held is not None:
        reason = f"the file ends within this transaction, of which {len(held) - 1} whole commands are left out"
        raise source.bad(f"offset {held_at}", reason)


# ---------------------------------------------------------------- JSON lines


def entry_steps(source: Input, refuse: Callable[[str, str, str], None]) -> Iterator[Step]:
    """The commands for the lines of a JSON export; ``refuse(file, where, why)`` is called for invalid ones."""
    place = 0
    last: list[tuple[str, int, Entry]] = []  # series that write to others, created after their targets
    while line := source.line():
        where = f"line {source.lines}"
        if not line.strip():
            continue
        try:
            entry = orjson.loads(line)
            if type(entry) is not dict:
                raise BadEntry("no object")
            own = _place(entry)
            if rules_last(entry):
                last.append((where, own, entry))
                continue
            commands = list(commands_of(entry))
        except (ValueError, BadEntry, LookupError, TypeError, AttributeError) as error:
            refuse(source.name, where, str(error))
            continue
        yield Step(source.name, where, [*_select(place, own), *commands])
        place = own
    for where, own, entry in last:
        try:
            commands = list(commands_of(entry))
        except BadEntry as error:
            refuse(source.name, where, str(error))
            continue
        yield Step(source.name, where, [*_select(place, own), *commands])
        place = own


def _place(entry: Entry) -> int:
    if entry.get("type") == "session":
        return 0
    place = entry.get("database", entry.get("session"))
    if type(place) is not int or place < 0:
        raise BadEntry("it names neither database nor session")
    return place


def _select(before: int, place: int) -> list[Command]:
    return [] if before == place else [[b"SELECT", b"%d" % place]]


# ---------------------------------------------------------------- files


def parts_of(path: str) -> list[str]:
    """The files to read, in order: the one, or those of a Redis manifest (or its directory). Raises BadFile, OSError."""
    if os.path.isdir(path):
        found = sorted(Path(path).glob("*.manifest"))
        if len(found) != 1:
            raise BadFile(f"{path}: there are {len(found)} manifests, and one is needed")
        path = str(found[0])
    if not path.endswith(".manifest"):
        return [path]
    bases: list[str] = []
    increments: list[tuple[int, str]] = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            words = shlex.split(line)
            fields = dict(zip(words[::2], words[1::2], strict=True))
            name, seq, kind = fields["file"], int(fields["seq"]), fields["type"]
        except (ValueError, KeyError) as error:
            raise BadFile(f"{path}: line {number}: no line of a manifest") from error
        if os.path.basename(name) != name:
            raise BadFile(f"{path}: line {number}: {name!r} is not the name of a file beside it")
        if kind == "b":
            bases.append(name)
        elif kind == "i":
            increments.append((seq, name))
        elif kind != "h":
            raise BadFile(f"{path}: line {number}: unknown type {kind!r}")
    folder = os.path.dirname(path)
    return [os.path.join(folder, name) for name in (*bases, *(name for _, name in sorted(increments)))]


def check_start(name: str, start: bytes) -> None:
    """Reject a file whose beginning has no known format. Raises BadFile."""
    if start.startswith(b"REDIS"):
        raise BadFile(
            f"{name}: this is (or begins with) an RDB file, which is not read; let Redis write commands instead:"
            " CONFIG SET aof-use-rdb-preamble no, then BGREWRITEAOF"
        )
    if start[:1] not in (b"", b"*", b"#", b"{", b"\n", b"\r"):
        raise BadFile(f"{name}: offset 0: neither commands nor JSON lines")
