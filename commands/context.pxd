from januskv.commands.table cimport Command
from januskv.storage.keyspace cimport Keyspace

cdef class Context:
    cdef public object store, settings, caller
    cdef public Keyspace keyspace
    cdef public Command command
    cdef public bint in_transaction
