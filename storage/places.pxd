cimport cython

cdef class Places:
    cdef public list blocks, befores
    cdef public Py_ssize_t size
    cpdef list _known(self)
    @cython.locals(befores=list)
    cpdef changed(self, Py_ssize_t at, Py_ssize_t by)
    @cython.locals(befores=list, blocks=list, known=Py_ssize_t)
    cpdef Py_ssize_t before(self, Py_ssize_t at) except -1
    @cython.locals(befores=list, blocks=list, at=Py_ssize_t, before=Py_ssize_t)
    cpdef tuple locate(self, Py_ssize_t rank)
