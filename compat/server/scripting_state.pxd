from januskv.compat.server.client_context cimport ClientContext
from januskv.compat.server.stopwatch cimport now_ns

cdef class Running:
    cdef readonly bytes name
    cdef readonly list argv
    cdef readonly object client, user
    cdef readonly ClientContext context
    cdef readonly long long started_ns
    cdef readonly bint read_only
    cdef public bint wrote, killed, failed, told
