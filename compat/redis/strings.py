# cython: annotation_typing=True
"""String verbs. A string is bytes; JSON numbers, booleans and null are strings to these verbs too.

Verbs that read see the JSON text (26, 0.5, true, null). INCR on a JSON integer keeps it one; any
other verb that changes a value leaves bytes.
"""

from __future__ import annotations

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.resp.replies import OK, Reply
from januskv.storage.errors import WrongType
from januskv.storage.values import kind_of, text_of

verbs = Family("string")


def string_text(value: object) -> bytes:
    """The bytes of a string value. Raises WrongType for other kinds."""
    if type(value) is bytes:
        return value
    if kind_of(value) != "string":
        raise WrongType
    return text_of(value)


@verbs.verb("GET", arity=2, flags=Flag.READONLY | Flag.FAST, keys=key("RO", "ACCESS"), since="1.0.0")
def get(ctx: Context, argv: list[bytes]) -> Reply:
    """GET key

    Returns the string value of a key.

    Cost: O(1)
    """
    value = ctx.keyspace.read(argv[1])
    if value is None or type(value) is bytes:
        return value
    return string_text(value)


@verbs.verb(
    "SET",
    arity=-3,
    flags=Flag.WRITE | Flag.DENYOOM | Flag.QUICK,
    keys=key("RW", "ACCESS", "UPDATE", "VARIABLE_FLAGS"),
)
def set_(ctx: Context, argv: list[bytes]) -> Reply:
    """SET key value

    Sets the string value of a key, whatever it held.

    Cost: O(1)
    """
    if len(argv) == 3:
        ctx.keyspace.put(argv[1], argv[2])
        return OK
    raise NotImplementedError
