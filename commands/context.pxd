from januskv.storage.keyspace cimport Keyspace

cdef class Context:
    cdef public object store, client, server
    cdef public Keyspace keyspace
