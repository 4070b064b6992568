"""SORT and SORT_RO: lists, sets and sorted sets in the order of their elements or of what other keys say of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag, key
from januskv.commands.table import Family
from januskv.compat.faults import RespError
from januskv.resp.replies import Reply
from januskv.storage.errors import NotAFloat, WrongType
from januskv.storage.keyspace import Keyspace
from januskv.storage.lists import texts_of
from januskv.storage.sorted_sets import SortedSet
from januskv.storage.values import kind_of, text_of

from .args import SYNTAX_ERROR, Args, parse_float

verbs = Family("generic")

_NO_DOUBLE = "ERR One or more scores can't be converted into double"


class _Options:
    """What comes behind the key."""

    __slots__ = ("alpha", "by", "count", "descending", "gets", "offset", "store")

    def __init__(self, args: Args, *, storing: bool) -> None:
        self.by: bytes | None = None
        self.gets: list[bytes] = []
        self.store: bytes | None = None
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
            elif word == b"GET" and args.more():
                self.gets.append(args.take())
            else:
                raise RespError(SYNTAX_ERROR)

    @property
    def sorts(self) -> bool:
        """Whether anything is to be sorted: a BY without an asterisk leaves the order as it is."""
        return self.by is None or b"*" in self.by

    def part(self, items: list[bytes]) -> list[bytes]:
        """What LIMIT leaves of a list."""
        start = min(max(self.offset, 0), len(items))
        return items[start:] if self.count < 0 else items[start : start + self.count]


def looked_up(keyspace: Keyspace, pattern: bytes, element: bytes) -> bytes | None:
    """What a pattern names for an element: a string, or with ``->`` a field of a hash; None if there is none."""
    if pattern == b"#":
        return element
    name, star, rest = pattern.partition(b"*")
    if not star:
        return None
    arrow = rest.find(b"->")
    field = None
    if arrow >= 0 and arrow + 2 < len(rest):
        rest, field = rest[:arrow], rest[arrow + 2 :]
    value: Any = keyspace.get(name + element + rest)
    if value is None:
        return None
    if field is not None:
        found = value.get(field) if kind_of(value) == "hash" else None
        return None if found is None else text_of(found)
    return text_of(value) if kind_of(value) == "string" else None


def elements_of(value: Any, options: _Options, *, storing: bool) -> list[bytes]:
    """The elements to sort. Raises WrongType."""
    if value is None:
        return []
    if type(value) is SortedSet:
        members = [member for member, _ in value.slice(0, len(value))]
        return members[::-1] if options.descending and not options.sorts else members
    kind = kind_of(value)
    if kind == "set":
        return sorted(value) if storing and not options.sorts else list(value)
    if kind == "list":
        items = texts_of(list(value))
        return items[::-1] if options.descending and not options.sorts else items
    raise WrongType


def _number(text: bytes | None) -> float:
    """What an element is sorted by. Raises RespError."""
    if not text:  # C's strtod finds a zero in an empty text
        return 0.0
    try:
        number = parse_float(text)
    except NotAFloat:
        raise RespError(_NO_DOUBLE) from None
    if isnan(number):
        raise RespError(_NO_DOUBLE)
    return number


def in_order(keyspace: Keyspace, elements: list[bytes], options: _Options) -> list[bytes]:
    """The elements sorted. Equal ones stand in the order of their bytes. Raises RespError."""
    pattern = options.by
    weights = elements if pattern is None else [looked_up(keyspace, pattern, element) for element in elements]
    keys: list[Any]
    if options.alpha:
        keys = [(weight is not None, weight or b"") for weight in weights]
    else:
        keys = [_number(weight) for weight in weights]
    pairs = sorted(zip(keys, elements, strict=True), reverse=options.descending)
    return [element for _, element in pairs]


def sort_verb(ctx: Context, argv: list[bytes], *, storing: bool) -> Reply:
    """SORT and SORT_RO."""
    options = _Options(Args(argv, 2), storing=storing)
    keyspace = ctx.keyspace
    value = keyspace.get(argv[1]) if options.store is not None else keyspace.read(argv[1])
    elements = elements_of(value, options, storing=options.store is not None)
    found = options.part(in_order(keyspace, elements, options) if options.sorts else elements)
    answers: Sequence[bytes | None] = found
    if options.gets:
        answers = [looked_up(keyspace, pattern, element) for element in found for pattern in options.gets]
    if options.store is None:
        return list(answers)
    if answers:
        keyspace.put(options.store, [answer or b"" for answer in answers], "sortstore")
    else:
        keyspace.delete(options.store)
    return len(answers)


@verbs.verb(
    "SORT",
    arity=-2,
    flags=Flag.WRITE | Flag.DENYOOM | Flag.MOVABLEKEYS,
    keys=key("RO", "access"),
    group="generic",
    categories=("set", "sortedset", "list", "dangerous"),
)
def sort(ctx: Context, argv: list[bytes]) -> Reply:
    """SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]

    Returns or stores the elements of a list, a set or a sorted set in order.

    Cost: O(N+M*log(M)) with N elements and M returned
    """
    return sort_verb(ctx, argv, storing=True)


@verbs.verb(
    "SORT_RO",
    arity=-2,
    flags=Flag.READONLY | Flag.MOVABLEKEYS,
    keys=key("RO", "access"),
    since="7.0.0",
    group="generic",
    categories=("set", "sortedset", "list", "dangerous"),
)
def sort_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]

    Returns the elements of a list, a set or a sorted set in order.

    Cost: O(N+M*log(M)) with N elements and M returned
    """
    return sort_verb(ctx, argv, storing=False)
