from januskv.storage.access cimport AccessTimes
from januskv.storage.clock cimport Clock
from januskv.storage.feed cimport Feed
from januskv.storage.reclaiming cimport is_big
from januskv.storage.timetable cimport Timetable

cimport cython

cdef class Keyspace:
    cdef public long long index, hits, misses, expired, series_count
    cdef public AccessTimes access
    cdef public Clock clock
    cdef public Feed feed
    cdef public dict data, deadlines
    cdef public Timetable times, field_due, agenda
    cdef public object labels, scans, marks
    cpdef object get(self, bytes key)
    cpdef object read(self, bytes key)
    cpdef bint drop_if_due(self, bytes key) except -1
    cpdef changed(self, str event, bytes key, tuple detail=*)
    cpdef object look(self, bytes key)
    cpdef put(self, bytes key, object value, str event=*)
    @cython.locals(key=bytes)
    cpdef put_many(self, dict values)
    cpdef replace(self, bytes key, object value, str event, tuple detail=*)
    cpdef store(self, bytes key, object value, str event, tuple detail=*)
    cpdef store_watched(self, bytes key, object value, str event, tuple detail)
    cpdef forget(self, bytes key)
    cpdef object detach(self, bytes key)
    cpdef object withdraw(self, bytes key)
    cpdef mark(self, bytes key, long long mark)
    cpdef long long mark_of(self, bytes key) except -1
    cpdef file_deadline(self, bytes key, long long deadline)
    cpdef unfile(self, bytes key, long long deadline)
    cpdef wake(self)
    @cython.locals(due=Timetable)
    cpdef file_fields(self, bytes key, long long soonest)
    cpdef end_deadline(self, bytes key, long long deadline)
