cpdef number_of(bytes text, object error)
cpdef value_of(bytes text, object error=*)
cpdef time_of(bytes text, object now_ms)
