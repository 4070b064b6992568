cpdef Py_ssize_t written_members(bytes text)
cpdef bint may_nest_deeper(bytes text, Py_ssize_t limit)
