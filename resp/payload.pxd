from cpython.object cimport PyObject

cpdef bytes unmasked(bytes data, Py_ssize_t start, Py_ssize_t size)
cpdef bint is_utf8(bytes data) except -1

cdef class Payload:
    cdef readonly Py_ssize_t size
    cdef readonly bint text
    cdef PyObject *_bytes
    cdef Py_ssize_t _checked
    cdef unsigned char _mask[4]
    cpdef begin_frame(self, bytes mask)
    cpdef add(self, bytes data, Py_ssize_t start, Py_ssize_t size)
    cpdef bytes take(self)
    cdef int _check(self) except -1
