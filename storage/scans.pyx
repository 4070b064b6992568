# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Loops over the samples of chunks, on the packed bytes and in C. Same contract as ``scans.py``."""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport fabs, isfinite, isinf, sqrt
from libc.stdint cimport (
    INT8_MAX,
    INT8_MIN,
    INT16_MAX,
    INT16_MIN,
    INT32_MAX,
    INT32_MIN,
    INT64_MAX,
    int8_t,
    int16_t,
    int32_t,
    int64_t,
    uint64_t,
)
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy

from januskv.storage.chunks cimport Chunk

from sys import getsizeof

from januskv.storage.chunks import CHUNK_BYTES
from januskv.storage.lazily import lazily

np = lazily("numpy")

cdef enum:
    MOST = 4096  # samples of a chunk
    EVEN = 0
    WHOLE = 16
    NARROWEST = 5  # of the forms with one number subtracted from all values
    QUEUE = 8192  # values that wait to be summed: as many as stay in the cache
    GROUPS = 64  # whose values wait

cdef Py_ssize_t _chunk_bytes = CHUNK_BYTES
cdef Py_ssize_t _bytes_head = getsizeof(b"")
cdef double[6] _SCALES = [1.0, 10.0, 100.0, 1000.0, 1e4, 1e6]  # as in chunks.py

cdef enum:
    SUM, AVG, COUNT, LEAST, GREATEST, RANGE, FIRST, LAST, VAR_P, VAR_S, STD_P, STD_S, COUNT_NAN, COUNT_ALL

cdef dict _CODES = {
    "sum": SUM, "avg": AVG, "count": COUNT, "min": LEAST, "max": GREATEST, "range": RANGE, "first": FIRST,
    "last": LAST, "var.p": VAR_P, "var.s": VAR_S, "std.p": STD_P, "std.s": STD_S, "countNaN": COUNT_NAN,
    "countAll": COUNT_ALL,
}  # fmt: skip
cdef double GREATEST_DOUBLE = 1.7976931348623157e308
cdef double NAN = float("nan")
cdef double INFINITE = float("inf")

ctypedef fused small:
    int8_t
    int16_t
    int32_t

ctypedef fused difference:
    int8_t
    int16_t
    int32_t
    int64_t

cdef int64_t[MOST] _times
cdef double[MOST] _values
cdef double[QUEUE] _queue


# ---------------------------------------------------------------- columns


cdef void _add_up(const difference *steps, Py_ssize_t count, int64_t time, int64_t *out) noexcept:
    cdef Py_ssize_t i
    out[0] = time
    for i in range(count - 1):
        time += steps[i]
        out[i + 1] = time


cdef void _unscale(const small *numbers, Py_ssize_t count, double scale, double *out) noexcept:
    """Divide by a power of ten, rounded like a division but faster.

    ``high`` has so few binary digits that its product with 32 bits is exact; with ``low`` the inverse of the scale has 75.
    No quotient lies close enough to the middle of two doubles to be misrounded: for powers of ten up to the sixth the
    nearest one is further away than 2 ** -68 of it.
    """
    cdef double high = 1 / scale, low, number
    cdef uint64_t octets
    cdef Py_ssize_t i
    memcpy(&octets, &high, 8)
    octets = octets >> 31 << 31
    memcpy(&high, &octets, 8)
    low = (1 - scale * high) / scale
    for i in range(count):
        number = numbers[i]
        out[i] = number * high + number * low


cdef void _add_base(const unsigned char *raw, Py_ssize_t count, int width, uint64_t *out) noexcept:
    """Numbers of some bytes each, followed by the number that was subtracted from them."""
    cdef uint64_t mask = (<uint64_t>1 << 8 * width) - 1, base, number
    cdef Py_ssize_t i
    memcpy(&base, raw + width * count, 8)
    if width == 7:  # the compiler optimizes constants better
        mask = (<uint64_t>1 << 56) - 1
        for i in range(count):
            memcpy(&number, raw + 7 * i, 8)
            out[i] = base + (number & mask)
        return
    for i in range(count):
        memcpy(&number, raw + width * i, 8)
        out[i] = base + (number & mask)


cdef void read_times(Chunk chunk, int64_t *out):
    cdef const char *raw
    cdef int64_t step
    cdef Py_ssize_t i
    if chunk.open_times is not None:
        memcpy(out, (<array.array>chunk.open_times).data.as_longlongs, chunk.count * sizeof(int64_t))
        return
    raw = PyBytes_AS_STRING(chunk.packed_times)
    if chunk.times_form == EVEN:
        step = (<const int64_t *>raw)[0]
        for i in range(chunk.count):
            out[i] = chunk.first + i * step
    elif chunk.times_form == 1:
        _add_up(<const int8_t *>raw, chunk.count, chunk.first, out)
    elif chunk.times_form == 2:
        _add_up(<const int16_t *>raw, chunk.count, chunk.first, out)
    elif chunk.times_form == 4:
        _add_up(<const int32_t *>raw, chunk.count, chunk.first, out)
    elif chunk.times_form == 8:
        _add_up(<const int64_t *>raw, chunk.count, chunk.first, out)
    else:
        memcpy(out, raw, chunk.count * sizeof(int64_t))


