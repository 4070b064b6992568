"""Lists: plain Python lists of elements, shared with JSON arrays, and the replay of their changes.

A list that grows longer than LONG becomes a ``LongList``, which is packed except for its ends, and stays one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final, TypeGuard

from .errors import WrongType
from .keyspace import Keyspace
from .long_lists import LongList, framed_piece
from .long_lists import Piece as Piece
from .values import text_of

Items = list[Any] | LongList

LONG: Final = 10


def as_list(value: object) -> Items | None:
    """The list that a key holds, None if absent. Raises WrongType."""
    if value is None or type(value) is list or type(value) is LongList:
        return value
    raise WrongType


def is_long(items: object) -> TypeGuard[LongList]:
    """Whether a list has the form that gives its elements in pieces, without an object for each."""
    return type(items) is LongList


def is_list(value: object) -> bool:
    """Whether a value is a list, in either form."""
    return type(value) is list or type(value) is LongList


def same_form(old: Items, items: list[Any]) -> Items:
    """Elements as a list in the same form as another."""
    return items if type(old) is list else LongList(items)


def texts_of(items: list[Any]) -> list[bytes]:
    """Elements as the bytes that Redis commands see."""
    return [item if type(item) is bytes else text_of(item) for item in items]


def bounds(size: int, start: int, stop: int) -> tuple[int, int]:
    """First index and end (exclusive) of a range whose ends are inclusive and may count from the tail."""
    first = max(start + size, 0) if start < 0 else start
    end = (stop + size if stop < 0 else min(stop, size - 1)) + 1
    return (first, end) if first < end else (0, 0)


def positions(items: Items, wanted: bytes, rank: int, count: int, most: int) -> list[int]:
    """Indexes of matching elements: from the rank-th match on (from the tail if negative), up to count (0: all).

    At most ``most`` elements are compared (0: all).
    """
    size = len(items)
    looked_at = min(most, size) if most else size
    skipped = min(abs(rank) - 1, size)
    count = min(count, size)
    if isinstance(items, LongList):
        start, stop = (0, looked_at) if rank > 0 else (size - looked_at, size)
        places = items.places_of(wanted, start, stop, rank < 0)
        return list(islice(places, skipped, skipped + count if count else None))
    indexes = range(looked_at) if rank > 0 else range(size - 1, size - 1 - looked_at, -1)
    found: list[int] = []
    for index, item in zip(indexes, items if rank > 0 else reversed(items), strict=False):
        if (item if type(item) is bytes else text_of(item)) != wanted:
            continue
        if skipped:
            skipped -= 1
            continue
        found.append(index)
        if len(found) == count:
            break
    return found


# ---------------------------------------------------------------- changes without a report


def add(items: Items, at_head: bool, new: list[Any]) -> None:
    """Push elements one after another: at the head they end up in reverse order."""
    if isinstance(items, LongList):
        items.push(at_head, new)
    elif at_head:
        items[:0] = new[::-1]
    else:
        items += new


def framed_texts(piece: Piece, mark: bytes, end: bytes, backwards: bool = False) -> bytes:
    """The elements of a piece as text, each framed by its length and these marks, as protocols send them."""
    framed = framed_piece(piece, mark, end, backwards)
    if framed is None:  # some are not byte strings
        texts = texts_of(piece[0][piece[1] : piece[2]])
        framed = framed_piece((texts, 0, len(texts)), mark, end, backwards)
        assert framed is not None
    return framed


def take(items: Items, at_head: bool, count: int) -> list[Any]:
    """Remove up to ``count`` elements and return them in the order of removal."""
    if isinstance(items, LongList):
        return items.take(at_head, count)
    if at_head:
        taken = items[:count]
        del items[:count]
    else:
        start = max(len(items) - count, 0)
        taken = items[start:][::-1]
        del items[start:]
    return taken


def keep(items: Items, first: int, end: int) -> None:
    """Keep only the elements from one index to another, end exclusive."""
    if isinstance(items, LongList):
        items.keep(first, end)
    else:
        items[:] = items[first:end]


def remove_at(items: Items, indexes: list[int]) -> None:
    """Remove the elements at these indexes. O(N)."""
    if isinstance(items, LongList):
        items.remove_at(indexes)
        return
    gone = set(indexes)
    items[:] = [item for index, item in enumerate(items) if index not in gone]


# ---------------------------------------------------------------- changes of a key


def grown(keyspace: Keyspace, key: bytes, items: Items) -> None:
    """Convert a list that has become long."""
    if isinstance(items, list) and len(items) > LONG:
        keyspace.data[key] = LongList(items)


def new_list(items: list[Any]) -> Items:
    """A list of these elements, in the form for their number; may be the same object."""
    return LongList(items) if len(items) > LONG else items


def put_list(keyspace: Keyspace, key: bytes, items: list[Any], event: str) -> None:
    """Set a key to a list, replacing any value; each element counts as a change."""
    keyspace.feed.extra += len(items) - 1
    keyspace.put(key, new_list(items), event)


def push(keyspace: Keyspace, key: bytes, items: Items | None, at_head: bool, new: list[Any]) -> int:
    """Push to the list of a key, which is created if it is None; return its new length."""
    keyspace.feed.extra += len(new) - 1
    if items is None:
        items = new[::-1] if at_head else list(new)
        if len(items) > LONG:
            items = LongList(items)
        keyspace.put(key, items, "lpush" if at_head else "rpush")
        return len(items)
    if isinstance(items, LongList):
        in_blocks = items
        in_blocks.push(at_head, new)
        size = len(in_blocks)
    else:
        add(items, at_head, new)
        size = len(items)
        grown(keyspace, key, items)
    event = "lpush" if at_head else "rpush"
    keyspace.changed(event, key, ("list.push", at_head, new) if keyspace.feed.listeners else ())
    return size


def pop(keyspace: Keyspace, key: bytes, items: Items, at_head: bool, count: int) -> list[Any]:
    """Pop up to ``count`` elements from a key's list; the last one removes the key."""
    taken = take(items, at_head, count)
    keyspace.feed.extra += len(taken) - 1
    keyspace.changed("lpop" if at_head else "rpop", key, ("list.pop", at_head, len(taken)))
    if not items:
        keyspace.emptied(key)
    return taken


