from januskv.commands.context cimport Context
from januskv.storage.sorted_sets cimport SortedSet

cpdef read_sorted_set(Context ctx, bytes name)
