cdef class Command:
    cdef public str name
    cdef public object run, handle, check, options, manual
    cdef public dict subcommands
    cdef public int min_args, max_args
    cdef public bint timed
    cdef public long long calls, rejected, failed
    cdef public double usec
