"""The parts of ``struct``, ``cmsgpack`` and ``bit`` that Python does better than Lua: what is made of bytes and bits."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from .tokens import ARRAY, FALSE, NIL, TABLE, TRUE, Tokens

_WORD = 1 << 32
_ROUNDER: Final = 6755399441055744.0  # 1.5 * 2 ** 52: added to a number, its lowest bits are those of the integer


class LibraryError(Exception):
    """An error of a library function: of one argument (counted from one), or of none (zero).

    The text of one with -1 does not say where it was.
    """

    def __init__(self, position: int, text: str) -> None:
        super().__init__(text)
        self.position = position
        self.text = text.encode("latin-1")


class ArgumentType(Exception):
    """An argument is not of the type that is wanted."""

    def __init__(self, position: int, wanted: str) -> None:
        super().__init__(wanted)
        self.position = position
        self.wanted = wanted.encode()


# --------------------------------------------------------------------- bit


def _bits(number: float) -> int:
    if type(number) is int and -(1 << 51) < number < 1 << 51:
        return number & 0xFFFFFFFF
    bits: int = struct.unpack("<I", struct.pack("<d", number + _ROUNDER)[:4])[0]
    return bits


def _signed(bits: int) -> int:
    return bits - _WORD if bits & 0x80000000 else bits


def _tohex(number: float, digits: float) -> bytes:
    count = _signed(_bits(digits))
    text = b"%08x" % _bits(number)
    if count < 0:
        text, count = text.upper(), -count
    return text[8 - min(count, 8) :]


def _rotated(bits: int, count: int) -> int:
    return (bits << count | bits >> (32 - count)) & 0xFFFFFFFF


BIT: Final[dict[str, Callable[..., int | bytes]]] = {
    "tobit": lambda a: _signed(_bits(a)),
    "bnot": lambda a: _signed(~_bits(a) & 0xFFFFFFFF),
    "bswap": lambda a: _signed(int.from_bytes(_bits(a).to_bytes(4, "little"), "big")),
    "band": lambda a, b: _signed(_bits(a) & _bits(b)),
    "bor": lambda a, b: _signed(_bits(a) | _bits(b)),
    "bxor": lambda a, b: _signed(_bits(a) ^ _bits(b)),
    "lshift": lambda a, b: _signed(_bits(a) << (_bits(b) & 31) & 0xFFFFFFFF),
    "rshift": lambda a, b: _signed(_bits(a) >> (_bits(b) & 31)),
    "arshift": lambda a, b: _signed(_bits(a)) >> (_bits(b) & 31),
    "rol": lambda a, b: _signed(_rotated(_bits(a), _bits(b) & 31)),
    "ror": lambda a, b: _signed(_rotated(_bits(a), -_bits(b) & 31)),
    "tohex": _tohex,
}

# --------------------------------------------------------------------- struct

_LARGEST_INTEGER: Final = 32
_MOST: Final = (1 << 31) - 1
_ALIGNMENT: Final = 8
_FIXED: Final = {66: 1, 98: 1, 72: 2, 104: 2, 76: 8, 108: 8, 84: 8, 102: 4, 100: 8, 120: 1}
_INTEGERS: Final = frozenset(b"bBhHlLTiI")
_MASK = (1 << 64) - 1


class _Layout:
    """A walk over a format: each option with its size, and padding before it."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0
        self._align = 1
        self.big = False

    def _number(self, default: int) -> int:
        start = self._at
        number = 0
        while self._at < len(self._text) and 48 <= self._text[self._at] <= 57:
            digit = self._text[self._at] - 48
            if number > _MOST // 10 or number * 10 > _MOST - digit:
                raise LibraryError(0, "integral size overflow")
            number = number * 10 + digit
            self._at += 1
        return number if self._at > start else default

    def next(self) -> tuple[int, int] | None:
        """The next option and its size, None at the end."""
        # The format is a C string.
        if self._at >= len(self._text) or self._text[self._at] == 0:
            return None
        option = self._text[self._at]
        self._at += 1
        if option in _FIXED:
            return option, _FIXED[option]
        if option == 99:
            return option, self._number(1)
        if option in b"iI":
            size = self._number(4)
            if size > _LARGEST_INTEGER:
                raise LibraryError(0, f"integral size {size} is larger than limit of {_LARGEST_INTEGER}")
            return option, size
        return option, 0

    def padding(self, at: int, option: int, size: int) -> int:
        """Bytes before this option."""
        if size == 0 or option == 99:
            return 0
        size = min(size, self._align)
        return (size - (at & (size - 1))) & (size - 1)

    def control(self, option: int) -> None:
        """An option that stands for no data."""
        if option == 32:
            return
        if option == 62:
            self.big = True
        elif option == 60:
            self.big = False
        elif option == 33:
            align = self._number(_ALIGNMENT)
            if align == 0 or align & (align - 1):
                raise LibraryError(0, f"alignment {align} is not a power of 2")
            self._align = align
        else:
            raise LibraryError(1, f"invalid format option '{chr(option)}'")


