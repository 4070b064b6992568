cdef class Chunk:
    cdef public object open_times, open_values
    cdef public bytes packed_times, packed_values
    cdef public int times_form, values_form
    cdef public double scale
    cdef public Py_ssize_t count
    cdef public long long first, last
    cpdef tuple open(self)
    cpdef measure(self)
