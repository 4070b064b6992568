cdef class Parser:
    cdef public Py_ssize_t max_bulk, max_args, max_inline, max_json
    cdef public bint authenticated
    cdef bytes _buffer
    cdef Py_ssize_t _at, _scanned
    cdef list _argv
    cdef Py_ssize_t _missing, _bulk, _collected
    cdef list _pieces
    cdef Py_ssize_t _pieces_size
    cdef object _error
    cpdef feed(self, bytes data)
    cpdef object next(self)
    cdef object _next(self)
    cdef object _whole_array(self)
    cdef object _collect(self)
    cdef int _header(self, Py_ssize_t *start, Py_ssize_t *end, str too_big) except -1
    cdef int _bulk_header(self) except -1
    cdef int _array_header(self) except -1
    cdef object _line(self)
    cdef _stash(self)
    cdef Py_ssize_t _json_limit(self)
