"""What ends a script."""

from __future__ import annotations


class ScriptError(Exception):
    """The error reply to a script; ``text`` begins with its code word. ``of_command``: a command of the script had it as reply."""

    def __init__(self, text: str | bytes, *, of_command: bool = False) -> None:
        super().__init__(text)
        self.of_command = of_command
        self.text = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


class CommandError(Exception):
    """Raised by a host: becomes an error of the calling script, which it can catch."""

    def __init__(self, text: str | bytes) -> None:
        super().__init__(text)
        self.text = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


class Killed(Exception):
    """Raised by a host's ``tick``: ends the running script, which cannot catch it."""

    def __init__(self, text: str | bytes) -> None:
        super().__init__(text)
        self.text = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
