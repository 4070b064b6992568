"""The monotonic clock that times commands. Same contract as ``stopwatch.py``."""

cdef extern from "<time.h>" nogil:
    ctypedef int clockid_t
    cdef struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(clockid_t clock, timespec *time)
    clockid_t CLOCK_MONOTONIC

__all__ = ["now_ns"]


cpdef long long now_ns() noexcept:
    """Nanoseconds of the monotonic clock."""
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <long long>time.tv_sec * 1000000000 + time.tv_nsec
