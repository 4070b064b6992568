"""What a handler may touch besides its arguments."""

from __future__ import annotations

from typing import Any

from januskv.storage.keyspace import Keyspace
from januskv.storage.store import Store


class Context:
    """The store, the keyspace that is selected, and (for the few commands about them) client and server.

    One exists for every connection; SELECT changes ``keyspace``. Data commands use ``keyspace``
    and ``store`` only, so they run unchanged from every face and from scripts.
    """

    __slots__ = ("client", "keyspace", "server", "store")

    def __init__(self, store: Store, keyspace: Keyspace, client: Any = None, server: Any = None) -> None:
        self.store: Store = store
        self.keyspace: Keyspace = keyspace
        self.client: Any = client
        self.server: Any = server
