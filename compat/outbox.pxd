cdef class Outbox:
    cdef public list waiting
    cdef public object soon
    cpdef flush(self)
