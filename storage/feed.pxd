cdef class Feed:
    cdef public long long changes
    cdef public list listeners
    cdef public set wanted
    cpdef publish(self, object keyspace, str event, bytes key, tuple detail)
