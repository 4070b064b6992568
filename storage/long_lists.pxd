cimport cython
from januskv.storage.places cimport Places

cdef class LongList:
    cdef public list blocks
    cdef public Places places
    @cython.locals(blocks=list, block=list)
    cpdef push(self, bint at_head, list new)
    @cython.locals(blocks=list, block=list, taken=list, wanted=Py_ssize_t)
    cpdef list take(self, bint at_head, Py_ssize_t count)
    @cython.locals(found=list, some=list, at=Py_ssize_t, before=Py_ssize_t, wanted=Py_ssize_t)
    cpdef list part(self, Py_ssize_t start, Py_ssize_t stop)
