cdef class Histogram:
    cdef long long *counters
    cdef public long long total
    cpdef note(self, long long ns, long long count)
