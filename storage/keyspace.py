"""A keyspace: keys (bytes) with values and deadlines. Databases and sessions are keyspaces.

    data       key -> bare value (see values.py); no wrapper object per key
    deadlines  key -> ms since the epoch after which the key is gone; most keys have none
    due        second -> keys whose deadline lies in it; drives active expiry

Every key with a deadline is in ``due`` once, or in ``overdue`` when its second is over.

Writes go through ``put``, ``replace``, ``delete``, ``expire_at`` ..., which report to the change
feed. A command that changes a collection in place calls ``changed`` itself, once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice

from .clock import Clock
from .errors import NoSuchKey
from .feed import Feed
from .labels import LabelIndex, labels_of
from .reclaiming import MANY, is_big
from .scan import Scans
from .values import compact, is_series

# Up to so many keys a random one is found by walking to it, which takes 5 us at most; a copy of the keys costs more.
_WALKED_KEYS = 1000


class Keyspace:
    """One map of keys. Not thread-safe: the event loop's thread owns it.

    ``index`` is the database number, or -1 for a session. ``hits`` and ``misses`` count look-ups by
    reading commands; ``expired`` counts keys that were removed because their time had come.
    """

    __slots__ = (
        "clock",
        "data",
        "deadlines",
        "due",
        "due_from",
        "expired",
        "feed",
        "field_due",
        "hits",
        "index",
        "labels",
        "misses",
        "overdue",
        "sample",
        "sampled_changes",
        "scans",
        "series_count",
    )

    def __init__(self, index: int, clock: Clock, feed: Feed) -> None:
        self.index: int = index
        self.clock: Clock = clock
        self.feed: Feed = feed
        self.data: dict[bytes, object] = {}
        self.deadlines: dict[bytes, int] = {}
        self.due: dict[int, set[bytes]] = {}
        self.due_from: int = 0  # no entry of `due` is for an earlier second
        self.overdue: list[bytes] = []
        self.field_due: list[tuple[int, bytes]] = []  # heap of deadlines of fields with the keys of their hashes
        self.hits: int = 0
        self.misses: int = 0
        self.expired: int = 0
        self.series_count: int = 0
        self.labels: LabelIndex = LabelIndex()  # of the series
        self.scans: Scans = Scans()
        self.sample: list[bytes] = []  # keys as of the change number sampled_changes, for random_key
        self.sampled_changes: int = 0

    # ------------------------------------------------------------ looking up

    def get(self, key: bytes) -> object:
        """The value of a key for a command that will write or only looks at metadata; None if absent."""
        if self.deadlines:
            self.drop_if_due(key)
        return self.data.get(key)

    def read(self, key: bytes) -> object:
        """The value of a key for a reading command; counts a hit or a miss. None if absent."""
        if self.deadlines:
            self.drop_if_due(key)
        value = self.data.get(key)
        if value is None:
            self.misses += 1
            if "keymiss" in self.feed.wanted:
                self.feed.publish(self, "keymiss", key, ())
        else:
            self.hits += 1
        return value

    def drop_if_due(self, key: bytes) -> None:
        """Remove the key if its deadline has passed. A key lives through its deadline's own ms."""
        deadline = self.deadlines.get(key)
        if deadline is not None and deadline < self.clock.now_ms:
            self.expire_now(key)

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        """Number of keys, series included; keys past their deadline count until they are removed."""
        return len(self.data)

    def live_keys(self) -> Iterator[bytes]:
        """All keys that have not expired, in insertion order. The keyspace must not change meanwhile."""
        if not self.deadlines:
            yield from self.data
            return
        now_ms, deadlines = self.clock.now_ms, self.deadlines
        for key in self.data:
            deadline = deadlines.get(key)
            if deadline is None or deadline >= now_ms:
                yield key

    def key_values(self) -> Iterator[tuple[bytes, object]]:
        """Keys and values without series and expired keys: what the KV_ commands act on."""
        data = self.data
        for key in self.live_keys():
            value = data[key]
            if not self.series_count or not is_series(value):
                yield key, value

    def deadline_of(self, key: bytes) -> int | None:
        """When the (live) key expires, in ms since the epoch; None if never."""
        return self.deadlines.get(key)

    def random_key(self) -> bytes | None:
        """A live key, each as likely as any other; None if there is none.

        With many keys it is drawn from a copy, which costs 8 ns a key and is renewed once there have been a
        tenth as many changes: a key that is newer than the copy is not found until then.
        """
        missed = 0
        while self.data:
            count = len(self.data)
            if count <= _WALKED_KEYS:
                key = next(islice(self.data, random.randrange(count), None))
            else:
                changes = self.feed.changes
                if not self.sample or missed > 20 or (changes - self.sampled_changes) * 10 > count:
                    self.sample = list(self.live_keys())
                    self.sampled_changes = changes
                    missed = 0
                    if not self.sample:
                        return None
                key = random.choice(self.sample)
            if self.get(key) is not None:
                return key
            missed += 1
        return None

    # ------------------------------------------------------------ writing

    def changed(self, event: str, key: bytes, detail: tuple[object, ...] = ()) -> None:
        """Report one change that has been made to a key."""
        feed = self.feed
        feed.changes += 1
        if feed.listeners:
            feed.publish(self, event, key, detail)

    def put(self, key: bytes, value: object, event: str = "set") -> None:
        """Set a key to a value, whatever it held; it no longer expires."""
        if self.deadlines:
            deadline = self.deadlines.get(key)
            if deadline is not None:
                self.end_deadline(key, deadline)
        self.store(key, value, event)

    def end_deadline(self, key: bytes, deadline: int) -> None:
        """Prepare a key with a deadline for being overwritten: one whose time has come expires before."""
        if deadline < self.clock.now_ms:
            self.expire_now(key)
        else:
            del self.deadlines[key]
            self.unfile(key, deadline)

    def put_many(self, values: dict[bytes, object]) -> None:
        """Set many keys; they no longer expire. One step where nobody has to be told of each."""
        if self.deadlines or self.series_count or self.feed.listeners:
            for key, value in values.items():
                self.put(key, value)
        else:
            self.data.update(values)
            self.feed.changes += len(values)

    def replace(self, key: bytes, value: object, event: str, detail: tuple[object, ...] = ()) -> None:
        """Set a key to a value and keep its deadline."""
        self.store(key, value, event, detail)

    def store(self, key: bytes, value: object, event: str, detail: tuple[object, ...] = ()) -> None:
        """Write the map and report it; callers have dealt with the deadline."""
        feed = self.feed
        if feed.listeners or self.series_count:
            self.store_watched(key, value, event, detail)
            return
        data = self.data
        old = data.get(key)
        data[key] = value
        feed.changes += 1
        if old is not None and old is not value and is_big(old):
            feed.reclaimer.take(old)

    def store_watched(self, key: bytes, value: object, event: str, detail: tuple[object, ...]) -> None:
        """``store`` where somebody listens to the feed or series have to be counted."""
        data, feed = self.data, self.feed
        old = data.get(key)
        if self.series_count and old is not None and is_series(old):
            self.series_count -= 1
            self.labels.discard(key, labels_of(old))
        data[key] = value
        feed.changes += 1
        if old is None:
            is_new = True
        else:
            is_new = False
            if old is not value and is_big(old):
                feed.reclaimer.take(old)
        if is_new and "new" in feed.wanted:
            feed.publish(self, "new", key, ())
        if feed.listeners:
            feed.publish(self, event, key, detail)

    def delete(self, key: bytes, event: str = "del") -> bool:
        """Remove a key and report it; False if there was no (live) key."""
        if self.get(key) is None:
            return False
        self.forget(key)
        self.changed(event, key)
        return True

    def forget(self, key: bytes) -> None:
        """Take an existing key with its value and deadline out of the maps, without a report."""
        value = self.detach(key)
        if is_big(value):
            self.feed.reclaimer.take(value)

    def detach(self, key: bytes) -> object:
        """Take an existing key and its deadline out of the maps, without a report; its value, which goes elsewhere."""
        value = self.data.pop(key)
        if self.deadlines:
            deadline = self.deadlines.pop(key, None)
            if deadline is not None:
                self.unfile(key, deadline)
        if self.series_count and is_series(value):
            self.series_count -= 1
            self.labels.discard(key, labels_of(value))
        return value

    def rename(self, source: bytes, target: bytes) -> None:
        """Move a value with its deadline to another name, over whatever that held.

        Raises NoSuchKey. A key renamed to itself is left as it is.
        """
        value = self.get(source)
        if value is None:
            raise NoSuchKey(source)
        if source == target:
            return
        deadline = self.deadlines.get(source)
        if self.get(target) is not None:
            self.forget(target)
        self.detach(source)
        self.restore(target, value, deadline)
        if self.series_count and is_series(value):
            value.renamed(self, source, target)  # type: ignore[attr-defined]
        self.changed("rename_from", source, (target,))
        self.changed("rename_to", target, (source,))

    def restore(self, key: bytes, value: object, deadline: int | None) -> None:
        """Put a value with its deadline under a free name, without a report of the change itself."""
        self.data[key] = compact(value)
        if is_series(value):
            self.series_count += 1
            self.labels.add(key, labels_of(value))
        self.note_fields(key, value)
        if deadline is not None:
            self.file_deadline(key, deadline)
        if "new" in self.feed.wanted:
            self.feed.publish(self, "new", key, ())

    def note_fields(self, key: bytes, value: object) -> None:
        """See to it that fields of a hash expire that was put under a key as it is."""
        soonest = getattr(value, "soonest", 0)
        if soonest:
            heappush(self.field_due, (soonest, key))

    def expire_fields(self, most: int) -> bool:
        """Remove fields whose time has come, of up to ``most`` hashes; whether some may be left."""
        due, now_ms = self.field_due, self.clock.now_ms
        for _ in range(most):
            if not due or due[0][0] >= now_ms:
                return False
            key = heappop(due)[1]
            expire = getattr(self.get(key), "expire_fields", None)
            if expire is not None:
                expire(self, key)
        return True

    def put_series(self, key: bytes, series: object, event: str) -> None:
        """Put a new series under a free name."""
        self.restore(key, series, None)
        self.changed(event, key)

    def clear(self, event: str = "flushdb") -> int:
        """Remove everything, series too; give the number of keys there were."""
        old = self.data
        count = len(old)
        # New maps: whoever holds the old ones (a SCAN's list) is not surprised, and they can be freed later.
        if count > MANY or any(map(is_big, old.values())):
            self.feed.reclaimer.take([old, self.deadlines, self.due, self.overdue, self.sample, self.labels])
        self.data = {}
        self.deadlines = {}
        self.due = {}
        self.overdue = []
        self.sample = []
        self.series_count = 0
        self.labels = LabelIndex()
        if count:
            self.changed(event, b"", (old,))
            self.feed.changes += count - 1
        return count

    def swap(self, other: Keyspace) -> None:
        """Exchange all contents with another keyspace."""
        self.data, other.data = other.data, self.data
        self.deadlines, other.deadlines = other.deadlines, self.deadlines
        self.due, other.due = other.due, self.due
        self.due_from, other.due_from = other.due_from, self.due_from
        self.overdue, other.overdue = other.overdue, self.overdue
        self.field_due, other.field_due = other.field_due, self.field_due
        self.sample, other.sample = other.sample, self.sample
        self.sampled_changes, other.sampled_changes = other.sampled_changes, self.sampled_changes
        self.scans, other.scans = other.scans, self.scans
        self.series_count, other.series_count = other.series_count, self.series_count
        self.labels, other.labels = other.labels, self.labels
        self.changed("swapdb", b"", (other,))
        other.changed("swapdb", b"", (self,))

    # ------------------------------------------------------------ deadlines

    def expire_at(self, key: bytes, deadline: int, event: str = "expire") -> None:
        """Let an existing key expire after ``deadline`` (ms since the epoch). Past ones remove it at once."""
        if deadline <= self.clock.now_ms:
            self.forget(key)
            self.changed("del", key)
            return
        self.file_deadline(key, deadline)
        self.changed(event, key, (deadline,))

    def put_until(self, key: bytes, value: object, deadline: int) -> None:
        """Set a key to a value that expires after ``deadline``, which may have passed already."""
        if self.deadlines:
            self.drop_if_due(key)
        self.store(key, value, "set")
        self.file_deadline(key, deadline)
        self.changed("expire", key, (deadline,))

    def persist(self, key: bytes) -> bool:
        """Take an existing key's deadline away; False if it had none."""
        deadline = self.deadlines.pop(key, None)
        if deadline is None:
            return False
        self.unfile(key, deadline)
        self.changed("persist", key)
        return True

    def file_deadline(self, key: bytes, deadline: int) -> None:
        """Note a deadline for the key, without a report."""
        second = deadline // 1000
        old = self.deadlines.get(key)
        self.deadlines[key] = deadline
        if old is not None:
            if old // 1000 == second:
                return
            self.unfile(key, old)
        bucket = self.due.get(second)
        if bucket is None:
            self.due[second] = {key}
            if second < self.due_from:
                self.due_from = second
        else:
            bucket.add(key)

    def unfile(self, key: bytes, deadline: int) -> None:
        """Take the key out of the bucket of its old deadline."""
        second = deadline // 1000
        bucket = self.due.get(second)
        if bucket is not None:  # otherwise it is in `overdue`, which finds it without a deadline, or with a later one
            bucket.discard(key)
            if not bucket:
                del self.due[second]

    def expire_now(self, key: bytes) -> None:
        """Remove a key whose deadline has passed."""
        self.forget(key)
        self.expired += 1
        self.changed("expired", key)

    def expire_some(self, most: int) -> int:
        """Remove up to ``most`` keys whose time has come; give how many are still to be looked at."""
        if not self.overdue:
            self.collect_overdue()
        overdue, deadlines, now_ms = self.overdue, self.deadlines, self.clock.now_ms
        for _ in range(min(most, len(overdue))):
            key = overdue.pop()
            deadline = deadlines.get(key)
            if deadline is not None and deadline < now_ms:
                self.expire_now(key)
        return len(overdue)

    def collect_overdue(self) -> None:
        """Move the keys of all seconds that are over to ``overdue``."""
        second = self.clock.now_ms // 1000
        if not self.due or self.due_from >= second:
            return
        if second - self.due_from > len(self.due):
            over = [each for each in self.due if each < second]
        else:
            over = [each for each in range(self.due_from, second) if each in self.due]
        for each in over:
            self.overdue += self.due.pop(each)
        self.due_from = second

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert self.deadlines.keys() <= self.data.keys()
        filed: dict[bytes, int] = {}
        for second, keys in self.due.items():
            assert keys
            assert second >= self.due_from
            assert not filed.keys() & keys
            filed.update(dict.fromkeys(keys, second))
        overdue = set(self.overdue)
        for key, deadline in self.deadlines.items():
            assert filed.pop(key, None) == deadline // 1000 or key in overdue
        assert not filed
        assert self.series_count == sum(map(is_series, self.data.values()))
        self.labels.check({key: value for key, value in self.data.items() if is_series(value)})
        assert all(type(key) is bytes and value is not None for key, value in islice(self.data.items(), 10_000))
