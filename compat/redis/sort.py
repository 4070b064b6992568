"""SORT and SORT_RO: lists, sets and sorted sets in the order of their elements or of weights in other keys."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import isinf
from operator import itemgetter
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import Reply
from januskv.resp.slices import items_reply
from januskv.storage.errors import NotAFloat, WrongType
from januskv.storage.hashes import hash_to_read
from januskv.storage.keyspace import Keyspace
from januskv.storage.lists import put_list, texts_of
from januskv.storage.numbers import lost_in_reading
from januskv.storage.sorted_sets import SortedSet, in_order_of
from januskv.storage.values import kind_of, text_of

from .args import SYNTAX_ERROR, Args, read_terminated

verbs = Family("generic")

_NO_DOUBLE = "ERR One or more scores can't be converted into double"


class _Options:
    """The options after the key."""

    __slots__ = ("alpha", "by", "count", "descending", "gets", "offset", "sorts", "store")

    def __init__(self, args: Args, *, storing: bool, reads_all: Callable[[], bool]) -> None:
        self.by: bytes | None = None
        self.gets: list[bytes] = []
        self.store: bytes | None = None
        self.sorts = True  # not after a BY without an asterisk, which keeps the order
        self.alpha = self.descending = False
        self.offset, self.count = 0, -1
        while args.more():
            word = args.word()
            if word == b"ASC":
                self.descending = False
            elif word == b"DESC":
                self.descending = True
            elif word == b"ALPHA":
                self.alpha = True
            elif word == b"LIMIT" and args.left() >= 2:
                self.offset, self.count = args.integer(), args.integer()
            elif word == b"STORE" and args.more() and storing:
                self.store = args.take()
            elif word == b"BY" and args.more():
                self.by = args.take()
                self.sorts = self.sorts and b"*" in self.by
                if b"*" in self.by and not reads_all():
                    raise RespError("ERR BY option of SORT denied due to insufficient ACL permissions.")
            elif word == b"GET" and args.more():
                self.gets.append(args.take())
                if not reads_all():
                    raise RespError("ERR GET option of SORT denied due to insufficient ACL permissions.")
            else:
                raise RespError(SYNTAX_ERROR)

    def span(self, size: int) -> tuple[int, int]:
        """Start and stop of LIMIT's part of a number of elements."""
        start = min(max(self.offset, 0), size)
        return start, size if self.count < 0 else min(start + self.count, size)


def looked_up(keyspace: Keyspace, pattern: bytes, element: bytes) -> bytes | None:
    """The value of a pattern for an element: a string, or with ``->`` a field of a hash; None if there is none."""
    if pattern == b"#":
        return element
    name, star, rest = pattern.partition(b"*")
    if not star:
        return None
    arrow = rest.find(b"->")
    field = None
    if arrow >= 0 and arrow + 2 < len(rest):
        rest, field = rest[:arrow], rest[arrow + 2 :]
    key = name + element + rest
    value: Any = keyspace.read(key)
    if value is None:
        return None
    if field is not None:
        hash_value = hash_to_read(keyspace, key, value) if kind_of(value) == "hash" else None
        member = None if hash_value is None else hash_value.get(field)
        return None if member is None else text_of(member)
    return text_of(value) if kind_of(value) == "string" else None


def all_of(value: Any) -> list[bytes]:
    """All elements. Those of a set are sorted by their bytes, which equal weights preserve. Raises WrongType."""
    if type(value) is SortedSet:
        return value.names(0, len(value))
    kind = kind_of(value)
    if kind == "set":
        return sorted(value)
    if kind == "list":
        return texts_of(list(value))
    raise WrongType


def part_of(value: Any, options: _Options, *, storing: bool) -> list[bytes]:
    """LIMIT's part of the elements in their own order, or with DESC in the opposite one. Raises WrongType.

    O(log(N) + M) for a sorted set, O(M) for a list, with N elements and M returned.
    """
    kind = kind_of(value)
    if kind == "set":
        members = sorted(value, reverse=options.descending) if storing else list(value)
        start, stop = options.span(len(members))
        return members[start:stop]
    if kind not in ("list", "zset"):
        raise WrongType
    size = len(value)
    start, stop = options.span(size)
    if options.descending:
        start, stop = size - stop, size - start
    part = value.names(start, stop) if type(value) is SortedSet else texts_of(value[start:stop])
    return part[::-1] if options.descending else part


_LEAST_NORMAL = sys.float_info.min


def weight_of(text: bytes | None) -> float:
    """The weight of an element, as C's strtod reads it.

    Raises RespError for anything but a number, and for one that a double cannot represent or only
    inexactly near zero.
    """
    if not text:  # strtod finds a zero in an empty text
        return 0.0
    try:
        number = read_terminated(text)
    except NotAFloat:
        raise RespError(_NO_DOUBLE) from None
    spelling = text.partition(b"\0")[0]
    if 0.0 < abs(number) < _LEAST_NORMAL or lost_in_reading(spelling, infinite=isinf(number), zero=not number):
        raise RespError(_NO_DOUBLE)
    return number


