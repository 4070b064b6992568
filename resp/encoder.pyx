"""Reply values to bytes, for both protocols, in one growing C buffer. Same contract as ``encoder.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from .replies import (
    OK,
    Attribute,
    ErrorReply,
    NoReply,
    NullArray,
    Push,
    RawReply,
    SetReply,
    Simple,
    Verbatim,
)

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1
    int Py_EnterRecursiveCall(const char *where) except -1
    void Py_LeaveRecursiveCall()

cdef enum:
    FIRST_ROOM = 4096
    KEPT_ROOM = 1048576  # a buffer that a big reply has grown further is given back when it has been taken

cdef object _ok = OK
cdef type _simple = Simple, _error = ErrorReply, _null_array = NullArray, _no_reply = NoReply
cdef type _set = SetReply, _push = Push, _verbatim = Verbatim, _attribute = Attribute, _raw = RawReply


cpdef bytes one_line(bytes text):
    """The text without line ends: error texts repeat what callers sent, and must not forge a reply."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ") if b"\r" in text or b"\n" in text else text


cpdef bytes double_text(double value):
    """A double in its shortest exact spelling, as Redis 7.2 and later: 3, 0.1, 1e+20, inf, -inf, nan."""
    cdef str text = repr(value)
    return (text[:-2] if text.endswith(".0") else text).encode()


cdef class Encoder:
    """Collects encoded replies until they are taken. ``protocol`` is 2 or 3."""

    def __cinit__(self, int protocol=2):
        self.protocol = protocol
        self._out = NULL
        self._used = self._room = 0

    def __dealloc__(self):
        free(self._out)

    @property
    def size(self):
        """Bytes waiting."""
        return self._used

    cpdef write(self, object reply):
        """Encode one reply. Raises TypeError for what is no reply value; nothing of it is written then."""
        cdef Py_ssize_t mark = self._used
        try:
            self._value(reply)
        except BaseException:
            self._used = mark
            raise

    cpdef write_raw(self, bytes data):
        """Add bytes as they are."""
        self._append(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cpdef bytes take(self):
        """All bytes since the last take."""
        cdef bytes taken = PyBytes_FromStringAndSize(self._out, self._used)
        self._used = 0
        if self._room > KEPT_ROOM:
            free(self._out)
            self._out = NULL
            self._room = 0
        return taken

    # ------------------------------------------------------------ pieces

    cdef int _make_room(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = self._room * 2 if self._room else FIRST_ROOM
        cdef char *out
        while room < self._used + more:
            room *= 2
        out = <char *>realloc(self._out, room)
        if out == NULL:
            raise MemoryError
        self._out = out
        self._room = room
        return 0

    cdef int _append(self, const char *data, Py_ssize_t size) except -1:
        if self._used + size > self._room:
            self._make_room(size)
        memcpy(self._out + self._used, data, size)
        self._used += size
        return 0

    cdef int _head(self, char mark, long long number) except -1:
        """A mark, a number and a line end."""
        cdef char digits[24]
        cdef int at = 24
        cdef unsigned long long rest = <unsigned long long>number if number >= 0 else 0 - <unsigned long long>number
        at -= 1
        digits[at] = c"\n"
        at -= 1
        digits[at] = c"\r"
        while True:
            at -= 1
            digits[at] = <char>(c"0" + rest % 10)
            rest //= 10
            if rest == 0:
                break
        if number < 0:
            at -= 1
            digits[at] = c"-"
        at -= 1
        digits[at] = mark
        return self._append(&digits[at], 24 - at)

    cdef int _bulk(self, const char *data, Py_ssize_t size) except -1:
        if self._used + size + 32 > self._room:
            self._make_room(size + 32)
        self._head(c"$", size)
        memcpy(self._out + self._used, data, size)
        self._used += size
        self._out[self._used] = c"\r"
        self._out[self._used + 1] = c"\n"
        self._used += 2
        return 0

    cdef int _line(self, char mark, bytes text) except -1:
        text = one_line(text)
        self._append(&mark, 1)
        self._append(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        return self._append(b"\r\n", 2)

    cdef int _items(self, char mark, object items) except -1:
        cdef list as_list
        self._head(mark, len(items))
        if type(items) is list:
            as_list = <list>items
            Py_EnterRecursiveCall(" while encoding a reply")
            try:
                for item in as_list:
                    self._value(item)
            finally:
                Py_LeaveRecursiveCall()
        else:
            for item in items:
                self._value(item)
        return 0

    cdef int _pairs(self, object pairs) except -1:
        for name, value in pairs.items():
            self._value(name)
            self._value(value)
        return 0

    # ------------------------------------------------------------ by type

    cdef int _value(self, object reply) except -1:
        cdef bint three = self.protocol == 3
        cdef long long number
        cdef int overflow = 0
        cdef Py_ssize_t size = 0
        cdef const char *text
        if type(reply) is bytes:
            return self._bulk(PyBytes_AS_STRING(<bytes>reply), PyBytes_GET_SIZE(<bytes>reply))
        if reply is _ok:
            return self._append(b"+OK\r\n", 5)
        if reply is None:
            return self._append(b"_\r\n", 3) if three else self._append(b"$-1\r\n", 5)
        if type(reply) is int:
            number = PyLong_AsLongLongAndOverflow(reply, &overflow)
            if overflow == 0:
                return self._head(c":", number)
            digits = b"%d" % reply
            return self._line(c"(", digits) if three else self._bulk(digits, len(digits))
        if type(reply) is list or type(reply) is tuple:
            return self._items(c"*", reply)
        if type(reply) is bool:
            if three:
                return self._append(b"#t\r\n" if reply else b"#f\r\n", 4)
            return self._append(b":1\r\n" if reply else b":0\r\n", 4)
        if type(reply) is dict:
            self._head(c"%" if three else c"*", len(reply) * (1 if three else 2))
            return self._pairs(reply)
        if type(reply) is str:
            text = PyUnicode_AsUTF8AndSize(reply, &size)
            return self._bulk(text, size)
        if type(reply) is float:
            shortest = double_text(reply)
            return self._line(c",", shortest) if three else self._bulk(shortest, len(shortest))
        return self._rare(reply, three)

    cdef int _rare(self, object reply, bint three) except -1:
        cdef type kind = type(reply)
        if kind is _simple:
            self._line(c"+", reply.text)
        elif kind is _error:
            self._line(c"-", reply.text)
        elif kind is _null_array:
            self._append(b"_\r\n" if three else b"*-1\r\n", 3 if three else 5)
        elif kind is _no_reply:
            pass
        elif kind is _set:
            self._items(c"~" if three else c"*", reply.items)
        elif kind is _push:
            self._items(c">" if three else c"*", reply.items)
        elif kind is _verbatim:
            whole = reply.format + b":" + reply.text if three else reply.text
            self._bulk(whole, len(whole))
            if three:
                self._out[self._used - len(whole) - 2 - len(b"%d" % len(whole)) - 3] = c"="
        elif kind is _attribute:
            if three:
                self._head(c"|", len(reply.attributes))
                self._pairs(reply.attributes)
            self._value(reply.reply)
        elif kind is _raw:
            self.write_raw(reply.wire)
        else:
            raise TypeError(f"{kind.__name__} is no reply value")
        return 0


def encode(reply, int protocol=2):
    """The bytes of one reply."""
    encoder = Encoder(protocol)
    encoder.write(reply)
    return encoder.take()
