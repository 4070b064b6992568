from januskv.commands.context cimport Context
from januskv.commands.table cimport Command

cdef class NativeRequests:
    cdef public Command served
    cdef public long long spent_ns
    cpdef bytes answer_line(self, Context context, bytes text)
    cpdef object answer(self, Context context, bytes text)
