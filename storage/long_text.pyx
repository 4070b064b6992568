# cython: boundscheck=False, wraparound=False
"""The bytes of a long string, compiled; described in ``long_text.py``.

    held    a bytes object; its first ``size`` bytes are the string, the rest is spare room
    views   how many views of the bytes exist: they do not move meanwhile

An object that others refer to has no spare room: callers that want the text get an object of exactly its size.
"""

import sys

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    /* A bytes object resized in place if possible; NULL, with the object unchanged, if memory is short. Nothing else
       may refer to the object. */
    static PyObject *resized_bytes(PyObject *text, Py_ssize_t size) {
        PyObject *moved = (PyObject *)PyObject_Realloc(text, offsetof(PyBytesObject, ob_sval) + size + 1);
        if (moved != NULL) {
            Py_SET_SIZE(moved, size);
            ((PyBytesObject *)moved)->ob_sval[size] = 0;
        }
        return moved;
    }

    /* The object's cached hash no longer belongs to its text. */
    static void forget_hash(PyObject *text) {
    #if defined(__GNUC__)
    #pragma GCC diagnostic push
    #pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    #endif
        ((PyBytesObject *)text)->ob_shash = -1;
    #if defined(__GNUC__)
    #pragma GCC diagnostic pop
    #endif
    }
    """
    PyObject *resized_bytes(PyObject *text, Py_ssize_t size)
    void forget_hash(PyObject *text)

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *thing)
    void Py_INCREF(PyObject *thing)
    void Py_XDECREF(PyObject *thing)
    void Py_DECREF(PyObject *thing)

cdef enum:
    SHARED = 64  # longest bytes object that the interpreter may share


cdef inline char *_start(PyObject *text) noexcept:
    return PyBytes_AS_STRING(<object>text)


cdef class LongString:
    """See ``long_text.py``."""

    kind = "string"

    def __cinit__(self, bytes text not None):
        self.held = <PyObject *>text
        Py_INCREF(self.held)
        self.size = PyBytes_GET_SIZE(text)

    def __dealloc__(self):
        Py_XDECREF(self.held)

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        cdef Py_ssize_t start, stop
        if isinstance(index, slice):
            start, stop, step = index.indices(self.size)
            if step != 1:
                return self.text()[index]
            return PyBytes_FromStringAndSize(_start(self.held) + start, stop - start if stop > start else 0)
        start = index
        if start < 0:
            start += self.size
        if not 0 <= start < self.size:
            raise IndexError(index)
        return <unsigned char>_start(self.held)[start]

    cdef int _resize(self, Py_ssize_t room) except -1:
        cdef PyObject *moved = resized_bytes(self.held, room)
        if moved == NULL:
            raise MemoryError
        self.held = moved
        return 0

    cdef int _own(self, Py_ssize_t room) except -1:
        """Have the only reference to the bytes, and room for ``room`` of them."""
        cdef PyObject *text
        cdef Py_ssize_t had = PyBytes_GET_SIZE(<object>self.held)
        if self.views:
            raise BufferError("the string is being viewed")
        if Py_REFCNT(self.held) == 1 and had > SHARED and room - self.size <= self.size:
            if room > had:
                try:
                    self._resize(room + (room >> 3))
                except MemoryError:
                    self._resize(room)
        else:
            # Zeros from the system cost nothing until they are written to; for a small part of the string they would.
            whole = bytes(room) if room - self.size > self.size else PyBytes_FromStringAndSize(NULL, max(room, self.size))
            text = <PyObject *>whole
            memcpy(_start(text), _start(self.held), self.size)
            Py_INCREF(text)
            Py_DECREF(self.held)
            self.held = text
        forget_hash(self.held)
        return 0

    cpdef write(self, Py_ssize_t offset, bytes part):
        """See ``long_text.py``."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(part), end = offset + size
        cdef bint grown_by_zeros = end - self.size > self.size
        if offset < 0:
            raise IndexError(offset)
        self._own(end if end > self.size else self.size)
        if offset > self.size and not grown_by_zeros:
            memset(_start(self.held) + self.size, 0, offset - self.size)
        memcpy(_start(self.held) + offset, PyBytes_AS_STRING(part), size)
        if end > self.size:
            self.size = end

    cpdef bytes text(self):
        """See ``long_text.py``."""
        if PyBytes_GET_SIZE(<object>self.held) != self.size:
            if self.views:
                return PyBytes_FromStringAndSize(_start(self.held), self.size)
            self._resize(self.size)
        return <bytes>self.held

    def view(self):
        """See ``long_text.py``."""
        return memoryview(self)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, _start(self.held), self.size, True, flags)
        self.views += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.views -= 1

    @property
    def size_bytes(self):
        """Memory that the string takes."""
        return 48 + sys.getsizeof(<object>self.held)
