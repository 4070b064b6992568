"""Points that come as datagrams: lines that end in line feeds, or one buffer. Nothing is ever answered."""

from __future__ import annotations

from typing import Any

from januskv.compat.server.client import format_address, is_loopback
from januskv.resp.inline import begins_timely_buffer

from .binary import CutBuffer
from .ingest import Ingest
from .rights import Keys, writable


class Datagrams:
    """Stores the points of datagrams. Protected mode is that of connections: without a password, only this machine's."""

    def __init__(self, ingest: Ingest) -> None:
        self.ingest = ingest
        self.server = ingest.server

    @property
    def waits(self) -> bool:
        """Whether points have to wait; the system keeps datagrams meanwhile, as many as it has room for."""
        return self.ingest.waits

    def take(self, data: bytes, address: Any) -> None:
        """Store the points of one datagram."""
        peer = format_address(address)
        if self.server.clients.protected and not is_loopback(address[0]):
            self.server.limited_log.note("protected-mode", f"datagrams of {peer} refused: protected-mode")
            return
        user = self.ingest.user_of(None)
        if user is None:
            self.ingest.refuse_anonymous(peer, max(data.count(b"\n"), 1))
            return
        may_write = writable(self.server, user)
        if begins_timely_buffer(data, 0):
            try:
                self.ingest.take_binary(data, peer, may_write)
            except CutBuffer as error:
                self.ingest.refused(f"points of {peer} refused: {error}")
        else:
            self.take_lines(data, peer, may_write)

    def take_lines(self, data: bytes, peer: str, may_write: Keys) -> None:
        """Store the points of the lines that have an end."""
        end = data.rfind(b"\n") + 1
        if end < len(data):
            self.ingest.refused(f"a line of {peer} is refused: it has no end")
        if end:
            self.ingest.take_lines(data[:end], may_write)
