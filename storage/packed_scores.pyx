# cython: boundscheck=False, wraparound=False
"""Small sorted sets in one string, compiled; described in ``packed_scores.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy

cdef enum:
    MOST = 128
    LONG = 64
    HEAD = 9  # length and score

MOST_MEMBERS = MOST
LONGEST = LONG
EMPTY = b"\0"


cdef inline double _score(const unsigned char *at) noexcept:
    cdef double score
    memcpy(&score, at + 1, 8)
    return score


cdef inline const unsigned char *_start(bytes text) noexcept:
    return <const unsigned char *>PyBytes_AS_STRING(text)


cdef inline int _before(double score, const char *name, Py_ssize_t length, double other, const char *second, Py_ssize_t size) noexcept:
    """Whether a member comes before another one."""
    cdef int order
    if score != other:
        return score < other
    order = memcmp(name, second, length if length < size else size)
    return order < 0 or (order == 0 and length < size)


cdef const unsigned char *_find(bytes text, bytes member) noexcept:
    """Where a member's entry begins; NULL if it is missing."""
    cdef const unsigned char *at = _start(text)
    cdef Py_ssize_t left = at[0], length = PyBytes_GET_SIZE(member)
    cdef const char *name = PyBytes_AS_STRING(member)
    at += 1
    while left:
        if at[0] == length and memcmp(at + HEAD, name, length) == 0:
            return at
        at += HEAD + at[0]
        left -= 1
    return NULL


cdef const unsigned char *_skip(const unsigned char *at, Py_ssize_t count) noexcept:
    """Where the entry begins that comes ``count`` entries after another."""
    while count > 0:
        at += HEAD + at[0]
        count -= 1
    return at


cdef const unsigned char *_place(bytes text, double score, bytes member, Py_ssize_t *rank) noexcept:
    """Where a member's entry would begin, and how many come before it."""
    cdef const unsigned char *at = _start(text)
    cdef Py_ssize_t count = at[0], length = PyBytes_GET_SIZE(member)
    cdef const char *name = PyBytes_AS_STRING(member)
    at += 1
    rank[0] = 0
    while rank[0] < count and _before(_score(at), <const char *>at + HEAD, at[0], score, name, length):
        at += HEAD + at[0]
        rank[0] += 1
    return at


cdef inline char *_write(char *to, const char *name, Py_ssize_t length, double score) noexcept:
    to[0] = <char>length
    score += 0.0  # no -0.0
    memcpy(to + 1, &score, 8)
    memcpy(to + HEAD, name, length)
    return to + HEAD + length


def packed(dict scores not None):
    """See ``packed_scores.py``."""
    cdef double values[MOST]
    cdef const char *names[MOST]
    cdef Py_ssize_t lengths[MOST]
    cdef Py_ssize_t count = 0, place, length, size = 1
    cdef double score
    cdef const char *name
    cdef char *to
    if len(scores) > MOST:
        return None
    for member, value in scores.items():
        length = PyBytes_GET_SIZE(<bytes?>member)
        if length > LONG:
            return None
        name = PyBytes_AS_STRING(member)
        score = value
        place = count
        while place and _before(score, name, length, values[place - 1], names[place - 1], lengths[place - 1]):
            values[place], names[place], lengths[place] = values[place - 1], names[place - 1], lengths[place - 1]
            place -= 1
        values[place], names[place], lengths[place] = score, name, length
        count += 1
        size += HEAD + length
    text = PyBytes_FromStringAndSize(NULL, size)
    to = PyBytes_AS_STRING(text)
    to[0] = <char>count
    to += 1
    for place in range(count):
        to = _write(to, names[place], lengths[place], values[place])
    return text


cpdef Py_ssize_t count_in(bytes text) except -1:
    """See ``packed_scores.py``."""
    return _start(text)[0]


cpdef score_in(bytes text, bytes member):
    """See ``packed_scores.py``."""
    cdef const unsigned char *at = _find(text, member)
    return None if at == NULL else _score(at)