def as_number(value: Any, position: int) -> float:
    """An argument as Lua's number: text is taken for one where it is one."""
    if type(value) is bytes:
        text = value.strip(b" \t\n\v\f\r").lower()
        sign, digits = (-1, text[1:]) if text[:1] == b"-" else (1, text.removeprefix(b"+"))
        try:
            if digits.startswith(b"0x"):
                return sign * float.fromhex(digits.decode("latin-1"))
            if digits and b"_" not in digits and not digits.startswith((b"+", b"-")):
                return sign * float(digits)
        except (ValueError, OverflowError):
            pass
    elif type(value) in (int, float):
        number: float = value
        return number
    raise ArgumentType(position, "number")


def as_text(value: Any, position: int) -> bytes:
    """An argument as Lua's string: numbers are written out."""
    if type(value) is bytes:
        return value
    if type(value) in (int, float):
        return b"%.14g" % value
    raise ArgumentType(position, "string")


def _integer_bits(number: float) -> int:
    if type(number) is int:
        return number & _MASK
    if number != number or number >= 18446744073709551616.0 or number < -9223372036854775808.0:
        return 1 << 63 if number < 0 or number != number else 0
    return int(number) & _MASK


def struct_pack(layout_text: bytes, *given: Any) -> bytes:
    """Values as bytes, by a format."""
    layout = _Layout(layout_text)
    out = bytearray()
    position = 2

    def argument() -> Any:
        return given[position - 2] if position - 2 < len(given) else False

    while (step := layout.next()) is not None:
        option, size = step
        out += bytes(layout.padding(len(out), option, size))
        if option in _INTEGERS:
            data = _integer_bits(as_number(argument(), position)).to_bytes(max(size, 8), "little")[:size]
            out += data[::-1] if layout.big else data
            position += 1
        elif option == 120:
            out.append(0)
        elif option in b"fd":
            number = as_number(argument(), position)
            position += 1
            order = ">" if layout.big else "<"
            if option == 100:
                out += struct.pack(order + "d", number)
            else:
                try:
                    out += struct.pack(order + "f", number)
                except OverflowError:
                    out += struct.pack(order + "f", float("inf") if number > 0 else float("-inf"))
        elif option in b"cs":
            text = as_text(argument(), position)
            position += 1
            if size == 0:
                size = len(text)
            if len(text) < size:
                raise LibraryError(position, "string too short")
            out += text[:size]
            if option == 115:
                out.append(0)
        else:
            layout.control(option)
    return bytes(out)


def struct_unpack(layout_text: bytes, data: bytes, start: float) -> Tokens:
    """Bytes as values, by a format; then the position behind them."""
    layout = _Layout(layout_text)
    size_of_data = len(data)
    at = int(start) if abs(start) < 1 << 62 else -1
    if at == 0:
        raise LibraryError(3, "offset must be 1 or greater")
    at -= 1
    values: Tokens = []
    while (step := layout.next()) is not None:
        option, size = step
        at += layout.padding(at, option, size)
        if at < 0 or size > size_of_data or at > size_of_data - size:
            raise LibraryError(2, "data string too short")
        if option in _INTEGERS:
            values.append(_integer(data[at : at + size], layout.big, 97 <= option <= 122))
        elif option == 102:
            values.append(struct.unpack_from(">f" if layout.big else "<f", data, at)[0])
        elif option == 100:
            values.append(struct.unpack_from(">d" if layout.big else "<d", data, at)[0])
        elif option == 99:
            if size == 0:
                try:
                    given = as_number(values.pop() if values else False, 0)
                except ArgumentType:
                    raise LibraryError(0, "format 'c0' needs a previous size") from None
                # As C makes a size of it.
                size = 0 if given >= 1 << 64 else int(given) if abs(given) < 1 << 62 else -1
                if size < 0 or size > size_of_data or at > size_of_data - size:
                    raise LibraryError(2, "data string too short")
            values.append(data[at : at + size])
        elif option == 115:
            end = data.find(b"\0", at)
            if end < 0:
                raise LibraryError(0, "unfinished string in data")
            values.append(data[at:end])
            size = end - at + 1
        elif option != 120:
            layout.control(option)
        at += size
    values.append(at + 1)
    return values


