from januskv.compat.server.stopwatch cimport now_ns
from januskv.compat.server.context cimport ServerContext
from januskv.commands.table cimport Command
from januskv.compat.server.acl.guards cimport Guard
from januskv.compat.server.channel cimport Channel
from januskv.compat.server.dispatch cimport Dispatcher
from januskv.compat.server.native_requests cimport NativeRequests
from januskv.resp.encoder cimport Encoder
from januskv.resp.parser cimport Parser

cimport cython

cdef class Connection(Channel):
    cdef public Dispatcher dispatcher
    cdef public Parser parser
    cdef public dict fast
    cdef public Guard guard
    cpdef feed(self, bytes data)
    cpdef Py_ssize_t pending_input(self)
    @cython.locals(parser=Parser, encoder=Encoder, context=ServerContext, dispatcher=Dispatcher, native=NativeRequests, command=Command, last=Command, count=long, served=long, started=longlong, before=longlong, spent_ns=longlong)
    cpdef run_batch(self)
