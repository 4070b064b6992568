"""Requests from bytes, in C. Same contract as ``parser.py``; the lines are read by the same ``inline.py``.

A chunk is parsed where it lies. Only what lacks its end when the next chunk comes is copied, into a
buffer of the parser's own that grows by doubling; a big argument grows in the very object that is
returned. So each byte is copied a bounded number of times, and looked at once, however it arrives.
Memory follows the bytes that have arrived, never the sizes that headers announce.

    _data[_at:_end]   what is not parsed yet; in _chunk, or in _own if _chunk is None
    _argv, _missing   the array that is being collected, and the arguments that it lacks; SKIPPING: what comes up
                      to the next line end belongs to a line that is too long
    _bulk             the size of the next argument; -1: its header comes first
    _big, _filled     the next argument if it is big, and how much of it is there
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove

from januskv.digits cimport read_int64

from .inline import (
    MOST_TIMELY,
    UNAUTHENTICATED_MAX_ARGS,
    UNAUTHENTICATED_MAX_BULK,
    UNAUTHENTICATED_MAX_JSON,
    TIMELY_MARK,
    BinaryInput,
    HttpRequest,
    ProtocolError,
    TimelyBuffer,
    TimelyLines,
    read_line,
    unexpected,
)

__all__ = ["HttpRequest", "Parser", "ProtocolError", "Request"]

Request = list[bytes] | bytes | TimelyLines | TimelyBuffer

cdef extern from "Python.h":
    # As bare pointers: list items are passed without reference counting.
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *data, Py_ssize_t size)
    int _PyBytes_Resize(PyObject **held, Py_ssize_t size) except -1
    char *bytes_data "PyBytes_AS_STRING"(PyObject *held)
    Py_ssize_t bytes_size "PyBytes_GET_SIZE"(PyObject *held)
    list PyList_New(Py_ssize_t size)
    void set_item "PyList_SET_ITEM"(PyObject *items, Py_ssize_t index, PyObject *item)
    void set_size "Py_SET_SIZE"(PyObject *items, Py_ssize_t size)
    void Py_INCREF(PyObject *held)
    void Py_XDECREF(PyObject *held)

cdef enum:
    ROOM_ARGS = 64  # longer arrays get room as their arguments arrive
    BIG = 16384  # longer arguments that arrive in pieces are collected in their own object
    LONGEST_NAME = 24  # of a command
    SKIPPING = -1

cdef Py_ssize_t _most_timely = MOST_TIMELY
cdef bytes _mark = TIMELY_MARK
cdef const char *_timely_mark = PyBytes_AS_STRING(_mark)
cdef Py_ssize_t _unauthenticated_max_args = UNAUTHENTICATED_MAX_ARGS, _unauthenticated_max_bulk = UNAUTHENTICATED_MAX_BULK, _unauthenticated_max_json = UNAUTHENTICATED_MAX_JSON


cdef inline Py_ssize_t _plain_number(const char *text, Py_ssize_t size, Py_ssize_t *value) noexcept:
    """Read the digits of a header and its line end; the bytes that they take, or 0 for what needs the careful parser."""
    cdef Py_ssize_t at = 0, number = 0
    cdef unsigned char digit
    if size > 11:
        size = 11  # nine digits and a line end
    while at < size:
        digit = <unsigned char>text[at] - c"0"
        if digit > 9:
            break
        number = number * 10 + digit
        at += 1
    if at == 0 or at > 9 or at + 2 > size or text[at] != c"\r" or (text[0] == c"0" and at > 1):
        return 0
    value[0] = number
    return at + 2


cdef inline bint _begins_timely_line(const char *data, Py_ssize_t size) noexcept:
    """See ``inline.py``."""
    if size >= 4 and memcmp(data, b"put ", 4) == 0:
        return True
    if size < 8 or memcmp(data, b"version", 7) != 0:
        return False
    return data[7] == c"\n" or (data[7] == c"\r" and size > 8 and data[8] == c"\n")


# Command names recur: the same object is returned for the same name, which saves
# making it and hashing it at look-up. A name that is not in its slot replaces the one there.
cdef PyObject *_verbs[256]


cdef inline PyObject *_verb(const char *text, Py_ssize_t size) noexcept:
    """A new reference to the bytes object of a command's name; NULL if memory ran out."""
    cdef PyObject *held
    cdef PyObject **place
    if size < 2 or size > LONGEST_NAME:
        return new_bytes(text, size)
    place = &_verbs[
        (<unsigned char>text[0] * 7 + <unsigned char>text[size - 1] * 29 + <unsigned char>text[size >> 1] * 3 + size) & 255
    ]
    held = place[0]
    if held != NULL and bytes_size(held) == size and memcmp(bytes_data(held), text, size) == 0:
        Py_INCREF(held)
        return held
    held = new_bytes(text, size)
    if held != NULL:
        Py_XDECREF(place[0])
        Py_INCREF(held)
        place[0] = held
    return held