def _integer(data: bytes, big: bool, signed: bool) -> float:
    value = int.from_bytes(data, "big" if big else "little") & _MASK
    if signed:
        mask = _MASK << ((8 * len(data) - 1) & 63) & _MASK
        if value & mask:
            value |= mask
        if value >> 63:
            value -= 1 << 64
    return value if abs(value) < 1 << 53 else float(value)


def struct_size(layout_text: bytes) -> int:
    """Bytes that a format takes."""
    layout = _Layout(layout_text)
    at = 0
    while (step := layout.next()) is not None:
        option, size = step
        at += layout.padding(at, option, size)
        if option == 115:
            raise LibraryError(1, "option 's' has no fixed size")
        if option == 99 and size == 0:
            raise LibraryError(1, "option 'c0' has no fixed size")
        if not (48 <= option <= 57 or 65 <= option <= 90 or 97 <= option <= 122):
            layout.control(option)
        at += size
    return at


# --------------------------------------------------------------------- cmsgpack

_PACK_8, _PACK_16, _PACK_32, _PACK_64 = (struct.Struct(form).pack for form in (">BB", ">BH", ">BI", ">BQ"))
_PACK_S8, _PACK_S16, _PACK_S32, _PACK_S64 = (struct.Struct(form).pack for form in (">Bb", ">Bh", ">Bi", ">Bq"))
_PACK_FLOAT, _PACK_DOUBLE = struct.Struct(">Bf").pack, struct.Struct(">Bd").pack
_AS_FLOAT = struct.Struct("<f")


def _packed_int(number: int) -> bytes:
    if number >= 0:
        if number < 1 << 7:
            return bytes((number,))
        if number < 1 << 8:
            return _PACK_8(0xCC, number)
        if number < 1 << 16:
            return _PACK_16(0xCD, number)
        if number < 1 << 32:
            return _PACK_32(0xCE, number)
        return _PACK_64(0xCF, number)
    if number >= -(1 << 5):
        return bytes((number & 0xFF,))
    if number >= -(1 << 7):
        return _PACK_S8(0xD0, number)
    if number >= -(1 << 15):
        return _PACK_S16(0xD1, number)
    if number >= -(1 << 31):
        return _PACK_S32(0xD2, number)
    return _PACK_S64(0xD3, number)


def _packed_float(number: float) -> bytes:
    try:
        short = _AS_FLOAT.unpack(_AS_FLOAT.pack(number))[0] == number
    except OverflowError:
        short = False
    return _PACK_FLOAT(0xCA, number) if short else _PACK_DOUBLE(0xCB, number)


def _packed_text(text: bytes) -> bytes:
    size = len(text)
    if size < 32:
        return bytes((0xA0 | size,)) + text
    if size < 1 << 8:
        return _PACK_8(0xD9, size) + text
    if size < 1 << 16:
        return _PACK_16(0xDA, size) + text
    return _PACK_32(0xDB, size) + text


def _packed_head(count: int, short: int, medium: int) -> bytes:
    if count < 16:
        return bytes((short | count,))
    return _PACK_16(medium, count) if count < 1 << 16 else _PACK_32(medium + 1, count)


