# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Lines of ``put``, gone over in C. Same contract as ``lines.py``.

    _places, _times, _values   of the points of a block in the order of its lines; a place is that of the series in _runs
    _runs                      the series that points of the block belong to
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy

from .numbers import FIRST_MS

cdef extern from "Python.h":
    double PyOS_string_to_double(const char *text, char **end, PyObject *overflow) except? -1.0

cdef enum:
    MOST_TIME_DIGITS = 18
    EXACT_DIGITS = 15  # a double holds every integer of so many digits
    MOST_DIGITS = 40  # of a part of a number
    MOST_EXPONENT_DIGITS = 4
    SHORTEST = 8  # bytes of a line with a point: put a 1 2

cdef long long _first_ms = FIRST_MS
cdef double[EXACT_DIGITS + 1] _TENS = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]


cdef inline const char *_blanks(const char *at, const char *end) noexcept:
    while at < end and at[0] == c" ":
        at += 1
    return at


cdef inline const char *_digits(const char *at, const char *end, int most) noexcept:
    """Where a row of up to so many digits ends; NULL where there is none, or more."""
    cdef const char *start = at
    while at < end and c"0" <= at[0] <= c"9":
        at += 1
    return NULL if at == start or at - start > most else at


cdef const char *_read_time(const char *at, const char *end, long long *time) noexcept:
    """Read a timestamp; where it ends, NULL if it is not plain."""
    cdef const char *stop = _digits(at, end, MOST_TIME_DIGITS)
    cdef long long number = 0
    if stop == NULL:
        return NULL
    while at < stop:
        number = number * 10 + (at[0] - c"0")
        at += 1
    time[0] = number
    return stop


cdef const char *_read_value(const char *at, const char *end, double *value):
    """Read a value; where it ends, NULL if it is not plain."""
    cdef const char *start = at
    cdef const char *whole
    cdef const char *stop
    cdef char *read_to
    cdef long long number = 0
    cdef int decimals = 0
    cdef bint negative = at < end and at[0] == c"-"
    cdef bint short = True
    if negative:
        at += 1
    whole = at
    stop = _digits(at, end, MOST_DIGITS)
    if stop == NULL:
        return NULL
    at = stop
    if at < end and at[0] == c".":
        stop = _digits(at + 1, end, MOST_DIGITS)
        if stop == NULL:
            return NULL
        decimals = stop - at - 1
        at = stop
    if at < end and (at[0] == c"e" or at[0] == c"E"):
        short = False
        at += 1
        if at < end and (at[0] == c"+" or at[0] == c"-"):
            at += 1
        at = _digits(at, end, MOST_EXPONENT_DIGITS)
        if at == NULL:
            return NULL
    if short and at - whole <= EXACT_DIGITS:
        # Both are exact, so that the quotient is rounded once.
        while whole < at:
            if whole[0] != c".":
                number = number * 10 + (whole[0] - c"0")
            whole += 1
        value[0] = number / _TENS[decimals]
        if negative:
            value[0] = -value[0]
        return at
    value[0] = PyOS_string_to_double(start, &read_to, NULL)  # what is too great is infinite
    return at


cdef inline bint _is_text(
    bytes text, const char *metric, Py_ssize_t metric_size, const char *tags, Py_ssize_t tags_size
) noexcept:
    """Whether a text is this metric, which ends with a blank, and these tags."""
    cdef const char *start = PyBytes_AS_STRING(text)
    return (
        PyBytes_GET_SIZE(text) == metric_size + tags_size
        and memcmp(start + metric_size, tags, tags_size) == 0
        and memcmp(start, metric, metric_size) == 0
    )


cdef class _Series:
    """A series that lines have named: its key, and its place in the block that it was seen in last.

    ``next`` is the one that was named behind it the last time: senders go through their series in the same order.
    It is a borrowed reference; ``_by_text`` has all that are referred to.
    """

    cdef bytes key, text
    cdef PyObject *next
    cdef tuple times, values
    cdef Py_ssize_t place, count
    cdef long long block

    def __cinit__(self, bytes key):
        self.key = key


