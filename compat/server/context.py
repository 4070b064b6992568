"""The context of commands about the server and its connections: the server, and the client if one calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from januskv.commands.context import NOBODY, Context

from .faults import RespError

if TYPE_CHECKING:
    from .client import Client
    from .server import Server


NEEDS_CONNECTION = "This command needs a connection"


class ServerContext(Context):
    """A call context with the server behind it. ``client`` is None where no connection calls.

    ``as_json`` says that the caller is told of what happens later as JSON: its command came as a JSON line or a message of
    a WebSocket, and not as a RESP command. ``timed_ns`` is what the commands of a batch took that were timed one by one.
    """

    __slots__ = ("as_json", "client", "server", "timed_ns")

    def __init__(self, server: Server, client: Client | None = None) -> None:
        super().__init__(server.store, server.store.databases[0], server.config, NOBODY if client is None else client)
        self.server: Server = server
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
