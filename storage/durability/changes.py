"""The operations collected for the next record. The compiled implementation (``changes.pyx``) packs them itself."""

from __future__ import annotations

from collections.abc import Container

from januskv.storage.event_table import EVENTS, Logged
from januskv.storage.feed import Listener
from januskv.storage.keyspace import Keyspace

from .codec import packer
from .records import BIG_BYTES

# Events that set a key to a plain value, and events that remove it; the journal handles the rest.
PLAIN_EVENTS = frozenset(name for name, event in EVENTS.items() if event.logged is Logged.PLAIN)
REMOVALS = frozenset(name for name, event in EVENTS.items() if event.logged is Logged.REMOVAL)


class Changes:
    """Operations of ``replay.py`` as consecutive bytes.

    Packs plain values, removals and effects; ``journal`` takes the other changes. ``effects`` are the names of
    the effects, ``tokens`` has the token of a session by the id of its keyspace. ``len`` is the number of bytes.
    An operation is collected as a whole or, if an exception is raised, not at all.
    """

    def __init__(self, journal: Listener, effects: Container[str], tokens: dict[int, int], part_bytes: int) -> None:
        self.journal = journal
        self.effects = effects
        self.tokens = tokens
        self.part_bytes = part_bytes
        self.pack = packer().pack
        self.parts: list[list[bytes]] = []  # the complete parts
        self.pieces: list[bytes] = []  # of the last part
        self.size = 0  # of the pieces
        self.earlier = 0  # bytes of the parts

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Take a change from the feed."""
        operation = self.operation(keyspace, event, key, detail)
        if operation is None:
            self.journal(keyspace, event, key, detail)
            return
        try:
            self.append(self.pack(operation))
        except Exception:  # it fails in the journal too, which makes the server reject writes
            self.journal(keyspace, event, key, detail)

    def operation(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> list[object] | None:
        place = keyspace.index if keyspace.index >= 0 else self.tokens.get(id(keyspace))
        if place is None:
            return None
        value = keyspace.data.get(key)
        if value is None:
            return ["del", place, key] if event in REMOVALS else None
        if event in PLAIN_EVENTS and type(value) is bytes and len(value) < BIG_BYTES:
            return ["put", place, key, value, keyspace.deadlines.get(key)]
        if detail and type(detail[0]) is str and detail[0] in self.effects:
            return ["do", place, key, *detail]
        return None

    def append(self, *operation: bytes) -> None:
        """Add an operation, whose pieces are kept without copying."""
        size = sum(map(len, operation))
        if self.pieces and self.size + size > self.part_bytes:
            self.parts.append(self.pieces)
            self.earlier += self.size
            self.pieces, self.size = [], 0
        self.pieces += operation
        self.size += size

    def __len__(self) -> int:
        return self.earlier + self.size

    def take(self) -> list[list[bytes]]:
        """Return everything collected, in pieces, and start empty. If it raises, nothing has changed.

        A part has about ``part_bytes`` of operations, or a single bigger one.
        """
        taken = [*self.parts, self.pieces] if self.pieces else self.parts
        self.parts, self.pieces, self.size, self.earlier = [], [], 0, 0
        return taken

    def clear(self) -> None:
        """Discard everything collected."""
        self.parts.clear()
        self.pieces.clear()
        self.size = self.earlier = 0
