cimport cython

from januskv.storage.stream_ids cimport distance_bytes, id_text, ids_of, integer_bytes, parts_of, texts_bytes

cdef class Block:
    cdef public object base, top
    cdef public tuple names
    cdef public Py_ssize_t count, deleted, size, start, run_count
    cdef public list ids, rows, runs
    cpdef bint full(self, Py_ssize_t entry_bytes, Py_ssize_t most_bytes, Py_ssize_t most_entries)
    @cython.locals(names=tuple, width=Py_ssize_t, size=Py_ssize_t)
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
    cpdef next_id(self, object now_ms)
    @cython.locals(block=Block)
    cpdef add(self, object entry_id, tuple fields, Py_ssize_t most_bytes=*, Py_ssize_t most_entries=*)
    @cython.locals(block=Block, text=bytes, entry_bytes=Py_ssize_t)
    cpdef Block block_for(self, tuple fields, Py_ssize_t most_bytes, Py_ssize_t most_entries)
    cpdef Block opened(self, Block block)
    @cython.locals(found=list, blocks=list, block=Block, ids=list, rows=list, index=Py_ssize_t, low=Py_ssize_t, high=Py_ssize_t, at=Py_ssize_t)
    cpdef list range(self, object start, object end, Py_ssize_t most=*)
