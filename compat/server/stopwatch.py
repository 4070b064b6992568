"""The monotonic clock that times commands. The compiled implementation (``stopwatch.pyx``) creates no Python integers.

A separate source for each build, as a common one takes 7 % of an unpipelined GET.
"""

from time import perf_counter_ns as now_ns

__all__ = ["now_ns"]
