from januskv.compat.server.context cimport ServerContext

cdef class NativeRequests:
    cpdef bytes answer_line(self, ServerContext context, bytes text)
    cpdef object answer(self, ServerContext context, bytes text)