cdef void read_values(Chunk chunk, double *out):
    cdef const char *raw
    if chunk.open_values is not None:
        memcpy(out, (<array.array>chunk.open_values).data.as_doubles, chunk.count * sizeof(double))
        return
    raw = PyBytes_AS_STRING(chunk.packed_values)
    if chunk.values_form == 1:
        _unscale(<const int8_t *>raw, chunk.count, chunk.scale, out)
    elif chunk.values_form == 2:
        _unscale(<const int16_t *>raw, chunk.count, chunk.scale, out)
    elif chunk.values_form == 4:
        _unscale(<const int32_t *>raw, chunk.count, chunk.scale, out)
    elif chunk.values_form < 8:
        _add_base(<const unsigned char *>raw, chunk.count, chunk.values_form, <uint64_t *>out)
    else:
        memcpy(out, raw, chunk.count * sizeof(double))


def read_columns(chunks):
    """See ``scans.py``."""
    cdef Py_ssize_t total = 0, done = 0
    cdef Chunk chunk
    for chunk in chunks:
        total += chunk.count
    times, values = np.empty(total, np.int64), np.empty(total, np.float64)
    cdef int64_t[::1] to_times = times
    cdef double[::1] to_values = values
    for chunk in chunks:
        read_times(chunk, &to_times[done])
        read_values(chunk, &to_values[done])
        done += chunk.count
    return times, values


# ---------------------------------------------------------------- packing


cdef int _width_of(int64_t least, int64_t greatest) noexcept:
    """How many bytes hold all integers between two."""
    if INT8_MIN <= least and greatest <= INT8_MAX:
        return 1
    if INT16_MIN <= least and greatest <= INT16_MAX:
        return 2
    return 4 if INT32_MIN <= least and greatest <= INT32_MAX else 8


cdef bytes _steps(const int64_t *times, Py_ssize_t count, int width):
    """The differences of times in ``width`` bytes each."""
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, (count - 1) * width)
    cdef char *out = PyBytes_AS_STRING(packed)
    cdef int64_t step
    cdef Py_ssize_t i
    for i in range(count - 1):
        step = times[i + 1] - times[i]
        if width == 1:
            (<int8_t *>out)[i] = <int8_t>step
        elif width == 2:
            (<int16_t *>out)[i] = <int16_t>step
        elif width == 4:
            (<int32_t *>out)[i] = <int32_t>step
        else:
            (<int64_t *>out)[i] = step
    return packed


cdef int _pack_times(Chunk chunk, const int64_t *times, Py_ssize_t count) except -1:
    cdef int64_t first = times[1] - times[0], least = first, greatest = first, step
    cdef Py_ssize_t i
    for i in range(1, count - 1):
        step = times[i + 1] - times[i]
        least = step if step < least else least
        greatest = step if step > greatest else greatest
    if least == greatest:
        chunk.times_form = EVEN
        chunk.packed_times = PyBytes_FromStringAndSize(<const char *>&first, 8)
    else:
        chunk.times_form = _width_of(least, greatest)
        chunk.packed_times = _steps(times, count, chunk.times_form)
    return 0


cdef inline int64_t _rounded(double number) noexcept:
    """The integer nearest to a number below 2 ** 31: the sum has no digits left for the fraction."""
    return <int64_t>((number + 6755399441055744.0) - 6755399441055744.0)  # 1.5 * 2 ** 52


cdef bint _fits(const double *values, Py_ssize_t count, double scale, int64_t *least, int64_t *greatest) noexcept:
    """Whether the values are exactly 32-bit integers divided by a power of ten; and their least and greatest."""
    cdef double number, again
    cdef int64_t integer
    cdef Py_ssize_t i
    least[0] = INT64_MAX
    greatest[0] = -INT64_MAX
    for i in range(count):
        number = values[i] * scale
        if not fabs(number) < 2147483647:
            return False
        integer = _rounded(number)
        again = integer / scale
        if memcmp(&again, &values[i], 8):  # distinguishes -0 from 0
            return False
        least[0] = integer if integer < least[0] else least[0]
        greatest[0] = integer if integer > greatest[0] else greatest[0]
    return True


