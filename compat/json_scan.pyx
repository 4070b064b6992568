"""What can be read off a valid JSON text without parsing it. Same contract as ``json_scan.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE


cpdef Py_ssize_t written_members(bytes text):
    """How many members the objects in a valid JSON text have as written: its colons outside strings."""
    cdef const char *at = PyBytes_AS_STRING(text)
    cdef const char *end = at + PyBytes_GET_SIZE(text)
    cdef Py_ssize_t colons = 0
    while at < end:
        if at[0] == c":":
            colons += 1
        elif at[0] == c'"':
            at += 1
            while at < end and at[0] != c'"':
                at += 2 if at[0] == c"\\" else 1
        at += 1
    return colons
