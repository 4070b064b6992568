"""The values of a keyspace, the same for all protocols, and their two outer forms: JSON and Redis text.

| held as                       | kind   | meaning                                                      |
|-------------------------------|--------|--------------------------------------------------------------|
| bytes                         | string | byte string; also a JSON string, as its UTF-8                |
| int, float, True/False, NULL  | string | JSON number, boolean, null (``NULL``, as None means absent)  |
| dict: bytes -> element        | hash   | hash and JSON object; a small one is a ``SmallHash``         |
| list of elements              | list   | list and JSON array                                          |
| set of bytes                  | set    | set; to JSON an array, in no order                           |

Other kinds have classes, with ``kind`` and ``to_json``: see streams.py, samples.py, events.py, sorted_sets.py.

An *element* is a value of the first two rows, or a nested JSON object or array as the JSON parser
made it (``dict`` with str keys, ``list``). Only the outer level is converted, so that hash and
list commands work on bytes, whichever face wrote them.
"""

from __future__ import annotations

import base64
import copy
from typing import Any, Final

import orjson

from .errors import IncrementOverflow, NotAnInteger
from .long_text import LongString
from .null import NULL, Null
from .small_hashes import SmallHash, small
from .spelling import int64_of

# Greatest nesting depth of JSON values. orjson, which writes the replies, allows 254.
MOST_DEPTH: Final = 128

_INT64_MIN: Final = -(1 << 63)
_INT64_MAX: Final = (1 << 63) - 1


KINDS: dict[type, str] = {
    bytes: "string",
    int: "string",
    float: "string",
    bool: "string",
    Null: "string",
    LongString: "string",
    dict: "hash",
    list: "list",
    set: "set",
}


def kind_of(value: object) -> str:
    """The kind, named as by Redis' TYPE: string, hash, list, set, zset, stream, TSDB-TYPE, ts-events."""
    kind = KINDS.get(type(value))
    return type(value).kind if kind is None else kind  # type: ignore[attr-defined]


def is_series(value: object) -> bool:
    """Whether the value is a series, which key-value commands skip."""
    return getattr(type(value), "is_series", False)


# ---------------------------------------------------------------- JSON


def compact(value: Any) -> object:
    """The value of a key in the form that takes the least memory. O(members) for values that may be small."""
    if type(value) is dict:
        held = small(value)
        return value if held is None else held
    return value


def bytes_from_json(value: dict[str, Any]) -> bytes | None:
    """The byte string that ``{"$base64": text}`` stands for; None for any other object."""
    text = value.get("$base64")
    if len(value) != 1 or type(text) is not str:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None  # an ordinary object of a client


def element_from_json(value: Any) -> object:
    """Convert a parsed JSON value to an element of a hash or list."""
    kind = type(value)
    if kind is str:
        text = value
        return text.encode()
    if kind is dict:
        data = bytes_from_json(value)
        return value if data is None else data
    return NULL if value is None else value


def from_json(value: Any) -> object:
    """Convert a parsed JSON value to the value of a key. O(members of the outer level).

    ``{"$base64": text}``, also as a member or an item, is a byte string, as ``to_json`` writes it; deeper it stays an object.
    """
    kind = type(value)
    if kind is str:
        text = value
        return text.encode()
    if kind is int or kind is float or kind is bool:
        return value
    if value is None:
        return NULL
    if kind is dict:
        data = bytes_from_json(value)
        if data is not None:
            return data
        return compact({name.encode(): element_from_json(item) for name, item in value.items()})
    return [element_from_json(item) for item in value]


def text_from_bytes(value: bytes) -> Any:
    """A byte string as JSON text, or as ``{"$base64": ...}`` if it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"$base64": base64.b64encode(value).decode()}


def element_to_json(value: Any) -> Any:
    """An element as JSON; bytes that are not UTF-8 become ``{"$base64": ...}``."""
    if type(value) is bytes:
        return text_from_bytes(value)
    return None if value is NULL else value


def name_to_json(name: bytes) -> str:
    """A key's or field's name as JSON text; bytes that are not UTF-8 become U+FFFD."""
    return name.decode(errors="replace")


def to_json(value: Any) -> Any:
    """A key's value as JSON; the inverse of ``from_json``. O(members of the outer level).

    A chain of tests, the most frequent kind first, instead of a visitor; ``visiting.py`` says why.
    """
    kind = type(value)
    if kind is bytes:
        return text_from_bytes(value)
    if kind is int or kind is float or kind is bool:
        return value
    if value is NULL:
        return None
    if kind is LongString:
        return text_from_bytes(value.text())
    if kind is SmallHash:
        return value.as_json(text_from_bytes)
    if kind is dict:
        return {name_to_json(name): element_to_json(item) for name, item in value.items()}
    if kind is list:
        return [element_to_json(item) for item in value]
    if kind is set:
        return [text_from_bytes(item) for item in value]
    return value.to_json()


def is_json(value: object) -> bool:
    """Whether a key's value is one that JSON commands can make: a scalar, an object or an array, in any form."""
    return kind_of(value) in ("string", "hash", "list")


def copied(value: Any) -> object:
    """An independent copy of a key's value. O(members)."""
    kind = type(value)
    if kind is dict:
        return copied_fields(value)
    if kind is list:
        return copy.deepcopy(value)
    if kind is LongString:
        return value.text()
    if KINDS.get(kind) == "string":
        return value
    return value.copy()


def copied_fields(fields: dict[bytes, Any]) -> dict[bytes, Any]:
    """An independent copy of the fields of a hash. O(fields), plus the size of arrays and objects among them."""
    found = dict(fields)
    for name, item in fields.items():
        kind = type(item)
        if kind is dict or kind is list:
            found[name] = copy.deepcopy(item)
    return found


def deeper_than(value: Any, limit: int) -> bool:
    """Whether arrays and objects in a JSON value are nested deeper than a limit. Does not recurse."""
    level = [value]
    depth = 0
    while level := [each for each in level if type(each) in (dict, list)]:
        depth += 1
        if depth > limit:
            return True
        level = [item for each in level for item in (each.values() if type(each) is dict else each)]
    return False


# ---------------------------------------------------------------- Redis text


def text_of(value: Any) -> bytes:
    """A scalar or an element as the bytes that a Redis command sees: 26, 0.5, true, null, JSON text."""
    kind = type(value)
    if kind is bytes:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return b"%d" % value
    if value is NULL:
        return b"null"
    if kind is LongString:
        return value.text()  # type: ignore[no-any-return]
    return orjson.dumps(value)


def plus(value: Any, increment: int) -> int:
    """The sum of an integer and a scalar or element, which may be an integer or its text. Raises NotAnInteger, IncrementOverflow."""
    number = value if type(value) is int else int64_of(text_of(value))
    if number is None or number > _INT64_MAX:
        raise NotAnInteger
    total: int = number + increment
    if not _INT64_MIN <= total <= _INT64_MAX:
        raise IncrementOverflow
    return total
