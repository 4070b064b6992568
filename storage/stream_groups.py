"""Consumer groups of streams: which consumer was delivered which entry and has not acknowledged it yet.

Group.pending      entry id -> Delivery, in the order of ids
Consumer.pending   entry id -> the same Delivery, for those of this consumer

Nothing here refers back to its owner, so that everything is freed with the stream.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import Any, Final


class Delivery:
    """An entry that was delivered and is not acknowledged: to which consumer (its name), when last (ms), how often."""

    __slots__ = ("consumer", "count", "time_ms")

    def __init__(self, consumer: bytes, time_ms: int, count: int) -> None:
        self.consumer: bytes = consumer
        self.time_ms: int = time_ms
        self.count: int = count


# Ids that the order may hold at least, and for each pending entry.
_LEAST_GONE: Final = 64
_MOST_GONE: Final = 4


class Pending:
    """Deliveries by the id of their entry, in the order of ids.

    ``order`` holds the ids ascending, including some that are gone: these are cleared from time to time.
    Entries usually come with ids greater than all before, and go in any order: both are O(1).
    """

    __slots__ = ("deliveries", "first", "order")

    def __init__(self) -> None:
        self.deliveries: dict[int, Delivery] = {}
        self.order: list[int] = []
        self.first: int = 0  # all ids before this index of the order are gone

    def __len__(self) -> int:
        return len(self.deliveries)

    def __contains__(self, entry_id: int) -> bool:
        return entry_id in self.deliveries

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids())

    def get(self, entry_id: int) -> Delivery | None:
        """The delivery of an entry; None if it is not pending."""
        return self.deliveries.get(entry_id)

    def put(self, entry_id: int, delivery: Delivery) -> None:
        """Add a pending entry."""
        deliveries, order = self.deliveries, self.order
        if entry_id not in deliveries:
            if not order or order[-1] < entry_id:
                order.append(entry_id)
            else:
                place = bisect_left(order, entry_id)
                if order[place] != entry_id:  # otherwise it was there before
                    insort(order, entry_id)
                self.first = min(self.first, place)
        deliveries[entry_id] = delivery

    def extend(self, fresh: dict[int, Delivery]) -> None:
        """Add pending entries whose ids ascend and are greater than all before."""
        self.deliveries.update(fresh)
        self.order += fresh

    @property
    def last(self) -> int:
        """An upper bound of the ids of pending entries; -1 if there are none."""
        return self.order[-1] if self.order else -1

    def pop(self, entry_id: int) -> Delivery | None:
        """Remove a pending entry; None if it is not pending."""
        delivery = self.deliveries.pop(entry_id, None)
        if delivery is not None:
            if self.order[self.first] == entry_id:  # the usual case
                self._skip_gone()
            if len(self.order) > _MOST_GONE * len(self.deliveries) + _LEAST_GONE:
                self.order = [each for each in self.order if each in self.deliveries]
                self.first = 0
        return delivery

    def _skip_gone(self) -> None:
        """Move ``first`` to the first pending entry; the ids before it are dropped if worthwhile."""
        deliveries, order = self.deliveries, self.order
        first, size = self.first, len(order)
        while first < size and order[first] not in deliveries:
            first += 1
        if first > _LEAST_GONE and first * 2 > size:
            del order[:first]
            first = 0
        self.first = first

    def ids(self, start: int = 0, end: int | None = None, most: int = -1) -> list[int]:
        """The ids of pending entries, from one to another, both included, at most ``most`` (-1: all)."""
        deliveries, order = self.deliveries, self.order
        size = len(order)
        low = max(self.first, bisect_left(order, start))
        high = size if end is None else bisect_right(order, end)
        if most < 0:
            return [each for each in order[low:high] if each in deliveries]
        found: list[int] = []
        while low < high and len(found) < most:
            some = order[low : min(low + most - len(found), high)]
            found += [each for each in some if each in deliveries]
            low += len(some)
        return found

    def ends(self) -> tuple[int, int]:
        """The first and the last pending id; something must be pending."""
        order = self.order
        while order[-1] not in self.deliveries:
            del order[-1]
        self._skip_gone()
        return order[self.first], order[-1]

    def items(self, most: int = -1) -> list[tuple[int, Delivery]]:
        """Ids and deliveries in order, at most ``most`` (-1: all)."""
        return [(each, self.deliveries[each]) for each in self.ids(most=most)]

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert self.order == sorted(set(self.order))
        assert self.deliveries.keys() <= set(self.order)
        assert not any(each in self.deliveries for each in self.order[: self.first])
        assert len(self.order) <= _MOST_GONE * len(self.deliveries) + _LEAST_GONE


class Consumer:
    """A reader of a group. ``seen_ms``: its last command; ``active_ms``: its last one that got entries, -1 if none did."""

    __slots__ = ("__weakref__", "active_ms", "name", "pending", "seen_ms")

    def __init__(self, name: bytes, seen_ms: int) -> None:
        self.name: bytes = name
        self.seen_ms: int = seen_ms
        self.active_ms: int = -1
        self.pending: Pending = Pending()


class Group:
    """A consumer group. ``last_id``: the newest entry delivered; ``entries_read``: how many were, None: unknown."""

    __slots__ = ("consumers", "entries_read", "last_id", "pending")

    def __init__(self, last_id: int = 0, entries_read: int | None = None) -> None:
        self.last_id: int = last_id
        self.entries_read: int | None = entries_read
        self.pending: Pending = Pending()
        self.consumers: dict[bytes, Consumer] = {}

    def consumer(self, name: bytes, now_ms: int) -> Consumer:
        """The consumer of this name, created if there is none; it counts as seen now."""
        found = self.consumers.get(name)
        if found is None:
            found = self.consumers[name] = Consumer(name, now_ms)
        found.seen_ms = now_ms
        return found

    def consumers_in_order(self) -> list[Consumer]:
        """Consumers by name, as Redis lists them."""
        return [self.consumers[name] for name in sorted(self.consumers)]

    def drop_consumer(self, name: bytes) -> int:
        """Remove an existing consumer with its pending entries; return how many there were."""
        gone = self.consumers.pop(name)
        for entry_id in gone.pending:
            self.pending.pop(entry_id)
        return len(gone.pending)

    def deliver(self, entry_id: int, consumer: Consumer, time_ms: int, count: int) -> None:
        """Give an entry to a consumer, whoever had it."""
        held = self.pending.get(entry_id)
        if held is None:
            held = Delivery(consumer.name, time_ms, count)
            self.pending.put(entry_id, held)
            consumer.pending.put(entry_id, held)
            return
        if held.consumer != consumer.name:
            self.consumers[held.consumer].pending.pop(entry_id)
            consumer.pending.put(entry_id, held)
            held.consumer = consumer.name
        held.time_ms = time_ms
        held.count = count

    def deliver_news(self, ids: Iterable[int], consumer: Consumer, time_ms: int) -> None:
        """Give entries to a consumer for the first time; their ids ascend."""
        ids = list(ids)
        if ids and ids[0] > self.pending.last and ids[0] > consumer.pending.last:
            name = consumer.name
            fresh = {entry_id: Delivery(name, time_ms, 1) for entry_id in ids}
            self.pending.extend(fresh)
            consumer.pending.extend(fresh)
            return
        for entry_id in ids:
            self.deliver(entry_id, consumer, time_ms, 1)

    def acknowledge(self, entry_id: int) -> bool:
        """Remove a pending entry; False if it is not pending."""
        held = self.pending.pop(entry_id)
        if held is None:
            return False
        self.consumers[held.consumer].pending.pop(entry_id)
        return True

    def copy(self) -> Group:
        """An independent copy."""
        return Group.from_state(self.to_state())

    def size_bytes(self) -> int:
        """Roughly the memory that it takes."""
        return 800 + 700 * len(self.consumers) + 340 * len(self.pending)

    def to_state(self) -> tuple[Any, ...]:
        """Everything as plain data; an entry's id is two parts of 64 bits, as one text of 16 bytes."""
        consumers = [
            (
                each.name,
                each.seen_ms,
                each.active_ms,
                [(entry_id.to_bytes(16, "big"), held.time_ms, held.count) for entry_id, held in each.pending.items()],
            )
            for each in self.consumers.values()
        ]
        return self.last_id.to_bytes(16, "big"), self.entries_read, consumers

    @classmethod
    def from_state(cls, state: Any) -> Group:
        """The group from the state that ``to_state`` gave."""
        last_id, entries_read, consumers = state
        group = cls(int.from_bytes(last_id, "big"), entries_read)
        for name, seen_ms, active_ms, pending in consumers:
            consumer = group.consumers[name] = Consumer(name, seen_ms)
            consumer.active_ms = active_ms
            consumer.pending.extend(
                {
                    int.from_bytes(entry_id, "big"): Delivery(name, time_ms, count)
                    for entry_id, time_ms, count in pending
                }
            )
        everything: dict[int, Delivery] = {}
        for each in group.consumers.values():
            everything |= each.pending.deliveries
        group.pending.extend(dict(sorted(everything.items())))
        return group

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        self.pending.check()
        assert len(self.pending) == sum(len(each.pending) for each in self.consumers.values())
        for name, consumer in self.consumers.items():
            consumer.pending.check()
            assert consumer.name == name
            for entry_id, held in consumer.pending.items():
                assert held is self.pending.get(entry_id)
                assert held.consumer == name
