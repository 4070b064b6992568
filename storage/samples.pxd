from januskv.storage.chunks cimport Chunk
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.scans cimport absorb, memory_bytes, seal

cdef class SampleSeries:
    cdef public object policy, labels, source, told_last
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
    cpdef increment(self, Keyspace keyspace, bytes key, long long time, double step, str event)
    cpdef add(self, Keyspace keyspace, bytes key, long long time, double value, object policy=*, str event=*)
