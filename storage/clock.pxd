cdef class Clock:
    cdef public long long now_ms
    cpdef long long tick(self)

cdef class ManualClock(Clock):
    pass

cdef class ShiftedClock(Clock):
    cdef public long long offset_ms
