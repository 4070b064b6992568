"""What is due when: expiring keys, hashes with expiring fields, sessions, and keyspaces that contain such items.

    deadlines  item -> ms since the epoch
    due        slot -> the item whose deadline lies in it, or the set of them; a slot is ``step_ms`` long
    slots      heap of the slots in ``due``, and of a few stale ones
    overdue    items, and sets of items, of past slots; they are still to be examined

An item is in ``due`` or in ``overdue``, once; ``overdue`` may also hold items that were moved or removed since. So moving
an item takes no memory, removing it leaves nothing behind, and checking for due items costs nothing while there are none.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, Final

NEVER: Final = -1
LAST_MS: Final = (1 << 63) - 1
_SPARE_SLOTS: Final = 16  # this many more stale slots than live ones do not matter


class Timetable:
    """Hashable items, but not sets, with times in ms. ``deadlines`` is public for reading."""

    __slots__ = ("deadlines", "due", "overdue", "slots", "step_ms")

    def __init__(self, step_ms: int, deadlines: dict[Any, int]) -> None:
        self.step_ms: int = step_ms
        self.deadlines: dict[Any, int] = deadlines
        self.due: dict[int, Any] = {}
        self.slots: list[int] = []
        self.overdue: list[Any] = []

    def __len__(self) -> int:
        return len(self.deadlines)

    def file(self, item: Any, deadline: int) -> bool:
        """Set the time of an item, replacing any former one; True if its slot is now the first of all."""
        slot = deadline // self.step_ms
        old = self.deadlines.get(item)
        if old is not None:
            if old == deadline:
                return False
            if old // self.step_ms == slot and slot in self.due:
                self.deadlines[item] = deadline
                return False
            self.unfile(item, old)
        self.deadlines[item] = deadline
        return self.put(item, slot)

    def put(self, item: Any, slot: int) -> bool:
        """Put an item into a slot; True if that is now the first of all."""
        held = self.due.get(slot)
        if held is None:
            self.due[slot] = item
            heappush(self.slots, slot)
            return self.slots[0] == slot
        if type(held) is set:
            bucket = held
            bucket.add(item)
        else:
            self.due[slot] = {held, item}
        return False

    def remove(self, item: Any) -> None:
        """Forget an item; no error if there is none."""
        deadline = self.deadlines.pop(item, None)
        if deadline is not None:
            self.unfile(item, deadline)

    def unfile(self, item: Any, deadline: int) -> None:
        """Take an item out of the slot of its former time."""
        slot = deadline // self.step_ms
        held = self.due.get(slot)
        if held is None:
            return  # the item is overdue
        if type(held) is set:
            bucket = held
            bucket.discard(item)
            if bucket:
                return
        elif held != item:
            return
        del self.due[slot]
        if len(self.slots) > 2 * len(self.due) + _SPARE_SLOTS:
            self.slots = list(self.due)
            heapify(self.slots)

    def next_ms(self) -> int:
        """The time after which something will be due, NEVER if nothing is filed."""
        if self.overdue:
            return 0
        slots = self.slots
        while slots:
            if slots[0] in self.due:
                return min((slots[0] + 1) * self.step_ms - 1, LAST_MS)
            heappop(slots)
        return NEVER

    def look(self, most: int, now_ms: int) -> list[Any]:
        """The expired items among up to ``most`` overdue ones. The caller removes them or files them again."""
        if not self.overdue:
            self.collect(now_ms)
        overdue, deadlines = self.overdue, self.deadlines
        found: list[Any] = []
        for _ in range(most):
            if not overdue:
                break
            item = overdue[-1]
            if type(item) is set:  # emptied one by one: copying a big one would hold up all clients
                bucket = item
                item = bucket.pop()
                if not bucket:
                    overdue.pop()
            else:
                overdue.pop()
            deadline = deadlines.get(item)
            if deadline is None:
                continue
            if deadline < now_ms:
                found.append(item)
            else:  # it was moved, or the clock was set back
                self.unfile(item, deadline)
                self.put(item, deadline // self.step_ms)
        return found

    def collect(self, now_ms: int) -> None:
        """Move the items of all past slots to ``overdue``, which is empty, so no item is in it twice."""
        slot, slots, due = now_ms // self.step_ms, self.slots, self.due
        while slots and slots[0] < slot:
            held = due.pop(heappop(slots), None)
            if held is not None:
                self.overdue.append(held)

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        filed: dict[Any, int] = {}
        for slot, held in self.due.items():
            items = held if type(held) is set else {held}
            assert items
            assert not filed.keys() & items
            filed.update(dict.fromkeys(items, slot))
        looked_at = [item for held in self.overdue for item in (held if type(held) is set else [held])]
        assert all(self.overdue)
        overdue = set(looked_at)
        assert len(looked_at) == len(overdue)
        for item, deadline in self.deadlines.items():
            assert filed.pop(item, None) == deadline // self.step_ms or item in overdue
        assert not filed
        assert self.due.keys() <= set(self.slots)
        assert len(self.slots) <= 2 * len(self.due) + _SPARE_SLOTS + 1
        assert all(self.slots[at] >= self.slots[(at - 1) // 2] for at in range(1, len(self.slots)))
