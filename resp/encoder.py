"""Reply values to bytes, for both protocols. The compiled implementation (``encoder.pyx``) writes one C buffer."""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, isinf, isnan
from typing import Any

from .replies import (
    OK,
    PONG,
    QUEUED,
    Attribute,
    Entries,
    ErrorReply,
    FlatMap,
    Framed,
    NoReply,
    NullArray,
    Push,
    RawReply,
    Reply,
    SampleNumber,
    SetReply,
    Several,
    Shaped,
    Simple,
    Sliced,
    SpeltDouble,
    Verbatim,
)

CRLF = b"\r\n"
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1

_BULK = [b"$%d\r\n" % size for size in range(4096)]
_INTS = [b":%d\r\n" % value for value in range(10_000)]
_WORDS = {id(word): b"+" + word.text + CRLF for word in (OK, PONG, QUEUED)}  # these three are never freed


def one_line(text: bytes) -> bytes:
    """The text without line ends: error texts repeat what callers sent, and must not forge a reply."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ") if 13 in text or 10 in text else text


_WHOLE = float(1 << 62)  # up to this, Redis prints doubles without a fraction as integers


def double_text(value: float) -> bytes:
    """A double in the spelling of Redis 7.2 and later: the fewest digits that are exact.

    3, 0.1, 1e+20, 1.5e-7, inf, -inf, nan. Decimal or scientific is decided by the number of digits
    and not only by the magnitude, as in the fpconv library that Redis uses.
    """
    if -_WHOLE <= value <= _WHOLE:
        whole = int(value)
        if whole == value:
            return b"%d" % whole if whole or copysign(1, value) > 0 else b"-0"
    elif isnan(value):
        return b"nan"
    elif isinf(value):
        return b"inf" if value > 0 else b"-inf"
    shortest = float.__repr__(value)
    if "e" not in shortest and (0.001 <= abs(value) < 10_000 or len(shortest) - shortest.index(".") < 8):
        return shortest.encode()
    digits, zeros = _shortest(shortest)
    count = len(digits)
    exponent = zeros + count - 1
    if zeros >= 0 and exponent < count + 7:
        text = digits + "0" * zeros
    elif zeros < 0 and (zeros > -7 or abs(exponent) < 4):
        point = count + zeros
        text = f"{digits[:point]}.{digits[point:]}" if point > 0 else f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if count > 1 else ''}{digits[1:]}e{exponent:+d}"
    return (f"-{text}" if value < 0 else text).encode()


def _shortest(text: str) -> tuple[str, int]:
    """The digits of a finite number's ``repr`` without zeros around them, and the power of ten of the last one."""
    mantissa, _, power = text.removeprefix("-").partition("e")
    before, _, after = mantissa.partition(".")
    all_digits = (before + after).lstrip("0")
    digits = all_digits.rstrip("0")
    return digits, int(power or 0) - len(after) + len(all_digits) - len(digits)


# RedisTimeSeries writes doubles below the first without an exponent, and below the second those with a units digit.
_PLAIN, _ONES = float(1 << 52), float(1 << 56)


def sample_text(value: float) -> bytes:
    """A double in the spelling of RedisTimeSeries, in RESP2: the fewest digits that are exact.

    3, 22.5, 7.5E-1, 1E20, Infinity, -Infinity, NaN. Values below one and big values have an exponent.
    """
    size = abs(value)
    if size < _PLAIN:
        whole = int(value)
        if whole == value:
            return b"%d" % whole if whole or copysign(1, value) > 0 else b"-0"
        if size >= 1:
            return float.__repr__(value).encode()
    elif isnan(value):
        return b"NaN"
    elif isinf(value):
        return b"Infinity" if value > 0 else b"-Infinity"
    digits, zeros = _shortest(float.__repr__(value))
    if _PLAIN <= size < _ONES and zeros == 0:
        text = digits
    else:
        text = f"{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}E{zeros + len(digits) - 1}"
    return (f"-{text}" if value < 0 else text).encode()


_LOW = (1 << 64) - 1


