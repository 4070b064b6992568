cimport cython
from januskv.storage.packed_texts cimport Texts, framed, joined, row_of
from januskv.storage.places cimport Places

cdef class LongList:
    cdef public list head, blocks, tail
    cdef public Places places
    cdef public Py_ssize_t most
    @cython.locals(end=list)
    cpdef push(self, bint at_head, list new)
    @cython.locals(end=list, inner=list, new=list, blocks=list, count=Py_ssize_t)
    cpdef _close(self, bint at_head)
    cpdef bint _merge(self, bint at_head, object new) except -1
    @cython.locals(end=list, other=list, blocks=list, count=Py_ssize_t, at=Py_ssize_t)
    cpdef bint _reopen(self, bint at_head) except -1
    @cython.locals(end=list, taken=list, some=list)
    cpdef list take(self, bint at_head, Py_ssize_t count)
    @cython.locals(end=list)
    cpdef pop(self, bint at_head)
    @cython.locals(head=list, at=Py_ssize_t, before=Py_ssize_t)
    cpdef item(self, Py_ssize_t index)
    @cython.locals(found=list)
    cpdef list part(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(found=list)
    cpdef framed(self, Py_ssize_t start, Py_ssize_t stop, bytes mark, bytes end)
    @cython.locals(found=list, some=list, size=Py_ssize_t, at=Py_ssize_t, before=Py_ssize_t, count=Py_ssize_t)
    cpdef list _pieces(self, Py_ssize_t start, Py_ssize_t stop)

cpdef list _in_blocks(list items)
