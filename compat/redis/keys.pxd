from januskv.commands.context cimport Context
from januskv.storage.keyspace cimport Keyspace

# Handlers are decorated, which cpdef functions cannot be: their arguments are typed by annotation.
