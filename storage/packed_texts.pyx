# cython: boundscheck=False, wraparound=False, cdivision=True
"""A row of byte strings in one, compiled; described in ``packed_texts.py``.

    end of each string (2 bytes, or 4 where they are wide), the strings joined
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE, PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcmp, memcpy

from januskv.digits cimport MOST_DIGITS, digits_before

cdef enum:
    MOST = 1 << 18
    WIDE = 1 << 16  # ends from here on need four bytes

MOST_BYTES = MOST


cdef inline Py_ssize_t _end(const char *ends, bint wide, Py_ssize_t index) noexcept:
    return (<const uint32_t *>ends)[index] if wide else (<const uint16_t *>ends)[index]


cdef class Texts:
    """See ``packed_texts.py``."""

    cdef Py_ssize_t end(self, Py_ssize_t index) noexcept:
        """Where a string ends; 0 for index -1."""
        if index < 0:
            return 0
        if self.wide:
            return (<uint32_t *>PyBytes_AS_STRING(self.held))[index]
        return (<uint16_t *>PyBytes_AS_STRING(self.held))[index]

    cdef void set_end(self, Py_ssize_t index, Py_ssize_t end) noexcept:
        if self.wide:
            (<uint32_t *>PyBytes_AS_STRING(self.held))[index] = <uint32_t>end
        else:
            (<uint16_t *>PyBytes_AS_STRING(self.held))[index] = <uint16_t>end

    cdef const char *texts(self) noexcept:
        return PyBytes_AS_STRING(self.held) + self.count * (4 if self.wide else 2)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        cdef Py_ssize_t start, stop
        if isinstance(index, slice):
            start, stop, step = index.indices(self.count)
            found = self.part(start, stop)
            return found if step == 1 else found[::step]
        start = index
        if not 0 <= start < self.count:
            raise IndexError(index)
        return self.item(start)

    cdef bytes item(self, Py_ssize_t index):
        cdef Py_ssize_t start = self.end(index - 1)
        return PyBytes_FromStringAndSize(self.texts() + start, self.end(index) - start)

    cpdef list part(self, Py_ssize_t start, Py_ssize_t stop):
        """The strings from one index to another, both within the row."""
        cdef Py_ssize_t at, begin, end, count = max(stop - start, 0)
        cdef const char *texts = self.texts()
        found = PyList_New(count)
        begin = self.end(start - 1)
        for at in range(count):
            end = self.end(start + at)
            text = PyBytes_FromStringAndSize(texts + begin, end - begin)
            Py_INCREF(text)
            PyList_SET_ITEM(found, at, text)
            begin = end
        return found

    def __iter__(self):
        return iter(self.part(0, self.count))

    def __reversed__(self):
        return reversed(self.part(0, self.count))

    @property
    def size_bytes(self):
        """Roughly the memory that the row takes."""
        return 65 + PyBytes_GET_SIZE(self.held)

    cpdef bytes framed(self, Py_ssize_t start, Py_ssize_t stop, bytes mark, bytes end, bint backwards=False):
        """See ``packed_texts.py``."""
        cdef const char *ends = PyBytes_AS_STRING(self.held)
        cdef bint wide = self.wide
        cdef Py_ssize_t begin, behind, at, size = 0
        cdef const char *texts = self.texts()
        cdef bytes wire
        cdef char *to
        stop = min(stop, self.count)
        if start >= stop:
            return b""
        begin = self.end(start - 1)
        for at in range(start, stop):
            behind = _end(ends, wide, at)
            size += _frame_size(behind - begin, mark, end)
            begin = behind
        wire = PyBytes_FromStringAndSize(NULL, size)
        to = PyBytes_AS_STRING(wire)
        if backwards:
            for at in range(stop - 1, start - 1, -1):
                begin = self.end(at - 1)
                to = _frame(to, texts + begin, _end(ends, wide, at) - begin, mark, end)
            return wire
        begin = self.end(start - 1)
        for at in range(start, stop):
            behind = _end(ends, wide, at)
            to = _frame(to, texts + begin, behind - begin, mark, end)
            begin = behind
        return wire

    cpdef list places_of(self, bytes wanted, Py_ssize_t start, Py_ssize_t stop):
        """See ``packed_texts.py``."""
        cdef const char *ends = PyBytes_AS_STRING(self.held)
        cdef const char *texts = self.texts()
        cdef const char *text = PyBytes_AS_STRING(wanted)
        cdef Py_ssize_t begin = self.end(start - 1), behind, at, size = PyBytes_GET_SIZE(wanted)
        cdef list found = []
        for at in range(start, min(stop, self.count)):
            behind = _end(ends, self.wide, at)
            if behind - begin == size and memcmp(texts + begin, text, size) == 0:
                found.append(at)
            begin = behind
        return found

    def replaced(self, Py_ssize_t index, item):
        """See ``packed_texts.py``."""
        cdef Py_ssize_t start, stop, length, at, size = self.end(self.count - 1), more
        cdef Texts row
        cdef const char *texts = self.texts()
        cdef char *to
        if not PyBytes_CheckExact(item):
            return None
        length = PyBytes_GET_SIZE(item)
        start, stop = self.end(index - 1), self.end(index)
        more = length - (stop - start)
        if size + more > MOST or (size + more < WIDE) is self.wide:
            items = self.part(0, self.count)
            items[index] = item
            return row_of(items)
        row = _row(self.count, size + more)
        to = PyBytes_AS_STRING(row.held)
        memcpy(to, PyBytes_AS_STRING(self.held), texts - PyBytes_AS_STRING(self.held) + start)
        if more:
            for at in range(index, self.count):
                row.set_end(at, self.end(at) + more)
        to = to + (texts - PyBytes_AS_STRING(self.held)) + start
        memcpy(to, PyBytes_AS_STRING(item), length)
        memcpy(to + length, texts + stop, size - stop)
        return row


cdef inline Py_ssize_t _frame_size(Py_ssize_t length, bytes mark, bytes end) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(mark) + length + 2 * PyBytes_GET_SIZE(end) + 1
    while length >= 10:
        length //= 10
        size += 1
    return size


cdef inline char *_copy(char *to, const char *text, Py_ssize_t size) noexcept:
    """memcpy for mostly short strings."""
    if size > 16:
        memcpy(to, text, size)
        return to + size
    while size:
        to[0] = text[0]
        to += 1
        text += 1
        size -= 1
    return to


cdef inline char *_frame(char *to, const char *text, Py_ssize_t length, bytes mark, bytes end) noexcept:
    cdef char room[MOST_DIGITS]
    cdef char *digits
    to = _copy(to, PyBytes_AS_STRING(mark), PyBytes_GET_SIZE(mark))
    if length < 10:
        to[0] = <char>(c"0" + length)
        to += 1
    else:
        digits = digits_before(room + MOST_DIGITS, length)
        to = _copy(to, digits, room + MOST_DIGITS - digits)
    to = _copy(to, PyBytes_AS_STRING(end), PyBytes_GET_SIZE(end))
    to = _copy(to, text, length)
    return _copy(to, PyBytes_AS_STRING(end), PyBytes_GET_SIZE(end))


cpdef bytes framed(list items, bytes mark, bytes end):
    """See ``packed_texts.py``."""
    cdef Py_ssize_t at, count = PyList_GET_SIZE(items), size = 0
    cdef bytes wire
    cdef char *to
    for at in range(count):
        if not PyBytes_CheckExact(<object>PyList_GET_ITEM(items, at)):
            return None
        size += _frame_size(PyBytes_GET_SIZE(<object>PyList_GET_ITEM(items, at)), mark, end)
    if not size:
        return b""
    wire = PyBytes_FromStringAndSize(NULL, size)
    to = PyBytes_AS_STRING(wire)
    for at in range(count):
        item = <object>PyList_GET_ITEM(items, at)
        to = _frame(to, PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), mark, end)
    return wire


cdef Texts _row(Py_ssize_t count, Py_ssize_t size):
    """A row for ``count`` strings with ``size`` bytes together, not yet written."""
    cdef Texts row = Texts.__new__(Texts)
    row.count = count
    row.wide = size >= WIDE
    row.held = PyBytes_FromStringAndSize(NULL, count * (4 if row.wide else 2) + size)
    return row


cpdef joined(Texts first, Texts second):
    """See ``packed_texts.py``."""
    cdef Py_ssize_t size = first.end(first.count - 1), more = second.end(second.count - 1), at
    cdef Texts row
    cdef char *to
    if size + more > MOST:
        return None
    row = _row(first.count + second.count, size + more)
    for at in range(first.count):
        row.set_end(at, first.end(at))
    for at in range(second.count):
        row.set_end(first.count + at, size + second.end(at))
    to = PyBytes_AS_STRING(row.held) + PyBytes_GET_SIZE(row.held) - size - more
    memcpy(to, first.texts(), size)
    memcpy(to + size, second.texts(), more)
    return row


cpdef row_of(list items):
    """See ``packed_texts.py``."""
    cdef Py_ssize_t count = PyList_GET_SIZE(items), at, size = 0
    cdef Texts row
    cdef char *to
    cdef bytes item
    if count == 0:
        return None
    for at in range(count):
        if not PyBytes_CheckExact(<object>PyList_GET_ITEM(items, at)):
            return None
        size += PyBytes_GET_SIZE(<object>PyList_GET_ITEM(items, at))
    if size > MOST:
        return None
    row = _row(count, size)
    to = PyBytes_AS_STRING(row.held) + count * (4 if row.wide else 2)
    size = 0
    for at in range(count):
        item = <bytes>PyList_GET_ITEM(items, at)
        memcpy(to + size, PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item))
        size += PyBytes_GET_SIZE(item)
        row.set_end(at, size)
    return row
