cpdef Py_ssize_t written_members(bytes text)
