from januskv.storage.chunks cimport Chunk

cpdef seal(Chunk chunk, bint compressed)
cpdef absorb(Chunk chunk, Chunk younger, bint compressed)
cpdef Py_ssize_t memory_bytes(list chunks)
