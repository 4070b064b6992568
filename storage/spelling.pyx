"""Integers in their only spelling, compiled; ``spelling.py`` says what is what."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t


cdef bint spells_int64(bytes text, long long *value) noexcept:
    """Whether a text is the only spelling of an integer of 64 bits with a sign; and which."""
    cdef const char *start = PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    cdef uint64_t number = 0, most = <uint64_t>0x7FFFFFFFFFFFFFFF
    cdef bint negative = size > 1 and start[0] == c"-"
    cdef Py_ssize_t at = negative
    cdef int digit
    if size - at > 19 or size == at or (start[at] == c"0" and size > 1):
        return False
    while at < size:
        digit = start[at] - c"0"
        if digit < 0 or digit > 9:
            return False
        number = number * 10 + digit
        at += 1
    if number > most + negative:
        return False
    value[0] = <long long>(0 - number) if negative else <long long>number
    return True


cpdef object int64_of(bytes text):
    """See ``spelling.py``."""
    cdef long long value = 0
    return value if spells_int64(text, &value) else None
