"""The interface for points in Timely's forms as connections see it; the Timely layer above implements it."""

from __future__ import annotations

from januskv.resp.inline import TimelyBuffer, TimelyLines

from .client_context import ClientContext
from .state import State


class PointReceiver:
    """Stores points from any listener. Senders get hardly any replies.

    As errors cannot be reported either, points wait while writing commands would be rejected or wait: the connection
    stops reading then.
    """

    def __init__(self, state: State) -> None:
        self.state = state

    @property
    def waits(self) -> bool:
        """Whether points have to wait."""
        return self.state.writes_wait

    def take(self, context: ClientContext, received: TimelyLines | TimelyBuffer) -> bytes:
        """Store the points of a client of the data port; return the reply.

        Raises BinaryInput for a buffer without an end: what follows may or may not be commands.
        """
        raise NotImplementedError

    def run_cron(self) -> bool:
        """Run periodic tasks; return whether there is more to do right now."""
        return False
