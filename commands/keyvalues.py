# cython: annotation_typing=True
"""Native key-value commands, KV_: JSON values under string keys (specs: nemesis.md, section 6).

They act in the keyspace of ``ctx``, a session's or a database. Series are not key-values: these
commands skip them, and a request that writes under a series' name is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any

import orjson

from januskv.storage.errors import KeyHoldsSeries, NoArray
from januskv.storage.hashes import without_expired
from januskv.storage.json_changes import append_items, replace_parts
from januskv.storage.keyspace import Keyspace
from januskv.storage.store import Store
from januskv.storage.values import (
    MOST_DEPTH,
    deeper_than,
    from_json,
    is_json,
    is_series,
    kind_of,
    name_to_json,
    to_json,
)

from .context import Context
from .declare import Flag, Param, all_keys, member
from .jsonpath import Budget, PathError, PathTooCostly, compile, normalised
from .params import NativeError
from .status import DONE, Status
from .table import Family
from .work import FEW, STEP, LongArray, LongObject, Parts, Steps, Work, at_once, key_batches, live_batches

commands = Family("native", categories=("keyvalue",))

Body = dict[str, Any]

_EMPTY_KEYS = "Keys empty"
KEYS_OBJECT = Param("keys", "object")
KEYS_OBJECT_FILLED = Param("keys", "object", empty_text=_EMPTY_KEYS)
KEYS_ARRAY = Param("keys", "array")


def value_of(keyspace: Keyspace, name: str) -> object:
    """The key-value of a name; None if it is missing or a series."""
    key = name.encode()
    value = keyspace.read(key)
    if keyspace.field_due:
        value = without_expired(keyspace, key, value)
    return None if keyspace.series_count and is_series(value) else value


def store(keyspace: Keyspace, keys: Body) -> None:
    """Set keys to JSON values. Raises KeyHoldsSeries before anything is changed."""
    values = {}
    for name, value in keys.items():
        values[name.encode()] = from_json(value)
    put_values(keyspace, values)


def put_values(keyspace: Keyspace, values: dict[bytes, object]) -> None:
    """Set keys to values. Raises KeyHoldsSeries before anything is changed."""
    if keyspace.series_count:
        for key in values:
            if is_series(keyspace.get(key)):
                raise KeyHoldsSeries(key)
    keyspace.put_many(values)


def add(keyspace: Keyspace, keys: Body) -> None:
    """Set those of the keys that do not exist. A series counts as existing."""
    for name, value in keys.items():
        key = name.encode()
        if keyspace.get(key) is None:
            keyspace.put(key, from_json(value))


def clear(engine: Store, keyspace: Keyspace) -> Generator[None, None, int]:
    """Remove all key-values, in batches if there are series. Returns how many there were."""
    if not keyspace.series_count:
        return keyspace.clear()
    removed = 0
    for holder, names in key_batches(engine, keyspace):
        for name in names:
            if not is_series(holder.get(name)):
                removed += holder.delete(name)
        yield
    return removed


def in_steps(ctx: Context, steps: Steps) -> Body | Work:
    """The reply to a command about all keys of a keyspace: at once if they are few."""
    return at_once(steps) if len(ctx.keyspace.data) <= FEW else Work(steps)


# ---------------------------------------------------------------- writing


@commands.native(
    "KV_SET",
    keys=member("keys", "OW", "update"),
    params=(KEYS_OBJECT_FILLED,),
    in_keyspace=True,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def kv_set(ctx: Context, body: Body) -> Body:
    """{"KV_SET": {"keys": {name: value, ...}, "tkn"?: token}}

    Sets keys to JSON values, replacing any others. Status 27, and nothing is set, if one of the names is a series.

    Cost: O(N) with N keys
    """
    store(ctx.keyspace, body["keys"])
    return DONE


@commands.native(
    "KV_SETQ",
    keys=member("keys", "OW", "update"),
    params=(KEYS_OBJECT_FILLED,),
    in_keyspace=True,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def kv_setq(ctx: Context, body: Body) -> None:
    """{"KV_SETQ": {"keys": {name: value, ...}, "tkn"?: token}}

    Sets keys like KV_SET, and replies only if it is refused.

    Cost: O(N) with N keys
    """
    store(ctx.keyspace, body["keys"])


@commands.native(
    "KV_ADD",
    keys=member("keys", "RW", "insert"),
    params=(KEYS_OBJECT,),
    in_keyspace=True,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def kv_add(ctx: Context, body: Body) -> Body:
    """{"KV_ADD": {"keys": {name: value, ...}, "tkn"?: token}}

    Sets those of the keys that do not exist yet; the others silently keep their values.

    Cost: O(N) with N keys
    """
    add(ctx.keyspace, body["keys"])
    return DONE


@commands.native(
    "KV_ADDQ",
    keys=member("keys", "RW", "insert"),
    params=(KEYS_OBJECT_FILLED,),
    in_keyspace=True,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def kv_addq(ctx: Context, body: Body) -> None:
    """{"KV_ADDQ": {"keys": {name: value, ...}, "tkn"?: token}}

    Sets new keys like KV_ADD, and replies only if it is refused.

    Cost: O(N) with N keys
    """
    add(ctx.keyspace, body["keys"])


@commands.native(
    "KV_RMV",
    keys=member("keys", "RM", "delete"),
    params=(Param("keys", "array", empty_text=_EMPTY_KEYS),),
    in_keyspace=True,
    flags=Flag.WRITE,
)
def kv_rmv(ctx: Context, body: Body) -> Body:
    """{"KV_RMV": {"keys": [name, ...], "tkn"?: token}}

    Removes keys; missing ones and items that are not strings are ignored.

    Cost: O(N) with N keys
    """
    keyspace = ctx.keyspace
    for name in body["keys"]:
        if type(name) is str and not is_series(keyspace.get(name.encode())):
            keyspace.delete(name.encode())
    return DONE


@commands.native("KV_CLEAR", keys=all_keys("RM", "delete"), in_keyspace=True, flags=Flag.WRITE)
def kv_clear(ctx: Context, body: Body) -> Body | Work:
    """{"KV_CLEAR": {"tkn"?: token}}

    Removes all key-values; ``cnt`` says how many there were. Series stay. If there are series, many keys are removed in
    batches while other clients are served: what these set meanwhile may be removed or stay.

    Cost: O(N) with N keys
    """
    engine, keyspace = ctx.store, ctx.keyspace

    def steps() -> Steps:
        return {"st": 1, "cnt": (yield from clear(engine, keyspace))}

    return in_steps(ctx, steps())


@commands.native(
    "KV_CLEAR_SET",
    keys=(member("keys", "OW", "update"), all_keys("RM", "delete")),
    params=(KEYS_OBJECT,),
    in_keyspace=True,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def kv_clear_set(ctx: Context, body: Body) -> Body | Work:
    """{"KV_CLEAR_SET": {"keys": {name: value, ...}, "tkn"?: token}}

    Removes all key-values, as KV_CLEAR does, then sets the given ones; ``cnt`` says how many were removed.

    Cost: O(N) with N keys removed and set
    """
    engine, keyspace = ctx.store, ctx.keyspace
    if keyspace.series_count:
        for name in body["keys"]:
            if is_series(keyspace.get(name.encode())):
                raise KeyHoldsSeries(name.encode())

    def steps() -> Steps:
        removed = yield from clear(engine, keyspace)
        store(keyspace, body["keys"])
        return {"st": 1, "cnt": removed}

    return in_steps(ctx, steps())


# ---------------------------------------------------------------- reading


@commands.native(
    "KV_GET", keys=member("keys", "RO", "access"), params=(KEYS_ARRAY,), in_keyspace=True, flags=Flag.READONLY
)
def kv_get(ctx: Context, body: Body) -> Body:
    """{"KV_GET": {"keys": [name, ...], "tkn"?: token}}

    Returns the values of keys; missing ones are left out, items that are not strings ignored.

    Cost: O(N) with N keys
    """
    keyspace = ctx.keyspace
    values: Body = {}
    for name in body["keys"]:
        if type(name) is str:
            value = value_of(keyspace, name)
            if value is not None:
                values[name] = to_json(value)
    return {"st": 1, "keys": values}


@commands.native("KV_CONTAINS", keys=member("keys", "RO"), params=(KEYS_ARRAY,), in_keyspace=True, flags=Flag.READONLY)
def kv_contains(ctx: Context, body: Body) -> Body:
    """{"KV_CONTAINS": {"keys": [name, ...], "tkn"?: token}}

    Returns those of the names that exist, in the given order.

    Cost: O(N) with N keys
    """
    keyspace = ctx.keyspace
    existing = [name for name in body["keys"] if type(name) is str and value_of(keyspace, name) is not None]
    return {"st": 1, "contains": existing}


@commands.native("KV_COUNT", keys=all_keys("RO", "access"), in_keyspace=True, flags=Flag.READONLY)
def kv_count(ctx: Context, body: Body) -> Body:
    """{"KV_COUNT": {"tkn"?: token}}

    Counts the key-values. Like DBSIZE it counts expired keys that have not been removed yet.

    Cost: O(1)
    """
    return {"st": 1, "cnt": len(ctx.keyspace.data) - ctx.keyspace.series_count}


@commands.native("KV_KEYS", keys=all_keys("RO", "access"), in_keyspace=True, flags=Flag.READONLY)
def kv_keys(ctx: Context, body: Body) -> Body | Work:
    """{"KV_KEYS": {"tkn"?: token}}

    Returns the names of all key-values, in the order in which they were first set.

    Many names are gathered in batches while other clients are served. Each name is returned at most once. Keys that exist
    all the time are included; those that come or go meanwhile may be.

    Cost: O(N) with N keys
    """
    engine, keyspace = ctx.store, ctx.keyspace
    if len(keyspace.data) <= FEW:
        return {"st": 1, "keys": [name_to_json(name) for name, _ in keyspace.key_values()]}
    parts = Parts()
    keys = parts.array()

    def steps() -> Steps:
        for found in live_batches(engine, keyspace, series=False):
            keys.extend([name_to_json(name) for name, _ in found])
            yield
        return {"st": 1, "keys": keys}

    return Work(steps(), parts)


# ---------------------------------------------------------------- searching

# Work granted for each key on top of the path's limit, so that many keys alone are no reason to refuse.
_WORK_PER_KEY = 16


def check_find(body: Body) -> None:
    """KV_FIND's own checks: the form of the reply, then the path."""
    if body["rsp"] not in ("keys", "paths", "kv"):
        raise NativeError(Status.COMMAND_SYNTAX, "'rsp' must be keys, paths or kv")
    if not body["path"]:
        raise NativeError(Status.VALUE_SIZE, "Path empty")


