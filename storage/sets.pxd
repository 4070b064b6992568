cimport cython
from januskv.storage.keyspace cimport Keyspace

cpdef as_set(object value)
@cython.locals(held=set, before=Py_ssize_t, added=Py_ssize_t)
cpdef add_members(Keyspace keyspace, bytes key, object members)
cpdef remove_members(Keyspace keyspace, bytes key, object members, str event=*)
cpdef random_members(set held, Py_ssize_t count)
cpdef list pop_members(Keyspace keyspace, bytes key, set held, Py_ssize_t count)