def pack(tokens: Tokens) -> bytes:
    """Values as MessagePack."""
    parts: list[bytes] = []
    at, end = 0, len(tokens)
    while at < end:
        token = tokens[at]
        at += 1
        kind = type(token)
        if kind is bytes:
            parts.append(_packed_text(token))
        elif kind is int:
            parts.append(_packed_int(token))
        elif kind is float:
            parts.append(_packed_float(token))
        else:
            what = tokens[at]
            at += 1
            if what == NIL:
                parts.append(b"\xc0")
            elif what == TRUE:
                parts.append(b"\xc3")
            elif what == FALSE:
                parts.append(b"\xc2")
            else:
                parts.append(
                    _packed_head(tokens[at], 0x90, 0xDC) if what == ARRAY else _packed_head(tokens[at], 0x80, 0xDE)
                )
                at += 1
    return b"".join(parts)


# First byte -> how the number behind it is written.
_NUMBERS: Final = {
    code: struct.Struct(form)
    for code, form in (
        (0xCA, ">f"),
        (0xCB, ">d"),
        (0xCC, ">B"),
        (0xCD, ">H"),
        (0xCE, ">I"),
        (0xCF, ">q"),  # as Redis does: a big one comes out negative
        (0xD0, ">b"),
        (0xD1, ">h"),
        (0xD2, ">i"),
        (0xD3, ">q"),
    )
}
_SIZES: Final = {
    code: struct.Struct(form)
    for code, form in (
        (0xD9, ">B"),
        (0xDA, ">H"),
        (0xDB, ">I"),
        (0xDC, ">H"),
        (0xDD, ">I"),
        (0xDE, ">H"),
        (0xDF, ">I"),
    )
}
_CONSTANTS: Final = {0xC0: NIL, 0xC2: FALSE, 0xC3: TRUE}
_DEEPEST: Final = 3000
_MISSING, _BAD = "Missing bytes in input.", "Bad data format in input."


class _Container:
    """An array or map that is being read: how many values are missing yet, and what is wrong with the last name."""

    __slots__ = ("is_map", "left", "problem")

    def __init__(self, left: int, *, is_map: bool) -> None:
        self.left = left
        self.is_map = is_map
        self.problem = ""

    def check(self) -> None:
        """A name that cannot be one is an error once its value has been read."""
        if self.problem and self.left & 1 == 0:
            raise LibraryError(-1, self.problem)


def unpack(data: bytes, at: int) -> tuple[Tokens, int]:
    """One value of MessagePack as tokens, and the place behind it."""
    tokens: Tokens = []
    size = len(data)
    open_ones = [_Container(1, is_map=False)]
    while True:
        container = open_ones[-1]
        if container.left == 0:
            open_ones.pop()
            if not open_ones:
                return tokens, at
            open_ones[-1].check()
            continue
        is_name = container.is_map and container.left & 1 == 0
        container.left -= 1
        if at >= size:
            raise LibraryError(0, _MISSING)
        code = data[at]
        at += 1
        count = -1
        is_map = False
        if code < 0x80 or code >= 0xE0:
            tokens.append(code if code < 0x80 else code - 256)
        elif code in _NUMBERS:
            form = _NUMBERS[code]
            if size - at < form.size:
                raise LibraryError(0, _MISSING)
            number = form.unpack_from(data, at)[0]
            tokens.append(number if -(1 << 53) < number < 1 << 53 else float(number))
            at += form.size
            if is_name and number != number:
                container.problem = "table index is NaN"
        elif code in _CONSTANTS:
            tokens += (True, _CONSTANTS[code])
            if is_name and code == 0xC0:
                container.problem = "table index is nil"
        else:
            if code < 0xC0:
                count = code & (0x1F if code >= 0xA0 else 0x0F)
            elif code in _SIZES:
                form = _SIZES[code]
                if size - at < form.size:
                    raise LibraryError(0, _MISSING)
                count = form.unpack_from(data, at)[0]
                at += form.size
            else:
                raise LibraryError(0, _BAD)
            if 0xA0 <= code < 0xDC:
                if size - at < count:
                    raise LibraryError(0, _MISSING)
                tokens.append(data[at : at + count])
                at += count
                count = -1
            else:
                is_map = code < 0x90 or code >= 0xDE
        if count >= 0:
            tokens += (True, TABLE if is_map else ARRAY, count)
            open_ones.append(_Container(2 * count if is_map else count, is_map=is_map))
            if len(open_ones) > _DEEPEST:
                raise LibraryError(0, "stack overflow (in function mp_decode_to_lua_array)")
        elif not is_name:
            container.check()
