from januskv.compat.native.face cimport NativeFace
from januskv.compat.server.websocket cimport WebSocketChannel

cdef class WebSocketConnection(WebSocketChannel):
    cdef public NativeFace face
    cdef public bint fragmented
    cpdef bint must_wait(self, bytes payload) except -1
    cpdef take_text(self, bytes payload)
    cpdef take_binary(self)
