"""A whole command in one file, as CONTRIBUTING.md describes it: LROTATE for Redis clients, KV_ROTATE for JSON clients.

In the tree the parts stand in their layers: the event in ``storage/event_table.py``, the operation in ``storage/lists.py``, the Redis
command in ``compat/redis/lists.py``, the native one in ``commands/keyvalues.py``. Nothing else is touched.
"""

from __future__ import annotations

from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, Param, key, member
from januskv.commands.status import DONE
from januskv.commands.table import Family
from januskv.compat.redis.args import parse_int
from januskv.resp.replies import OK, Reply
from januskv.storage.event_table import declare
from januskv.storage.keyspace import Keyspace
from januskv.storage.lists import as_list, new_list

# ---------------------------------------------------------------- storage/: the event, and the operation that reports it

declare("lrotate", "l")


def rotate(keyspace: Keyspace, key: bytes, count: int) -> None:
    """Move the first ``count`` elements of a list behind the others; a missing key stays missing. O(n). Raises WrongType."""
    items = as_list(keyspace.get(key))
    if items is not None:
        elements = list(items)
        first = count % len(elements)
        keyspace.store(key, new_list(elements[first:] + elements[:first]), "lrotate")


# ---------------------------------------------------------------- compat/redis/: the Redis command

verbs = Family("list")


@verbs.verb("LROTATE", arity=3, flags=Flag.WRITE, keys=key("RW", "update"))
def lrotate(ctx: Context, argv: list[bytes]) -> Reply:
    """LROTATE key count

    Moves the first elements of a list behind the others.

    Cost: O(N) with N elements
    """
    rotate(ctx.keyspace, argv[1], parse_int(argv[2]))
    return OK


# ---------------------------------------------------------------- commands/: the native command

commands = Family("native", categories=("keyvalue",))


@commands.native(
    "KV_ROTATE",
    keys=member("keys", "RW", "update"),
    params=(Param("keys", "array"), Param("cnt", "uint")),
    in_keyspace=True,
    flags=Flag.WRITE,
)
def kv_rotate(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    """{"KV_ROTATE": {"keys": [name, ...], "cnt": count, "tkn"?: token}}

    Moves the first elements of arrays behind the others; missing keys are passed over.

    Cost: O(N) with N elements
    """
    for name in body["keys"]:
        rotate(ctx.keyspace, name.encode(), body["cnt"])
    return DONE
