# cython: annotation_typing=True
"""Sorted set commands. To JSON commands a sorted set is an object of members and scores, in order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.encoder import double_text
from januskv.resp.replies import NULL_ARRAY, Reply, Rows
from januskv.resp.slices import MANY, items_reply
from januskv.storage.errors import NotAFloat
from januskv.storage.lists import bounds
from januskv.storage.sorted_sets import Pair, SortedSet, as_sorted_set, put_result, put_scores

from .args import INT64_MAX, MOST_REPEATED, OUT_OF_RANGE, SYNTAX_ERROR, Args, parse_float, parse_int
from .scanning import ScanOptions, parse_cursor
from .score_ranges import RangeQuery, Span, span_of

verbs = Family("sorted_set")

_READ = Flag.READONLY
_READ_FAST = Flag.READONLY | Flag.FAST
_WRITE_FAST = Flag.WRITE | Flag.DENYOOM | Flag.FAST
_ACCESS = key("RO", "access")
_POP_KEY = key("RW", "access", "delete")
_RANDOM = ("nondeterministic_output",)
_NOT_A_FLOAT = "ERR value is not a valid float"
_NAN = "ERR resulting score is not a number (NaN)"


def read_sorted_set(ctx: Context, name: bytes) -> SortedSet | None:
    """The sorted set of a key for a reading command, None if absent. Raises WrongType."""
    return as_sorted_set(ctx.keyspace.read(name))


def score_of(text: bytes) -> float:
    """A score. Raises RespError."""
    try:
        return parse_float(text)
    except NotAFloat:
        raise RespError(_NOT_A_FLOAT) from None


class Columns:
    """Members and their scores, in two lists. Slices are lists of pairs."""

    __slots__ = ("names", "scores")

    def __init__(self, names: list[bytes], scores: list[float]) -> None:
        self.names: list[bytes] = names
        self.scores: list[float] = scores

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, part: slice) -> list[Pair]:
        return list(zip(self.names[part], self.scores[part], strict=True))


def pairs_reply(pairs: list[Pair] | Columns, with_scores: bool) -> Reply:
    """Members, or members with scores."""
    return items_reply(pairs, Rows if with_scores else _names)


def _names(pairs: list[Pair]) -> list[bytes]:
    return [member for member, _ in pairs]


# ---------------------------------------------------------------- members and scores


_OPTIONS = (b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR")


class _Adding:
    """The options of ZADD, and what they allow."""

    __slots__ = ("changed", "greater", "increment", "less", "new_only", "old_only")

    def __init__(self, args: Args) -> None:
        self.new_only = self.old_only = self.greater = self.less = self.changed = self.increment = False
        while args.more():
            word = args.peek()
            if word == b"NX":
                self.new_only = True
            elif word == b"XX":
                self.old_only = True
            elif word == b"GT":
                self.greater = True
            elif word == b"LT":
                self.less = True
            elif word == b"CH":
                self.changed = True
            elif word == b"INCR":
                self.increment = True
            else:
                break
            args.at += 1

    def check(self, pairs: int) -> None:
        """Refuse contradictory options. Raises RespError."""
        if self.new_only and self.old_only:
            raise RespError("ERR XX and NX options at the same time are not compatible")
        if (self.greater and self.new_only) or (self.less and self.new_only) or (self.greater and self.less):
            raise RespError("ERR GT, LT, and/or NX options at the same time are not compatible")
        if self.increment and pairs > 1:
            raise RespError("ERR INCR option supports a single increment-element pair")

    def wants(self, old: float | None, score: float) -> bool:
        """Whether a member's old score may be replaced by a new one."""
        if old is None:
            return not self.old_only
        return not (self.new_only or (self.greater and score <= old) or (self.less and score >= old))


