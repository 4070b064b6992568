"""Values that cross between Python and Lua, as a flat list of tokens.

A token is a string or a number and stands for itself, or it is True and a number follows, which says what comes next.
False stands for itself on the way to Lua.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import copysign, isnan
from typing import Any, Final

from januskv.resp.decoder import Pairs, ReplyReader
from januskv.resp.encoder import double_text, encode
from januskv.resp.replies import (
    Attribute,
    ErrorReply,
    FlatMap,
    NoReply,
    NullArray,
    Push,
    RawReply,
    Reply,
    SampleNumber,
    SetReply,
    Shaped,
    Simple,
    SpeltDouble,
    Verbatim,
)

(
    ERROR,  # text
    STATUS,  # text
    ARRAY,  # count, items
    NIL,
    TRUE,
    FALSE,
    MAP,  # count, names and values: as {map = {...}}
    SET,  # count, members: as {set = {...}}
    DOUBLE,  # number: as {double = ...}
    BIG_NUMBER,  # digits
    VERBATIM,  # format, text
    NULL,  # cjson.null
    MORE,  # all tokens are to be fetched in parts
    FAILED,  # text: ends the script, whatever it catches
    TABLE,  # count, names and values: as they are
    VALUES,  # strings and numbers, as they are
    FLAT,  # strings, numbers and False, to the end: an array
    EXPECTED,  # the position of an argument, and what it should have been
) = range(1, 19)

Tokens = list[Any]
# The stack of C has room for so many values at a time.
CHUNK: Final = 4000

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_PLAIN: Final = frozenset((bytes, int))


def number_text(number: float) -> bytes:
    """A number that a script gives to a command, in the spelling of Redis 7.4."""
    if isnan(number):
        return b"-nan" if copysign(1, number) < 0 else b"nan"
    return double_text(number)


def to_lua(reply: Reply, three: bool) -> Any:
    """A reply as one plain value, None or False, or as a tuple that begins with True and has the tokens."""
    kind = type(reply)
    if kind is bytes or (kind is int and _INT64_MIN <= reply <= _INT64_MAX):  # type: ignore[operator]
        return reply
    if reply is None:
        return None if three else False
    if kind is Simple:
        return (True, STATUS, reply.text)  # type: ignore[union-attr]
    if kind is ErrorReply:
        return (True, ERROR, reply.text)  # type: ignore[union-attr]
    if kind is list and len(reply) <= CHUNK - 2 and _PLAIN.issuperset(map(type, reply)):  # type: ignore[arg-type]
        return (True, FLAT, *reply)  # type: ignore[misc]
    tokens: Tokens = []
    _add(tokens, reply, three)
    return tokens[0] if len(tokens) == 1 else (None if tokens == [True, NIL] else (True, *tokens[1:]))


def _add(tokens: Tokens, reply: Any, three: bool) -> None:
    kind = type(reply)
    if kind is bytes:
        tokens.append(reply)
        return
    add = _ADDERS.get(kind)
    if add is None:
        add = next((each for base, each in _ADDERS.items() if isinstance(reply, base)), _add_encoded)
        # The table of kinds is closed but for classes of lazy replies, which are few.
        _ADDERS[kind] = add
    add(tokens, reply, three)


def _add_int(tokens: Tokens, reply: int, three: bool) -> None:
    if _INT64_MIN <= reply <= _INT64_MAX:
        tokens.append(int(reply))
    elif three:
        tokens += (True, BIG_NUMBER, b"%d" % reply)
    else:
        tokens.append(b"%d" % reply)


def _add_bool(tokens: Tokens, reply: bool, three: bool) -> None:
    if three:
        tokens += (True, TRUE if reply else FALSE)
    else:
        tokens.append(1 if reply else 0)


def _add_null(tokens: Tokens, reply: Any, three: bool) -> None:
    if three:
        tokens += (True, NIL)
    else:
        tokens.append(False)


def _add_text(tokens: Tokens, reply: str, three: bool) -> None:
    tokens.append(reply.encode())


def _add_bytes(tokens: Tokens, reply: bytes, three: bool) -> None:
    tokens.append(bytes(reply))


def _add_float(tokens: Tokens, reply: float, three: bool) -> None:
    if three:
        tokens += (True, DOUBLE, float(reply))
    else:
        tokens.append(double_text(reply))


def _add_spelt(tokens: Tokens, reply: SpeltDouble, three: bool) -> None:
    if three:
        tokens += (True, DOUBLE, float(reply.text))
    else:
        tokens.append(reply.text)


def _add_array(tokens: Tokens, reply: Sequence[Any], three: bool) -> None:
    tokens += (True, ARRAY, len(reply))
    if _PLAIN.issuperset(map(type, reply)):
        tokens += reply
    else:
        for item in reply:
            _add(tokens, item, three)


def _add_items(tokens: Tokens, items: Sequence[Any], three: bool) -> None:
    for item in items:
        _add(tokens, item, three)


def _add_dict(tokens: Tokens, reply: dict[Any, Any], three: bool) -> None:
    _add_flat(tokens, [part for pair in reply.items() for part in pair], three)


def _add_flat(tokens: Tokens, items: list[Any], three: bool) -> None:
    tokens += (True, MAP, len(items) // 2) if three else (True, ARRAY, len(items))
    _add_items(tokens, items, three)


def _add_flat_map(tokens: Tokens, reply: FlatMap, three: bool) -> None:
    _add_flat(tokens, reply.items, three)


def _add_pairs(tokens: Tokens, reply: Pairs, three: bool) -> None:
    _add_flat(tokens, [part for pair in reply for part in pair], three)


def _add_set(tokens: Tokens, reply: SetReply, three: bool) -> None:
    items = list(reply.items)
    if not three:
        _add_array(tokens, items, three)
        return
    tokens += (True, SET, len(items))
    _add_items(tokens, items, three)


def _add_push(tokens: Tokens, reply: Push, three: bool) -> None:
    _add_array(tokens, list(reply.items), three)


def _add_verbatim(tokens: Tokens, reply: Verbatim, three: bool) -> None:
    if three:
        tokens += (True, VERBATIM, reply.format, reply.text)
    else:
        tokens.append(reply.text)


def _add_attribute(tokens: Tokens, reply: Attribute, three: bool) -> None:
    _add(tokens, reply.reply, three)  # Redis drops attributes here


def _add_shaped(tokens: Tokens, reply: Shaped, three: bool) -> None:
    _add(tokens, reply.shape(three), three)


def _add_status(tokens: Tokens, reply: Simple, three: bool) -> None:
    tokens += (True, STATUS, reply.text)


def _add_error(tokens: Tokens, reply: ErrorReply, three: bool) -> None:
    tokens += (True, ERROR, reply.text)


def _add_encoded(tokens: Tokens, reply: Any, three: bool) -> None:
    # Replies that are made only when they are encoded.
    reader = ReplyReader()
    reader.feed(encode(reply, 3 if three else 2))
    first = reader.gets()
    if first is None:
        _add_null(tokens, None, three)
    else:
        _add(tokens, first[1], three)


_ADDERS: dict[type, Callable[[Tokens, Any, bool], None]] = {
    type(None): _add_null,
    NullArray: _add_null,
    NoReply: _add_null,
    bool: _add_bool,
    int: _add_int,
    float: _add_float,
    bytes: _add_bytes,
    str: _add_text,
    Pairs: _add_pairs,
    list: _add_array,
    tuple: _add_array,
    dict: _add_dict,
    Simple: _add_status,
    ErrorReply: _add_error,
    Verbatim: _add_verbatim,
    SetReply: _add_set,
    Push: _add_push,
    Attribute: _add_attribute,
    Shaped: _add_shaped,
    FlatMap: _add_flat_map,
    SpeltDouble: _add_spelt,
    SampleNumber: _add_encoded,
}


def whole(number: float) -> int:
    """A number as C makes a 64 bit integer of it."""
    return int(number) if -9.223372036854775808e18 <= number < 9.223372036854775808e18 else _INT64_MIN


def _plain(token: Any) -> bytes | int:
    return whole(token) if type(token) is float else token


def size_of(value: Any) -> int:
    """About how many bytes a value from ``to_lua`` takes in Lua."""
    if type(value) is not tuple:
        return len(value) + 64 if type(value) is bytes else 64
    return 160 * len(value) + sum([len(each) for each in value if type(each) is bytes])


def line_of(text: bytes) -> bytes:
    """A text of a status or error as Redis sends it: what C's functions see of it, in one line."""
    return text.partition(b"\0")[0].replace(b"\r", b" ").replace(b"\n", b" ")


