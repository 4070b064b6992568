cdef class Feed:
    cdef public long long changes
    cdef public list listeners
    cdef public dict asked
    cdef public frozenset wanted
    cpdef publish(self, object keyspace, str event, bytes key, tuple detail)
