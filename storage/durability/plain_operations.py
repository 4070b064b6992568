"""The commonest operations of the log, replayed without a Python object for each. ``plain_operations.pyx`` is the compiled implementation."""

from __future__ import annotations

from januskv.storage.store import Store


def redo_plain(store: Store, payload: bytes, at: int, stop: int) -> int:
    """Do the operations from an offset on that put bytes or a small integer under a key, or remove a key.

    Gives the offset of the first operation that begins at ``stop`` or behind it, is none of these, or has to be
    refused; the caller does that one. Without the compiled implementation that is the first one.
    """
    return at
