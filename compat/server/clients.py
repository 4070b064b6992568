"""The connections of a server: which are accepted, which are open, and what they have sent and received."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from .accounting import Accounts
from .acl.users import Users
from .client import Client
from .config import Config
from .logs import LimitedLog
from .process import Process
from .state import State
from .tls_stream import certificate_name

log = logging.getLogger("januskv")

# Why a new connection is rejected, on either port.
FULL = "max number of clients reached"
UNAUTHENTICATED = "max number of unauthenticated clients of this address reached"
PROTECTED = (
    "JanusKV is running in protected mode because protected mode is enabled and no password is "
    "set for the default user. In this mode connections are only accepted from the loopback interface. "
    "To serve other machines set a password (requirepass), or set protected-mode to no."
)


def peer_credentials(sock: Any) -> str:
    """Who has connected to a unix socket, as the system knows it."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return "this system does not tell of whom"
    process, user, group = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return f"process {process}, user {user}, group {group}"


class Clients:
    """The clients of a server, in the order in which they connected."""

    def __init__(
        self,
        config: Config,
        users: Users,
        accounts: Accounts,
        process: Process,
        state: State,
        limited_log: LimitedLog,
    ) -> None:
        self.config, self.users, self.accounts, self.process = config, users, accounts, process
        self.state, self.limited_log = state, limited_log
        self.by_id: dict[int, Client] = {}
        self.peak = 0
        self.http_connections = 0  # connections of the HTTP port that are not clients: pages, and unfinished requests
        self.handshakes = 0  # connections under TLS that are not clients yet
        # Who has not logged in where that is needed, the longest first: since when. And how many of each address.
        self.unauthenticated: dict[Client, int] = {}
        self._unauthenticated_at: dict[str, int] = {}
        self.last_id = 0

    def __len__(self) -> int:
        return len(self.by_id)

    def everyone(self) -> list[Client]:
        """All clients, in the order in which they connected."""
        return list(self.by_id.values())

    def new_id(self) -> int:
        """The number of a new client."""
        self.last_id += 1
        return self.last_id

    def accept(self, client: Client) -> None:
        """Accept a new connection, or reject it: too many clients, or protected mode."""
        connection = client.connection
        transport = connection.transport
        client.describe(transport)
        self.log_in_by_certificate(client)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            self.process.tune_socket(sock)
        refusal = self.refusal(client)
        if refusal is not None:
            self.accounts.stats.rejected_connections += 1
            parameter, text = refusal
            if parameter:
                self.limited_log.note(parameter, f"client {client.address} refused: {parameter}")
            connection.refuse(text)
            return
        if client.unix_socket and log.isEnabledFor(logging.INFO):
            log.info("client %d came through the unix socket: %s", client.id, peer_credentials(sock))
        self.add(client)

    def log_in_by_certificate(self, client: Client) -> None:
        """Have a new client logged in as the user whose name its certificate has, if that is wanted and there is one."""
        name = self.certificate_of(client.connection.transport)
        user = self.users.certified(name, client) if name else None
        if user is None:
            return
        client.act_for(user, authenticated=True)
        if not user.may_enter(None):
            nowhere = self.accounts.store.sessions.missing(0)
            client.select(nowhere.keyspace, nowhere)

    def certificate_of(self, transport: Any) -> str:
        """The name in the certificate of a new connection that logs it in; empty if there is none, or that is not wanted."""
        return certificate_name(transport) if self.config.tls_auth_clients_user == "CN" else ""

    def refusal(self, client: Client) -> tuple[str, str] | None:
        """Why a new connection cannot be served: the parameter that decides, and a RESP error; None if it can."""
        if self.state.ending:
            return "", "ERR the server is ending"
        if self.full:
            return "maxclients", f"ERR {FULL}"
        if self.protected and not client.is_local:
            return "protected-mode", f"DENIED {PROTECTED}"
        if self.crowds(client):
            return "max-unauthenticated-clients-per-address", f"ERR {UNAUTHENTICATED}"
        return None

    def crowds(self, client: Client) -> bool:
        """Whether too many connections of a new client's address have not logged in, if it has not either."""
        most = self.config.max_unauthenticated_clients_per_address
        if client.authenticated or not client.logs_in or client.unix_socket or not most:
            return False
        return bool(self._unauthenticated_at.get(client.network, 0) >= most)

    def note_login(self, client: Client) -> None:
        """Note that a client has logged in or, which a new one has not either, is no longer logged in."""
        self._forget_unauthenticated(client)
        if not client.authenticated and client.logs_in and client.id in self.by_id:  # it has not been rejected
            self.unauthenticated[client] = self.accounts.store.clock.now_ms
            place = client.network
            self._unauthenticated_at[place] = self._unauthenticated_at.get(place, 0) + 1

    def _forget_unauthenticated(self, client: Client) -> None:
        if self.unauthenticated.pop(client, None) is None:
            return
        place = client.network
        self._unauthenticated_at[place] -= 1
        if not self._unauthenticated_at[place]:
            del self._unauthenticated_at[place]

    @property
    def full(self) -> bool:
        """Whether there are as many connections as allowed, including those for pages and unfinished handshakes of TLS."""
        return bool(len(self.by_id) + self.http_connections + self.handshakes >= self.config.maxclients)

    @property
    def protected(self) -> bool:
        """Whether only this machine is served: in protected mode without a password."""
        return bool(self.config.protected_mode and self.users.default.is_open)

    def add(self, client: Client) -> None:
        """Register a connection that has been accepted."""
        self.by_id[client.id] = client
        self.accounts.stats.total_connections_received += 1
        self.peak = max(self.peak, len(self.by_id))

    def remove(self, client: Client) -> None:
        """Forget a connection that is gone; no error if it was not registered."""
        self._forget_unauthenticated(client)
        if self.by_id.pop(client.id, None) is not None:
            self.accounts.stats.closed_net_input_bytes += client.connection.bytes_in
            self.accounts.stats.closed_net_output_bytes += client.connection.bytes_out
            self.accounts.stats.closed_reads += client.connection.reads
            self.accounts.stats.closed_writes += client.connection.writes

    def http_opened(self) -> None:
        """Count a connection of the HTTP port that is not a client, or not yet."""
        self.http_connections += 1

    def http_closed(self) -> None:
        """Note that one of these has ended, or has become a client."""
        self.http_connections -= 1

    def handshake_begun(self) -> None:
        """Count a connection under TLS whose handshake is not over."""
        self.handshakes += 1

    def handshake_over(self) -> None:
        """Note that one of these is gone, or has become a client."""
        self.handshakes -= 1

    def each(self, clients: Iterable[Client], act: Callable[[Client], object]) -> None:
        """Do something to clients. One for which it fails is closed; the others are not affected."""
        for client in list(clients):
            try:
                act(client)
            except Exception as error:
                client.connection.failed(error)

    def net_bytes(self) -> tuple[int, int]:
        """Bytes received and sent by all connections since start or CONFIG RESETSTAT."""
        received, sent = self.accounts.stats.closed_net_input_bytes, self.accounts.stats.closed_net_output_bytes
        for client in self.by_id.values():
            received += client.connection.bytes_in
            sent += client.connection.bytes_out
        return received, sent

    def reads_and_writes(self) -> tuple[int, int]:
        """How often all connections were read from and written to since start or CONFIG RESETSTAT."""
        reads, writes = self.accounts.stats.closed_reads, self.accounts.stats.closed_writes
        for client in self.by_id.values():
            reads += client.connection.reads
            writes += client.connection.writes
        return reads, writes
