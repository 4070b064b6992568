from januskv.commands.context cimport Context
from januskv.compat.redis.args cimport Args, parse_int
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.stream_ids cimport id_text
from januskv.storage.stream_operations cimport append, begin, trim_before, trim_length
from januskv.storage.streams cimport Stream

cpdef Stream stream_of(object value)
cpdef entries_reply(list entries)

cdef class ReadOptions:
    cdef public bint block, noack
    cdef public object timeout_ms, most, group
    cdef public bytes consumer
    cdef public list names, ids
