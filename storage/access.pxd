cimport cython

from libc.stdint cimport uint32_t

@cython.final
cdef class AccessTimes:
    cdef uint32_t *slots
    cdef Py_ssize_t size
    cdef public Py_ssize_t most_keys
    cdef public bint frozen, asked
    cpdef note(self, bytes key, long long now_ms)
    cpdef enter(self, bytes key, long long now_ms, Py_ssize_t keys)
    cpdef grow(self, Py_ssize_t keys)
    cpdef begin(self, Py_ssize_t keys, long long now_ms)
    cpdef ask(self, Py_ssize_t keys)
    cpdef long long seconds_since(self, bytes key, long long now_ms) except? -2

cpdef Py_ssize_t enough_for(Py_ssize_t slots, bint asked)
