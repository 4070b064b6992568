"""Commands on several sorted sets. Plain sets count as sorted sets whose members all have the score 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import Reply
from januskv.storage.errors import WrongType
from januskv.storage.sorted_sets import SortedSet, columns_in_order, put_result

from .args import SYNTAX_ERROR, Args
from .sets import read_limit
from .sorted_sets import Columns, pairs_reply

verbs = Family("sorted_set")

Scores = dict[bytes, float]

_READ = Flag.READONLY | Flag.MOVABLEKEYS
_STORE = Flag.WRITE | Flag.DENYOOM | Flag.MOVABLEKEYS
_READ_KEYS = key("RO", "access", numkeys=True)
_STORE_KEYS = (key("OW", "update"), key("RO", "access", begin=2, numkeys=True))


def _sum(old: float, new: float) -> float:
    total = old + new
    return total if total == total else 0.0  # infinity less infinity


_AGGREGATES: dict[bytes, Callable[[float, float], float]] = {b"SUM": _sum, b"MIN": min, b"MAX": max}


def scores_at(ctx: Context, name: bytes) -> Scores:
    """Members and scores of a sorted set or a set, none if absent. Raises WrongType."""
    value: Any = ctx.keyspace.read(name)
    if value is None:
        return {}
    if type(value) is SortedSet:
        return value.scores
    if type(value) is set:
        return dict.fromkeys(value, 1.0)
    raise WrongType


def read_inputs(ctx: Context, args: Args, verb: str) -> list[Scores]:
    """The sorted sets of the next arguments, number and keys. Raises RespError, WrongType."""
    number = args.integer()
    if number < 1:
        raise RespError(f"ERR at least 1 input key is needed for '{verb}' command")
    if number > args.left():
        raise RespError(SYNTAX_ERROR)
    return [scores_at(ctx, args.take()) for _ in range(number)]


class Inputs:
    """The sorted sets of a command line from their number on, and the options after them."""

    def __init__(self, ctx: Context, args: Args, verb: str, *, weighted: bool = True, storing: bool = False) -> None:
        self.sets = read_inputs(ctx, args, verb)
        number = len(self.sets)
        self.weights = [1.0] * number
        self.aggregate: Callable[[float, float], float] = _sum
        self.with_scores = False
        while args.more():
            word = args.word()
            if weighted and word == b"WEIGHTS" and args.left() >= number:
                self.weights = [args.number("ERR weight value is not a float") for _ in range(number)]
            elif weighted and word == b"AGGREGATE" and args.peek() in _AGGREGATES:
                self.aggregate = _AGGREGATES[args.word()]
            elif not storing and word == b"WITHSCORES":
                self.with_scores = True
            else:
                raise RespError(SYNTAX_ERROR)

    def products(self, index: int) -> Scores:
        """The scores of one set times its weight; infinity times 0 is NaN."""
        weight = self.weights[index]
        return self.sets[index] if weight == 1.0 else {m: score * weight for m, score in self.sets[index].items()}

    def weighted(self, index: int) -> Scores:
        """The scores of one set times its weight; NaN becomes 0."""
        if self.weights[index] == 1.0:
            return self.sets[index]
        return {member: score if score == score else 0.0 for member, score in self.products(index).items()}

    def by_size(self) -> list[int]:
        """The indexes of the sets, the smallest first: the order in which Redis combines scores."""
        return sorted(range(len(self.sets)), key=lambda index: len(self.sets[index]))

    def union(self) -> Scores:
        """All members, with the scores of those in several sets combined. The smallest set comes first."""
        order = self.by_size()
        scores = dict(self.weighted(order[0]))
        for index in order[1:]:
            for member, score in self.weighted(index).items():
                old = scores.get(member)
                scores[member] = score if old is None else self.aggregate(old, score)
        return scores

    def intersection(self) -> Scores:
        """The members of all sets, with combined scores. The smallest set comes first."""
        order = self.by_size()
        # As in redis-server: NaN is 0 only in the first set. From others it makes a sum 0; MIN and MAX ignore it.
        sets = [self.weighted(order[0]), *map(self.products, order[1:])]
        scores: Scores = {}
        for member, score in sets[0].items():
            for other in sets[1:]:
                more = other.get(member)
                if more is None:
                    break
                score = self.aggregate(score, more)
            else:
                scores[member] = score
        return scores

    def difference(self) -> Scores:
        """The members of the first set that no other has."""
        others = self.sets[1:]
        return {m: score for m, score in self.sets[0].items() if not any(m in other for other in others)}


def _reply(ctx: Context, inputs: Inputs, scores: Scores) -> Reply:
    return pairs_reply(Columns(*columns_in_order(scores)), inputs.with_scores)


@verbs.verb("ZUNION", arity=-3, flags=_READ, keys=_READ_KEYS, since="6.2.0")
def zunion(ctx: Context, argv: list[bytes]) -> Reply:
    """ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]

    Returns the members that any of the sorted sets has.

    Cost: O(N)+O(M*log(M)) with N members in all sets and M returned
    """
    inputs = Inputs(ctx, Args(argv, 1), "zunion")
    return _reply(ctx, inputs, inputs.union())


@verbs.verb("ZINTER", arity=-3, flags=_READ, keys=_READ_KEYS, since="6.2.0")
def zinter(ctx: Context, argv: list[bytes]) -> Reply:
    """ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]

    Returns the members that all sorted sets have.

    Cost: O(N*K)+O(M*log(M)) with N members in the smallest of K sets and M returned
    """
    inputs = Inputs(ctx, Args(argv, 1), "zinter")
    return _reply(ctx, inputs, inputs.intersection())


@verbs.verb("ZDIFF", arity=-3, flags=_READ, keys=_READ_KEYS, since="6.2.0")
def zdiff(ctx: Context, argv: list[bytes]) -> Reply:
    """ZDIFF numkeys key [key ...] [WITHSCORES]

    Returns the members of the first sorted set that none of the others has.

    Cost: O(L + M*log(M)) with L members in all sets and M returned
    """
    inputs = Inputs(ctx, Args(argv, 1), "zdiff", weighted=False)
    return _reply(ctx, inputs, inputs.difference())


@verbs.verb("ZUNIONSTORE", arity=-4, flags=_STORE, keys=_STORE_KEYS, since="2.0.0")
def zunionstore(ctx: Context, argv: list[bytes]) -> Reply:
    """ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]

    Stores the members that any of the sorted sets has in a key; returns how many there are.

    Cost: O(N) with N members in all sets
    """
    inputs = Inputs(ctx, Args(argv, 2), "zunionstore", storing=True)
    return put_result(ctx.keyspace, argv[1], inputs.union(), "zunionstore")


@verbs.verb("ZINTERSTORE", arity=-4, flags=_STORE, keys=_STORE_KEYS, since="2.0.0")
def zinterstore(ctx: Context, argv: list[bytes]) -> Reply:
    """ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]

    Stores the members that all sorted sets have in a key; returns how many there are.

    Cost: O(N*K) with N members in the smallest of K sets
    """
    inputs = Inputs(ctx, Args(argv, 2), "zinterstore", storing=True)
    return put_result(ctx.keyspace, argv[1], inputs.intersection(), "zinterstore")


@verbs.verb("ZDIFFSTORE", arity=-4, flags=_STORE, keys=_STORE_KEYS, since="6.2.0")
def zdiffstore(ctx: Context, argv: list[bytes]) -> Reply:
    """ZDIFFSTORE destination numkeys key [key ...]

    Stores the members of the first sorted set that none of the others has in a key; returns how many there are.

    Cost: O(L) with L members in all sets
    """
    inputs = Inputs(ctx, Args(argv, 2), "zdiffstore", weighted=False, storing=True)
    return put_result(ctx.keyspace, argv[1], inputs.difference(), "zdiffstore")


@verbs.verb("ZINTERCARD", arity=-3, flags=_READ, keys=_READ_KEYS, since="7.0.0")
def zintercard(ctx: Context, argv: list[bytes]) -> Reply:
    """ZINTERCARD numkeys key [key ...] [LIMIT limit]

    Returns how many members all sorted sets have, counting up to a limit.

    Cost: O(N*K) with N members in the smallest of K sets
    """
    args = Args(argv, 1)
    sets = sorted(read_inputs(ctx, args, "zintercard"), key=len)
    limit = read_limit(args)
    count = 0
    for member in sets[0]:
        count += all(member in other for other in sets[1:])
        if count == limit and limit:
            break
    return count