cpdef with_score(bytes text, bytes member, double score):
    """See ``packed_scores.py``."""
    cdef const unsigned char *start = _start(text)
    cdef const unsigned char *end = start + PyBytes_GET_SIZE(text)
    cdef const unsigned char *old = NULL
    cdef const unsigned char *place = end
    cdef const unsigned char *behind
    cdef const unsigned char *at = start + 1
    cdef Py_ssize_t length = PyBytes_GET_SIZE(member), entry = HEAD + length
    cdef const char *name = PyBytes_AS_STRING(member)
    cdef char *to
    while at < end and (old == NULL or place == end):
        if old == NULL and at[0] == length and memcmp(at + HEAD, name, length) == 0:
            old = at
        if place == end and not _before(_score(at), <const char *>at + HEAD, at[0], score, name, length):
            place = at
        at += HEAD + at[0]
    if length > LONG or (old == NULL and start[0] == MOST):
        return None
    new = PyBytes_FromStringAndSize(NULL, end - start + (entry if old == NULL else 0))
    to = PyBytes_AS_STRING(new)
    if old == NULL:
        memcpy(to, start, place - start)
        to[0] = <char>(start[0] + 1)
        to = _write(to + (place - start), PyBytes_AS_STRING(member), length, score)
        memcpy(to, place, end - place)
        return new
    behind = old + entry
    if place <= old:  # it moves towards the start, or stays
        memcpy(to, start, place - start)
        to = _write(to + (place - start), PyBytes_AS_STRING(member), length, score)
        memcpy(to, place, old - place)
        memcpy(to + (old - place), behind, end - behind)
    else:
        memcpy(to, start, old - start)
        memcpy(to + (old - start), behind, place - behind)
        to = _write(to + (old - start) + (place - behind), PyBytes_AS_STRING(member), length, score)
        memcpy(to, place, end - place)
    return new


cdef _without(bytes text, const unsigned char *first, const unsigned char *behind, Py_ssize_t count):
    """A string without ``count`` entries, which lie between two pointers."""
    cdef const unsigned char *start = _start(text)
    cdef const unsigned char *end = start + PyBytes_GET_SIZE(text)
    cdef char *to
    new = PyBytes_FromStringAndSize(NULL, (end - start) - (behind - first))
    to = PyBytes_AS_STRING(new)
    memcpy(to, start, first - start)
    to[0] = <char>(start[0] - count)
    memcpy(to + (first - start), behind, end - behind)
    return new


cpdef without(bytes text, bytes member):
    """See ``packed_scores.py``."""
    cdef const unsigned char *at = _find(text, member)
    return None if at == NULL else _without(text, at, at + HEAD + at[0], 1)


cpdef Py_ssize_t rank_in(bytes text, double score, bytes member) except -1:
    """See ``packed_scores.py``."""
    cdef Py_ssize_t rank
    _place(text, score, member, &rank)
    return rank


cdef inline Py_ssize_t _within(bytes text, Py_ssize_t rank) noexcept:
    """A non-negative rank, or the number of members if that is less."""
    cdef Py_ssize_t count = _start(text)[0]
    return rank if rank < count else count


cpdef list pairs_in(bytes text, Py_ssize_t start, Py_ssize_t stop):
    """See ``packed_scores.py``."""
    cdef list found = []
    cdef const unsigned char *at
    stop = _within(text, stop)
    if start >= stop:
        return found
    at = _skip(_start(text) + 1, start)
    while start < stop:
        found.append((PyBytes_FromStringAndSize(<const char *>at + HEAD, at[0]), _score(at)))
        at += HEAD + at[0]
        start += 1
    return found


cpdef list names_in(bytes text, Py_ssize_t start, Py_ssize_t stop):
    """See ``packed_scores.py``."""
    cdef list found = []
    cdef const unsigned char *at
    stop = _within(text, stop)
    if start >= stop:
        return found
    at = _skip(_start(text) + 1, start)
    while start < stop:
        found.append(PyBytes_FromStringAndSize(<const char *>at + HEAD, at[0]))
        at += HEAD + at[0]
        start += 1
    return found


cpdef bytes cut_out(bytes text, Py_ssize_t start, Py_ssize_t stop):
    """See ``packed_scores.py``."""
    cdef const unsigned char *first
    stop = _within(text, stop)
    if start >= stop:
        return text
    first = _skip(_start(text) + 1, start)
    return _without(text, first, _skip(first, stop - start), stop - start)
