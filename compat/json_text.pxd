from januskv.compat.json_scan cimport written_members

cimport cython

cpdef object loads(bytes text)
@cython.locals(total=cython.Py_ssize_t, inner=cython.Py_ssize_t)
cpdef Py_ssize_t count_members(object value, Py_ssize_t room) except? -3
