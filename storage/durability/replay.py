"""The operations in records, and how each is replayed.

An operation is an array: its name, then its operands. A *place* is the number of a database or the
token of a session. Operations are idempotent, except for effects.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

from msgpack import OutOfData

from januskv.storage.keyspace import Keyspace
from januskv.storage.long_text import LongString
from januskv.storage.samples import SampleSeries
from januskv.storage.sessions import LEAST_TOKEN, Session
from januskv.storage.store import Store
from januskv.storage.values import copied

from .codec import effects, packer, unpacker
from .plain_operations import redo_plain
from .records import BIG_BYTES

# Bytes of operations per step: two thousand small ones take a millisecond.
_STEP_BYTES: Final = 1 << 16


class Unplayable(Exception):
    """A record is complete but cannot be replayed; the text says why."""


def place_of(store: Store, place: int) -> Keyspace:
    """The database or session of an operation. Raises Unplayable."""
    if place < LEAST_TOKEN:
        if place >= len(store.databases):
            raise Unplayable(f"it is for database {place}, and there are only {len(store.databases)}: see 'databases'")
        return store.databases[place]
    session = store.sessions.by_token.get(place)
    if session is None:
        raise Unplayable(f"it is for the session {place}, which does not exist")
    return session.keyspace


def put(store: Store, place: int, key: bytes, value: object, deadline: int | None) -> None:
    keyspace = place_of(store, place)
    old = keyspace.data.get(key)
    if isinstance(old, SampleSeries) and isinstance(value, SampleSeries):  # perhaps the same one with other settings
        keyspace.withdraw(key)
        keyspace.restore(key, value, deadline)
        old.unlink(keyspace, key, value)
        return
    if old is not None:
        keyspace.forget(key)
    keyspace.restore(key, value, deadline)


def copy(store: Store, source_place: int, source: bytes, place: int, key: bytes) -> None:
    """Set a key to a copy of another key's value, with its deadline."""
    from_keyspace = place_of(store, source_place)
    if source not in from_keyspace.data:
        raise Unplayable(f"it is a copy of the key {source!r}, which does not exist")
    put(store, place, key, copied(from_keyspace.data[source]), from_keyspace.deadlines.get(source))


def remove(store: Store, place: int, key: bytes) -> None:
    keyspace = place_of(store, place)
    if key in keyspace.data:
        keyspace.forget(key)


def deadline(store: Store, place: int, key: bytes, deadline_ms: int | None) -> None:
    keyspace = place_of(store, place)
    if key not in keyspace.data:
        raise Unplayable(f"it is about the time of the key {key!r}, which does not exist")
    if deadline_ms is not None:
        keyspace.file_deadline(key, deadline_ms)
        return
    old = keyspace.deadlines.pop(key, None)
    if old is not None:
        keyspace.unfile(key, old)


def do(store: Store, place: int, key: bytes, name: str, *operands: object) -> None:
    redo = effects().get(name)
    if redo is None:
        raise Unplayable(f"this version knows no effect {name}")
    redo(place_of(store, place), key, *operands)


def rename(store: Store, place: int, source: bytes, target: bytes) -> None:
    place_of(store, place).rename(source, target)


def flush(store: Store, place: int) -> None:
    place_of(store, place).clear()


def swap(store: Store, first: int, second: int) -> None:
    place_of(store, first).swap(place_of(store, second))


def session(
    store: Store, token: int, name: str, shared: bool, duration_s: int, delete_on_expiry: bool, deadline_ms: int
) -> None:
    store.sessions.put(token, name, shared, duration_s, delete_on_expiry, deadline_ms)


def end(store: Store, token: int) -> None:
    place_of(store, token)
    store.sessions.forget(token)


def library(store: Store, name: bytes, code: bytes | None) -> None:
    store.libraries.set(name, code)


OPERATIONS: dict[str, Callable[..., None]] = {
    "put": put,
    "copy": copy,
    "del": remove,
    "deadline": deadline,
    "do": do,
    "rename": rename,
    "flush": flush,
    "swap": swap,
    "session": session,
    "end": end,
    "library": library,
}


def session_operation(session: Session) -> tuple[Any, ...]:
    """The operation that creates a session with its present settings, without its keys."""
    s = session
    return ("session", s.token, s.name, s.shared, s.duration_s, s.delete_on_expiry, s.deadline_ms)


def put_operation(
    pack: Callable[[object], bytes], place: int, key: bytes, value: object, deadline_ms: int | None
) -> tuple[bytes, ...]:
    """The operation that sets a key to a value, in pieces: bytes of a long string are copied at most once."""
    kind = type(value)
    if kind is not LongString and (kind is not bytes or len(value) < BIG_BYTES):  # type: ignore[arg-type]
        return (pack(["put", place, key, value, deadline_ms]),)
    data = value.text() if isinstance(value, LongString) else value
    assert isinstance(data, bytes)
    # An array of five, the fourth item a binary with a length of 32 bits.
    head = b"\x95" + pack("put") + pack(place) + pack(key) + b"\xc6" + len(data).to_bytes(4, "big")
    return head, data, pack(deadline_ms)


def reload(store: Store) -> None:
    """Replace all values by their serialised and restored copies. No listener is notified; expired keys are removed."""
    places = [(keyspace.index, keyspace) for keyspace in store.databases]
    places += [(session.token, session.keyspace) for session in store.sessions.by_token.values()]
    pack = packer().pack
    for place, keyspace in places:
        for key in list(keyspace.data):
            value = keyspace.get(key)
            if value is not None:
                redo(store, b"".join(put_operation(pack, place, key, value, keyspace.deadline_of(key))))


def redo(store: Store, payload: bytes) -> None:
    """Replay the operations of one record. Raises Unplayable.

    The store's clock must be 0 meanwhile, so that no key expires.
    """
    for _ in redo_in_steps(store, payload):
        pass


def redo_in_steps(store: Store, payload: bytes) -> Iterator[None]:
    """``redo`` in steps of about a millisecond. Raises Unplayable.

    A single value is not divided: the members of a huge set are restored in one step.
    """
    at, size = 0, len(payload)
    try:
        while at < size:
            stop = at + _STEP_BYTES
            at = redo_plain(store, payload, at, stop)
            if at < stop and at < size:
                at = yield from _redo_others(store, payload, at)
            yield
    except Unplayable:
        raise
    except Exception as error:  # any error of a redo function must stop the start
        raise Unplayable(f"the operation at its byte {at} or behind it cannot be done: {error!r}") from error


def _redo_others(store: Store, payload: bytes, at: int) -> Generator[None, None, int]:
    """Replay an operation that is not plain, and those after it that were read with it; return where the next one begins."""
    began = fed = at
    reader = unpacker(len(payload) - at)
    while at == began or at < fed:
        try:
            name, *operands = reader.unpack()
        except OutOfData:
            if fed == len(payload):
                raise
            reader.feed(payload[fed : fed + _STEP_BYTES])
            fed = min(fed + _STEP_BYTES, len(payload))
            yield
            continue
        OPERATIONS[name](store, *operands)
        behind = began + reader.tell()
        at = redo_plain(store, payload, behind, fed)
        if at < fed:
            reader.read_bytes(at - behind)
    return at
