# Types for patterns.py: see docs/architecture.md, "Compiled implementations".

cdef class Matcher:
    cdef readonly bytes source
    cdef readonly bytes plain
    cdef const unsigned char[::1] text
    cdef const unsigned char[::1] pattern
    cdef readonly Py_ssize_t text_size
    cdef readonly Py_ssize_t pattern_size
    cdef readonly Py_ssize_t end
    cdef readonly bint anchored
    cdef object tick
    cdef Py_ssize_t steps
    cdef public Py_ssize_t level
    cdef public Py_ssize_t depth
    cdef long long[::1] starts
    cdef long long[::1] lengths

    cpdef Py_ssize_t search(self, Py_ssize_t start) except -2
    cpdef list captures(self)
    cpdef Py_ssize_t match(self, Py_ssize_t at, Py_ssize_t place) except -2
    cdef Py_ssize_t match_here(self, Py_ssize_t at, Py_ssize_t place) except -2
    cdef Py_ssize_t longest(self, Py_ssize_t at, Py_ssize_t place, Py_ssize_t stop) except -2
    cdef Py_ssize_t shortest(self, Py_ssize_t at, Py_ssize_t place, Py_ssize_t stop) except -2
    cdef Py_ssize_t open_capture(self, Py_ssize_t at, Py_ssize_t place, Py_ssize_t what) except -2
    cdef Py_ssize_t close_capture(self, Py_ssize_t at, Py_ssize_t place) except -2
    cdef Py_ssize_t again(self, Py_ssize_t at, int letter) except -2
    cdef Py_ssize_t balance(self, Py_ssize_t at, Py_ssize_t place) except -2
    cpdef Py_ssize_t class_end(self, Py_ssize_t place) except -2
    cdef bint single(self, Py_ssize_t at, Py_ssize_t place, Py_ssize_t stop) except *
    cdef bint in_set(self, int here, Py_ssize_t place, Py_ssize_t last) except *
    cdef bint in_class(self, int here, int letter) except *
