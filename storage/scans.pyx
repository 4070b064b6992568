# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Loops over the samples of chunks, on the packed bytes and in C. Same contract as ``scans.py``."""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING
from libc.math cimport sqrt
from libc.stdint cimport INT64_MAX, int8_t, int16_t, int32_t, int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from januskv.storage.chunks cimport Chunk

from januskv.storage.lazily import lazily

np = lazily("numpy")

cdef enum:
    MOST = 4096  # samples of a chunk
    EVEN = 0
    WHOLE = 16
    LANES_FROM = 16  # shorter runs are added one by one, in their order

cdef enum:
    SUM, AVG, COUNT, LEAST, GREATEST, RANGE, FIRST, LAST, VAR_P, VAR_S, STD_P, STD_S, COUNT_NAN, COUNT_ALL

cdef dict _CODES = {
    "sum": SUM, "avg": AVG, "count": COUNT, "min": LEAST, "max": GREATEST, "range": RANGE, "first": FIRST,
    "last": LAST, "var.p": VAR_P, "var.s": VAR_S, "std.p": STD_P, "std.s": STD_S, "countNaN": COUNT_NAN,
    "countAll": COUNT_ALL,
}  # fmt: skip
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
    double least
    double greatest
    double first
    double last
    double mean
    double squares  # squared distances from the mean


cdef void _open(Group *group, int64_t begin, int64_t bucket) noexcept:
    group.begin = begin
    group.end = _end_of(begin, bucket)
    group.count = group.empty = 0
    group.total = group.mean = group.squares = 0
    group.least = INFINITE
    group.greatest = -INFINITE


cdef void _join(Group *group, Py_ssize_t count, double mean, double squares) noexcept:
    """Add what is known of the spread of ``count`` more values, before they are counted."""
    cdef double distance = mean - group.mean
    cdef double whole = <double>(group.count + count)
    group.squares += squares + distance * distance * group.count * count / whole
    group.mean += distance * count / whole


cdef void _take_packed(
    Group *group, const small *numbers, Py_ssize_t count, double scale, bint sums, bint extremes
) noexcept:
    """Let a group have a run of packed values: all arithmetic in integers, and one division."""
    cdef Py_ssize_t i
    cdef int64_t total = 0
    cdef small least, greatest
    if sums:
        for i in range(count):
            total += numbers[i]
        group.total += total / scale
    if extremes:
        least = greatest = numbers[0]
        for i in range(count):
            least = numbers[i] if numbers[i] < least else least
            greatest = numbers[i] if numbers[i] > greatest else greatest
        if least / scale < group.least:
            group.least = least / scale
        if greatest / scale > group.greatest:
            group.greatest = greatest / scale
    if not group.count:
        group.first = numbers[0] / scale
    group.last = numbers[count - 1] / scale
    group.count += count


cdef void _take_one(Group *group, double value, bint squares) noexcept:
    if value != value:
        group.empty += 1
        return
    if squares:
        _join(group, 1, value, 0)
    group.total += value
    if value < group.least:
        group.least = value
    if value > group.greatest:
        group.greatest = value
    if not group.count:
        group.first = value
    group.last = value
    group.count += 1


cdef void _take(
    Group *group, const double *values, Py_ssize_t count, bint sums, bint extremes, bint squares
) noexcept:
    """Let a group have a run of values; several sums and extremes side by side are what the processor is fast at."""
    cdef Py_ssize_t i, empty = 0, whole = count - count % 4
    cdef double[4] total
    cdef double[4] least
    cdef double[4] greatest
    cdef double mean, distance, more = 0
    for i in range(count):
        empty += values[i] != values[i]
    if empty or count < LANES_FROM:
        for i in range(count):
            _take_one(group, values[i], squares)
        return
    if sums or squares:
        total[0] = total[1] = total[2] = total[3] = 0
        for i in range(0, whole, 4):
            total[0] += values[i]
            total[1] += values[i + 1]
            total[2] += values[i + 2]
            total[3] += values[i + 3]
        for i in range(whole, count):
            total[0] += values[i]
        total[0] = (total[0] + total[1]) + (total[2] + total[3])
        group.total += total[0]
    if squares:
        mean = total[0] / count
        for i in range(count):
            distance = values[i] - mean
            more += distance * distance
        _join(group, count, mean, more)
    if extremes:
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
    if not group.count:
        group.first = values[0]
    group.last = values[count - 1]
    group.count += count


cdef double _result(const Group *group, int code) noexcept:
    """What a function makes of a group, as in ``downsampling``; NaN or 0 for one without values."""
    cdef double least_count
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
        return group.total / group.count
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
    if code == VAR_P:
        return group.squares / group.count
    if code == STD_P:
        return sqrt(group.squares / group.count)
    least_count = group.count - 1 if group.count > 1 else 1
    return group.squares / least_count if code == VAR_S else sqrt(group.squares / least_count)


