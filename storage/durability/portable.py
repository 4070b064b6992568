"""Keys with their values in a lossless JSON form: for exports.

| type      | ``value``                                                                                            |
|-----------|------------------------------------------------------------------------------------------------------|
| string    | text, number, boolean or null                                                                        |
| hash      | ``{name: element, ...}``, or ``[[name, element], ...]`` if a name is not UTF-8; when fields         |
|           | expire is in ``field_expiry``, ``[[name, ms], ...]``                                                 |
| list      | ``[element, ...]``                                                                                   |
| set       | ``[text, ...]``                                                                                      |
| zset      | ``[[member, score], ...]`` in order                                                                  |
| stream    | ``{"last_id", "added", "max_deleted", "entries": [[id, [name, value, ...]], ...], "groups": [...]}`` |
| TSDB-TYPE | ``{settings, "labels": [[name, value], ...], "t": [ms, ...], "v": [...], "rules": [...]}``           |
| ts-events | ``{"t": [time, ...], "evt": [...], "idx": [member or path, ...], "exp"?: [ms or 0, ...]}``             |

Bytes are texts, or ``{"$base64": text}`` if not UTF-8. An *element* is a text, a number, true, false, null,
or a nested JSON value; one that looks like the form of bytes is ``{"$json": value}``. Numbers that JSON lacks
are the texts ``inf``, ``-inf`` and ``nan``.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from januskv.storage.chunks import MOST_TIME
from januskv.storage.events import EventSeries
from januskv.storage.keyspace import Keyspace
from januskv.storage.null import NULL, Null
from januskv.storage.samples import SampleSeries
from januskv.storage.sessions import Session
from januskv.storage.stream_groups import Group
from januskv.storage.stream_ids import id_text
from januskv.storage.streams import MAX_ID, Stream
from januskv.storage.values import kind_of, text_from_bytes
from januskv.storage.visiting import Visitor, visit

Entry = dict[str, Any]

_MARKS: Final = ("$base64", "$json")


def bytes_of(text: Any) -> bytes:
    """The bytes of a text, or of ``{"$base64": ...}``. Raises TypeError, ValueError."""
    if type(text) is str:
        return text.encode()
    if type(text) is dict and text.keys() == {"$base64"}:
        return base64.b64decode(text["$base64"], validate=True)
    raise TypeError(f"no text: {text!r}")


def number_of(number: Any) -> float:
    """A float, or its text if JSON lacks it. Raises TypeError, ValueError."""
    if type(number) is bool or not isinstance(number, int | float | str):
        raise TypeError(f"no number: {number!r}")
    return float(number)


def element_of(value: Any) -> object:
    """An element in the form of a keyspace. Raises TypeError, ValueError."""
    if type(value) is str:
        return value.encode()
    if value is None:
        return NULL
    if type(value) is dict and len(value) == 1:
        if "$base64" in value:
            return bytes_of(value)
        if "$json" in value:
            return value["$json"]
    return value


def _element(value: Any) -> Any:
    if type(value) is bytes:
        return text_from_bytes(value)
    if type(value) is dict and len(value) == 1 and next(iter(value)) in _MARKS:
        return {"$json": value}
    return None if value is NULL else value


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else repr(value)


def _numbers(values: Iterable[float]) -> list[float | str]:
    return [value if math.isfinite(value) else repr(value) for value in values]


def _group(name: bytes, group: Group) -> Entry:
    consumers = [
        {
            "name": text_from_bytes(each.name),
            "pending": [[id_text(at).decode(), held.time_ms, held.count] for at, held in each.pending.items()],
        }
        for each in group.consumers.values()
    ]
    about = {"name": text_from_bytes(name), "last_id": id_text(group.last_id).decode(), "consumers": consumers}
    return about | {"entries_read": group.entries_read}


def _stream(stream: Stream) -> Entry:
    return {
        "last_id": id_text(stream.last_id).decode(),
        "added": stream.added,
        "max_deleted": id_text(stream.max_deleted).decode(),
        "entries": [[id_text(at).decode(), [*map(text_from_bytes, row)]] for at, row in stream.range(0, MAX_ID)],
        "groups": [_group(name, each) for name, each in stream.groups.items()],
    }


def _samples(series: SampleSeries) -> Entry:
    times, values = series.between(0, MOST_TIME)
    return {
        "retention": series.retention_ms,
        "chunk_size": series.chunk_bytes,
        "compressed": series.compressed,
        "policy": series.policy,
        "ignore": [series.ignore_ms, series.ignore_value],
        "labels": [[text_from_bytes(name), text_from_bytes(value)] for name, value in series.labels.items()],
        "rules": [
            {
                "to": text_from_bytes(target),
                "function": rule.function,
                "bucket": rule.bucket,
                "align": rule.align,
                "since": rule.since,
                "begin": rule.begin,
            }
            for target, rule in series.rules.items()
        ],
        "t": times.tolist(),
        "v": _numbers(values.tolist()),
    }


class _Portable(Visitor[Entry]):
    """Converts a value to the fields of its key's entry."""

    def text(self, text: bytes) -> Entry:
        return {"value": text_from_bytes(text)}

    def scalar(self, value: int | float | Null) -> Entry:
        return {"value": _element(value)}

    def fields(self, fields: Iterable[tuple[bytes, Any]], deadlines: Mapping[bytes, int]) -> Entry:
        pairs = list(fields)
        about: Entry = {}
        try:
            about["value"] = {name.decode(): _element(item) for name, item in pairs}
        except UnicodeDecodeError:
            about["value"] = [[text_from_bytes(name), _element(item)] for name, item in pairs]
        if deadlines:
            about["field_expiry"] = [[text_from_bytes(name), ms] for name, ms in deadlines.items()]
        return about

    def elements(self, elements: Iterable[Any]) -> Entry:
        return {"value": [_element(item) for item in elements]}

    def members(self, members: Iterable[bytes]) -> Entry:
        return {"value": [text_from_bytes(item) for item in members]}

    def scores(self, pairs: Iterable[tuple[bytes, float]]) -> Entry:
        return {"value": [[text_from_bytes(name), _number(score)] for name, score in pairs]}

    def stream(self, stream: Stream) -> Entry:
        return {"value": _stream(stream)}

    def samples(self, series: SampleSeries) -> Entry:
        return {"value": _samples(series)}

    def events(self, series: EventSeries) -> Entry:
        times, events, deadlines = series.columns()
        paths = [path[0] if len(path) == 1 else list(path) for path in series.indexes]
        value = {"t": times, "evt": events, "idx": paths}
        return {"value": {**value, "exp": deadlines} if any(deadlines) else value}


_PORTABLE: Final = _Portable()


def entry_of(keyspace: Keyspace, key: bytes, place: int) -> Entry:
    """An existing key, with its value and deadline. ``place``: number of the database, or token of the session."""
    value = keyspace.data[key]
    entry: Entry = {"type": kind_of(value), "key": text_from_bytes(key)}
    entry["database" if keyspace.index >= 0 else "session"] = place
    about: Entry = visit(value, _PORTABLE)
    entry |= about
    entry["expiry"] = keyspace.deadline_of(key)
    return entry


def session_entry(session: Session) -> Entry:
    """A session without its keys."""
    return {
        "type": "session",
        "session": session.token,
        "name": session.name,
        "shared": session.shared,
        "duration": session.duration_s,
        "deleteSession": session.delete_on_expiry,
    }
