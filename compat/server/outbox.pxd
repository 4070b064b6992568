cdef class Outbox:
    cdef public list waiting
    cdef public object soon, gate
    cdef public bint wake
    cpdef flush(self)
