"""Replies of all connections, written together at the end of the event loop's round."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger("januskv")


class Outbox:
    """The connections whose replies wait for the end of the event loop's round.

    ``soon`` is ``call_soon`` of the event loop; None (in tests) lets every connection write immediately.
    ``wake`` is set when a change may let blocked clients continue; code that runs commands checks it after each one.
    ``gate`` is the persistence, which releases replies once the log has what they confirm; None without one.
    """

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.soon: Callable[[Callable[[], None]], object] | None = None
        self.gate: Any = None
        self.wake: bool = False

    def flush(self) -> None:
        """Write the replies of all waiting connections."""
        waiting = self.waiting
        self.waiting = []
        for connection in waiting:
            connection.queued = False
            try:
                connection.flush()
            except Exception as error:  # this connection's; the replies of others must not be lost
                log.error("the replies to %s cannot be sent", connection.client.address, exc_info=error)
                connection.abort()