cdef int _pack_values(Chunk chunk, const double *values, Py_ssize_t count) except -1:
    cdef int64_t least, greatest, integer
    cdef uint64_t lowest, highest, number
    cdef const uint64_t *numbers = <const uint64_t *>values
    cdef double scale
    cdef Py_ssize_t i
    cdef char *out
    cdef int width, at
    for at in range(6):
        scale = _SCALES[at]
        if not _fits(values, count, scale, &least, &greatest):
            continue
        width = _width_of(least, greatest)
        chunk.packed_values = PyBytes_FromStringAndSize(NULL, count * width)
        out = PyBytes_AS_STRING(chunk.packed_values)
        for i in range(count):
            integer = _rounded(values[i] * scale)
            if width == 1:
                (<int8_t *>out)[i] = <int8_t>integer
            elif width == 2:
                (<int16_t *>out)[i] = <int16_t>integer
            else:
                (<int32_t *>out)[i] = <int32_t>integer
        chunk.values_form = width
        chunk.scale = scale
        return 0
    lowest = highest = numbers[0]
    for i in range(count):
        lowest = numbers[i] if numbers[i] < lowest else lowest
        highest = numbers[i] if numbers[i] > highest else highest
    width = NARROWEST
    while width < 8 and (highest - lowest) >> 8 * width:
        width += 1
    chunk.values_form = width
    if width == 8:
        chunk.packed_values = PyBytes_FromStringAndSize(<const char *>values, count * 8)
        return 0
    chunk.packed_values = PyBytes_FromStringAndSize(NULL, count * width + 8)
    out = PyBytes_AS_STRING(chunk.packed_values)
    for i in range(count):
        number = numbers[i] - lowest
        memcpy(out + i * width, &number, 8)  # the excess is overwritten by the next
    memcpy(out + count * width, &lowest, 8)
    return 0


cdef int _pack(Chunk chunk, const int64_t *times, const double *values, bint compressed) except -1:
    """Store samples in a chunk in the form that takes the least memory."""
    cdef Py_ssize_t count = chunk.count
    chunk.times_form = WHOLE
    chunk.values_form = 8
    chunk.scale = 1
    if compressed and count > 1:
        _pack_times(chunk, times, count)
        _pack_values(chunk, values, count)
    else:
        chunk.packed_times = PyBytes_FromStringAndSize(<const char *>times, count * 8)
        chunk.packed_values = PyBytes_FromStringAndSize(<const char *>values, count * 8)
    chunk.open_times = chunk.open_values = None
    return 0


cpdef seal(Chunk chunk, bint compressed):
    """See ``scans.py``."""
    read_times(chunk, _times)
    read_values(chunk, _values)
    _pack(chunk, _times, _values, compressed)


cpdef absorb(Chunk chunk, Chunk younger, bint compressed):
    """See ``scans.py``."""
    read_times(chunk, _times)
    read_values(chunk, _values)
    read_times(younger, _times + chunk.count)
    read_values(younger, _values + chunk.count)
    chunk.count += younger.count
    chunk.last = younger.last
    _pack(chunk, _times, _values, compressed)


cpdef append_run(Chunk chunk, tuple times, tuple values):
    """See ``scans.py``."""
    cdef Py_ssize_t count = len(times), i
    cdef bytes raw = PyBytes_FromStringAndSize(NULL, 8 * count)
    cdef char *out = PyBytes_AS_STRING(raw)
    for i in range(count):
        (<int64_t *>out)[i] = times[i]
    chunk.open_times.frombytes(raw)
    for i in range(count):
        (<double *>out)[i] = values[i]
    chunk.open_values.frombytes(raw)
    chunk.count += count
    chunk.last = times[count - 1]


cpdef Py_ssize_t memory_bytes(list chunks):
    """See ``scans.py``."""
    cdef Py_ssize_t total = _chunk_bytes * len(chunks)
    cdef Chunk chunk
    for chunk in chunks:
        if chunk.open_times is None:
            total += 2 * _bytes_head + PyBytes_GET_SIZE(chunk.packed_times) + PyBytes_GET_SIZE(chunk.packed_values)
        else:
            total += <Py_ssize_t>getsizeof(chunk.open_times) + <Py_ssize_t>getsizeof(chunk.open_values)
    return total


# ---------------------------------------------------------------- buckets


cdef inline int64_t _begin_of(int64_t time, int64_t bucket, int64_t align) noexcept:
    """The begin of a time's bucket."""
    cdef int64_t past = (time - align) % bucket
    return time - (past + bucket if past < 0 else past)


cdef inline int64_t _end_of(int64_t begin, int64_t bucket) noexcept:
    """The last time that belongs to a bucket."""
    return INT64_MAX if begin > INT64_MAX - (bucket - 1) else begin + (bucket - 1)


cdef inline Py_ssize_t _first_behind(const int64_t *times, Py_ssize_t at, Py_ssize_t stop, int64_t time) noexcept:
    """The first place from ``at`` on whose time is greater. Steps double, then halve: runs may be short or long."""
    cdef Py_ssize_t step = 1, low, high, middle
    if times[stop - 1] <= time:
        return stop
    low = at
    while low + step < stop and times[low + step] <= time:
        low += step
        step *= 2
    high = low + step if low + step < stop else stop - 1
    while low < high:  # times[high] is greater
        middle = (low + high) // 2
        if times[middle] <= time:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline Py_ssize_t _first_from(const int64_t *times, Py_ssize_t at, Py_ssize_t stop, int64_t time) noexcept:
    """The first place from ``at`` on whose time is not less, ``stop`` where there is none. Steps go back from the end."""
    cdef Py_ssize_t step = 1, low, high = stop, middle
    if at == stop or times[stop - 1] < time:
        return stop
    high = stop - 1
    while high - step >= at and times[high - step] >= time:
        high -= step
        step *= 2
    low = high - step + 1 if high - step >= at else at
    while low < high:  # times[high] is not less
        middle = (low + high) // 2
        if times[middle] < time:
            low = middle + 1
        else:
            high = middle
    return low


