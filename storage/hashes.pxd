from januskv.storage.keyspace cimport Keyspace

cpdef as_hash(object value)
cpdef hash_at(Keyspace keyspace, bytes key, object value)
cpdef put_fields(Keyspace keyspace, bytes key, dict fields, str event=*)
cpdef remove_fields(Keyspace keyspace, bytes key, object fields)
