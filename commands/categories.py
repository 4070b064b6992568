"""ACL categories: those of Redis, and those of the native commands."""

from __future__ import annotations

from typing import Final

from .declare import Flag
from .table import Command

# In the order in which ACL CAT lists them; those after "scripting" are ours.
CATEGORIES: Final = (
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
    "timeseries",
    "keyvalue",
    "session",
)

_OF_GROUPS: Final = {
    "generic": "keyspace",
    "string": "string",
    "connection": "connection",
    "transactions": "transaction",
    "hash": "hash",
    "list": "list",
    "set": "set",
    "sorted_set": "sortedset",
    "stream": "stream",
    "bitmap": "bitmap",
    "hyperloglog": "hyperloglog",
    "geo": "geo",
    "scripting": "scripting",
    "timeseries": "timeseries",
}
_DATA_TYPES: Final = frozenset({"string", "hash", "list", "set", "sortedset", "stream"})


def categories_of(command: Command) -> list[str]:
    """The categories of a command: those implied by group and flags (as in Redis), and the declared ones."""
    flags = command.flags
    if command.subcommands and not flags:
        return ["slow"]  # a container does nothing by itself; its subcommands have the categories
    categories = list(command.options.categories)
    group = _OF_GROUPS.get(command.options.group)
    if group is not None and not (group == "keyspace" and _DATA_TYPES.intersection(categories)):
        categories.append(group)
    if Flag.WRITE in flags:
        categories.append("write")
    if Flag.READONLY in flags and group not in ("scripting",):
        categories.append("read")
    if Flag.ADMIN in flags:
        categories += ["admin", "dangerous"]
    if Flag.PUBSUB in flags:
        categories.append("pubsub")
    if Flag.BLOCKING in flags:
        categories.append("blocking")
    categories.append("fast" if Flag.FAST in flags else "slow")
    return list(dict.fromkeys(categories))
