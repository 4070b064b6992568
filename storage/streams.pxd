cimport cython

cpdef object integer_bytes(object value)
cpdef Py_ssize_t element_bytes(bytes text)

cdef class Block:
    cdef public object base, top
    cdef public tuple names
    cdef public Py_ssize_t count, deleted, size, start, run_count
    cdef public list ids, rows, runs
    cpdef bint full(self, Py_ssize_t entry_bytes, Py_ssize_t most_bytes, Py_ssize_t most_entries)
    cpdef append(self, object entry_id, tuple fields)
    @cython.locals(begin=Py_ssize_t, end=Py_ssize_t, ids=list, rows=list)
    cpdef pack(self, Py_ssize_t left)
    cpdef bint begins_by(self, object entry_id) except -1

cdef class Stream:
    cdef public list blocks, bases
    cdef public Py_ssize_t length
    cdef public object last_id, added, max_deleted
    cdef public dict groups
    cdef public Block warm
    cpdef Block block_for(self, tuple fields, Py_ssize_t most_bytes, Py_ssize_t most_entries)
    cpdef Block opened(self, Block block)
