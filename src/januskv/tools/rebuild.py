"""The commands that recreate exported keys with the same values: Redis commands if possible, otherwise native ones.

A command is a list of arguments. Keys are deleted first, so that no old value remains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, Final

import orjson

from januskv.storage.durability.portable import Entry, bytes_of, element_of, number_of
from januskv.storage.null import NULL
from januskv.storage.values import text_of

Command = list[bytes]

# Most arguments and bytes of a command that adds members to a key.
_MOST_WORDS: Final = 512
_MOST_BYTES: Final = 1 << 20
_EVENTS: Final = 256
_INT64: Final = range(-(1 << 63), 1 << 63)
# Keys that are not UTF-8 cannot be named in JSON: native commands create them under this name.
_SCRATCH: Final = "januskv:import"


class BadEntry(Exception):
    """An entry is not a key of an export; the text says why."""


def commands_of(entry: Entry, *, plain: bool = False) -> Iterator[Command]:
    """The commands that create a key (or a session) in the selected database or session. Raises BadEntry.

    With ``plain`` only those that Redis knows: JSON values become their text, other types are left out.
    """
    try:
        kind = entry["type"]
        if kind == "session":
            if not plain:
                yield _session(entry)
            return
        if plain and kind not in REDIS_TYPES:
            return
        key, value, deadline = bytes_of(entry["key"]), entry["value"], entry.get("expiry")
        made: Callable[..., Iterator[Command]] | None = _MAKERS.get(kind)
        if made is None:
            raise BadEntry(f"unknown type {kind!r}")
        if kind == "string":
            yield from _string(key, element_of(value), deadline, plain)
            return
        yield [b"DEL", key]
        yield from made(key, value, plain)
        fields = [(bytes_of(name), ms) for name, ms in entry.get("field_expiry") or ()]
        for ms, group in groupby(fields, key=lambda pair: pair[1]):
            names = [name for name, _ in group]
            yield [b"HPEXPIREAT", key, b"%d" % ms, b"FIELDS", b"%d" % len(names), *names]
        if deadline is not None:
            yield [b"PEXPIREAT", key, b"%d" % deadline]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadEntry(f"no key of an export: {error!r}") from error


def rules_last(entry: Entry) -> bool:
    """Whether a key must be created after those that it refers to: a series whose rules write to others."""
    return entry.get("type") == "TSDB-TYPE" and bool(entry["value"].get("rules"))


def _chunks(head: Command, groups: Iterable[tuple[bytes, ...]]) -> Iterator[Command]:
    """Commands with a common beginning, each with as many groups of arguments as fit."""
    words: Command = []
    size = 0
    for group in groups:
        words += group
        size += sum(map(len, group))
        if len(words) >= _MOST_WORDS or size >= _MOST_BYTES:
            yield head + words
            words, size = [], 0
    if words:
        yield head + words


def _native(name: str, key: bytes, body: Callable[[str], dict[str, Any]]) -> Iterator[Command]:
    """A native command about a key, which gets a temporary name if JSON cannot spell its own."""
    try:
        shown = key.decode()
    except UnicodeDecodeError:
        shown = _SCRATCH
    yield [name.encode(), orjson.dumps(body(shown))]


def _named(key: bytes) -> Iterator[Command]:
    """The command that renames a key after native commands have created it."""
    try:
        key.decode()
    except UnicodeDecodeError:
        yield [b"RENAME", _SCRATCH.encode(), key]


def _session(entry: Entry) -> Command:
    body = {
        "tkn": entry["session"],
        "name": entry["name"],
        "shared": entry["shared"],
        "expiry": {"duration": entry["duration"], "deleteSession": entry["deleteSession"]},
    }
    return [b"SH_RESTORE", orjson.dumps(body)]


# ---------------------------------------------------------------- strings, hashes, lists


def _is_plain(value: object) -> bool:
    return type(value) is bytes or (type(value) is int and value in _INT64)


def _to_json(value: object) -> object:
    """An element as JSON, including bytes if they are UTF-8. Raises UnicodeDecodeError."""
    if type(value) is bytes:
        return value.decode()
    return None if value is NULL else value


def _string(key: bytes, value: object, deadline: int | None, plain: bool) -> Iterator[Command]:
    expiry = [] if deadline is None else [b"PXAT", b"%d" % deadline]
    if type(value) is bytes or plain:
        yield [b"SET", key, text_of(value), *expiry]
        return
    yield [b"DEL", key]
    if _is_plain(value):
        yield [b"INCRBY", key, text_of(value)]
    else:
        yield from _native("KV_SET", key, lambda name: {"keys": {name: _to_json(value)}})
        yield from _named(key)
    if deadline is not None:
        yield [b"PEXPIREAT", key, b"%d" % deadline]


def _hash(key: bytes, value: Any, plain: bool) -> Iterator[Command]:
    pairs = value.items() if type(value) is dict else value
    fields = [(bytes_of(name) if type(name) is not str else name.encode(), element_of(item)) for name, item in pairs]
    if plain:
        fields = [(name, text_of(item)) for name, item in fields]
    elif not fields or not all(_is_plain(item) for _, item in fields):
        document, fields = _document(fields)
        yield from _native("KV_SET", key, lambda shown: {"keys": {shown: document}})
        yield from _named(key)
    for counts, group in groupby(fields, key=lambda pair: type(pair[1]) is int):
        if counts:
            yield from ([b"HINCRBY", key, name, text_of(item)] for name, item in group)
        else:
            yield from _chunks([b"HSET", key], ((name, text_of(item)) for name, item in group))


def _document(fields: list[tuple[bytes, object]]) -> tuple[dict[str, object], list[tuple[bytes, object]]]:
    """The fields that JSON can represent, and the others."""
    document: dict[str, object] = {}
    others = []
    for name, item in fields:
        try:
            document[name.decode()] = _to_json(item)
        except UnicodeDecodeError:
            others.append((name, item))
    return document, others


def _list(key: bytes, value: Any, plain: bool) -> Iterator[Command]:
    items = [element_of(item) for item in value]
    if plain or (items and all(type(item) is bytes for item in items)):
        yield from _chunks([b"RPUSH", key], ((text_of(item),) for item in items))
        return
    shown: list[object] = []
    others: list[tuple[int, bytes]] = []
    for at, item in enumerate(items):
        try:
            shown.append(_to_json(item))
        except UnicodeDecodeError:
            shown.append("")
            others.append((at, text_of(item)))
    yield from _native("KV_SET", key, lambda name: {"keys": {name: shown}})
    yield from _named(key)
    yield from ([b"LSET", key, b"%d" % at, item] for at, item in others)


# ---------------------------------------------------------------- sets, streams


def _set(key: bytes, value: Any, plain: bool) -> Iterator[Command]:
    return _chunks([b"SADD", key], ((bytes_of(item),) for item in value))


def _zset(key: bytes, value: Any, plain: bool) -> Iterator[Command]:
    return _chunks([b"ZADD", key], ((_score(score), bytes_of(name)) for name, score in value))


def _score(score: Any) -> bytes:
    return repr(number_of(score)).encode()


def _order(entry_id: str) -> tuple[int, int]:
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq)


def _stream(key: bytes, value: Any, plain: bool) -> Iterator[Command]:
    groups = value["groups"]
    entries = {entry_id: [bytes_of(word) for word in words] for entry_id, words in value["entries"]}
    pending = {at for group in groups for consumer in group["consumers"] for at, _, _ in consumer["pending"]}
    # Entries that are pending but deleted exist while they are claimed; an empty stream begins with one.
    deleted = pending - entries.keys()
    if not entries and not deleted:
        deleted = {value["last_id"] if value["last_id"] != "0-0" else "0-1"}
    for entry_id in sorted(entries.keys() | deleted, key=_order):
        yield [b"XADD", key, entry_id.encode(), *entries.get(entry_id, (b"", b""))]
    for group in groups:
        yield from _group(key, group)
    if deleted and value["max_deleted"] == "0-0":  # none was deleted: missing entries were trimmed, from the beginning
        first = min(entries, key=_order, default="")
        yield [b"XTRIM", key, *([b"MINID", first.encode()] if first else [b"MAXLEN", b"0"])]
    else:
        yield from _chunks([b"XDEL", key], ((entry_id.encode(),) for entry_id in sorted(deleted, key=_order)))
    yield [
        b"XSETID",
        key,
        value["last_id"].encode(),
        b"ENTRIESADDED",
        b"%d" % value["added"],
        b"MAXDELETEDID",
        value["max_deleted"].encode(),
    ]


def _group(key: bytes, group: Entry) -> Iterator[Command]:
    name, read = bytes_of(group["name"]), group["entries_read"]
    yield [
        b"XGROUP",
        b"CREATE",
        key,
        name,
        group["last_id"].encode(),
        b"ENTRIESREAD",
        b"%d" % (-1 if read is None else read),
    ]
    for consumer in group["consumers"]:
        owner = bytes_of(consumer["name"])
        yield [b"XGROUP", b"CREATECONSUMER", key, name, owner]
        for at, time_ms, count in consumer["pending"]:
            yield [
                *(b"XCLAIM", key, name, owner, b"0", at.encode()),
                *(b"TIME", b"%d" % time_ms, b"RETRYCOUNT", b"%d" % count, b"FORCE", b"JUSTID"),
            ]


# ---------------------------------------------------------------- series


def _samples(key: bytes, value: Any, plain: bool) -> Iterator[Command]:
    yield [b"TS.CREATE", key, *_settings(value)]
    samples = list(zip(value["t"], value["v"], strict=True))
    done = 0
    # A rule sees only samples added after its creation: it is created when the earlier ones are there.
    for border, rule in sorted(((_border(rule), rule) for rule in value["rules"]), key=lambda pair: pair[0]):
        end = done
        while end < len(samples) and samples[end][0] <= border:
            end += 1
        yield from _add(key, samples[done:end])
        done = end
        how = [rule["function"].encode(), b"%d" % rule["bucket"], b"%d" % rule["align"]]
        yield [b"TS.CREATERULE", key, bytes_of(rule["to"]), b"AGGREGATION", *how]
    yield from _add(key, samples[done:])
    if done < len(samples) and value["rules"] and all(rule["since"] is None for rule in value["rules"]):
        # Setting the last sample again makes the rules read the whole open bucket, and the sample before it.
        time, number = samples[-1]
        yield [b"TS.ADD", key, b"%d" % time, _score(number), b"ON_DUPLICATE", b"LAST"]
    ignore_ms, ignore_value = value["ignore"]
    if ignore_ms or ignore_value:  # only now, since it would drop samples
        yield [b"TS.ALTER", key, b"IGNORE", b"%d" % ignore_ms, _score(ignore_value)]


def _border(rule: Entry) -> int:
    """The last time that a rule does not see: before its creation, or in a bucket already written."""
    since = -1 if rule["since"] is None else int(rule["since"])
    return since if rule["begin"] is None else max(since, int(rule["begin"]) - 1)


def _settings(value: Entry) -> Command:
    words = [b"RETENTION", b"%d" % value["retention"], b"CHUNK_SIZE", b"%d" % value["chunk_size"]]
    words += [b"ENCODING", b"COMPRESSED" if value["compressed"] else b"UNCOMPRESSED"]
    if value["policy"] is not None:
        words += [b"DUPLICATE_POLICY", value["policy"].encode()]
    labels = [bytes_of(word) for pair in value["labels"] for word in pair]
    return words + ([b"LABELS", *labels] if labels else [])


def _add(key: bytes, samples: list[tuple[int, Any]]) -> Iterator[Command]:
    return _chunks([b"TS.MADD"], ((key, b"%d" % time, _score(value)) for time, value in samples))


def _events(key: bytes, value: Any, plain: bool) -> Iterator[Command]:
    yield from _native("TS_CREATE", key, lambda name: {"name": name, "type": "Ordered"})
    times, events = value["t"], value["evt"]
    for at in range(0, len(times), _EVENTS):
        part = {"t": times[at : at + _EVENTS], "evt": events[at : at + _EVENTS]}
        if "exp" in value:
            part["exp"] = [deadline or None for deadline in value["exp"][at : at + _EVENTS]]
        yield from _native("TS_ADD_EVT", key, lambda name, part=part: {"ts": name, **part})  # type: ignore[misc]
    for member in value["idx"]:
        yield from _native("TS_CREATE_INDEX", key, lambda name, member=member: {"ts": name, "key": member})  # type: ignore[misc]
    yield from _named(key)


_MAKERS: Final[dict[str, Callable[..., Iterator[Command]]]] = {
    "string": _string,
    "hash": _hash,
    "list": _list,
    "set": _set,
    "zset": _zset,
    "stream": _stream,
    "TSDB-TYPE": _samples,
    "ts-events": _events,
}
REDIS_TYPES: Final = frozenset(("string", "hash", "list", "set", "zset", "stream"))
