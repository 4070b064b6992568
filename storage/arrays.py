"""Arrays that JSON commands extend in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .keyspace import Keyspace
from .lists import add
from .values import element_from_json


def append(held: Any, member: bytes | None, items: list[Any]) -> None:
    """Add JSON items to the end of an array, or of the array that is a member of an object."""
    if member is None:
        add(held, False, [element_from_json(item) for item in items])
    else:
        held[member] += items


def _redo(keyspace: Keyspace, key: bytes, member: bytes | None, items: list[Any]) -> None:
    append(keyspace.data[key], member, items)


EFFECTS: dict[str, Callable[..., None]] = {"array.append": _redo}