def split(const int64_t[::1] times not None, int64_t bucket, int64_t align):
    """See ``scans.py``."""
    cdef Py_ssize_t at = 0, groups = 0, stop = times.shape[0]
    found, begins = np.empty(stop, np.intp), np.empty(stop, np.int64)
    cdef Py_ssize_t[::1] to_found = found
    cdef int64_t[::1] to_begins = begins
    while at < stop:
        to_found[groups] = at
        to_begins[groups] = _begin_of(times[at], bucket, align)
        at = _first_behind(&times[0], at, stop, _end_of(to_begins[groups], bucket))
        groups += 1
    return found[:groups].copy(), begins[:groups].copy()


# ---------------------------------------------------------------- aggregation


cdef struct Group:
    int64_t begin
    int64_t end
    Py_ssize_t count  # of values
    Py_ssize_t empty  # NaN
    Py_ssize_t at  # where its values that wait to be summed begin
    Py_ssize_t stop
    double total
    double squares  # sum of the squared values
    double average  # instead of the total if that is too big for a double
    bint overflown
    double least
    double greatest
    double first  # in reading order
    double last


cdef struct Again:  # a row whose variance needs a second pass over the values; the count is 0 if not
    Py_ssize_t count
    double mean
    double spread  # squared distances from the mean


cdef void _open(Group *group, int64_t begin, int64_t bucket) noexcept:
    group.begin = begin
    group.end = _end_of(begin, bucket)
    group.count = group.empty = group.at = group.stop = 0
    group.total = group.squares = group.average = 0
    group.overflown = False
    group.least = INFINITE
    group.greatest = -INFINITE


cdef void _take_average(Group *group, Py_ssize_t taken, double total) noexcept:
    """Update the running mean of values whose sum is too big for a double."""
    cdef Py_ssize_t i
    cdef double value
    cdef long double average
    for i in range(group.at, group.stop):
        taken += 1
        value = _queue[i]
        if group.overflown:
            average = <long double>group.average / taken * (taken - 1)
        elif isinf(value) or fabs(total) <= GREATEST_DOUBLE - fabs(value) or (total < 0) != (value < 0):
            total += value
            continue
        else:
            group.overflown = True
            average = <long double>total / taken
        group.average = <double>(average + <long double>value / taken)


cdef void _add_side_by_side(Group *groups, Py_ssize_t count, bint squares) noexcept:
    """Add the waiting values of some groups, or their squares, one by one: the rounding of a sum depends on the order.

    An addition waits for the one before it; meanwhile the processor can do those of other groups.
    """
    cdef Group *lanes[4]
    cdef const double *values[4]
    cdef const double *p
    cdef const double *q
    cdef const double *r
    cdef const double *s
    cdef Py_ssize_t[4] left = [0, 0, 0, 0]
    cdef double[4] totals = [0, 0, 0, 0]
    cdef double a, b, c, d
    cdef Py_ssize_t next = 0, least, i
    cdef int lane
    while True:
        least = QUEUE
        for lane in range(4):
            while not left[lane] and next < count:
                lanes[lane] = &groups[next]
                values[lane] = _queue + groups[next].at
                left[lane] = groups[next].stop - groups[next].at
                totals[lane] = groups[next].squares if squares else groups[next].total
                next += 1
            least = left[lane] if left[lane] < least else least
        if not least:
            break
        a, b, c, d = totals[0], totals[1], totals[2], totals[3]
        p, q, r, s = values[0], values[1], values[2], values[3]
        if squares:
            for i in range(least):
                a += p[i] * p[i]
                b += q[i] * q[i]
                c += r[i] * r[i]
                d += s[i] * s[i]
        else:
            for i in range(least):
                a += p[i]
                b += q[i]
                c += r[i]
                d += s[i]
        totals[0], totals[1], totals[2], totals[3] = a, b, c, d
        for lane in range(4):
            left[lane] -= least
            values[lane] += least
            if not left[lane]:
                _keep_sum(lanes[lane], totals[lane], squares)
    for lane in range(4):
        if left[lane]:
            a, p = totals[lane], values[lane]
            for i in range(left[lane]):
                a += p[i] * p[i] if squares else p[i]
            _keep_sum(lanes[lane], a, squares)


cdef inline void _keep_sum(Group *group, double total, bint squares) noexcept:
    if squares:
        group.squares = total
        return
    if group.overflown or not isfinite(total):
        _take_average(group, group.count - (group.stop - group.at), group.total)
    group.total = total


