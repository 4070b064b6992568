"""Reply values to bytes, for both protocols, in one growing C buffer. Same contract as ``encoder.py``."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcpy, memset, strlen

from januskv.digits cimport MOST_PAIR, digits_before, pair_before

from .replies import (
    OK, Attribute, Entries, ErrorReply, FlatMap, Framed, NamedRows, NoReply, NullArray, PairMap, Push, RawReply, Rows,
    SampleNumber, SetReply, Several, Shaped, Simple, Sliced, SpeltDouble, Verbatim,
)  # fmt: skip

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1
    double PyFloat_AS_DOUBLE(object number)
    char *PyOS_double_to_string(double value, char format, int precision, int flags, int *kind) except NULL
    int Py_EnterRecursiveCall(const char *where) noexcept
    void Py_LeaveRecursiveCall()

cdef enum:
    FIRST_ROOM = 1024
    KEPT_ROOM = 65536  # a buffer that grew beyond this is freed when it has been taken
    WHOLE = 4096  # raw bytes of at least this size are passed through if nothing else is waiting
    DOUBLE_ROOM = 40
    MOST_HEAD = 24  # bytes of a mark, a number and a line end

cdef object _ok = OK
cdef type _simple = Simple, _error = ErrorReply, _null_array = NullArray, _no_reply = NoReply
cdef type _set = SetReply, _push = Push, _verbatim = Verbatim, _attribute = Attribute, _raw = RawReply
cdef type _pair_map = PairMap, _named_rows = NamedRows, _flat_map = FlatMap, _rows = Rows, _shaped = Shaped, _spelt = SpeltDouble
cdef type _several = Several, _sliced = Sliced, _framed = Framed, _entries = Entries, _sample_number = SampleNumber
cdef frozenset _kinds = frozenset((
    bytes, str, int, float, list, tuple, dict,
    _simple, _error, _null_array, _no_reply, _set, _push, _verbatim, _attribute, _raw,
    _shaped, _several, _sliced,
))  # fmt: skip


# ---------------------------------------------------------------- numbers


cdef inline char *_head_at(char *to, char mark, Py_ssize_t number) noexcept:
    """Write a mark, a number and a line end; where they end."""
    cdef char[MOST_HEAD] room
    cdef char *at = digits_before(room + MOST_HEAD, number)
    to[0] = mark
    memcpy(to + 1, at, room + MOST_HEAD - at)
    to += 1 + (room + MOST_HEAD - at)
    to[0] = c"\r"
    to[1] = c"\n"
    return to + 2


cdef inline char *_string_at(char *to, const char *text, Py_ssize_t size) noexcept:
    """Write a string with its size before it; where it ends."""
    to = _head_at(to, c"$", size)
    memcpy(to, text, size)
    to[size] = c"\r"
    to[size + 1] = c"\n"
    return to + size + 2


cdef inline unsigned long long _size_of(long long number) noexcept:
    return <unsigned long long>number if number >= 0 else 0 - <unsigned long long>number


cdef Py_ssize_t _decimals(long long millionths, char *out) noexcept:
    """Write a fraction in millionths without trailing zeros. Returns the size."""
    cdef char[24] room
    cdef char *at
    cdef unsigned long long number = _size_of(millionths), part = number % 1000000
    cdef Py_ssize_t decimals = 6, size = 0, i
    if millionths < 0:
        out[0] = c"-"
        size = 1
    while part % 10 == 0:
        part //= 10
        decimals -= 1
    at = digits_before(room + 24, number // 1000000)
    memcpy(out + size, at, room + 24 - at)
    size += room + 24 - at
    out[size] = c"."
    for i in range(decimals):
        out[size + decimals - i] = <char>(c"0" + part % 10)
        part //= 10
    return size + 1 + decimals


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    #ifdef __SIZEOF_INT128__
    #define HAS_PRODUCTS 1

    /* 10**n, shifted so that it has 128 bits, rounded up, for n from -292 to 324: filled when the module is loaded. */
    static uint64_t shortest_powers[617][2];

    /* The product of a power and a number, without its 128 lowest bits; the last bit tells whether any below it is set. */
    static inline uint64_t shortest_product(const uint64_t *power, uint64_t number) {
        unsigned __int128 low = (unsigned __int128)power[1] * number;
        unsigned __int128 high = (unsigned __int128)power[0] * number + (uint64_t)(low >> 64);
        return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
    }

    /* The shortest decimal number that a finite double other than 0 is the nearest one to: digits and power of ten.

       All is done four times as big, so that the middle to the next double on either side is an integer. What lies between
       the middles is the double's. In units of the greatest power of ten that fits in there once or more there are
       one or two candidates, in units ten times as big at most one. */
    static uint64_t nearest_decimal(double value, int *power) {
        uint64_t bits, fraction, number, lower, middle, upper, whole, tenth;
        int exponent, ten, shift, closer, odd, below, above;
        memcpy(&bits, &value, 8);
        fraction = bits & (((uint64_t)1 << 52) - 1);
        exponent = (int)(bits >> 52 & 0x7ff);
        number = exponent ? fraction | (uint64_t)1 << 52 : fraction;
        closer = fraction == 0 && exponent > 1; /* the double below is half as far away */
        exponent = (exponent ? exponent : 1) - 1075;
        odd = (int)(number & 1); /* its own middles round to the neighbours */
        ten = (exponent * 1262611 - (closer ? 524031 : 0)) >> 22; /* how many times 10 goes into 2**exponent */
        shift = exponent + (-ten * 1741647 >> 19) + 1;
        lower = shortest_product(shortest_powers[292 - ten], (4 * number - 2 + closer) << shift) + odd;
        middle = shortest_product(shortest_powers[292 - ten], 4 * number << shift);
        upper = shortest_product(shortest_powers[292 - ten], (4 * number + 2) << shift) - odd;
        whole = middle / 4;
        if (whole >= 10) {
            tenth = whole / 10;
            below = lower <= 40 * tenth;
            above = 40 * tenth + 40 <= upper;
            if (below != above) {
                *power = ten + 1;
                return tenth + above;
            }
        }
        *power = ten;
        below = lower <= 4 * whole;
        above = 4 * whole + 4 <= upper;
        if (below != above) return whole + above;
        return whole + (middle > 4 * whole + 2 || (middle == 4 * whole + 2 && (whole & 1)));
    }
    #else
    #define HAS_PRODUCTS 0
    static uint64_t shortest_powers[617][2];
    static uint64_t nearest_decimal(double value, int *power) { return 0; }
    #endif
    """
    bint HAS_PRODUCTS
    uint64_t powers "shortest_powers"[617][2]
    uint64_t nearest_decimal(double value, int *power) nogil


