cdef class TlsStream:
    cdef public object handshakes, connect, transport, protocol, context, session, incoming, outgoing
    cdef public bint closing, ended
    cpdef read(self)
    cpdef send(self)
