# cython: boundscheck=False, wraparound=False
"""Taking big values apart, compiled; described in ``reclaiming.py``.

Memory that malloc has from the system is given back in parts before the object is freed, which then only releases
addresses. The first page, with the object's header, stays.
"""

import gc
from collections import deque
from time import perf_counter

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.set cimport PySet_GET_SIZE, PySet_Pop
from libc.stdint cimport uintptr_t

from .null import NULL as JSON_NULL

from januskv.storage.long_text cimport LongString

cdef extern from *:
    """
    #ifdef __linux__
    #include <sys/mman.h>
    static void forget_pages(char *start, size_t size) { (void)madvise(start, size, MADV_DONTNEED); }
    #else
    static void forget_pages(char *start, size_t size) { (void)start; (void)size; }
    #endif
    """
    void forget_pages(char *start, size_t size) noexcept

cdef extern from "Python.h":
    bint PyObject_IS_GC(object thing)
    bint PyType_Check(object thing)
    bint PySet_Check(object thing)
    Py_ssize_t Py_REFCNT(object thing)
    ctypedef struct setentry:
        PyObject *key
        Py_hash_t hash
    ctypedef struct PySetObject:
        Py_ssize_t mask
        setentry *table
    ctypedef struct PyDictObject:
        void *ma_keys

cdef enum:
    MEMBERS = 4096
    BYTES = 8 << 20
    WAITING = 10_000
    BATCH = 128
    SAMPLE = 4
    PAGE = 4096
    SLICE = 8 << 20  # bytes that are given back at a time
    TABLE = 1 << 20  # tables from this size on are given back in slices
    HEADER = 64  # bytes at the beginning of an object or table that freeing it may read

MANY = MEMBERS
BIG_BYTES = BYTES
MOST_WAITING = WAITING


cdef bint give_back(const char *start, Py_ssize_t size, Py_ssize_t *given) noexcept:
    """Give more of an object's memory back to the system, if it has whole pages; return whether all has been given.

    Its beginning stays: freeing reads that. ``given`` is how much has been given back, 0 at first.
    """
    cdef uintptr_t first = (<uintptr_t>start + HEADER + PAGE - 1) // PAGE * PAGE
    cdef uintptr_t end = (<uintptr_t>start + size) // PAGE * PAGE
    first += given[0]
    if first < end:
        forget_pages(<char *>first, min(<uintptr_t>SLICE, end - first))
        given[0] += SLICE
        if first + SLICE < end:
            return False
    given[0] = 0
    return True


cpdef bint is_big(object value) except -1:
    """See ``reclaiming.py``."""
    cdef Py_ssize_t size, longest = 0
    cdef int left = SAMPLE
    if PyBytes_CheckExact(value):
        return PyBytes_GET_SIZE(value) > BYTES
    kind = type(value)
    if kind is int or kind is float or kind is bool or value is JSON_NULL:
        return False
    size = len(value)
    if kind is LongString:
        return size > BYTES
    if size > MEMBERS:
        return True
    if isinstance(value, dict):
        some = (<dict>value).values()
    elif kind is list or kind is set:
        some = value
    else:
        return False
    for each in some:
        if PyBytes_CheckExact(each):
            longest = max(longest, PyBytes_GET_SIZE(each))
        elif isinstance(each, (dict, list)):
            return True
        left -= 1
        if not left:
            break
    return longest * size > BYTES


cdef class Reclaimer:
    """See ``reclaiming.py``. ``_given``: bytes of the next value given back to the system."""

    def __init__(self):
        self.waiting = deque()
        self.loose = []
        self.freed = 0

    @property
    def pending(self):
        """How many values have not been freed yet."""
        return len(self.waiting) + bool(self.loose)

    cpdef take(self, object value):
        """See ``reclaiming.py``."""
        if len(self.waiting) < WAITING:
            self.waiting.append(value)

    cpdef bint go_on(self, double budget_s) except -1:
        """See ``reclaiming.py``."""
        cdef double deadline = perf_counter() + budget_s
        while self.loose or self._begin():
            self._step()
            if perf_counter() > deadline:
                return True
        return False

    cdef bint _begin(self) except -1:
        cdef Py_ssize_t left = len(self.waiting)
        while left:
            value = self.waiting.popleft()
            if Py_REFCNT(value) == 1:
                self.loose.append(value)
                self.freed += 1
                return True
            if not PyBytes_CheckExact(value):
                self.waiting.append(value)
            left -= 1
        return False

    cdef int _step(self) except -1:
        cdef Py_ssize_t size, left = BATCH
        cdef PySetObject *table
        top = self.loose[len(self.loose) - 1]
        if PyBytes_CheckExact(top):
            if not give_back(PyBytes_AS_STRING(top), PyBytes_GET_SIZE(top), &self._given):
                return 0
        elif PySet_Check(top):
            while left and PySet_GET_SIZE(top):
                self._drop(PySet_Pop(top))
                left -= 1
            if not left:
                return 0
            table = <PySetObject *><PyObject *>top
            size = (table.mask + 1) * sizeof(setentry)
            if size >= TABLE and not give_back(<const char *>table.table, size, &self._given):
                return 0
        elif isinstance(top, dict):
            while left and <dict>top:
                name, value = dict.popitem(top)
                self._drop(name)
                self._drop(value)
                left -= 1
            if not left:
                return 0
            size = dict.__sizeof__(top) - type(top).__basicsize__
            if size >= TABLE and not give_back(
                <const char *>(<PyDictObject *><PyObject *>top).ma_keys, size, &self._given
            ):
                return 0
        elif isinstance(top, list):
            while left and <list>top:
                self._drop((<list>top).pop())
                left -= 1
            if not left:
                return 0
        elif isinstance(top, LongString):
            text = (<LongString>top).text()
            self.loose.pop()
            top = None
            self._drop(text)  # which a reply or another key may refer to
            return 0
        else:
            parts = gc.get_referents(top)
            self.loose.pop()
            top = None
            while parts:
                self._drop((<list>parts).pop())
            return 0
        self.loose.pop()
        return 0

    cdef int _drop(self, object thing) except -1:
        """See ``reclaiming.py``. For objects that nothing else refers to, the caller has the only reference."""
        if Py_REFCNT(thing) > 1:
            if PyObject_IS_GC(thing) and not PyType_Check(thing) and hasattr(thing, "__len__") and len(thing) > MEMBERS:
                self._share(thing)
        elif PyBytes_CheckExact(thing):
            if PyBytes_GET_SIZE(thing) > BYTES:
                self.loose.append(thing)
        elif PyObject_IS_GC(thing) or isinstance(thing, LongString):
            self.loose.append(thing)
        return 0

    cdef int _share(self, object thing) except -1:
        """See ``reclaiming.py``."""
        for each in self.waiting:
            if each is thing:
                return 0
        self.take(thing)
        return 0
