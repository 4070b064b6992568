# cython: boundscheck=False, wraparound=False, cdivision=True
"""When keys were last read or written. Same contract as ``access.py``."""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

cdef enum:
    LEAST = 16
    MANY_SLOTS = 16384
    TIMES = 8

LEAST_SLOTS, ROOMY_SLOTS, ROOMY = LEAST, MANY_SLOTS, TIMES


cdef class AccessTimes:
    """See ``access.py``."""

    def __dealloc__(self):
        free(self.slots)

    cpdef note(self, bytes key, long long now_ms):
        """See ``access.py``."""
        if not self.frozen:
            self.slots[hash(key) & (self.size - 1)] = <uint32_t>(now_ms // 1000)

    cpdef grow(self, Py_ssize_t keys):
        """See ``access.py``."""
        cdef Py_ssize_t size = self.size or LEAST
        cdef uint32_t *slots
        while keys > enough_for(size):
            size *= 2
        slots = <uint32_t *>realloc(self.slots, size * sizeof(uint32_t))
        if slots == NULL:
            raise MemoryError
        self.slots = slots
        if not self.size:
            memset(slots, 0, size * sizeof(uint32_t))
            self.size = size
        while self.size < size:
            memcpy(slots + self.size, slots, self.size * sizeof(uint32_t))
            self.size *= 2
        self.most_keys = enough_for(size)

    cpdef long long seconds_since(self, bytes key, long long now_ms) except? -2:
        """See ``access.py``."""
        return <uint32_t>(now_ms // 1000) - self.slots[hash(key) & (self.size - 1)]


cpdef Py_ssize_t enough_for(Py_ssize_t slots):
    """See ``access.py``."""
    return slots // TIMES if slots < MANY_SLOTS else slots
