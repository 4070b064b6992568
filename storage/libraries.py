"""Libraries of functions: their code by name, which is kept as data is. What runs the code stands elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from .keyspace import Keyspace


class Libraries:
    """The code of each library by its name. Changes are reported to the feed, from the first database."""

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace
        self.code: dict[bytes, bytes] = {}
        self.version = 0  # counts changes

    def __len__(self) -> int:
        return len(self.code)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.code)

    def put(self, name: bytes, code: bytes) -> None:
        """Have a library, in place of one with its name."""
        self.set(name, code)
        self.keyspace.changed("library", b"", (name, code))

    def remove(self, name: bytes) -> bool:
        """Remove a library; False if there was none."""
        if name not in self.code:
            return False
        self.set(name, None)
        self.keyspace.changed("library", b"", (name, None))
        return True

    def clear(self) -> None:
        """Remove all libraries."""
        for name in list(self.code):
            self.remove(name)

    def set(self, name: bytes, code: bytes | None) -> None:
        """Have a library, or none of that name, without a report."""
        self.version += 1
        if code is None:
            self.code.pop(name, None)
        else:
            self.code[name] = code
