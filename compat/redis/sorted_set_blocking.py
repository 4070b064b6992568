"""Sorted set commands that wait until there is a member."""

from __future__ import annotations

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.blocking import NOT_READY, Wait, block
from januskv.resp.replies import Reply

from .list_blocking import attempts
from .sorted_sets import ManyPop, pop_first
from .timeouts import blocking_timeout

verbs = Family("sorted_set")

_BLOCKING = Flag.WRITE | Flag.BLOCKING
_POP_KEYS = key("RW", "access", "delete", last=-2)


def pop_waiting(ctx: Context, argv: list[bytes], at_low: bool) -> Reply | Wait:
    """BZPOPMIN and BZPOPMAX."""
    timeout_ms, names = blocking_timeout(argv[-1]), argv[1:-1]

    def take(strict: bool) -> Reply:
        popped = pop_first(ctx, names, at_low, 1, strict)
        return NOT_READY if popped is None else [popped[0], *popped[1][0]]

    return block(names, timeout_ms, attempts(take))


@verbs.verb("BZPOPMIN", arity=-3, flags=_BLOCKING | Flag.FAST, keys=_POP_KEYS, since="5.0.0")
def bzpopmin(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """BZPOPMIN key [key ...] timeout

    Removes and returns the member with the lowest score of the first sorted set that has one; waits until there is one.

    Cost: O(log(N)) with N members
    """
    return pop_waiting(ctx, argv, True)


@verbs.verb("BZPOPMAX", arity=-3, flags=_BLOCKING | Flag.FAST, keys=_POP_KEYS, since="5.0.0")
def bzpopmax(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """BZPOPMAX key [key ...] timeout

    Removes and returns the member with the highest score of the first sorted set that has one; waits until there is one.

    Cost: O(log(N)) with N members
    """
    return pop_waiting(ctx, argv, False)


@verbs.verb(
    "BZMPOP",
    arity=-5,
    flags=_BLOCKING | Flag.MOVABLEKEYS,
    keys=key("RW", "access", "delete", begin=2, numkeys=True),
    since="7.0.0",
)
def bzmpop(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]

    Removes and returns members from one end of the first sorted set that has any; waits until there is one.

    Cost: O(K) + O(M*log(N)) with K keys, N members and M removed
    """
    timeout_ms, asked = blocking_timeout(argv[1]), ManyPop(argv, 2)

    def take(strict: bool) -> Reply:
        popped = pop_first(ctx, asked.names, asked.at_low, asked.count, strict)
        return NOT_READY if popped is None else [popped[0], popped[1]]

    return block(asked.names, timeout_ms, attempts(take))
