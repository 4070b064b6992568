"""What both parsers share: the errors, and the lines that are not RESP (inline commands, JSON, HTTP)."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Redis' limits for unauthenticated clients. The limit of arguments applies to arrays;
# that of JSON lines is ours, equal to the one for an argument.
UNAUTHENTICATED_MAX_ARGS = 10
UNAUTHENTICATED_MAX_BULK = UNAUTHENTICATED_MAX_JSON = 16384


class ProtocolError(Exception):
    """The input is not a request; the text is Redis'. What follows cannot be parsed.

    ``json``: the request was a JSON line, whose sender expects a JSON reply.
    """

    def __init__(self, text: str, *, json: bool = False) -> None:
        super().__init__(f"Protocol error: {text}")
        self.json = json


class HttpRequest(ProtocolError):
    """An HTTP request line: a browser was made to talk to this port. Nothing must be executed."""

    def __init__(self) -> None:
        super().__init__("HTTP request")


class BinaryInput(ProtocolError):
    """Another protocol, most likely TLS. Lines that its bytes happen to contain must not be executed."""

    def __init__(self) -> None:
        super().__init__("binary data in a command line")


@dataclass(slots=True)
class TimelyLines:
    """Whole lines of Timely's text protocol, ``put ...`` or ``version``, with their line ends; none: one was too long."""

    text: bytes


@dataclass(slots=True)
class TimelyBuffer:
    """Points in Timely's binary form, all that one read has brought: a FlatBuffers buffer does not tell where it ends."""

    data: bytes


# So much of Timely's lines is one request at most, so that what is made of them at a time has a limit.
MOST_TIMELY = 256 << 10
# What stands behind the first four bytes of Timely's binary form. These are a distance from there, with a zero at the end
# that no line of text begins with.
TIMELY_MARK = b"TMFB"
_TIMELY_LINE = re.compile(rb"put |version\r?\n").match


def begins_timely_line(data: bytes | bytearray, at: int) -> bool:
    """Whether a line of Timely's begins there: a put, whole or not, or a whole ``version``."""
    return _TIMELY_LINE(data, at) is not None


def begins_timely_buffer(data: bytes | bytearray, at: int) -> bool:
    """Whether points in Timely's binary form begin there."""
    return data[at + 4 : at + 8] == TIMELY_MARK and data[at + 3] == 0


# Bytes that no typed command line begins with: control characters and non-ASCII ones.
# Blanks are not among them, since they may precede the word.
_BINARY = rb"\x00-\x08\x0e-\x1f\x7f-\xff"
_BINARY_WORD = re.compile(rb"[ \t\r\v\f]*+[^ \t\r%b]*+[%b]" % (_BINARY, _BINARY)).match
# Most lines: printable ASCII without quotes.
_PLAIN_TEXT = re.compile(rb"[ !#-&(-~\t\r]*+\Z").match


def is_binary(byte: int) -> bool:
    """Whether the first byte of a command shows that it is neither RESP nor a line."""
    return (byte < 32 and not 9 <= byte <= 13) or byte > 126


def unexpected(byte: int) -> ProtocolError:
    """The error for an argument of an array that is not a bulk string; the byte is passed on unchanged."""
    char = bytes((byte,)).decode("utf-8", "surrogateescape")
    return ProtocolError(f"expected '$', got '{char}'")


def read_line(line: bytes) -> list[bytes] | bytes:
    """A whole line, without its line feed: JSON text, or the words of an inline command (none: an empty line).

    Raises ProtocolError for unbalanced quotes, HttpRequest for what only a browser would send, and BinaryInput where the
    command is not text, or a NUL is in the line: Redis stops reading there. Arguments may hold any other bytes.
    """
    word = line[:-1] if line.endswith(b"\r") else line
    if word.isalpha() and word.lower() != b"post":  # one plain word, as in a client's PING
        return [word]
    text = line.lstrip(b" \t")
    if text.startswith(b"{"):
        return text.rstrip(b" \t\r")
    plain = _PLAIN_TEXT(line) is not None
    if not plain and line.endswith(b"\r"):
        line = line[:-1]
    words = line.split() if plain else split_words(line)
    if _is_http(line, words):
        raise HttpRequest
    if not plain and (b"\0" in line or _BINARY_WORD(line)):
        raise BinaryInput
    if words is None:
        raise ProtocolError("unbalanced quotes in request")
    return words


def begins_like_http(text: bytes) -> bool:
    """Whether the first line of a connection is the request line of HTTP."""
    return _is_http(text.partition(b"\n")[0], None)


def _is_http(line: bytes, words: list[bytes] | None) -> bool:
    """Whether a line is an HTTP request line, or a line that a cross-protocol attack cannot avoid sending."""
    if line.rstrip().endswith((b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0")):
        return True
    first = (line.split(None, 1) if words is None else words)[:1]
    return bool(first) and len(first[0]) < 6 and first[0].lower() in (b"post", b"host:")


# ---------------------------------------------------------------- words, as sdssplitargs reads them

# These end a word of an inline command. Vertical tabs and form feeds separate words too, but
# do not end one that has begun.
_ENDS = b" \n\r\t"
_BLANKS = b" \n\r\t\v\f"
_ESCAPES = {110: 10, 114: 13, 116: 9, 98: 8, 97: 7}  # behind a backslash: n r t b a
_PLAIN = re.compile(rb"[^\"'\v\f]*\Z").match


def split_words(line: bytes) -> list[bytes] | None:
    """Split an inline command as Redis does; None where a quote is not closed or not followed by a blank."""
    if _PLAIN(line):
        return line.split()
    words: list[bytes] = []
    at, size = 0, len(line)
    while True:
        while at < size and line[at] in _BLANKS:
            at += 1
        if at >= size:
            return words
        word_and_end = _word(line, at)
        if word_and_end is None:
            return None
        word, at = word_and_end
        words.append(word)


def _word(line: bytes, at: int) -> tuple[bytes, int] | None:
    word = bytearray()
    size = len(line)
    while at < size and line[at] not in _ENDS:
        byte = line[at]
        if byte in b"\"'":
            closed = _quoted(line, at + 1, byte, word)
            if closed is None or (closed < size and line[closed] not in _BLANKS):
                return None
            return bytes(word), closed
        word.append(byte)
        at += 1
    return bytes(word), at


def _quoted(line: bytes, at: int, quote: int, word: bytearray) -> int | None:
    """Collect a quoted part; the index after its closing quote, or None if there is none."""
    size = len(line)
    while at < size:
        byte = line[at]
        if byte == quote:
            return at + 1
        if byte == 92 and at + 1 < size:
            follower = line[at + 1]
            if quote == 39:
                if follower == 39:
                    byte, at = 39, at + 1
            elif follower == 120 and _HEX(line, at + 2):
                byte, at = int(line[at + 2 : at + 4], 16), at + 3
            else:
                byte, at = _ESCAPES.get(follower, follower), at + 1
        word.append(byte)
        at += 1
    return None


_HEX = re.compile(rb"[0-9a-fA-F]{2}").match


def wire_size(argv: list[bytes]) -> int:
    """The bytes of a request as a RESP array."""
    return len(b"*%d\r\n" % len(argv)) + sum(len(arg) + len(b"$%d\r\n\r\n" % len(arg)) for arg in argv)
