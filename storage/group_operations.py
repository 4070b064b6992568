# cython: annotation_typing=True
"""What commands do to consumer groups: each operation changes one and reports it; replay from the log is here too.

Deliveries, acknowledgements and claims are reported to the change feed under names of our own (xreadgroup, xack,
xclaim, xautoclaim), for which Redis publishes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from .errors import GroupExists
from .keyspace import Keyspace
from .stream_groups import Consumer, Delivery, Group
from .stream_ids import id_text
from .stream_operations import stream_at
from .streams import MAX_ID, Entry, Fields, Stream, id_of_text

# More deliveries than this are logged by the first and the last of them.
_FEW: Final = 16
# ``claim_idle`` examines up to this many pending entries for each one that it may claim.
_LOOKS: Final = 10


# ---------------------------------------------------------------- groups and consumers


def create_group(
    keyspace: Keyspace, key: bytes, stream: Stream | None, name: bytes, last_id: int, entries_read: int | None
) -> None:
    """Make a new group; a missing stream is created empty. Raises GroupExists."""
    if stream is None:
        stream = Stream()
        stream.groups[name] = Group(last_id, entries_read)
        keyspace.put(key, stream, "xgroup-create")
        return
    if name in stream.groups:
        raise GroupExists
    stream.groups[name] = Group(last_id, entries_read)
    keyspace.changed("xgroup-create", key, ("stream.group", name, id_text(last_id), entries_read))


def set_progress(
    keyspace: Keyspace, key: bytes, name: bytes, group: Group, last_id: int, entries_read: int | None
) -> None:
    """Set the id up to which a group has read, and how many entries count as read."""
    group.last_id, group.entries_read = last_id, entries_read
    keyspace.changed("xgroup-setid", key, ("stream.group", name, id_text(last_id), entries_read))


def destroy_group(keyspace: Keyspace, key: bytes, stream: Stream, name: bytes) -> bool:
    """Remove a group with its pending entries; return whether it existed."""
    if stream.groups.pop(name, None) is None:
        return False
    keyspace.changed("xgroup-destroy", key, ("stream.group_gone", name))
    return True


def consumer_now(keyspace: Keyspace, key: bytes, group_name: bytes, group: Group, name: bytes) -> Consumer:
    """The consumer that acts now; created if new."""
    now_ms = keyspace.clock.now_ms
    is_new = name not in group.consumers
    consumer = group.consumer(name, now_ms)
    if is_new:
        keyspace.changed("xgroup-createconsumer", key, ("stream.consumer", group_name, name, now_ms))
    return consumer


def drop_consumer(keyspace: Keyspace, key: bytes, group_name: bytes, group: Group, name: bytes) -> int:
    """Remove an existing consumer with its pending entries; return how many there were."""
    lost = group.drop_consumer(name)
    keyspace.changed("xgroup-delconsumer", key, ("stream.consumer_gone", group_name, name))
    return lost


# ---------------------------------------------------------------- reading


def deliver_news(
    keyspace: Keyspace,
    key: bytes,
    stream: Stream,
    group_name: bytes,
    group: Group,
    consumer: Consumer,
    most: int,
    pends: bool,
) -> list[Entry]:
    """Give a consumer entries that the group has not read yet, at most ``most`` (-1: all). ``pends``: they are pending until it acknowledges them."""
    now_ms = keyspace.clock.now_ms
    entries = stream.range(group.last_id + 1, MAX_ID, most)
    if not entries:
        return entries
    for entry_id, _ in entries:
        stream.advance(group, entry_id)
    if pends:
        group.deliver_news([entry_id for entry_id, _ in entries], consumer, now_ms)
    consumer.active_ms = now_ms
    read = (group_name, consumer.name, now_ms, id_text(group.last_id), group.entries_read)
    if pends and len(entries) > _FEW:
        ends = id_text(entries[0][0]), id_text(entries[-1][0])
        keyspace.changed("xreadgroup", key, ("stream.deliver_from", *read, *ends))
    else:
        pending = tuple([id_text(entry_id) for entry_id, _ in entries]) if pends else ()
        keyspace.changed("xreadgroup", key, ("stream.deliver", *read, *pending))
    return entries


def deliver_again(
    keyspace: Keyspace,
    key: bytes,
    stream: Stream,
    group_name: bytes,
    group: Group,
    consumer: Consumer,
    after: int,
    most: int,
) -> list[tuple[int, Fields | None]]:
    """Give a consumer again its pending entries with greater ids, at most ``most`` (-1: all).

    Entries deleted from the stream meanwhile have no fields, and do not count as delivered.
    """
    now_ms = keyspace.clock.now_ms
    entries: list[tuple[int, Fields | None]] = []
    again: list[tuple[bytes, int, int]] = []
    pending = consumer.pending
    for entry_id in pending.ids(after + 1, MAX_ID, most):
        fields = stream.get(entry_id)
        entries.append((entry_id, fields))
        if fields is not None:
            delivery = pending.deliveries[entry_id]
            delivery.time_ms = now_ms
            delivery.count += 1
            again.append((id_text(entry_id), now_ms, delivery.count))
    if again:
        consumer.active_ms = now_ms
        removed: list[bytes] = []
        detail = ("stream.claim", group_name, consumer.name, now_ms, id_text(group.last_id), again, removed)
        keyspace.changed("xreadgroup", key, detail)
    return entries


def acknowledge(keyspace: Keyspace, key: bytes, group_name: bytes, group: Group, ids: Iterable[int]) -> int:
    """Acknowledge entries; return how many were pending."""
    acknowledged = [id_text(entry_id) for entry_id in ids if group.acknowledge(entry_id)]
    if acknowledged:
        keyspace.feed.extra += len(acknowledged) - 1
        keyspace.changed("xack", key, ("stream.acknowledge", group_name, *acknowledged))
    return len(acknowledged)


# ---------------------------------------------------------------- claiming


class ClaimTerms:
    """Which entries are claimed and how they count afterwards.

    ``min_idle_ms``: only entries idle at least this long are claimed. ``force``: also those that are not pending.
    ``time_ms``: their new delivery time. ``count``: their new delivery count; None: one more, or with ``just_id`` the same.
    ``last_id``: the group has read at least up to this id.
    """

    __slots__ = ("count", "force", "just_id", "last_id", "min_idle_ms", "time_ms")

    def __init__(self, time_ms: int, min_idle_ms: int) -> None:
        self.time_ms = time_ms
        self.min_idle_ms = min_idle_ms
        self.force = self.just_id = False
        self.count: int | None = None
        self.last_id = 0


def claim(
    keyspace: Keyspace,
    key: bytes,
    stream: Stream,
    group_name: bytes,
    group: Group,
    consumer: Consumer,
    ids: Iterable[int],
    terms: ClaimTerms,
) -> list[Entry]:
    """Give pending entries to a consumer, whoever had them, and return them. Those deleted from the stream are acknowledged."""
    now_ms = keyspace.clock.now_ms
    advances = terms.last_id > group.last_id
    group.last_id = max(terms.last_id, group.last_id)
    entries: list[Entry] = []
    claimed: list[tuple[bytes, int, int]] = []
    removed: list[bytes] = []
    for entry_id in ids:
        delivery = group.pending.get(entry_id)
        fields = stream.get(entry_id)
        if fields is None:
            if group.acknowledge(entry_id):
                removed.append(id_text(entry_id))
            continue
        if delivery is None and not terms.force:
            continue
        if delivery is not None and terms.min_idle_ms > 0 and now_ms - delivery.time_ms < terms.min_idle_ms:
            continue
        count = terms.count
        if count is None:
            count = (1 if delivery is None else delivery.count) + (0 if terms.just_id else 1)
        group.deliver(entry_id, consumer, terms.time_ms, count)
        claimed.append((id_text(entry_id), terms.time_ms, count))
        entries.append((entry_id, fields))
    if claimed:
        consumer.active_ms = now_ms
    if claimed or removed or advances:
        keyspace.feed.extra += max(len(claimed) + len(removed), 1) - 1
        detail = ("stream.claim", group_name, consumer.name, now_ms, id_text(group.last_id), claimed, removed)
        keyspace.changed("xclaim", key, detail)
    return entries


def claim_idle(
    keyspace: Keyspace,
    key: bytes,
    stream: Stream,
    group_name: bytes,
    group: Group,
    consumer: Consumer,
    min_idle_ms: int,
    start: int,
    most: int,
    just_id: bool,
) -> tuple[int, list[Entry], list[bytes]]:
    """Walk over the pending entries from an id on and give up to ``most`` that are idle enough to a consumer.

    Returns the id to continue from (0: the beginning), the entries, and the ids, as text, of those deleted from the stream,
    which are acknowledged. With ``just_id`` it does not count as another delivery.
    """
    now_ms = keyspace.clock.now_ms
    entries: list[Entry] = []
    claimed: list[tuple[bytes, int, int]] = []
    removed: list[int] = []
    looks, following = most * _LOOKS, 0
    chosen: list[Delivery] = []
    for entry_id in group.pending.ids(start, None, looks + 1):  # the group is changed only after the walk
        if looks == 0 or len(chosen) + len(removed) == most:
            following = entry_id
            break
        looks -= 1
        delivery = group.pending.deliveries[entry_id]
        fields = stream.get(entry_id)
        if fields is None:
            removed.append(entry_id)
        elif min_idle_ms <= 0 or now_ms - delivery.time_ms >= min_idle_ms:
            chosen.append(delivery)
            entries.append((entry_id, fields))
    for entry_id in removed:
        group.acknowledge(entry_id)
    for (entry_id, _), delivery in zip(entries, chosen, strict=True):
        count = delivery.count if just_id else delivery.count + 1
        group.deliver(entry_id, consumer, now_ms, count)
        claimed.append((id_text(entry_id), now_ms, count))
    removed_texts = [id_text(entry_id) for entry_id in removed]
    if claimed:
        consumer.active_ms = now_ms
    if claimed or removed:
        keyspace.feed.extra += len(claimed) + len(removed) - 1
        detail = ("stream.claim", group_name, consumer.name, now_ms, id_text(group.last_id), claimed, removed_texts)
        keyspace.changed("xautoclaim", key, detail)
    return following, entries, removed_texts


# ---------------------------------------------------------------- redoing


def _group(keyspace: Keyspace, key: bytes, name: bytes) -> Group:
    return stream_at(keyspace, key).groups[name]


def _set_group(keyspace: Keyspace, key: bytes, name: bytes, last_id: bytes, entries_read: int | None) -> None:
    group = stream_at(keyspace, key).groups.setdefault(name, Group())
    group.last_id, group.entries_read = id_of_text(last_id), entries_read


def _drop_group(keyspace: Keyspace, key: bytes, name: bytes) -> None:
    del stream_at(keyspace, key).groups[name]


def _add_consumer(keyspace: Keyspace, key: bytes, name: bytes, consumer: bytes, seen_ms: int) -> None:
    _group(keyspace, key, name).consumer(consumer, seen_ms)


def _drop_consumer(keyspace: Keyspace, key: bytes, name: bytes, consumer: bytes) -> None:
    _group(keyspace, key, name).drop_consumer(consumer)


def _advance(
    keyspace: Keyspace,
    key: bytes,
    name: bytes,
    consumer: bytes,
    now_ms: int,
    last_id: bytes,
    entries_read: int | None,
    *ids: bytes,
) -> tuple[Group, Consumer, list[int]]:
    """Note that a group has read up to an id, through a consumer, which gets the entries of the other ids."""
    group = _group(keyspace, key, name)
    reader = group.consumer(consumer, now_ms)
    reader.active_ms = now_ms
    group.last_id, group.entries_read = id_of_text(last_id), entries_read
    return group, reader, [id_of_text(each) for each in ids]


def _deliver(keyspace: Keyspace, key: bytes, *read: Any) -> None:
    """Make the entries of these ids pending. ``read``: what ``_advance`` takes."""
    group, reader, ids = _advance(keyspace, key, *read)
    for entry_id in ids:
        group.deliver(entry_id, reader, reader.active_ms, 1)


def _deliver_from(keyspace: Keyspace, key: bytes, *read: Any) -> None:
    """Make the entries from one id to another pending. ``read``: what ``_advance`` takes."""
    group, reader, ids = _advance(keyspace, key, *read)
    entries = stream_at(keyspace, key).range(*ids)
    group.deliver_news([entry_id for entry_id, _ in entries], reader, reader.active_ms)


def _claim(
    keyspace: Keyspace,
    key: bytes,
    name: bytes,
    consumer: bytes,
    now_ms: int,
    last_id: bytes,
    claimed: list[tuple[bytes, int, int]],
    gone: list[bytes],
) -> None:
    group = _group(keyspace, key, name)
    owner = group.consumer(consumer, now_ms)
    if claimed:
        owner.active_ms = now_ms
    for entry_id, time_ms, count in claimed:
        group.deliver(id_of_text(entry_id), owner, time_ms, count)
    for entry_id in gone:
        group.acknowledge(id_of_text(entry_id))
    group.last_id = id_of_text(last_id)


def _acknowledge(keyspace: Keyspace, key: bytes, name: bytes, *ids: bytes) -> None:
    group = _group(keyspace, key, name)
    for entry_id in ids:
        group.acknowledge(id_of_text(entry_id))


# Ids are text, times ms since the epoch.
EFFECTS: dict[str, Callable[..., None]] = {
    "stream.group": _set_group,
    "stream.group_gone": _drop_group,
    "stream.consumer": _add_consumer,
    "stream.consumer_gone": _drop_consumer,
    "stream.deliver": _deliver,
    "stream.deliver_from": _deliver_from,
    "stream.claim": _claim,
    "stream.acknowledge": _acknowledge,
}
