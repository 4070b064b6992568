"""A keyspace: keys (bytes) with values and deadlines. Databases and sessions are keyspaces.

    access     when each key was last read or written
    data       key -> bare value (see values.py); no wrapper object per key
    deadlines  key -> expiry time, ms since the epoch; most keys have none
    times      timetable of these deadlines, drives active expiry; None as long as no key has had one
    field_due  timetable of the hashes with fields that expire, by the first of them; None until there is one
    agenda     timetable of the store's keyspaces: when each next has something due
    marks      key -> a property of its value that the value itself does not show; None until there is one

Writes go through ``put``, ``replace``, ``delete``, ``expire_at`` ..., which report to the change
feed. A command that changes a collection in place calls ``changed`` itself, once.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from .access import AccessTimes
from .clock import Clock
from .errors import NoSuchKey
from .feed import Feed
from .labels import LabelIndex, labels_of
from .reclaiming import MANY, is_big
from .scan import Scans
from .timetable import NEVER, Timetable
from .values import compact, copied, is_series
from .walking import key_at

_KEY_STEP_MS = 100  # expiring keys are filed by tenths of seconds
_FIELD_STEP_MS = 1
_MOST_DRAWN = 100  # expired keys drawn before live ones are searched for
_MOST_TRIES = 200  # empty entries drawn before the table is walked to a key
_ENTRY_BYTES = 24  # least size of a dict's entry


class Keyspace:
    """One map of keys. Not thread-safe: the event loop's thread owns it.

    ``index`` is the database number, or -1 for a session. ``hits`` and ``misses`` count look-ups by
    reading commands; ``expired`` counts keys that were removed because they had expired.
    """

    __slots__ = (
        "access",
        "agenda",
        "clock",
        "data",
        "deadlines",
        "expired",
        "feed",
        "field_due",
        "hits",
        "index",
        "labels",
        "marks",
        "misses",
        "scans",
        "series_count",
        "times",
    )

    def __init__(self, index: int, clock: Clock, feed: Feed, agenda: Timetable | None = None) -> None:
        self.index: int = index
        self.clock: Clock = clock
        self.feed: Feed = feed
        self.data: dict[bytes, object] = {}
        self.access: AccessTimes = AccessTimes()
        self.deadlines: dict[bytes, int] = {}
        self.times: Timetable | None = None
        self.field_due: Timetable | None = None
        self.agenda: Timetable = Timetable(1, {}) if agenda is None else agenda
        self.marks: dict[bytes, int] | None = None
        self.hits: int = 0
        self.misses: int = 0
        self.expired: int = 0
        self.series_count: int = 0
        self.labels: LabelIndex = LabelIndex()  # of the keyspace's series
        self.scans: Scans | None = None

    # ------------------------------------------------------------ looking up

    def get(self, key: bytes) -> object:
        """The value of a key for a command that will write or only needs metadata; None if absent."""
        if self.deadlines and self.drop_if_due(key):
            return None
        return self.data.get(key)

    def read(self, key: bytes) -> object:
        """The value of a key for a reading command; counts a hit or a miss. None if absent."""
        value = None if self.deadlines and self.drop_if_due(key) else self.data.get(key)
        if value is None:
            self.misses += 1
            if "keymiss" in self.feed.wanted:
                self.feed.publish(self, "keymiss", key, ())
        else:
            self.hits += 1
            self.access.note(key, self.clock.now_ms)
        return value

    def look(self, key: bytes) -> object:
        """The value of a key for a command that examines it without using it: as ``read``, but not an access."""
        frozen = self.access.frozen
        self.access.frozen = True
        value = self.read(key)
        self.access.frozen = frozen
        return value

    def idle_s(self, key: bytes) -> int:
        """For how many seconds an existing key has not been read or written; sometimes less, see ``AccessTimes``."""
        self.access.ask(len(self.data))
        return self.access.seconds_since(key, self.clock.now_ms)

    def drop_if_due(self, key: bytes) -> bool:
        """Remove the key if it has expired; return whether it had. A key still exists during the millisecond of its deadline."""
        deadline = self.deadlines.get(key)
        if deadline is None or deadline >= self.clock.now_ms:
            return False
        if not self.feed.held:
            self.expire_now(key)
        return True

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        """Number of keys, series included; expired keys count until they are removed."""
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
        """When the live key expires, in ms since the epoch; None if never."""
        return self.deadlines.get(key)

    def random_key(self) -> bytes | None:
        """A live key, each as likely as any other; None if there is none. O(1) unless most keys have expired or been removed."""
        for _ in range(_MOST_DRAWN):
            if not self.data:
                return None
            key = _random_key(self.data)
            if self.get(key) is not None:
                return key
        live = list(self.live_keys())
        return random.choice(live) if live else None

    def scan(self, cursor: int, count: int, keys: Collection[bytes]) -> tuple[int, list[bytes]]:
        """One step of a scan over the keys, or over the collection of one key; see ``Scans.step``."""
        if self.scans is None:
            self.scans = Scans()
        none_before = not self.scans.open
        reply = self.scans.step(cursor, count, keys, self.clock.now_ms)
        if none_before and self.scans.open:
            self.wake()
        return reply

    # ------------------------------------------------------------ writing

    def changed(self, event: str, key: bytes, detail: tuple[object, ...] = ()) -> None:
        """Report a change made to a key."""
        feed = self.feed
        feed.changes += 1
        self.access.note(key, self.clock.now_ms)
        if feed.listeners:
            feed.publish(self, event, key, detail)

    def put(self, key: bytes, value: object, event: str = "set") -> None:
        """Set a key to a value, replacing any other; it no longer expires."""
        if self.deadlines:
            deadline = self.deadlines.get(key)
            if deadline is not None:
                self.end_deadline(key, deadline)
        self.store(key, value, event)

    def end_deadline(self, key: bytes, deadline: int) -> None:
        """Prepare a key with a deadline for being overwritten: if it has expired, it is removed as such first."""
        if deadline < self.clock.now_ms:
            self.expire_now(key)
        else:
            del self.deadlines[key]
            self.unfile(key, deadline)

    def put_many(self, values: dict[bytes, object]) -> None:
        """Set many keys; they no longer expire. One dict update if no listener needs each change."""
        watched = self.feed.listeners or self.field_due is not None or self.marks is not None
        if watched or self.deadlines or self.series_count:
            for key, value in values.items():
                self.put(key, value)
        else:
            self.data.update(values)
            self.feed.changes += len(values)
            for key in values:
                self.access.enter(key, self.clock.now_ms, len(self.data))

    def replace(self, key: bytes, value: object, event: str, detail: tuple[object, ...] = ()) -> None:
        """Set a key to a value and keep its deadline."""
        self.store(key, value, event, detail)

    def store(self, key: bytes, value: object, event: str, detail: tuple[object, ...] = ()) -> None:
        """Write the map and report it; callers have dealt with the deadline."""
        feed = self.feed
        if feed.listeners or self.series_count or self.field_due is not None or self.marks is not None:
            self.store_watched(key, value, event, detail)
            return
        data = self.data
        old = data.get(key)
        data[key] = value
        feed.changes += 1
        self.access.enter(key, self.clock.now_ms, len(data))
        if old is not None and old is not value and is_big(old):
            feed.reclaimer.take(old)

    def store_watched(self, key: bytes, value: object, event: str, detail: tuple[object, ...]) -> None:
        """``store`` for when the feed has listeners, series have to be counted, fields expire or values have marks."""
        data, feed = self.data, self.feed
        if self.marks is not None:
            self.mark(key, 0)
        if self.field_due is not None:
            self.file_fields(key, getattr(value, "soonest", 0))
        old = data.get(key)
        if self.series_count and old is not None and is_series(old):
            self.series_count -= 1
            self.labels.discard(key, labels_of(old))
            old.unlink(self, key)  # type: ignore[attr-defined]
        data[key] = value
        feed.changes += 1
        self.access.enter(key, self.clock.now_ms, len(data))
        is_new = old is None
        if old is not None and old is not value and is_big(old):
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

    def emptied(self, key: bytes) -> None:
        """Remove a key after its last element, whose removal has been counted, and report it."""
        self.delete(key)
        self.feed.extra -= 1

    def forget(self, key: bytes) -> None:
        """Remove an existing key and what refers to it, without a report."""
        value = self.detach(key)
        if is_big(value):
            self.feed.reclaimer.take(value)

    def detach(self, key: bytes) -> object:
        """Remove an existing key and what refers to it, without a report; return its value, which the caller moves."""
        series_count = self.series_count
        value = self.withdraw(key)
        if series_count and is_series(value):
            value.unlink(self, key)  # type: ignore[attr-defined]
        return value

    def withdraw(self, key: bytes) -> object:
        """Take an existing key and its deadline out of the maps, without a report; return its value."""
        value = self.data.pop(key)
        if self.deadlines:
            deadline = self.deadlines.pop(key, None)
            if deadline is not None:
                self.unfile(key, deadline)
        if self.field_due is not None:
            self.file_fields(key, 0)
        if self.marks is not None:
            self.mark(key, 0)
        if self.series_count and is_series(value):
            self.series_count -= 1
            self.labels.discard(key, labels_of(value))
        return value

    def mark(self, key: bytes, mark: int) -> None:
        """Mark the value of a key with a property that it does not show itself, 0: none. The mark goes with the value.

        Collections that change in place keep their mark; a value that replaces another starts without one.
        """
        marks = self.marks
        if mark:
            if marks is None:
                marks = self.marks = {}
            marks[key] = mark
        elif marks is not None:
            marks.pop(key, None)
            if not marks:
                self.marks = None  # so that writes skip it

    def mark_of(self, key: bytes) -> int:
        """The mark of the value of a key, 0 if it has none."""
        return 0 if self.marks is None else self.marks.get(key, 0)

    def rename(self, source: bytes, target: bytes) -> None:
        """Move a value with its deadline to another name, overwriting that key.

        Raises NoSuchKey. A key renamed to itself is left as it is.
        """
        value = self.get(source)
        if value is None:
            raise NoSuchKey(source)
        if source == target:
            return
        deadline, mark = self.deadlines.get(source), self.mark_of(source)
        if self.get(target) is not None:
            self.forget(target)
        self.withdraw(source)
        self.restore(target, value, deadline)
        self.mark(target, mark)
        if self.series_count and is_series(value):
            value.renamed(self, source, target)  # type: ignore[attr-defined]
        self.changed("rename_from", source, (target,))
        self.changed("rename_to", target, (source,))
        self.feed.extra -= 1

    def copy_to(self, source: bytes, target: Keyspace, key: bytes, replace: bool) -> bool:
        """Copy a value with its deadline to another key, possibly of another keyspace.

        False if there is no value, or if the other key has one and it may not be replaced.
        """
        value = self.read(source)
        if value is None:
            return False
        if target.get(key) is not None:
            if not replace:
                return False
            target.forget(key)
        target.restore(key, copied(value), self.deadlines.get(source))
        target.mark(key, self.mark_of(source))
        target.changed("copy_to", key, (source, self))
        return True

    def move_to(self, target: Keyspace, key: bytes) -> bool:
        """Move a value with its deadline to another keyspace; False if there is none, or if the key is not free there."""
        value = self.get(key)
        if value is None or target.get(key) is not None:
            return False
        deadline, mark = self.deadlines.get(key), self.mark_of(key)
        self.detach(key)
        target.restore(key, value, deadline)
        target.mark(key, mark)
        self.changed("move_from", key, (target,))
        target.changed("move_to", key, (self,))
        self.feed.extra -= 1
        return True

    def restore(self, key: bytes, value: object, deadline: int | None) -> None:
        """Put a value with its deadline under a free name, without a report of the change itself."""
        self.data[key] = compact(value)
        self.access.enter(key, self.clock.now_ms, len(self.data))
        if is_series(value):
            self.series_count += 1
            self.labels.add(key, labels_of(value))
        self.note_fields(key, value)
        if deadline is not None:
            self.file_deadline(key, deadline)
        if "new" in self.feed.wanted:
            self.feed.publish(self, "new", key, ())

    def note_fields(self, key: bytes, value: object) -> None:
        """Schedule the expiry of fields of a hash that was stored under a key as it is."""
        soonest = getattr(value, "soonest", 0)
        if soonest:
            self.file_fields(key, soonest)

    def file_fields(self, key: bytes, soonest: int) -> None:
        """Note when the first of a hash's fields expires; 0: none does."""
        due = self.field_due
        if soonest:
            if due is None:
                due = self.field_due = Timetable(_FIELD_STEP_MS, {})
            if due.file(key, soonest):
                self.wake()
        elif due is not None:
            due.remove(key)
            if not due.deadlines:
                self.field_due = None  # so that writes skip it

    def expire_fields(self, most: int) -> bool:
        """Remove expired fields, of up to ``most`` hashes; return whether some may be left."""
        due = self.field_due
        if due is None:
            return False
        for key in due.look(most, self.clock.now_ms):
            value: Any = self.get(key)
            if value is not None:  # otherwise the key has just expired itself
                value.expire_fields(self, key)
        return bool(due.overdue)

    def put_series(self, key: bytes, series: object, event: str) -> None:
        """Put a new series under a free name."""
        self.restore(key, series, None)
        self.changed(event, key)

    def clear(self, event: str = "flushdb") -> int:
        """Remove everything, series too; return the number of keys removed."""
        old = self.data
        count = len(old)
        # New maps: users of the old ones are not disturbed, and those can be freed later.
        if count > MANY or any(map(is_big, old.values())):
            self.feed.reclaimer.take([old, self.deadlines, self.times, self.field_due, self.labels])
        self.data = {}
        self.access = AccessTimes()
        self.deadlines = {}
        self.times = self.field_due = self.scans = self.marks = None
        self.agenda.remove(self)
        self.series_count = 0
        self.labels = LabelIndex()
        if count:
            self.changed(event, b"", (old,))
            self.feed.changes += count - 1
        return count

    def swap(self, other: Keyspace) -> None:
        """Exchange all contents with another keyspace."""
        self.data, other.data = other.data, self.data
        self.access, other.access = other.access, self.access
        self.deadlines, other.deadlines = other.deadlines, self.deadlines
        self.times, other.times = other.times, self.times
        self.field_due, other.field_due = other.field_due, self.field_due
        self.marks, other.marks = other.marks, self.marks
        self.scans, other.scans = other.scans, self.scans
        self.series_count, other.series_count = other.series_count, self.series_count
        self.labels, other.labels = other.labels, self.labels
        self.wake()
        other.wake()
        self.changed("swapdb", b"", (other,))
        other.changed("swapdb", b"", (self,))
        self.feed.extra -= 1

    # ------------------------------------------------------------ deadlines

    def expire_at(self, key: bytes, deadline: int, event: str = "expire") -> None:
        """Let an existing key expire after ``deadline`` (ms since the epoch), immediately if that has passed."""
        if deadline <= self.clock.now_ms:
            self.forget(key)
            self.changed("del", key)
            return
        self.file_deadline(key, deadline)
        self.changed(event, key, (deadline,))

    def put_until(self, key: bytes, value: object, deadline: int) -> None:
        """Set a key to a value that expires after ``deadline``, which may already have passed."""
        if self.deadlines:
            self.drop_if_due(key)
        self.store(key, value, "set")
        self.file_deadline(key, deadline)
        self.changed("expire", key, (deadline,))
        self.feed.extra -= 1

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
        times = self.times
        if times is None:
            times = self.times = Timetable(_KEY_STEP_MS, self.deadlines)
        if times.file(key, deadline):
            self.wake()

    def unfile(self, key: bytes, deadline: int) -> None:
        """Take the key out of the timetable, where it is filed under its former deadline."""
        assert self.times is not None
        self.times.unfile(key, deadline)

    def wake(self) -> None:
        """Have the store process this keyspace when its first deadline passes."""
        first_ms = NEVER if self.times is None else self.times.next_ms()
        if self.field_due is not None:
            first_ms = _earlier(first_ms, self.field_due.next_ms())
        if self.scans is not None and self.scans.open:
            first_ms = _earlier(first_ms, self.scans.idle_ms())
        if first_ms == NEVER:
            self.agenda.remove(self)
        else:
            self.agenda.file(self, first_ms)

    def run_cron(self, most: int) -> bool:
        """Do some of what is due, for up to ``most`` keys and as many hashes; return whether more is due."""
        more = self.expire_fields(most)
        if self.expire_some(most):
            more = True
        if self.scans is not None and self.scans.open:
            self.scans.drop_idle(self.clock.now_ms)
        return more

    def expire_now(self, key: bytes) -> None:
        """Remove an expired key."""
        self.forget(key)
        self.expired += 1
        self.changed("expired", key)
        self.feed.extra -= 1

    def expire_some(self, most: int) -> bool:
        """Remove up to ``most`` expired keys; return whether some are still to be examined."""
        times = self.times
        if times is None:
            return False
        for key in times.look(most, self.clock.now_ms):
            self.expire_now(key)
        return bool(times.overdue)

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert self.deadlines.keys() <= self.data.keys()
        if self.times is not None:
            assert self.times.deadlines is self.deadlines
            self.times.check()
        else:
            assert not self.deadlines
        timed = {key: soonest for key, value in self.data.items() if (soonest := getattr(value, "soonest", 0))}
        if self.field_due is not None:
            self.field_due.check()
        assert timed == ({} if self.field_due is None else self.field_due.deadlines)
        self.check_agenda()
        assert self.marks is None or (self.marks and self.marks.keys() <= self.data.keys())
        assert self.series_count == sum(map(is_series, self.data.values()))
        self.labels.check({key: value for key, value in self.data.items() if is_series(value)})
        assert all(type(key) is bytes and value is not None for key, value in islice(self.data.items(), 10_000))

    def check_agenda(self) -> None:
        """Assert that the store will process the keyspace in time."""
        held = [each.next_ms() for each in (self.times, self.field_due) if each is not None]
        if self.scans is not None and self.scans.open:
            held.append(self.scans.idle_ms())
        wanted = [each for each in held if each != NEVER]
        assert not wanted or self.agenda.deadlines[self] <= max(min(wanted), self.clock.now_ms)


def _random_key(table: dict[bytes, object]) -> bytes:
    """One key of a non-empty dict, each as likely as any other. O(1) on average, O(N) where most have been removed."""
    places = sys.getsizeof(table) // _ENTRY_BYTES  # at most that many
    for _ in range(_MOST_TRIES):
        key = key_at(table, random.randrange(places))
        if key is not None:
            return key
    return next(islice(table, random.randrange(len(table)), None))


def _earlier(first_ms: int, second_ms: int) -> int:
    """The earlier of two times, either of which may be NEVER."""
    if first_ms == NEVER or second_ms == NEVER:
        return max(first_ms, second_ms)
    return min(first_ms, second_ms)