Examples = list[tuple[str, object]]


def all_examples(engine: Store, keyspace: Keyspace) -> Iterator[Examples]:
    """Names and values of all keys, in batches."""
    for batch in live_batches(engine, keyspace, series=False):
        yield [(name_to_json(name), value) for name, value in batch]


def listed_examples(keyspace: Keyspace, names: list[Any], *, once: bool) -> Iterator[Examples]:
    """Names and values of listed keys, in batches. ``once``: without repeated names."""
    seen: set[str] = set()
    for start in range(0, len(names), STEP):
        listed = [name for name in names[start : start + STEP] if type(name) is str]
        if once:
            listed = [name for name in dict.fromkeys(listed) if name not in seen]
            seen.update(listed)
        yield [(name, value) for name in listed if (value := value_of(keyspace, name)) is not None]


def find(batches: Iterable[Examples], body: Body, keys: list[str] | LongArray, values: Body | LongObject) -> Steps:
    """The steps of KV_FIND. Names and paths are added to ``keys``, values to ``values``."""
    form = body["rsp"]
    path = None
    budget = Budget()
    try:
        for examples in batches:
            if path is None and examples:
                path = compile(body["path"])
            hits: list[str] = []
            matched: Body = {}
            for name, value in examples:
                assert path is not None
                tree = to_json(value)
                budget.left += _WORK_PER_KEY
                if form == "paths":
                    hits += [normalised(location) for location, _ in path.find(tree, budget)]
                elif path.matches(tree, budget):
                    hits.append(name)
                    matched[name] = tree
            if form == "kv":
                values.update(matched)
            else:
                keys.extend(hits)
            yield
    except PathTooCostly as error:
        raise NativeError(Status.UNKNOWN, str(error)) from None
    except PathError:
        return {"st": Status.PATH_INVALID.value}
    return {"st": 1, "paths": keys} if form == "paths" else {"st": 1, "keys": keys if form == "keys" else values}


