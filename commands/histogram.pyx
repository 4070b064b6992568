# cython: boundscheck=False, wraparound=False, cdivision=True
"""Histograms of times, compiled. Same contract as ``histogram.py``."""

from libc.stdlib cimport calloc, free

__all__ = ["LONGEST_NS", "PLACES", "Histogram", "longest_at", "place_of"]

cdef enum:
    BITS = 7
    LONGEST = 1000000000

cdef extern from *:
    int __builtin_clzll(unsigned long long number) nogil


cdef inline Py_ssize_t _place(long long ns) noexcept nogil:
    cdef int shift = 64 - __builtin_clzll(<unsigned long long>ns | 1) - BITS - 1
    if shift < 0:
        shift = 0
    return (<Py_ssize_t>shift << BITS) + <Py_ssize_t>(ns >> shift)


def place_of(long long ns):
    """See ``histogram.py``."""
    return _place(ns)


cpdef long long longest_at(Py_ssize_t place):
    """See ``histogram.py``."""
    cdef Py_ssize_t shift = (place >> BITS) - 1
    if shift < 0:
        shift = 0
    return (<long long>(place - (shift << BITS) + 1) << shift) - 1


LONGEST_NS = LONGEST
cdef Py_ssize_t _PLACES = _place(LONGEST) + 1
PLACES = _PLACES


cdef class Histogram:
    """See ``histogram.py``."""

    def __cinit__(self):
        self.counters = <long long *>calloc(_PLACES, sizeof(long long))
        if self.counters == NULL:
            raise MemoryError
        self.total = 0

    def __dealloc__(self):
        free(self.counters)

    cpdef note(self, long long ns, long long count):
        """See ``histogram.py``."""
        if ns < 0:
            ns = 0
        elif ns > LONGEST:
            ns = LONGEST
        self.counters[_place(ns)] += count
        self.total += count

    def counted(self):
        """See ``histogram.py``."""
        cdef Py_ssize_t place
        for place in range(_PLACES):
            if self.counters[place]:
                yield longest_at(place), self.counters[place]
