cimport cython

cpdef number_of(bytes text, object error, object negative=*)

@cython.locals(size=Py_ssize_t, begin=Py_ssize_t, at=Py_ssize_t)
cpdef bint is_decimal(bytes text) except -1

cpdef value_of(bytes text, object error=*)
cpdef time_of(bytes text, object now_ms)