@commands.native(
    "KV_FIND",
    keys=(member("keys", "RO", "access"), all_keys("RO", "access", unless="keys")),
    params=(Param("keys", "array", required=False), Param("path", "string"), Param("rsp", "string")),
    check=check_find,
    in_keyspace=True,
    flags=Flag.READONLY,
)
def kv_find(ctx: Context, body: Body) -> Body | Work:
    """{"KV_FIND": {"rsp": "keys" | "paths" | "kv", "path": jsonpath, "keys"?: [name, ...], "tkn"?: token}}

    Finds the keys in whose values a JSONPath selects something; ``$`` is the value of the key.

    ``rsp`` chooses the reply: names of the keys, normalised paths of all hits, or the keys with their
    whole values. An invalid path is status 4, if any key is examined; one that takes too much work is 1000.

    Many keys are examined in batches while other clients are served: each at most once, in its state at that time.
    Keys that exist all the time are examined; those that come or go meanwhile may be.

    Cost: O(N) with N elements in the values
    """
    keyspace, names = ctx.keyspace, body.get("keys")
    few = len(names or keyspace.data) <= FEW
    batches: Iterable[Examples]
    if names:
        batches = listed_examples(keyspace, names, once=body["rsp"] == "kv")
    elif few:
        batches = ([(name_to_json(name), value) for name, value in keyspace.key_values()],)
    else:
        batches = all_examples(ctx.store, keyspace)
    if few:
        return at_once(find(batches, body, [], {}))
    parts = Parts()
    return Work(find(batches, body, parts.array(), parts.object()), parts)


