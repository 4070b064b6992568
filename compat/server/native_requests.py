"""What a connection knows of native JSON requests. The native face, which is above, is what is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from januskv.commands.context import Context
from januskv.commands.table import Command


class NativeRequests:
    """Runs native requests, whichever transport they come through.

    After each request ``served`` is the command that it ran (None if it was refused before that) and ``spent_ns`` the time
    from its text to that of the reply.
    """

    def __init__(self) -> None:
        self.served: Command | None = None
        self.spent_ns: int = 0

    def answer_line(self, context: Context, text: bytes) -> bytes:
        """The reply line to a JSON line; b"" for a quiet command that succeeded."""
        raise NotImplementedError

    def answer(self, context: Context, text: bytes) -> bytes | None:
        """The reply to a request; None for a quiet command that succeeded, or if the reply comes later."""
        raise NotImplementedError

    def holds(self, context: Context, text: bytes) -> bool:
        """Whether a request has to wait until a pause ends."""
        raise NotImplementedError

    def error_reply(self, status: int, text: str) -> bytes:
        """The reply to a request that names no command."""
        raise NotImplementedError

    def refuse_line(self, reason: str) -> bytes:
        """The reply line to a JSON line that is not even read."""
        raise NotImplementedError

    def reply_pieces(self, command: Command, reply: dict[str, Any], token: int | None) -> Iterator[bytes]:
        """The reply of a command, in pieces of any length."""
        raise NotImplementedError

    def failure(self, command: Command, error: Exception) -> bytes:
        """The reply of a command that has failed."""
        raise NotImplementedError
