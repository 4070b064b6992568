"""The documents of the collection ``__timeseries``: one a series, in a hash of this name, as JSON under the name of the series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from januskv.compat.server.json_text import dumps
from januskv.storage.errors import WrongType
from januskv.storage.event_writing import COLLECTION as KEY
from januskv.storage.hashes import hash_to_read, put_field, remove_fields
from januskv.storage.values import text_of

from .endpoints import is_name

if TYPE_CHECKING:
    from januskv.storage.keyspace import Keyspace

COLLECTION: Final = KEY.decode()
ID: Final = "_id"

Document = dict[str, Any]


def document_of(keyspace: Keyspace, name: str) -> Document:
    """The document of a series, without its id; empty if there is none, or none that can be read. Raises WrongType."""
    held = hash_to_read(keyspace, KEY, keyspace.get(KEY))
    return {} if held is None else _document(held.get(name.encode()))


def documents(keyspace: Keyspace) -> Mapping[str, Document]:
    """The documents of all series by name. Raises WrongType."""
    held = hash_to_read(keyspace, KEY, keyspace.get(KEY))
    found = {}
    for field, value in () if held is None else held.items():
        try:
            name = field.decode()
        except UnicodeDecodeError:
            continue
        if is_name(name):  # what no series is called is not about one
            found[name] = _document(value)
    return found


def merge(keyspace: Keyspace, name: str, members: Document) -> None:
    """Put members into the document of a series, which is created if there is none. Raises WrongType."""
    merged = {**document_of(keyspace, name), **members}
    merged.pop(ID, None)
    put_field(keyspace, KEY, name.encode(), dumps(merged))


def remove(keyspace: Keyspace, names: list[str]) -> int:
    """Remove the documents of series; how many there were. Raises WrongType."""
    return remove_fields(keyspace, KEY, [name.encode() for name in names])


def default_ttl_ms(keyspace: Keyspace, name: str) -> float | None:
    """How long events of a series live that say nothing else, None: for ever."""
    try:
        seconds = document_of(keyspace, name).get("default_ttl_seconds")
    except WrongType:  # it is no collection of documents then
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return None
    return float(seconds) * 1000


def _document(value: Any) -> Document:
    if value is None:
        return {}
    try:
        found = orjson.loads(text_of(value))
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
