from januskv.compat.redis.args cimport parse_int
from januskv.compat.server.context cimport ServerContext
from januskv.compat.server.scripting cimport Scripting

cimport cython

@cython.locals(count=cython.longlong)
cpdef tuple keys_and_args(list argv, str bad_number=*)
@cython.locals(scripting=Scripting)
cdef object _eval(ServerContext ctx, list argv, bint read_only)
@cython.locals(scripting=Scripting, sha=bytes)
cdef object _evalsha(ServerContext ctx, list argv, bint read_only)
