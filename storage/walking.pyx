"""Reads the tables of CPython's dicts and sets from any index on. Same contract as ``walking.py``."""

from cpython.object cimport PyObject

cdef extern from "Python.h":
    int PyDict_Next(object table, Py_ssize_t *position, PyObject **key, PyObject **value)
    ctypedef struct setentry:
        PyObject *key
        Py_hash_t hash
    ctypedef struct PySetObject:
        Py_ssize_t mask
        setentry *table

WINDOW = 1 << 15


def walk(table, Py_ssize_t position, Py_ssize_t count):
    """See ``walking.py``."""
    cdef PyObject *key
    cdef PyObject *value
    cdef list found = []
    while count > 0:
        if not PyDict_Next(table, &position, &key, &value):
            return found, -1
        found.append(<object>key)
        count -= 1
    return found, position


def key_at(table, Py_ssize_t position):
    """See ``walking.py``."""
    cdef PyObject *key
    cdef PyObject *value
    cdef Py_ssize_t after = position
    if PyDict_Next(table, &after, &key, &value) and after == position + 1:
        return <object>key
    return None


def last_of(table, Py_ssize_t end, dict wanted):
    """See ``walking.py``."""
    cdef PyObject *key
    cdef PyObject *value
    cdef Py_ssize_t position = 0, found = -1
    cdef size_t low = <size_t>-1, high = 0, number
    for each in wanted:
        number = each
        low = min(low, number)
        high = max(high, number)
    last = None
    while position < end and PyDict_Next(table, &position, &key, &value):
        if low <= <size_t>key <= high and <size_t>key in wanted:
            last, found = <object>key, position
    return last, found


def with_hashes(set members not None, Py_hash_t low, Py_hash_t high):
    """See ``walking.py``."""
    cdef setentry *entry = (<PySetObject *>members).table
    cdef setentry *end = entry + (<PySetObject *>members).mask + 1
    cdef list found = []
    while entry < end:
        # A free slot has no key and the hash 0, that of a removed member the hash -1, which no member has.
        if low <= entry.hash <= high and entry.hash != -1 and entry.key != NULL:
            found.append(<object>entry.key)
        entry += 1
    return found