def pop_pieces(keyspace: Keyspace, key: bytes, items: LongList, at_head: bool, count: int) -> list[Piece]:
    """Pop ``count`` existing elements, as pieces, in order, from a key's long list; the last one removes the key.

    O(blocks), no cost per element.
    """
    size = len(items)
    taken = items.pieces(0, count) if at_head else items.pieces(size - count, size)
    if count < size:
        items.keep(count if at_head else 0, size if at_head else size - count)
    keyspace.feed.extra += count - 1
    keyspace.changed("lpop" if at_head else "rpop", key, ("list.pop", at_head, count))
    if count == size:
        keyspace.emptied(key)
    return taken


def remove_equal(keyspace: Keyspace, key: bytes, items: Items, count: int, wanted: bytes) -> int:
    """Remove equal elements: the first ``count``, the last ones if negative, all if 0. Returns how many.

    Removing the last one removes the key.
    """
    found = positions(items, wanted, -1 if count < 0 else 1, abs(count), 0)
    if found:
        is_all = len(found) == len(items)
        if not is_all:
            remove_at(items, found)
        keyspace.feed.extra += len(found) - 1
        keyspace.changed("lrem", key, ("list.remove_equal", count, wanted))
        if is_all:
            keyspace.emptied(key)
    return len(found)


