"""What commands do to the entries of streams: each operation changes one and reports it; replay from the log is here too.

Operations on groups are in group_operations.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .errors import FewerAddedThanHeld, LastIdBehindDeleted, LastIdBehindEntries
from .keyspace import Keyspace
from .stream_ids import id_text
from .streams import Fields, Stream, id_of_text


def append(
    keyspace: Keyspace,
    key: bytes,
    stream: Stream,
    entry_id: int,
    fields: Fields,
    most_bytes: int,
    most_entries: int,
) -> bytes:
    """Add an entry to the stream of a key; return its id as text. Limits and errors are those of ``Stream.add``."""
    stream.add(entry_id, fields, most_bytes, most_entries)
    text = id_text(entry_id)
    keyspace.changed("xadd", key, ("stream.add", text, *fields))
    return text


def begin(keyspace: Keyspace, key: bytes, entry_id: int, fields: Fields, most_bytes: int, most_entries: int) -> Stream:
    """Set a free key to a stream of one entry. Limits and errors are those of ``Stream.add``."""
    stream = Stream()
    stream.add(entry_id, fields, most_bytes, most_entries)
    keyspace.put(key, stream, "xadd")
    return stream


def trim_length(
    keyspace: Keyspace, key: bytes, stream: Stream, most: int, approximate: bool, limit: int, counts: bool = True
) -> int:
    """``Stream.trim_length`` of the stream of a key. ``counts``: each removed entry counts as a change."""
    return _trimmed(keyspace, key, stream, stream.trim_length(most, approximate, limit), counts)


def trim_before(
    keyspace: Keyspace, key: bytes, stream: Stream, least_id: int, approximate: bool, limit: int, counts: bool = True
) -> int:
    """``Stream.trim_before`` of the stream of a key. ``counts``: each removed entry counts as a change."""
    return _trimmed(keyspace, key, stream, stream.trim_before(least_id, approximate, limit), counts)


def _trimmed(keyspace: Keyspace, key: bytes, stream: Stream, removed: int, counts: bool) -> int:
    if removed:
        keyspace.feed.extra += removed - 1 if counts else -1
        keyspace.changed("xtrim", key, ("stream.trim", stream.length))
    return removed


def delete(keyspace: Keyspace, key: bytes, stream: Stream, ids: Iterable[int]) -> int:
    """Remove entries of the stream of a key, which stays even when empty; return how many were removed."""
    removed = [id_text(entry_id) for entry_id in ids if stream.delete(entry_id)]
    if removed:
        keyspace.feed.extra += len(removed) - 1
        keyspace.changed("xdel", key, ("stream.delete", *removed))
    return len(removed)


def set_last_id(
    keyspace: Keyspace, key: bytes, stream: Stream, last_id: int, added: int | None, max_deleted: int
) -> None:
    """Set the last id of the stream of a key; ``added`` None and ``max_deleted`` 0 keep the present values.

    Raises LastIdBehindDeleted, LastIdBehindEntries, FewerAddedThanHeld.
    """
    if last_id < stream.max_deleted:
        raise LastIdBehindDeleted
    if stream.length:
        if last_id < stream.greatest_id():
            raise LastIdBehindEntries
        if added is not None and added < stream.length:
            raise FewerAddedThanHeld
    stream.last_id = last_id
    if added is not None:
        stream.added = added
    if max_deleted:
        stream.max_deleted = max_deleted
    detail = ("stream.setid", id_text(last_id), stream.added, id_text(stream.max_deleted))
    keyspace.changed("xsetid", key, detail)


# ---------------------------------------------------------------- redoing


def stream_at(keyspace: Keyspace, key: bytes) -> Stream:
    """The stream of a key that must hold one."""
    value = keyspace.get(key)
    assert isinstance(value, Stream)
    return value


def _add(keyspace: Keyspace, key: bytes, entry_id: bytes, *fields: bytes) -> None:
    stream_at(keyspace, key).add(id_of_text(entry_id), tuple(fields))


def _trim(keyspace: Keyspace, key: bytes, length: int) -> None:
    stream_at(keyspace, key).trim_length(length)


def _delete(keyspace: Keyspace, key: bytes, *ids: bytes) -> None:
    stream = stream_at(keyspace, key)
    for entry_id in ids:
        stream.delete(id_of_text(entry_id))


def _set_id(keyspace: Keyspace, key: bytes, last_id: bytes, added: int, max_deleted: bytes) -> None:
    stream = stream_at(keyspace, key)
    stream.last_id, stream.added, stream.max_deleted = id_of_text(last_id), added, id_of_text(max_deleted)


# Ids are text.
EFFECTS: dict[str, Callable[..., None]] = {
    "stream.add": _add,
    "stream.trim": _trim,
    "stream.delete": _delete,
    "stream.setid": _set_id,
}
