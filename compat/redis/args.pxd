from januskv.storage.spelling cimport int64_of

cpdef object parse_int(bytes text)
cpdef object parse_uint(bytes text)
cpdef object parse_float(bytes text)
cpdef object read_double(bytes text)
cdef object _double(bytes text)

cdef class Args:
    cdef public list argv
    cdef public Py_ssize_t at
    cpdef bint more(self)
    cpdef Py_ssize_t left(self)
    cpdef bytes take(self)
    cpdef bytes word(self)
    cpdef bytes peek(self)
    cpdef bint flag(self, bytes name)
    cpdef object integer(self, object error=*)
    cpdef list rest(self)
