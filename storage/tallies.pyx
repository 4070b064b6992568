# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Tallies of the buckets of many series, over packed chunks and in C. Same contract as ``tallies.py``.

Rows are in one of two orders. **Even*: if a span does not have many more buckets than samples, each bucket has the row of
its number, empty ones too. Otherwise rows are in the order in which their first sample came; samples of further series usually
belong to the row after the last one; otherwise it is looked up in a hash table.
"""

from cpython cimport array
from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from januskv.storage.chunks cimport Chunk
from januskv.storage.reclaiming cimport give_back
from januskv.storage.scans cimport read_times, read_values

cdef extern from *:
    """
    /* Big tables of zeros come from the system: the allocator would have to clear memory that it used before. */
    #include <stdlib.h>
    #ifdef __linux__
    #include <sys/mman.h>
    #define FROM_SYSTEM ((size_t)1 << 20)
    static void *zeros(size_t size) {
        if (size < FROM_SYSTEM) return calloc(1, size);
        void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return made == MAP_FAILED ? NULL : made;
    }
    static void free_zeros(void *made, size_t size) {
        if (made == NULL) return;
        if (size < FROM_SYSTEM) free(made); else (void)munmap(made, size);
    }
    #else
    static void *zeros(size_t size) { return calloc(1, size); }
    static void free_zeros(void *made, size_t size) { (void)size; free(made); }
    #endif
    """
    void *zeros(size_t size) noexcept
    void free_zeros(void *made, size_t size) noexcept

from dataclasses import dataclass

from januskv.storage.errors import TooManyBuckets, TooManyValues
from januskv.storage.lazily import lazily

np = lazily("numpy")

SUMS = 1
SQUARES = 2
LEAST = 4
GREATEST = 8
PRODUCT = 16
FIRSTS = 32
LASTS = 64
VALUES = 128

cdef enum:
    _SUMS = 1
    _SQUARES = 2
    _LEAST = 4
    _GREATEST = 8
    _PRODUCT = 16
    _FIRSTS = 32
    _LASTS = 64
    _VALUES = 128
    COLUMNS = 7
    NOWHERE = -2
    MOST = 4096  # samples of a chunk
    EVEN = 0
    SMALL = 4096  # rows that are made even without samples for them
    MOST_EVEN = 1 << 20
    LEAST_SLOTS = 1 << 10
    NEW_ROW = 30  # units: the cost of a row that is not at the first place looked up
    MOVE = 16  # units: the cost of moving an item within a big table
    BIG = 1 << 20  # bytes that are given back in steps
    BITS = 11  # of a digit, when rows are sorted
    DIGITS = 1 << BITS

cdef double INFINITE = float("inf")

cdef int64_t[MOST] _times
cdef double[MOST] _values


@dataclass(frozen=True, slots=True)
class Rate:
    """See ``tallies.py``."""

    interval_ms: int
    counter: bool = False
    counter_max: float = 0.0
    reset_value: float = 0.0
    drop_resets: bool = False


cdef enum Stage:
    TAKING
    LISTING  # the rows that have samples
    COUNTING  # by digit
    MOVING  # to the places given by their digits
    PLACING  # find where the values of each row begin
    SORTING  # values by rows
    SETTLED


cdef void *_grown(void *old, Py_ssize_t count, size_t size) except NULL:
    cdef void *new = realloc(old, max(count, 1) * size)
    if new == NULL:
        raise MemoryError
    return new


cdef class Tally:
    """See ``tallies.py``."""

    cdef int needs
    cdef int64_t bucket, base
    cdef bint even, hashed, ascending, began
    cdef Py_ssize_t most, most_values
    cdef Py_ssize_t rows, room  # empty ones too
    cdef Py_ssize_t units  # of work since last asked for
    cdef Py_ssize_t last  # the row of the sample before; -1 at the beginning of a series
    cdef int64_t *begins_of
    cdef int64_t *counts_of
    cdef double *columns_of[COLUMNS]
    cdef int64_t *first_times
    cdef int64_t *last_times
    # The hash table: the number of a row plus one, 0 for free slots.
    cdef int32_t *slots
    cdef Py_ssize_t slot_count
    cdef int slot_shift
    # The values, and for each its row; then the values in the order of the rows.
    cdef double *loose
    cdef int32_t *loose_rows
    cdef Py_ssize_t loose_count, loose_room
    cdef object sorted
    cdef double[::1] to_sorted
    cdef int64_t *starts
    # Rates.
    cdef bint rated, counter, drop_resets, has_before
    cdef double interval, counter_max, reset_value, value_before
    cdef int64_t time_before
    # The order of the rows, and the state of sorting them.
    cdef Stage stage
    cdef int32_t *order
    cdef int32_t *other_order
    cdef uint64_t most_key
    cdef int shift
    cdef Py_ssize_t place, filled
    # How far the memory has been given back.
    cdef int released
    cdef Py_ssize_t given
    cdef Py_ssize_t[DIGITS] digits

    def __cinit__(self):
        cdef int i
        self.begins_of = self.counts_of = self.first_times = self.last_times = self.starts = NULL
        self.slots = self.loose_rows = self.order = self.other_order = NULL
        self.loose = NULL
        for i in range(COLUMNS):
            self.columns_of[i] = NULL

    def __dealloc__(self):
        cdef int i
        free(self.begins_of)
        free_zeros(self.counts_of, self.room * sizeof(int64_t))
        free(self.first_times)
        free(self.last_times)
        free(self.starts)
        free_zeros(self.slots, self.slot_count * sizeof(int32_t))
        free(self.loose_rows)
        free(self.order)
        free(self.other_order)
        free(self.loose)
        for i in range(COLUMNS):
            free(self.columns_of[i])

    def __init__(self, int needs, int64_t bucket, Py_ssize_t most, *, rate=None, Py_ssize_t most_values=0):
        self.needs = needs
        self.bucket = bucket
        self.most = min(most, 1 << 30)
        self.most_values = most_values
        self.ascending = True
        self.last = -1
        if rate is not None:
            self.rated = True
            self.interval = rate.interval_ms
            self.counter = rate.counter
            self.counter_max = rate.counter_max
            self.reset_value = rate.reset_value
            self.drop_resets = rate.drop_resets

    def expect(self, int64_t first, int64_t last, Py_ssize_t samples, *, Py_ssize_t series):
        """See ``tallies.py``."""
        cdef int64_t base = first - first % self.bucket
        cdef int64_t span = (last - base) // self.bucket + 1
        cdef Py_ssize_t slots = LEAST_SLOTS
        if self.began or last < first:
            return
        if self.needs & _VALUES:  # unused memory is not really allocated
            self.keep_room(min(samples, self.most_values))
        if span <= SMALL or (span <= MOST_EVEN and span <= 2 * samples):
            self.base = base
            self.grow(span)
            self.rows = span
            self.even = True
            return
        self.grow(max(1, min(samples, self.most)))
        if series > 1:
            while slots < 2 * min(samples, self.most):
                slots *= 2
            self.make_slots(slots)

    def begin_series(self):
        """See ``tallies.py``."""
        self.has_before = False
        self.last = -1
        if self.began and not self.even and not self.hashed:
            self.make_slots(LEAST_SLOTS)

    # ------------------------------------------------------------ rows

    cdef int grow(self, Py_ssize_t room) except -1:
        """Make room for ``rows`` rows; new ones are empty."""
        cdef int i
        cdef int64_t *counts
        if not self.even:
            self.begins_of = <int64_t *>_grown(self.begins_of, room, sizeof(int64_t))
        counts = <int64_t *>zeros(room * sizeof(int64_t))
        if counts == NULL:
            raise MemoryError
        if self.room:
            memcpy(counts, self.counts_of, self.rows * sizeof(int64_t))
            free_zeros(self.counts_of, self.room * sizeof(int64_t))
        self.counts_of = counts
        for i in range(COLUMNS):
            if self.needs >> i & 1:
                self.columns_of[i] = <double *>_grown(self.columns_of[i], room, sizeof(double))
        if self.needs & _FIRSTS:
            self.first_times = <int64_t *>_grown(self.first_times, room, sizeof(int64_t))
        if self.needs & _LASTS:
            self.last_times = <int64_t *>_grown(self.last_times, room, sizeof(int64_t))
        self.room = room
        return 0

    cdef inline Py_ssize_t slot_of(self, int64_t begin) noexcept:
        return <Py_ssize_t>((<uint64_t>begin // <uint64_t>self.bucket * <uint64_t>0x9E3779B97F4A7C15) >> self.slot_shift)

    cdef int make_slots(self, Py_ssize_t count) except -1:
        """Make the hash table, with the present rows."""
        cdef Py_ssize_t row
        while count < 2 * self.rows:
            count *= 2
        free_zeros(self.slots, self.slot_count * sizeof(int32_t))
        self.slot_count = 0
        self.slots = <int32_t *>zeros(count * sizeof(int32_t))
        if self.slots == NULL:
            raise MemoryError
        self.slot_count = count
        self.slot_shift = 64
        while count > 1:
            count >>= 1
            self.slot_shift -= 1
        self.hashed = True
        for row in range(self.rows):
            self.enter(row)
        return 0

    cdef inline void enter(self, Py_ssize_t row) noexcept:
        cdef Py_ssize_t slot = self.slot_of(self.begins_of[row])
        while self.slots[slot]:
            slot = (slot + 1) & (self.slot_count - 1)
        self.slots[slot] = <int32_t>(row + 1)

    cdef Py_ssize_t add_row(self, int64_t begin) except -1:
        if self.rows == self.most:
            raise TooManyBuckets(self.rows + 1)
        if self.rows == self.room:
            self.grow(max(256, 2 * self.room))
        if self.rows and begin < self.begins_of[self.rows - 1]:
            self.ascending = False
        self.begins_of[self.rows] = begin
        self.rows += 1
        if self.hashed:
            self.units += NEW_ROW
            if 2 * self.rows > self.slot_count:
                self.make_slots(4 * self.slot_count)
            else:
                self.enter(self.rows - 1)
        return self.rows - 1

    cdef Py_ssize_t row_of(self, int64_t begin) except -1:
        """The row of a bucket, created if there is none; NOWHERE for one outside the announced range."""
        cdef Py_ssize_t slot
        if self.even:
            if begin < self.base or (begin - self.base) // self.bucket >= self.rows:
                return NOWHERE
            return <Py_ssize_t>((begin - self.base) // self.bucket)
        if self.last >= 0 and self.begins_of[self.last] == begin:
            return self.last
        if self.last + 1 < self.rows and self.begins_of[self.last + 1] == begin:
            self.last += 1
            return self.last
        if self.hashed:
            slot = self.slot_of(begin)
            while self.slots[slot]:
                if self.begins_of[self.slots[slot] - 1] == begin:
                    self.last = self.slots[slot] - 1
                    return self.last
                slot = (slot + 1) & (self.slot_count - 1)
        self.last = self.add_row(begin)
        return self.last

    # ------------------------------------------------------------ samples

    cdef int add(self, Py_ssize_t row, const int64_t *times, int64_t oldest, int64_t step, const double *values,
                 Py_ssize_t count) except -1:
        """Add a run of samples to a row. ``times`` is NULL if they are ``step`` apart, from ``oldest`` on."""
        cdef Py_ssize_t i
        cdef double total, value
        cdef int64_t newest
        cdef bint new
        if row == NOWHERE:
            return 0
        new = not self.counts_of[row]
        self.counts_of[row] += count
        if self.needs & _SUMS:
            total = 0 if new else self.columns_of[0][row]
            for i in range(count):
                total += values[i]
            self.columns_of[0][row] = total
        if self.needs & _SQUARES:
            total = 0 if new else self.columns_of[1][row]
            for i in range(count):
                total += values[i] * values[i]
            self.columns_of[1][row] = total
        if self.needs & _LEAST:
            total = INFINITE if new else self.columns_of[2][row]
            for i in range(count):
                value = values[i]
                if value < total or value != value:
                    total = value
            self.columns_of[2][row] = total
        if self.needs & _GREATEST:
            total = -INFINITE if new else self.columns_of[3][row]
            for i in range(count):
                value = values[i]
                if value > total or value != value:
                    total = value
            self.columns_of[3][row] = total
        if self.needs & _PRODUCT:
            total = 1 if new else self.columns_of[4][row]
            for i in range(count):
                total *= values[i]
            self.columns_of[4][row] = total
        if self.needs & (_FIRSTS | _LASTS):
            if times != NULL:
                oldest, newest = times[0], times[count - 1]
            else:
                newest = oldest + (count - 1) * step
            if self.needs & _FIRSTS and (new or oldest < self.first_times[row]):
                self.first_times[row] = oldest
                self.columns_of[5][row] = values[0]
            if self.needs & _LASTS and (new or newest >= self.last_times[row]):
                self.last_times[row] = newest
                self.columns_of[6][row] = values[count - 1]
        if self.needs & _VALUES:
            self.keep(row, values, count)
        return 0

    cdef int keep(self, Py_ssize_t row, const double *values, Py_ssize_t count) except -1:
        cdef Py_ssize_t i
        if self.loose_count + count > self.most_values:
            raise TooManyValues(self.most_values)
        if self.loose_count + count > self.loose_room:
            self.keep_room(max(4096, 2 * (self.loose_count + count)))
        self.units += 2 * count
        for i in range(count):
            self.loose[self.loose_count + i] = values[i]
            self.loose_rows[self.loose_count + i] = <int32_t>row
        self.loose_count += count
        return 0

    cdef int keep_room(self, Py_ssize_t room) except -1:
        self.loose_room = room
        self.loose = <double *>_grown(self.loose, room, sizeof(double))
        self.loose_rows = <int32_t *>_grown(self.loose_rows, room, sizeof(int32_t))
        return 0

    cdef Py_ssize_t make_rates(self, const int64_t *times, const double *values, Py_ssize_t count,
                               int64_t *to_times, double *to_values) noexcept:
        """Write the rates of samples, in place or elsewhere; return how many there are."""
        cdef Py_ssize_t i, made = 0
        cdef double older, newer, value, rate
        cdef int64_t time
        cdef bint fallen
        for i in range(count):
            time, newer = times[i], values[i]
            if self.has_before:
                older, value = self.value_before, newer
                fallen = self.counter and newer < older
                if fallen:
                    value += self.counter_max if self.counter_max > 0 else older
                if not (fallen and self.drop_resets):
                    rate = (value - older) / <double>(time - self.time_before) * self.interval
                    if self.counter and self.reset_value > 0 and rate > self.reset_value:
                        rate = 0
                    to_times[made] = time
                    to_values[made] = rate
                    made += 1
            self.has_before = True
            self.time_before, self.value_before = time, newer
        return made

    cdef int add_columns(self, const int64_t *times, const double *values, Py_ssize_t count) except -1:
        """Add samples with explicit times."""
        cdef Py_ssize_t at = 0, behind
        cdef int64_t begin, end
        while at < count:
            begin = times[at] - times[at] % self.bucket
            end = INT64_MAX if begin > INT64_MAX - (self.bucket - 1) else begin + (self.bucket - 1)
            behind = at + 1
            if times[count - 1] <= end:
                behind = count
            else:
                while times[behind] <= end:
                    behind += 1
            self.add(self.row_of(begin), times + at, 0, 0, values + at, behind - at)
            at = behind
        return 0

    cdef int add_even(self, int64_t first, int64_t step, const double *values, Py_ssize_t count) except -1:
        """Add samples whose times are ``step`` apart."""
        cdef Py_ssize_t at = 0, behind, length = 1
        cdef int64_t time = first, begin = first - first % self.bucket, end
        cdef int64_t last = first + (count - 1) * step
        while True:
            end = INT64_MAX if begin > INT64_MAX - (self.bucket - 1) else begin + (self.bucket - 1)
            if last <= end:
                behind = count
            else:
                behind = at + length  # runs of the same length need no division
                if behind >= count or first + behind * step <= end or first + (behind - 1) * step > end:
                    behind = (end - first) // step + 1
                length = behind - at
            self.add(self.row_of(begin), NULL, time, step, values + at, behind - at)
            if behind == count:
                return 0
            at = behind
            time = first + at * step
            begin += self.bucket
            if time - begin >= self.bucket:
                begin = time - time % self.bucket

    def take(self, list chunks not None, int64_t low, int64_t high, Py_ssize_t most_units):
        """See ``tallies.py``."""
        cdef Chunk chunk
        cdef Py_ssize_t taken = 0, until = self.units + most_units
        for chunk in chunks:
            if chunk.last >= low and chunk.first <= high:
                self.take_chunk(chunk, low, high)
            taken += 1
            if self.units >= until:
                break
        return taken

    def spent(self):
        """See ``tallies.py``."""
        cdef Py_ssize_t units = self.units
        self.units = 0
        return units

    cdef int take_chunk(self, Chunk chunk, int64_t low, int64_t high) except -1:
        cdef Py_ssize_t start = 0, stop = chunk.count
        cdef int64_t step = 0
        cdef const double *values = _values
        self.began = True
        self.units += chunk.count
        if chunk.open_values is not None:
            values = (<array.array>chunk.open_values).data.as_doubles
        else:
            read_values(chunk, _values)
        if chunk.open_times is None and chunk.times_form == EVEN:
            step = (<const int64_t *><const char *>chunk.packed_times)[0]
        if step > 0 and not self.rated:
            if low > chunk.first:
                start = (low - chunk.first - 1) // step + 1
            if high < chunk.last:
                stop = (high - chunk.first) // step + 1
            if start < stop:
                self.add_even(chunk.first + start * step, step, values + start, stop - start)
            return 0
        read_times(chunk, _times)
        while start < stop and _times[start] < low:
            start += 1
        while stop > start and _times[stop - 1] > high:
            stop -= 1
        if self.rated:
            stop = start + self.make_rates(_times + start, values + start, stop - start, _times + start, _values + start)
            values = _values
        return self.add_columns(_times + start, values + start, stop - start)

    def take_columns(self, const int64_t[::1] times not None, const double[::1] values not None):
        """See ``tallies.py``."""
        cdef Py_ssize_t at = 0, count = times.shape[0], part
        if not count:
            return
        self.began = True
        self.units += count
        if not self.rated:
            self.add_columns(&times[0], &values[0], count)
            return
        while at < count:
            part = self.make_rates(&times[at], &values[at], min(MOST, count - at), _times, _values)
            self.add_columns(_times, _values, part)
            at += MOST

    # ------------------------------------------------------------ sorting

    def settle(self, Py_ssize_t units):
        """See ``tallies.py``."""
        cdef Py_ssize_t stop
        while self.stage != SETTLED and units > 0:
            if self.stage == TAKING:
                self.order = <int32_t *>_grown(NULL, self.rows, sizeof(int32_t))
                self.stage = LISTING
            elif self.stage == LISTING:
                stop = min(self.rows, self.place + units)
                units -= stop - self.place
                self.list_rows(stop)
            elif self.stage == COUNTING:
                stop = min(self.filled, self.place + units)
                units -= stop - self.place
                self.count_digits(stop)
            elif self.stage == MOVING:
                stop = min(self.filled, self.place + units // MOVE + 1)
                units -= MOVE * (stop - self.place)
                self.move_rows(stop)
            elif self.stage == PLACING:
                stop = min(self.filled, self.place + units)
                units -= stop - self.place
                self.place_values(stop)
            else:
                stop = min(self.loose_count, self.place + units // MOVE + 1)
                units -= MOVE * (stop - self.place)
                self.sort_values(stop)
        return self.stage != SETTLED

    cdef int list_rows(self, Py_ssize_t stop) except -1:
        """List the rows that have samples, and how big their numbers are if they are to be sorted."""
        cdef Py_ssize_t row
        cdef uint64_t key
        for row in range(self.place, stop):
            if self.counts_of[row]:
                self.order[self.filled] = <int32_t>row
                self.filled += 1
                if not self.ascending:
                    key = <uint64_t>(self.begins_of[row] // self.bucket)
                    self.most_key = key if key > self.most_key else self.most_key
        self.place = stop
        if stop == self.rows:
            self.place = 0
            self.stage = COUNTING
            if self.ascending:
                self.after_order()
            else:
                self.other_order = <int32_t *>_grown(NULL, self.filled, sizeof(int32_t))
                memset(self.digits, 0, sizeof(self.digits))
        return 0

    cdef inline Py_ssize_t digit(self, int32_t row) noexcept:
        return <Py_ssize_t>(<uint64_t>(self.begins_of[row] // self.bucket) >> self.shift & (DIGITS - 1))

    cdef int count_digits(self, Py_ssize_t stop) except -1:
        cdef Py_ssize_t i, total = 0, count
        for i in range(self.place, stop):
            self.digits[self.digit(self.order[i])] += 1
        self.place = stop
        if stop == self.filled:
            for i in range(DIGITS):
                count = self.digits[i]
                self.digits[i] = total
                total += count
            self.place = 0
            self.stage = MOVING
        return 0

    cdef int move_rows(self, Py_ssize_t stop) except -1:
        cdef Py_ssize_t i, digit
        cdef int32_t row
        cdef int32_t *kept
        for i in range(self.place, stop):
            row = self.order[i]
            digit = self.digit(row)
            self.other_order[self.digits[digit]] = row
            self.digits[digit] += 1
        self.place = stop
        if stop == self.filled:
            kept = self.order
            self.order = self.other_order
            self.other_order = kept
            self.place = 0
            self.shift += BITS
            memset(self.digits, 0, sizeof(self.digits))
            self.stage = COUNTING
            if self.shift >= 64 or not self.most_key >> self.shift:
                self.after_order()
        return 0

    cdef int after_order(self) except -1:
        self.place = 0
        self.stage = SETTLED
        if self.needs & _VALUES:
            self.starts = <int64_t *>_grown(NULL, self.rows, sizeof(int64_t))
            self.sorted = np.empty(self.loose_count)
            self.to_sorted = self.sorted
            self.stage = PLACING
        return 0

    cdef int place_values(self, Py_ssize_t stop) except -1:
        """Note for each row where its values will begin."""
        cdef Py_ssize_t i
        cdef int64_t start = 0
        if self.place:
            start = self.starts[self.order[self.place - 1]] + self.counts_of[self.order[self.place - 1]]
        for i in range(self.place, stop):
            self.starts[self.order[i]] = start
            start += self.counts_of[self.order[i]]
        self.place = stop
        if stop == self.filled:
            self.place = 0
            self.stage = SORTING
        return 0

    cdef int sort_values(self, Py_ssize_t stop) except -1:
        """Move values to their places; ``starts`` advances to where the next one of a row goes."""
        cdef Py_ssize_t i
        cdef int32_t row
        for i in range(self.place, stop):
            row = self.loose_rows[i]
            self.to_sorted[self.starts[row]] = self.loose[i]
            self.starts[row] += 1
        self.place = stop
        if stop == self.loose_count:
            self.stage = SETTLED
        return 0

    def release(self):
        """See ``tallies.py``."""
        cdef int i, regions = 0
        cdef const char *starts[COLUMNS + 10]
        cdef Py_ssize_t sizes[COLUMNS + 10]
        cdef Py_ssize_t room = self.room
        for i in range(COLUMNS):
            starts[i], sizes[i] = <const char *>self.columns_of[i], room * 8
        regions = COLUMNS
        starts[regions], sizes[regions] = <const char *>self.begins_of, room * 8
        starts[regions + 1], sizes[regions + 1] = <const char *>self.counts_of, room * 8
        starts[regions + 2], sizes[regions + 2] = <const char *>self.first_times, room * 8
        starts[regions + 3], sizes[regions + 3] = <const char *>self.last_times, room * 8
        starts[regions + 4], sizes[regions + 4] = <const char *>self.starts, self.rows * 8
        starts[regions + 5], sizes[regions + 5] = <const char *>self.slots, self.slot_count * 4
        starts[regions + 6], sizes[regions + 6] = <const char *>self.order, self.rows * 4
        starts[regions + 7], sizes[regions + 7] = <const char *>self.loose, self.loose_room * 8
        starts[regions + 8], sizes[regions + 8] = <const char *>self.loose_rows, self.loose_room * 4
        starts[regions + 9], sizes[regions + 9] = NULL, 0
        if self.sorted is not None and self.loose_count:
            starts[regions + 9], sizes[regions + 9] = <const char *>&self.to_sorted[0], self.loose_count * 8
        regions += 10
        while self.released < regions:
            i = self.released
            if starts[i] == NULL or sizes[i] < BIG:
                self.released += 1
                continue
            if give_back(starts[i], sizes[i], &self.given):
                self.released += 1
            return True
        return False

    # ------------------------------------------------------------ sorted rows

    def __len__(self):
        return self.filled

    def begins(self, Py_ssize_t start, Py_ssize_t stop):
        """See ``tallies.py``."""
        cdef Py_ssize_t i
        cdef int64_t[::1] out
        stop = max(start, min(stop, self.filled))
        found = np.empty(stop - start, np.int64)
        out = found
        for i in range(start, stop):
            out[i - start] = self.base + self.order[i] * self.bucket if self.even else self.begins_of[self.order[i]]
        return found

    def counts(self, Py_ssize_t start, Py_ssize_t stop):
        """See ``tallies.py``."""
        cdef Py_ssize_t i
        cdef int64_t[::1] out
        stop = max(start, min(stop, self.filled))
        found = np.empty(stop - start, np.int64)
        out = found
        for i in range(start, stop):
            out[i - start] = self.counts_of[self.order[i]]
        return found

    def column(self, int need, Py_ssize_t start, Py_ssize_t stop):
        """See ``tallies.py``."""
        cdef Py_ssize_t i
        cdef double[::1] out
        cdef int at = 0
        stop = max(start, min(stop, self.filled))
        found = np.empty(stop - start)
        out = found
        if need not in (_SUMS, _SQUARES, _LEAST, _GREATEST, _PRODUCT, _FIRSTS, _LASTS) or not self.needs & need:
            raise KeyError(need)
        while need >> at != 1:
            at += 1
        for i in range(start, stop):
            out[i - start] = self.columns_of[at][self.order[i]]
        return found

    def values(self, Py_ssize_t start, Py_ssize_t stop):
        """See ``tallies.py``."""
        stop = min(stop, self.filled)
        if start >= stop:
            return np.empty(0)
        # The begin of a row's values has moved to their end.
        first = self.starts[self.order[start]] - self.counts_of[self.order[start]]
        return self.sorted[first : self.starts[self.order[stop - 1]]]
