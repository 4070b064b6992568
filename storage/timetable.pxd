cimport cython

cdef class Timetable:
    cdef public long long step_ms
    cdef public dict deadlines, due
    cdef public list slots, overdue
    @cython.locals(slot=longlong)
    cpdef bint file(self, object item, long long deadline) except -1
    @cython.locals(bucket=set)
    cpdef bint put(self, object item, long long slot) except -1
    cpdef remove(self, object item)
    @cython.locals(slot=longlong, bucket=set)
    cpdef unfile(self, object item, long long deadline)
    cpdef long long next_ms(self) except? -2
    @cython.locals(overdue=list, deadlines=dict, found=list, bucket=set)
    cpdef list look(self, Py_ssize_t most, long long now_ms)
    @cython.locals(slots=list, due=dict, slot=longlong)
    cpdef collect(self, long long now_ms)
