import cython

cpdef bint is_uint(object value)

cdef class ParamCheck:
    cdef public list rules, filled, optional
    cdef public object dialect, own, known
    cdef public bint strict, takes_token
    @cython.locals(present=cython.int)
    cpdef check(self, dict body)
