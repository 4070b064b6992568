"""What both parsers share: the errors, and the lines that are no RESP (inline commands, HTTP)."""

from __future__ import annotations


class ProtocolError(Exception):
    """The input is no request; the text is Redis'. What follows cannot be told apart any more."""

    def __init__(self, text: str, *, json: bool = False) -> None:
        super().__init__(f"Protocol error: {text}")
        self.json = json


class HttpRequest(ProtocolError):
    """An HTTP request line: a browser was made to talk to this port, nothing must be executed."""

    def __init__(self) -> None:
        super().__init__("HTTP request")


def is_http(line: bytes) -> bool:
    """Whether a line is an HTTP request line, or the command that a cross-protocol attack would send."""
    first = line[:6].lower()
    return line.endswith((b" HTTP/1.1", b" HTTP/1.0")) or first.startswith((b"post ", b"host: ", b"host:"))


# ---------------------------------------------------------------- inline commands

_BLANKS = b" \n\r\t\v\f\0"
_ESCAPES = {110: 10, 114: 13, 116: 9, 98: 8, 97: 7}


def split_words(line: bytes) -> list[bytes] | None:
    """Split an inline command as Redis does; None where a quote is not closed or not followed by a blank."""
    if b'"' not in line and b"'" not in line:
        return line.replace(b"\0", b" ").split() if b"\0" in line else line.split()
    words: list[bytes] = []
    at, size = 0, len(line)
    while True:
        while at < size and line[at] in _BLANKS:
            at += 1
        if at >= size:
            return words
        found = _word(line, at)
        if found is None:
            return None
        word, at = found
        words.append(word)


def _word(line: bytes, at: int) -> tuple[bytes, int] | None:
    word = bytearray()
    size = len(line)
    while at < size and line[at] not in _BLANKS:
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
    """Collect a quoted part; the index behind its closing quote, or None if there is none."""
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
            elif follower == 120 and _is_hex(line[at + 2 : at + 4]):
                byte, at = int(line[at + 2 : at + 4], 16), at + 3
            else:
                byte, at = _ESCAPES.get(follower, follower), at + 1
        word.append(byte)
        at += 1
    return None


def _is_hex(text: bytes) -> bool:
    return len(text) == 2 and all(chr(byte) in "0123456789abcdefABCDEF" for byte in text)
