"""The script or function that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .stopwatch import now_ns

if TYPE_CHECKING:
    from januskv.commands.context import Account

    from .client import Client
    from .client_context import ClientContext


class Running:
    """The script or function that runs. ``name``: of the function, or b"" for a script."""

    __slots__ = (
        "argv",
        "client",
        "context",
        "failed",
        "killed",
        "name",
        "read_only",
        "started_ns",
        "told",
        "user",
        "wrote",
    )

    def __init__(
        self,
        name: bytes,
        argv: list[bytes],
        client: Client | None,
        context: ClientContext,
        user: Account | None,
        read_only: bool,
    ) -> None:
        self.name = name
        self.client = client
        self.argv = argv
        self.context = context
        self.user = user  # whose rights the script has; None: it may do everything
        self.read_only = read_only
        self.started_ns = now_ns()
        self.wrote = False
        self.killed = False
        self.failed = False  # its result is an error, or has one inside
        self.told = False

    @property
    def kind(self) -> str:
        """The container of the command that ends it."""
        return "FUNCTION" if self.name else "SCRIPT"

    @property
    def spent_ms(self) -> int:
        """For how long it has run."""
        return (now_ns() - self.started_ns) // 1_000_000
