cimport cython

cdef unsigned long long _SEED, _FACTOR, _ALL

@cython.locals(size=Py_ssize_t, whole=Py_ssize_t, at=Py_ssize_t, hashed=ulonglong, block=ulonglong)
cpdef murmur64a(bytes data)

@cython.locals(at=Py_ssize_t, first=Py_ssize_t, size=Py_ssize_t, code=int, length=Py_ssize_t, count=Py_ssize_t, old=int, left=Py_ssize_t, right=Py_ssize_t)
cdef _raised_sparse(bytes data, Py_ssize_t register, int value)
