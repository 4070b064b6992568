# cython: boundscheck=False, wraparound=False, cdivision=True
"""Documents of events as text, compiled: ``event_text.py`` says what is what.

A text is put together in one piece of memory; a date is written once for the events of one day.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_Next, PyDict_Size
from cpython.list cimport PyList_GET_ITEM
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport PyObject
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdio cimport snprintf
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memchr, memcpy

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object)

import orjson

from .event_shapes import Shape
from .instants import instant_of_unix, instant_text

_loads = orjson.loads
_dumps = orjson.dumps
cdef enum:
    MOST_KNOWN = 4096
cdef int64_t SECOND = 1_000_000_000
cdef int64_t DAY_S = 86_400


def pack(dict document not None):
    """See ``event_text.py``."""
    cdef Writer writer = Writer()
    writer.record(document)
    return writer.text()


def records_of(events, known):
    """See ``event_text.py``."""
    cdef Writer writer = Writer()
    cdef list shapes = [], records = []
    cdef tuple names = None
    cdef dict document
    shape = None
    for event in events:
        document = event
        if names is None or not _has_names(document, names):
            names = tuple(document)
            shape = known.of(names)
        shapes.append(shape)
        if shape.whole:
            records.append(_dumps(document))
            names = None
        else:
            writer.size = 0
            writer.record(document)
            records.append(writer.text())
    return shapes, records


cdef bint _has_names(dict document, tuple names):
    """Whether a document has these very names, in this order; the parser gives the same object for a name again and again."""
    cdef Py_ssize_t at = 0, place = 0
    cdef PyObject* name
    cdef PyObject* value
    if PyDict_Size(document) != len(names):
        return False
    while PyDict_Next(document, &place, &name, &value):
        if name != <PyObject*>names[at]:
            return False
        at += 1
    return True


def shift(ends, Py_ssize_t start, Py_ssize_t by):
    """See ``event_text.py``."""
    cdef uint32_t[::1] numbers = ends
    cdef Py_ssize_t at
    for at in range(start, numbers.shape[0]):
        numbers[at] = <uint32_t>(numbers[at] + by)


def leap_of(shape, bytes record not None):
    """See ``event_text.py``."""
    return int(record.split(b"\0", 1)[0]) if shape.leap else -1


def document_text(shape, bytes record not None):
    """See ``event_text.py``."""
    cdef Writer writer = Writer()
    writer.look_at(shape)
    writer.document(PyBytes_AS_STRING(record), PyBytes_GET_SIZE(record))
    return writer.text()


cdef class Writer:
    """Bytes that grow, and what is known of the shape that was looked at last."""

    cdef char* data
    cdef Py_ssize_t size, room
    cdef tuple keys
    cdef object shape
    cdef bint whole, leap
    cdef int64_t day
    cdef char date[11]

    def __cinit__(self):
        self.data = NULL
        self.day = -1 << 40

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef bytes text(self):
        return PyBytes_FromStringAndSize(self.data, self.size)

    cdef char* place(self, Py_ssize_t size) except NULL:
        """Room for so many bytes more."""
        cdef char* moved
        if self.size + size > self.room:
            self.room = 2 * self.room + size + 1024
            moved = <char*>PyMem_Realloc(self.data, self.room)
            if moved == NULL:
                raise MemoryError
            self.data = moved
        return self.data + self.size

    cdef int add(self, const char* data, Py_ssize_t size) except -1:
        memcpy(self.place(size), data, size)
        self.size += size
        return 0

    cdef int record(self, dict document) except -1:
        """Write the values of a document."""
        cdef Py_ssize_t place = 0
        cdef PyObject* name
        cdef PyObject* value
        cdef bint first = True
        while PyDict_Next(document, &place, &name, &value):
            if not first:
                self.add(b"\0", 1)
            first = False
            self.value(<object>value)
        return 0

    cdef int value(self, value) except -1:
        """Write a value; what is neither a number, a plain string nor a constant by the library."""
        cdef char digits[24]
        cdef int overflow = 0
        cdef Py_ssize_t size
        cdef long long number
        cdef const char* text
        if type(value) is int:
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if not overflow:
                return self.add(digits, snprintf(digits, 24, "%lld", number))
        elif type(value) is str:
            if PyUnicode_IS_COMPACT_ASCII(value):
                text = PyUnicode_AsUTF8AndSize(value, &size)
                if _is_plain(text, size):
                    self.add(b'"', 1)
                    self.add(text, size)
                    return self.add(b'"', 1)
        elif value is None:
            return self.add(b"null", 4)
        elif value is True:
            return self.add(b"true", 4)
        elif value is False:
            return self.add(b"false", 5)
        written = <bytes>_dumps(value)
        return self.add(PyBytes_AS_STRING(written), PyBytes_GET_SIZE(written))

    cdef int look_at(self, shape) except -1:
        if shape is not self.shape:
            self.shape = shape
            self.keys = shape.keys
            self.whole = shape.whole
            self.leap = shape.leap
        return 0

    cdef int document(self, const char* record, Py_ssize_t size) except -1:
        """Write a document of the shape that was looked at."""
        cdef const char* end = record + size
        cdef const char* stop
        cdef Py_ssize_t at
        cdef PyObject* key
        if self.whole:
            return self.add(record, size)
        if not len(self.keys):
            return self.add(b"{}", 2)
        if self.leap:
            record = <const char*>memchr(record, 0, end - record) + 1
        for at in range(len(self.keys)):
            stop = <const char*>memchr(record, 0, end - record)
            if stop == NULL:
                stop = end
            name = <bytes>self.keys[at]
            self.add(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
            self.add(record, stop - record)
            record = stop + 1
        return self.add(b"}", 1)

    cdef int time(self, int64_t unix_ns) except -1:
        """Write a time of the years 1677 to 2262."""
        cdef int64_t seconds = unix_ns // SECOND, rest = unix_ns % SECOND, day
        cdef int second, digits
        cdef char* at
        if rest < 0:
            rest += SECOND
            seconds -= 1
        day = seconds // DAY_S
        second = <int>(seconds % DAY_S)
        if second < 0:
            second += <int>DAY_S
            day -= 1
        if day != self.day:
            self.day = day
            _write_date(self.date, day)
        at = self.place(32)
        memcpy(at, self.date, 11)
        _two(at + 11, second // 3600)
        at[13] = b":"
        _two(at + 14, second // 60 % 60)
        at[16] = b":"
        _two(at + 17, second % 60)
        at += 19
        self.size += 19
        if rest:
            digits = 9
            while rest % 1000 == 0:
                rest //= 1000
                digits -= 3
            at[0] = b"."
            self.size += digits + 1
            while digits:
                at[digits] = <char>(48 + rest % 10)
                rest //= 10
                digits -= 1
        return self.add(b"Z", 1)


cdef inline bint _is_plain(const char* text, Py_ssize_t size) noexcept:
    """Whether a string of ASCII is written as it is."""
    cdef Py_ssize_t at
    for at in range(size):
        if text[at] < 32 or text[at] == 34 or text[at] == 92:
            return False
    return True


cdef inline void _two(char* at, int number) noexcept:
    at[0] = <char>(48 + number // 10)
    at[1] = <char>(48 + number % 10)


cdef void _write_date(char* at, int64_t day) noexcept:
    """``2024-01-01T`` of a day counted from 1970: the calendar repeats every 400 years, which begin in March here."""
    cdef int64_t shifted = day + 719_468, era, in_era, year_of_era, in_year, month, year
    era = (shifted if shifted >= 0 else shifted - 146_096) // 146_097
    in_era = shifted - era * 146_097
    year_of_era = (in_era - in_era // 1460 + in_era // 36_524 - in_era // 146_096) // 365
    in_year = in_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * in_year + 2) // 153
    year = year_of_era + era * 400 + (1 if month >= 10 else 0)
    _two(at, <int>(year // 100))
    _two(at + 2, <int>(year % 100))
    at[4] = b"-"
    _two(at + 5, <int>(month + 3 if month < 10 else month - 9))
    at[7] = b"-"
    _two(at + 8, <int>(in_year - (153 * month + 2) // 5 + 1))
    at[10] = b"T"


def texts(times, list shapes not None, ends, bytearray text not None, rows, bint with_time, bytes closing not None):
    """See ``event_text.py``."""
    cdef Writer writer = Writer()
    cdef uint32_t[::1] stops = ends
    cdef int64_t[::1] column
    cdef bint narrow = type(times) is not list
    cdef const char* base = PyByteArray_AS_STRING(text)
    cdef Py_ssize_t row, start
    if narrow:
        column = times
    for row in rows:
        start = stops[row - 1] if row else 0
        writer.look_at(<object>PyList_GET_ITEM(shapes, row))
        if with_time:
            writer.add(b'{"item":{"_time":"', 18)
            if narrow and not writer.leap:
                writer.time(column[row])
            else:
                leap_ns = leap_of(writer.shape, base[start : stops[row]])
                time = instant_text(instant_of_unix(times[row], leap_ns)).encode()
                writer.add(PyBytes_AS_STRING(time), PyBytes_GET_SIZE(time))
            writer.add(b'","value":', 10)
            writer.document(base + start, stops[row] - start)
            writer.add(b"}", 1)
        else:
            writer.document(base + start, stops[row] - start)
        writer.add(PyBytes_AS_STRING(closing), PyBytes_GET_SIZE(closing))
    return writer.text()


cdef object _value(bytes text, dict known):
    cdef PyObject* found = PyDict_GetItem(known, text)
    if found != NULL:
        return <object>found
    value = _loads(text)
    if text[0] != c"{" and text[0] != c"[" and len(known) < MOST_KNOWN:
        known[text] = value
    return value


def documents(list shapes not None, ends, bytearray text not None, rows, tuple names, dict known not None):
    """See ``event_text.py``."""
    cdef list found = [], wanted = None
    cdef uint32_t[::1] stops = ends
    cdef const char* base = PyByteArray_AS_STRING(text)
    cdef const char* at
    cdef const char* end
    cdef const char* stop
    cdef Py_ssize_t row, slot, wanted_slot
    cdef Writer writer
    cdef dict document
    shape = None
    for row in rows:
        at = base + (stops[row - 1] if row else 0)
        end = base + stops[row]
        if names is None:
            writer = Writer()
            writer.look_at(<object>PyList_GET_ITEM(shapes, row))
            writer.document(at, end - at)
            found.append(_loads(writer.text()))
            continue
        if <PyObject*>shape != <PyObject*>PyList_GET_ITEM(shapes, row):
            shape = <object>PyList_GET_ITEM(shapes, row)
            wanted = sorted([(shape.slots[name], name) for name in names if name in shape.slots])
        if shape.whole:
            whole = _loads(at[: end - at])
            found.append({name: whole[name] for name in names if name in whole})
            continue
        document = {}
        slot = 0
        for wanted_slot, name in wanted:
            while slot < wanted_slot:
                at = <const char*>memchr(at, 0, end - at) + 1
                slot += 1
            stop = <const char*>memchr(at, 0, end - at)
            if stop == NULL:
                stop = end
            document[name] = _value(at[: stop - at], known)
        found.append(document)
    return found


cdef inline int _number(const char* at, int digits) noexcept:
    """The number that some digits write, -1 if they are none."""
    cdef int number = 0, digit
    for digit in range(digits):
        if not 48 <= at[digit] <= 57:
            return -1
        number = 10 * number + at[digit] - 48
    return number


cdef int* MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def unix_time(str text not None):
    """See ``event_text.py``. Plain are those of the years 1973 to 2199, in UTC and not in a leap second."""
    cdef Py_ssize_t size
    cdef const char* at = PyUnicode_AsUTF8AndSize(text, &size)
    cdef int year, month, day, hour, minute, second, digits = 0
    cdef int64_t rest = 0, days, from_march
    if size < 19 or at[4] != c"-" or at[7] != c"-" or at[10] != c"T" or at[13] != c":" or at[16] != c":":
        return None
    year, month, day = _number(at, 4), _number(at + 5, 2), _number(at + 8, 2)
    hour, minute, second = _number(at + 11, 2), _number(at + 14, 2), _number(at + 17, 2)
    if not 1973 <= year < 2200 or not 1 <= month <= 12 or not 0 <= hour < 24 or not 0 <= minute < 60 or not 0 <= second < 60:
        return None
    if not 1 <= day <= MONTH_DAYS[month - 1]:
        return None  # or a 29th of February
    if size > 19 and at[size - 1] == c"Z":
        size -= 1
    if size > 19:
        if at[19] != c"." or size == 20:
            return None
        while 20 + digits < size:
            if not 48 <= at[20 + digits] <= 57:
                return None
            if digits < 9:
                rest = 10 * rest + at[20 + digits] - 48
            digits += 1
        while digits < 9:
            rest *= 10
            digits += 1
    if month <= 2:
        year -= 1
        month += 12
    from_march = (153 * (month - 3) + 2) // 5 + day - 1
    days = year * 365 + year // 4 - year // 100 + year // 400 + from_march - 719_468
    return (days * DAY_S + hour * 3600 + minute * 60 + second) * SECOND + rest


def elements(bytes body not None):
    """See ``event_text.py``."""
    cdef const char* text = PyBytes_AS_STRING(body)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body), at = 0, start, depth = 0
    cdef char letter
    cdef list found = []
    while at < size and text[at] in (32, 9, 10, 13):
        at += 1
    if at == size or text[at] != c"[":
        return None
    at += 1
    start = at
    while at < size:
        letter = text[at]
        if letter == c'"':
            at += 1
            while at < size and text[at] != c'"':
                at += 2 if text[at] == c"\\" else 1
        elif letter == c"{" or letter == c"[":
            depth += 1
        elif depth and (letter == c"}" or letter == c"]"):
            depth -= 1
        elif not depth and (letter == c"," or letter == c"]"):
            found.append((start, at))
            start = at + 1
            if letter == c"]":
                break
        at += 1
    if at >= size or body[at + 1 :].strip(b" \t\r\n"):
        return None
    if len(found) == 1 and not body[found[0][0] : found[0][1]].strip(b" \t\r\n"):
        return []
    return found
