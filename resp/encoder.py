"""Reply values to bytes, for both protocols. The compiled twin (``encoder.pyx``) writes one C buffer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .replies import (
    OK,
    PONG,
    QUEUED,
    Attribute,
    ErrorReply,
    NoReply,
    NullArray,
    Push,
    RawReply,
    Reply,
    SetReply,
    Simple,
    Verbatim,
)

CRLF = b"\r\n"
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1

_BULK = [b"$%d\r\n" % size for size in range(4096)]
_INTS = [b":%d\r\n" % value for value in range(10_000)]
_SMALL = {OK: b"+OK\r\n", PONG: b"+PONG\r\n", QUEUED: b"+QUEUED\r\n"}


def one_line(text: bytes) -> bytes:
    """The text without line ends: error texts repeat what callers sent, and must not forge a reply."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ") if b"\r" in text or b"\n" in text else text


def double_text(value: float) -> bytes:
    """A double in its shortest exact spelling, as Redis 7.2 and later: 3, 0.1, 1e+20, inf, -inf, nan."""
    text = repr(value)
    return (text[:-2] if text.endswith(".0") else text).encode()


class Encoder:
    """Collects encoded replies until they are taken. ``protocol`` is 2 or 3."""

    def __init__(self, protocol: int = 2) -> None:
        self.protocol: int = protocol
        self._parts: list[bytes] = []

    @property
    def size(self) -> int:
        """Bytes waiting."""
        return sum(map(len, self._parts))

    def write(self, reply: Reply) -> None:
        """Encode one reply. Raises TypeError for what is no reply value; nothing of it is written then."""
        parts = self._parts
        kind = type(reply)
        if kind is bytes:
            size = len(reply)  # type: ignore[arg-type]
            parts += (_BULK[size] if size < 4096 else b"$%d\r\n" % size, reply, CRLF)  # type: ignore[arg-type]
            return
        if reply is OK:
            parts.append(b"+OK\r\n")
            return
        mark = len(parts)
        try:
            _WRITERS[kind](self, reply)
        except KeyError:
            del parts[mark:]
            if kind in _WRITERS:
                raise
            raise TypeError(f"{kind.__name__} is no reply value") from None
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
        self._parts += (b"$%d\r\n" % len(reply), reply, CRLF)

    def _str(self, reply: str) -> None:
        self._bulk(reply.encode())

    def _simple(self, reply: Simple) -> None:
        self._parts.append(_SMALL.get(reply) or b"+" + one_line(reply.text) + CRLF)

    def _error(self, reply: ErrorReply) -> None:
        self._parts.append(b"-" + one_line(reply.text) + CRLF)

    def _items(self, mark: bytes, items: Any) -> None:
        self._parts.append(b"%b%d\r\n" % (mark, len(items)))
        for item in items:
            _writer(item)(self, item)

    def _array(self, reply: Any) -> None:
        self._items(b"*", reply)

    def _map(self, reply: dict[Any, Any]) -> None:
        self._pairs(b"%%%d\r\n" % len(reply) if self.protocol == 3 else b"*%d\r\n" % (2 * len(reply)), reply)

    def _pairs(self, head: bytes, pairs: dict[Any, Any]) -> None:
        self._parts.append(head)
        for name, value in pairs.items():
            _writer(name)(self, name)
            _writer(value)(self, value)

    def _set(self, reply: SetReply) -> None:
        self._items(b"~" if self.protocol == 3 else b"*", reply.items)

    def _push(self, reply: Push) -> None:
        self._items(b">" if self.protocol == 3 else b"*", reply.items)

    def _verbatim(self, reply: Verbatim) -> None:
        if self.protocol == 3:
            self._parts += (b"=%d\r\n" % (len(reply.text) + 4), reply.format, b":", reply.text, CRLF)
        else:
            self._bulk(reply.text)

    def _attribute(self, reply: Attribute) -> None:
        if self.protocol == 3:
            self._pairs(b"|%d\r\n" % len(reply.attributes), reply.attributes)
        _writer(reply.reply)(self, reply.reply)

    def _raw(self, reply: RawReply) -> None:
        self._parts.append(reply.wire)


def _writer(reply: object) -> Callable[[Encoder, Any], None]:
    try:
        return _WRITERS[type(reply)]
    except KeyError:
        raise TypeError(f"{type(reply).__name__} is no reply value") from None


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
    RawReply: Encoder._raw,
}


def encode(reply: Reply, protocol: int = 2) -> bytes:
    """The bytes of one reply."""
    encoder = Encoder(protocol)
    encoder.write(reply)
    return encoder.take()
