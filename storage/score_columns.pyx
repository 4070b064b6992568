# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Scores in ascending order, compiled. Same contract as ``score_columns.py``."""

from array import array as make_array

from cpython cimport array
from libc.string cimport memmove


cpdef array.array column(object scores):
    """See ``score_columns.py``."""
    return make_array("d", scores)


cpdef Py_ssize_t first_from(array.array scores, double score) except -1:
    """See ``score_columns.py``."""
    cdef const double *numbers = scores.data.as_doubles
    cdef Py_ssize_t low = 0, high = len(scores), middle
    while low < high:
        middle = (low + high) >> 1
        if numbers[middle] < score:
            low = middle + 1
        else:
            high = middle
    return low


cpdef Py_ssize_t first_behind(array.array scores, double score, Py_ssize_t start) except -1:
    """See ``score_columns.py``."""
    cdef const double *numbers = scores.data.as_doubles
    cdef Py_ssize_t low = start, high = len(scores), middle
    if low < high and numbers[low] > score:  # usual case: no other member has the score
        return low
    while low < high:
        middle = (low + high) >> 1
        if numbers[middle] <= score:
            low = middle + 1
        else:
            high = middle
    return low


cpdef put_in(array.array scores, Py_ssize_t place, double score):
    """See ``score_columns.py``."""
    cdef Py_ssize_t size = len(scores)
    cdef double *numbers
    array.resize_smart(scores, size + 1)
    numbers = scores.data.as_doubles
    memmove(numbers + place + 1, numbers + place, (size - place) * sizeof(double))
    numbers[place] = score


cpdef cut_from(array.array scores, Py_ssize_t place, Py_ssize_t count):
    """See ``score_columns.py``."""
    cdef Py_ssize_t size = len(scores)
    cdef double *numbers = scores.data.as_doubles
    count = min(count, size - place)
    memmove(numbers + place, numbers + place + count, (size - place - count) * sizeof(double))
    array.resize_smart(scores, size - count)
