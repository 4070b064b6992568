"""Targets of commands: a server on a socket, or the engine over the directory of a stopped one. Replies come in order."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from januskv.compat.commands import build_table
from januskv.compat.native.face import NativeFace
from januskv.compat.server.config import Config
from januskv.compat.server.connection import Connection
from januskv.compat.server.process import NoTimer, Timer
from januskv.compat.server.server import Server
from januskv.storage.durability.journal import open_journal
from januskv.storage.store import Store

Command = list[bytes]

# A server that takes longer to reply counts as lost.
_TIMEOUT_S = 60.0
_RECEIVE_BYTES = 1 << 20
# Retry interval while a server loads its data.
_LOADING_S = 0.05


class LinkLost(Exception):
    """The server is lost, or did not send one reply to each command; the text says which."""


def encode(command: Sequence[bytes]) -> bytes:
    """A command as RESP."""
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)


def error_of(reply: Any) -> str | None:
    """The first error in a reply, at any depth; None if there is none."""
    if isinstance(reply, hiredis.ReplyError):
        return str(reply)
    if isinstance(reply, list):
        return next((error for each in reply if (error := error_of(each)) is not None), None)
    return None


class RemoteLink:
    """A connection to a running server. Commands may be sent before the replies to earlier ones have been read.

    If the server is still loading its data, the connection waits for that.
    """

    def __init__(self, host: str, port: int, user: str, password: str) -> None:
        """Raises OSError, LinkLost for a wrong password."""
        self.sock = socket.create_connection((host, port), timeout=_TIMEOUT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = hiredis.Reader()
        if password:
            error = error_of(self.ask([b"AUTH", user.encode(), password.encode()]))
            if error is not None:
                raise LinkLost(error)
        while (error_of(self.ask([b"DBSIZE"])) or "").startswith("LOADING"):
            time.sleep(_LOADING_S)

    def send(self, commands: Sequence[Command]) -> None:
        """Send commands. Raises LinkLost."""
        try:
            self.sock.sendall(b"".join(map(encode, commands)))
        except OSError as error:
            raise LinkLost(error.strerror or "the server does not accept any more") from error

    def receive(self) -> Any:
        """The next reply. Raises LinkLost."""
        while True:
            try:
                reply = self.reader.gets()
            except hiredis.ProtocolError as error:
                raise LinkLost(f"this is not RESP: {error}") from error
            if reply is not False:
                return reply
            try:
                data = self.sock.recv(_RECEIVE_BYTES)
            except OSError as error:
                raise LinkLost(error.strerror or "the server does not reply") from error
            if not data:
                raise LinkLost("the server has closed the connection")
            self.reader.feed(data)

    def ask(self, command: Command) -> Any:
        """Send one command while no other is pending. Returns its reply. Raises LinkLost."""
        self.send([command])
        return self.receive()

    def close(self) -> None:
        """End the connection."""
        self.sock.close()


def _at_once(delay_s: float, call: Callable[[], None]) -> Timer:
    """Without an event loop, run deferred calls now."""
    call()
    return NoTimer()


class _Output:
    """Collects what a connection writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("127.0.0.1", 0), "sockname": ("127.0.0.1", 0)}.get(name)

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""

    abort = close


class DirectoryLink:
    """The engine in this process, over the data directory of a stopped server. Commands sent together are logged together."""

    def __init__(self, path: str, databases: int) -> None:
        """Raises DirectoryTaken, Damaged, OSError."""
        store = Store(databases)
        self.journal = open_journal(path, store, cut_torn_tail=True)
        server = Server(store, build_table(), Config(databases=databases, sessions_required=False))
        server.process.later = _at_once
        self.output = _Output()
        self.connection = Connection(server, server.dispatcher, NativeFace(server))
        self.connection.connection_made(self.output)
        self.reader = hiredis.Reader()

    def send(self, commands: Sequence[Command]) -> None:
        """Run commands. Raises LinkLost if they cannot be logged."""
        self.connection.data_received(b"".join(map(encode, commands)))
        self.journal.commit()
        if self.journal.fault:
            raise LinkLost(self.journal.fault)
        for data in self.output.written:
            self.reader.feed(data)
        self.output.written.clear()

    def receive(self) -> Any:
        """The next reply. Raises LinkLost if a command has none."""
        reply = self.reader.gets()
        if reply is False:
            raise LinkLost("a command of the file has no reply of its own")
        return reply

    def close(self) -> None:
        """Make everything durable. Raises OSError."""
        self.journal.close()
        if self.journal.fault:
            raise OSError(5, self.journal.fault)
