"""List commands that wait until there is an element."""

from __future__ import annotations

from collections.abc import Callable

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.blocking import NOT_READY, Wait, block, no_array, no_value
from januskv.resp.replies import Reply
from januskv.storage.values import kind_of

from .lists import ManyPop, move, pop_first, side
from .timeouts import blocking_timeout

verbs = Family("list")

_BLOCKING = Flag.WRITE | Flag.BLOCKING
_POP_KEYS = key("RW", "access", "delete", last=-2)
_MOVE_KEYS = (key("RW", "access", "delete"), key("RW", "insert", begin=2))


def attempts(take: Callable[[bool], Reply]) -> Callable[[], Reply]:
    """Call ``take`` strictly the first time; a client that already waits ignores keys of other types."""
    strict = True

    def attempt() -> Reply:
        nonlocal strict
        reply = take(strict)
        strict = False
        return reply

    return attempt


def pop_waiting(ctx: Context, argv: list[bytes], at_head: bool) -> Reply | Wait:
    """BLPOP and BRPOP."""
    timeout_ms, names = blocking_timeout(argv[-1]), argv[1:-1]

    def take(strict: bool) -> Reply:
        popped = pop_first(ctx, names, at_head, 1, strict)
        reply: Reply = NOT_READY
        if popped:
            name, (element,) = popped
            reply = [name, element]
        return reply

    return block(names, timeout_ms, attempts(take))


@verbs.verb("BLPOP", arity=-3, flags=_BLOCKING, keys=_POP_KEYS, since="2.0.0")
def blpop(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """BLPOP key [key ...] timeout

    Removes and returns the first element of the first list that has one; waits until there is one.

    Cost: O(N) keys
    """
    return pop_waiting(ctx, argv, True)


@verbs.verb("BRPOP", arity=-3, flags=_BLOCKING, keys=_POP_KEYS, since="2.0.0")
def brpop(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """BRPOP key [key ...] timeout

    Removes and returns the last element of the first list that has one; waits until there is one.

    Cost: O(N) keys
    """
    return pop_waiting(ctx, argv, False)


def move_waiting(ctx: Context, argv: list[bytes], from_head: bool, to_head: bool) -> Reply | Wait:
    """BLMOVE and BRPOPLPUSH."""
    timeout_ms, source, target = blocking_timeout(argv[-1]), argv[1], argv[2]

    def take(strict: bool) -> Reply:
        value = None if strict else ctx.keyspace.get(source)
        if not strict and (value is None or kind_of(value) != "list"):
            element = None
        else:
            element = move(ctx, source, target, from_head, to_head)
        reply: Reply = NOT_READY if element is None else element
        return reply

    # As in Redis: a null array at the timeout, a null inside EXEC, which does not wait.
    return block([source], timeout_ms, attempts(take), no_array, no_value)


@verbs.verb("BLMOVE", arity=6, flags=_BLOCKING | Flag.DENYOOM, keys=_MOVE_KEYS, since="6.2.0")
def blmove(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout

    Pops an element from a list, pushes it to another list and returns it; waits until there is one.

    Cost: O(1)
    """
    return move_waiting(ctx, argv, side(argv[3]), side(argv[4]))


@verbs.verb(
    "BRPOPLPUSH",
    arity=4,
    flags=_BLOCKING | Flag.DENYOOM,
    keys=_MOVE_KEYS,
    since="2.2.0",
    deprecated=("6.2.0", "BLMOVE with the RIGHT and LEFT arguments"),
)
def brpoplpush(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """BRPOPLPUSH source destination timeout

    Pops the last element from a list, pushes it to another list and returns it; waits until there is one.

    Cost: O(1)
    """
    return move_waiting(ctx, argv, False, True)


@verbs.verb(
    "BLMPOP",
    arity=-5,
    flags=_BLOCKING | Flag.MOVABLEKEYS,
    keys=key("RW", "access", "delete", begin=2, numkeys=True),
    since="7.0.0",
)
def blmpop(ctx: Context, argv: list[bytes]) -> Reply | Wait:
    """BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]

    Removes and returns elements of the first of several lists that is not empty; waits until there is one.

    Cost: O(N+M) keys and elements returned
    """
    asked = ManyPop(argv, 2)
    timeout_ms = blocking_timeout(argv[1])

    def take(strict: bool) -> Reply:
        popped: Reply = pop_first(ctx, asked.names, asked.at_head, asked.count, strict) or NOT_READY
        return popped

    return block(asked.names, timeout_ms, attempts(take))
