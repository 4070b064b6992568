cimport cython
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.small_hashes cimport SmallHash
from januskv.storage.values cimport compact, plus, text_of

cpdef bint is_small(object value) except -1
cpdef as_hash(object value)
cpdef hash_at(Keyspace keyspace, bytes key, object value)
cpdef hash_to_read(Keyspace keyspace, bytes key, object value)
cpdef without_expired(Keyspace keyspace, bytes key, object value)
@cython.locals(table=dict, packed=SmallHash, added=Py_ssize_t, before=Py_ssize_t)
cpdef put_fields(Keyspace keyspace, bytes key, dict fields, str event=*)
@cython.locals(table=dict, before=Py_ssize_t)
cpdef put_field(Keyspace keyspace, bytes key, bytes field, object value)
cpdef add_integer_to_field(Keyspace keyspace, bytes key, bytes field, object increment)
cpdef remove_fields(Keyspace keyspace, bytes key, object fields)
