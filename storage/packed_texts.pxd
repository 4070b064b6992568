cdef class Texts:
    cdef bytes held
    cdef readonly Py_ssize_t count
    cdef bint wide
    cdef Py_ssize_t end(self, Py_ssize_t index) noexcept
    cdef void set_end(self, Py_ssize_t index, Py_ssize_t end) noexcept
    cdef const char *texts(self) noexcept
    cdef bytes item(self, Py_ssize_t index)
    cpdef list part(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef bytes framed(self, Py_ssize_t start, Py_ssize_t stop, bytes mark, bytes end, bint backwards=*)
    cpdef list places_of(self, bytes wanted, Py_ssize_t start, Py_ssize_t stop)

cpdef bytes framed(list items, bytes mark, bytes end)
cpdef joined(Texts first, Texts second)
cpdef row_of(list items)
