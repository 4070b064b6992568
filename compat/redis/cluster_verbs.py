"""CLUSTER and its relatives: the replies are those of a redis-server with cluster support disabled."""

from __future__ import annotations

from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import Reply

verbs = Family("cluster")

_MODE = Flag.LOADING | Flag.STALE | Flag.FAST
_VARIES = ("nondeterministic_output",)


@verbs.verb("CLUSTER", arity=-2, since="3.0.0")
def cluster(ctx: Context, argv: list[bytes]) -> Reply:
    """CLUSTER

    A container for commands about a cluster, which this server is not part of.
    """
    raise AssertionError("a container is never run")


def _refuse(usage: str, about: str, since: str = "3.0.0", **declared: Any) -> None:
    """Declare a command that is always refused, by its full usage line and its manual text."""

    def run(ctx: Context, argv: list[bytes]) -> Reply:
        raise RespError("ERR This instance has cluster support disabled")

    run.__doc__ = f"{usage}\n\n{about}\n\nCost: O(1)"
    words = usage.split()
    name = "|".join(word for word in words if word.isupper())
    verbs.verb(name, arity=len(words), since=since, **declared)(run)


for _usage, _since, _hints in (
    ("CLUSTER INFO", "3.0.0", _VARIES),
    ("CLUSTER MYID", "3.0.0", ()),
    ("CLUSTER SLOTS", "3.0.0", _VARIES),
    ("CLUSTER NODES", "3.0.0", _VARIES),
    ("CLUSTER SHARDS", "7.0.0", _VARIES),
    ("CLUSTER KEYSLOT key", "3.0.0", ()),
):
    _refuse(_usage, "Refused: there is no cluster.", _since, flags=Flag.STALE, hints=_hints)

for _usage, _about, _flags in (
    (
        "READONLY",
        "Lets a connection read from a replica in a cluster. Refused: the server is not part of one.",
        _MODE,
    ),
    ("READWRITE", "Ends what READONLY began. Refused: the server is not part of a cluster.", _MODE),
    (
        "ASKING",
        "Lets the next command read a slot that is moving into a node of a cluster. Refused: the server is not part of one.",
        Flag.FAST,
    ),
):
    _refuse(_usage, _about, flags=_flags, categories=("connection",))
