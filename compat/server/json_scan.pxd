cpdef Py_ssize_t written_members(bytes text)
cpdef Py_ssize_t count_members(object value, Py_ssize_t room) except? -3
