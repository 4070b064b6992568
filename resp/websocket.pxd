cimport cython

cpdef bytes frame(int opcode, bytes payload, bint final=*)
@cython.locals(i=cython.Py_ssize_t, size=cython.Py_ssize_t)
cpdef bytes unmasked(bytes data, bytes mask)

cdef class FrameReader:
    cdef public Py_ssize_t max_message
    cdef bytes _buffer
    cdef Py_ssize_t _at, _collected
    cdef int _opcode
    cdef list _fragments
    cpdef feed(self, bytes data)
    cpdef object next(self)
    @cython.locals(buffer=bytes, at=cython.Py_ssize_t, left=cython.Py_ssize_t, first=int, second=int, opcode=int, size=cython.Py_ssize_t, head=int, start=cython.Py_ssize_t)
    cpdef tuple next_frame(self)
