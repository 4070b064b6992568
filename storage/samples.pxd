from januskv.storage.chunks cimport Chunk
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.scans cimport absorb, append_run, memory_bytes, seal

cimport cython

cdef class SampleSeries:
    cdef public object policy, labels, source, reported_last
    cdef public list chunks, starts, reopened
    cdef public dict rules
    cdef public bint compressed
    cdef public long long retention_ms, ignore_ms, last_time
    cdef public double ignore_value, last_value
    cdef public Py_ssize_t chunk_bytes, capacity, room, count
    cdef bint _ignores(self, long long time, double value, object policy)
    cpdef append(self, long long time, double value)
    cpdef double insert(self, long long time, double value, str policy) except? -1.0
    cpdef drop_old(self)
    @cython.locals(last=longlong, time=longlong)
    cdef bint _all_newer(self, tuple times) except -1
    @cython.locals(chunk=Chunk)
    cdef _add_behind(self, Keyspace keyspace, bytes key, tuple times, tuple values)
    cpdef Py_ssize_t add_run(self, Keyspace keyspace, bytes key, tuple times, tuple values) except -1
    cpdef increment(self, Keyspace keyspace, bytes key, long long time, double step, str event)
    cpdef add(self, Keyspace keyspace, bytes key, long long time, double value, object policy=*, str event=*)
