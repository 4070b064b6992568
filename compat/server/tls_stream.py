"""One connection under TLS: a protocol for the socket, and the transport of the connection inside.

The protocol inside is made when the handshake has succeeded; it sees a transport like any other. Python's ``ssl`` works on two
buffers in memory here, so nothing in this module knows an event loop, a handshake can be done in steps between those of
others, and while a script runs long the same object is fed from the socket directly.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

# Most plain bytes in one record of TLS.
_RECORD: Final = 16384
# The first byte of a handshake, and so of each connection.
_HANDSHAKE: Final = 22


class Handshakes(Protocol):
    """Looks after the streams of a server until their handshakes are over."""

    def begin(self, stream: TlsStream) -> ssl.SSLContext | None:
        """Count a new stream, and give it the context in force; None if it may not go on."""

    def progress(self, stream: TlsStream) -> None:
        """A stream can go on: call its ``step``, soon."""

    def waits(self, stream: TlsStream) -> None:
        """The next step needs more of the client."""

    def succeeded(self, stream: TlsStream) -> None:
        """The handshake is over."""

    def failed(self, stream: TlsStream, reason: str | Exception) -> None:
        """The handshake has failed, and the connection is closed."""


class TlsStream:
    """Carries the bytes of a connection through TLS.

    ``protocol`` is the connection inside; None during the handshake. ``transport`` is that of the socket. ``ended``: the
    client has said, inside TLS, that it sends no more.
    """

    def __init__(self, handshakes: Handshakes, connect: Callable[[], Any]) -> None:
        self.handshakes: Any = handshakes
        self.connect: Any = connect
        self.transport: Any = None
        self.protocol: Any = None
        self.context: Any = None
        self.session: Any = None
        self.incoming: Any = None
        self.outgoing: Any = None
        self.closing: bool = False
        self.ended: bool = False

    # ------------------------------------------------------------ events of the socket

    def connection_made(self, transport: Any) -> None:
        """A client has connected; nothing is set up for TLS before its first bytes arrive."""
        self.transport = transport
        self.context = self.handshakes.begin(self)
        if self.context is None:
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of TLS: of the handshake, or of the connection inside."""
        if self.closing or self.ended:
            return
        if self.protocol is not None:
            self.incoming.write(data)
            self.read()
            return
        if self.session is None:
            if data[0] != _HANDSHAKE:
                self.fail("this is not TLS")
                return
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.session = self.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.incoming.write(data)
        self.transport.pause_reading()
        self.handshakes.progress(self)

    def step(self) -> None:
        """Do what can be done of the handshake with the bytes that have arrived."""
        if self.closing or self.transport is None or self.protocol is not None:
            return
        try:
            self.session.do_handshake()
        except ssl.SSLWantReadError:
            self.send()
            self.transport.resume_reading()
            self.handshakes.waits(self)
            return
        except (ssl.SSLError, OSError, ValueError) as error:
            self.send()  # the alert that says why
            self.fail(error)
            return
        self.send()
        self.transport.resume_reading()
        self.handshakes.succeeded(self)
        self.protocol = self.connect()
        self.protocol.connection_made(self)
        if self.incoming.pending and not self.closing:
            self.read()

    def fail(self, reason: str | Exception) -> None:
        """End a connection whose handshake cannot succeed."""
        self.closing = True
        self.handshakes.failed(self, reason)
        if self.transport.get_write_buffer_size():  # nobody waits for a client that does not even read the alert
            self.transport.abort()
        else:
            self.transport.close()

    def read(self) -> None:
        """Hand what has arrived to the connection inside, all of it at once."""
        session, incoming = self.session, self.incoming
        data = b""
        parts: list[bytes] | None = None
        try:
            data = session.read(_RECORD)
            if incoming.pending and data:
                parts = [data]
                while incoming.pending:
                    data = session.read(_RECORD)
                    if not data:
                        break
                    parts.append(data)
            self.ended = not data
        except ssl.SSLWantReadError:  # the rest of a record has not arrived yet
            data = b""
        except (ssl.SSLError, OSError):  # not what the client has encrypted: nothing of it counts
            if self.outgoing.pending:
                self.send()
            self.abort()
            return
        if parts is not None:
            data = b"".join(parts)
        if self.outgoing.pending:
            self.send()
        if data:
            self.protocol.data_received(data)
        if self.ended and not self.closing and not self.protocol.eof_received():
            self.close()

    def send(self) -> None:
        """Pass what TLS has made to the socket."""
        data = self.outgoing.read()
        if data:
            self.transport.write(data)

    def eof_received(self) -> bool:
        """The socket brings no more. Without the end inside TLS the rest may have been cut off by others: it is over at once."""
        if self.protocol is None:
            if not self.closing:
                self.fail("the client has left")
            return False
        if self.ended:
            return True
        self.abort()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self.protocol is not None:
            self.protocol.connection_lost(error)
        elif not self.closing:
            self.closing = True
            self.handshakes.failed(self, "the client has left")
        self.closing = True
        self.protocol = self.transport = self.session = None

    def pause_writing(self) -> None:
        """The socket takes less than is written."""
        if self.protocol is not None:
            self.protocol.pause_writing()

    def resume_writing(self) -> None:
        """The socket has taken most of it."""
        if self.protocol is not None:
            self.protocol.resume_writing()

    # ------------------------------------------------------------ the transport of the connection inside

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self.closing or not data:
            return
        size = len(data)
        try:
            written = self.session.write(data)
            if written < size:  # one record at a time
                view = memoryview(data)
                while written < size:
                    written += self.session.write(view[written : written + _RECORD])
        except (ssl.SSLError, OSError):
            self.abort()
            return
        self.transport.write(self.outgoing.read())

    def writelines(self, parts: Iterable[bytes]) -> None:
        """Send bytes that come in parts."""
        self.write(b"".join(parts))

    def flush(self) -> None:
        """Have the connection inside write its replies now."""
        if self.protocol is not None and self.protocol.transport is not None:
            self.protocol.flush()

    def close(self) -> None:
        """Close in order: what has been written is sent, and the end inside TLS."""
        if self.closing:
            return
        self.closing = True
        if self.protocol is not None:
            with contextlib.suppress(ssl.SSLError, OSError, ValueError):  # it would wait for the client's end
                self.session.unwrap()
            self.send()
        self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.closing = True
        if self.transport is not None:
            self.transport.abort()

    def is_closing(self) -> bool:
        """Whether it has been closed."""
        return self.closing or self.transport is None or bool(self.transport.is_closing())

    def pause_reading(self) -> None:
        """Take nothing more from the socket."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take what the socket brings again."""
        if self.transport is not None and not self.closing:
            self.transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Bytes, encrypted, that the socket has not taken yet."""
        return 0 if self.transport is None else int(self.transport.get_write_buffer_size())

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """From how many such bytes on the connection inside is asked to stop, and until when."""
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high, low)

    def set_protocol(self, protocol: Any) -> None:
        """Replace the connection inside."""
        self.protocol = protocol

    def get_protocol(self) -> Any:
        """The connection inside."""
        return self.protocol

    def can_write_eof(self) -> bool:
        """Only the whole connection can be ended."""
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Facts about TLS by asyncio's names, and those about the socket."""
        if name == "sslcontext":
            return self.context
        if name == "ssl_object":
            return self.session
        if name == "peercert":
            return None if self.session is None else self.session.getpeercert()
        return default if self.transport is None else self.transport.get_extra_info(name, default)


def certificate_name(transport: Any) -> str:
    """The common name (CN) in the subject of a client's verified certificate; empty if there is none, or not exactly one.

    Certificates are verified unless ``tls-auth-clients`` is ``no``; then none is asked for, and the name is empty.
    """
    certificate = transport.get_extra_info("peercert") if isinstance(transport, TlsStream) else None
    names = [
        value
        for part in (certificate or {}).get("subject", ())
        for name, value in part
        if name == "commonName" and "\0" not in value
    ]
    return names[0] if len(names) == 1 else ""