cdef void _take_extremes(Group *group, const double *values, Py_ssize_t count) noexcept:
    """Find the extremes of a run of values, four side by side, for which the processor is fast."""
    cdef Py_ssize_t i, whole = count - count % 4
    cdef double[4] least
    cdef double[4] greatest
    least[0] = least[1] = least[2] = least[3] = group.least
    greatest[0] = greatest[1] = greatest[2] = greatest[3] = group.greatest
    for i in range(0, whole, 4):
        least[0] = values[i] if values[i] < least[0] else least[0]
        least[1] = values[i + 1] if values[i + 1] < least[1] else least[1]
        least[2] = values[i + 2] if values[i + 2] < least[2] else least[2]
        least[3] = values[i + 3] if values[i + 3] < least[3] else least[3]
        greatest[0] = values[i] if values[i] > greatest[0] else greatest[0]
        greatest[1] = values[i + 1] if values[i + 1] > greatest[1] else greatest[1]
        greatest[2] = values[i + 2] if values[i + 2] > greatest[2] else greatest[2]
        greatest[3] = values[i + 3] if values[i + 3] > greatest[3] else greatest[3]
    for i in range(whole, count):
        least[0] = values[i] if values[i] < least[0] else least[0]
        greatest[0] = values[i] if values[i] > greatest[0] else greatest[0]
    for i in range(4):
        group.least = least[i] if least[i] < group.least else group.least
        group.greatest = greatest[i] if greatest[i] > group.greatest else group.greatest


cdef void _take_ends(Group *group, double oldest, double newest, Py_ssize_t count, bint reverse) noexcept:
    """Note the first and the last value of a run."""
    if not group.count:
        group.first = newest if reverse else oldest
    group.last = oldest if reverse else newest
    group.count += count


cdef void _take_packed(
    Group *group, const small *numbers, Py_ssize_t count, double scale, bint sums, bint extremes, bint reverse
) noexcept:
    """Add a run of packed values to a group. Their integer sum is exact if the scale is 1."""
    cdef Py_ssize_t i
    cdef int64_t total = 0
    cdef small least, greatest
    if sums:
        for i in range(count):
            total += numbers[i]
        group.total += total
    if extremes:
        least = greatest = numbers[0]
        for i in range(count):
            least = numbers[i] if numbers[i] < least else least
            greatest = numbers[i] if numbers[i] > greatest else greatest
        if least / scale < group.least:
            group.least = least / scale
        if greatest / scale > group.greatest:
            group.greatest = greatest / scale
    _take_ends(group, numbers[0] / scale, numbers[count - 1] / scale, count, reverse)


cdef bint _all_real(Chunk chunk) noexcept:
    """Whether the form of a chunk rules out NaN, which has all exponent bits set."""
    cdef uint64_t base
    if chunk.open_values is not None or chunk.values_form == 8:
        return False
    if chunk.values_form < NARROWEST:
        return True
    memcpy(&base, PyBytes_AS_STRING(chunk.packed_values) + chunk.values_form * chunk.count, 8)
    return (base >> 52 & 0x7FF) + 16 < 0x7FF


cdef Py_ssize_t _count_empty(const double *values, Py_ssize_t count) noexcept:
    cdef Py_ssize_t i, empty = 0
    for i in range(count):
        empty += values[i] != values[i]
    return empty


cdef void _take(
    Group *group, const double *values, Py_ssize_t count, bint all_real, bint extremes, bint reverse
) noexcept:
    """Add a run of values to a group that needs no sums."""
    cdef Py_ssize_t i, at
    if not all_real and _count_empty(values, count):
        for i in range(count):
            at = count - 1 - i if reverse else i
            if values[at] != values[at]:
                group.empty += 1
            else:
                _take(group, values + at, 1, True, extremes, reverse)
        return
    if extremes:
        _take_extremes(group, values, count)
    _take_ends(group, values[0], values[count - 1], count, reverse)


cdef double _variance(const Group *group, bint *doubtful) noexcept:
    """The variance from the sums, as ``downsampling.variances`` makes it; ``doubtful`` if it needs a second pass over the values."""
    cdef double count = <double>group.count, mean = group.total / count
    cdef double variance = (group.squares - 2 * group.total * group.total / count + mean * mean * count) / count
    if variance > 1e-9 * (group.squares / count):
        return variance
    if not group.greatest - group.least == 0:
        doubtful[0] = True
    return 0


cdef inline double _spread(double variance, double count, int code) noexcept:
    """The result of a function of a variance."""
    if code == VAR_S or code == STD_S:
        variance = variance * count / (count - 1) if count > 1 else 0
    return variance if code == VAR_P or code == VAR_S else sqrt(variance)


cdef double _result(const Group *group, int code, bint *doubtful) noexcept:
    """The result of a function for a group, as in ``downsampling``; NaN or 0 without values."""
    if code == COUNT:
        return group.count
    if code == COUNT_NAN:
        return group.empty
    if code == COUNT_ALL:
        return group.count + group.empty
    if code == SUM:
        return group.total
    if not group.count:
        return NAN
    if code == AVG:
        return group.average if group.overflown else group.total / group.count
    if code == LEAST:
        return group.least
    if code == GREATEST:
        return group.greatest
    if code == RANGE:
        return group.greatest - group.least
    if code == FIRST:
        return group.first
    if code == LAST:
        return group.last
    return _spread(_variance(group, doubtful), group.count, code)


