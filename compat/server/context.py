"""The context of commands about the server and its connections: the server, and the client if one calls."""

from __future__ import annotations

from .client import Client
from .client_context import ClientContext
from .server import Server


class ServerContext(ClientContext):
    """A call context with the server behind it."""

    __slots__ = ("server",)

    def __init__(self, server: Server, client: Client | None = None) -> None:
        super().__init__(server.store, server.config, client)
        self.server: Server = server
