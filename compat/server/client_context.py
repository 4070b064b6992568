"""The call context of commands that run for a client: the client, and the form of its replies."""

from __future__ import annotations

from januskv.commands.context import NOBODY, Context, Settings
from januskv.storage.store import Store

from .client import Client
from .faults import RespError

NEEDS_CONNECTION = "This command needs a connection"


class ClientContext(Context):
    """A call context with the calling client. ``client`` is None if the caller is not a connection.

    ``as_json``: later messages go to the caller as JSON, as its command came as a JSON line or a WebSocket message, not as
    a RESP command. ``timed_ns`` is the time of those commands of a batch that were timed one by one.
    """

    __slots__ = ("as_json", "client", "timed_ns")

    def __init__(self, store: Store, settings: Settings, client: Client | None = None) -> None:
        super().__init__(store, store.databases[0], settings, NOBODY if client is None else client)
        self.client: Client | None = client
        self.as_json: bool = False
        self.timed_ns: int = 0

    @property
    def connected(self) -> Client:
        """The calling client. Raises RespError if there is none."""
        if self.client is None:
            raise RespError("ERR " + NEEDS_CONNECTION)
        return self.client

    def for_script(self) -> ClientContext:
        """A context for the commands of scripts: the same keyspace and user, and nobody who could wait for a reply."""
        raise NotImplementedError

    @property
    def nowhere(self) -> str:
        """Why data commands cannot run in the selected session; empty if they can."""
        return "" if self.client is None else self.client.nowhere
