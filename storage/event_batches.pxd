cdef class EventBatch:
    cdef public list blocks
    cdef public Py_ssize_t count

cdef class _Reader:
    cdef public object shapes, last, expiration
    cdef public list blocks, times, events, deadlines, leaps
    cdef public bint expires, ascending
    cdef public object deadline
    cpdef add_text(self, bytes text, Py_ssize_t number)
    cpdef add(self, dict event, Py_ssize_t number)
