from .clock cimport Clock
from .keyspace cimport Keyspace

cimport cython

cdef class Cursor:
    cdef public Follower follower
    cdef public bytes key
    cdef public object series, due_ms, note
    cdef public long long last_ms
    cdef public bint reading

cdef class Follower:
    cdef public bytes metric
    cdef public object accepts, may_read, end_ms, on_work, on_wait, unlooked, arrived
    cdef public Clock clock
    cdef public long long start_ms, lag_ms, waiting
    cdef public dict cursors, reading
    cdef list _due
    cdef long long _filed
    @cython.locals(last=longlong)
    cpdef put(self, Cursor cursor, times, values)
    cpdef _read_on(self, Cursor cursor)

cdef class Following:
    cdef public Keyspace keyspace
    cdef public dict by_key, by_metric
    @cython.locals(cursor=Cursor, cursors=list)
    cpdef on_change(self, Keyspace keyspace, str event, bytes key, tuple detail)
    @cython.locals(cursor=Cursor)
    cpdef _look_at(self, bytes key)
