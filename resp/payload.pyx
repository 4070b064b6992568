"""Payloads of WebSocket frames, in C. Same contract as ``payload.py``.

A message grows by doubling in the object that is returned, so memory follows the bytes that have arrived, and the last
piece leaves nothing to be done for those before it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *data, Py_ssize_t size) except NULL
    int _PyBytes_Resize(PyObject **held, Py_ssize_t size) except -1
    char *bytes_data "PyBytes_AS_STRING"(PyObject *held)
    Py_ssize_t bytes_size "PyBytes_GET_SIZE"(PyObject *held)
    object PyUnicode_DecodeUTF8Stateful(const char *data, Py_ssize_t size, const char *errors, Py_ssize_t *consumed)
    void Py_XDECREF(PyObject *held)

cdef enum:
    LEAST = 4096  # initial capacity of a message


cdef void _xor(char *to, const char *data, Py_ssize_t size, const unsigned char *mask) noexcept nogil:
    cdef unsigned char key_bytes[8]
    cdef uint64_t key, word
    cdef Py_ssize_t i = 0, whole = size & ~7
    memcpy(key_bytes, mask, 4)
    memcpy(key_bytes + 4, mask, 4)
    memcpy(&key, key_bytes, 8)
    while i < whole:
        memcpy(&word, data + i, 8)
        word ^= key
        memcpy(to + i, &word, 8)
        i += 8
    while i < size:
        to[i] = data[i] ^ key_bytes[i & 7]
        i += 1


cdef Py_ssize_t _ascii_end(const char *data, Py_ssize_t size) noexcept nogil:
    """An offset at or shortly before the first byte that is not ASCII."""
    cdef Py_ssize_t i = 0
    cdef uint64_t word, next
    while i + 16 <= size:
        memcpy(&word, data + i, 8)
        memcpy(&next, data + i + 8, 8)
        if (word | next) & <uint64_t>0x8080808080808080:
            break
        i += 16
    while i < size and not data[i] & 0x80:
        i += 1
    return i


cpdef bytes unmasked(bytes data, Py_ssize_t start, Py_ssize_t size):
    """The payload that begins at ``start``, without its mask, the four bytes before (RFC 6455, 5.3)."""
    if data is None or start < 4 or size < 0 or size > PyBytes_GET_SIZE(data) - start:
        raise IndexError("no such payload")
    cdef const char *source = PyBytes_AS_STRING(data) + start
    cdef bytes found = PyBytes_FromStringAndSize(NULL, size)
    _xor(PyBytes_AS_STRING(found), source, size, <const unsigned char *>source - 4)
    return found


cpdef bint is_utf8(bytes data) except -1:
    """Whether these bytes are UTF-8 as a whole."""
    if _ascii_end(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)) == PyBytes_GET_SIZE(data):
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


cdef class Payload:
    """A message that arrives in pieces, of one frame or several. With ``text`` it must be UTF-8."""

    def __init__(self, bint text):
        self.text = text

    def __dealloc__(self):
        Py_XDECREF(self._bytes)

    cpdef begin_frame(self, bytes mask):
        """Take the mask of the pieces that follow."""
        if mask is None or PyBytes_GET_SIZE(mask) != 4:
            raise ValueError("a mask has four bytes")
        memcpy(self._mask, PyBytes_AS_STRING(mask), 4)

    cpdef add(self, bytes data, Py_ssize_t start, Py_ssize_t size):
        """Take the next bytes of the frame. Raises UnicodeDecodeError."""
        cdef Py_ssize_t room, needed = self.size + size
        cdef unsigned char turned[4]
        cdef int i
        if data is None or start < 0 or size < 0 or size > PyBytes_GET_SIZE(data) - start:
            raise IndexError("no such bytes")
        if self._bytes == NULL:
            self._bytes = new_bytes(NULL, max(needed, <Py_ssize_t>LEAST))
        room = bytes_size(self._bytes)
        if needed > room:
            try:
                _PyBytes_Resize(&self._bytes, max(needed, 2 * room))
            except MemoryError:  # the old object is lost
                self.size = self._checked = 0
                raise
        _xor(bytes_data(self._bytes) + self.size, PyBytes_AS_STRING(data) + start, size, self._mask)
        self.size = needed
        for i in range(4):
            turned[i] = self._mask[(i + size) & 3]
        memcpy(self._mask, turned, 4)
        if self.text:
            self._check()

    cdef int _check(self) except -1:
        """Check what has arrived since, up to the last character that is whole."""
        cdef const char *data
        cdef Py_ssize_t left, used = 0
        data = bytes_data(self._bytes)
        self._checked += _ascii_end(data + self._checked, self.size - self._checked)
        left = self.size - self._checked
        if left:
            PyUnicode_DecodeUTF8Stateful(data + self._checked, left, "strict", &used)
            self._checked += used
        return 0

    cpdef bytes take(self):
        """The whole message. Raises UnicodeDecodeError if its last character is incomplete."""
        cdef PyObject *whole
        cdef bytes found
        if self._bytes == NULL:
            return b""
        if self.text and self._checked < self.size:
            PyUnicode_DecodeUTF8Stateful(bytes_data(self._bytes) + self._checked, self.size - self._checked, "strict", NULL)
        if self.size == 0:
            return b""
        _PyBytes_Resize(&self._bytes, self.size)
        found = <bytes>self._bytes
        whole = self._bytes
        self._bytes = NULL
        self.size = self._checked = 0
        Py_XDECREF(whole)
        return found
