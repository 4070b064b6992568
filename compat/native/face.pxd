from januskv.compat.server.stopwatch cimport now_ns
from januskv.commands.context cimport Context
from januskv.commands.params cimport ParamCheck
from januskv.commands.table cimport Command
from januskv.compat.server.native_requests cimport NativeRequests
from januskv.storage.keyspace cimport Keyspace

cimport cython

cdef class NativeFace(NativeRequests):
    cdef public object config, server
    cdef public dict native, hot, done, openings
    cdef public Context scoped
    cpdef bytes answer_line(self, Context context, bytes text)
    @cython.locals(command=Command, members=dict, name=str, started=longlong, spent_ns=longlong)
    cpdef object answer(self, Context context, bytes text)
    @cython.locals(scoped=Context)
    cpdef object perform(self, Context context, Command command, object body)
    cpdef Keyspace session_keyspace(self, object token)
