"""The engine's clock: read once per batch of commands; tests can move it."""

import time


class Clock:
    """Wall time in whole milliseconds since the epoch, as of the last ``tick``.

    Commands of one batch share one reading: they see the same ``now_ms``, and the clock is not
    read for each of them (two readings are 15 % of a GET).
    """

    __slots__ = ("now_ms",)

    def __init__(self) -> None:
        self.now_ms: int = 0
        self.tick()

    def tick(self) -> int:
        """Read the time again and return it."""
        self.now_ms = time.time_ns() // 1_000_000
        return self.now_ms

    def now_us(self) -> int:
        """Microseconds since the epoch, read again."""
        return time.time_ns() // 1000


class ManualClock(Clock):
    """A clock that stands still until it is moved. For tests, and for DEBUG FASTFORWARD."""

    __slots__ = ()

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        super().__init__()
        self.now_ms = now_ms

    def tick(self) -> int:
        return self.now_ms

    def now_us(self) -> int:
        return self.now_ms * 1000

    def advance(self, ms: int) -> None:
        """Move the time by ``ms``, which may be negative."""
        self.now_ms += ms


class ShiftedClock(Clock):
    """The real clock plus an offset that DEBUG FASTFORWARD moves."""

    __slots__ = ("offset_ms",)

    def __init__(self) -> None:
        self.offset_ms = 0
        super().__init__()

    def tick(self) -> int:
        self.now_ms = time.time_ns() // 1_000_000 + self.offset_ms
        return self.now_ms

    def now_us(self) -> int:
        return time.time_ns() // 1000 + self.offset_ms * 1000
