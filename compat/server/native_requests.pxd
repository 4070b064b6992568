from januskv.compat.server.client_context cimport ClientContext

cdef class NativeRequests:
    cpdef bytes answer_line(self, ClientContext context, bytes text)
    cpdef object answer(self, ClientContext context, bytes text)
