from libc.stdint cimport int64_t

from januskv.storage.chunks cimport Chunk

cpdef seal(Chunk chunk, bint compressed)
cpdef absorb(Chunk chunk, Chunk younger, bint compressed)
cpdef append_run(Chunk chunk, tuple times, tuple values)
cpdef Py_ssize_t memory_bytes(list chunks)

# The columns of a chunk as raw pointers.
cdef void read_times(Chunk chunk, int64_t *out)
cdef void read_values(Chunk chunk, double *out)
