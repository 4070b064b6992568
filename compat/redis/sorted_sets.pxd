cimport cython
from januskv.commands.context cimport Context
from januskv.compat.redis.args cimport parse_float, parse_int
from januskv.storage.lists cimport bounds
from januskv.storage.sorted_sets cimport SortedSet, as_sorted_set, put_scores

cpdef SortedSet read_sorted_set(Context ctx, bytes name)
@cython.locals(sorted_set=SortedSet)
cpdef pop_command(Context ctx, list[bytes] argv, bint at_low)
