from januskv.commands.table cimport Command

cdef class Accounts:
    cdef public object store, table, config, stats, rates, slowlog, latency
    cdef public long long slow_ns
    cpdef began(self, Command command)
    cpdef ended(self, Command command, long long spent_ns, object request, object client)
    cpdef ran(self, Command command, long long spent_ns, object request, object client)
    cpdef batch(self, list earlier, Command last, long count, long long spent_ns, object request, object client)
    cpdef rejected(self, Command command)
    cpdef failed(self, Command command)
