"""When the keys of a keyspace were last read or written, to the second, in four to eight bytes a key.

A key has the slot that its hash gives it, and keys with one slot share it: a key that shares may seem to have been used
more lately than it was, never less. There are two slots or more for each key up to some thousand keys, and more than one
for each two beyond. The compiled twin (``access.pyx``) has the same contract.
"""

from __future__ import annotations

from array import array

LEAST_SLOTS = 16
# While there are fewer slots than this there are ROOMY of them for each key, so that keys of a small keyspace seldom share.
ROOMY_SLOTS = 16_384
ROOMY = 8

_NOW_BITS = 0xFFFFFFFF


class AccessTimes:
    """Times of access by hashes of keys. ``most_keys`` is how many keys the slots are enough for.

    While ``frozen``, nothing is noted.
    """

    __slots__ = ("frozen", "most_keys", "slots")

    def __init__(self) -> None:
        self.slots = array("I")
        self.most_keys = 0
        self.frozen = False

    def note(self, key: bytes, now_ms: int) -> None:
        """A key is read or written. There must be slots: see ``grow``."""
        if not self.frozen:
            self.slots[hash(key) & len(self.slots) - 1] = now_ms // 1000 & _NOW_BITS

    def grow(self, keys: int) -> None:
        """Have slots for so many keys; those there are keep what was noted."""
        slots = self.slots or array("I", bytes(4 * LEAST_SLOTS))
        while keys > enough_for(len(slots)):
            slots += slots
        self.slots = slots
        self.most_keys = enough_for(len(slots))

    def seconds_since(self, key: bytes, now_ms: int) -> int:
        """How long ago a key was last noted, in whole seconds."""
        return now_ms // 1000 - self.slots[hash(key) & len(self.slots) - 1] & _NOW_BITS


def enough_for(slots: int) -> int:
    """How many keys may share so many slots before there have to be more."""
    return slots // ROOMY if slots < ROOMY_SLOTS else slots
