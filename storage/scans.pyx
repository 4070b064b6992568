# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Loops over the samples of chunks, on the packed bytes and in C. Same contract as ``scans.py``."""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING
from libc.math cimport fabs, isinf, sqrt
from libc.stdint cimport INT64_MAX, int8_t, int16_t, int32_t, int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from januskv.storage.chunks cimport Chunk

from januskv.storage.lazily import lazily

np = lazily("numpy")

cdef enum:
    MOST = 4096  # samples of a chunk
    EVEN = 0
    WHOLE = 16

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


# ---------------------------------------------------------------- columns


cdef void _add_up(const difference *steps, Py_ssize_t count, int64_t time, int64_t *out) noexcept:
    cdef Py_ssize_t i
    out[0] = time
    for i in range(count - 1):
        time += steps[i]
        out[i + 1] = time


cdef void _unscale(const small *numbers, Py_ssize_t count, double scale, double *out) noexcept:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = numbers[i] / scale


cdef void _read_seven(const unsigned char *raw, Py_ssize_t count, uint64_t *out) noexcept:
    """Values whose last byte, the first of ``raw``, is common to all."""
    cdef uint64_t top = <uint64_t>raw[0] << 56
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = 0
        memcpy(&out[i], raw + 1 + 7 * i, 7)
        out[i] |= top


cdef void _read_times(Chunk chunk, int64_t *out):
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


cdef void _read_values(Chunk chunk, double *out):
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
    elif chunk.values_form == 7:
        _read_seven(<const unsigned char *>raw, chunk.count, <uint64_t *>out)
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
        _read_times(chunk, &to_times[done])
        _read_values(chunk, &to_values[done])
        done += chunk.count
    return times, values


# ---------------------------------------------------------------- buckets


cdef inline int64_t _begin_of(int64_t time, int64_t bucket, int64_t align) noexcept:
    """When the bucket of a time begins."""
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
    double total
    double squares  # sum of the squared values
    double average  # instead of the total where that is too big for a double
    bint overflown
    double least
    double greatest
    double first  # as the samples are read
    double last
    double mean
    double spread  # squared distances from the mean


cdef void _open(Group *group, int64_t begin, int64_t bucket) noexcept:
    group.begin = begin
    group.end = _end_of(begin, bucket)
    group.count = group.empty = 0
    group.total = group.squares = group.mean = group.spread = group.average = 0
    group.overflown = False
    group.least = INFINITE
    group.greatest = -INFINITE


cdef void _take_average(Group *group, const double *values, Py_ssize_t count, Py_ssize_t step) noexcept:
    """Go on with the average of values whose sum is too big for a double, in steps that are not."""
    cdef Py_ssize_t i, taken = group.count
    cdef double total = group.total, value
    cdef long double average
    for i in range(count):
        taken += 1
        value = values[i * step]
        if group.overflown:
            average = <long double>group.average / taken * (taken - 1)
        elif isinf(value) or fabs(total) <= GREATEST_DOUBLE - fabs(value) or (total < 0) != (value < 0):
            total += value
            continue
        else:
            group.overflown = True
            average = <long double>total / taken
        group.average = <double>(average + <long double>value / taken)


cdef void _take_sums(Group *group, const double *values, Py_ssize_t count, Py_ssize_t step) noexcept:
    """Add values one by one, as they are read: the rounding of a sum depends on the order."""
    cdef Py_ssize_t i
    cdef double total = group.total
    for i in range(count):
        total += values[i * step]
    if isinf(total):
        _take_average(group, values, count, step)
    group.total = total


cdef void _take_squares(Group *group, const double *values, Py_ssize_t count, Py_ssize_t step) noexcept:
    """Add what variances are made from: sums, and the spread around the mean (Welford)."""
    cdef Py_ssize_t i, taken = group.count
    cdef double distance
    for i in range(count):
        taken += 1
        group.squares += values[i * step] * values[i * step]
        distance = values[i * step] - group.mean
        group.mean += distance / taken
        group.spread += distance * (values[i * step] - group.mean)


cdef void _take_extremes(Group *group, const double *values, Py_ssize_t count) noexcept:
    """Look for extremes in a run of values; four side by side are what the processor is fast at."""
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
    """Note the ends of a run that has been taken."""
    if not group.count:
        group.first = newest if reverse else oldest
    group.last = oldest if reverse else newest
    group.count += count


cdef void _take_packed(
    Group *group, const small *numbers, Py_ssize_t count, double scale, bint sums, bint extremes, bint reverse
) noexcept:
    """Let a group have a run of packed values. Their sum, which is made in integers, is right where the scale is 1."""
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


cdef void _take(
    Group *group, const double *values, Py_ssize_t count, bint sums, bint extremes, bint squares, bint reverse
) noexcept:
    """Let a group have a run of values."""
    cdef Py_ssize_t i, at, empty = 0
    for i in range(count):
        empty += values[i] != values[i]
    if empty:
        for i in range(count):
            at = count - 1 - i if reverse else i
            if values[at] != values[at]:
                group.empty += 1
            else:
                _take(group, values + at, 1, sums, extremes, squares, reverse)
        return
    if sums or squares:
        _take_sums(group, values + count - 1 if reverse else values, count, -1 if reverse else 1)
    if squares:
        _take_squares(group, values + count - 1 if reverse else values, count, -1 if reverse else 1)
    if extremes:
        _take_extremes(group, values, count)
    _take_ends(group, values[0], values[count - 1], count, reverse)


