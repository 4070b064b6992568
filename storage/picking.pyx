# cython: cdivision=True
"""Random members of sets and fields of hashes by probing their tables. Same contract as ``picking.py``."""

from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

from random import getrandbits, randrange

cdef extern from "Python.h":
    ctypedef struct setentry:
        PyObject *key
        Py_hash_t hash
    ctypedef struct PySetObject:
        Py_ssize_t used
        Py_ssize_t mask
        setentry *table

    bint PyDict_Next(object fields, Py_ssize_t *place, PyObject **key, PyObject **value)

cdef enum:
    MOST_PLACES = 32  # a table with more slots per member than this is rebuilt
    ENTRY = 24  # bytes of a field's entry in a hash's table
    MOST_LOOKS = 64  # probes of a hash; if all fail, nearly all of its fields were removed


cdef inline uint64_t _mixed(uint64_t number) noexcept:
    """The next number of a SplitMix64 generator whose state is given."""
    number = (number ^ (number >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    number = (number ^ (number >> 27)) * <uint64_t>0x94D049BB133111EB
    return number ^ (number >> 31)


def random_member(set members not None):
    """See ``picking.py``."""
    cdef PySetObject *table = <PySetObject *>members
    cdef uint64_t state = getrandbits(64)
    cdef setentry *entry
    if not table.used:
        raise IndexError("an empty set")
    if table.mask > 1024 and table.mask // MOST_PLACES > table.used:  # it was once far bigger
        kept = list(members)
        members.clear()
        members.update(kept)
    while True:
        state += <uint64_t>0x9E3779B97F4A7C15
        entry = table.table + (_mixed(state) & <uint64_t>table.mask)
        if entry.key != NULL and entry.hash != -1:  # -1 marks the slot of a removed member
            return <object>entry.key


def random_field(fields not None):
    """See ``picking.py``."""
    cdef Py_ssize_t places = dict.__sizeof__(fields) // ENTRY, place, wanted  # somewhat more than it has
    cdef uint64_t state = getrandbits(64)
    cdef PyObject *key
    cdef PyObject *value
    cdef int look
    for look in range(MOST_LOOKS):
        state += <uint64_t>0x9E3779B97F4A7C15
        wanted = place = <Py_ssize_t>(_mixed(state) % <uint64_t>places)
        # At a free entry the next field is found instead; it is not taken, or it would come up too often.
        if PyDict_Next(fields, &place, &key, &value) and place == wanted + 1:
            return <object>key
    return list(fields)[randrange(len(fields))]


def sampled(list items not None, Py_ssize_t count):
    """See ``picking.py``."""
    cdef Py_ssize_t size = len(items), at, other
    cdef uint64_t state = getrandbits(64)
    if not 0 <= count <= size:
        raise ValueError("more than there are")
    for at in range(count):
        state += <uint64_t>0x9E3779B97F4A7C15
        other = at + <Py_ssize_t>(_mixed(state) % <uint64_t>(size - at))
        items[at], items[other] = items[other], items[at]
    del items[count:]
    return items
