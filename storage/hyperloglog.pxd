cimport cython

cdef unsigned long long _SEED, _FACTOR, _ALL

@cython.locals(size=Py_ssize_t, whole=Py_ssize_t, at=Py_ssize_t, hashed=ulonglong, block=ulonglong)
cpdef murmur64a(bytes data)

@cython.locals(size=Py_ssize_t, code=int, following=int, count=int)
cdef _join(bytearray data, Py_ssize_t at)

@cython.locals(at=Py_ssize_t, shift=int, both=int)
cdef bint _raise_dense(bytearray data, Py_ssize_t register, int value) except -1

@cython.locals(at=Py_ssize_t, shift=int)
cdef int _dense_register(bytes data, Py_ssize_t register) except -1

cdef class Raising:
    cdef public bytearray data
    cdef public Py_ssize_t most_bytes, begin, first, after
    cdef public bint sparse

    cpdef bint raise_to(self, Py_ssize_t register, int value) except -1

    @cython.locals(
        data=bytearray,
        size=Py_ssize_t,
        at=Py_ssize_t,
        first=Py_ssize_t,
        before=Py_ssize_t,
        before_first=Py_ssize_t,
        earlier=Py_ssize_t,
        earlier_first=Py_ssize_t,
        code=int,
        count=Py_ssize_t,
        length=Py_ssize_t,
        old=int,
        left=Py_ssize_t,
        right=Py_ssize_t,
        growth=Py_ssize_t,
    )
    cpdef bint raise_sparse(self, Py_ssize_t register, int value) except -1