class _Results:
    """Tokens of a script's result as a reply."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, tokens: Sequence[Any]) -> None:
        self._tokens = tokens
        self._at = 0

    def value(self) -> Reply:
        tokens, at = self._tokens, self._at
        token = tokens[at]
        if token is not True:
            self._at = at + 1
            return _plain(token)
        kind = tokens[at + 1]
        self._at = at + 2
        if kind in _SIMPLE_RESULTS:
            return _SIMPLE_RESULTS[kind]
        first = tokens[at + 2]
        self._at = at + 3
        if kind == ARRAY:
            return [self.value() for _ in range(first)]
        if kind == MAP:
            return FlatMap([self.value() for _ in range(2 * first)])
        if kind == SET:
            return SetReply([self.value() for _ in range(first)])
        if kind == STATUS:
            return Simple(line_of(first))
        if kind == ERROR:
            return ErrorReply(line_of(first))
        if kind == DOUBLE:
            return float(first)
        if kind == BIG_NUMBER:
            return BigNumber(first.replace(b"\r", b" ").replace(b"\n", b" "))
        self._at = at + 4
        return Verbatim(first[:3].ljust(3), tokens[at + 3])


_SIMPLE_RESULTS: dict[int, Reply] = {NIL: None, TRUE: True, FALSE: False}


class BigNumber(Shaped):
    """Digits that a script gives as a big number: such in RESP3, a bulk string in RESP2."""

    __slots__ = ("digits",)

    def __init__(self, digits: bytes) -> None:
        self.digits = digits

    def shape(self, three: bool) -> Any:
        """The wire form in RESP3."""
        return RawReply(b"(%b\r\n" % self.digits) if three else self.digits

    def __repr__(self) -> str:
        return f"BigNumber({self.digits!r})"


def from_lua(tokens: Sequence[Any]) -> Reply:
    """The reply of which these are the tokens."""
    if tokens[1] == ARRAY:
        items = tokens[3:]
        kinds = set(map(type, items))
        if bool not in kinds:
            return list(items) if float not in kinds else [_plain(each) for each in items]
    return _Results(tokens).value()
