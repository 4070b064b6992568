from januskv.storage.clock cimport Clock
from januskv.storage.feed cimport Feed
from januskv.storage.reclaiming cimport is_big

cdef class Keyspace:
    cdef public long long index, hits, misses, expired, series_count, due_from, sampled_changes
    cdef public Clock clock
    cdef public Feed feed
    cdef public dict data, deadlines, due
    cdef public list overdue, sample, field_due
    cdef public object labels, scans
    cpdef object get(self, bytes key)
    cpdef object read(self, bytes key)
    cpdef drop_if_due(self, bytes key)
    cpdef changed(self, str event, bytes key, tuple detail=*)
    cpdef put(self, bytes key, object value, str event=*)
    cpdef put_many(self, dict values)
    cpdef replace(self, bytes key, object value, str event, tuple detail=*)
    cpdef store(self, bytes key, object value, str event, tuple detail=*)
    cpdef store_watched(self, bytes key, object value, str event, tuple detail)
    cpdef forget(self, bytes key)
    cpdef object detach(self, bytes key)
    cpdef file_deadline(self, bytes key, long long deadline)
    cpdef unfile(self, bytes key, long long deadline)
    cpdef end_deadline(self, bytes key, long long deadline)
