"""The server's state of a client connection, apart from its socket."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING, Any

from januskv.commands.context import THE_SERVER, Account, Caller
from januskv.storage.keyspace import Keyspace
from januskv.storage.sessions import Session

from .faults import SESSION_ENDED, SESSION_MISSING
from .subscriptions import Subscriptions

if TYPE_CHECKING:
    from januskv.commands.table import Command

    from .tracking_mode import TrackingMode
    from .wire import Wire


def format_address(address: Any) -> str:
    """``127.0.0.1:6379`` or ``[::1]:6379``; empty for no address."""
    if not isinstance(address, tuple):
        return ""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a peer's address belongs to this machine and cannot belong to another."""
    return host == "::1" or host.startswith(("127.", "::ffff:127."))


def network_of(address: str) -> str:
    """Whom an address belongs to: a machine for IPv4, a network of 64 bits for IPv6."""
    host = address.rpartition(":")[0].strip("[]").partition("%")[0]
    if ":" not in host:
        return host
    mapped = IPv6Address(host).ipv4_mapped
    return str(ip_network(f"{host}/64", strict=False) if mapped is None else mapped)


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a request comes from that is not a client's."""

    address: str
    local_address: str = ""

    @property
    def network(self) -> str:
        """See ``network_of``."""
        return network_of(self.address)

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, judging by its address."""
        return is_loopback(self.address.rpartition(":")[0].strip("[]"))

    @property
    def described(self) -> bytes:
        """What is known of it, in the form of CLIENT LIST."""
        return f"addr={self.address} laddr={self.local_address}".encode()


def peer_of(transport: Any) -> Peer:
    """The peer of a connection."""
    return Peer(
        format_address(transport.get_extra_info("peername")), format_address(transport.get_extra_info("sockname"))
    )


class Client(Caller):
    """State of a connection that commands read and change.

    A client is *plain* while its commands can take the fast path from the table to the handler, past its user's guard; in every
    other state (MULTI, not authenticated, replies off, ...) they go through ``dispatch``. Code that changes such a
    state calls ``refresh``.
    """

    __slots__ = (
        "address",
        "authenticated",
        "connection",
        "created_ms",
        "id",
        "lib_name",
        "lib_ver",
        "local_address",
        "login_name",
        "logs_in",
        "monitoring",
        "name",
        "no_evict",
        "no_touch",
        "over_soft_limit_ms",
        "protocol",
        "queue",
        "queue_failed",
        "reply_mode",
        "session",
        "streaming",
        "subscriptions",
        "tracking",
        "trusted",
        "unix_socket",
        "watch_broken",
        "watched",
    )

    def __init__(self, number: int, now_ms: int, connection: Wire, user: Account = THE_SERVER) -> None:
        super().__init__(user)
        self.id = number
        self.connection = connection
        self.created_ms = now_ms
        self.address = ""
        self.local_address = ""
        self.unix_socket = False
        self.name = b""
        self.lib_name = b""
        self.lib_ver = b""
        self.authenticated = True
        self.logs_in = True  # False where nobody can: its connection has no time limit for it
        self.trusted = False  # it has logged in, as a user who may do everything
        self.login_name = ""  # by which it has logged in, if that is not its user's
        self.protocol = 2
        self.session: Session | None = None
        self.no_evict = False
        self.no_touch = False
        self.monitoring = False
        self.over_soft_limit_ms: int | None = None  # since when its unread replies exceed the soft limit
        self.reply_mode = "on"  # on, off, skip (the next reply), skipping (this one)
        self.queue: list[tuple[Command, list[bytes]]] | None = None  # commands since MULTI
        self.queue_failed = False
        self.watched: set[tuple[Keyspace, bytes]] = set()
        self.watch_broken = False
        self.subscriptions: Subscriptions | None = None
        self.tracking: TrackingMode | None = None
        self.streaming = False  # points of metrics are pushed to it

    @property
    def user_name(self) -> str:
        """The name that its user goes by."""
        return self.login_name or self.user.name

    def act_for(self, user: Account, *, authenticated: bool, login_name: str = "") -> None:
        """Have another user from now on."""
        self.user, self.authenticated, self.login_name = user, authenticated, login_name
        self.trusted = False  # until ``refresh``

    def settle(self) -> None:
        """Note whether its requests need to be checked."""
        self.trusted = self.authenticated and self.user.unrestricted

    @property
    def shown(self) -> str:
        """The client as the log names it."""
        return self.address

    @property
    def subscribing(self) -> bool:
        """Whether the connection carries messages only, as in RESP2 after SUBSCRIBE."""
        return self.protocol == 2 and self.subscriptions is not None and not self.subscriptions.native

    @property
    def active_ms(self) -> int:
        """When the client last sent something."""
        return self.connection.active_ms

    @property
    def last_command(self) -> str:
        """The last command, as CLIENT LIST shows it."""
        command = self.connection.context.command
        return "NULL" if command is None else command.text_name

    @property
    def plain(self) -> bool:
        """Whether commands may run without the checks of ``dispatch``, but for that of its user's rights."""
        return (
            self.authenticated
            and self.queue is None
            and self.reply_mode == "on"
            and not self.monitoring
            and not self.subscribing
            and not self.no_touch
            and (self.tracking is None or (self.tracking.broadcast and not self.tracking.no_loop))
            and (self.session is None or not self.session.ended)
        )

    @property
    def nowhere(self) -> str:
        """Why data commands cannot run in the selected session; empty if they can."""
        session = self.session
        if session is None or not session.ended:
            return ""
        return SESSION_MISSING if session.missing else SESSION_ENDED

    def refresh(self) -> None:
        """Have the connection choose between fast path and dispatcher again after a change of state."""
        self.connection.refresh()

    def describe(self, transport: Any) -> None:
        """Note where the connection comes from."""
        sock = transport.get_extra_info("socket")
        self.unix_socket = sock is not None and sock.family == socket.AF_UNIX
        if self.unix_socket:
            self.address = self.local_address = f"{transport.get_extra_info('sockname') or ''}:0"
            return
        self.address = format_address(transport.get_extra_info("peername"))
        self.local_address = format_address(transport.get_extra_info("sockname"))

    @property
    def network(self) -> str:
        """Whom the client's address belongs to: a machine for IPv4, a network of 64 bits for IPv6."""
        return "" if self.unix_socket else network_of(self.address)

    @property
    def is_local(self) -> bool:
        """Whether the client runs on this machine, judging by its address."""
        if self.unix_socket:
            return True
        return is_loopback(self.address.rpartition(":")[0].strip("[]"))

    @property
    def keyspace(self) -> Keyspace:
        """The selected database or session."""
        return self.connection.context.keyspace

    def select(self, keyspace: Keyspace, session: Session | None = None) -> None:
        """Enter a database, or a session's keyspace."""
        self.connection.context.keyspace = keyspace
        self.session = session
        self.refresh()

    def push(self, message: Any) -> None:
        """Send a reply value out of turn (MONITOR lines, push messages)."""
        self.connection.push(message)

    def close(self) -> None:
        """Close the connection after sending the replies so far."""
        self.connection.close()

    def kill(self) -> None:
        """Close the connection immediately and forget the client; unread output is lost."""
        self.connection.kill()
