"""The interface for native JSON requests as connections see it; the native protocol, a layer above, implements it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from januskv.commands.table import Command
from januskv.resp.replies import NoReply

from .client_context import ClientContext


class NativeRequests:
    """Runs native requests from any transport."""

    def answer_line(self, context: ClientContext, text: bytes) -> bytes:
        """The reply line to a JSON line; b"" for a quiet command that succeeded."""
        raise NotImplementedError

    def answer(self, context: ClientContext, text: bytes) -> bytes | NoReply | None:
        """The reply to a request; None for a quiet command that succeeded, NO_REPLY if the reply comes later."""
        raise NotImplementedError

    def holds(self, context: ClientContext, text: bytes) -> bool:
        """Whether a request has to wait until a pause ends."""
        raise NotImplementedError

    def error_reply(self, status: int, text: str) -> bytes:
        """The reply to a request that does not name a command."""
        raise NotImplementedError

    def refuse_line(self, reason: str) -> bytes:
        """The reply line to a JSON line that is not parsed."""
        raise NotImplementedError

    def reply_pieces(self, command: Command, reply: dict[str, Any], token: int | None) -> Iterator[bytes]:
        """The reply of a command, in pieces of any length."""
        raise NotImplementedError

    def failure(self, command: Command, error: Exception) -> bytes:
        """The reply to a command that has failed."""
        raise NotImplementedError
