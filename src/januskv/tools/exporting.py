"""``januskv export``: all keys of all databases and sessions, as commands or as JSON lines."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import orjson
from tqdm import tqdm

from januskv.storage.durability.checking import ReadOnly, examine
from januskv.storage.durability.generations import Directory, DirectoryTaken
from januskv.storage.durability.portable import Entry, entry_of, session_entry
from januskv.storage.store import Store

from .link import LinkLost, RemoteLink, encode, error_of
from .rebuild import REDIS_TYPES, BadEntry, commands_of, rules_last
from .redis_source import CannotRead, RedisKeys

FAILED = 1

# Keys requested from a running server at a time; keys of a session that are set in one transaction.
_KEYS = 100
_MOST_BYTES = 1 << 20


class NoExport(Exception):
    """The data cannot be read; the text says why."""


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="januskv export",
        description="Writes all keys of all databases and sessions with their deadlines, from a running server"
        " (JanusKV or Redis) or from the data directory of a stopped JanusKV.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--format",
        choices=("resp", "json"),
        default="resp",
        help="resp: the commands that recreate the data, for 'januskv import' and 'redis-cli --pipe' (default);"
        " json: a line of JSON for each key",
    )
    parser.add_argument(
        "--plain-redis",
        action="store_true",
        help="with resp: only commands that Redis knows; JSON values become their text, sessions and series are left out",
    )
    parser.add_argument("--output", metavar="FILE", help="where to write (default: standard output)")
    add_place_options(parser)
    return parser


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """The options for the source of the data: a running server, or a directory."""
    parser.add_argument("--dir", help="data directory of a stopped server")
    parser.add_argument("--databases", type=int, default=16, metavar="N", help="with --dir (default: 16)")
    parser.add_argument("--host", default="127.0.0.1", help="of the running server (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=6379, help="of the running server (default: 6379)")
    parser.add_argument("--user", default="default", help="with --password (default: default)")
    parser.add_argument(
        "--password",
        default=os.environ.get("REDISCLI_AUTH", ""),
        help="of the running server; better in the environment, as REDISCLI_AUTH",
    )


# ---------------------------------------------------------------- reading


def from_store(store: Store) -> Iterator[Entry]:
    """Everything in a store: the keys of the databases, then each session before its keys."""
    for keyspace in store.databases:
        for key in keyspace.live_keys():
            yield entry_of(keyspace, key, keyspace.index)
    for session in store.sessions.by_token.values():
        yield session_entry(session)
        for key in session.keyspace.live_keys():
            yield entry_of(session.keyspace, key, session.token)


@contextlib.contextmanager
def directory_entries(path: str, databases: int) -> Iterator[tuple[int, Iterator[Entry]]]:
    """The number of keys in a data directory, and everything in it. Raises NoExport, DirectoryTaken, OSError."""
    ReadOnly(path)  # a missing directory must not be created
    directory = Directory(path)
    try:
        store = Store(databases)
        found = examine(directory, store)
        if found.manifest is None and not found.problems:
            raise NoExport(f"{path} is not a data directory")
        if found.problems:
            problem = found.problems[0]
            raise NoExport(f"{problem.file}, offset {problem.offset}: {problem.reason}; see 'januskv check-log {path}'")
        if found.torn is not None and found.torn.torn is not None:
            print(
                f"{found.torn.name}: the unfinished end at offset {found.torn.torn.offset} is left out", file=sys.stderr
            )
        yield found.keys, from_store(store)
    finally:
        directory.close()


class _NoJanusKV(Exception):
    """The server does not know SV_EXPORT."""


def _ask(link: RemoteLink, body: dict[str, Any]) -> dict[str, Any]:
    reply = link.ask([b"SV_EXPORT", orjson.dumps(body)])
    error = error_of(reply)
    if error is not None and error.lower().startswith("err unknown command"):
        raise _NoJanusKV
    if error is not None:
        raise NoExport(f"the server does not export: {error}")
    answer: dict[str, Any] = orjson.loads(reply)["SV_EXPORT_RSP"]
    return answer


def _keys_of(link: RemoteLink, place: int) -> Iterator[Entry]:
    """The keys of a database or session; none of a session that has ended meanwhile."""
    cursor = 0
    while True:
        answer = _ask(link, {"from": place, "cursor": cursor, "cnt": _KEYS})
        yield from answer["entries"]
        cursor = answer["cursor"]
        if not cursor:
            return


@contextlib.contextmanager
def server_entries(link: RemoteLink, left_out: Counter[str]) -> Iterator[tuple[int, Iterator[Entry]]]:
    """The number of keys of a server, and everything in it. Raises NoExport, LinkLost.

    A server that is not JanusKV is read as Redis; ``left_out`` gets the types of its keys that cannot be exported.
    """
    try:
        about = _ask(link, {})
    except _NoJanusKV:
        with contextlib.closing(link):
            keys = RedisKeys(link)
            yield keys.total, keys.entries()
            left_out.update(keys.left_out)
        return
    sessions = about["sessions"]

    def entries() -> Iterator[Entry]:
        for place, count in enumerate(about["databases"]):
            if count:
                yield from _keys_of(link, place)
        for session in sessions:
            yield session
            yield from _keys_of(link, session["session"])

    try:
        yield sum(about["databases"]) + sum(session["keys"] for session in sessions), entries()
    finally:
        link.close()


# ---------------------------------------------------------------- writing


def as_json(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Each entry as a line."""
    for entry in entries:
        entry.pop("keys", None)  # the number of keys is not part of a session's entry
        yield orjson.dumps(entry) + b"\n"


