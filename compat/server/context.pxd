from januskv.compat.server.client_context cimport ClientContext

cdef class ServerContext(ClientContext):
    cdef public object server
