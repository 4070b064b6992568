cimport cython
from januskv.storage.small_hashes cimport SmallHash, small
from januskv.storage.spelling cimport int64_of

cpdef object compact(object value)
cpdef object bytes_from_json(dict value)
@cython.locals(text=str)
cpdef object element_from_json(object value)
@cython.locals(text=str)
cpdef object from_json(object value)
cpdef object text_from_bytes(bytes value)
cpdef object element_to_json(object value)
cpdef object to_json(object value)
cpdef bytes text_of(object value)
cpdef object plus(object value, object increment)