# Texts of at most this many of these bytes are either numbers as Python reads them, or invalid.
_PLAIN = b"0123456789.-"
_PLAIN_LENGTH = 17


def weights_of(texts: Sequence[bytes | None]) -> list[float]:
    """The weights of elements. Raises RespError."""
    plain = [text for text in texts if text]
    if len(plain) == len(texts) and max(map(len, plain), default=0) <= _PLAIN_LENGTH:
        try:
            if not b"".join(plain).translate(None, _PLAIN):
                return list(map(float, plain))
        except ValueError:  # such as 1.2.3: reported below
            pass
    return [weight_of(text) for text in texts]


def in_order(keyspace: Keyspace, elements: list[bytes], options: _Options) -> list[bytes]:
    """The elements sorted. Raises RespError.

    Equal numbers are sorted by the bytes of their elements; equal texts keep their order.
    """
    pattern = options.by
    if options.alpha and pattern is None:
        return sorted(elements, reverse=options.descending)
    texts: Sequence[bytes | None] = elements
    if pattern is not None:
        texts = [looked_up(keyspace, pattern, element) for element in elements]
    if options.alpha:
        pairs = [((text is not None, text or b""), element) for text, element in zip(texts, elements, strict=True)]
        pairs.sort(key=itemgetter(0), reverse=options.descending)
        return [element for _, element in pairs]
    ordered, _ = in_order_of(elements, weights_of(texts))
    return ordered[::-1] if options.descending else ordered


def sort_command(ctx: Context, argv: list[bytes], *, storing: bool) -> Reply:
    """SORT and SORT_RO."""
    user, command = ctx.caller.user, ctx.command
    options = _Options(
        Args(argv, 2),
        storing=storing,
        # What BY and GET read follows from what is sorted: it takes the right to read all keys.
        reads_all=lambda: user.unrestricted or command is None or user.reads_all_keys(command, argv),
    )
    keyspace = ctx.keyspace
    value = keyspace.read(argv[1])
    ordered: list[bytes] = []
    if value is not None and options.sorts:
        ordered = in_order(keyspace, all_of(value), options)
        start, stop = options.span(len(ordered))
        ordered = ordered[start:stop]
    elif value is not None:
        ordered = part_of(value, options, storing=options.store is not None)
    replies: Sequence[bytes | None] = ordered
    if options.gets:
        replies = [looked_up(keyspace, pattern, element) for element in ordered for pattern in options.gets]
    if options.store is None:
        return items_reply(list(replies))
    if replies:
        put_list(keyspace, options.store, [answer or b"" for answer in replies], "sortstore")
    else:
        keyspace.delete(options.store)
    return len(replies)


def _destination(argv: Sequence[bytes]) -> list[int]:
    """The index of SORT's destination: after the last STORE that is not an argument of another option."""
    destination: list[int] = []
    at = 2
    while at < len(argv):
        word = argv[at].upper()
        if word == b"STORE" and at + 1 < len(argv):
            destination = [at + 1]
        at += _OPTION_ARGUMENTS.get(word, 0) + 1
    return destination


_OPTION_ARGUMENTS = {b"LIMIT": 2, b"BY": 1, b"GET": 1, b"STORE": 1}
_BY_PATTERNS = key("RO", "access", search=lambda argv: (), notes="BY and GET: the names follow from what is sorted")
_DESTINATION = key("OW", "update", search=_destination, notes="STORE: it can be any argument")


@verbs.verb(
    "SORT",
    arity=-2,
    flags=Flag.WRITE | Flag.DENYOOM | Flag.MOVABLEKEYS,
    keys=(key("RO", "access"), _BY_PATTERNS, _DESTINATION),
    group="generic",
    categories=("set", "sortedset", "list", "dangerous"),
)
def sort(ctx: Context, argv: list[bytes]) -> Reply:
    """SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]

    Returns or stores the elements of a list, a set or a sorted set in order.

    Cost: O(N+M*log(M)) with N elements and M returned; O(log(N)+M) if BY has no asterisk and key is a sorted set
    """
    return sort_command(ctx, argv, storing=True)


@verbs.verb(
    "SORT_RO",
    arity=-2,
    flags=Flag.READONLY | Flag.MOVABLEKEYS,
    keys=(key("RO", "access"), _BY_PATTERNS),
    since="7.0.0",
    group="generic",
    categories=("set", "sortedset", "list", "dangerous"),
)
def sort_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]

    Returns the elements of a list, a set or a sorted set in order.

    Cost: O(N+M*log(M)) with N elements and M returned; O(log(N)+M) if BY has no asterisk and key is a sorted set
    """
    return sort_command(ctx, argv, storing=False)
