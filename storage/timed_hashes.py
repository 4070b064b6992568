"""Hashes with field TTLs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .values import copied_fields, element_to_json, name_to_json

if TYPE_CHECKING:
    from .keyspace import Keyspace

Fields = dict[bytes, Any]


class TimedHash(dict[bytes, Any]):
    """A hash with deadlines of fields, in ms since the epoch. ``soonest`` is the first of them, or 0."""

    kind: ClassVar[str] = "hash"
    __slots__ = ("deadlines", "soonest")

    def __init__(self, fields: Fields, deadlines: dict[bytes, int]) -> None:
        super().__init__(fields)
        self.deadlines = deadlines
        self.soonest = min(deadlines.values(), default=0)

    def set_deadlines(self, deadlines: Mapping[bytes, int | None]) -> None:
        """Set when fields expire; None: never. O(fields given), plus all with deadlines if one was the soonest."""
        held, soonest, lost = self.deadlines, self.soonest, False
        for field, deadline in deadlines.items():
            lost = lost or held.get(field) == soonest
            if deadline is None:
                held.pop(field, None)
            else:
                held[field] = deadline
                if not soonest or deadline < soonest:
                    soonest, lost = deadline, False
        self.soonest = min(held.values(), default=0) if lost else soonest

    def expire_fields(self, keyspace: Keyspace, key: bytes) -> None:
        """Remove the expired fields, and the key with the last one. O(1) if there are none."""
        now_ms = keyspace.clock.now_ms
        if not self.soonest or self.soonest >= now_ms:
            return
        gone = [field for field, deadline in self.deadlines.items() if deadline < now_ms]
        for field in gone:
            del self[field], self.deadlines[field]
        self.soonest = min(self.deadlines.values(), default=0)
        keyspace.changed("hexpired", key, ("hash.remove", tuple(gone)))
        keyspace.feed.extra -= 1
        if not self:
            keyspace.emptied(key)
        else:
            keyspace.file_fields(key, self.soonest)

    def unexpired(self, now_ms: int) -> TimedHash:
        """The hash without expired fields; a copy if there are any."""
        if not self.soonest or self.soonest >= now_ms:
            return self
        deadlines = {field: deadline for field, deadline in self.deadlines.items() if deadline >= now_ms}
        fields = {name: item for name, item in self.items() if name in deadlines or name not in self.deadlines}
        return TimedHash(fields, deadlines)

    def to_json(self) -> Any:
        """An object."""
        return {name_to_json(name): element_to_json(item) for name, item in self.items()}

    @property
    def size_bytes(self) -> int:
        """Roughly the memory that the hash takes."""
        some = list(self.items())[:5]
        each = sum(sys.getsizeof(name) + sys.getsizeof(item) for name, item in some) // max(len(some), 1)
        return sys.getsizeof(self) + sys.getsizeof(self.deadlines) + each * len(self)

    def copy(self) -> TimedHash:
        """An independent hash with the same fields and deadlines."""
        return TimedHash(copied_fields(self), dict(self.deadlines))

    def to_state(self) -> tuple[Fields, dict[bytes, int]]:
        """Fields and deadlines."""
        return dict(self), self.deadlines

    @classmethod
    def from_state(cls, state: tuple[Fields, dict[bytes, int]]) -> TimedHash:
        """The hash from its state."""
        return cls(*state)

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert self.deadlines.keys() <= self.keys()
        assert self.soonest == min(self.deadlines.values(), default=0)
