cpdef bytes id_text(object entry_id)
cpdef tuple parts_of(list ids, object base)
cpdef list ids_of(list ms, list seqs, object base)
cpdef Py_ssize_t integer_bytes(long long value) noexcept
cpdef Py_ssize_t element_bytes(bytes text) except -1
cpdef Py_ssize_t texts_bytes(tuple texts, Py_ssize_t first, Py_ssize_t step) except -1
cpdef Py_ssize_t distance_bytes(object entry_id, object base) except -1
