cimport cython

from januskv.commands.table cimport Command
from januskv.compat.server.client_context cimport ClientContext
from januskv.compat.server.dispatch cimport Dispatcher
from januskv.compat.server.scripting_state cimport Running
from januskv.storage.feed cimport Feed

cdef class _Rules:
    cdef bint forbidden, spreads, writes

cdef class Scripting:
    cdef public object version, version_num, core, busy, table, state, evaluated, libraries, functions, evicted
    cdef public dict loaded, fast
    cdef public list databases
    cdef public Feed feed
    cdef public Running running
    cdef public Dispatcher dispatcher
    cdef dict _rules, _hashes
    cdef object _version, _engine
    cdef ClientContext _context

    cpdef object find(self, bytes sha)
    @cython.locals(sha=bytes)
    cpdef tuple script_of(self, bytes body)
    cpdef object eval(self, ClientContext ctx, list argv, bytes sha, object script, tuple words, bint read_only)
    @cython.locals(context=ClientContext)
    cdef object _begin(self, bytes name, list argv, ClientContext ctx, bint read_only)
    cdef object _end(self, bint before)
    @cython.locals(command=Command, running=Running)
    cpdef object call(self, list argv)
    @cython.locals(rules=_Rules)
    cdef object _fault(self, Running running, Command command, list argv)