def pop_one(keyspace: Keyspace, key: bytes, items: Items, at_head: bool) -> Any:
    """Pop one element from a key's list; the last one removes the key."""
    if isinstance(items, LongList):
        in_blocks = items
        item = in_blocks.pop(at_head)
        left = len(in_blocks)
    else:
        item = items.pop(0 if at_head else -1)
        left = len(items)
    event = "lpop" if at_head else "rpop"
    keyspace.changed(event, key, ("list.pop", at_head, 1) if keyspace.feed.listeners else ())
    if not left:
        keyspace.emptied(key)
    return item


def set_item(keyspace: Keyspace, key: bytes, items: Items, index: int, item: Any) -> None:
    """Set the element at an index, which exists and may count from the tail."""
    items[index] = item
    keyspace.changed("lset", key, ("list.set", index, item))


def insert_item(keyspace: Keyspace, key: bytes, items: Items, index: int, item: Any) -> None:
    """Insert an element before the one at an index, or at the end."""
    items.insert(index, item)
    keyspace.changed("linsert", key, ("list.insert", index, item))


def keep_range(keyspace: Keyspace, key: bytes, items: Items, first: int, end: int) -> None:
    """Keep only the elements from one index to another, end exclusive; the key is removed if none is left."""
    size = len(items)
    if first < end:
        keep(items, first, end)
    keyspace.feed.extra += size - max(end - first, 0) - 1
    keyspace.changed("ltrim", key, ("list.keep", first, end))
    if first >= end:  # the elements are removed with the key
        keyspace.emptied(key)


def move_item(keyspace: Keyspace, source: bytes, target: bytes, from_head: bool, to_head: bool) -> Any:
    """Move an element from an end of one list to an end of another or the same; None if there is none. Raises WrongType."""
    items = as_list(keyspace.get(source))
    if not items:
        return None
    target_items = as_list(keyspace.get(target))
    item = items[0 if from_head else -1]
    # Pushed first, so that a rotated list of one element is never empty in between.
    push(keyspace, target, target_items, to_head, [item])
    if source == target:  # the push may have converted it
        items = _held(keyspace, source)
    pop(keyspace, source, items, from_head, 1)
    keyspace.feed.extra -= 1  # both together count as one
    return item


# ---------------------------------------------------------------- redoing


def _held(keyspace: Keyspace, key: bytes) -> Items:
    items = as_list(keyspace.data[key])
    assert items is not None
    return items


def _drop_if_empty(keyspace: Keyspace, key: bytes) -> None:
    if not keyspace.data[key]:
        keyspace.forget(key)


def _push(keyspace: Keyspace, key: bytes, at_head: bool, new: list[Any]) -> None:
    items = _held(keyspace, key)
    add(items, at_head, list(new))
    grown(keyspace, key, items)


def _pop(keyspace: Keyspace, key: bytes, at_head: bool, count: int) -> None:
    take(_held(keyspace, key), at_head, count)
    _drop_if_empty(keyspace, key)


def _set(keyspace: Keyspace, key: bytes, index: int, item: Any) -> None:
    _held(keyspace, key)[index] = item


def _insert(keyspace: Keyspace, key: bytes, index: int, item: Any) -> None:
    _held(keyspace, key).insert(index, item)


def _remove(keyspace: Keyspace, key: bytes, indexes: list[int]) -> None:
    remove_at(_held(keyspace, key), indexes)
    _drop_if_empty(keyspace, key)


def _remove_equal(keyspace: Keyspace, key: bytes, count: int, wanted: bytes) -> None:
    remove_equal(keyspace, key, _held(keyspace, key), count, wanted)


def _keep(keyspace: Keyspace, key: bytes, first: int, end: int) -> None:
    keep(_held(keyspace, key), first, end)
    _drop_if_empty(keyspace, key)


EFFECTS: dict[str, Callable[..., None]] = {
    "list.push": _push,
    "list.pop": _pop,
    "list.set": _set,
    "list.insert": _insert,
    "list.remove": _remove,
    "list.remove_equal": _remove_equal,
    "list.keep": _keep,
}
