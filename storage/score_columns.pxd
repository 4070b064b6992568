from cpython cimport array

cpdef array.array column(object scores)
cpdef Py_ssize_t first_from(array.array scores, double score) except -1
cpdef Py_ssize_t first_behind(array.array scores, double score, Py_ssize_t start) except -1
cpdef put_in(array.array scores, Py_ssize_t place, double score)
cpdef cut_from(array.array scores, Py_ssize_t place, Py_ssize_t count)