class Encoder:
    """Collects encoded replies until they are taken. ``protocol`` is 2 or 3.

    With ``slices`` a reply of many items is not encoded but stored in ``sliced``, which the caller resets to None.
    """

    __slots__ = ("_mark", "_parts", "_size", "_sized", "protocol", "sliced", "slices")

    def __init__(self, protocol: int = 2) -> None:
        self.protocol: int = protocol
        self.slices: bool = False
        self.sliced: Sliced | None = None
        self._mark = 0  # number of parts before this reply
        self._parts: list[bytes] = []
        self._sized = 0  # number of parts whose bytes are counted
        self._size = 0  # their bytes

    @property
    def size(self) -> int:
        """Bytes waiting."""
        parts, sized = self._parts, self._sized
        if sized < len(parts):
            self._size += sum(map(len, parts[sized:] if sized else parts))
            self._sized = len(parts)
        return self._size

    @property
    def room(self) -> int:
        """Capacity of the buffer in bytes: here what is waiting."""
        return self.size

    def write(self, reply: Reply) -> None:
        """Encode one reply. Raises TypeError for what is not a reply value; then nothing is written."""
        parts = self._parts
        kind = type(reply)
        if kind is bytes:
            size = len(reply)  # type: ignore[arg-type]
            parts += (_BULK[size] if size < 4096 else b"$%d\r\n" % size, reply, CRLF)  # type: ignore[arg-type]
        elif reply is OK:
            parts.append(b"+OK\r\n")
        elif reply is None:
            parts.append(b"_\r\n" if self.protocol == 3 else b"$-1\r\n")
        elif kind is int and 0 <= reply < 10_000:  # type: ignore[operator]
            parts.append(_INTS[reply])  # type: ignore[index]
        else:
            self._mark = mark = len(parts)
            try:
                (_WRITERS.get(kind) or _writer(kind))(self, reply)
            except BaseException:
                del parts[mark:]
                raise

    def write_raw(self, data: bytes) -> None:
        """Add bytes as they are."""
        if data:
            self._parts.append(data)

    def take(self) -> bytes:
        """All bytes since the last take."""
        parts = self._parts
        self._parts = []
        self._size = self._sized = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    # ------------------------------------------------------------ by type

    def _null(self, reply: Any) -> None:
        self._parts.append(b"_\r\n" if self.protocol == 3 else b"$-1\r\n")

    def _null_array(self, reply: Any) -> None:
        self._parts.append(b"_\r\n" if self.protocol == 3 else b"*-1\r\n")

    def _nothing(self, reply: Any) -> None:
        pass

    def _bool(self, reply: bool) -> None:
        if self.protocol == 3:
            self._parts.append(b"#t\r\n" if reply else b"#f\r\n")
        else:
            self._parts.append(b":1\r\n" if reply else b":0\r\n")

    def _int(self, reply: int) -> None:
        if 0 <= reply < 10_000:
            self._parts.append(_INTS[reply])
        elif INT64_MIN <= reply <= INT64_MAX:
            self._parts.append(b":%d\r\n" % reply)
        elif self.protocol == 3:
            self._parts.append(b"(%d\r\n" % reply)
        else:
            self._bulk(b"%d" % reply)

    def _float(self, reply: float) -> None:
        text = double_text(reply)
        if self.protocol == 3:
            self._parts += (b",", text, CRLF)
        else:
            self._bulk(text)

    def _bulk(self, reply: bytes) -> None:
        size = len(reply)
        self._parts += (_BULK[size] if size < 4096 else b"$%d\r\n" % size, reply, CRLF)

    def _str(self, reply: str) -> None:
        self._bulk(reply.encode())

    def _simple(self, reply: Simple) -> None:
        self._parts.append(_WORDS.get(id(reply)) or b"+" + one_line(reply.text) + CRLF)

    def _error(self, reply: ErrorReply) -> None:
        self._parts.append(b"-" + one_line(reply.text) + CRLF)

    def _items(self, head: bytes, items: Any) -> None:
        self._parts.append(head)
        for item in items:
            kind = type(item)
            (_WRITERS.get(kind) or _writer(kind))(self, item)

    def _array(self, reply: Any) -> None:
        self._items(b"*%d\r\n" % len(reply), reply)

    def _set(self, reply: SetReply) -> None:
        self._items(b"%c%d\r\n" % (b"~" if self.protocol == 3 else b"*", len(reply.items)), reply.items)

    def _push(self, reply: Push) -> None:
        self._items(b"%c%d\r\n" % (b">" if self.protocol == 3 else b"*", len(reply.items)), reply.items)

    def _map(self, reply: dict[Any, Any]) -> None:
        head = b"%%%d\r\n" % len(reply) if self.protocol == 3 else b"*%d\r\n" % (2 * len(reply))
        self._pairs(head, reply)

    def _pairs(self, head: bytes, pairs: dict[Any, Any]) -> None:
        self._items(head, (each for pair in pairs.items() for each in pair))

    def _flat_map(self, reply: FlatMap) -> None:
        size = len(reply.items)
        self._items(b"%%%d\r\n" % (size // 2) if self.protocol == 3 else b"*%d\r\n" % size, reply.items)

    def _shaped(self, reply: Shaped) -> None:
        self._items(b"", (reply.shape(self.protocol == 3),))

    def _sample_number(self, reply: SampleNumber) -> None:
        if self.protocol == 3:
            self._float(reply.value)
        else:
            self._parts += (b"+", sample_text(reply.value), CRLF)

    def _spelt(self, reply: SpeltDouble) -> None:
        if self.protocol == 3:
            self._parts += (b",", reply.text, CRLF)
        else:
            self._bulk(reply.text)

    def _framed(self, reply: Framed) -> None:
        self._parts.append(b"*%d\r\n" % reply.count)
        self._parts += (reply.frame(part, b"$", CRLF) for part in reply.parts)

    def _entries(self, reply: Entries) -> None:
        self._array([(b"%d-%d" % (entry_id >> 64, entry_id & _LOW), fields) for entry_id, fields in reply.items])

    def _several(self, reply: Several) -> None:
        self._items(b"", reply.replies)

    def _sliced(self, reply: Sliced) -> None:
        if self.slices and len(self._parts) == self._mark and reply.many:
            self.sliced = reply
        else:
            self._parts += reply.pieces(self.protocol)

    def _verbatim(self, reply: Verbatim) -> None:
        if self.protocol == 3:
            self._parts += (b"=%d\r\n" % (len(reply.text) + 4), reply.format, b":", reply.text, CRLF)
        else:
            self._bulk(reply.text)

    def _attribute(self, reply: Attribute) -> None:
        if self.protocol == 3:
            self._pairs(b"|%d\r\n" % len(reply.attributes), reply.attributes)
        self._items(b"", (reply.reply,))

    def _raw(self, reply: RawReply) -> None:
        self._parts.append(reply.wire)


_WRITERS: dict[type, Callable[[Encoder, Any], None]] = {
    type(None): Encoder._null,
    NullArray: Encoder._null_array,
    NoReply: Encoder._nothing,
    bool: Encoder._bool,
    int: Encoder._int,
    float: Encoder._float,
    bytes: Encoder._bulk,
    str: Encoder._str,
    list: Encoder._array,
    tuple: Encoder._array,
    dict: Encoder._map,
    Simple: Encoder._simple,
    ErrorReply: Encoder._error,
    SetReply: Encoder._set,
    Push: Encoder._push,
    Verbatim: Encoder._verbatim,
    Attribute: Encoder._attribute,
    FlatMap: Encoder._flat_map,
    Shaped: Encoder._shaped,
    SampleNumber: Encoder._sample_number,
    SpeltDouble: Encoder._spelt,
    Framed: Encoder._framed,
    Entries: Encoder._entries,
    Several: Encoder._several,
    Sliced: Encoder._sliced,
    RawReply: Encoder._raw,
}


def _writer(kind: type) -> Callable[[Encoder, Any], None]:
    """The writer for instances of a subclass of a reply type, such as an IntEnum."""
    for base in kind.__mro__:
        if base in _WRITERS:
            return _WRITERS[base]
    raise TypeError(f"{kind.__name__} is not a reply value")


def encode(reply: Reply, protocol: int = 2) -> bytes:
    """The bytes of one reply."""
    encoder = Encoder(protocol)
    encoder.write(reply)
    return encoder.take()


def array_head(count: int) -> bytes:
    """The bytes before the items of an array."""
    return b"*%d\r\n" % count


def map_head(count: int, protocol: int = 2) -> bytes:
    """The bytes before the keys and values of a map."""
    return b"%%%d\r\n" % count if protocol == 3 else b"*%d\r\n" % (2 * count)


def number_rows(times: Any, values: Any, protocol: int = 2) -> bytes:
    """The bytes of rows, each an array of an integer and a double: in RESP2 the double is a simple string, ``sample_text``.

    For long replies, where a Python object for each row would take most of the time. Takes buffers.
    """
    mark, spell = (b",", double_text) if protocol == 3 else (b"+", sample_text)
    pairs = zip(memoryview(times).tolist(), map(spell, memoryview(values).tolist()), strict=True)
    return b"".join([b"*2\r\n:%d\r\n%b%b\r\n" % (time, mark, text) for time, text in pairs])
