"""What a connection knows of points that come in Timely's forms. The Timely face, which is above, is what is behind it."""

from __future__ import annotations

from januskv.resp.inline import TimelyBuffer, TimelyLines

from .client_context import ClientContext
from .state import State


class PointReceiver:
    """Stores points, whichever listener they come through. Whoever sends them is answered next to nothing.

    As a refusal cannot be told either, points wait while commands that write would be refused or wait: the connection
    reads no more then.
    """

    def __init__(self, state: State) -> None:
        self.state = state

    @property
    def waits(self) -> bool:
        """Whether points have to wait."""
        return self.state.writes_wait

    def take(self, context: ClientContext, received: TimelyLines | TimelyBuffer) -> bytes:
        """Store the points of a client of the data port; what it is answered.

        Raises BinaryInput for a buffer that has no end: what follows could be commands or not.
        """
        raise NotImplementedError

    def run_cron(self) -> bool:
        """Do what time brings; whether there is more to do right now."""
        return False
