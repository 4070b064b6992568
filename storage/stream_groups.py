"""Consumer groups of streams: who has been given which entry and has not acknowledged it yet.

Group.pending      entry id -> Delivery, in the order of ids
Consumer.pending   entry id -> the same Delivery, for those of this consumer
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sortedcontainers import SortedDict


class Delivery:
    """An entry that was delivered and is not acknowledged: to whom, when last (ms), how often.

    It has the consumer's name and not the consumer, which has the delivery: a circle would not be freed with the stream.
    """

    __slots__ = ("consumer", "count", "time_ms")

    def __init__(self, consumer: bytes, time_ms: int, count: int) -> None:
        self.consumer: bytes = consumer
        self.time_ms: int = time_ms
        self.count: int = count


class Consumer:
    """A reader of a group. ``seen_ms``: its last command; ``active_ms``: its last one that got entries, -1: none."""

    __slots__ = ("active_ms", "name", "pending", "seen_ms")

    def __init__(self, name: bytes, seen_ms: int) -> None:
        self.name: bytes = name
        self.seen_ms: int = seen_ms
        self.active_ms: int = -1
        self.pending: SortedDict = SortedDict()


def deliveries(pending: Any, start: int, end: int) -> Iterator[tuple[int, Delivery]]:
    """Deliveries with start <= id <= end, in order. They must not change meanwhile. O(log n + m)."""
    for entry_id in pending.irange(start, end):
        yield entry_id, pending[entry_id]


class Group:
    """A consumer group. ``last_id``: the newest entry delivered; ``entries_read``: how many were, None: unknown."""

    __slots__ = ("consumers", "entries_read", "last_id", "pending")

    def __init__(self, last_id: int = 0, entries_read: int | None = None) -> None:
        self.last_id: int = last_id
        self.entries_read: int | None = entries_read
        self.pending: SortedDict = SortedDict()
        self.consumers: dict[bytes, Consumer] = {}

    def consumer(self, name: bytes, now_ms: int) -> Consumer:
        """The consumer of this name, which is made if there is none; it is seen now."""
        found = self.consumers.get(name)
        if found is None:
            found = self.consumers[name] = Consumer(name, now_ms)
        found.seen_ms = now_ms
        return found

    def consumers_in_order(self) -> list[Consumer]:
        """Consumers by name, as Redis lists them."""
        return [self.consumers[name] for name in sorted(self.consumers)]

    def drop_consumer(self, name: bytes) -> int:
        """Remove an existing consumer with what it has pending; how much that was."""
        gone = self.consumers.pop(name)
        for entry_id in gone.pending:
            del self.pending[entry_id]
        return len(gone.pending)

    def deliver(self, entry_id: int, consumer: Consumer, time_ms: int, count: int) -> None:
        """Give an entry to a consumer, whoever had it. O(log n)."""
        held = self.pending.get(entry_id)
        if held is None:
            held = self.pending[entry_id] = Delivery(consumer.name, time_ms, count)
            consumer.pending[entry_id] = held
            return
        if held.consumer != consumer.name:
            del self.consumers[held.consumer].pending[entry_id]
            consumer.pending[entry_id] = held
            held.consumer = consumer.name
        held.time_ms = time_ms
        held.count = count

    def acknowledge(self, entry_id: int) -> bool:
        """Forget that an entry is pending; False if it is not. O(log n)."""
        held = self.pending.pop(entry_id, None)
        if held is None:
            return False
        del self.consumers[held.consumer].pending[entry_id]
        return True

    def copy(self) -> Group:
        """An independent copy."""
        return Group.from_state(self.to_state())

    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return 800 + 700 * len(self.consumers) + 340 * len(self.pending)

    def to_state(self) -> tuple[Any, ...]:
        """Everything as plain data; an entry's id is in two parts of 64 bits, as one text of 16 bytes."""
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
        """The group of a state that ``to_state`` gave."""
        last_id, entries_read, consumers = state
        group = cls(int.from_bytes(last_id, "big"), entries_read)
        for name, seen_ms, active_ms, pending in consumers:
            consumer = group.consumers[name] = Consumer(name, seen_ms)
            consumer.active_ms = active_ms
            consumer.pending.update(
                (int.from_bytes(entry_id, "big"), Delivery(name, time_ms, count))
                for entry_id, time_ms, count in pending
            )
            group.pending.update(consumer.pending)
        return group

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert len(self.pending) == sum(len(each.pending) for each in self.consumers.values())
        for name, consumer in self.consumers.items():
            assert consumer.name == name
            for entry_id, held in consumer.pending.items():
                assert held is self.pending[entry_id]
                assert held.consumer == name
