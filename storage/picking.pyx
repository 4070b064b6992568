# cython: cdivision=True
"""Random members of sets by looking into places of their hash table. Same contract as ``picking.py``."""

from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

from random import getrandbits

cdef extern from "Python.h":
    ctypedef struct setentry:
        PyObject *key
        Py_hash_t hash
    ctypedef struct PySetObject:
        Py_ssize_t used
        Py_ssize_t mask
        setentry *table

cdef enum:
    MOST_PLACES = 32  # a table with so many places a member, and more, is made anew


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
    if table.mask > 1024 and table.mask // MOST_PLACES > table.used:  # it was far bigger once
        kept = list(members)
        members.clear()
        members.update(kept)
    while True:
        state += <uint64_t>0x9E3779B97F4A7C15
        entry = table.table + (_mixed(state) & <uint64_t>table.mask)
        if entry.key != NULL and entry.hash != -1:  # -1 marks the place of a member that was removed
            return <object>entry.key
