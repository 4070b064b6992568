cimport cython

from .payload cimport Payload, is_utf8, unmasked

cpdef bytes frame(int opcode, bytes payload, bint final=*)

cdef class FrameReader:
    cdef public Py_ssize_t max_message
    cdef bytes _buffer
    cdef Py_ssize_t _at, _waiting, _left
    cdef int _opcode
    cdef bint _in_frame, _final
    cdef object _chunks
    cdef Payload _payload
    cpdef feed(self, bytes data)
    @cython.locals(message=tuple)
    cpdef object next(self)
    @cython.locals(chunk=bytes)
    cdef bint _more(self) except -1
    @cython.locals(size=cython.Py_ssize_t)
    cdef bint _fill(self) except -1
    @cython.locals(whole=bytes, opcode=int)
    cdef tuple _message(self)
    @cython.locals(buffer=bytes, at=cython.Py_ssize_t, left=cython.Py_ssize_t, first=int, second=int, opcode=int, size=cython.Py_ssize_t, head=int, start=cython.Py_ssize_t, is_control=bint, payload=bytes)
    cdef tuple _begin(self)
