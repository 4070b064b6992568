cdef class SmallHash:
    cdef bytes text
    cdef const unsigned char *start(self) noexcept
    cpdef get(self, bytes field, default=*)
    cpdef list keys(self)
    cpdef list values(self)
    cpdef list items(self)
    cpdef list flat(self)
    cpdef dict to_dict(self)
    cpdef dict as_json(self, object text)
    cpdef Py_ssize_t put(self, dict fields) except -2
    cpdef bint remove(self, bytes field) except -1

cpdef small(dict fields)
