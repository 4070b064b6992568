from januskv.compat.stopwatch cimport now_ns
from januskv.commands.context cimport Context
from januskv.commands.table cimport Command
from januskv.compat.dispatch cimport Dispatcher
from januskv.compat.native cimport NativeFace
from januskv.compat.outbox cimport Outbox
from januskv.resp.encoder cimport Encoder
from januskv.resp.parser cimport Parser
from januskv.storage.clock cimport Clock
from januskv.storage.feed cimport Feed

cimport cython

cdef class Connection:
    cdef public Outbox outbox
    cdef public bint queued
    cdef public Dispatcher dispatcher
    cdef public object server
    cdef public NativeFace native
    cdef public object client, transport
    cdef public Clock clock
    cdef public Feed feed
    cdef public Parser parser
    cdef public Encoder encoder
    cdef public Context context
    cdef public dict hot
    cdef public object session, held
    cdef public Command last_command
    cdef public long long active_ms, timed_ns, changed, bytes_in, bytes_out, query_limit
    cdef public bint closing, halted, running, sending
    cdef public list unsent
    @cython.locals(parser=Parser, encoder=Encoder, context=Context, dispatcher=Dispatcher, native=NativeFace, feed=Feed, changes=longlong, command=Command, last=Command, count=long, served=long, started=longlong, before=longlong, spent_us=double)
    cpdef run_batch(self)
    cpdef flush_soon(self)
    cpdef flush(self)
    cpdef deliver(self, bytes data, bint last)
    cpdef process(self)
