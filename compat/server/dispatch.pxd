from januskv.compat.server.stopwatch cimport now_ns
from januskv.compat.server.accounting cimport Accounts
from januskv.compat.server.client_context cimport ClientContext
from januskv.commands.table cimport Command

cimport cython

cdef class Dispatcher:
    cdef public object core, pause, tracking, waiting, long_commands, watches, state
    cdef public Accounts accounts
    @cython.locals(command=Command)
    cpdef object route(self, ClientContext context, list argv)
    @cython.locals(frozen=cython.bint, started=longlong, spent_ns=longlong)
    cpdef object execute(self, ClientContext context, Command command, list argv)
    cpdef object refusal(self, object client, Command command, list argv)
    cpdef object muted(self, object client, object reply)