cdef double _variance(const Group *group) noexcept:
    """The variance from the sums, as ``downsampling.variances`` makes it."""
    cdef double count = <double>group.count, mean = group.total / count
    cdef double variance = (group.squares - 2 * group.total * group.total / count + mean * mean * count) / count
    # Where little is left of big numbers the other way is the better one.
    return variance if variance > 1e-9 * (group.squares / count) else group.spread / count


cdef double _result(const Group *group, int code) noexcept:
    """What a function makes of a group, as in ``downsampling``; NaN or 0 for one without values."""
    cdef double variance
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
    variance = _variance(group)
    if code == VAR_S or code == STD_S:
        variance = variance * group.count / (group.count - 1) if group.count > 1 else 0
    return variance if code == VAR_P or code == VAR_S else sqrt(variance)


cdef class Buckets:
    """Takes runs of samples in the order in which they are read and keeps a row of results for each bucket that is over."""

    cdef Group group
    cdef bint started, sums, extremes, squares, reverse
    cdef int64_t bucket, align
    cdef int columns
    cdef int[32] codes
    cdef int64_t *begins
    cdef double *results  # row after row
    cdef Py_ssize_t rows, room

    def __cinit__(self):
        self.begins = NULL
        self.results = NULL

    def __dealloc__(self):
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
            self.sums = self.sums or code in (SUM, AVG)
            self.extremes = self.extremes or code in (LEAST, GREATEST, RANGE)
            self.squares = self.squares or code in (VAR_P, VAR_S, STD_P, STD_S)

    cdef int close(self) except -1:
        """Keep the results of the bucket that is over."""
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
        self.begins[self.rows] = self.group.begin
        for i in range(self.columns):
            self.results[self.rows * self.columns + i] = _result(&self.group, self.codes[i])
        self.rows += 1
        return 0

    cdef int turn(self, int64_t time) except -1:
        """Open the bucket of a time that is not in the one that is open."""
        if self.started:
            self.close()
        self.started = True
        _open(&self.group, _begin_of(time, self.bucket, self.align), self.bucket)
        return 0

    cdef int take(self, Chunk chunk, int64_t low, int64_t high) except -1:
        """Take the samples of a chunk from one time to another, both included."""
        cdef Py_ssize_t at = 0, stop = chunk.count, behind
        cdef bint is_packed = (
            chunk.open_values is None
            and chunk.values_form < 7
            and not self.squares
            and (chunk.scale == 1 or not self.sums)
        )
        cdef bint inside = self.started and low <= chunk.first and chunk.last <= high
        cdef const char *raw = PyBytes_AS_STRING(chunk.packed_values)
        cdef const double *values = _values
        inside = inside and chunk.first >= self.group.begin and chunk.last <= self.group.end
        if not inside:  # otherwise all are in the open bucket: their times do not matter
            _read_times(chunk, _times)
            if low > chunk.first:
                at = _first_behind(_times, 0, stop, low - 1)
            if high < chunk.last:
                stop = at if _times[at] > high else _first_behind(_times, at, stop, high)
        if not is_packed:
            if chunk.open_values is not None:
                values = (<array.array>chunk.open_values).data.as_doubles
            elif chunk.values_form == 8:
                values = <const double *>raw
            else:
                _read_values(chunk, _values)
        while at < stop:
            if self.reverse:
                behind = at
                if not inside:
                    if not self.started or _times[stop - 1] < self.group.begin:
                        self.turn(_times[stop - 1])
                    behind = _first_from(_times, at, stop, self.group.begin)
                self.take_run(chunk, values, behind, stop - behind, is_packed)
                stop = behind
            else:
                behind = stop
                if not inside:
                    if not self.started or _times[at] > self.group.end:
                        self.turn(_times[at])
                    behind = _first_behind(_times, at, stop, self.group.end)
                self.take_run(chunk, values, at, behind - at, is_packed)
                at = behind
        return 0

    cdef void take_run(
        self, Chunk chunk, const double *values, Py_ssize_t at, Py_ssize_t count, bint is_packed
    ) noexcept:
        """Let the open bucket have the samples of a chunk that belong to it."""
        cdef const char *raw
        if not is_packed:
            _take(&self.group, values + at, count, self.sums, self.extremes, self.squares, self.reverse)
            return
        raw = PyBytes_AS_STRING(chunk.packed_values)
        if chunk.values_form == 1:
            _take_packed(
                &self.group, <const int8_t *>raw + at, count, chunk.scale, self.sums, self.extremes, self.reverse
            )
        elif chunk.values_form == 2:
            _take_packed(
                &self.group, <const int16_t *>raw + at, count, chunk.scale, self.sums, self.extremes, self.reverse
            )
        else:
            _take_packed(
                &self.group, <const int32_t *>raw + at, count, chunk.scale, self.sums, self.extremes, self.reverse
            )


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
    if buckets.started:
        buckets.close()
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
        # The areas are added in the order in which the samples are read.
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
