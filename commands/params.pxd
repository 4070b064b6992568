cpdef bint is_uint(object value)

cdef class ParamCheck:
    cdef public list rules, filled
    cdef public object dialect, own
    cpdef check(self, dict body)
