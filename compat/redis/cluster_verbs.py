"""What clients ask of a cluster. There is none: the replies are those of a redis-server with cluster support disabled."""

from __future__ import annotations

from januskv.commands.context import Context
from januskv.commands.declare import Flag
from januskv.commands.table import Family
from januskv.compat.faults import RespError
from januskv.resp.replies import Reply

verbs = Family("cluster")

_DISABLED = "ERR This instance has cluster support disabled"


@verbs.verb("CLUSTER", arity=-2, since="3.0.0")
def cluster(ctx: Context, argv: list[bytes]) -> Reply:
    """CLUSTER

    A container for commands about a cluster, which this server is not part of.
    """
    raise AssertionError("a container is never run")


@verbs.verb("CLUSTER|INFO", arity=2, flags=Flag.STALE, since="3.0.0", hints=("nondeterministic_output",))
def cluster_info(ctx: Context, argv: list[bytes]) -> Reply:
    """CLUSTER INFO

    Refused: there is no cluster.

    Cost: O(1)
    """
    raise RespError(_DISABLED)


@verbs.verb("CLUSTER|MYID", arity=2, flags=Flag.STALE, since="3.0.0")
def cluster_myid(ctx: Context, argv: list[bytes]) -> Reply:
    """CLUSTER MYID

    Refused: there is no cluster.

    Cost: O(1)
    """
    raise RespError(_DISABLED)


@verbs.verb("CLUSTER|SLOTS", arity=2, flags=Flag.STALE, since="3.0.0", hints=("nondeterministic_output",))
def cluster_slots(ctx: Context, argv: list[bytes]) -> Reply:
    """CLUSTER SLOTS

    Refused: there is no cluster.

    Cost: O(1)
    """
    raise RespError(_DISABLED)


@verbs.verb("CLUSTER|NODES", arity=2, flags=Flag.STALE, since="3.0.0", hints=("nondeterministic_output",))
def cluster_nodes(ctx: Context, argv: list[bytes]) -> Reply:
    """CLUSTER NODES

    Refused: there is no cluster.

    Cost: O(1)
    """
    raise RespError(_DISABLED)


@verbs.verb("CLUSTER|SHARDS", arity=2, flags=Flag.STALE, since="7.0.0", hints=("nondeterministic_output",))
def cluster_shards(ctx: Context, argv: list[bytes]) -> Reply:
    """CLUSTER SHARDS

    Refused: there is no cluster.

    Cost: O(1)
    """
    raise RespError(_DISABLED)


@verbs.verb("CLUSTER|KEYSLOT", arity=3, flags=Flag.STALE, since="3.0.0")
def cluster_keyslot(ctx: Context, argv: list[bytes]) -> Reply:
    """CLUSTER KEYSLOT key

    Refused: there is no cluster.

    Cost: O(1)
    """
    raise RespError(_DISABLED)
