from januskv.compat.server.stopwatch cimport now_ns
from januskv.compat.server.accounting cimport Accounts
from januskv.compat.server.client_context cimport ClientContext
from januskv.compat.server.context cimport ServerContext
from januskv.commands.params cimport ParamCheck
from januskv.commands.table cimport Command
from januskv.compat.server.native_requests cimport NativeRequests
from januskv.storage.keyspace cimport Keyspace

cimport cython

cdef class NativeFace(NativeRequests):
    cdef public object config, server
    cdef public Accounts accounts
    cdef public dict native, fast, done, openings
    cdef public ServerContext scoped
    cpdef bytes answer_line(self, ClientContext context, bytes text)
    @cython.locals(command=Command, members=dict, name=str, started=longlong, spent_ns=longlong)
    cpdef object answer(self, ClientContext context, bytes text)
    @cython.locals(scoped=ServerContext)
    cpdef object perform(self, ClientContext context, Command command, object body)
    cpdef Keyspace session_keyspace(self, object token)
