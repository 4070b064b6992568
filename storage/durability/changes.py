"""The operations that were collected for the next record. The compiled twin (``changes.pyx``) packs them itself."""

from __future__ import annotations

from collections.abc import Container

from januskv.storage.feed import Listener
from januskv.storage.keyspace import Keyspace

from .codec import packer

# Events after which a key holds another plain value, and after which it is gone; the rest is the journal's business.
PLAIN_EVENTS = frozenset(("set", "incrby", "decrby"))
REMOVALS = frozenset(("del", "expired"))


class Changes:
    """Operations of ``replay.py`` as bytes, one after the other.

    Packs plain values, removals and effects; ``journal`` takes the other changes. ``effects`` are the names of
    the effects, ``tokens`` has the token of a session by the id of its keyspace. ``len`` gives how many bytes there are.
    """

    def __init__(self, journal: Listener, effects: Container[str], tokens: dict[int, int]) -> None:
        self.journal = journal
        self.effects = effects
        self.tokens = tokens
        self.pack = packer().pack
        self.operations: list[bytes] = []

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Take a change from the feed."""
        operation = self.operation(keyspace, event, key, detail)
        if operation is None:
            self.journal(keyspace, event, key, detail)
            return
        try:
            self.operations.append(self.pack(operation))
        except (TypeError, ValueError):  # the journal finds it out as well, and makes the server refuse writes
            self.journal(keyspace, event, key, detail)

    def operation(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> list[object] | None:
        place = keyspace.index if keyspace.index >= 0 else self.tokens.get(id(keyspace))
        if place is None:
            return None
        value = keyspace.data.get(key)
        if value is None:
            return ["del", place, key] if event in REMOVALS else None
        if event in PLAIN_EVENTS and type(value) is bytes:
            return ["put", place, key, value, keyspace.deadlines.get(key)]
        if detail and type(detail[0]) is str and detail[0] in self.effects:
            return ["do", place, key, *detail]
        return None

    def append(self, operation: bytes) -> None:
        """Add an operation."""
        self.operations.append(operation)

    def __len__(self) -> int:
        return sum(map(len, self.operations))

    def __bool__(self) -> bool:
        return bool(self.operations)

    def take(self) -> bytes:
        """Give everything that was collected, and begin anew."""
        taken = b"".join(self.operations)
        self.operations = []
        return taken
