# cython: boundscheck=False, wraparound=False
"""Small hashes in one string, compiled; described in ``small_hashes.py``."""

import sys

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint16_t
from libc.string cimport memcmp, memcpy

from januskv.storage import null as _nulls

cdef enum:
    MOST = 512
    START = 2  # bytes of the count
    LONG = 64
    INT = 255
    FLOAT = 254
    YES = 253
    NO = 252
    NOTHING = 251
    UNFIT = -1
    FEW = 4  # more fields than these are not inserted one by one

MOST_FIELDS = MOST
LONGEST = LONG

cdef object _null = _nulls.NULL  # ``NULL`` itself is a name of C


cdef inline Py_ssize_t _count(const unsigned char *text) noexcept:
    cdef uint16_t count
    memcpy(&count, text, START)
    return count


cdef inline void _set_count(char *text, Py_ssize_t number) noexcept:
    cdef uint16_t count = <uint16_t>number
    memcpy(text, &count, START)


cdef inline Py_ssize_t _value_size(int tag) noexcept:
    return tag if tag <= LONG else 8 if tag >= FLOAT else 0


cdef inline const unsigned char *_behind(const unsigned char *at) noexcept:
    """Where the next entry begins."""
    return at + 2 + at[0] + _value_size(at[1])


cdef inline int _tag_of(object value) except -2:
    """The type byte of a value; UNFIT if it cannot be stored."""
    cdef int overflow = 0
    cdef Py_ssize_t size
    if PyBytes_CheckExact(value):
        size = PyBytes_GET_SIZE(value)
        return UNFIT if size > LONG else <int>size
    if value is True:
        return YES
    if value is False:
        return NO
    if value is _null:
        return NOTHING
    if PyLong_CheckExact(value):
        PyLong_AsLongLongAndOverflow(value, &overflow)
        return UNFIT if overflow else INT
    return FLOAT if PyFloat_CheckExact(value) else UNFIT


cdef inline char *_write_value(char *to, int tag, object value) except NULL:
    cdef long long number
    cdef double real
    cdef int overflow = 0
    if tag <= LONG:
        memcpy(to, PyBytes_AS_STRING(value), tag)
    elif tag == INT:
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
        memcpy(to, &number, 8)
    elif tag == FLOAT:
        real = PyFloat_AS_DOUBLE(value)
        memcpy(to, &real, 8)
    return to + _value_size(tag)


cdef inline object _value_at(const unsigned char *at):
    """The value of the entry that begins at a pointer."""
    cdef int tag = at[1]
    cdef const char *value = <const char *>at + 2 + at[0]
    cdef long long number
    cdef double real
    if tag <= LONG:
        return PyBytes_FromStringAndSize(value, tag)
    if tag == INT:
        memcpy(&number, value, 8)
        return number
    if tag == FLOAT:
        memcpy(&real, value, 8)
        return real
    return True if tag == YES else False if tag == NO else _null


cdef inline bytes _name_at(const unsigned char *at):
    return PyBytes_FromStringAndSize(<const char *>at + 2, at[0])


cdef const unsigned char *_find(bytes text, bytes field) noexcept:
    """Where a field's entry begins; NULL if it is missing."""
    cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(text)
    cdef Py_ssize_t left = _count(at), length = PyBytes_GET_SIZE(field)
    cdef const char *name = PyBytes_AS_STRING(field)
    at += START
    while left:
        if at[0] == length and memcmp(at + 2, name, length) == 0:
            return at
        at = _behind(at)
        left -= 1
    return NULL


cdef bytes _with(bytes text, bytes field, object value, Py_ssize_t *added):
    """A string with a field set, new or not; None if it does not fit. ``added`` grows by 1 if it is new."""
    cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(text)
    cdef const unsigned char *end = start + PyBytes_GET_SIZE(text)
    cdef const unsigned char *old = _find(text, field)
    cdef const unsigned char *behind
    cdef Py_ssize_t length = PyBytes_GET_SIZE(field), size
    cdef int tag = _tag_of(value)
    cdef char *to
    cdef bytes new
    if tag == UNFIT or length > LONG:
        return None
    size = _value_size(tag)
    if old == NULL:
        if _count(start) == MOST:
            return None
        new = PyBytes_FromStringAndSize(NULL, (end - start) + 2 + length + size)
        to = PyBytes_AS_STRING(new)
        memcpy(to, start, end - start)
        _set_count(to, _count(start) + 1)
        to += end - start
        memcpy(to + 2, PyBytes_AS_STRING(field), length)
        to[0] = <char>length
        to[1] = <char>tag
        _write_value(to + 2 + length, tag, value)
        added[0] += 1
        return new
    behind = _behind(old)
    new = PyBytes_FromStringAndSize(NULL, (end - start) + size - _value_size(old[1]))
    to = PyBytes_AS_STRING(new)
    memcpy(to, start, (old - start) + 2 + length)
    to += old - start
    to[1] = <char>tag
    to = _write_value(to + 2 + length, tag, value)
    memcpy(to, behind, end - behind)
    return new


