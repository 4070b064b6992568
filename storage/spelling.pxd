cpdef object int64_of(bytes text)
