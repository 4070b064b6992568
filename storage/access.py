"""When the keys of a keyspace were last read or written, to half a second, in four to eight bytes a key.

A key's slot is chosen by its hash. Keys may share a slot; such a key may seem to have been used more recently than it
was, never less recently. In a small keyspace few keys share. The slots of a big one would evict other data from the
processor's caches on every access, so there are few until a time is first asked for; from then on there is at least
one for each key. The compiled implementation (``access.pyx``) has the same contract.
"""

from __future__ import annotations

from array import array

LEAST_SLOTS = 16
# Up to this many slots there are ROOMY of them per key; more are allocated when a time is first asked for.
ROOMY_SLOTS = 16_384
ROOMY = 8
ANY_NUMBER = 1 << 62

# A slot holds a time in units of this power of two of milliseconds, as 32 bits.
UNIT_BITS = 8
_TIME_BITS = 0xFFFFFFFF


class AccessTimes:
    """Access times by the hashes of keys. ``most_keys`` is how many keys the slots suffice for.

    While ``frozen``, nothing is noted. ``asked``: a time has been asked for.
    """

    __slots__ = ("asked", "frozen", "most_keys", "slots")

    def __init__(self) -> None:
        self.slots = array("I", bytes(4 * LEAST_SLOTS))
        self.most_keys = enough_for(LEAST_SLOTS, False)
        self.asked = False
        self.frozen = False

    def note(self, key: bytes, now_ms: int) -> None:
        """Note that a key is read or written."""
        if not self.frozen:
            self.slots[hash(key) & len(self.slots) - 1] = now_ms >> UNIT_BITS & _TIME_BITS

    def enter(self, key: bytes, now_ms: int, keys: int) -> None:
        """Note that a key that may be new is written; ``keys`` is the number of keys now."""
        if keys > self.most_keys:
            self.grow(keys)
        self.note(key, now_ms)

    def grow(self, keys: int) -> None:
        """Provide slots for this many keys; existing slots keep their times."""
        slots = self.slots
        while keys > enough_for(len(slots), self.asked):
            slots += slots
        self.slots = slots
        self.most_keys = enough_for(len(slots), self.asked)

    def begin(self, keys: int, now_ms: int) -> None:
        """Note ``keys`` keys as accessed now: they have just been loaded."""
        self.grow(keys)
        self.slots = array("I", [now_ms >> UNIT_BITS & _TIME_BITS]) * len(self.slots)

    def ask(self, keys: int) -> None:
        """Keep times as exactly as possible from now on, for this many keys and for more as they come."""
        self.asked = True
        self.grow(keys)

    def seconds_since(self, key: bytes, now_ms: int) -> int:
        """How long ago a key was last noted, in whole seconds."""
        units = (now_ms >> UNIT_BITS) - self.slots[hash(key) & len(self.slots) - 1] & _TIME_BITS
        return ((units + 1 << UNIT_BITS) - 1) // 1000


def enough_for(slots: int, asked: bool) -> int:
    """How many keys this many slots suffice for before more are needed."""
    if slots < ROOMY_SLOTS:
        return slots // ROOMY
    return slots if asked else ANY_NUMBER