def _fill_powers():
    cdef object one = 1, ten = 10, power  # Python's unbounded integers
    cdef object at, bits
    for at in range(617):
        power = ten ** abs(at - one * 292)
        bits = power.bit_length()
        if at < 292:
            power = -(-(one << bits + 127) // power)
        elif bits > 128:
            power = -(-power >> bits - 128)
        else:
            power <<= 128 - bits
        powers[at][0] = power >> 64
        powers[at][1] = power & (one << 64) - one


_fill_powers()


cdef int _shortest(double value, char *digits, int *power) except -1:
    """The fewest digits of a finite number other than 0 that are exact, and the power of ten of the last one; their count."""
    cdef char[24] room
    cdef char *at
    cdef uint64_t number
    cdef int count
    if not HAS_PRODUCTS:
        return _shortest_of_text(value, digits, power)
    number = nearest_decimal(value, power)
    while number % 10 == 0:
        number //= 10
        power[0] += 1
    at = digits_before(room + 24, number)
    count = <int>(room + 24 - at)
    memcpy(digits, at, count)
    return count


cdef int _shortest_of_text(double value, char *digits, int *power) except -1:
    """``_shortest`` where the compiler has no 128-bit products."""
    cdef char *shortest = PyOS_double_to_string(value, c"r", 0, 0, NULL)
    cdef char *at = shortest + (shortest[0] == c"-")
    cdef int count = 0, after = 0, exponent = 0
    cdef bint fraction = False, negative
    while at[0] and at[0] != c"e":
        if at[0] == c".":
            fraction = True
        else:
            after += fraction
            if count or at[0] != c"0":
                digits[count] = at[0]
                count += 1
        at += 1
    if at[0]:
        negative = at[1] == c"-"
        at += 2
        while at[0]:
            exponent = exponent * 10 + at[0] - c"0"
            at += 1
        if negative:
            exponent = -exponent
    PyMem_Free(shortest)
    exponent -= after
    while count > 1 and digits[count - 1] == c"0":
        count -= 1
        exponent += 1
    power[0] = exponent
    return count


cdef inline Py_ssize_t _point_first(const char *digits, int count, char *out, Py_ssize_t used) noexcept:
    """Append digits with a point after the first one. Returns the size of all."""
    out[used] = digits[0]
    if count == 1:
        return used + 1
    out[used + 1] = c"."
    memcpy(out + used + 2, digits + 1, count - 1)
    return used + 1 + count


cdef Py_ssize_t _spell(double value, char *out) except -1:
    """Write a double (at most DOUBLE_ROOM bytes), see ``double_text``; its size."""
    cdef char[24] room
    cdef char[24] digits
    cdef char *at
    cdef long long whole
    cdef int count, power, exponent, point
    cdef bint negative = value < 0
    cdef Py_ssize_t used
    if value != value:
        memcpy(out, b"nan", 3)
        return 3
    if -4611686018427387904.0 <= value <= 4611686018427387904.0:
        whole = <long long>value
        if <double>whole == value:
            at = digits_before(room + 24, _size_of(whole))
            # 1 / -0.0 would need a C division: read the sign bit.
            if negative or (whole == 0 and signbit(value)):
                at -= 1
                at[0] = c"-"
            memcpy(out, at, room + 24 - at)
            return room + 24 - at
        if 1e-3 <= value < 1e9 or -1e9 < value <= -1e-3:
            # At most six decimals and fifteen digits: if they read back as the same double they are the shortest text.
            whole = <long long>(value * 1e6 + (-0.5 if negative else 0.5))
            if <double>whole / 1e6 == value:
                return _decimals(whole, out)
    if value - value != 0:  # infinite
        memcpy(out, b"-inf", 4) if negative else memcpy(out, b"inf", 3)
        return 3 + negative
    count = _shortest(value, digits, &power)
    exponent = power + count - 1
    used = 0
    if negative:
        out[0] = c"-"
        used = 1
    if 0 <= power and exponent < count + 7:
        memcpy(out + used, digits, count)
        memset(out + used + count, c"0", power)
        return used + count + power
    point = count + power
    if power < 0 and (power > -7 or -4 < exponent < 4):
        if point > 0:
            memcpy(out + used, digits, point)
            out[used + point] = c"."
            memcpy(out + used + point + 1, digits + point, count - point)
            return used + count + 1
        memcpy(out + used, b"0.", 2)
        memset(out + used + 2, c"0", -point)
        memcpy(out + used + 2 - point, digits, count)
        return used + 2 - point + count
    used = _point_first(digits, count, out, used)
    out[used] = c"e"
    out[used + 1] = c"-" if exponent < 0 else c"+"
    used += 2
    at = digits_before(room + 24, _size_of(exponent))
    memcpy(out + used, at, room + 24 - at)
    return used + (room + 24 - at)


cdef extern from "<math.h>":
    bint signbit(double value)


def double_text(double value):
    """A double in the spelling of Redis 7.2 and later: the fewest digits that are exact.

    3, 0.1, 1e+20, 1.5e-7, inf, -inf, nan. Decimal or scientific is decided by the number of digits
    and not only by the magnitude, as in the fpconv library that Redis uses.
    """
    cdef char[DOUBLE_ROOM] out
    return PyBytes_FromStringAndSize(out, _spell(value, out))


cdef Py_ssize_t _spell_sample(double value, char *out) except -1:
    """Write a double (at most DOUBLE_ROOM bytes), see ``sample_text``; its size."""
    cdef char[24] room
    cdef char[24] digits
    cdef char *at
    cdef bint negative = value < 0
    cdef double size = -value if negative else value
    cdef int count, power
    cdef Py_ssize_t used = negative
    if value != value:
        memcpy(out, b"NaN", 3)
        return 3
    if size - size != 0:  # infinite
        memcpy(out, b"-Infinity", 9) if negative else memcpy(out, b"Infinity", 8)
        return 8 + negative
    # Where both spellings agree, the other one writes it.
    if size == 0 or (size >= 1 and size < 10000) or (size < 4503599627370496.0 and <double><long long>size == size):
        return _spell(value, out)
    count = _shortest(value, digits, &power)
    if negative:
        out[0] = c"-"
    if size >= 1 and size < 4503599627370496.0:  # 2 ** 52
        memcpy(out + used, digits, count + power)
        out[used + count + power] = c"."
        memcpy(out + used + count + power + 1, digits + count + power, -power)
        return used + count + 1
    if size >= 1 and size < 72057594037927936.0 and power == 0:  # 2 ** 56
        memcpy(out + used, digits, count)
        return used + count
    used = _point_first(digits, count, out, used)
    out[used] = c"E"
    used += 1
    power += count - 1
    if power < 0:
        out[used] = c"-"
        used += 1
    at = digits_before(room + 24, _size_of(power))
    memcpy(out + used, at, room + 24 - at)
    return used + (room + 24 - at)


def sample_text(double value):
    """A double in the spelling of RedisTimeSeries, in RESP2: the fewest digits that are exact.

    3, 22.5, 7.5E-1, 1E20, Infinity, -Infinity, NaN. Values below one and big values have an exponent.
    """
    cdef char[DOUBLE_ROOM] out
    return PyBytes_FromStringAndSize(out, _spell_sample(value, out))


# ---------------------------------------------------------------- replies


cdef inline int _deeper() except -1:
    """Count a level of nesting. For too many, Python returns a number other than 0, with the exception set."""
    return -1 if Py_EnterRecursiveCall(b" while encoding a reply") else 0


def one_line(bytes text not None):
    """The text without line ends: error texts repeat what callers sent, and must not forge a reply."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ")


cdef class Encoder:
    """Collects encoded replies until they are taken. ``protocol`` is 2 or 3.

    With ``slices`` a reply of many items is not encoded but stored in ``sliced``, which the caller resets to None.
    """

    def __cinit__(self, int protocol=2):
        self.protocol = protocol

    def __dealloc__(self):
        free(self._out)

    @property
    def size(self):
        """Bytes waiting."""
        return self._used if self._whole is None else PyBytes_GET_SIZE(self._whole)

    @property
    def room(self):
        """Capacity of the buffer in bytes."""
        return self._room if self._whole is None else PyBytes_GET_SIZE(self._whole)

    cpdef write(self, object reply):
        """Encode one reply. Raises TypeError for what is not a reply value; then nothing is written."""
        cdef Py_ssize_t mark
        cdef long long number
        cdef int overflow = 0
        if self._whole is not None:
            self._spill()
        # These need no rollback: they make room before they write.
        if type(reply) is bytes:
            self._string(c"$", PyBytes_AS_STRING(<bytes>reply), PyBytes_GET_SIZE(<bytes>reply))
        elif reply is _ok:
            self._append(b"+OK\r\n", 5)
        elif type(reply) is int:
            number = PyLong_AsLongLongAndOverflow(reply, &overflow)
            if overflow == 0:
                self._head(c":", number)
            else:
                self._as(reply, int)
        else:
            self._mark = mark = self._used
            try:
                self._value(reply)
            except BaseException:
                self._used = mark
                raise

    cpdef write_raw(self, bytes data):
        """Add bytes as they are."""
        if data is None:
            raise TypeError("bytes are needed")
        if self._whole is not None:
            self._spill()
        if PyBytes_GET_SIZE(data) >= WHOLE and not self._used:
            self._whole = data
        else:
            self._append(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cpdef bytes take(self):
        """All bytes since the last take."""
        cdef bytes taken
        if self._whole is not None:
            taken = self._whole
            self._whole = None
            return taken
        taken = PyBytes_FromStringAndSize(self._out, self._used)
        self._used = 0
        if self._room > KEPT_ROOM:
            free(self._out)
            self._out = NULL
            self._room = 0
        return taken

    # ------------------------------------------------------------ pieces

    cdef int _spill(self) except -1:
        """Copy bytes that would have been passed through into the buffer, because more follows."""
        cdef bytes whole = self._whole
        self._make_room(PyBytes_GET_SIZE(whole))
        self._whole = None
        memcpy(self._out, PyBytes_AS_STRING(whole), PyBytes_GET_SIZE(whole))
        self._used = PyBytes_GET_SIZE(whole)
        return 0

    cdef int _make_room(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = self._room * 2 if self._room else FIRST_ROOM
        cdef char *out
        if self._used + more <= self._room:
            return 0
        if room < self._used + more:
            room = self._used + more
        out = <char *>realloc(self._out, room)
        if out == NULL:
            raise MemoryError
        self._out = out
        self._room = room
        return 0

    cdef int _append(self, const char *data, Py_ssize_t size) except -1:
        if self._used + size > self._room:
            self._make_room(size)
        memcpy(self._out + self._used, data, size)
        self._used += size
        return 0

    cdef int _head(self, char mark, long long number) except -1:
        """A mark, a number and a line end."""
        cdef char[24] room
        cdef char *at = digits_before(room + 22, _size_of(number))
        room[22] = c"\r"
        room[23] = c"\n"
        if number < 0:
            at -= 1
            at[0] = c"-"
        at -= 1
        at[0] = mark
        return self._append(at, room + 24 - at)

    cdef int _string(self, char mark, const char *data, Py_ssize_t size) except -1:
        """A string with its size before it."""
        if self._used + size + 32 > self._room:
            self._make_room(size + 32)
        self._head(mark, size)
        memcpy(self._out + self._used, data, size)
        self._used += size
        self._out[self._used] = c"\r"
        self._out[self._used + 1] = c"\n"
        self._used += 2
        return 0

    cdef int _line(self, char mark, bytes text) except -1:
        """A line whose text cannot end it early."""
        cdef Py_ssize_t size, i
        cdef char *out
        if text is None:
            raise TypeError("a line needs bytes")
        size = PyBytes_GET_SIZE(text)
        if self._used + size + 3 > self._room:
            self._make_room(size + 3)
        out = self._out + self._used
        out[0] = mark
        memcpy(out + 1, PyBytes_AS_STRING(text), size)
        for i in range(1, size + 1):
            if out[i] == c"\r" or out[i] == c"\n":
                out[i] = c" "
        out[size + 1] = c"\r"
        out[size + 2] = c"\n"
        self._used += size + 3
        return 0

    cdef int _items(self, char mark, object items) except -1:
        self._head(mark, len(items))
        _deeper()
        try:
            if type(items) is list:
                for item in <list>items:
                    self._value(item)
            elif type(items) is tuple:
                for item in <tuple>items:
                    self._value(item)
            else:
                for item in items:
                    self._value(item)
        finally:
            Py_LeaveRecursiveCall()
        return 0

    cdef int _pairs(self, char mark, object pairs) except -1:
        self._head(mark, len(pairs) * (2 if mark == c"*" else 1))
        _deeper()
        try:
            if type(pairs) is dict:
                for name, value in (<dict>pairs).items():
                    self._value(name)
                    self._value(value)
            else:
                for name, value in pairs.items():
                    self._value(name)
                    self._value(value)
        finally:
            Py_LeaveRecursiveCall()
        return 0

    # ------------------------------------------------------------ by type

    cdef int _value(self, object reply) except -1:
        if type(reply) is bytes:
            return self._string(c"$", PyBytes_AS_STRING(<bytes>reply), PyBytes_GET_SIZE(<bytes>reply))
        if reply is None:
            return self._append(b"_\r\n", 3) if self.protocol == 3 else self._append(b"$-1\r\n", 5)
        if type(reply) is bool:
            if self.protocol == 3:
                return self._append(b"#t\r\n" if reply is True else b"#f\r\n", 4)
            return self._append(b":1\r\n" if reply is True else b":0\r\n", 4)
        return self._as(reply, type(reply))

    cdef int _flat_rows(self, object rows) except -1:
        """Rows as RESP2 has them, all items in one array."""
        cdef Py_ssize_t count = len(rows)
        self._head(c"*", count * len(rows[0]) if count else 0)
        for row in rows:
            for item in row:
                self._value(item)
        return 0

    cdef int _pair_array(self, object pairs) except -1:
        """Pairs as RESP2 has them, or in RESP3 as a map."""
        self._head(c"%" if self.protocol == 3 else c"*", len(pairs))
        for name, value in pairs:
            if self.protocol != 3:
                self._append(b"*2\r\n", 4)
            self._value(name)
            self._value(value)
        return 0

    cdef int _row_map(self, object reply) except -1:
        """Rows by name: a map, in RESP2 an array without the items that are for RESP3 alone."""
        cdef bint three = self.protocol == 3
        cdef Py_ssize_t at, size, start, stop
        cdef tuple row
        self._head(c"%" if three else c"*", len(reply.rows))
        for row in reply.rows:
            size = len(row)
            start, stop, _ = reply.only_three.indices(size)
            if three:
                self._value(row[0])
                self._head(c"*", size - 1)
            else:
                self._head(c"*", size - (stop - start))
            for at in range(1 if three else 0, size):
                if three or at < start or at >= stop:
                    self._value(row[at])
        return 0

    cdef int _stream_entries(self, list entries) except -1:
        """Entries of streams: for each an array of its id and its fields. There is room for all of one before it is written."""
        cdef Py_ssize_t most
        cdef char[MOST_PAIR] room
        cdef char *at
        cdef char *to
        cdef tuple entry, fields
        cdef bytes text
        self._head(c"*", len(entries))
        for entry in entries:
            fields = entry[1]
            most = 3 * MOST_HEAD + MOST_PAIR + 2 + len(fields) * (MOST_HEAD + 2)
            for text in fields:
                most += PyBytes_GET_SIZE(text)
            if self._used + most > self._room:
                self._make_room(most)
            to = self._out + self._used
            memcpy(to, b"*2\r\n", 4)
            at = pair_before(room + MOST_PAIR, entry[0])
            to = _string_at(to + 4, at, room + MOST_PAIR - at)
            to = _head_at(to, c"*", len(fields))
            for text in fields:
                to = _string_at(to, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
            self._used = to - self._out
        return 0

    cdef int _as(self, object reply, type kind) except -1:
        """Encode a reply as ``kind``: its own type or a base class."""
        cdef bint three = self.protocol == 3
        cdef long long number
        cdef int overflow = 0
        cdef Py_ssize_t size = 0
        cdef const char *text
        cdef char[DOUBLE_ROOM] spelt
        cdef bytes digits
        cdef list parts
        cdef double sample
        if kind is int:
            number = PyLong_AsLongLongAndOverflow(reply, &overflow)
            if overflow == 0:
                return self._head(c":", number)
            digits = b"%d" % reply
            if three:
                return self._line(c"(", digits)
            return self._string(c"$", PyBytes_AS_STRING(digits), PyBytes_GET_SIZE(digits))
        if kind is list or kind is tuple:
            return self._items(c"*", reply)
        if kind is str:
            text = PyUnicode_AsUTF8AndSize(reply, &size)
            return self._string(c"$", text, size)
        if kind is dict:
            return self._pairs(c"%" if three else c"*", reply)
        if kind is _simple:
            return self._line(c"+", reply.text)
        if kind is _error:
            return self._line(c"-", reply.text)
        if kind is float:
            size = _spell(PyFloat_AS_DOUBLE(reply), spelt)
            if not three:
                return self._string(c"$", spelt, size)
            self._append(b",", 1)
            self._append(spelt, size)
            return self._append(b"\r\n", 2)
        if kind is _rows:
            return self._items(c"*", reply.rows) if three else self._flat_rows(reply.rows)
        if kind is _pair_map:
            return self._pair_array(reply.pairs)
        if kind is _named_rows:
            return self._row_map(reply)
        if kind is _flat_map:
            parts = reply.items
            size = len(parts)
            self._head(c"%" if three else c"*", size // 2 if three else size)
            for item in parts:
                self._value(item)
            return 0
        if kind is _framed:
            self._head(c"*", reply.count)
            frame = reply.frame
            for part in reply.parts:
                digits = frame(part, b"$", b"\r\n")
                self._append(PyBytes_AS_STRING(digits), PyBytes_GET_SIZE(digits))
            return 0
        if kind is _entries:
            return self._stream_entries(reply.items)
        if kind is _sample_number:
            sample = reply.value
            size = _spell(sample, spelt) if three else _spell_sample(sample, spelt)
            self._append(b"," if three else b"+", 1)
            self._append(spelt, size)
            return self._append(b"\r\n", 2)
        if kind is _null_array:
            return self._append(b"_\r\n", 3) if three else self._append(b"*-1\r\n", 5)
        if kind is _no_reply:
            return 0
        if kind is _set:
            return self._items(c"~" if three else c"*", reply.items)
        if kind is _push:
            return self._items(c">" if three else c"*", reply.items)
        if kind is _verbatim:
            digits = reply.format + b":" + reply.text if three else reply.text
            return self._string(c"=" if three else c"$", PyBytes_AS_STRING(digits), PyBytes_GET_SIZE(digits))
        if kind is _attribute:
            if three:
                self._pairs(c"|", reply.attributes)
            _deeper()
            try:
                return self._value(reply.reply)
            finally:
                Py_LeaveRecursiveCall()
        if kind is _spelt:
            digits = reply.text
            if three:
                return self._line(c",", digits)
            return self._string(c"$", PyBytes_AS_STRING(digits), PyBytes_GET_SIZE(digits))
        if kind is _several:
            for item in reply.replies:
                self._value(item)
            return 0
        if kind is _shaped:
            _deeper()
            try:
                return self._value(reply.shape(three))
            finally:
                Py_LeaveRecursiveCall()
        if kind is _sliced:
            if self.slices and self._used == self._mark and reply.many:
                self.sliced = reply
                return 0
            for digits in reply.pieces(self.protocol):
                self._append(PyBytes_AS_STRING(digits), PyBytes_GET_SIZE(digits))
            return 0
        if kind is _raw:
            digits = reply.wire
            return self._append(PyBytes_AS_STRING(digits), PyBytes_GET_SIZE(digits))
        if kind is bytes:
            return self._string(c"$", PyBytes_AS_STRING(<bytes>reply), PyBytes_GET_SIZE(<bytes>reply))
        for base in kind.__mro__:
            if base in _kinds:
                return self._as(reply, base)
        raise TypeError(f"{kind.__name__} is not a reply value")


def encode(reply, int protocol=2):
    """The bytes of one reply."""
    encoder = Encoder(protocol)
    encoder.write(reply)
    return encoder.take()


def array_head(Py_ssize_t count):
    """The bytes before the items of an array."""
    return b"*%d\r\n" % count


def map_head(Py_ssize_t count, int protocol=2):
    """The bytes before the keys and values of a map."""
    return b"%%%d\r\n" % count if protocol == 3 else b"*%d\r\n" % (2 * count)


def number_rows(const long long[:] times not None, const double[:] values not None, int protocol=2):
    """The bytes of rows, each an array of an integer and a double: in RESP2 the double is a simple string, ``sample_text``.

    For long replies, where a Python object for each row would take most of the time. Takes buffers.
    """
    cdef Encoder encoder = Encoder(protocol)
    cdef char[2 * DOUBLE_ROOM + 16] text
    cdef char[24] room
    cdef char *digits
    cdef Py_ssize_t at, size
    if times.shape[0] != values.shape[0]:
        raise ValueError("as many values as times")
    memcpy(text, b"*2\r\n:", 5)
    for at in range(times.shape[0]):
        size = 5
        digits = digits_before(room + 24, _size_of(times[at]))
        if times[at] < 0:
            digits -= 1
            digits[0] = c"-"
        memcpy(text + size, digits, room + 24 - digits)
        size += room + 24 - digits
        memcpy(text + size, b"\r\n,", 3) if protocol == 3 else memcpy(text + size, b"\r\n+", 3)
        size += 3
        size += _spell(values[at], text + size) if protocol == 3 else _spell_sample(values[at], text + size)
        text[size] = c"\r"
        text[size + 1] = c"\n"
        encoder._append(text, size + 2)
    return encoder.take()
