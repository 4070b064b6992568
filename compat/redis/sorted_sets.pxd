from januskv.commands.context cimport Context

cpdef read_sorted_set(Context ctx, bytes name)
