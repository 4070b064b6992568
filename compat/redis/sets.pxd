from januskv.commands.context cimport Context
from januskv.storage.sets cimport add_members, as_set, pop_members, random_members, remove_members

# Handlers are decorated, which cpdef functions cannot be: their arguments are typed by annotation.
cpdef read_set(Context ctx, bytes name)