cdef class Lines:
    """See ``lines.py``."""

    cdef object read
    cdef public Py_ssize_t most
    cdef public bint seconds
    cdef dict _by_text, _by_key
    cdef PyObject *_last  # the series of the line before, as ``next``
    cdef long long _block  # how many there were
    cdef list _runs
    cdef Py_ssize_t *_places
    cdef long long *_times
    cdef double *_values
    cdef Py_ssize_t _count, _room

    def __init__(self, read, Py_ssize_t most):
        self.read = read
        self.most = most
        self.seconds = True
        self._by_text = {}
        self._by_key = {}
        self._runs = []

    def __dealloc__(self):
        free(self._places)
        free(self._times)
        free(self._values)

    def __len__(self):
        return len(self._by_text)

    def forget(self):
        """See ``lines.py``."""
        self._last = NULL
        self._by_text.clear()
        self._by_key.clear()

    cpdef list gather(self, bytes block):
        """See ``lines.py``."""
        cdef const char *line = PyBytes_AS_STRING(block)
        cdef const char *end = line + PyBytes_GET_SIZE(block)
        cdef const char *stop
        cdef const char *feed
        if len(self._by_key) > self.most or len(self._by_text) > self.most:
            self.forget()
        self._block += 1
        self._count = 0
        self._runs = []
        while line < end:
            feed = <const char *>memchr(line, c"\n", end - line)
            if feed == NULL:
                feed = end
            stop = <const char *>memchr(line, c"\r", feed - line)
            if stop == NULL:
                stop = feed
            if stop > line:
                self._take(line, stop)
            line = stop + 1
        return self._by_series()

    cdef int _take(self, const char *line, const char *end) except -1:
        """Take one line, which is not empty."""
        cdef const char *metric
        cdef const char *metric_end
        cdef const char *at
        cdef long long time = 0
        cdef double value = 0
        cdef bytes text
        cdef _Series series
        cdef PyObject *guess
        cdef Py_ssize_t metric_size
        cdef char *copied
        if end - line < SHORTEST or memcmp(line, b"put ", 4) != 0:
            return self._ask(line, end, None)
        metric = _blanks(line + 4, end)
        metric_end = <const char *>memchr(metric, c" ", end - metric)
        if metric_end == NULL:
            return self._ask(line, end, None)
        at = _read_time(_blanks(metric_end, end), end, &time)
        if at == NULL or at == end or at[0] != c" ":
            return self._ask(line, end, None)
        at = _read_value(_blanks(at, end), end, &value)
        if at == NULL or (at < end and at[0] != c" "):
            return self._ask(line, end, None)
        at = _blanks(at, end)
        metric_size = metric_end - metric + 1
        if self.seconds and time < _first_ms:
            time *= 1000
        guess = NULL if self._last == NULL else (<_Series>self._last).next
        if guess != NULL and _is_text((<_Series>guess).text, metric, metric_size, at, end - at):
            self._last = guess
            return self._add(<_Series>guess, time, value)
        text = PyBytes_FromStringAndSize(NULL, metric_size + (end - at))
        copied = PyBytes_AS_STRING(text)
        memcpy(copied, metric, metric_size)
        memcpy(copied + metric_size, at, end - at)
        series = self._by_text.get(text)
        if series is None:
            return self._ask(line, end, text)
        if self._last != NULL:
            (<_Series>self._last).next = <PyObject *>series
        self._last = <PyObject *>series
        series.text = text
        return self._add(series, time, value)

    cdef int _ask(self, const char *line, const char *end, bytes text) except -1:
        """Take a line as ``read`` reads it, and remember the key for its text, if that is given."""
        cdef _Series series
        point = self.read(PyBytes_FromStringAndSize(line, end - line))
        if point is None:
            return 0
        key, time, value = point
        series = self._by_key.get(key)
        if series is None:
            series = self._by_key[key] = _Series(key)
        if text is not None:
            self._by_text[text] = series
            series.text = text
        return self._add(series, time, value)

    cdef int _add(self, _Series series, long long time, double value) except -1:
        """Note a point."""
        if self._count == self._room:
            self._grow()
        if series.block != self._block:
            series.block = self._block
            series.place = len(self._runs)
            series.count = 0
            self._runs.append(series)
        series.count += 1
        self._places[self._count] = series.place
        self._times[self._count] = time
        self._values[self._count] = value
        self._count += 1
        return 0

    cdef int _grow(self) except -1:
        cdef Py_ssize_t room = max(2 * self._room, <Py_ssize_t>1024)
        cdef void *grown
        grown = realloc(self._places, room * sizeof(Py_ssize_t))
        if grown == NULL:
            raise MemoryError
        self._places = <Py_ssize_t *>grown
        grown = realloc(self._times, room * sizeof(long long))
        if grown == NULL:
            raise MemoryError
        self._times = <long long *>grown
        grown = realloc(self._values, room * sizeof(double))
        if grown == NULL:
            raise MemoryError
        self._values = <double *>grown
        self._room = room
        return 0

    cdef list _by_series(self):
        """The points that have been noted, series by series."""
        cdef list runs = self._runs
        cdef _Series series
        cdef object item
        cdef Py_ssize_t at
        self._runs = []
        for series in runs:
            series.times = PyTuple_New(series.count)
            series.values = PyTuple_New(series.count)
        for at in range(self._count - 1, -1, -1):
            series = <_Series>runs[self._places[at]]
            series.count -= 1
            item = self._times[at]
            Py_INCREF(item)
            PyTuple_SET_ITEM(series.times, series.count, item)
            item = self._values[at]
            Py_INCREF(item)
            PyTuple_SET_ITEM(series.values, series.count, item)
        for at in range(len(runs)):
            series = <_Series>runs[at]
            runs[at] = (series.key, series.times, series.values)
            series.times = series.values = None
        return runs
