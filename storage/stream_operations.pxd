from januskv.storage.keyspace cimport Keyspace
from januskv.storage.stream_ids cimport id_text
from januskv.storage.streams cimport Stream

cpdef bytes append(Keyspace keyspace, bytes key, Stream stream, object entry_id, tuple fields, Py_ssize_t most_bytes, Py_ssize_t most_entries)
cpdef Stream begin(Keyspace keyspace, bytes key, object entry_id, tuple fields, Py_ssize_t most_bytes, Py_ssize_t most_entries)
cpdef trim_length(Keyspace keyspace, bytes key, Stream stream, object most, bint approximate, object limit, bint counts=*)
cpdef trim_before(Keyspace keyspace, bytes key, Stream stream, object least_id, bint approximate, object limit, bint counts=*)
cpdef _trimmed(Keyspace keyspace, bytes key, Stream stream, object removed, bint counts)