class Commands:
    """Converts entries to commands. ``left_out`` counts those of types that Redis does not know, if the target is Redis.

    The keys of a session are set in transactions that begin with opening it. A server without sessions rejects
    that command and so the transaction: the keys do not end up in its selected database.
    """

    def __init__(self, *, plain: bool, left_out: Counter[str] | None = None) -> None:
        self.plain = plain
        self.left_out: Counter[str] = Counter() if left_out is None else left_out
        self.place = 0
        self.guards: dict[int, bytes] = {}  # token -> the command that opens the session
        self.held: list[bytes] = []  # commands of the session that is the place
        self.held_bytes = 0

    def make(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        """The commands, in pieces of any size."""
        last: list[Entry] = []  # series that write to others, created after their targets
        for entry in entries:
            if self.plain and (entry["type"] not in REDIS_TYPES or "session" in entry):
                kind = entry["type"]
                name = "key of a session" if "session" in entry and kind != "session" else kind
                self.left_out[name] += 1
            elif rules_last(entry):
                last.append(entry)
            else:
                yield from self.entry(entry)
        for entry in last:
            yield from self.entry(entry)
        yield from self.end_transaction()

    def entry(self, entry: Entry) -> Iterator[bytes]:
        commands = b"".join(encode(command) for command in commands_of(entry, plain=self.plain))
        place: int = entry["session"] if "session" in entry else entry["database"]
        if entry["type"] == "session":
            yield from self.end_transaction()
            self.guards[place] = commands
            yield commands
            return
        if place != self.place:
            yield from self.end_transaction()
            self.place = place
            if "session" not in entry:
                yield encode([b"SELECT", b"%d" % place])
        if "session" not in entry:
            yield commands
            return
        self.held.append(commands)
        self.held_bytes += len(commands)
        if len(self.held) >= _KEYS or self.held_bytes >= _MOST_BYTES:
            yield from self.end_transaction()

    def end_transaction(self) -> Iterator[bytes]:
        if self.held:
            opening = (encode([b"MULTI"]), self.guards[self.place], encode([b"SELECT", b"%d" % self.place]))
            yield b"".join((*opening, *self.held, encode([b"EXEC"])))
            self.held, self.held_bytes = [], 0


def _counted(entries: Iterator[Entry], total: int, counts: Counter[str]) -> Iterator[Entry]:
    """Entries with a progress bar on a terminal; ``counts`` gets their number by type."""
    with tqdm(total=total, unit=" keys", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        for entry in entries:
            counts[entry["type"]] += 1
            yield entry
            bar.update(entry["type"] != "session")


def _summary(counts: Counter[str]) -> str:
    """The numbers of entries read, by type."""
    sessions = counts.pop("session", 0)
    of_types = f" ({', '.join(f'{count} {kind}' for kind, count in counts.most_common())})" if counts else ""
    of_sessions = f", {sessions} sessions" if sessions else ""
    return f"{counts.total()} keys{of_types}{of_sessions}"


@contextlib.contextmanager
def _output(path: str | None) -> Iterator[BinaryIO]:
    """The output file, which gets its name when it is complete."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    unfinished = f"{path}.unfinished"
    with open(unfinished, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def main(words: Sequence[str]) -> int:
    """Run the tool. Returns the exit status."""
    parser = build_parser()
    given = parser.parse_args(words)
    if given.plain_redis and given.format != "resp":
        parser.error("--plain-redis needs --format resp")
    left_out: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    commands = Commands(plain=given.plain_redis, left_out=left_out)
    try:
        if given.dir is not None:
            source = directory_entries(given.dir, given.databases)
        else:
            source = server_entries(RemoteLink(given.host, given.port, given.user, given.password), left_out)
        with source as (total, entries), _output(given.output) as file:
            counted = _counted(entries, total, counts)
            lines = as_json(counted) if given.format == "json" else commands.make(counted)
            for line in lines:
                file.write(line)
    except BrokenPipeError:
        # The reader has closed the pipe; discard what Python would flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (NoExport, CannotRead, DirectoryTaken, LinkLost, BadEntry) as error:
        print(f"januskv export: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"januskv export: {error.filename or given.host}: {error.strerror or error}", file=sys.stderr)
        return FAILED
    print(f"read {_summary(counts)}", file=sys.stderr)
    for name, count in sorted(left_out.items()):
        print(f"left out, since there are no commands for it: {count} of type {name}", file=sys.stderr)
    return 0
