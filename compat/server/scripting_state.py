"""The script or function that runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client_context import ClientContext


class Running:
    """The script or function that runs. ``name``: of the function, or b"" for a script."""

    __slots__ = ("argv", "client", "context", "killed", "name", "read_only", "started_s", "told", "wrote")

    def __init__(self, name: bytes, argv: list[bytes], caller: ClientContext, read_only: bool) -> None:
        self.name = name
        self.client = caller.client
        self.argv = argv
        self.context = caller.for_script()
        self.read_only = read_only
        self.started_s = time.monotonic()
        self.wrote = False
        self.killed = False
        self.told = False

    @property
    def kind(self) -> str:
        """The container of the command that ends it."""
        return "FUNCTION" if self.name else "SCRIPT"

    @property
    def spent_ms(self) -> int:
        """For how long it has run."""
        return int((time.monotonic() - self.started_s) * 1000)
