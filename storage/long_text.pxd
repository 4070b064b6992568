from cpython.object cimport PyObject

cdef class LongString:
    cdef PyObject *held
    cdef Py_ssize_t size, views
    cdef int _own(self, Py_ssize_t room) except -1
    cdef int _resize(self, Py_ssize_t room) except -1
    cpdef write(self, Py_ssize_t offset, bytes part)
    cpdef bytes text(self)
