cpdef Py_ssize_t count_in(bytes text) except -1
cpdef score_in(bytes text, bytes member)
cpdef with_score(bytes text, bytes member, double score)
cpdef without(bytes text, bytes member)
cpdef Py_ssize_t rank_in(bytes text, double score, bytes member) except -1
cpdef list pairs_in(bytes text, Py_ssize_t start, Py_ssize_t stop)
cpdef list names_in(bytes text, Py_ssize_t start, Py_ssize_t stop)
cpdef bytes cut_out(bytes text, Py_ssize_t start, Py_ssize_t stop)
