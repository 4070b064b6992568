from cpython.object cimport PyObject


cdef class Parser:
    cdef public Py_ssize_t max_bulk, max_args, max_inline, max_json
    cdef public bint authenticated
    cdef bytes _chunk
    cdef char *_own
    cdef Py_ssize_t _room
    cdef const char *_data
    cdef Py_ssize_t _at, _end, _scanned, _taken
    cdef list _argv
    cdef Py_ssize_t _missing, _bulk
    cdef PyObject *_big
    cdef Py_ssize_t _filled
    cdef bint _is_json
    cdef object _error
    cpdef feed(self, bytes data)
    cpdef object next(self)
    cdef int _keep(self, const char *data, Py_ssize_t size) except -1
    cdef void _release(self) noexcept
    cdef int _fail(self, object error) except -1
    cdef int _header(self, Py_ssize_t *end, str too_big) except -1
    cdef int _array_header(self) except -1
    cdef object _array(self)
    cdef int _bulk_header(self) except -1
    cdef int _fill_big(self) except -1
    cdef object _collect(self)
    cdef object _line(self)
    cdef object _timely_lines(self)
    cdef bint _skip_line(self) noexcept
