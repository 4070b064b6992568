from januskv.commands.histogram cimport Histogram
from januskv.commands.params cimport ParamCheck

cdef class Command:
    cdef public str name
    cdef public object run, handle, options, manual
    cdef public dict subcommands
    cdef public int min_args, max_args
    cdef public ParamCheck rules
    cdef public bint timed, in_keyspace, tracks_times
    cdef public long long calls, rejected, failed
    cdef public double usec
    cdef public Histogram times
    cpdef took(self, long long ns, long long count)
