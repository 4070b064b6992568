"""Sorted sets: members (bytes) with scores (float), in order of score, then of member.

    packed    a small set, compiled as one string, see packed_scores.py; None where the set is big, or has long members
    by_name   member -> score, of a big set
    order     the members of a big set in order, in blocks; None until first needed, or until there are more than ORDERED

A big set keeps its members in blocks of up to BLOCK, found by bisection over the heads. The head of a block is its first
score and member, or an earlier one that has been removed. A set that shrinks to half of SMALL members is packed again.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import islice
from math import inf, nextafter
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from .errors import WrongType
from .keyspace import Keyspace
from .lazily import lazily
from .packed_scores import (
    EMPTY,
    MOST_MEMBERS,
    count_in,
    cut_out,
    names_in,
    packed,
    pairs_in,
    rank_in,
    score_in,
    with_score,
    without,
)
from .places import Places
from .score_columns import column, cut_from, first_behind, first_from, put_in
from .values import name_to_json

if TYPE_CHECKING:
    import numpy as np

    from .packed_scores import Packed
else:
    np = lazily("numpy")

BLOCK: Final = 1024
SMALL: Final = MOST_MEMBERS
# Sorting a big set takes 0.2 us a member. A set of more members than this is always kept in order, so that no command
# waits for that; below, a set that is only written to is spared the 2 us for each write.
ORDERED: Final = 65_536
# Up to this many members, a range of names is found by a walk when scores differ.
_WALKED = 128
# Changes of more than this share of a set's members rebuild the whole order.
_WHOLE_SHARE = 16

Pair = tuple[bytes, float]


def _walked(begin: list[bool], inside: list[bool]) -> tuple[int, int]:
    """From the first index in a range up to the first one behind it that is outside."""
    start = begin.index(True)
    stop = inside.index(False, start) if False in inside[start:] else len(inside)
    return start, stop


class Order:
    """Members in order, in blocks of two parallel columns: scores and members."""

    __slots__ = ("head_members", "head_scores", "members", "places", "scores")

    def __init__(self, names: list[bytes], scores: list[float]) -> None:
        size = BLOCK // 2 if len(names) > BLOCK else max(len(names), 1)
        self.members: list[list[bytes]] = [names[at : at + size] for at in range(0, len(names), size)]
        self.scores: list[array[float]] = [column(scores[at : at + size]) for at in range(0, len(names), size)]
        self.head_members: list[bytes] = [block[0] for block in self.members]
        self.head_scores: array[float] = column([values[0] for values in self.scores])
        self.places: Places = Places(self.members)

    def add(self, score: float, member: bytes) -> None:
        """Insert a new member. O(log n)."""
        if not self.members:
            self.members.append([member])
            self.scores.append(column((score,)))
            self.head_members.append(member)
            self.head_scores.append(score)
            self.places.changed(0, 1)
            return
        at = max(self._block(score, member), 0)
        members, scores = self.members[at], self.scores[at]
        place = self._place(at, score, member)
        members.insert(place, member)
        put_in(scores, place, score)
        if place == 0:
            self.head_members[at], self.head_scores[at] = member, score
        if len(members) > BLOCK:
            half = len(members) // 2
            self.members.insert(at + 1, members[half:])
            self.scores.insert(at + 1, scores[half:])
            self.head_members.insert(at + 1, members[half])
            put_in(self.head_scores, at + 1, scores[half])
            del members[half:]
            cut_from(scores, half, len(scores))
        self.places.changed(at, 1)

    def remove(self, score: float, member: bytes) -> None:
        """Remove an existing member. O(log n)."""
        at = self._block(score, member)
        self._cut(at, self._place(at, score, member), 1)

    def _cut(self, at: int, place: int, count: int) -> None:
        """Remove some consecutive members of one block."""
        members, scores = self.members[at], self.scores[at]
        del members[place : place + count]
        cut_from(scores, place, count)
        if not members:
            self._drop_blocks(at, at + 1)
        self.places.changed(at, -count)

    def _drop_blocks(self, low: int, high: int) -> None:
        """Remove whole blocks, from one to another, end exclusive."""
        del self.members[low:high], self.scores[low:high], self.head_members[low:high]
        cut_from(self.head_scores, low, high - low)

    def _block(self, score: float, member: bytes) -> int:
        """The block that a member is or belongs in; -1 if it belongs before all."""
        low = first_from(self.head_scores, score)
        high = first_behind(self.head_scores, score, low)
        return (high if low == high else bisect_right(self.head_members, member, low, high)) - 1

    def _place(self, at: int, score: float, member: bytes) -> int:
        """The index in a block at which a member is, or would be."""
        scores = self.scores[at]
        low = first_from(scores, score)
        high = first_behind(scores, score, low)
        return low if low == high else bisect_left(self.members[at], member, low, high)

    def rank(self, score: float, member: bytes) -> int:
        """How many members come before a score and name, which need not exist."""
        if not self.members:
            return 0
        at = max(self._block(score, member), 0)
        return self.places.before(at) + self._place(at, score, member)

    def _spans(self, start: int, stop: int) -> list[tuple[int, int, int]]:
        """Where the ranks from one to another, end exclusive, are: blocks, with the first index and the end in each. O(log n + m)."""
        found: list[tuple[int, int, int]] = []
        if start >= stop or start >= self.places.size:
            return found
        at, before = self.places.locate(start)
        wanted = stop - start
        start -= before
        while wanted > 0 and at < len(self.members):
            end = min(start + wanted, len(self.members[at]))
            found.append((at, start, end))
            wanted -= end - start
            start = 0
            at += 1
        return found

    def slice(self, start: int, stop: int) -> list[Pair]:
        """Pairs from one rank to another, end exclusive. O(log n + m)."""
        found: list[Pair] = []
        for at, first, end in self._spans(start, stop):
            found += zip(self.members[at][first:end], self.scores[at][first:end], strict=True)
        return found

    def names(self, start: int, stop: int) -> list[bytes]:
        """Members from one rank to another, end exclusive. O(log n + m)."""
        found: list[bytes] = []
        for at, first, end in self._spans(start, stop):
            found += self.members[at][first:end]
        return found

    def values(self, start: int, stop: int) -> list[float]:
        """Scores from one rank to another, end exclusive. O(log n + m)."""
        found: list[float] = []
        for at, first, end in self._spans(start, stop):
            found += self.scores[at][first:end].tolist()
        return found

    def cut(self, start: int, stop: int) -> None:
        """Remove the members from one rank to another, end exclusive. O(log n + m)."""
        spans = self._spans(start, stop)
        if len(spans) > 2:  # those in between are whole blocks
            low, high = spans[1][0], spans[-1][0]
            count = sum(map(len, self.members[low:high]))
            self._drop_blocks(low, high)
            self.places.changed(low, -count)
            spans = [spans[0], (low, spans[-1][1], spans[-1][2])]
        for at, first, end in reversed(spans):
            self._cut(at, first, end - first)

    def without(self, by_name: dict[bytes, float]) -> Order:
        """The order of the remaining members. O(n)."""
        names = [name for block in self.members for name in block if name in by_name]
        return Order(names, [by_name[name] for name in names])

    def copy(self) -> Order:
        """An independent order of the same members."""
        copy = Order([], [])
        copy.members = [list(block) for block in self.members]
        copy.scores = [block[:] for block in self.scores]
        copy.head_members, copy.head_scores = list(self.head_members), self.head_scores[:]
        copy.places = Places(copy.members)
        return copy

    def pop(self, at_low: bool) -> Pair:
        """Remove the first or the last member; return it with its score."""
        at = 0 if at_low else len(self.members) - 1
        members, scores = self.members[at], self.scores[at]
        pair = (members.pop(0), scores.pop(0)) if at_low else (members.pop(), scores.pop())
        if not members:
            self._drop_blocks(at, at + 1)
        self.places.changed(at, -1)
        return pair

    def check(self, scores: dict[bytes, float]) -> None:
        """Assert what the class promises; for tests."""
        heads = list(zip(self.head_scores, self.head_members, strict=True))
        assert len(self.members) == len(self.scores) == len(heads)
        whole: list[tuple[float, bytes]] = []
        for members, values, head in zip(self.members, self.scores, heads, strict=True):
            assert 0 < len(members) == len(values) <= BLOCK
            assert head <= (values[0], members[0])
            assert not whole or whole[-1] < head
            whole += zip(values, members, strict=True)
        assert whole == sorted((score, member) for member, score in scores.items())
        assert self.places.size == len(scores)
        self.places.check()


class SortedSet:
    """Members with scores. Methods that take a keyspace and a key report to its feed."""

    kind: ClassVar[str] = "zset"
    __slots__ = ("by_name", "longest", "most", "order", "packed")

    def __init__(self, scores: dict[bytes, float] | None = None) -> None:
        self.order: Order | None = None
        self.by_name: dict[bytes, float] | None = None
        self.packed: Packed | None = EMPTY
        self.most = self.longest = 0  # before removals: how many members there were, how long a removed one was
        if scores is not None:
            self.packed = None
            self.by_name = scores
            if len(scores) <= SMALL:
                self._pack()
            elif len(scores) > ORDERED:
                self.ordered()

    def __len__(self) -> int:
        return len(self.by_name) if self.packed is None else count_in(self.packed)  # type: ignore[arg-type]

    def _pack(self) -> None:
        """Make a small set of a big one, if its members are short enough."""
        assert self.by_name is not None
        text = packed(self.by_name)
        if text is not None:
            self.packed = text
            self.by_name = self.order = None

    def _unpack(self) -> dict[bytes, float]:
        """Make a big set of a small one."""
        self.by_name = self.scores
        self.packed = None
        return self.by_name

    def ordered(self) -> Order:
        """The members of a big set in order, sorted first if necessary. A small set has no such order to maintain."""
        if self.order is None:
            assert self.by_name is not None
            self.order = Order(*columns_in_order(self.scores))
        return self.order

    # ------------------------------------------------------------ without a report

    def set(self, member: bytes, score: float) -> None:
        """Set the score of a member, new or not. O(log n)."""
        text = self.packed
        if text is not None:
            text = with_score(text, member, score)
            if text is not None and count_in(text) <= SMALL:
                self.packed = text
                return
            scores = self._unpack()
        else:
            scores = self.by_name  # type: ignore[assignment]
        order = self.order
        if order is not None:
            old = scores.get(member)
            if old is not None:
                order.remove(old, member)
            order.add(score, member)
        scores[member] = score
        if order is None and len(scores) > ORDERED:
            self.ordered()

    def update(self, new: dict[bytes, float]) -> None:
        """Set the scores of members. O(log n) each; O(n log n) for many."""
        scores = self.by_name
        if scores is None or len(new) * _WHOLE_SHARE < len(scores) or len(new) <= SMALL:
            for member, score in new.items():
                self.set(member, score)
            return
        self.order = None
        scores.update(new)
        if len(scores) > ORDERED:
            self.ordered()

    def discard(self, members: Sequence[bytes]) -> list[bytes]:
        """Remove members; return those that existed. O(log n) each."""
        found = []
        self.most = max(self.most, len(self))
        order = self.order
        at_once = order is not None and len(members) * _WHOLE_SHARE > len(self)
        if at_once:
            self.order = None
        for member in members:
            if self._discard(member):
                self.longest = max(self.longest, len(member))
                found.append(member)
        if at_once and self.by_name is not None and order is not None:
            self.order = order.without(self.by_name)
        return found

    def _discard(self, member: bytes) -> bool:
        """Remove a member; return whether it existed."""
        if self.packed is not None:
            text = without(self.packed, member)
            if text is None:
                return False
            self.packed = text
            return True
        scores = self.by_name
        assert scores is not None
        score = scores.pop(member, None)
        if score is None:
            return False
        if self.order is not None:
            self.order.remove(score, member)
        if len(scores) == SMALL // 2:
            self._pack()
        return True

    def cut(self, start: int, stop: int) -> tuple[object, ...]:
        """Remove the members from one rank to another, end exclusive. O(log n + m).

        If more members go than stay, those that stay are moved, and the remainder is returned, to be freed.
        """
        self.most = max(self.most, len(self))
        if self.packed is not None:
            self.longest = max(self.longest, max(map(len, names_in(self.packed, start, stop)), default=0))
            self.packed = cut_out(self.packed, start, stop)
            return ()
        order = self.ordered()
        scores = self.by_name
        assert scores is not None
        size = len(scores)
        left_behind: tuple[object, ...] = ()
        if self.most <= ORDERED:  # for OBJECT ENCODING, whose thresholds are never set higher
            self.longest = max(self.longest, max(map(len, order.names(start, stop)), default=0))
        if stop - start > size // 2:
            names = order.names(0, start) + order.names(stop, size)
            values = order.values(0, start) + order.values(stop, size)
            left_behind = (scores, order)
            self.by_name = scores = dict(zip(names, values, strict=True))
            self.order = Order(names, values)
        else:
            for member in order.names(start, stop):
                del scores[member]
            order.cut(start, stop)
        if size > SMALL // 2 and len(scores) <= SMALL // 2:
            self._pack()
        return left_behind

    # ------------------------------------------------------------ looking

    @property
    def scores(self) -> dict[bytes, float]:
        """Members with their scores, unordered; not to be changed."""
        if self.packed is not None:
            return dict(pairs_in(self.packed, 0, SMALL))
        assert self.by_name is not None
        return self.by_name

    def score(self, member: bytes) -> float | None:
        """The score of a member; None if it is missing."""
        if self.packed is not None:
            return score_in(self.packed, member)
        return self.by_name.get(member)  # type: ignore[union-attr]

    def place(self, score: float, member: bytes) -> int:
        """How many members come before a score and name, which need not exist."""
        return self.ordered().rank(score, member) if self.packed is None else rank_in(self.packed, score, member)

    def rank(self, member: bytes) -> int | None:
        """The rank of a member; None if it is missing."""
        score = self.score(member)
        return None if score is None else self.place(score, member)

    def names(self, start: int, stop: int) -> list[bytes]:
        """Members from one rank to another, end exclusive, in order."""
        return self.ordered().names(start, stop) if self.packed is None else names_in(self.packed, start, stop)

    def slice(self, start: int, stop: int) -> list[Pair]:
        """Pairs from one rank to another, end exclusive, in order."""
        return self.ordered().slice(start, stop) if self.packed is None else pairs_in(self.packed, start, stop)

    def values(self, start: int, stop: int) -> list[float]:
        """Scores from one rank to another, end exclusive, in order."""
        if self.packed is None:
            return self.ordered().values(start, stop)
        return [score for _, score in pairs_in(self.packed, start, stop)]

    def ranks_by_score(self, low: float, high: float, low_open: bool, high_open: bool) -> tuple[int, int]:
        """First rank and end (exclusive) of the members with scores in a range; its ends are excluded where open."""
        size = len(self)
        if low_open:
            start = size if low == inf else self.place(nextafter(low, inf), b"")
        else:
            start = self.place(low, b"")
        if high_open:
            stop = self.place(high, b"")
        else:
            stop = size if high == inf else self.place(nextafter(high, inf), b"")
        return start, max(start, stop)

    def ranks_by_name(self, low: bytes | None, high: bytes | None, *, backwards: bool = False) -> tuple[int, int]:
        """First rank and end (exclusive) of the members from one name to another, end exclusive.

        None is open-ended. If scores differ, a small set is walked from its beginning or its end as in Redis: up to
        the first member outside. For a big one the result is arbitrary then.
        """
        score, size = self.slice(0, 1)[0][1], len(self)
        if size <= _WALKED and self.slice(size - 1, size)[0][1] != score:
            names = self.names(0, size)
            reaches = [low is None or name >= low for name in names]
            ends = [high is None or name < high for name in names]
            if not reaches[-1] or not ends[0]:
                return 0, 0
            if backwards:
                first, end = _walked(ends[::-1], reaches[::-1])
                return size - end, size - first
            return _walked(reaches, ends)
        start = 0 if low is None else self.place(score, low)
        stop = len(self) if high is None else self.place(score, high)
        return start, max(start, stop)

    # ------------------------------------------------------------ reported

    def remove(self, keyspace: Keyspace, key: bytes, members: Sequence[bytes], event: str = "zrem") -> int:
        """Remove members, and the key with the last one; return how many were removed."""
        found = self.discard(members)
        if found:
            keyspace.feed.extra += len(found) - 1
            keyspace.changed(event, key, ("zset.remove", tuple(found)))
            if not len(self):
                keyspace.emptied(key)
        return len(found)

    def remove_ranks(self, keyspace: Keyspace, key: bytes, start: int, stop: int, event: str) -> int:
        """Remove the members from one rank to another, end exclusive, and the key with the last one; return how many."""
        count = stop - start
        if count <= 0:
            return 0
        is_all = count == len(self)
        if not is_all:
            left_behind = self.cut(start, stop)
            if left_behind:
                keyspace.feed.reclaimer.take(left_behind)
        keyspace.feed.extra += count - 1
        keyspace.changed(event, key, ("zset.cut", start, stop))
        if is_all:  # it is removed with the key, unchanged
            keyspace.emptied(key)
        return count

    def take(self, keyspace: Keyspace, key: bytes, start: int, stop: int, event: str) -> list[Pair]:
        """Remove the members from one rank to another, end exclusive, and the key with the last one; return them."""
        taken = self.slice(start, stop)
        self.remove_ranks(keyspace, key, start, stop, event)
        return taken

    def pop(self, keyspace: Keyspace, key: bytes, at_low: bool, event: str) -> Pair:
        """Remove and return the first or the last member of a non-empty set; the last one removes the key."""
        size = len(self)
        scores = self.by_name
        if scores is None or size - 1 == SMALL // 2:
            return self.take(keyspace, key, 0 if at_low else size - 1, 1 if at_low else size, event)[0]
        self.most = max(self.most, size)
        order = self.ordered()
        pair = order.pop(at_low)
        member = pair[0]
        del scores[member]
        self.longest = max(self.longest, len(member))
        keyspace.changed(event, key, ("zset.remove", (member,)) if keyspace.feed.listeners else ())
        if size == 1:
            keyspace.emptied(key)
        return pair

    # ------------------------------------------------------------ as a value

    def to_json(self) -> Any:
        """An object of members and scores, in order; infinite scores as text."""
        return {name_to_json(m): score if abs(score) != inf else str(score) for m, score in self.slice(0, len(self))}

    def encoding(self, config: Any) -> str:
        """OBJECT ENCODING, by Redis' thresholds; a set that has shrunk keeps its encoding."""
        small = max(self.most, len(self)) <= config.zset_max_listpack_entries
        longest = max(self.longest, *map(len, self.scores)) if small else 0
        return "listpack" if small and longest <= config.zset_max_listpack_value else "skiplist"

    @property
    def size_bytes(self) -> int:
        """Roughly the memory that the set takes."""
        size = sys.getsizeof(self)
        if self.packed is not None:
            return size + sys.getsizeof(self.packed)
        scores = self.scores
        some = list(islice(scores, 5))
        size += sys.getsizeof(scores) + len(scores) * (24 + sum(map(sys.getsizeof, some)) // len(some)) if some else 0
        return size if self.order is None else size + 20 * len(scores)

    def copy(self) -> SortedSet:
        """An independent sorted set with the same members."""
        copy = SortedSet()
        copy.packed, copy.most, copy.longest = self.packed, self.most, self.longest
        if self.packed is None:
            copy.by_name = dict(self.scores)
            copy.order = None if self.order is None else self.order.copy()
        return copy

    def to_state(self) -> tuple[dict[bytes, float]]:
        """Members with their scores."""
        return (self.scores,)

    @classmethod
    def from_state(cls, state: tuple[dict[bytes, float]]) -> SortedSet:
        """The sorted set from its state."""
        return cls(state[0])

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert (self.packed is None) is (self.by_name is not None)
        if self.packed is not None:
            assert self.order is None
            assert len(self) <= SMALL
            assert self.slice(0, len(self)) == in_order(self.scores)
        elif self.order is not None:
            self.order.check(self.scores)
        else:
            assert len(self) <= ORDERED


# Fewer members are sorted faster without numpy.
_FEW = 512


def columns_in_order(scores: dict[bytes, float]) -> tuple[list[bytes], list[float]]:
    """Members, and their scores, in the order of a sorted set. O(n log n)."""
    names, values = list(scores), list(scores.values())
    return in_order_of(names, values)


def in_order_of(names: list[bytes], values: list[float]) -> tuple[list[bytes], list[float]]:
    """Texts with numbers, in the order of the numbers, then of the texts. O(n log n)."""
    places = _places(values) if len(values) > _FEW else sorted(range(len(values)), key=values.__getitem__)
    names = [names[place] for place in places]
    values = [values[place] for place in places]
    size, at = len(names), 0
    while at < size:  # equal scores are sorted by name
        end = at + 1
        score = values[at]
        while end < size and values[end] == score:
            end += 1
        if end - at > 1:
            pairs = sorted(zip(names[at:end], values[at:end], strict=True))  # 0 and -0 are equal but not identical
            names[at:end] = [name for name, _ in pairs]
            values[at:end] = [value for _, value in pairs]
        at = end
    return names, values


def places_in_order(values: list[float], *, descending: bool = False) -> list[int]:
    """The indexes that sort numbers, ascending or descending; equal ones keep their order. O(n log n)."""
    if len(values) <= _FEW:
        return sorted(range(len(values)), key=values.__getitem__, reverse=descending)
    return _places([-value for value in values] if descending else values, "stable")


def _places(values: list[float], kind: Literal["quicksort", "stable"] = "quicksort") -> list[int]:
    found: list[int] = np.argsort(np.array(values, np.float64), kind=kind).tolist()
    return found


def in_order(scores: dict[bytes, float]) -> list[Pair]:
    """Members with their scores, in the order of a sorted set. O(n log n)."""
    return list(zip(*columns_in_order(scores), strict=True))


def as_sorted_set(value: object) -> SortedSet | None:
    """The sorted set that a key holds, None if absent. Raises WrongType."""
    if value is None or type(value) is SortedSet:
        return value
    raise WrongType


def put_scores(keyspace: Keyspace, key: bytes, held: SortedSet | None, scores: dict[bytes, float], event: str) -> None:
    """Set the scores of members, in a sorted set that is created if there is none."""
    keyspace.feed.extra += len(scores) - 1
    if held is None:
        keyspace.put(key, SortedSet(scores), event)
        return
    if len(scores) == 1:
        for member, score in scores.items():
            held.set(member, score)
    else:
        held.update(scores)
    keyspace.changed(event, key, ("zset.put", scores))


def put_result(keyspace: Keyspace, key: bytes, scores: dict[bytes, float], event: str, elements: int = 1) -> int:
    """Store a result as a sorted set, each member counting as a change; an empty one removes the key. Returns its size."""
    if scores:
        keyspace.feed.extra += elements - 1
        keyspace.put(key, SortedSet(scores), event)
    else:
        keyspace.delete(key)
    return len(scores)


# ---------------------------------------------------------------- replay


def _put(keyspace: Keyspace, key: bytes, scores: dict[bytes, float]) -> None:
    put_scores(keyspace, key, as_sorted_set(keyspace.get(key)), scores, "zadd")


def _remove(keyspace: Keyspace, key: bytes, members: Sequence[bytes]) -> None:
    held = as_sorted_set(keyspace.get(key))
    if held is not None:
        held.remove(keyspace, key, members)


def _cut(keyspace: Keyspace, key: bytes, start: int, stop: int) -> None:
    held = as_sorted_set(keyspace.get(key))
    if held is not None:
        held.remove_ranks(keyspace, key, start, stop, "zrem")


# How the log replays a reported change.
EFFECTS: Final[dict[str, Callable[..., object]]] = {"zset.put": _put, "zset.remove": _remove, "zset.cut": _cut}
