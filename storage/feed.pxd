cdef class Feed:
    cdef public long long changes
    cdef public list listeners
    cdef public set wanted
