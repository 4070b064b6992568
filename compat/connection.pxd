from januskv.commands.context cimport Context
from januskv.commands.table cimport Command
from januskv.resp.encoder cimport Encoder
from januskv.resp.parser cimport Parser
from januskv.storage.clock cimport Clock

cimport cython

cdef class Connection:
    cdef public object server, dispatcher, native, client, transport
    cdef public Clock clock
    cdef public Parser parser
    cdef public Encoder encoder
    cdef public Context context
    cdef public dict hot
    cdef public bint closing, halted, running
    @cython.locals(parser=Parser, encoder=Encoder, context=Context, command=Command, last=Command, count=long)
    cpdef run_batch(self)
    cpdef flush(self)
    cpdef process(self)
