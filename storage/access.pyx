# cython: boundscheck=False, wraparound=False, cdivision=True
"""When keys were last read or written. Same contract as ``access.py``."""

cimport cython

from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy

cdef enum:
    LEAST = 16
    MANY_SLOTS = 16384
    TIMES = 8
    BITS = 8

LEAST_SLOTS, ROOMY_SLOTS, ROOMY, UNIT_BITS, ANY_NUMBER = LEAST, MANY_SLOTS, TIMES, BITS, <Py_ssize_t>1 << 62


@cython.final
cdef class AccessTimes:
    """See ``access.py``."""

    def __cinit__(self):
        self.slots = <uint32_t *>calloc(LEAST, sizeof(uint32_t))
        if self.slots == NULL:
            raise MemoryError
        self.size = LEAST
        self.most_keys = enough_for(LEAST, False)

    def __dealloc__(self):
        free(self.slots)

    cpdef note(self, bytes key, long long now_ms):
        """See ``access.py``."""
        if not self.frozen:
            self.slots[hash(key) & (self.size - 1)] = <uint32_t>(now_ms >> BITS)

    cpdef enter(self, bytes key, long long now_ms, Py_ssize_t keys):
        """See ``access.py``."""
        if keys > self.most_keys:
            self.grow(keys)
        self.note(key, now_ms)

    cpdef grow(self, Py_ssize_t keys):
        """See ``access.py``."""
        cdef Py_ssize_t size = self.size
        cdef uint32_t *slots
        while keys > enough_for(size, self.asked):
            size *= 2
        slots = <uint32_t *>realloc(self.slots, size * sizeof(uint32_t))
        if slots == NULL:
            raise MemoryError
        self.slots = slots
        while self.size < size:
            memcpy(slots + self.size, slots, self.size * sizeof(uint32_t))
            self.size *= 2
        self.most_keys = enough_for(size, self.asked)

    cpdef begin(self, Py_ssize_t keys, long long now_ms):
        """See ``access.py``."""
        cdef Py_ssize_t at
        self.grow(keys)
        for at in range(self.size):
            self.slots[at] = <uint32_t>(now_ms >> BITS)

    cpdef ask(self, Py_ssize_t keys):
        """See ``access.py``."""
        self.asked = True
        self.grow(keys)

    cpdef long long seconds_since(self, bytes key, long long now_ms) except? -2:
        """See ``access.py``."""
        cdef uint32_t units = <uint32_t>(now_ms >> BITS) - self.slots[hash(key) & (self.size - 1)]
        return (((<long long>units + 1) << BITS) - 1) // 1000


cpdef Py_ssize_t enough_for(Py_ssize_t slots, bint asked):
    """See ``access.py``."""
    if slots < MANY_SLOTS:
        return slots // TIMES
    return slots if asked else <Py_ssize_t>1 << 62
