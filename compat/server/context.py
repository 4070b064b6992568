"""The context of commands about the server and its connections: the server, and the calling client if any."""

from __future__ import annotations

from januskv.commands.context import ScriptCaller

from .client import Client
from .client_context import ClientContext
from .server import Server


class ServerContext(ClientContext):
    """A call context with access to the server."""

    __slots__ = ("server",)

    def __init__(self, server: Server, client: Client | None = None) -> None:
        super().__init__(server.store, server.config, client)
        self.server: Server = server

    def for_script(self) -> ClientContext:
        """A context for the commands of scripts: the same keyspace and user, and nobody who could wait for a reply."""
        context = ServerContext(self.server)
        context.keyspace = self.keyspace
        context.caller = ScriptCaller(self.caller.user)
        context.in_transaction = True
        return context
