from januskv.compat.server.client_context cimport ClientContext

cdef class ServerContext(ClientContext):
    cdef public object server

    cpdef ClientContext for_script(self, ClientContext last)
