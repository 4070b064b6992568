from januskv.storage.keyspace cimport Keyspace

cpdef as_list(object value)
cpdef list texts_of(list items)
cpdef add(object items, bint at_head, list new)
cpdef list take(object items, bint at_head, Py_ssize_t count)
cpdef tuple bounds(Py_ssize_t size, object start, object stop)
cpdef push(Keyspace keyspace, bytes key, object items, bint at_head, list new)
cpdef list pop(Keyspace keyspace, bytes key, object items, bint at_head, Py_ssize_t count)
