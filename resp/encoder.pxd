cdef class Encoder:
    cdef public int protocol
    cdef public bint slices
    cdef public object sliced
    cdef char *_out
    cdef Py_ssize_t _used, _room, _mark
    cdef bytes _whole
    cdef int _make_room(self, Py_ssize_t more) except -1
    cdef int _spill(self) except -1
    cdef int _append(self, const char *data, Py_ssize_t size) except -1
    cdef int _head(self, char mark, long long number) except -1
    cdef int _string(self, char mark, const char *data, Py_ssize_t size) except -1
    cdef int _line(self, char mark, bytes text) except -1
    cdef int _items(self, char mark, object items) except -1
    cdef int _pairs(self, char mark, object pairs) except -1
    cdef int _value(self, object reply) except -1
    cdef int _pair_array(self, object pairs) except -1
    cdef int _row_map(self, object reply) except -1
    cdef int _flat_rows(self, object rows) except -1
    cdef int _stream_entries(self, list entries) except -1
    cdef int _as(self, object reply, type kind) except -1
    cpdef write(self, object reply)
    cpdef write_raw(self, bytes data)
    cpdef bytes take(self)
