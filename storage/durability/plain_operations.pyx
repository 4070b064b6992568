"""The most common operations of the log, replayed from their bytes. Same contract as ``plain_operations.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from januskv.storage.keyspace cimport Keyspace

cdef enum Found:
    NOTHING  # or not whole
    NIL
    INTEGER
    UNSIGNED  # beyond 63 bits
    BINARY


cdef class _Reader:
    """Reads the values of plain operations."""

    cdef const unsigned char* at
    cdef const unsigned char* end
    cdef long long number
    cdef const unsigned char* data
    cdef Py_ssize_t size

    cdef uint64_t big_endian(self, int size) noexcept:
        cdef uint64_t number = 0
        cdef int i
        for i in range(size):
            number = number << 8 | self.at[i]
        self.at += size
        return number

    cdef Found next(self) noexcept:
        """Read one value: into ``number``, or into ``data`` and ``size``."""
        cdef Py_ssize_t left = self.end - self.at
        cdef uint8_t mark
        cdef int width
        if left < 1:
            return NOTHING
        mark = self.at[0]
        self.at += 1
        left -= 1
        if mark < 0x80 or mark >= 0xE0:
            self.number = <int8_t>mark
            return INTEGER
        if mark == 0xC0:
            return NIL
        if 0xC4 <= mark <= 0xC6:
            width = 1 << (mark - 0xC4)
            if left < width:
                return NOTHING
            self.size = <Py_ssize_t>self.big_endian(width)
            if self.size > left - width:
                return NOTHING
            self.data = self.at
            self.at += self.size
            return BINARY
        if 0xCC <= mark <= 0xD3:
            width = 1 << ((mark - 0xCC) & 3)
            if left < width:
                return NOTHING
            self.number = <long long>self.big_endian(width)
            if mark == 0xCF and self.number < 0:
                return UNSIGNED
            if mark == 0xD0:
                self.number = <int8_t>self.number
            elif mark == 0xD1:
                self.number = <int16_t>self.number
            elif mark == 0xD2:
                self.number = <int32_t>self.number
            return INTEGER
        return NOTHING


def redo_plain(store, bytes payload not None, Py_ssize_t at, Py_ssize_t stop):
    cdef _Reader reader = _Reader()
    cdef const unsigned char* start = <const unsigned char*>PyBytes_AS_STRING(payload)
    cdef list databases = store.databases
    cdef Keyspace keyspace = None
    cdef uint64_t place = 0
    cdef bint puts
    cdef Found found
    cdef bytes key
    cdef object value
    reader.at = start + at
    reader.end = start + PyBytes_GET_SIZE(payload)
    while reader.end - reader.at > 5 and reader.at - start < stop:
        at = reader.at - start
        puts = memcmp(reader.at, b"\x95\xa3put", 5) == 0
        if not puts and memcmp(reader.at, b"\x93\xa3del", 5) != 0:
            return at
        reader.at += 5
        found = reader.next()
        if found != UNSIGNED and (found != INTEGER or reader.number < 0):
            return at
        if keyspace is None or <uint64_t>reader.number != place:
            place = <uint64_t>reader.number
            if place < <uint64_t>len(databases):
                keyspace = databases[place]
            else:
                session = store.sessions.by_token.get(place)
                if session is None:
                    return at
                keyspace = session.keyspace
        if reader.next() != BINARY:
            return at
        key = PyBytes_FromStringAndSize(<const char*>reader.data, reader.size)
        if not puts:
            if key in keyspace.data:
                keyspace.forget(key)
            continue
        found = reader.next()
        if found == BINARY:
            value = PyBytes_FromStringAndSize(<const char*>reader.data, reader.size)
        elif found == INTEGER:
            value = reader.number
        else:
            return at
        found = reader.next()
        if found != NIL and found != INTEGER:
            return at
        if (
            keyspace.deadlines or keyspace.series_count or keyspace.field_due is not None or keyspace.marks is not None
        ) and key in keyspace.data:
            keyspace.forget(key)
        keyspace.data[key] = value
        if found == INTEGER:
            keyspace.file_deadline(key, reader.number)
    return reader.at - start
