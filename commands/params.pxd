cpdef bint is_uint(object value)
