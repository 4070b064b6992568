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

    def for_script(self, last: ClientContext | None) -> ClientContext:
        """A context for the commands of a script: the same keyspace and caller, and nobody who could wait for a reply.

        That of the ``last`` script is used again.
        """
        if last is None:
            last = ServerContext(self.server)
            last.caller = ScriptCaller()
            last.in_transaction = True
        last.keyspace = self.keyspace
        last.caller.user = self.caller.user
        return last
