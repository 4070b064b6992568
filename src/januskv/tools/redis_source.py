"""The keys of a running Redis (or of anything that speaks its protocol), read by SCAN and a command for each type.

Every value is read by one command unless it is big, so it is a snapshot of one moment; a big one is read in
pieces, with other clients served in between, and may have changed meanwhile. The export as a whole is not a snapshot.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from januskv.storage.durability.portable import Entry
from januskv.storage.values import text_from_bytes

from .link import Command, RemoteLink, error_of

# Keys examined together.
_PAGE: Final = 200
# A value of more elements than this is read in pieces of this size.
_PIECE: Final = 5000
# Retries for a key whose type changes while it is read.
_TRIES: Final = 3


class CannotRead(Exception):
    """The server does not reply as an export needs; the text says why."""


class _Changed(Exception):
    """The key has changed its type."""


class RedisKeys:
    """All keys of a server. ``left_out`` counts those of types that cannot be exported, by type."""

    def __init__(self, link: RemoteLink) -> None:
        """Raises CannotRead, LinkLost."""
        self.link = link
        self.left_out: Counter[str] = Counter()
        self.databases = self._databases()
        self.total = sum(self.databases.values())
        # HPEXPIRETIME came with 7.4, PEXPIRETIME with 7.0; older servers return the time to live.
        self.knows_expiry = self._knows(b"PEXPIRETIME")
        self.knows_field_expiry = self._knows(b"HPEXPIRETIME")

    def entries(self) -> Iterator[Entry]:
        """Every key once, in the form of an export. Raises CannotRead, LinkLost."""
        for database in self.databases:
            self._ask(b"SELECT", b"%d" % database)
            for names in self._pages():
                yield from self._read_page(database, names)

    # ------------------------------------------------------------ requests

    def _ask(self, *words: bytes) -> Any:
        return self._together([list(words)])[0]

    def _together(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to some commands. Raises CannotRead for an error, _Changed for one about the key's type."""
        self.link.send(commands)
        replies = [self.link.receive() for _ in commands]
        for command, reply in zip(commands, replies, strict=True):
            error = error_of(reply)
            if error is not None and error.startswith(("WRONGTYPE", "ERR no such key", "ERR TSDB: the key")):
                raise _Changed
            if error is not None:
                raise CannotRead(f"{command[0].decode()}: {error}")
        return replies

    def _knows(self, name: bytes) -> bool:
        reply = self.link.ask([b"COMMAND", b"INFO", name])
        return error_of(reply) is None and bool(reply) and reply[0] is not None

    def _databases(self) -> dict[int, int]:
        """The number of keys by database, for databases that have keys."""
        found = {}
        for line in self._ask(b"INFO", b"keyspace").decode().splitlines():
            name, colon, fields = line.partition(":keys=")
            if colon and name.startswith("db") and name[2:].isdigit():
                found[int(name[2:])] = int(fields.partition(",")[0])
        return found

    def _pages(self) -> Iterator[list[bytes]]:
        """The names of the keys of the selected database. SCAN may return a key twice; repetitions are left out."""
        cursor = b"0"
        seen: set[bytes] = set()
        while True:
            cursor, names = self._ask(b"SCAN", cursor, b"COUNT", b"%d" % _PAGE)
            fresh = [name for name in dict.fromkeys(names) if name not in seen]
            seen.update(fresh)
            if fresh:
                yield fresh
            if cursor == b"0":
                return

    # ------------------------------------------------------------ keys

    def _read_page(self, database: int, names: list[bytes]) -> Iterator[Entry]:
        when = b"PEXPIRETIME" if self.knows_expiry else b"PTTL"
        kinds = [kind.decode() for kind in self._together([[b"TYPE", name] for name in names])]
        deadlines = self._together([[when, name] for name in names])
        strings = [name for name, kind in zip(names, kinds, strict=True) if kind == "string"]
        texts = dict(zip(strings, self._strings(strings), strict=True))
        for name, kind, left_ms in zip(names, kinds, deadlines, strict=True):
            if kind == "none" or left_ms == -2:  # gone since SCAN returned it
                continue
            deadline = None if left_ms < 0 else left_ms + (0 if self.knows_expiry else int(time.time() * 1000))
            text = texts.get(name)
            if text is None:
                yield from self._read_key(database, name, kind, deadline)
            else:
                yield _entry(database, name, "string", text_from_bytes(text), deadline)

    def _strings(self, names: list[bytes]) -> list[bytes | None]:
        """The strings of keys; None for one that is no longer a string."""
        if not names:
            return []
        values: list[bytes | None] = self._ask(b"MGET", *names)
        return values

    def _read_key(self, database: int, name: bytes, kind: str, deadline: int | None) -> Iterator[Entry]:
        for _ in range(_TRIES):
            read = _READERS.get(kind)
            if read is None:
                self.left_out[kind] += kind != "none"
                return
            try:
                value = read(self, name)
                if value is not None:
                    entry = _entry(database, name, kind, value, deadline)
                    if kind == "hash" and self.knows_field_expiry:
                        self._add_field_expiry(entry, name)
                    yield entry
                return
            except _Changed:
                kind = self._ask(b"TYPE", name).decode()
        raise CannotRead(f"the key {name!r} keeps changing its type")

    def _add_field_expiry(self, entry: Entry, name: bytes) -> None:
        fields = self._ask(b"HKEYS", name)
        timed = []
        for at in range(0, len(fields), _PIECE):
            part = fields[at : at + _PIECE]
            times = self._ask(b"HPEXPIRETIME", name, b"FIELDS", b"%d" % len(part), *part)
            timed += [[text_from_bytes(field), ms] for field, ms in zip(part, times or (), strict=False) if ms > 0]
        if timed:
            entry["field_expiry"] = timed

    # ------------------------------------------------------------ values; None for a key that is gone

    def read_string(self, name: bytes) -> Any:
        text = self._ask(b"GET", name)
        return None if text is None else text_from_bytes(text)

    def read_hash(self, name: bytes) -> Any:
        if self._ask(b"HLEN", name) <= _PIECE:
            words = self._ask(b"HGETALL", name)
        else:
            words = self._scanned(b"HSCAN", name)
        pairs = dict(_pairs(words))  # HSCAN may return a field twice
        return [[text_from_bytes(field), text_from_bytes(value)] for field, value in pairs.items()] or None

    def read_list(self, name: bytes) -> Any:
        items: list[Any] = []
        while part := self._ask(b"LRANGE", name, b"%d" % len(items), b"%d" % (len(items) + _PIECE - 1)):
            items += map(text_from_bytes, part)
            if len(part) < _PIECE:
                break
        return items or None

    def read_set(self, name: bytes) -> Any:
        small = self._ask(b"SCARD", name) <= _PIECE
        members = self._ask(b"SMEMBERS", name) if small else self._scanned(b"SSCAN", name)
        return [text_from_bytes(member) for member in dict.fromkeys(members)] or None

    def read_zset(self, name: bytes) -> Any:
        if self._ask(b"ZCARD", name) <= _PIECE:
            words = self._ask(b"ZRANGE", name, b"0", b"-1", b"WITHSCORES")
        else:
            words = self._scanned(b"ZSCAN", name)
        scores = dict(_pairs(words))
        return [[text_from_bytes(member), score.decode()] for member, score in scores.items()] or None

    def read_stream(self, name: bytes) -> Any:
        about = _named(self._ask(b"XINFO", b"STREAM", name))
        entries: list[Any] = []
        start = b"-"
        while part := self._ask(b"XRANGE", name, start, b"+", b"COUNT", b"%d" % _PIECE):
            entries += [[at.decode(), [*map(text_from_bytes, row)]] for at, row in part]
            if len(part) < _PIECE:
                break
            ms, _, seq = part[-1][0].partition(b"-")
            start = b"%b-%d" % (ms, int(seq) + 1)
        return {
            "last_id": about["last-generated-id"].decode(),
            "added": about.get("entries-added", len(entries)),  # since 7.0, as the next one
            "max_deleted": about.get("max-deleted-entry-id", b"0-0").decode(),
            "entries": entries,
            "groups": [self._group(name, _named(group)) for group in self._ask(b"XINFO", b"GROUPS", name)],
        }

    def _group(self, name: bytes, about: dict[str, Any]) -> Entry:
        group = about["name"]
        consumers = [_named(each)["name"] for each in self._ask(b"XINFO", b"CONSUMERS", name, group)]
        now_ms = int(time.time() * 1000)
        pending: dict[bytes, list[Any]] = {consumer: [] for consumer in consumers}
        start = b"-"
        while part := self._ask(b"XPENDING", name, group, start, b"+", b"%d" % _PIECE):
            for at, consumer, idle_ms, count in part:
                pending.setdefault(consumer, []).append([at.decode(), now_ms - idle_ms, count])
            ms, _, seq = part[-1][0].partition(b"-")
            start = b"%b-%d" % (ms, int(seq) + 1)
        return {
            "name": text_from_bytes(group),
            "last_id": about["last-delivered-id"].decode(),
            "entries_read": about.get("entries-read"),
            "consumers": [{"name": text_from_bytes(each), "pending": held} for each, held in pending.items()],
        }

    def read_samples(self, name: bytes) -> Any:
        about = _named(self._ask(b"TS.INFO", name))
        times: list[int] = []
        values: list[Any] = []
        start = b"-"
        while part := self._ask(b"TS.RANGE", name, start, b"+", b"COUNT", b"%d" % _PIECE):
            times += [at for at, _ in part]
            values += [_float_text(value) for _, value in part]
            start = b"%d" % (times[-1] + 1)
            if len(part) < _PIECE:
                break
        policy = about.get("duplicatePolicy")
        last = times[-1] if times else 0
        return {
            "retention": about["retentionTime"],
            "chunk_size": about.get("chunkSize", 4096),
            "compressed": about.get("chunkType", b"compressed") == b"compressed",
            "policy": None if policy is None else policy.decode(),
            "ignore": [about.get("ignoreMaxTimeDiff", 0), float(about.get("ignoreMaxValDiff", 0))],
            "labels": [[text_from_bytes(label), text_from_bytes(value)] for label, value in about["labels"]],
            "rules": [_rule(rule, last) for rule in about["rules"]],
            "t": times,
            "v": values,
        }

    def _scanned(self, command: bytes, name: bytes) -> list[bytes]:
        words: list[bytes] = []
        cursor = b"0"
        while True:
            cursor, part = self._ask(command, name, cursor, b"COUNT", b"%d" % _PIECE)
            words += part
            if cursor == b"0":
                return words