cdef class SmallHash:
    """See ``small_hashes.py``."""

    kind = "hash"

    def __init__(self, bytes text not None):
        self.text = text

    cdef const unsigned char *start(self) noexcept:
        return <const unsigned char *>PyBytes_AS_STRING(self.text)

    def __len__(self):
        return _count(self.start())

    def __iter__(self):
        return iter(self.keys())

    def __contains__(self, bytes field not None):
        return _find(self.text, field) != NULL

    def __getitem__(self, bytes field not None):
        cdef const unsigned char *at = _find(self.text, field)
        if at == NULL:
            raise KeyError(field)
        return _value_at(at)

    def __eq__(self, other):
        return self.to_dict() == (other.to_dict() if isinstance(other, SmallHash) else other)

    __hash__ = None

    cpdef get(self, bytes field, default=None):
        """See ``small_hashes.py``."""
        cdef const unsigned char *at = _find(self.text, field)
        return default if at == NULL else _value_at(at)

    cpdef list keys(self):
        """See ``small_hashes.py``."""
        return self.flat()[::2]

    cpdef list values(self):
        """See ``small_hashes.py``."""
        return self.flat()[1::2]

    cpdef list items(self):
        """See ``small_hashes.py``."""
        return list(self.to_dict().items())

    cpdef list flat(self):
        """See ``small_hashes.py``."""
        cdef const unsigned char *at = self.start() + START
        cdef Py_ssize_t left = _count(self.start())
        cdef list found = []
        while left:
            found.append(_name_at(at))
            found.append(_value_at(at))
            at = _behind(at)
            left -= 1
        return found

    cpdef dict to_dict(self):
        """See ``small_hashes.py``."""
        cdef const unsigned char *at = self.start() + START
        cdef Py_ssize_t left = _count(self.start())
        cdef dict found = {}
        while left:
            found[_name_at(at)] = _value_at(at)
            at = _behind(at)
            left -= 1
        return found

    cpdef dict as_json(self, object text):
        """See ``small_hashes.py``."""
        cdef const unsigned char *at = self.start() + START
        cdef Py_ssize_t left = _count(self.start())
        cdef dict found = {}
        while left:
            name = PyUnicode_DecodeUTF8(<const char *>at + 2, at[0], b"replace")
            if at[1] > LONG:
                value = _value_at(at)
                found[name] = None if value is _null else value
            else:
                try:
                    found[name] = PyUnicode_DecodeUTF8(<const char *>at + 2 + at[0], at[1], b"strict")
                except UnicodeDecodeError:
                    found[name] = text(_value_at(at))
            at = _behind(at)
            left -= 1
        return found

    cpdef Py_ssize_t put(self, dict fields) except -2:
        """See ``small_hashes.py``."""
        cdef Py_ssize_t added = 0
        cdef bytes text = self.text
        cdef dict held
        cdef SmallHash new
        if len(fields) > FEW:
            held = self.to_dict()
            added = len(held)
            held.update(fields)
            new = small(held)
            if new is None:
                return -1
            self.text = new.text
            return len(held) - added
        for field, value in fields.items():
            text = _with(text, <bytes?>field, value, &added)
            if text is None:
                return -1
        self.text = text
        return added

    cpdef bint remove(self, bytes field) except -1:
        """See ``small_hashes.py``."""
        cdef const unsigned char *start = self.start()
        cdef const unsigned char *end = start + PyBytes_GET_SIZE(self.text)
        cdef const unsigned char *at = _find(self.text, field)
        cdef const unsigned char *behind
        cdef char *to
        cdef bytes new
        if at == NULL:
            return False
        behind = _behind(at)
        new = PyBytes_FromStringAndSize(NULL, (end - start) - (behind - at))
        to = PyBytes_AS_STRING(new)
        memcpy(to, start, at - start)
        _set_count(to, _count(start) - 1)
        memcpy(to + (at - start), behind, end - behind)
        self.text = new
        return True

    def copy(self):
        """See ``small_hashes.py``."""
        return SmallHash(self.text)

    @property
    def size_bytes(self):
        """See ``small_hashes.py``."""
        return sys.getsizeof(self) + sys.getsizeof(self.text)


cpdef small(dict fields):
    """See ``small_hashes.py``."""
    cdef Py_ssize_t size = START, length
    cdef int tag
    cdef unsigned char tags[MOST]
    cdef Py_ssize_t count = 0
    cdef char *to
    cdef SmallHash found
    if len(fields) > MOST:
        return None
    for field, value in fields.items():
        length = PyBytes_GET_SIZE(<bytes?>field)
        tag = _tag_of(value)
        if tag == UNFIT or length > LONG:
            return None
        tags[count] = <unsigned char>tag
        count += 1
        size += 2 + length + _value_size(tag)
    found = SmallHash.__new__(SmallHash)
    found.text = PyBytes_FromStringAndSize(NULL, size)
    to = PyBytes_AS_STRING(found.text)
    _set_count(to, count)
    to += START
    count = 0
    for field, value in fields.items():
        length = PyBytes_GET_SIZE(field)
        to[0] = <char>length
        to[1] = <char>tags[count]
        memcpy(to + 2, PyBytes_AS_STRING(field), length)
        to = _write_value(to + 2 + length, tags[count], value)
        count += 1
    return found
