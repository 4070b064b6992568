from januskv.compat.server.channel cimport Channel
from januskv.compat.native.face cimport NativeFace
from januskv.resp.encoder cimport Encoder
from januskv.resp.websocket cimport FrameReader

cimport cython

cdef class WebSocketConnection(Channel):
    cdef public FrameReader reader
    cdef public NativeFace face
    cdef public bint fragmented
    cpdef feed(self, bytes data)
    cpdef Py_ssize_t pending_input(self)
    @cython.locals(encoder=Encoder, served=long)
    cpdef run_batch(self)
    cpdef take(self, int opcode, bytes payload)
    cpdef end(self, int code, str reason=*)