_READERS: Final[dict[str, Callable[[RedisKeys, bytes], Any]]] = {
    "string": RedisKeys.read_string,
    "hash": RedisKeys.read_hash,
    "list": RedisKeys.read_list,
    "set": RedisKeys.read_set,
    "zset": RedisKeys.read_zset,
    "stream": RedisKeys.read_stream,
    "TSDB-TYPE": RedisKeys.read_samples,
}


def _entry(database: int, name: bytes, kind: str, value: Any, deadline: int | None) -> Entry:
    return {"type": kind, "key": text_from_bytes(name), "database": database, "value": value, "expiry": deadline}


def _pairs(words: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(words[::2], words[1::2], strict=True)


def _named(words: list[Any]) -> dict[str, Any]:
    """A flat array of names and values."""
    return {name.decode(): value for name, value in zip(words[::2], words[1::2], strict=True)}


def _float_text(value: bytes) -> float | str:
    number = float(value)
    return number if number - number == 0 else repr(number)


def _rule(words: list[Any], last_ms: int) -> Entry:
    """A compaction rule. Closed buckets are already in its destination: it begins with the open one."""
    target, bucket, function, align = (*words, 0)[:4]
    begin = max((last_ms - align) // bucket * bucket + align, 0)
    return {
        "to": text_from_bytes(target),
        "function": function.decode().lower(),
        "bucket": bucket,
        "align": align,
        "since": None,
        "begin": begin,
    }
