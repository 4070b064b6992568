"""What users may do with metrics: their rights to the keys of series, and to the commands that read and store samples.

A series has the key that ``storage.metrics.series_key`` spells, ``disk.used{host=db7,mnt=data}``, or the one that a Redis client has
given it. Who is confined to sessions may use none: metrics are in a numbered database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from januskv.commands.context import Refusal
from januskv.compat.server.acl.guards import READ, WRITE
from januskv.compat.server.acl.rights import User, any_key

from .errors import ApiError

if TYPE_CHECKING:
    from januskv.compat.server.client import Client
    from januskv.compat.server.server import Server

Keys = Callable[[bytes], bool]

READS: Final = b"TS.MRANGE"
STORES: Final = b"TS.ADD"
CONFINED: Final = "is confined to sessions, and metrics are in a database"


def readable(server: Server, user: User) -> Keys | None:
    """What tells the keys that a user may read; None: all. Raises ApiError (403) where it may read no metrics."""
    if user.unrestricted:
        return None
    if not user.may_enter(None):
        raise ApiError(403, f"User {user.name} {CONFINED}")
    command = server.table.commands[READS]
    keys = user.keys_of(command, READ)
    if keys is None:
        refusal = Refusal("command", command.text_name.encode())
        raise ApiError(403, server.users.denied(refusal, "toplevel", user.name, None).partition(" ")[2])
    return None if keys is any_key else keys


def writable(server: Server, user: User, client: Client | None = None) -> Keys:
    """What tells the keys of series in which a user may store points: ``any_key``, or a function that notes what it refuses."""
    if user.unrestricted:
        return any_key
    command = server.table.commands[STORES]
    keys = user.keys_of(command, WRITE) if user.may_enter(None) else None

    def may_write(key: bytes) -> bool:
        if keys is not None and keys(key):
            return True
        refusal = Refusal("key", key) if keys is not None else Refusal("command", command.text_name.encode())
        server.users.denied(refusal, "toplevel", user.name, client)
        return False

    return any_key if keys is any_key else may_write
