"""Operations collected in one buffer, the commonest packed here. Same contract as ``changes.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from januskv.storage.keyspace cimport Keyspace

PLAIN_EVENTS = frozenset(("set", "incrby", "decrby"))
cdef frozenset _plain = PLAIN_EVENTS

cdef enum:
    MOST_KEPT = 1 << 20  # a longer buffer is given back after use
    MOST_HEAD = 40  # bytes of an operation besides key and value
    MOST_VALUE = 1 << 30


cdef inline char* _big_endian(char* at, uint64_t number, int size) noexcept:
    cdef int i
    for i in range(size):
        at[i] = <char>((number >> (8 * (size - 1 - i))) & 0xFF)
    return at + size


cdef inline char* _binary(char* at, bytes data) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    if size < 256:
        at[0] = <char>0xC4
        at[1] = <char>size
        at += 2
    elif size < 65536:
        at[0] = <char>0xC5
        at = _big_endian(at + 1, size, 2)
    else:
        at[0] = <char>0xC6
        at = _big_endian(at + 1, size, 4)
    memcpy(at, PyBytes_AS_STRING(data), size)
    return at + size


cdef inline char* _integer(char* at, long long number) noexcept:
    if 0 <= number < 128:
        at[0] = <char>number
        return at + 1
    if -0x80000000 <= number <= 0x7FFFFFFF:
        at[0] = <char>0xD2
        return _big_endian(at + 1, <uint64_t>number, 4)
    at[0] = <char>0xD3
    return _big_endian(at + 1, <uint64_t>number, 8)


cdef class Changes:
    """See ``changes.py``."""

    cdef public object journal
    cdef char* buffer
    cdef Py_ssize_t size, space

    def __cinit__(self):
        self.buffer = NULL
        self.size = self.space = 0

    def __init__(self, journal):
        self.journal = journal

    def __dealloc__(self):
        PyMem_Free(self.buffer)

    cdef bint reserve(self, Py_ssize_t more) except -1:
        """Have space for so many more bytes. Raises MemoryError."""
        cdef Py_ssize_t space
        cdef char* buffer
        if self.size + more > self.space:
            space = max(2 * self.space, self.size + more, 65536)
            buffer = <char*>PyMem_Realloc(self.buffer, space)
            if buffer == NULL:
                raise MemoryError
            self.buffer, self.space = buffer, space
        return True

    cdef bint plain(self, Keyspace keyspace, bytes key) except -1:
        """Add the plain value that a key now has; False for another value, which the journal has to pack."""
        cdef object value = keyspace.data.get(key), deadline = None
        cdef Py_ssize_t size = PyBytes_GET_SIZE(key) + MOST_HEAD
        cdef long long number = 0
        cdef int overflow = 0
        cdef bint is_bytes = PyBytes_CheckExact(value)
        cdef char* at
        if is_bytes:
            size += PyBytes_GET_SIZE(value)
        elif PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
        else:
            return False
        if overflow or size > MOST_VALUE:
            return False
        if keyspace.deadlines:
            deadline = keyspace.deadlines.get(key)
        self.reserve(size)
        at = self.buffer + self.size
        memcpy(at, b"\x95\xa3put", 5)
        at = _binary(_integer(at + 5, keyspace.index), key)
        at = _binary(at, <bytes>value) if is_bytes else _integer(at, number)
        if deadline is None:
            at[0] = <char>0xC0
            at += 1
        else:
            at = _integer(at, deadline)
        self.size = at - self.buffer
        return True

    def on_change(self, Keyspace keyspace not None, str event, bytes key, tuple detail):
        try:
            if keyspace.index >= 0 and event in _plain and self.plain(keyspace, key):
                return
        except MemoryError:
            pass  # the journal finds it out as well, and makes the server refuse writes
        self.journal(keyspace, event, key, detail)

    def append(self, bytes operation not None):
        self.reserve(PyBytes_GET_SIZE(operation))
        memcpy(self.buffer + self.size, PyBytes_AS_STRING(operation), PyBytes_GET_SIZE(operation))
        self.size += PyBytes_GET_SIZE(operation)

    def __len__(self):
        return self.size

    def take(self):
        cdef bytes taken = PyBytes_FromStringAndSize(self.buffer, self.size)
        self.size = 0
        if self.space > MOST_KEPT:
            PyMem_Free(self.buffer)
            self.buffer = NULL
            self.space = 0
        return taken
