cpdef long long now_ns() noexcept
