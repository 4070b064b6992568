from januskv.commands.context cimport Context

cdef class ServerContext(Context):
    cdef public object client, server
    cdef public bint as_json
    cdef public long long timed_ns