# ---------------------------------------------------------------- changing parts of a value


def with_copies(tree: Any, shared: object) -> Any:
    """A JSON value in which each occurrence of a shared container is a separate copy."""
    if tree is shared:
        return orjson.loads(orjson.dumps(shared))
    for key, item in tree.items() if type(tree) is dict else enumerate(tree):
        if type(item) is dict or type(item) is list:
            tree[key] = with_copies(item, shared)
    return tree


@commands.native(
    "KV_UPDATE",
    keys=member("key", "RW", "access", "update"),
    params=(Param("key", "string"), Param("path", "string"), Param("value", "any")),
    in_keyspace=True,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def kv_update(ctx: Context, body: Body) -> Body:
    """{"KV_UPDATE": {"key": name, "path": jsonpath, "value": value, "tkn"?: token}}

    Replaces every element that a JSONPath selects in a key's value; ``cnt`` says how many. Nothing is created.

    Status 22 for a missing key, 1000 for an invalid path, 42 if the value would be nested too deep, 41 for a set, a
    sorted set or a stream, which are read-only as JSON.

    Cost: O(N) with N elements in the value
    """
    keyspace = ctx.keyspace
    stored = value_of(keyspace, body["key"])
    if stored is None:
        return {"st": Status.KEY_NOT_EXIST.value, "cnt": 0}
    if not is_json(stored):
        raise NativeError(Status.VALUE_TYPE, f"A {kind_of(stored)} has no parts to replace; its own commands change it")
    before, new = to_json(stored), body["value"]
    try:
        after, count = compile(body["path"]).replace(before, new)
    except PathError as error:
        raise NativeError(Status.UNKNOWN, f"Invalid path: {error}") from None
    if type(new) is dict or type(new) is list:
        if deeper_than(after, MOST_DEPTH):
            raise NativeError(Status.VALUE_SIZE, "Value nested too deep")
        if count > 1:
            after = with_copies(after, new)
    if count:
        replace_parts(keyspace, body["key"].encode(), stored, before, after)
    return {"st": 1, "cnt": count}


@commands.native(
    "KV_ARR_APPEND",
    keys=member("key", "RW", "insert"),
    params=(Param("items", "array"), Param("key", "string"), Param("name", "string", required=False)),
    in_keyspace=True,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def kv_arr_append(ctx: Context, body: Body) -> Body:
    """{"KV_ARR_APPEND": {"key": name, "name"?: member, "items": [item, ...], "tkn"?: token}}

    Adds items to the end of an array: the key's value, or with ``name`` that member of the object in the key.

    Status 22 for a missing key, 1000 if there is no such array.

    Cost: O(N) with N items
    """
    keyspace = ctx.keyspace
    key, items = body["key"].encode(), body["items"]
    member = body["name"].encode() if "name" in body else None
    stored = value_of(keyspace, body["key"])
    if stored is None:
        return {"st": Status.KEY_NOT_EXIST.value}
    try:
        append_items(keyspace, key, stored, member, items)
    except NoArray:
        text = "Not an array" if member is None else "No such array in the object"
        raise NativeError(Status.UNKNOWN, text) from None
    return DONE
