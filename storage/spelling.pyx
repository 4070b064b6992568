"""Integers in canonical form, compiled; described in ``spelling.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from januskv.digits cimport read_int64


cpdef object int64_of(bytes text):
    """See ``spelling.py``."""
    cdef long long value = 0
    return value if read_int64(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), &value) else None
