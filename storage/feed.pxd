from januskv.storage.reclaiming cimport Reclaimer

cdef class Feed:
    cdef public long long changes, extra
    cdef public bint held, undivided
    cdef public list listeners
    cdef public dict asked
    cdef public frozenset wanted
    cdef public Reclaimer reclaimer
    cpdef publish(self, object keyspace, str event, bytes key, tuple detail)
