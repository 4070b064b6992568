"""Text of filters to tokens."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from .errors import BadFilter

NAME: Final = "a name"
NUMBER: Final = "a number"
STRING: Final = "a string"
ARGS: Final = "$args"
END: Final = "the end"
WORDS: Final = frozenset(("true", "false", "null", "in"))

_MOST_BYTES: Final = 16 * 1024

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_SYMBOL: Final = re.compile(r"&&|\|\||==|!=|<=|>=|[<>!.,()\[\]*?]")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARGS: Final = re.compile(r"\$args(?![A-Za-z0-9_])")
# With leading zeros, which an index may have.
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_])")
_SINGLE_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_DOUBLE_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE_ESCAPE: Final = re.compile(r"\\(['\\])")
_DOUBLE_ESCAPE: Final = re.compile(
    r'\\(?:(["\\/bfnrt])|u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|.)', re.DOTALL
)
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}
# What other languages write, and what is written here.
_HINTS: Final = {"=": "==", "&": "&&", "|": "||"}


class Token(NamedTuple):
    """A symbol or word, which is its own kind, or one of the kinds above. Of numbers the value is the text."""

    kind: str
    offset: int
    value: str = ""


def tokens(text: str) -> list[Token]:
    """All tokens of a filter, END last. Raises BadFilter."""
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError as error:
        raise BadFilter("half of a surrogate pair", error.start) from None
    if size_bytes > _MOST_BYTES:
        raise BadFilter(f"longer than {_MOST_BYTES} bytes")
    found: list[Token] = []
    offset = _after_blanks(text, 0)
    while offset < len(text):
        token, end = _token(text, offset)
        found.append(token)
        offset = _after_blanks(text, end)
    found.append(Token(END, len(text)))
    return found


def _after_blanks(text: str, offset: int) -> int:
    blanks = _BLANKS.match(text, offset)
    return offset if blanks is None else blanks.end()


def _token(text: str, offset: int) -> tuple[Token, int]:
    """The token at an offset, and where it ends."""
    if symbol := _SYMBOL.match(text, offset):
        return Token(symbol[0], offset), symbol.end()
    if word := _WORD.match(text, offset):
        return Token(word[0] if word[0] in WORDS else NAME, offset, word[0]), word.end()
    if text[offset] == "'":
        return _single_quoted(text, offset)
    if text[offset] == '"':
        return _double_quoted(text, offset)
    if number := _NUMBER.match(text, offset):
        return Token(NUMBER, offset, number[0]), number.end()
    if args := _ARGS.match(text, offset):
        return Token(ARGS, offset), args.end()
    if text[offset] in _HINTS:
        raise BadFilter(f"{text[offset]} is not an operator; {_HINTS[text[offset]]} is", offset)
    raise BadFilter("a character that has no meaning here", offset)


def _single_quoted(text: str, offset: int) -> tuple[Token, int]:
    """A string in which only the quote and the backslash are escaped; other backslashes stand for themselves."""
    found = _SINGLE_QUOTED.match(text, offset)
    if found is None:
        raise BadFilter("the string is not closed", offset)
    return Token(STRING, offset, _SINGLE_ESCAPE.sub(r"\1", found[1])), found.end()


def _double_quoted(text: str, offset: int) -> tuple[Token, int]:
    """A string with the escapes of JSON."""
    found = _DOUBLE_QUOTED.match(text, offset)
    if found is None:
        raise BadFilter("the string is not closed", offset)
    start = found.start(1)
    return Token(STRING, offset, _DOUBLE_ESCAPE.sub(lambda escape: _unescaped(escape, start), found[1])), found.end()


def _unescaped(escape: re.Match[str], start: int) -> str:
    letter, high, low, code = escape.groups()
    if letter is not None:
        return _ESCAPED[letter]
    if high is not None:
        return bytes.fromhex(high + low).decode("utf-16-be")
    if code is None:
        raise BadFilter("an escape that JSON does not have", start + escape.start())
    if 0xD800 <= int(code, 16) < 0xE000:
        raise BadFilter("half of a surrogate pair", start + escape.start())
    return chr(int(code, 16))
