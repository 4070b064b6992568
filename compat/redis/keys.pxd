from januskv.commands.context cimport Context
from januskv.storage.keyspace cimport Keyspace

# Handlers are decorated, which cpdef functions cannot be: their arguments are typed by annotation.
cpdef object remove(Context ctx, list argv)
cpdef object set_deadline(Context ctx, list argv, long long unit, bint relative, str verb)
cpdef object deadline_or(Context ctx, bytes name)
