"""The subscriptions of one client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

# The kinds of subscriptions; the first words of replies and messages begin with the prefix.
CHANNELS: Final = ""
PATTERNS: Final = "p"
SHARDS: Final = "s"


class Subscriptions:
    """The subscriptions of one client, in order."""

    __slots__ = ("channels", "keys", "native", "patterns", "shards")

    def __init__(self) -> None:
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shards: dict[bytes, None] = {}
        self.keys: dict[bytes, Callable[[bytes], Any]] = {}  # patterns of keys, of native clients
        self.native = False  # messages are JSON

    def of(self, kind: str) -> dict[bytes, None]:
        """The names of one kind."""
        if kind == SHARDS:
            return self.shards
        return self.patterns if kind == PATTERNS else self.channels

    def count(self, kind: str) -> int:
        """The number for replies: of shard channels, or of channels and patterns."""
        return len(self.shards) if kind == SHARDS else len(self.channels) + len(self.patterns)

    def __bool__(self) -> bool:
        return bool(self.channels or self.patterns or self.shards or self.keys)
