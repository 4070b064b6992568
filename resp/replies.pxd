cdef class FlatMap:
    cdef public list items

cdef class SampleNumber:
    cdef public double value

cdef class Framed:
    cdef public Py_ssize_t count
    cdef public object parts, frame

cdef class Entries:
    cdef public list items
