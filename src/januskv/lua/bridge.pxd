# Types for bridge.pyx.

ctypedef void* State

cdef class _Body:
    cdef Bridge bridge
    cdef int place

cdef class Bridge:
    cdef State state
    cdef object runtime  # of lupa: as long as this lives its state is open
    # Lua functions: what redis.call gives its words to, and parts of cmsgpack.unpack and cjson.encode
    cdef readonly object command, unpack, encode
    cdef object hand, call, converted, set_max_memory
    cdef size_t limit
    cdef public bint three
    cdef readonly bint limited
    cdef _Body reset_script, reset_function, finish, error_handler, globals, dirty

    cpdef object release(self)
    cpdef bint has_room(self, list keys, list arguments) except -1
    cpdef object run(self, _Body body, list keys, list arguments, bint function)
    cdef object result(self, State state, int place, int depth)
    cdef object items(self, State state, int place, int depth)
    cdef int serve(self, State state) noexcept
    cdef int convert(self, State state, object reply) noexcept
    cdef int tokens(self, State state, tuple values) noexcept
    cdef bint push(self, State state, object reply) except -1
    cdef bint fits(self, State state, Py_ssize_t size) noexcept
    cdef Py_ssize_t size(self, object reply, int depth) except -2
    cdef int put(self, State state, object reply) except -1
