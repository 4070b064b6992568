"""``januskv import``: loads an export, or an append-only file of Redis, into a server."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from tqdm import tqdm

from januskv.storage.durability.generations import DirectoryTaken
from januskv.storage.durability.records import Damaged

from .exporting import add_place_options
from .link import DirectoryLink, LinkLost, RemoteLink, error_of
from .rebuild import Command
from .sources import BadFile, Input, Step, check_start, command_steps, entry_steps, parts_of

FAILED = 1

# Most commands (or bytes) sent before the replies to earlier ones are read.
_BATCH = 500
_BATCH_BYTES = 1 << 19
_SHOWN = 20  # errors that are printed individually
_NATIVE = (b"KV_", b"SH_", b"TS_", b"SV_")
# These do not send one reply each: replies could no longer be matched to commands.
_REFUSED = frozenset(
    b"SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR QUIT SHUTDOWN HELLO RESET SYNC PSYNC".split()
)


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="januskv import",
        description="Loads data into a running server, or into the data directory of a stopped one.",
        epilog="exit status: 0 everything was imported; 1 there were errors, or the file is not whole; 2 the options are wrong",
        allow_abbrev=False,
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        help="an export in either format; an append-only file of Redis; a directory or manifest of those of Redis 7",
    )
    add_place_options(parser)
    return parser


class Import:
    """One import: sends steps, reads the replies, counts errors."""

    def __init__(self, link: RemoteLink | DirectoryLink) -> None:
        self.link = link
        self.batch: list[Command] = []
        self.size = 0
        self.unanswered: deque[tuple[Step, Command]] = deque()
        self.sent = 0  # bytes of commands without a reply yet
        self.place = b"0"
        self.known = {self.place}
        self.lost = False  # the selected database or session does not exist
        self.commands = 0
        self.errors = 0
        self.left_out = 0

    def add(self, step: Step) -> None:
        """Queue the commands of a step. Raises LinkLost.

        Commands for a missing database or session are dropped, a transaction as a whole.
        """
        targets = [command[1] for command in step.commands if _selects(command)]
        if targets:
            # A session that the transaction itself opens need not exist before.
            opened = any(command[0] == b"SH_RESTORE" for command in step.commands)
            wanted = [] if opened else targets
            error = next((error for place in wanted if (error := self.unreachable(place)) is not None), None)
            self.lost = error is not None
            if error is not None:
                self.refuse(step.file, step.where, f"{error}; what belongs there is left out")
            else:
                self.place = targets[-1]
        if self.lost:
            self.left_out += len(step.commands) - len(targets)
            return
        for command in step.commands:
            if command[0].upper() in _REFUSED:
                self.refuse(step.file, step.where, f"{_shown(command)}: not in an import")
                continue
            self.batch.append(command)
            self.size += sum(map(len, command))
            self.unanswered.append((step, command))
        if len(self.batch) >= _BATCH or self.size >= _BATCH_BYTES:
            self.send()

    def unreachable(self, place: bytes) -> str | None:
        """Why a database or session cannot be selected; None if it can. Raises LinkLost."""
        if place not in self.known:
            self.finish()
            self.link.send([[b"SELECT", place], [b"SELECT", self.place]])
            error = error_of(self.link.receive())
            self.link.receive()
            if error is not None:
                return f"SELECT {place.decode(errors='backslashreplace')}: {error}"
            self.known.add(place)
        return None

    def send(self) -> None:
        """Send the collected commands, and read the replies to earlier ones."""
        before, self.sent = self.sent, len(self.batch)
        self.link.send(self.batch)
        self.batch, self.size = [], 0
        self.read(before)

    def finish(self) -> None:
        """Send the rest and read all replies. Raises LinkLost."""
        self.send()
        self.read(self.sent)
        self.sent = 0

    def read(self, count: int) -> None:
        for _ in range(count):
            step, command = self.unanswered[0]
            reply = self.link.receive()
            self.unanswered.popleft()
            self.commands += 1
            error = error_of(reply)
            if error is None and command[0].upper().startswith(_NATIVE) and isinstance(reply, bytes):
                error = _native_error(reply)
            if error is not None:
                self.refuse(step.file, step.where, f"{_shown(command)}: {error}")

    def refuse(self, file: str, where: str, why: str) -> None:
        """Count an error, and show the first ones."""
        self.errors += 1
        if self.errors <= _SHOWN:
            say(f"{file}: {where}: {why}")
        elif self.errors == _SHOWN + 1:
            say("further errors are counted only")


def say(text: str) -> None:
    """Print a message above the progress bar."""
    tqdm.write(text, file=sys.stderr)


def _selects(command: Command) -> bool:
    return len(command) == 2 and command[0].upper() == b"SELECT"


def _shown(command: Command) -> str:
    words = b" ".join(command[:2])
    return words[:60].decode(errors="backslashreplace") + ("..." if len(command) > 2 or len(words) > 60 else "")


def _native_error(reply: bytes) -> str | None:
    """The error in the reply to a native command; None if there is none."""
    try:
        (answer,) = orjson.loads(reply).values()
        return None if answer["st"] == 1 else str({"st": answer["st"], "m": answer.get("m", "")})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # not a native reply: a Redis command with a similar name


def steps_of(path: str, todo: Import, bar: tqdm[Any]) -> Iterator[Step]:
    """All steps of the files of a path. Raises BadFile, OSError."""
    parts = parts_of(path)
    bar.total = sum(map(os.path.getsize, parts))
    for number, name in enumerate(parts):
        with open(name, "rb") as file:
            start = file.peek(5)[:5]
            check_start(name, start)
            source = Input(name, file, bar.update)
            if start[:1] == b"{":
                yield from entry_steps(source, todo.refuse)
                continue
            if number:
                yield Step(name, "offset 0", [[b"SELECT", b"0"]])
            try:
                yield from command_steps(source)
            except BadFile as error:
                if name == parts[-1]:
                    raise
                raise BadFile(f"{error}; so are the files after it: {', '.join(parts[number + 1 :])}") from error


def main(words: Sequence[str]) -> int:
    """Run the tool. Returns the exit status."""
    given = build_parser().parse_args(words)
    failed = False
    try:
        link: RemoteLink | DirectoryLink
        if given.dir is not None:
            link = DirectoryLink(given.dir, given.databases)
        else:
            link = RemoteLink(given.host, given.port, given.user, given.password)
        with contextlib.closing(link):
            todo = Import(link)
            bar: tqdm[Any]
            with tqdm(unit="B", unit_scale=True, file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
                try:
                    for step in steps_of(given.file, todo, bar):
                        todo.add(step)
                except BadFile as error:
                    failed = True
                    say(f"januskv import: {error}")
                try:
                    todo.finish()
                finally:
                    left_out = f", {todo.left_out} commands left out" if todo.left_out else ""
                    print(f"{todo.commands} commands, {todo.errors} errors{left_out}", file=sys.stderr)
    except (DirectoryTaken, Damaged, LinkLost) as error:
        print(f"januskv import: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"januskv import: {error.filename or given.host}: {error.strerror or error}", file=sys.stderr)
        return FAILED
    return FAILED if failed or todo.errors else 0
