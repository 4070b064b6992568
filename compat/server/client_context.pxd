from januskv.commands.context cimport Context

cdef class ClientContext(Context):
    cdef public object client
    cdef public bint as_json
    cdef public long long timed_ns