@verbs.verb("ZADD", arity=-4, flags=_WRITE_FAST, keys=key("RW", "update"), since="1.2.0")
def zadd(ctx: Context, argv: list[bytes]) -> Reply:
    """ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]

    Adds members to a sorted set, which is created if the key doesn't exist, or changes their scores; returns how
    many are new, with CH how many changed, with INCR the new score or null.

    Cost: O(log(N)) each with N members
    """
    keyspace = ctx.keyspace
    name = argv[1]
    if len(argv) == 4:  # the plain form
        try:
            score = parse_float(argv[2])
        except NotAFloat:
            raise RespError(SYNTAX_ERROR if argv[2].upper() in _OPTIONS else _NOT_A_FLOAT) from None
        sorted_set = as_sorted_set(keyspace.get(name))
        old = None if sorted_set is None else sorted_set.score(argv[3])
        if old is None or old != score:
            put_scores(keyspace, name, sorted_set, {argv[3]: score}, "zadd")
        return 1 if old is None else 0
    args = Args(argv, 2)
    options = _Adding(args)
    left = args.left()
    if left % 2 or not left:
        raise RespError(SYNTAX_ERROR)
    options.check(left // 2)
    pairs = [(argv[at + 1], score_of(argv[at])) for at in range(args.at, len(argv), 2)]
    sorted_set = as_sorted_set(keyspace.get(name))
    if options.increment:
        return increment(ctx, name, sorted_set, pairs[0][0], pairs[0][1], options)
    put: dict[bytes, float] = {}
    added = updated = 0
    for member, score in pairs:
        old = put.get(member)
        if old is None:
            old = None if sorted_set is None else sorted_set.score(member)
        if not options.wants(old, score):
            continue
        if old is None:
            added += 1
        elif old != score:
            updated += 1
        else:
            continue
        put[member] = score
    if put:
        put_scores(keyspace, name, sorted_set, put, "zadd")
    return added + updated if options.changed else added


def increment(
    ctx: Context, name: bytes, sorted_set: SortedSet | None, member: bytes, amount: float, options: _Adding
) -> Reply:
    """Add to the score of a member, which begins at 0. Returns the new score, None if the options forbid it."""
    old = None if sorted_set is None else sorted_set.score(member)
    score = amount if old is None else old + amount
    if score != score:
        raise RespError(_NAN)
    if not options.wants(old, score):
        return None
    if old is None or old != score:
        put_scores(ctx.keyspace, name, sorted_set, {member: score}, "zincr")
    return score


_NO_OPTIONS = _Adding(Args([]))


@verbs.verb("ZINCRBY", arity=4, flags=_WRITE_FAST, keys=key("RW", "access", "update"), since="1.2.0")
def zincrby(ctx: Context, argv: list[bytes]) -> Reply:
    """ZINCRBY key increment member

    Adds to the score of a member, which begins at 0; returns the new score.

    Cost: O(log(N)) with N members
    """
    amount = score_of(argv[2])
    return increment(ctx, argv[1], as_sorted_set(ctx.keyspace.get(argv[1])), argv[3], amount, _NO_OPTIONS)


@verbs.verb("ZREM", arity=-3, flags=Flag.WRITE | Flag.FAST, keys=key("RW", "delete"), since="1.2.0")
def zrem(ctx: Context, argv: list[bytes]) -> Reply:
    """ZREM key member [member ...]

    Removes members of a sorted set, and the key with the last one; returns how many there were.

    Cost: O(M*log(N)) with M members removed of N
    """
    sorted_set = as_sorted_set(ctx.keyspace.get(argv[1]))
    return 0 if sorted_set is None else sorted_set.remove(ctx.keyspace, argv[1], argv[2:])


@verbs.verb("ZCARD", arity=2, flags=_READ_FAST, keys=key("RO"), since="1.2.0")
def zcard(ctx: Context, argv: list[bytes]) -> Reply:
    """ZCARD key

    Returns the number of members in a sorted set.

    Cost: O(1)
    """
    return len(read_sorted_set(ctx, argv[1]) or ())


@verbs.verb("ZSCORE", arity=3, flags=_READ_FAST, keys=_ACCESS, since="1.2.0")
def zscore(ctx: Context, argv: list[bytes]) -> Reply:
    """ZSCORE key member

    Returns the score of a member.

    Cost: O(1)
    """
    sorted_set = read_sorted_set(ctx, argv[1])
    return None if sorted_set is None else sorted_set.score(argv[2])


@verbs.verb("ZMSCORE", arity=-3, flags=_READ_FAST, keys=_ACCESS, since="6.2.0")
def zmscore(ctx: Context, argv: list[bytes]) -> Reply:
    """ZMSCORE key member [member ...]

    Returns the score of each member, null for missing ones.

    Cost: O(N) with N members asked for
    """
    sorted_set = read_sorted_set(ctx, argv[1])
    return [None if sorted_set is None else sorted_set.score(member) for member in argv[2:]]


def rank_command(ctx: Context, argv: list[bytes], reverse: bool) -> Reply:
    """ZRANK and ZREVRANK."""
    if len(argv) > 4:
        raise RespError(f"ERR wrong number of arguments for '{'zrevrank' if reverse else 'zrank'}' command")
    with_score = len(argv) == 4
    if with_score and argv[3].upper() != b"WITHSCORE":
        raise RespError(SYNTAX_ERROR)
    sorted_set = read_sorted_set(ctx, argv[1])
    rank = None if sorted_set is None else sorted_set.rank(argv[2])
    if sorted_set is None or rank is None:
        return NULL_ARRAY if with_score else None
    if reverse:
        rank = len(sorted_set) - 1 - rank
    return [rank, sorted_set.score(argv[2])] if with_score else rank


@verbs.verb("ZRANK", arity=-3, flags=_READ_FAST, keys=_ACCESS, since="2.0.0")
def zrank(ctx: Context, argv: list[bytes]) -> Reply:
    """ZRANK key member [WITHSCORE]

    Returns how many members have a lower score than the given one, or an equal score and a lower name.

    Cost: O(log(N)) with N members; the first one after a change counts blocks of 1,024 members
    """
    return rank_command(ctx, argv, False)


@verbs.verb("ZREVRANK", arity=-3, flags=_READ_FAST, keys=_ACCESS, since="2.0.0")
def zrevrank(ctx: Context, argv: list[bytes]) -> Reply:
    """ZREVRANK key member [WITHSCORE]

    Returns how many members have a higher score than the given one, or an equal score and a higher name.

    Cost: O(log(N)) with N members; the first one after a change counts blocks of 1,024 members
    """
    return rank_command(ctx, argv, True)


# ---------------------------------------------------------------- ranges


def count_command(ctx: Context, argv: list[bytes], by: str) -> Reply:
    """ZCOUNT and ZLEXCOUNT."""
    span = span_of(by, argv[2], argv[3])
    sorted_set = read_sorted_set(ctx, argv[1])
    if sorted_set is None:
        return 0
    start, stop = span.ranks(sorted_set)
    return stop - start


@verbs.verb("ZCOUNT", arity=4, flags=_READ_FAST, keys=_ACCESS, since="2.0.0")
def zcount(ctx: Context, argv: list[bytes]) -> Reply:
    """ZCOUNT key min max

    Returns how many members have a score in a range.

    Cost: O(log(N)) with N members
    """
    return count_command(ctx, argv, "score")


@verbs.verb("ZLEXCOUNT", arity=4, flags=_READ_FAST, keys=_ACCESS, since="2.8.9")
def zlexcount(ctx: Context, argv: list[bytes]) -> Reply:
    """ZLEXCOUNT key min max

    Returns how many members of equal scores are in a range of names.

    Cost: O(log(N)) with N members
    """
    return count_command(ctx, argv, "name")


def range_command(ctx: Context, argv: list[bytes], by: str | None, reverse: bool | None) -> Reply:
    """The commands that return a range."""
    query = RangeQuery(Args(argv, 2), by, reverse)
    sorted_set = read_sorted_set(ctx, argv[1])
    if sorted_set is None:
        return []
    if query.with_scores:
        return pairs_reply(Columns(*query.columns(sorted_set)), True)
    return items_reply(query.names(sorted_set))


@verbs.verb("ZRANGE", arity=-4, flags=_READ, keys=_ACCESS, since="1.2.0")
def zrange(ctx: Context, argv: list[bytes]) -> Reply:
    """ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]

    Returns members in a range of ranks, scores or names.

    Cost: O(log(N)+M) with N members and M returned
    """
    if len(argv) == 4:  # the plain form
        start, stop = parse_int(argv[2]), parse_int(argv[3])
        sorted_set = read_sorted_set(ctx, argv[1])
        if sorted_set is None:
            return []
        first, end = bounds(len(sorted_set), start, stop)
        names = sorted_set.names(first, end)
        return names if end - first <= MANY else items_reply(names)
    return range_command(ctx, argv, None, None)


@verbs.verb(
    "ZREVRANGE",
    arity=-4,
    flags=_READ,
    keys=_ACCESS,
    since="1.2.0",
    deprecated=("6.2.0", "`ZRANGE` with the `REV` argument"),
)
def zrevrange(ctx: Context, argv: list[bytes]) -> Reply:
    """ZREVRANGE key start stop [WITHSCORES]

    Returns members in a range of ranks, highest first.

    Cost: O(log(N)+M) with N members and M returned
    """
    return range_command(ctx, argv, "rank", True)


@verbs.verb(
    "ZRANGEBYSCORE",
    arity=-4,
    flags=_READ,
    keys=_ACCESS,
    since="1.0.5",
    deprecated=("6.2.0", "`ZRANGE` with the `BYSCORE` argument"),
)
def zrangebyscore(ctx: Context, argv: list[bytes]) -> Reply:
    """ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]

    Returns members in a range of scores.

    Cost: O(log(N)+M) with N members and M returned
    """
    return range_command(ctx, argv, "score", False)


@verbs.verb(
    "ZREVRANGEBYSCORE",
    arity=-4,
    flags=_READ,
    keys=_ACCESS,
    since="2.2.0",
    deprecated=("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments"),
)
def zrevrangebyscore(ctx: Context, argv: list[bytes]) -> Reply:
    """ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]

    Returns members in a range of scores, highest first.

    Cost: O(log(N)+M) with N members and M returned
    """
    return range_command(ctx, argv, "score", True)


@verbs.verb(
    "ZRANGEBYLEX",
    arity=-4,
    flags=_READ,
    keys=_ACCESS,
    since="2.8.9",
    deprecated=("6.2.0", "`ZRANGE` with the `BYLEX` argument"),
)
def zrangebylex(ctx: Context, argv: list[bytes]) -> Reply:
    """ZRANGEBYLEX key min max [LIMIT offset count]

    Returns members of equal scores in a range of names.

    Cost: O(log(N)+M) with N members and M returned
    """
    return range_command(ctx, argv, "name", False)


@verbs.verb(
    "ZREVRANGEBYLEX",
    arity=-4,
    flags=_READ,
    keys=_ACCESS,
    since="2.8.9",
    deprecated=("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments"),
)
def zrevrangebylex(ctx: Context, argv: list[bytes]) -> Reply:
    """ZREVRANGEBYLEX key max min [LIMIT offset count]

    Returns members of equal scores in a range of names, last name first.

    Cost: O(log(N)+M) with N members and M returned
    """
    return range_command(ctx, argv, "name", True)


@verbs.verb(
    "ZRANGESTORE",
    arity=-5,
    flags=Flag.WRITE | Flag.DENYOOM,
    keys=(key("OW", "update"), key("RO", "access", begin=2)),
    since="6.2.0",
)
def zrangestore(ctx: Context, argv: list[bytes]) -> Reply:
    """ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]

    Stores members in a range of ranks, scores or names in a key; returns how many there are.

    Cost: O(log(N)+M) with N members and M stored
    """
    query = RangeQuery(Args(argv, 3), None, None, storing=True)
    sorted_set = as_sorted_set(ctx.keyspace.read(argv[2]))
    scores = {} if sorted_set is None else dict(zip(*query.columns(sorted_set), strict=True))
    return put_result(ctx.keyspace, argv[1], scores, "zrangestore")


def remove_range(ctx: Context, argv: list[bytes], span: Span, event: str) -> Reply:
    """The commands that remove a range."""
    sorted_set = as_sorted_set(ctx.keyspace.get(argv[1]))
    if sorted_set is None:
        return 0
    start, stop = span.ranks(sorted_set)
    return sorted_set.remove_ranks(ctx.keyspace, argv[1], start, stop, event)


@verbs.verb("ZREMRANGEBYRANK", arity=4, flags=Flag.WRITE, keys=key("RW", "delete"), since="2.0.0")
def zremrangebyrank(ctx: Context, argv: list[bytes]) -> Reply:
    """ZREMRANGEBYRANK key start stop

    Removes members in a range of ranks; returns how many there were.

    Cost: O(log(N)+M) with N members and M removed
    """
    return remove_range(ctx, argv, span_of("rank", argv[2], argv[3]), "zremrangebyrank")


@verbs.verb("ZREMRANGEBYSCORE", arity=4, flags=Flag.WRITE, keys=key("RW", "delete"), since="1.2.0")
def zremrangebyscore(ctx: Context, argv: list[bytes]) -> Reply:
    """ZREMRANGEBYSCORE key min max

    Removes members in a range of scores; returns how many there were.

    Cost: O(log(N)+M) with N members and M removed
    """
    return remove_range(ctx, argv, span_of("score", argv[2], argv[3]), "zremrangebyscore")


@verbs.verb("ZREMRANGEBYLEX", arity=4, flags=Flag.WRITE, keys=key("RW", "delete"), since="2.8.9")
def zremrangebylex(ctx: Context, argv: list[bytes]) -> Reply:
    """ZREMRANGEBYLEX key min max

    Removes members of equal scores in a range of names; returns how many there were.

    Cost: O(log(N)+M) with N members and M removed
    """
    return remove_range(ctx, argv, span_of("name", argv[2], argv[3]), "zremrangebylex")


# ---------------------------------------------------------------- popping


def pop(ctx: Context, name: bytes, sorted_set: SortedSet, at_low: bool, count: int) -> list[Pair]:
    """Remove and return members from one end, that end first."""
    size = len(sorted_set)
    count = min(count, size)
    if at_low:
        return sorted_set.take(ctx.keyspace, name, 0, count, "zpopmin")
    return sorted_set.take(ctx.keyspace, name, size - count, size, "zpopmax")[::-1]


def pop_command(ctx: Context, argv: list[bytes], at_low: bool) -> Reply:
    """ZPOPMIN and ZPOPMAX."""
    if len(argv) == 2:
        sorted_set = as_sorted_set(ctx.keyspace.get(argv[1]))
        if sorted_set is None:
            return []
        return list(sorted_set.pop(ctx.keyspace, argv[1], at_low, "zpopmin" if at_low else "zpopmax"))
    if len(argv) > 3:
        raise RespError(SYNTAX_ERROR)
    error = "ERR value is out of range, must be positive"
    count = Args(argv, 2).integer(error)
    if count < 0:
        raise RespError(error)
    sorted_set = as_sorted_set(ctx.keyspace.get(argv[1]))
    if sorted_set is None or not count:
        return []
    return pairs_reply(pop(ctx, argv[1], sorted_set, at_low, count), True)


@verbs.verb("ZPOPMIN", arity=-2, flags=Flag.WRITE | Flag.FAST, keys=_POP_KEY, since="5.0.0")
def zpopmin(ctx: Context, argv: list[bytes]) -> Reply:
    """ZPOPMIN key [count]

    Removes and returns the members with the lowest scores.

    Cost: O(log(N)*M) with N members and M removed
    """
    return pop_command(ctx, argv, True)


@verbs.verb("ZPOPMAX", arity=-2, flags=Flag.WRITE | Flag.FAST, keys=_POP_KEY, since="5.0.0")
def zpopmax(ctx: Context, argv: list[bytes]) -> Reply:
    """ZPOPMAX key [count]

    Removes and returns the members with the highest scores.

    Cost: O(log(N)*M) with N members and M removed
    """
    return pop_command(ctx, argv, False)


class ManyPop:
    """The arguments of ZMPOP and BZMPOP from the number of keys on."""

    __slots__ = ("at_low", "count", "names")

    def __init__(self, argv: list[bytes], at: int) -> None:
        args = Args(argv, at)
        number = args.integer("ERR numkeys should be greater than 0")
        if number < 1:
            raise RespError("ERR numkeys should be greater than 0")
        if number >= args.left():
            raise RespError(SYNTAX_ERROR)
        self.names = [args.take() for _ in range(number)]
        end = args.word()
        if end not in (b"MIN", b"MAX"):
            raise RespError(SYNTAX_ERROR)
        self.at_low = end == b"MIN"
        self.count = 1
        counted = False
        while args.more():
            if counted or args.word() != b"COUNT" or not args.more():
                raise RespError(SYNTAX_ERROR)
            self.count, counted = args.integer("ERR count should be greater than 0"), True
            if self.count < 1:
                raise RespError("ERR count should be greater than 0")


def pop_first(
    ctx: Context, names: Sequence[bytes], at_low: bool, count: int, strict: bool
) -> tuple[bytes, list[Pair]] | None:
    """Name and members from the first sorted set that has any, None if none has. Other types are refused if strict."""
    for name in names:
        value = ctx.keyspace.get(name)
        if not strict and type(value) is not SortedSet:
            continue
        sorted_set = as_sorted_set(value)
        if sorted_set is not None:
            return name, pop(ctx, name, sorted_set, at_low, count)
    return None


@verbs.verb(
    "ZMPOP",
    arity=-4,
    flags=Flag.WRITE | Flag.MOVABLEKEYS,
    keys=key("RW", "access", "delete", numkeys=True),
    since="7.0.0",
)
def zmpop(ctx: Context, argv: list[bytes]) -> Reply:
    """ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]

    Removes and returns members from one end of the first sorted set that is not empty.

    Cost: O(K) + O(M*log(N)) with K keys, N members and M removed
    """
    asked = ManyPop(argv, 1)
    popped = pop_first(ctx, asked.names, asked.at_low, asked.count, True)
    return NULL_ARRAY if popped is None else [popped[0], popped[1]]


# ---------------------------------------------------------------- at random, walking


@verbs.verb("ZRANDMEMBER", arity=-2, flags=_READ, keys=_ACCESS, since="6.2.0", hints=_RANDOM)
def zrandmember(ctx: Context, argv: list[bytes]) -> Reply:
    """ZRANDMEMBER key [count [WITHSCORES]]

    Returns a random member, or up to count different ones, or with a negative count members that may repeat.

    Cost: O(M*log(N)) with N members and M returned
    """
    if len(argv) == 2:
        sorted_set = read_sorted_set(ctx, argv[1])
        return None if sorted_set is None else _drawn(sorted_set, 1)[0][0]
    args = Args(argv, 2)
    count = args.between(-INT64_MAX, INT64_MAX)
    with_scores = args.more()
    if with_scores and not args.flag(b"WITHSCORES"):
        raise RespError(SYNTAX_ERROR)
    args.end()
    if with_scores and not -INT64_MAX // 2 <= count <= INT64_MAX // 2:
        raise RespError(OUT_OF_RANGE)
    sorted_set = read_sorted_set(ctx, argv[1])
    if sorted_set is None or not count:
        return []
    if count < -MOST_REPEATED:
        raise RespError(OUT_OF_RANGE)
    if count >= len(sorted_set):
        return pairs_reply(
            Columns(sorted_set.names(0, len(sorted_set)), sorted_set.values(0, len(sorted_set))), with_scores
        )
    if count > 0:
        places = random.sample(range(len(sorted_set)), count)
        return pairs_reply([sorted_set.slice(at, at + 1)[0] for at in places], with_scores)
    return pairs_reply(_drawn(sorted_set, -count), with_scores)


def _drawn(sorted_set: SortedSet, count: int) -> list[Pair]:
    """``count`` random members, with repetition."""
    places = random.choices(range(len(sorted_set)), k=count)
    return [sorted_set.slice(at, at + 1)[0] for at in places]


@verbs.verb("ZSCAN", arity=-3, flags=_READ, keys=_ACCESS, since="2.8.0", hints=_RANDOM)
def zscan(ctx: Context, argv: list[bytes]) -> Reply:
    """ZSCAN key cursor [MATCH pattern] [COUNT count]

    Iterates over the members of a sorted set and their scores; a small one is returned at once, in order.

    Cost: O(COUNT) a call
    """
    cursor = parse_cursor(argv[2])
    sorted_set = read_sorted_set(ctx, argv[1])
    if sorted_set is None:
        return [b"0", []]
    options = ScanOptions(Args(argv, 3))
    if len(sorted_set) <= ctx.settings.zset_max_listpack_entries:
        cursor, batch = 0, [member for member, _ in sorted_set.slice(0, len(sorted_set))]
    else:
        cursor, batch = ctx.keyspace.scan(cursor, options.count, sorted_set.scores)
    scores = sorted_set.scores
    wanted = [member for member in batch if member in scores and options.wants(member)]
    parts: list[Any] = [part for member in wanted for part in (member, double_text(scores[member]))]
    return [b"%d" % cursor, parts]
