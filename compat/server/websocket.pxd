from januskv.compat.server.channel cimport Channel
from januskv.resp.encoder cimport Encoder
from januskv.resp.websocket cimport FrameReader

cimport cython

cdef class WebSocketChannel(Channel):
    cdef public FrameReader reader
    cpdef take_text(self, bytes payload)
    cpdef take_binary(self)
    cpdef bint must_wait(self, bytes payload) except -1
    cpdef feed(self, bytes data)
    cpdef Py_ssize_t pending_input(self)
    @cython.locals(encoder=Encoder, served=long)
    cpdef run_batch(self)
    cpdef take(self, int opcode, bytes payload)
    cpdef end(self, int code, str reason=*)