cdef class Buckets:
    """Takes runs of samples in reading order and keeps a row of results for each closed bucket.

    Values whose sums are needed wait in a queue until those of several buckets can be summed side by side.
    """

    cdef Group[GROUPS] groups  # the last one is that of the open bucket
    cdef Py_ssize_t open
    cdef bint started, sums, extremes, squares, reverse
    cdef bint doubtful  # a row's variance needs a second pass over the values
    cdef Again *again  # of each row, if there are variances
    cdef bint all_real  # no value being read is NaN
    cdef int64_t bucket, align
    cdef int64_t step  # between times of the current chunk; 0 if they are in _times
    cdef int columns
    cdef int[32] codes
    cdef int64_t *begins
    cdef double *results  # row after row
    cdef Py_ssize_t rows, room, queued, length  # of the last run

    def __cinit__(self):
        self.begins = NULL
        self.results = NULL
        self.again = NULL

    def __dealloc__(self):
        free(self.again)
        free(self.begins)
        free(self.results)

    def __init__(self, functions, int64_t bucket, int64_t align, bint reverse):
        cdef int code
        self.bucket = bucket
        self.align = align
        self.reverse = reverse
        for name in functions:
            code = _CODES[name]
            self.codes[self.columns] = code
            self.columns += 1
            self.squares = self.squares or code in (VAR_P, VAR_S, STD_P, STD_S)
            self.sums = self.sums or self.squares or code in (SUM, AVG)
            self.extremes = self.extremes or self.squares or code in (LEAST, GREATEST, RANGE)

    cdef int close(self, const Group *group) except -1:
        """Store the results of a closed bucket."""
        cdef bint doubtful = False
        cdef void *grown
        cdef int i
        if self.rows == self.room:
            self.room = max(1024, 2 * self.room)
            grown = realloc(self.begins, self.room * sizeof(int64_t))
            if grown == NULL:
                raise MemoryError
            self.begins = <int64_t *>grown
            grown = realloc(self.results, self.room * self.columns * sizeof(double))
            if grown == NULL:
                raise MemoryError
            self.results = <double *>grown
            if self.squares:
                grown = realloc(self.again, self.room * sizeof(Again))
                if grown == NULL:
                    raise MemoryError
                self.again = <Again *>grown
        self.begins[self.rows] = group.begin
        for i in range(self.columns):
            self.results[self.rows * self.columns + i] = _result(group, self.codes[i], &doubtful)
        if self.squares:
            self.again[self.rows].count = group.count if doubtful else 0
            self.again[self.rows].mean = group.total / group.count if doubtful else 0
            self.again[self.rows].spread = 0
            self.doubtful = self.doubtful or doubtful
        self.rows += 1
        return 0

    cdef int settle(self) except -1:
        """Sum the waiting values, and store the results of the closed buckets."""
        cdef Py_ssize_t i, count = self.open + 1
        if not self.started:
            return 0
        if self.squares:
            _add_side_by_side(self.groups, count, True)
        if self.sums:
            _add_side_by_side(self.groups, count, False)
        for i in range(self.open):
            self.close(&self.groups[i])
        self.groups[0] = self.groups[self.open]
        self.groups[0].at = self.groups[0].stop = self.open = 0
        return 0

    cdef int finish(self) except -1:
        """Store the results of the last bucket too."""
        self.settle()
        if self.started:
            self.close(&self.groups[0])
        return 0

    cdef int look_again(self, chunks, int64_t low, int64_t high) except -1:
        """Recompute the variances that lost too many digits, from the distances from the mean, added one by one."""
        cdef Chunk chunk
        cdef Py_ssize_t i, at, row = 0
        cdef double distance
        cdef Again *again
        cdef int column
        for chunk in reversed(chunks) if self.reverse else chunks:
            if chunk.last < low or chunk.first > high:
                continue
            read_times(chunk, _times)
            read_values(chunk, _values)
            for i in range(chunk.count):
                at = chunk.count - 1 - i if self.reverse else i
                if not low <= _times[at] <= high:
                    continue
                while _times[at] < self.begins[row] if self.reverse else _times[at] > _end_of(self.begins[row], self.bucket):
                    row += 1
                if _values[at] == _values[at]:
                    distance = _values[at] - self.again[row].mean
                    self.again[row].spread += distance * distance
        for row in range(self.rows):
            again = &self.again[row]
            if again.count:
                for column in range(self.columns):
                    if self.codes[column] in (VAR_P, VAR_S, STD_P, STD_S):
                        self.results[row * self.columns + column] = _spread(
                            again.spread / again.count, again.count, self.codes[column]
                        )
        return 0

    cdef int turn(self, int64_t time) except -1:
        """Open the bucket of a time that is not in the open one."""
        if self.open == GROUPS - 1:
            self.settle()
        cdef int64_t begin
        if self.started and not self.reverse and time - self.groups[self.open].end <= self.bucket:
            begin = self.groups[self.open].end + 1  # a division takes longer
        else:
            begin = _begin_of(time, self.bucket, self.align)
        if self.started:
            self.open += 1
        self.started = True
        _open(&self.groups[self.open], begin, self.bucket)
        return 0

    cdef inline int64_t time_of(self, Chunk chunk, Py_ssize_t at) noexcept:
        return chunk.first + at * self.step if self.step else _times[at]

    cdef inline Py_ssize_t behind(self, Chunk chunk, Py_ssize_t at, Py_ssize_t stop, int64_t time) noexcept:
        """The first place from ``at`` on whose time is greater."""
        cdef Py_ssize_t place
        if not self.step:
            return _first_behind(_times, at, stop, time)
        if time < chunk.first:
            return at
        if time >= chunk.last:
            return stop
        place = at + self.length  # runs of the same length need no division
        if place >= stop or self.time_of(chunk, place) <= time or self.time_of(chunk, place - 1) > time:
            place = (time - chunk.first) // self.step + 1
        if place <= at:
            return at
        self.length = min(place, stop) - at
        return at + self.length

    cdef inline Py_ssize_t place_from(self, Chunk chunk, Py_ssize_t at, Py_ssize_t stop, int64_t time) noexcept:
        """The first place from ``at`` on whose time is not less."""
        return self.behind(chunk, at, stop, time - 1) if self.step else _first_from(_times, at, stop, time)

    cdef int take(self, Chunk chunk, int64_t low, int64_t high) except -1:
        """Take the samples of a chunk from one time to another, both included."""
        cdef Py_ssize_t at = 0, stop = chunk.count, behind
        cdef bint inside = self.started and low <= chunk.first and chunk.last <= high
        cdef const double *values = NULL
        inside = (
            inside
            and chunk.first >= self.groups[self.open].begin
            and chunk.last <= self.groups[self.open].end
        )
        self.step = 0
        if not inside:  # otherwise all are in the open bucket, whatever their times
            if chunk.open_times is None and chunk.times_form == EVEN:
                self.step = (<const int64_t *>PyBytes_AS_STRING(chunk.packed_times))[0]
            else:
                read_times(chunk, _times)
            if low > chunk.first:
                at = self.behind(chunk, 0, stop, low - 1)
            if high < chunk.last:
                stop = at if self.time_of(chunk, at) > high else self.behind(chunk, at, stop, high)
        if not self.is_counted(chunk):
            values = self.read(chunk)
        while at < stop:
            if self.reverse:
                behind = at
                if not inside:
                    if not self.started or self.time_of(chunk, stop - 1) < self.groups[self.open].begin:
                        self.turn(self.time_of(chunk, stop - 1))
                    behind = self.place_from(chunk, at, stop, self.groups[self.open].begin)
                self.take_run(chunk, values, behind, stop - behind)
                stop = behind
            else:
                behind = stop
                if not inside:
                    if not self.started or self.time_of(chunk, at) > self.groups[self.open].end:
                        self.turn(self.time_of(chunk, at))
                    behind = self.behind(chunk, at, stop, self.groups[self.open].end)
                self.take_run(chunk, values, at, behind - at)
                at = behind
        return 0

    cdef bint is_counted(self, Chunk chunk) except -1:
        """Whether packed integers give all results directly: even their sum, which then needs no rounding."""
        cdef Group *group = &self.groups[self.open]
        if chunk.open_values is not None or chunk.values_form > 4:
            return False
        if not self.sums:
            return True
        if self.squares or chunk.scale != 1:
            return False
        if self.started and group.stop > group.at:
            self.settle()
            group = &self.groups[self.open]
        return not self.started or (fabs(group.total) < 4503599627370496.0 and <int64_t>group.total == group.total)

    cdef const double *read(self, Chunk chunk) except NULL:
        """The values of a chunk; at the end of the queue, in reading order, if sums are needed."""
        cdef Py_ssize_t i, last = chunk.count - 1
        cdef double *values = _values
        cdef double kept
        self.all_real = _all_real(chunk)
        if self.sums:
            if self.queued + chunk.count > QUEUE:
                self.settle()
                self.queued = 0
            values = _queue + self.queued
            self.queued += chunk.count
        elif chunk.open_values is not None:
            return (<array.array>chunk.open_values).data.as_doubles
        elif chunk.values_form == 8:
            return <const double *>PyBytes_AS_STRING(chunk.packed_values)
        read_values(chunk, values)
        if self.sums and self.reverse:
            for i in range(chunk.count // 2):
                kept = values[i]
                values[i] = values[last - i]
                values[last - i] = kept
        return values

    cdef int take_run(self, Chunk chunk, const double *values, Py_ssize_t at, Py_ssize_t count) except -1:
        """Add the samples of a chunk that belong to the open bucket."""
        cdef Group *group = &self.groups[self.open]
        cdef const char *raw
        if values != NULL:
            if self.sums:
                self.enqueue(values - _queue + (chunk.count - at - count if self.reverse else at), count)
            else:
                _take(group, values + at, count, self.all_real, self.extremes, self.reverse)
            return 0
        raw = PyBytes_AS_STRING(chunk.packed_values)
        if chunk.values_form == 1:
            _take_packed(
                group, <const int8_t *>raw + at, count, chunk.scale, self.sums, self.extremes, self.reverse
            )
        elif chunk.values_form == 2:
            _take_packed(
                group, <const int16_t *>raw + at, count, chunk.scale, self.sums, self.extremes, self.reverse
            )
        else:
            _take_packed(
                group, <const int32_t *>raw + at, count, chunk.scale, self.sums, self.extremes, self.reverse
            )
        return 0

    cdef int enqueue(self, Py_ssize_t at, Py_ssize_t count) except -1:
        """Add values in the queue, summed later, to the open bucket."""
        cdef Group *group = &self.groups[self.open]
        cdef Py_ssize_t i, kept = 0, empty = 0 if self.all_real else _count_empty(_queue + at, count)
        if empty:
            for i in range(at, at + count):
                if _queue[i] == _queue[i]:
                    _queue[at + kept] = _queue[i]
                    kept += 1
            group.empty += empty
            count = kept
            if not count:
                return 0
        if group.stop != at and group.stop > group.at:
            self.settle()
            group = &self.groups[self.open]
        if group.stop == group.at:
            group.at = at
        group.stop = at + count
        if self.extremes:
            _take_extremes(group, _queue + at, count)
        _take_ends(group, _queue[at], _queue[at + count - 1], count, False)
        return 0


def aggregate(chunks, int64_t low, int64_t high, functions, int64_t bucket, int64_t align, bint reverse):
    """See ``scans.py``."""
    cdef Buckets buckets
    cdef Chunk chunk
    cdef int i
    cdef Py_ssize_t row, place
    cdef double[::1] column
    cdef int64_t[::1] begins
    if len(functions) > 32:
        return None
    for name in functions:
        if name not in _CODES:
            return None
    buckets = Buckets(functions, bucket, align, reverse)
    for chunk in reversed(chunks) if reverse else chunks:
        if chunk.last >= low and chunk.first <= high:
            buckets.take(chunk, low, high)
    buckets.finish()
    if buckets.doubtful:
        buckets.look_again(chunks, low, high)
    times = np.empty(buckets.rows, np.int64)
    begins = times
    columns = [np.empty(buckets.rows) for _ in functions]
    for row in range(buckets.rows):  # oldest first
        place = buckets.rows - 1 - row if reverse else row
        begins[place] = buckets.begins[row]
    for i in range(buckets.columns):
        column = columns[i]
        for row in range(buckets.rows):
            place = buckets.rows - 1 - row if reverse else row
            column[place] = buckets.results[row * buckets.columns + i]
    return times, columns


def time_weighted(
    const int64_t[::1] times not None,
    const double[::1] values not None,
    const Py_ssize_t[::1] starts not None,
    const int64_t[::1] begins not None,
    int64_t bucket,
    before,
    after,
    int64_t low,
    int64_t high,
    bint reverse,
):
    """See ``scans.py``."""
    cdef Py_ssize_t groups = starts.shape[0], count = times.shape[0], g, i, first, stop
    cdef double area, head, tail, at_edge
    cdef int64_t begin, end, time_before = 0, time_after = 0
    cdef double value_before = 0, value_after = 0
    cdef bint has_before, has_after
    result = np.empty(groups)
    cdef double[::1] means = result
    for g in range(groups):
        first = starts[g]
        stop = starts[g + 1] if g + 1 < groups else count
        begin, end = max(begins[g], low), min(_end_of(begins[g], bucket), high - 1) + 1
        head = tail = 0
        has_before = first > 0
        if has_before:
            time_before, value_before = times[first - 1], values[first - 1]
        elif before is not None:
            has_before = True
            time_before, value_before = before
        has_after = stop < count
        if has_after:
            time_after, value_after = times[stop], values[stop]
        elif after is not None:
            has_after = True
            time_after, value_after = after
        if has_before:
            at_edge = value_before + <double>(begin - time_before) * (values[first] - value_before) / <double>(
                times[first] - time_before
            )
            head = (at_edge + values[first]) * <double>(times[first] - begin) / 2
        else:
            begin = times[first]
        if has_after:
            at_edge = values[stop - 1] + <double>(end - times[stop - 1]) * (value_after - values[stop - 1]) / <double>(
                time_after - times[stop - 1]
            )
            tail = (at_edge + values[stop - 1]) * <double>(end - times[stop - 1]) / 2
        else:
            end = times[stop - 1]
        # The areas are added in reading order.
        if reverse:
            area = tail
            for i in range(stop - 2, first - 1, -1):
                area += (values[i] + values[i + 1]) * <double>(times[i + 1] - times[i]) / 2
            area += head
        else:
            area = head
            for i in range(first, stop - 1):
                area += (values[i] + values[i + 1]) * <double>(times[i + 1] - times[i]) / 2
            area += tail
        if begin == end:
            means[g] = values[first if reverse else stop - 1]
        else:
            means[g] = area / fabs(<double>(end - begin))
    return result
