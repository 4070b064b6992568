"""The call context of whoever runs commands for a client: the client, and how it is answered."""

from __future__ import annotations

from januskv.commands.context import NOBODY, Context, Settings
from januskv.storage.store import Store

from .client import Client
from .faults import RespError

NEEDS_CONNECTION = "This command needs a connection"


class ClientContext(Context):
    """A call context with the client that calls. ``client`` is None where no connection calls.

    ``as_json`` says that the caller is told of what happens later as JSON: its command came as a JSON line or a message of
    a WebSocket, and not as a RESP command. ``timed_ns`` is what the commands of a batch took that were timed one by one.
    """

    __slots__ = ("as_json", "client", "timed_ns")

    def __init__(self, store: Store, settings: Settings, client: Client | None = None) -> None:
        super().__init__(store, store.databases[0], settings, NOBODY if client is None else client)
        self.client: Client | None = client
        self.as_json: bool = False
        self.timed_ns: int = 0

    @property
    def connected(self) -> Client:
        """The client that calls. Raises RespError where none does."""
        if self.client is None:
            raise RespError("ERR " + NEEDS_CONNECTION)
        return self.client

    @property
    def nowhere(self) -> str:
        """Why no data command can run in the session that is selected; empty if they can."""
        return "" if self.client is None else self.client.nowhere
