from januskv.commands.context cimport Context
from januskv.storage.keyspace cimport Keyspace

cimport cython

# Handlers are decorated, which cpdef functions cannot be: their arguments are typed by annotation.
cpdef object value_of(Keyspace keyspace, str name)
@cython.locals(name=str, values=dict)
cpdef store(Keyspace keyspace, dict keys)
