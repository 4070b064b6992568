"""While a script runs long: other clients are heard and told BUSY, and may end it.

The script has the thread of the event loop, so that nothing is read by the loop. Now and then, between instructions of the
script, the sockets are asked here whether something has arrived; it goes through the connections as ever, and their replies are
written straight to the sockets. Connections that are new become the loop's once the script is over.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from .core import Core
from .scripting_state import Running
from .tls_stream import TlsStream

log = logging.getLogger("januskv")

_READ_BYTES: Final = 1 << 16
# Sockets are asked this often.
_EVERY_S: Final = 0.01

# A listening socket, and what makes the protocol of a new connection.
Door = tuple[socket.socket, Callable[[], Any]]


class DirectTransport:
    """The transport of a connection meanwhile: what is written goes to the socket, and the rest through the real one."""

    def __init__(self, real: Any, sock: int) -> None:
        self.real = real
        self.sock = sock

    def write(self, data: bytes) -> None:
        """Write now what the socket takes."""
        if self.real.get_write_buffer_size() == 0:
            with contextlib.suppress(OSError):  # the loop sees what is wrong with it
                data = data[os.write(self.sock, data) :]
        if data:
            self.real.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class GuestTransport:
    """The transport of a connection that has come meanwhile."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unsent = b""
        self.closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Addresses, and the socket."""
        if name == "socket":
            return self.sock
        if name == "peername":
            return self.sock.getpeername()
        return self.sock.getsockname() if name == "sockname" else default

    def write(self, data: bytes) -> None:
        """Write now what the socket takes."""
        if self.closing:
            return
        self.unsent += data
        try:
            self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.abort()

    def get_write_buffer_size(self) -> int:
        """Bytes that the socket has not taken yet."""
        return len(self.unsent)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nobody is told of a full buffer here; the real transport is asked again later."""

    def is_closing(self) -> bool:
        """Whether it has been closed."""
        return self.closing

    def close(self) -> None:
        """Close the socket."""
        self.abort()

    def abort(self) -> None:
        """Close the socket at once."""
        if not self.closing:
            self.closing = True
            self.sock.close()

    def pause_reading(self) -> None:
        """The little that is read here goes on."""

    def resume_reading(self) -> None:
        """The little that is read here goes on."""


class Guest:
    """A connection that has come meanwhile."""

    __slots__ = ("connection", "sock", "transport")

    def __init__(self, sock: socket.socket, connection: Any) -> None:
        self.sock = sock
        self.connection = connection
        self.transport = GuestTransport(sock)


def _holder(channel: Any) -> Any:
    """What has the transport of a connection's socket: the connection, or the TLS around it."""
    return channel.transport if isinstance(channel.transport, TlsStream) else channel


class Busy:
    """Hears others while a script runs. ``doors`` gives what new connections come through; ``adopt`` makes them the loop's."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.doors: Callable[[], list[Door]] = list
        self.adopt: Callable[[socket.socket, Any, bytes], None] = lambda sock, connection, unsent: sock.close()
        self.guests: dict[int, Guest] = {}
        self._open: list[Door] = []
        self._next_s = 0.0

    def serve(self, running: Running, text: str) -> None:
        """Hear who has sent something. ``text`` is what they are told."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _EVERY_S
        core = self.core
        if not core.state.busy:
            core.state.set_busy(text)
            self._open = self.doors()
            self._send_waiting()
        gate, core.outbox.gate = core.outbox.gate, None  # BUSY confirms nothing, and the record is not whole yet
        try:
            self._hear(set() if gate is None else {entry[1] for entry in gate.held})
        finally:
            core.outbox.gate = gate

    def _send_waiting(self) -> None:
        """Send the replies that waited for the end of the loop's round; with a log they wait for their record, which comes later."""
        if self.core.outbox.gate is not None:
            return
        for channel in list(self.core.outbox.waiting):
            sock = None if channel.transport is None else channel.transport.get_extra_info("socket")
            if sock is not None and not channel.running:
                self._directly(channel, sock.fileno(), channel.flush)

    def _hear(self, waiting: set[Any]) -> None:
        poll = select.poll()
        channels: dict[int, Any] = {}
        for client in self.core.clients.everyone():
            channel: Any = client.connection  # a connection's, which stands above
            transport = channel.transport
            if transport is None or channel.running or channel.halted or channel.closing or channel in waiting:
                continue
            if isinstance(_holder(channel).transport, GuestTransport):
                continue
            sock = transport.get_extra_info("socket")
            if sock is not None:
                channels[sock.fileno()] = channel
                poll.register(sock.fileno(), select.POLLIN)
        doors = {sock.fileno(): (sock, make) for sock, make in self._open}
        for number in [*doors, *self.guests]:
            poll.register(number, select.POLLIN)
        for number, _ in poll.poll(0):
            if number in doors:
                self._accept(*doors[number])
            elif number in self.guests:
                self._hear_guest(number, self.guests[number])
            else:
                self._hear_channel(number, channels[number])

    def _hear_channel(self, number: int, channel: Any) -> None:
        """Let a connection take what has arrived. What ends it is left to the loop."""
        try:
            data = os.read(number, _READ_BYTES)
        except OSError:
            return
        if not data:
            return

        receiver = _holder(channel)

        def take() -> None:
            receiver.data_received(data)
            if channel.transport is not None:
                channel.flush()

        self._directly(channel, number, take)

    def _directly(self, channel: Any, number: int, act: Callable[[], None]) -> None:
        """Do something with a connection whose output goes to its socket now."""
        holder = _holder(channel)
        real = holder.transport
        holder.transport = DirectTransport(real, number)
        try:
            act()
        except Exception:
            log.exception("%s cannot be answered while a script runs", channel.client.address)
        finally:
            if holder.transport is not None:
                holder.transport = real

    def _accept(self, door: socket.socket, make: Callable[[], Any]) -> None:
        try:
            sock, _ = door.accept()
        except OSError:
            return
        sock.setblocking(False)
        guest = Guest(sock, make())
        self.guests[sock.fileno()] = guest
        guest.connection.connection_made(guest.transport)

    def _hear_guest(self, number: int, guest: Guest) -> None:
        try:
            data = guest.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data and not guest.transport.closing:
            guest.connection.data_received(data)
            if guest.connection.transport is not None:
                guest.connection.flush()
        else:
            guest.transport.abort()
        if guest.transport.closing:
            del self.guests[number]
            guest.connection.connection_lost(None)

    def end(self) -> None:
        """The script is over: all goes on as before."""
        if not self.core.state.busy:
            return
        self.core.state.set_busy("")
        for door, _ in self._open:
            door.close()
        self._open = []
        guests, self.guests = self.guests, {}
        for guest in guests.values():
            self.adopt(guest.sock, guest.connection, guest.transport.unsent)
