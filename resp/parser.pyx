"""Requests from bytes, in C. Same contract as ``parser.py``, whose errors and word splitting it uses.

A chunk is parsed where it lies; only what lacks its end is kept for the next one. Arguments of an
unfinished array are collected one by one, big ones in pieces, so nothing is scanned or copied twice.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from libc.string cimport memchr

from .inline import HttpRequest, ProtocolError, is_http, split_words

cdef enum:
    STACK_ARGS = 64  # arrays up to this size are parsed in one go
    STASH = 65536  # longer unfinished parts are set aside in pieces


cdef bint _parse_int(const char *text, Py_ssize_t size, long long *value) noexcept:
    """Read a 64-bit integer in its only spelling (Redis' string2ll)."""
    cdef unsigned long long number = 0
    cdef bint negative = False
    cdef Py_ssize_t at = 0
    cdef unsigned char digit
    if size == 1 and text[0] == c"0":
        value[0] = 0
        return True
    if size > 0 and text[0] == c"-":
        negative = True
        at = 1
    if size - at < 1 or size - at > 19 or text[at] < c"1" or text[at] > c"9":
        return False
    while at < size:
        digit = <unsigned char>text[at] - c"0"
        if digit > 9:
            return False
        number = number * 10 + digit
        at += 1
    if number > <unsigned long long>9223372036854775807 + negative:
        return False
    value[0] = <long long>(0 - number) if negative else <long long>number
    return True


cdef class Parser:
    """Incremental parser of one connection's requests.

    The limits are attributes; ``authenticated`` False applies Redis' smaller ones for strangers.
    """

    def __cinit__(self):
        self.max_bulk = 512 << 20
        self.max_args = 1 << 20
        self.max_inline = 64 << 10
        self.max_json = 64 << 20
        self.authenticated = True
        self._buffer = b""
        self._argv = []
        self._bulk = -1
        self._pieces = []

    @property
    def pending(self):
        """Bytes received and not yet returned as requests, about."""
        return PyBytes_GET_SIZE(self._buffer) - self._at + self._collected + self._pieces_size

    cpdef feed(self, bytes data):
        """Take received bytes."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self._buffer)
        if self._at >= size:
            self._buffer = data
            self._scanned = 0
        else:
            self._buffer = PyBytes_FromStringAndSize(PyBytes_AS_STRING(self._buffer) + self._at, size - self._at) + data
            self._scanned = max(self._scanned - self._at, 0)
        self._at = 0

    cpdef object next(self):
        """The next request: an argument list, a JSON line, or None if more bytes are needed.

        Raises ProtocolError, and again whenever it is called after that.
        """
        if self._error is not None:
            raise self._error
        try:
            return self._next()
        except ProtocolError as error:
            self._error = error
            raise

    cdef object _next(self):
        cdef const char *data
        while True:
            if self._missing:
                return self._collect()
            if not self._pieces:
                if self._at >= PyBytes_GET_SIZE(self._buffer):
                    if self._at:
                        self._buffer = b""
                        self._at = self._scanned = 0
                    return None
                data = PyBytes_AS_STRING(self._buffer)
                if data[self._at] == c"*":
                    argv = self._whole_array()
                    if argv is not None:
                        return argv
                    if not self._array_header():
                        return None
                    continue
            line = self._line()
            if line is None:
                return None
            stripped = (<bytes>line).strip()
            if (<bytes>stripped).startswith(b"{"):
                if len(stripped) > self._json_limit():
                    raise ProtocolError("too big JSON request", json=True)
                return stripped
            if is_http(stripped):
                raise HttpRequest
            argv = split_words(line)
            if argv is None:
                raise ProtocolError("unbalanced quotes in request")
            if argv:
                return argv

    # ------------------------------------------------------------ arrays

    cdef object _whole_array(self):
        """The array at the border if all of it is there and plain; None leaves everything as it was."""
        cdef const char *data = PyBytes_AS_STRING(self._buffer)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(self._buffer)
        cdef Py_ssize_t at = self._at + 1, size, i, count
        cdef Py_ssize_t[STACK_ARGS] starts
        cdef Py_ssize_t[STACK_ARGS] sizes
        cdef list argv
        cdef bytes arg
        if not self.authenticated:
            return None
        if at >= end or data[at] < c"1" or data[at] > c"9":
            return None
        count = 0
        while at < end and c"0" <= data[at] <= c"9" and count < STACK_ARGS:
            count = count * 10 + data[at] - c"0"
            at += 1
        if count > STACK_ARGS or at + 1 >= end or data[at] != c"\r":
            return None
        at += 2
        for i in range(count):
            if at + 4 > end or data[at] != c"$":
                return None
            at += 1
            if data[at] == c"0":
                size = 0
                at += 1
            else:
                size = 0
                while at < end and c"0" <= data[at] <= c"9" and size < 100000000:
                    size = size * 10 + data[at] - c"0"
                    at += 1
                if size == 0:
                    return None
            if at >= end or data[at] != c"\r" or size > self.max_bulk:
                return None
            at += 2
            if size + 2 > end - at:
                return None
            starts[i] = at
            sizes[i] = size
            at += size + 2
        argv = PyList_New(count)
        for i in range(count):
            arg = PyBytes_FromStringAndSize(data + starts[i], sizes[i])
            Py_INCREF(arg)
            PyList_SET_ITEM(argv, i, arg)
        self._at = self._scanned = at
        return argv

    cdef int _header(self, Py_ssize_t *start, Py_ssize_t *end, str too_big) except -1:
        """Find the number of a header line; 0 if its end is not there yet. Moves on behind it."""
        cdef const char *data = PyBytes_AS_STRING(self._buffer)
        cdef Py_ssize_t left = PyBytes_GET_SIZE(self._buffer) - self._at
        cdef const char *found = <const char *>memchr(data + self._at, c"\r", min(left, self.max_inline + 2))
        if found == NULL:
            if left > self.max_inline:
                raise ProtocolError(too_big)
            return 0
        if found - data + 1 >= PyBytes_GET_SIZE(self._buffer):
            return 0
        start[0] = self._at + 1
        end[0] = found - data
        return 1

    cdef int _array_header(self) except -1:
        """Begin an array; 0 if its header is not complete."""
        cdef Py_ssize_t start = 0, end = 0
        cdef long long count = 0
        if not self._header(&start, &end, "too big mbulk count string"):
            return 0
        if not _parse_int(PyBytes_AS_STRING(self._buffer) + start, end - start, &count) or count > self.max_args:
            raise ProtocolError("invalid multibulk length")
        if count > 10 and not self.authenticated:
            raise ProtocolError("unauthenticated multibulk length")
        self._at = self._scanned = end + 2
        if count > 0:
            self._missing = count
        return 1

    cdef int _bulk_header(self) except -1:
        cdef Py_ssize_t start = 0, end = 0
        cdef long long size = 0
        if not self._header(&start, &end, "too big bulk count string"):
            return 0
        if self._buffer[start - 1] != 36:  # $
            raise ProtocolError(f"expected '$', got '{chr(self._buffer[start - 1])}'")
        if (
            not _parse_int(PyBytes_AS_STRING(self._buffer) + start, end - start, &size)
            or size < 0
            or size > self.max_bulk
        ):
            raise ProtocolError("invalid bulk length")
        if size > 16384 and not self.authenticated:
            raise ProtocolError("unauthenticated bulk length")
        self._at = self._scanned = end + 2
        self._bulk = size
        return 1

    cdef object _collect(self):
        """Go on with the array; the whole of it once the last argument is there, else None."""
        cdef Py_ssize_t left, size
        cdef bytes arg
        while self._missing:
            if self._bulk < 0 and not self._bulk_header():
                return None
            left = PyBytes_GET_SIZE(self._buffer) - self._at
            size = self._bulk - self._pieces_size
            if left < size + 2:
                # Not into the line end: it is taken together with the last piece.
                if left >= STASH and left <= size:
                    self._stash()
                return None
            arg = PyBytes_FromStringAndSize(PyBytes_AS_STRING(self._buffer) + self._at, size)
            if self._pieces:
                self._pieces.append(arg)
                arg = b"".join(self._pieces)
                self._pieces = []
                self._pieces_size = 0
            self._argv.append(arg)
            self._collected += self._bulk
            self._at = self._scanned = self._at + size + 2
            self._bulk = -1
            self._missing -= 1
        argv = self._argv
        self._argv = []
        self._collected = 0
        return argv

    cdef _stash(self):
        """Set the rest of the buffer aside, so that it is not copied with every chunk that follows."""
        cdef bytes rest = self._buffer[self._at :] if self._at else self._buffer
        self._pieces.append(rest)
        self._pieces_size += PyBytes_GET_SIZE(rest)
        self._buffer = b""
        self._at = self._scanned = 0

    # ------------------------------------------------------------ lines

    cdef Py_ssize_t _json_limit(self):
        return self.max_json if self.authenticated else min(self.max_json, <Py_ssize_t>16384)

    cdef object _line(self):
        """The next line without its end, or None."""
        cdef const char *data = PyBytes_AS_STRING(self._buffer)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self._buffer)
        cdef Py_ssize_t start = max(self._scanned, self._at), waiting
        cdef const char *found = <const char *>memchr(data + start, c"\n", size - start) if start < size else NULL
        cdef bytes line, head
        if found == NULL:
            self._scanned = size
            waiting = size - self._at + self._pieces_size
            if waiting > self.max_inline:
                head = self._pieces[0] if self._pieces else self._buffer[self._at :]
                if not head[:64].lstrip(b" \t").startswith(b"{"):
                    raise ProtocolError("too big inline request")
                if waiting > self._json_limit():
                    raise ProtocolError("too big JSON request", json=True)
                self._stash()
            return None
        line = PyBytes_FromStringAndSize(data + self._at, found - data - self._at)
        self._at = self._scanned = found - data + 1
        if self._pieces:
            self._pieces.append(line)
            line = b"".join(self._pieces)
            self._pieces = []
            self._pieces_size = 0
        if PyBytes_GET_SIZE(line) > self.max_inline and not line[:64].lstrip(b" \t").startswith(b"{"):
            raise ProtocolError("too big inline request")
        return line[:-1] if line.endswith(b"\r") else line
