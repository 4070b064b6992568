from januskv.commands.context cimport Context
from januskv.commands.table cimport Command

cimport cython

cdef class NativeFace:
    cdef public object server
    cdef public dict native, plain_ok
    cdef public Context scoped
    cpdef bytes answer_line(self, Context context, bytes text)
    @cython.locals(command=Command, started=longlong, spent_ns=longlong)
    cpdef object answer(self, Context context, bytes text)
    @cython.locals(scoped=Context)
    cpdef object perform(self, Context context, Command command, object body)
