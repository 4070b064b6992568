cimport cython
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.long_lists cimport LongList
from januskv.storage.values cimport text_of

cpdef as_list(object value)
cpdef bint is_long(object items) except -1
cpdef list texts_of(list items)
cpdef add(object items, bint at_head, list new)
cpdef list take(object items, bint at_head, Py_ssize_t count)
cpdef tuple bounds(Py_ssize_t size, object start, object stop)
@cython.locals(in_blocks=LongList, size=Py_ssize_t)
cpdef push(Keyspace keyspace, bytes key, object items, bint at_head, list new)
cpdef list pop(Keyspace keyspace, bytes key, object items, bint at_head, Py_ssize_t count)
@cython.locals(in_blocks=LongList, left=Py_ssize_t)
cpdef pop_one(Keyspace keyspace, bytes key, object items, bint at_head)
cpdef set_item(Keyspace keyspace, bytes key, object items, Py_ssize_t index, object item)
cpdef insert_item(Keyspace keyspace, bytes key, object items, Py_ssize_t index, object item)
cpdef move_item(Keyspace keyspace, bytes source, bytes target, bint from_head, bint to_head)