cdef class Parser:
    """Incremental parser of one connection's requests.

    The limits are attributes. Unless ``authenticated``, Redis' smaller ones for unauthenticated clients apply.
    """

    def __cinit__(self):
        self.max_bulk = 512 << 20
        self.max_args = 1 << 20
        self.max_inline = 64 << 10
        self.max_json = 64 << 20
        self.authenticated = True
        self._bulk = -1

    def __dealloc__(self):
        free(self._own)
        Py_XDECREF(self._big)

    @property
    def pending(self):
        """Bytes received and not yet returned as requests."""
        return self._end - self._at + self._taken

    @property
    def spare(self):
        """Unused capacity of the buffer for unfinished requests, in bytes."""
        return 0 if self._chunk is not None or not self._room else self._room - self._end

    cpdef feed(self, bytes data):
        """Take received bytes."""
        if data is None:
            raise TypeError("bytes are needed")
        if self._error is not None:
            return
        if self._at < self._end:
            self._keep(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
            return
        if self._room:
            free(self._own)
            self._own = NULL
            self._room = 0
        self._chunk = data
        self._data = PyBytes_AS_STRING(data)
        self._at = self._scanned = 0
        self._end = PyBytes_GET_SIZE(data)

    cdef int _keep(self, const char *data, Py_ssize_t size) except -1:
        """Append bytes to the pending ones, in the parser's own buffer."""
        cdef Py_ssize_t waiting = self._end - self._at, room
        cdef char *own
        if self._chunk is None and self._end + size <= self._room:
            pass
        elif self._chunk is None and waiting + size <= self._room and self._at >= waiting:
            memmove(self._own, self._data + self._at, waiting)
            self._scanned -= self._at
            self._at = 0
        else:
            room = max(2 * waiting, waiting + size, <Py_ssize_t>256)
            if self._chunk is None and self._at == 0:  # much of a line: realloc may extend it in place, or move pages
                own = <char *>realloc(self._own, room)
                if own == NULL:
                    raise MemoryError
            else:
                own = <char *>malloc(room)
                if own == NULL:
                    raise MemoryError
                memcpy(own, self._data + self._at, waiting)
                free(self._own)
            self._own = own
            self._room = room
            self._chunk = None
            self._data = own
            self._scanned -= self._at
            self._at = 0
        self._end = self._at + waiting
        memcpy(self._own + self._end, data, size)
        self._end += size
        return 0

    cdef void _release(self) noexcept:
        """Free the memory of what has been parsed."""
        free(self._own)
        self._own = NULL
        self._room = 0
        self._chunk = None
        self._data = NULL
        self._at = self._end = self._scanned = 0

    cdef int _fail(self, object error) except -1:
        """Break the parser and raise the error."""
        self._error = error
        self._release()
        Py_XDECREF(self._big)
        self._big = NULL
        self._argv = None
        self._taken = 0
        raise error

    cpdef object next(self):
        """The next request: an argument list, a JSON line, lines or a buffer of Timely's; None if more bytes are needed.

        Raises ProtocolError, and from then on at each call.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)
        while True:
            if self._missing:
                if self._missing > 0:
                    return self._collect()
                if not self._skip_line():
                    return None
                continue
            if self._at >= self._end:
                if self._end:
                    self._release()
                return None
            if self._data[self._at] == c"*":
                if not self._array_header():
                    return None
                if self._missing:
                    return self._array()
            else:
                request = self._line()
                if request is None or request:
                    return request

    def finish(self):
        """No more input will arrive: accept an unfinished line of JSON. Returns whether there is one.

        Call it when ``next`` has returned None. Other requests need their end: a command line may have been cut off.
        """
        cdef Py_ssize_t text = self._at
        if self._error is not None or self._missing:
            return False
        while text < self._end and (self._data[text] == c" " or self._data[text] == c"\t"):
            text += 1
        if text == self._end or self._data[text] != c"{":
            return False
        self.feed(b"\n")
        return True

    # ------------------------------------------------------------ headers

    cdef int _header(self, Py_ssize_t *end, str too_big) except -1:
        """Find the carriage return of the header line; 0 if the line is not complete."""
        cdef Py_ssize_t limit = min(self._end, self._at + self.max_inline + 1)
        cdef Py_ssize_t start = max(self._scanned, self._at)
        cdef const char *found = NULL
        if start < limit:
            found = <const char *>memchr(self._data + start, c"\r", limit - start)
        if found == NULL:
            if self._end - self._at > self.max_inline:
                self._fail(ProtocolError(too_big))
            self._scanned = self._end
            return 0
        end[0] = found - self._data
        if end[0] + 1 == self._end:
            self._scanned = end[0]
            return 0
        return 1

    cdef int _array_header(self) except -1:
        """Begin an array, or skip an empty one; 0 if its header is not complete."""
        cdef Py_ssize_t end = 0, number = 0, start = self._at + 1
        cdef Py_ssize_t taken = _plain_number(self._data + start, self._end - start, &number)
        cdef long long count = number
        if not taken:
            if not self._header(&end, "too big mbulk count string"):
                return 0
            if not read_int64(self._data + start, end - start, &count):
                self._fail(ProtocolError("invalid multibulk length"))
            taken = end + 2 - start
        if count > self.max_args:
            self._fail(ProtocolError("invalid multibulk length"))
        if count > _unauthenticated_max_args and not self.authenticated:
            self._fail(ProtocolError("unauthenticated multibulk length"))
        self._at = start + taken
        if count > 0:
            self._missing = count
            self._taken = taken + 1
        return 1

    cdef int _bulk_header(self) except -1:
        """Read the size of the next argument; 0 if its header is not complete."""
        cdef Py_ssize_t end = 0
        cdef long long size = 0
        if not self._header(&end, "too big bulk count string"):
            return 0
        if self._data[self._at] != c"$":
            self._fail(unexpected(<unsigned char>self._data[self._at]))
        if not read_int64(self._data + self._at + 1, end - self._at - 1, &size) or size < 0 or size > self.max_bulk:
            self._fail(ProtocolError("invalid bulk length"))
        if size > _unauthenticated_max_bulk and not self.authenticated:
            self._fail(ProtocolError("unauthenticated bulk length"))
        self._taken += end + 2 - self._at
        self._at = end + 2
        self._bulk = size
        return 1

    # ------------------------------------------------------------ arrays

    cdef object _array(self):
        """The array whose header has just been read, if it is complete and plain; else leave it to _collect."""
        cdef Py_ssize_t count = self._missing, at = self._at, end = self._end
        cdef Py_ssize_t size = 0, taken, index = 0
        cdef Py_ssize_t limit = self.max_bulk if self.authenticated else min(self.max_bulk, _unauthenticated_max_bulk)
        cdef const char *data = self._data
        cdef list argv
        cdef PyObject *items
        cdef PyObject *arg
        if count > ROOM_ARGS:
            self._argv = []
            return self._collect()
        argv = PyList_New(count)
        items = <PyObject *>argv
        while index < count:
            if at >= end or data[at] != c"$":
                break
            taken = _plain_number(data + at + 1, end - at - 1, &size)
            if not taken or size > limit or size + 2 > end - at - 1 - taken:
                break
            at += 1 + taken
            arg = new_bytes(data + at, size) if index else _verb(data + at, size)
            if arg == NULL:
                set_size(items, index)
                raise MemoryError
            set_item(items, index, arg)
            at += size + 2  # like Redis, any two bytes count as the line end
            index += 1
        if index == count:
            self._at = at
            self._missing = self._taken = 0
            return argv
        set_size(items, index)  # the list keeps its room
        self._argv = argv
        self._missing = count - index
        self._taken += at - self._at
        self._at = at
        return self._collect()

    cdef object _collect(self):
        """Continue with the array. Returns it once the last argument has arrived, else None."""
        cdef Py_ssize_t size
        cdef list argv = self._argv
        while self._missing:
            if self._bulk < 0 and not self._bulk_header():
                return None
            size = self._bulk
            if self._big != NULL or (size >= BIG and self._end - self._at < size + 2):
                if not self._fill_big():
                    return None
                argv.append(<object>self._big)
                Py_XDECREF(self._big)
                self._big = NULL
            else:
                if self._end - self._at < size + 2:
                    return None
                argv.append(PyBytes_FromStringAndSize(self._data + self._at, size))
                self._at += size
                self._taken += size
            self._at += 2
            self._taken += 2
            self._bulk = -1
            self._missing -= 1
        self._argv = None
        self._taken = 0
        return argv

    cdef int _fill_big(self) except -1:
        """Move what has arrived of a big argument into its object; 1 if it and its line end are complete."""
        cdef Py_ssize_t size = self._bulk
        cdef Py_ssize_t more = min(self._end - self._at, size - self._filled), room
        if self._big == NULL:
            self._big = new_bytes(NULL, min(size, max(2 * more, <Py_ssize_t>BIG)))
            if self._big == NULL:
                raise MemoryError
            self._filled = 0
        room = bytes_size(self._big)
        if self._filled + more > room:
            try:
                _PyBytes_Resize(&self._big, min(size, max(2 * room, self._filled + more)))
            except MemoryError as error:  # the old object is lost
                self._fail(error)
        memcpy(bytes_data(self._big) + self._filled, self._data + self._at, more)
        self._filled += more
        self._at += more
        self._taken += more
        if self._filled < size or self._end - self._at < 2:
            return 0
        self._filled = 0
        return 1

    # ------------------------------------------------------------ lines

    cdef object _line(self):
        """The request of the next line: JSON text, words, nothing if it is empty; None if the line is not complete.

        Of several lines where they are Timely's; or all there is, if it is Timely's binary form.
        """
        cdef const char *data = self._data
        cdef Py_ssize_t at = self._at, stop = self._end, text, end
        cdef Py_ssize_t start = max(self._scanned, at)
        cdef Py_ssize_t json_limit = self.max_json if self.authenticated else min(self.max_json, _unauthenticated_max_json)
        cdef const char *found = NULL
        cdef unsigned char first = <unsigned char>data[at]
        if stop - at >= 8 and data[at + 3] == 0 and memcmp(data + at + 4, _timely_mark, 4) == 0:
            self._at = stop
            return TimelyBuffer(PyBytes_FromStringAndSize(data + at, stop - at))
        if first > 126 or (first < 32 and not 9 <= first <= 13):  # as inline.is_binary
            self._fail(BinaryInput())
        if _begins_timely_line(data + at, stop - at):
            return self._timely_lines()
        if start < stop:
            found = <const char *>memchr(data + start, c"\n", stop - start)
        if found != NULL:
            stop = found - data
        if stop - at > min(self.max_inline, json_limit):
            if not self._is_json:
                text = at
                while text < stop and text <= at + self.max_inline and (data[text] == c" " or data[text] == c"\t"):
                    text += 1
                self._is_json = text < stop and text <= at + self.max_inline and data[text] == c"{"
            if self._is_json:
                # A carriage return at the limit may be the line's end.
                if stop - at - (data[stop - 1] == c"\r") > json_limit:
                    self._fail(ProtocolError("too big JSON request", json=True))
            elif stop - at > self.max_inline:
                self._fail(ProtocolError("too big inline request"))
        if found == NULL:
            self._scanned = stop
            return None
        self._is_json = False
        self._at = stop + 1
        text = at
        while text < stop and (data[text] == c" " or data[text] == c"\t"):
            text += 1
        if text < stop and data[text] == c"{":
            end = stop
            while data[end - 1] == c" " or data[end - 1] == c"\t" or data[end - 1] == c"\r":
                end -= 1
            return PyBytes_FromStringAndSize(data + text, end - text)
        try:
            return read_line(PyBytes_FromStringAndSize(data + at, stop - at))
        except ProtocolError as error:
            self._fail(error)

    cdef object _timely_lines(self):
        """Lines of Timely's from here on, as many as are whole; None if the first is not. A line too long is not read."""
        cdef const char *data = self._data
        cdef const char *found = NULL
        cdef Py_ssize_t begin = self._at, at = self._at, end = self._end, start
        while at < end and at - begin < _most_timely and _begins_timely_line(data + at, end - at):
            start = max(self._scanned, at)
            found = <const char *>memchr(data + start, c"\n", end - start) if start < end else NULL
            if found == NULL:
                self._scanned = end
                break
            if found - data - at > self.max_inline:
                break
            at = found - data + 1
        if at > begin:
            self._at = at
            return TimelyLines(PyBytes_FromStringAndSize(data + begin, at - begin))
        if found != NULL:
            self._at = found - data + 1
        elif end - begin > self.max_inline:
            self._missing = SKIPPING
            self._at = end
        else:
            return None
        return TimelyLines(b"")

    cdef bint _skip_line(self) noexcept:
        """Pass over the rest of a line that is too long; whether its end has come."""
        cdef const char *found = NULL
        if self._at < self._end:
            found = <const char *>memchr(self._data + self._at, c"\n", self._end - self._at)
        if found == NULL:
            self._release()
            return False
        self._at = found - self._data + 1
        self._missing = 0
        return True
