cdef class Reclaimer:
    cdef public object waiting
    cdef public list loose
    cdef public long long freed
    cdef Py_ssize_t _given
    cpdef take(self, object value)
    cpdef bint go_on(self, double budget_s) except -1
    cdef bint _begin(self) except -1
    cdef int _step(self) except -1
    cdef int _drop(self, object thing) except -1
    cdef int _share(self, object thing) except -1

cpdef bint is_big(object value) except -1
cdef bint give_back(const char *start, Py_ssize_t size, Py_ssize_t *given) noexcept
