"""The most common operations of the log, replayed without a Python object for each. ``plain_operations.pyx`` is the compiled implementation."""

from __future__ import annotations

from januskv.storage.store import Store


def redo_plain(store: Store, payload: bytes, at: int, stop: int) -> int:
    """Replay the operations from an offset on that set a key to bytes or a small integer, or remove a key.

    Returns the offset of the first operation that begins at or after ``stop``, is of another kind, or has to be
    rejected; the caller replays that one. Without the compiled implementation that is the first one.
    """
    return at
