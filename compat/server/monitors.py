"""MONITOR: the clients that watch all commands, and the lines they get."""

from __future__ import annotations

import time

from januskv.commands.table import CommandTable
from januskv.resp.replies import Simple

from .client import Client
from .client_context import ClientContext
from .clients import Clients
from .shown_tokens import sees_tokens, without_tokens
from .state import State


class Monitors:
    """The clients of a server that watch all commands."""

    def __init__(self, table: CommandTable, clients: Clients, state: State) -> None:
        self.table, self.clients, self.state = table, clients, state
        self.watching: set[Client] = set()

    def __bool__(self) -> bool:
        return bool(self.watching)

    def set(self, client: Client, watching: bool) -> None:
        """Let a client watch all commands, or stop that."""
        if client.monitoring != watching:
            client.monitoring = watching
            (self.watching.add if watching else self.watching.discard)(client)
            client.refresh()
            self.state.set_monitored(bool(self.watching))

    def forget(self, client: Client) -> None:
        """Forget a client that is gone."""
        self.watching.discard(client)
        self.state.set_monitored(bool(self.watching))

    def feed(self, context: ClientContext, argv: list[bytes]) -> None:
        """Send a command to the watching clients. Those who may not see tokens of sessions get a line without them."""
        line = monitor_line(context, argv)
        tokens = context.store.sessions.by_token
        hidden = line if not tokens else monitor_line(context, without_tokens(argv, tokens), tokens_shown=False)
        self.clients.each(
            self.watching,
            lambda monitor: monitor.push(
                Simple(line if line is hidden or sees_tokens(self.table, monitor.user) else hidden)
            ),
        )


def quoted(data: bytes) -> bytes:
    """Bytes in Redis' quotes, as MONITOR and the logs show them."""
    shown = bytearray(b'"')
    for byte in data:
        shown += _QUOTED[byte]
    return bytes(shown + b'"')


_ESCAPES = {ord("\\"): b"\\\\", ord('"'): b'\\"', 10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b"}
_QUOTED = [_ESCAPES.get(byte, bytes([byte]) if 32 <= byte < 127 else b"\\x%02x" % byte) for byte in range(256)]


def monitor_line(context: ClientContext, argv: list[bytes], *, tokens_shown: bool = True) -> bytes:
    """One line of MONITOR: time, database, address, arguments. A session is shown by its token, or else as ``session``."""
    now = time.time_ns() // 1000
    client, index = context.client, context.keyspace.index
    session = None if client is None else client.session
    place = b"%d" % index
    if session is not None:
        place = b"session:%d" % session.token if tokens_shown else b"session"
    words = b" ".join(map(quoted, argv))
    address = context.caller.shown
    if client is not None and client.unix_socket:
        address = f"unix:{address.removesuffix(':0')}"
    return b"%d.%06d [%s %s] %s" % (now // 10**6, now % 10**6, place, address.encode(), words)
