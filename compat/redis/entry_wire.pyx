"""Stream entries as clients get them, in bytes, compiled; ``entry_wire.py`` says what is what."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from januskv.storage.stream_ids cimport spell_id

cdef enum:
    MOST_HEAD = 24  # bytes of a mark, a number and a line end
    MOST_ID = 41


cdef inline char *_head(char *to, char mark, Py_ssize_t number) noexcept:
    """Write a mark, a number and a line end; where they end."""
    cdef char room[MOST_HEAD]
    cdef char *end = room + MOST_HEAD
    cdef char *at = end
    while True:
        at -= 1
        at[0] = <char>(c"0" + number % 10)
        number //= 10
        if number == 0:
            break
    to[0] = mark
    memcpy(to + 1, at, end - at)
    to += 1 + (end - at)
    to[0] = c"\r"
    to[1] = c"\n"
    return to + 2


cdef inline char *_string(char *to, const char *text, Py_ssize_t size) noexcept:
    to = _head(to, c"$", size)
    memcpy(to, text, size)
    to[size] = c"\r"
    to[size + 1] = c"\n"
    return to + size + 2


cpdef bytes entries_wire(list entries):
    """See ``entry_wire.py``."""
    cdef Py_ssize_t most = MOST_HEAD
    cdef tuple entry, fields
    cdef bytes text, wire
    cdef char room[MOST_ID]
    cdef char *at
    cdef char *to
    for entry in entries:
        fields = entry[1]
        most += 3 * MOST_HEAD + MOST_ID + 2 + len(fields) * (MOST_HEAD + 2)
        for text in fields:
            most += PyBytes_GET_SIZE(text)
    wire = PyBytes_FromStringAndSize(NULL, most)
    to = _head(PyBytes_AS_STRING(wire), c"*", len(entries))
    for entry in entries:
        fields = entry[1]
        memcpy(to, b"*2\r\n", 4)
        at = spell_id(room + MOST_ID, entry[0])
        to = _string(to + 4, at, room + MOST_ID - at)
        to = _head(to, c"*", len(fields))
        for text in fields:
            to = _string(to, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    return wire[: to - PyBytes_AS_STRING(wire)]
