"""The operations that were collected for the next record. The compiled twin (``changes.pyx``) packs the commonest itself."""

from __future__ import annotations

from januskv.storage.feed import Listener
from januskv.storage.keyspace import Keyspace

from .codec import packer

# Events after which a database's key holds another plain value; the others are the journal's business.
PLAIN_EVENTS = frozenset(("set", "incrby", "decrby"))


class Changes:
    """Operations of ``replay.py`` as bytes, one after the other. ``journal`` takes the changes that are not plain.

    ``len`` gives how many bytes there are.
    """

    def __init__(self, journal: Listener) -> None:
        self.journal = journal
        self.pack = packer().pack
        self.operations: list[bytes] = []

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Take a change from the feed."""
        if event in PLAIN_EVENTS and keyspace.index >= 0:
            value = keyspace.data.get(key)
            if type(value) is bytes:
                operation = ["put", keyspace.index, key, value, keyspace.deadlines.get(key)]
                self.operations.append(self.pack(operation))
                return
        self.journal(keyspace, event, key, detail)

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
