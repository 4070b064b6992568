"""The monotonic clock that commands are timed with. The compiled twin (``stopwatch.pyx``) makes no Python integer of it."""

from time import perf_counter_ns as now_ns

__all__ = ["now_ns"]
