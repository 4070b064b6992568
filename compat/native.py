"""The native face: JSON text in, JSON text out, over the handlers of ``januskv.commands``."""

from __future__ import annotations

from januskv.commands.context import Context


class NativeFace:
    """Answers native JSON requests, whichever door they come through."""

    def answer_line(self, context: Context, text: bytes) -> bytes:
        """The reply line (newline included) to a JSON line; b"" for a quiet command that succeeded."""
        raise NotImplementedError

    def refuse_line(self, reason: str) -> bytes:
        """The reply line to input that is no request."""
        raise NotImplementedError
