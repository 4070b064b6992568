"""Cheap checks of a valid JSON text and its parsed value. Same contract as ``json_scan.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.ref cimport PyObject
from libc.string cimport memchr

DOUBTFUL = -1
TOO_DEEP = -2

cdef double _suspicious = 9223372036854775808.0  # 2 ** 63


cpdef Py_ssize_t written_members(bytes text):
    """How many members the objects in a valid JSON text have as written: its colons outside strings."""
    cdef const char *at = PyBytes_AS_STRING(text)
    cdef const char *end = at + PyBytes_GET_SIZE(text)
    cdef Py_ssize_t colons = 0
    while at < end:
        if at[0] == c":":
            colons += 1
        elif at[0] == c'"':
            at = _end_of_string(at + 1, end)
        at += 1
    return colons


cdef inline const char *_end_of_string(const char *start, const char *end) noexcept:
    """The quote that ends the string beginning at ``start``: the next one after an even run of backslashes."""
    cdef const char *at = start
    cdef const char *before
    while True:
        at = <const char *>memchr(at, c'"', end - at)
        if at == NULL:
            return end
        before = at - 1
        while before >= start and before[0] == c"\\":
            before -= 1
        if (at - before) & 1:
            return at
        at += 1


cpdef Py_ssize_t count_members(object value, Py_ssize_t room) except? -3:
    """Members of all objects in a parsed value, which may be nested ``room`` deep; see DOUBTFUL and TOO_DEEP."""
    cdef Py_ssize_t total = 0, at = 0, inner
    cdef PyObject *name
    cdef PyObject *item
    cdef type kind = type(value)
    if kind is dict:
        if room == 0:
            return -2
        total = len(<dict>value)
        while PyDict_Next(value, &at, &name, &item):
            kind = type(<object>item)
            if kind is not str and kind is not int:
                inner = count_members(<object>item, room - 1)
                if inner < 0:
                    return inner
                total += inner
    elif kind is list:
        if room == 0:
            return -2
        for at in range(PyList_GET_SIZE(value)):
            item = <PyObject *>PyList_GET_ITEM(value, at)
            kind = type(<object>item)
            if kind is not str and kind is not int:
                inner = count_members(<object>item, room - 1)
                if inner < 0:
                    return inner
                total += inner
    elif kind is float and not -_suspicious < PyFloat_AS_DOUBLE(value) < _suspicious:
        return -1
    return total
