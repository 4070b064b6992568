from januskv.storage.keyspace cimport Keyspace
from januskv.storage.long_text cimport LongString
from januskv.storage.values cimport plus, text_of

cpdef bytes string_text(object value)
cpdef object data_of(object value)
cpdef Py_ssize_t size_of(object value) except -1
cpdef LongString opened(Keyspace keyspace, bytes key, bytes text)
cpdef LongString editable(Keyspace keyspace, bytes key)
cpdef edited(Keyspace keyspace, bytes key, LongString data, object parts, str event, Py_ssize_t elements=*)
cpdef append(Keyspace keyspace, bytes key, bytes part, object most_bytes)
cpdef overwrite(Keyspace keyspace, bytes key, object offset, bytes part, object most_bytes, str event=*)
cpdef set_bit(Keyspace keyspace, bytes key, object offset, bint bit)
cpdef add_integer(Keyspace keyspace, bytes key, object increment)
