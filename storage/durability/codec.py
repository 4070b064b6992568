"""Values of all kinds as bytes: MessagePack with extension types.

| extension | holds                                                             |
|-----------|-------------------------------------------------------------------|
| 1         | an integer beyond 64 bits, in decimal                             |
| 2         | a tuple, as an array                                              |
| 3         | the JSON null inside a keyspace                                   |
| 4         | a value with a class: its kind and what its ``to_state`` gives    |
| 5         | a set, as an array                                                |

``unpack`` returns what ``pack`` took; tuples and lists are distinguished.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

import msgpack

from januskv import storage
from januskv.storage.long_text import LongString
from januskv.storage.null import NULL, Null
from januskv.storage.small_hashes import SmallHash

BIG_INTEGER: Final = 1
TUPLE: Final = 2
JSON_NULL: Final = 3
OBJECT: Final = 4
SET: Final = 5


class UnknownKind(Exception):
    """A file contains a value of a kind that this version does not know."""


@cache
def value_classes() -> dict[str, Any]:
    """Kind -> class, of all classes in the engine's modules with ``kind``, ``to_state`` and ``from_state``."""
    found: dict[str, Any] = {}
    for module in _modules():
        for each in vars(module).values():
            if isinstance(each, type) and hasattr(each, "to_state") and hasattr(each, "from_state"):
                kind = getattr(each, "kind", None)  # parts of values have no kind of their own
                if kind is not None and found.setdefault(kind, each) is not each:
                    raise ValueError(f"two classes hold values of the kind {kind}")
    return found


@cache
def effects() -> dict[str, Callable[..., object]]:
    """Name -> function that replays it, from the ``EFFECTS`` of all modules of the engine."""
    found: dict[str, Callable[..., object]] = {}
    for module in _modules():
        for name, redo in vars(module).get("EFFECTS", {}).items():
            if found.setdefault(name, redo) is not redo:
                raise ValueError(f"two effects are called {name}")
    return found


def _modules() -> Iterator[Any]:
    for info in pkgutil.iter_modules(storage.__path__):
        if not info.ispkg:
            yield importlib.import_module(f"{storage.__name__}.{info.name}")


def _object(value: Any) -> Any:
    return msgpack.ExtType(OBJECT, pack([value.kind, value.to_state()]))


# Type -> its form for MessagePack, which knows the other types of values and elements itself. Classes with ``to_state`` are
# added when first met. A table instead of a visitor: see ``visiting.py``. Operands of effects are packed with it too.
_EXTENSIONS: Final[dict[type, Callable[[Any], Any]]] = {
    LongString: LongString.text,
    SmallHash: SmallHash.to_dict,
    Null: lambda value: msgpack.ExtType(JSON_NULL, b""),
    int: lambda value: msgpack.ExtType(BIG_INTEGER, b"%d" % value),
    tuple: lambda value: msgpack.ExtType(TUPLE, pack(list(value))),
    set: lambda value: msgpack.ExtType(SET, pack(list(value))),
}


def _extend(value: Any) -> Any:
    try:
        packed = _EXTENSIONS[type(value)]
    except KeyError:
        packed = _extension_of_class(type(value))
    return packed(value)


def _extension_of_class(kind: type) -> Callable[[Any], Any]:
    if kind not in value_classes().values():
        raise TypeError(f"no value of a keyspace: {kind.__name__}")
    _EXTENSIONS[kind] = _object
    return _object


def _restore(code: int, data: bytes) -> Any:
    if code == TUPLE:
        return tuple(unpack(data))
    if code == BIG_INTEGER:
        return int(data)
    if code == JSON_NULL:
        return NULL
    if code == SET:
        return set(unpack(data))
    if code == OBJECT:
        kind, state = unpack(data)
        if kind not in value_classes():
            raise UnknownKind(f"this version knows no values of the kind {kind}")
        return value_classes()[kind].from_state(state)
    raise UnknownKind(f"this version knows no extension {code}")


def pack(value: Any) -> bytes:
    """A value as bytes. Raises TypeError for objects that are not values of a keyspace."""
    # A packer for each call: ``_extend`` packs while the outer one runs.
    packed: bytes = msgpack.packb(value, default=_extend, strict_types=True, unicode_errors="surrogatepass")
    return packed


def packer() -> Any:
    """An object whose ``pack`` does the same as the function, several times faster: it keeps its buffer."""
    return msgpack.Packer(default=_extend, strict_types=True, unicode_errors="surrogatepass")


def unpack(data: bytes) -> Any:
    """The value from the bytes that ``pack`` made. Raises ValueError, UnknownKind."""
    return msgpack.unpackb(data, ext_hook=_restore, strict_map_key=False, unicode_errors="surrogatepass")


def unpacker(most_bytes: int, *, restores: bool = True) -> Any:
    """An object that is fed with bytes, ``most_bytes`` at most, and whose ``unpack`` returns their values one by one.

    Without ``restores`` values of our own types stay packed: for inspecting data that need not be understood.

    It raises ValueError, UnknownKind, and OutOfData while a value is incomplete.
    """
    return msgpack.Unpacker(
        ext_hook=_restore if restores else msgpack.ExtType,
        strict_map_key=False,
        unicode_errors="surrogatepass",
        max_buffer_size=max(most_bytes, 1),
    )
