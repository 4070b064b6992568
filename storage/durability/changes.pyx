"""Operations collected in one buffer, most of them packed here. Same contract as ``changes.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_CheckExact
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memmove

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

from januskv.storage.keyspace cimport Keyspace

from januskv.storage.durability.records import BIG_BYTES
from januskv.storage.event_table import EVENTS, Logged

PLAIN_EVENTS = frozenset([name for name, event in EVENTS.items() if event.logged is Logged.PLAIN])
REMOVALS = frozenset([name for name, event in EVENTS.items() if event.logged is Logged.REMOVAL])
cdef Py_ssize_t BIG = BIG_BYTES
cdef frozenset _plain = PLAIN_EVENTS
cdef frozenset _removals = REMOVALS

cdef enum:
    TUPLE = 2  # extension types of codec.py
    SET = 5
    DEEPEST = 8  # nesting of containers that are packed here
    MOST_KEPT = 1 << 20  # a longer buffer is freed after use
    MOST_HEAD = 40  # bytes of an operation besides key and value
    MOST_VALUE = 1 << 30

# Results of packing a change.
cdef enum Packed:
    NOT_OURS  # the journal has to pack it
    DONE
    HAS_BIG  # it has a big value, which must not be copied
    FAILED  # an exception was raised


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


cdef inline char* _place(char* at, uint64_t place) noexcept:
    """The number of a database, or a token, which may need all 64 bits."""
    if place <= 0x7FFFFFFF:
        return _integer(at, <long long>place)
    at[0] = <char>0xCF
    return _big_endian(at + 1, place, 8)


cdef class Changes:
    """See ``changes.py``."""

    cdef public object journal, effects
    cdef public dict tokens
    cdef public Py_ssize_t part_bytes
    cdef list parts, pieces  # the buffer's content follows the pieces
    cdef char* buffer
    cdef Py_ssize_t size, space
    cdef Py_ssize_t referred, earlier  # bytes of the pieces, of the parts

    def __cinit__(self):
        self.buffer = NULL
        self.size = self.space = self.referred = self.earlier = 0

    def __init__(self, journal, effects, dict tokens not None, Py_ssize_t part_bytes):
        self.journal = journal
        self.effects = effects
        self.tokens = tokens
        self.part_bytes = part_bytes
        self.parts = []
        self.pieces = []

    def __dealloc__(self):
        PyMem_Free(self.buffer)

    cdef bint reserve(self, Py_ssize_t more) except -1:
        """Make room for ``more`` bytes. Raises MemoryError."""
        cdef Py_ssize_t space
        cdef char* buffer
        if self.size + more > self.space:
            space = max(2 * self.space, self.size + more, 65536)
            buffer = <char*>PyMem_Realloc(self.buffer, space)
            if buffer == NULL:
                space = self.size + more
                buffer = <char*>PyMem_Realloc(self.buffer, space)
            if buffer == NULL:
                raise MemoryError
            self.buffer, self.space = buffer, space
        return True

    cdef bint seal(self) except -1:
        """Make a piece of the buffer's content. If it raises, nothing has changed."""
        if self.size:
            self.pieces.append(PyBytes_FromStringAndSize(self.buffer, self.size))
            self.referred += self.size
            self.size = 0
        return True

    cdef bint refer(self, bytes value) except -1:
        """Add a value without copying it."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
        self.reserve(MOST_HEAD)
        self.buffer[self.size] = <char>0xC6
        _big_endian(self.buffer + self.size + 1, size, 4)
        self.size += 5
        self.seal()
        self.pieces.append(value)
        self.referred += size
        return True

    cdef bint divide(self, Py_ssize_t count, Py_ssize_t start) except -1:
        """End the part before the last operation, which begins after ``count`` pieces at an offset of the buffer.

        If it raises, nothing has changed.
        """
        cdef list ended = self.pieces[:count], begun = self.pieces[count:]
        cdef Py_ssize_t referred = sum(map(len, begun))
        if start:
            ended.append(PyBytes_FromStringAndSize(self.buffer, start))
        self.parts.append(ended)
        self.earlier += self.referred - referred + start
        self.pieces, self.referred = begun, referred
        memmove(self.buffer, self.buffer + start, self.size - start)
        self.size -= start
        return True

    cdef bint begin(self, int items, bytes name, uint64_t place, bytes key) except -1:
        """Add the first three items of an operation of up to 65535 items."""
        cdef char* at
        self.reserve(PyBytes_GET_SIZE(key) + PyBytes_GET_SIZE(name) + MOST_HEAD)
        at = self.buffer + self.size
        if items < 16:
            at[0] = <char>(0x90 | items)
            at += 1
        else:
            at[0] = <char>0xDC
            at = _big_endian(at + 1, items, 2)
        at[0] = <char>(0xA0 | PyBytes_GET_SIZE(name))
        memcpy(at + 1, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        at = _binary(_place(at + 1 + PyBytes_GET_SIZE(name), place), key)
        self.size = at - self.buffer
        return True

    cdef bint head(self, int mark, Py_ssize_t count) except -1:
        """Add the head of an array (0xDD), map (0xDF), text (0xDB) or extension (0xC9) of that many items or bytes."""
        self.reserve(MOST_HEAD)
        self.buffer[self.size] = <char>mark
        _big_endian(self.buffer + self.size + 1, count, 4)
        self.size += 5
        return True

    cdef bint items(self, object values, int depth) except -1:
        """Add a list or tuple as an array; False if it contains something that the journal has to pack."""
        self.head(0xDD, len(values))
        for value in values:
            if not self.value(value, depth):
                return False
        return True

    cdef bint extension(self, int code, object values, int depth) except -1:
        """Add a tuple or set as an extension that holds an array."""
        cdef Py_ssize_t start
        self.head(0xC9, 0)
        self.buffer[self.size] = <char>code
        self.size += 1
        start = self.size
        if not self.items(values, depth):
            return False
        if self.size - start > MOST_VALUE:
            return False
        _big_endian(self.buffer + start - 5, self.size - start, 4)
        return True

    cdef bint value(self, object value, int depth) except -1:
        """Add a value; False if the journal has to pack it: an object, a number beyond 64 bits, a lone surrogate."""
        cdef Py_ssize_t size, position = 0
        cdef int overflow = 0
        cdef long long number
        cdef double real
        cdef uint64_t bits
        cdef const char* text
        cdef PyObject* key
        cdef PyObject* held
        if PyBytes_CheckExact(value):
            size = PyBytes_GET_SIZE(value)
            if size > MOST_VALUE:
                return False
            self.reserve(size + MOST_HEAD)
            self.size = _binary(self.buffer + self.size, <bytes>value) - self.buffer
            return True
        self.reserve(MOST_HEAD)
        if value is None or value is True or value is False:
            self.buffer[self.size] = <char>(0xC0 if value is None else 0xC3 if value is True else 0xC2)
            self.size += 1
            return True
        if PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if overflow:
                return False
            self.size = _integer(self.buffer + self.size, number) - self.buffer
            return True
        if PyFloat_CheckExact(value):
            real = PyFloat_AS_DOUBLE(value)
            memcpy(&bits, &real, 8)
            self.buffer[self.size] = <char>0xCB
            _big_endian(self.buffer + self.size + 1, bits, 8)
            self.size += 9
            return True
        if PyUnicode_CheckExact(value):
            try:
                text = PyUnicode_AsUTF8AndSize(value, &size)
            except UnicodeEncodeError:
                return False
            if size > MOST_VALUE:
                return False
            self.head(0xDB, size)
            self.reserve(size)
            memcpy(self.buffer + self.size, text, size)
            self.size += size
            return True
        if depth == 0:
            return False
        if type(value) is list:
            return self.items(value, depth - 1)
        if type(value) is tuple:
            return self.extension(TUPLE, value, depth - 1)
        if type(value) is set:
            return self.extension(SET, value, depth - 1)
        if type(value) is dict:
            self.head(0xDF, len(value))
            while PyDict_Next(value, &position, &key, &held):
                if not self.value(<object>key, depth - 1) or not self.value(<object>held, depth - 1):
                    return False
            return True
        return False

    cdef Packed packed(self, Keyspace keyspace, str event, bytes key, tuple detail, bint refers) except FAILED:
        """Add a change as an operation. Big values are added without copying, which needs an empty buffer."""
        cdef object value = keyspace.data.get(key), item
        cdef uint64_t place
        if PyBytes_GET_SIZE(key) > MOST_VALUE:
            return NOT_OURS
        if keyspace.index >= 0:
            place = keyspace.index
        else:
            token = self.tokens.get(<size_t><PyObject*>keyspace)
            if token is None:
                return NOT_OURS
            place = token
        if value is None:
            if event not in _removals:
                return NOT_OURS
            self.begin(3, b"del", place, key)
            return DONE
        if event in _plain:
            if PyBytes_CheckExact(value) and PyBytes_GET_SIZE(value) >= BIG:
                if not refers:
                    return HAS_BIG
                self.begin(5, b"put", place, key)
                self.refer(<bytes>value)
            else:
                self.begin(5, b"put", place, key)
                if not self.value(value, 0):
                    return NOT_OURS
            if not self.value(keyspace.deadlines.get(key) if keyspace.deadlines else None, 0):
                return NOT_OURS
            return DONE
        if detail and PyUnicode_CheckExact(detail[0]) and detail[0] in self.effects and len(detail) < 1000:
            self.begin(3 + len(detail), b"do", place, key)
            for item in detail:
                if PyBytes_CheckExact(item) and PyBytes_GET_SIZE(item) >= BIG:
                    if not refers:
                        return HAS_BIG
                    self.refer(<bytes>item)
                elif not self.value(item, DEEPEST):
                    return NOT_OURS
            return DONE
        return NOT_OURS

    def on_change(self, Keyspace keyspace not None, str event, bytes key, tuple detail):
        cdef Py_ssize_t start = self.size, referred = self.referred, count = len(self.pieces)
        cdef Packed found = NOT_OURS
        try:
            found = self.packed(keyspace, event, key, detail, False)
            if found == HAS_BIG:
                self.size = start
                self.seal()
                start, referred, count = 0, self.referred, len(self.pieces)
                found = self.packed(keyspace, event, key, detail, True)
        except Exception:
            found = NOT_OURS  # the journal finds the error too, and makes the server reject writes
        if found != DONE:
            self.size = start
            self.referred = referred
            del self.pieces[count:]
            self.journal(keyspace, event, key, detail)
        elif self.referred + self.size > self.part_bytes and (count or start):
            self.divide(count, start)

    def append(self, bytes operation not None, *more):
        cdef Py_ssize_t start = self.size, count
        if not more and PyBytes_GET_SIZE(operation) < BIG:
            count = len(self.pieces)
            self.reserve(PyBytes_GET_SIZE(operation))
            memcpy(self.buffer + self.size, PyBytes_AS_STRING(operation), PyBytes_GET_SIZE(operation))
            self.size += PyBytes_GET_SIZE(operation)
        else:
            self.seal()
            start, count = 0, len(self.pieces)
            self.pieces.extend((operation, *more))
            self.referred += sum(map(len, more), PyBytes_GET_SIZE(operation))
        if self.referred + self.size > self.part_bytes and (count or start):
            self.divide(count, start)

    def __len__(self):
        return self.earlier + self.referred + self.size

    def take(self):
        cdef list taken, last, parts, pieces
        if not self.parts and not self.pieces:  # the usual case
            taken = [[PyBytes_FromStringAndSize(self.buffer, self.size)]] if self.size else []
            self.size = 0
            self.shrink()
            return taken
        taken, last, parts, pieces = list(self.parts), list(self.pieces), [], []
        if self.size:
            last.append(PyBytes_FromStringAndSize(self.buffer, self.size))
        if last:
            taken.append(last)
        self.parts, self.pieces = parts, pieces
        self.size = self.referred = self.earlier = 0
        self.shrink()
        return taken

    def clear(self):
        self.parts.clear()
        self.pieces.clear()
        self.size = self.referred = self.earlier = 0
        self.shrink()

    cdef void shrink(self) noexcept:
        if self.space > MOST_KEPT:
            PyMem_Free(self.buffer)
            self.buffer = NULL
            self.space = 0
