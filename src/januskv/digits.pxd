"""Digits of integers in C. All functions are inline: there is no module of this name."""

from cpython.long cimport PyLong_AsUnsignedLongLong, PyLong_AsUnsignedLongLongMask
from libc.stdint cimport uint64_t

cdef enum:
    MOST_DIGITS = 20  # of a number of 64 bits
    MOST_PAIR = 41  # bytes of two of them and what is between


cdef inline char *digits_before(char *end, uint64_t number) noexcept:
    """Write a number so that it ends before a place; where it begins."""
    while number >= 10:
        end -= 1
        end[0] = <char>(c"0" + number % 10)
        number //= 10
    end -= 1
    end[0] = <char>(c"0" + number)
    return end


cdef inline uint64_t high_half(object pair) except? 0:
    """The upper of two numbers of 64 bits in one integer."""
    return PyLong_AsUnsignedLongLong(pair >> 64)


cdef inline uint64_t low_half(object pair) except? 0:
    """The lower one."""
    return PyLong_AsUnsignedLongLongMask(pair)


cdef inline char *pair_before(char *end, object pair) except NULL:
    """Write an integer of 128 bits as its halves with '-' between, so that it ends before a place; where it begins."""
    cdef char *at = digits_before(end, low_half(pair)) - 1
    at[0] = c"-"
    return digits_before(at, high_half(pair))


cdef inline bint read_int64(const char *text, Py_ssize_t size, long long *value) noexcept:
    """Whether a text is the only spelling of an integer of 64 bits with a sign (Redis' string2ll); and which."""
    cdef uint64_t number = 0, most = <uint64_t>0x7FFFFFFFFFFFFFFF
    cdef bint negative = size > 1 and text[0] == c"-"
    cdef Py_ssize_t at = negative
    cdef unsigned char digit
    if size - at > 19 or size == at or (text[at] == c"0" and size > 1):
        return False
    while at < size:
        digit = <unsigned char>text[at] - c"0"
        if digit > 9:
            return False
        number = number * 10 + digit  # 19 digits fit
        at += 1
    if number > most + negative:
        return False
    value[0] = <long long>(0 - number) if negative else <long long>number
    return True
