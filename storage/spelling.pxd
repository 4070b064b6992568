cdef bint spells_int64(bytes text, long long *value) noexcept
cpdef object int64_of(bytes text)
