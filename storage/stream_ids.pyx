# cython: boundscheck=False, wraparound=False
"""Ids of stream entries, compiled; described in ``stream_ids.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t

from januskv.digits cimport MOST_PAIR, high_half, low_half, pair_before, read_int64

cdef enum:
    SEQ_BITS = 64


cpdef bytes id_text(object entry_id):
    """See ``stream_ids.py``."""
    cdef char room[MOST_PAIR]
    cdef char *end = room + MOST_PAIR
    cdef char *at = pair_before(end, entry_id)
    return PyBytes_FromStringAndSize(at, end - at)


cpdef tuple parts_of(list ids, object base):
    """See ``stream_ids.py``."""
    cdef uint64_t base_ms = high_half(base)
    cdef list ms = [], seqs = []
    for each in ids:
        ms.append(high_half(each) - base_ms)
        seqs.append(low_half(each))
    return ms, seqs


cpdef list ids_of(list ms, list seqs, object base):
    """See ``stream_ids.py``."""
    cdef uint64_t base_ms = high_half(base)
    cdef list found = []
    cdef Py_ssize_t at
    if len(ms) != len(seqs):
        raise ValueError("as many milliseconds as sequence numbers")
    for at in range(len(ms)):
        start = <object>(base_ms + <uint64_t>ms[at]) << SEQ_BITS
        seq = seqs[at]
        found.append(start | seq if seq else start)
    return found


cpdef Py_ssize_t integer_bytes(long long value) noexcept:
    """See ``stream_ids.py``."""
    if 0 <= value <= 127:
        return 2
    if -4096 <= value <= 4095:
        return 3
    if -(1 << 15) <= value < 1 << 15:
        return 4
    if -(1 << 23) <= value < 1 << 23:
        return 5
    return 6 if -(<long long>1 << 31) <= value < <long long>1 << 31 else 10


cpdef Py_ssize_t element_bytes(bytes text) except -1:
    """See ``stream_ids.py``."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    cdef long long value = 0
    if read_int64(PyBytes_AS_STRING(text), size, &value):
        return integer_bytes(value)
    size += 1 if size < 64 else 2 if size < 4096 else 5
    if size <= 127:
        return size + 1
    if size < 16383:
        return size + 2
    return size + (3 if size < 2097151 else 4 if size < 268435455 else 5)


cpdef Py_ssize_t texts_bytes(tuple texts, Py_ssize_t first, Py_ssize_t step) except -1:
    """See ``stream_ids.py``."""
    cdef Py_ssize_t at, size = 0
    for at in range(first, len(texts), step):
        size += element_bytes(<bytes?>texts[at])
    return size


cpdef Py_ssize_t distance_bytes(object entry_id, object base) except -1:
    """See ``stream_ids.py``."""
    cdef uint64_t ms = high_half(entry_id) - high_half(base), seq = low_half(entry_id), base_seq = low_half(base)
    cdef uint64_t far = <uint64_t>1 << 31  # greater integers take the maximum number of bytes
    cdef Py_ssize_t size = integer_bytes(<long long>(ms if ms < far else far))
    if seq >= base_seq:
        seq -= base_seq
        return size + integer_bytes(<long long>(seq if seq < far else far))
    seq = base_seq - seq
    return size + integer_bytes(-<long long>(seq if seq <= far else far + 1))
