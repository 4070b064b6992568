"""Commands that wait for a change of a key: the interface that they are written against.

Waiting itself is not built yet: a command that would have to wait is refused, and inside MULTI it is
answered as if its time were over, as Redis does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from januskv.commands.context import Context
from januskv.commands.declare import Flag
from januskv.resp.replies import Reply

from .faults import RespError


class NotReady:
    """What an attempt gives that found nothing; there is one instance, ``NOT_READY``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_READY"


NOT_READY: Final[Any] = NotReady()


def block(
    ctx: Context,
    keys: Sequence[bytes],
    timeout_ms: int | None,
    attempt: Callable[[], Reply],
    on_timeout: Reply = None,
) -> Reply:
    """Try a command that may wait. Raises RespError where it would have to."""
    reply = attempt()
    if reply is not NOT_READY:
        return reply
    running = None if ctx.client is None else ctx.client.connection.last_command
    if running is None or Flag.COMMITS in running.flags:  # EXEC runs it
        return on_timeout
    raise RespError("ERR waiting for a key to change is not built yet")