cdef class Buckets:
    """Takes runs of samples in time order and keeps one row of results for each bucket that is over."""

    cdef Group group
    cdef bint started, sums, extremes, squares
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

    def __init__(self, functions, int64_t bucket, int64_t align):
        cdef int code
        self.bucket = bucket
        self.align = align
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
        """Open the bucket of a time that lies behind the one that is open."""
        if self.started:
            self.close()
        self.started = True
        _open(&self.group, _begin_of(time, self.bucket, self.align), self.bucket)
        return 0

    cdef int take(self, Chunk chunk, int64_t low, int64_t high) except -1:
        """Take the samples of a chunk from one time to another, both included."""
        cdef Py_ssize_t at = 0, stop = chunk.count, behind
        cdef bint is_packed = chunk.open_values is None and chunk.values_form != 8 and not self.squares
        cdef const char *raw = PyBytes_AS_STRING(chunk.packed_values)
        cdef const double *values = _values
        if self.started and low <= chunk.first and chunk.last <= high and chunk.last <= self.group.end:
            pass  # all in the open bucket: their times do not matter
        else:
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
            if self.started and chunk.last <= self.group.end:
                behind = stop
            else:
                if not self.started or _times[at] > self.group.end:
                    self.turn(_times[at])
                behind = _first_behind(_times, at, stop, self.group.end)
            if not is_packed:
                _take(&self.group, values + at, behind - at, self.sums, self.extremes, self.squares)
            elif chunk.values_form == 1:
                _take_packed(&self.group, <const int8_t *>raw + at, behind - at, chunk.scale, self.sums, self.extremes)
            elif chunk.values_form == 2:
                _take_packed(&self.group, <const int16_t *>raw + at, behind - at, chunk.scale, self.sums, self.extremes)
            else:
                _take_packed(&self.group, <const int32_t *>raw + at, behind - at, chunk.scale, self.sums, self.extremes)
            at = behind
        return 0


def aggregate(chunks, int64_t low, int64_t high, functions, int64_t bucket, int64_t align):
    """See ``scans.py``."""
    cdef Buckets buckets
    cdef Chunk chunk
    cdef int i
    cdef Py_ssize_t row
    cdef double[::1] column
    cdef int64_t[::1] begins
    if len(functions) > 32:
        return None
    for name in functions:
        if name not in _CODES:
            return None
    buckets = Buckets(functions, bucket, align)
    for chunk in chunks:
        if chunk.last >= low and chunk.first <= high:
            buckets.take(chunk, low, high)
    if buckets.started:
        buckets.close()
    times = np.empty(buckets.rows, np.int64)
    begins = times
    columns = [np.empty(buckets.rows) for _ in functions]
    if buckets.rows:
        memcpy(&begins[0], buckets.begins, buckets.rows * sizeof(int64_t))
        for i in range(buckets.columns):
            column = columns[i]
            for row in range(buckets.rows):
                column[row] = buckets.results[row * buckets.columns + i]
    return times, columns


def time_weighted(
    const int64_t[::1] times not None,
    const double[::1] values not None,
    const Py_ssize_t[::1] starts not None,
    const int64_t[::1] begins not None,
    int64_t bucket,
    before,
    after,
):
    """See ``scans.py``."""
    cdef Py_ssize_t groups = starts.shape[0], count = times.shape[0], g, i, stop
    cdef double area, length, width, slope
    cdef int64_t time_before = 0, time_after = 0
    cdef double value_before = 0, value_after = 0
    cdef bint has_before, has_after
    result = np.empty(groups)
    cdef double[::1] means = result
    for g in range(groups):
        i = starts[g]
        stop = starts[g + 1] if g + 1 < groups else count
        area = length = 0
        has_before = i > 0
        if has_before:
            time_before, value_before = times[i - 1], values[i - 1]
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
            slope = (values[i] - value_before) / <double>(times[i] - time_before)
            width = <double>(times[i] - begins[g])
            area += (values[i] - slope * width / 2) * width
            length += width
        while i < stop - 1:
            width = <double>(times[i + 1] - times[i])
            area += (values[i] + values[i + 1]) / 2 * width
            length += width
            i += 1
        if has_after:
            slope = (value_after - values[i]) / <double>(time_after - times[i])
            width = <double>(begins[g] + bucket - times[i])
            area += (values[i] + slope * width / 2) * width
            length += width
        means[g] = area / length if length > 0 else values[starts[g]]
    return result
