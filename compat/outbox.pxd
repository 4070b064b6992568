cdef class Outbox:
    cdef public list waiting
    cdef public object soon, gate
    cpdef flush(self)
