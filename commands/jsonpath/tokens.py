"""Path text to tokens.

A word is letters, digits, ``_`` and everything beyond ASCII. After a dot digits are a word as well
(``$.list.0``), elsewhere a number; after ``=~`` a slash begins a regular expression, elsewhere it divides.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import PathError

WORD, NUMBER, STRING, REGEX, END = "a name", "a number", "a string", "a regular expression", "the end"

_BLANKS = re.compile(r"[ \t\r\n]*")
_SYMBOL = re.compile(r"\.\.|&&|\|\||==|!=|<=|>=|=~|[$@.*?:,()\[\]{}<>!+\-/%^]")
_WORD = re.compile(r"[A-Za-z0-9_\u0080-\U0010ffff]+")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![A-Za-z0-9_\u0080-\U0010ffff])")
_REGEX = re.compile(r"/((?:[^/\\]|\\.)*)/(i*)", re.DOTALL)
_PLAIN = re.compile(r"[^'\"\\]*")
_UNICODE_ESCAPE = re.compile(r"u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", "'": "'", '"': '"'}

# Digits of a 64-bit integer; a longer number is read as a float.
_MOST_DIGITS = 19


class Token(NamedTuple):
    """A symbol, which is its own kind, or one of the kinds above with its value."""

    kind: str
    at: int
    value: str | int | float = ""
    ignore_case: bool = False


def tokens(text: str) -> list[Token]:
    """All tokens of a path, END last. Raises PathError."""
    all_tokens: list[Token] = []
    before, at = "", _after_blanks(text, 0)
    while at < len(text):
        token, at = _token(text, at, before)
        all_tokens.append(token)
        before, at = token.kind, _after_blanks(text, at)
    all_tokens.append(Token(END, len(text)))
    return all_tokens


def _after_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return at if blanks is None else blanks.end()


def _token(text: str, at: int, before: str) -> tuple[Token, int]:
    """The token at a place, and where it ends."""
    if before == "=~":
        return _regex(text, at)
    if text[at] in "'\"":
        return _string(text, at)
    if symbol := _SYMBOL.match(text, at):
        return Token(symbol[0], at), symbol.end()
    if before not in (".", "..") and (number := _NUMBER.match(text, at)):
        return Token(NUMBER, at, _number(number, at)), number.end()
    if word := _WORD.match(text, at):
        return Token(WORD, at, word[0]), word.end()
    raise PathError("a character that means nothing", at)


def _number(number: re.Match[str], at: int) -> int | float:
    if number[1] is None and number[2] is None and len(number[0]) <= _MOST_DIGITS:
        return int(number[0])
    inexact = float(number[0])
    if inexact == float("inf"):
        raise PathError("a number that is too large", at)
    return inexact


def _regex(text: str, at: int) -> tuple[Token, int]:
    regex = _REGEX.match(text, at)
    if regex is None:
        raise PathError("=~ takes /an expression/", at)
    return Token(REGEX, at, regex[1], bool(regex[2])), regex.end()


def _string(text: str, start: int) -> tuple[Token, int]:
    quote, at = text[start], start + 1
    parts: list[str] = []
    while plain := _PLAIN.match(text, at):
        parts.append(plain[0])
        at = plain.end()
        if at == len(text):
            break
        if text[at] == quote:
            return Token(STRING, start, "".join(parts)), at + 1
        part, at = _escape(text, at) if text[at] == "\\" else (text[at], at + 1)
        parts.append(part)
    raise PathError("a quote is not closed", start)


def _escape(text: str, at: int) -> tuple[str, int]:
    """What the backslash at a place stands for, and where that ends."""
    if (letter := text[at + 1 : at + 2]) in _ESCAPES:
        return _ESCAPES[letter], at + 2
    code = _UNICODE_ESCAPE.match(text, at + 1)
    if code is None:
        raise PathError("an escape that means nothing", at)
    if code[3] is None:
        return bytes.fromhex(code[1] + code[2]).decode("utf-16-be"), code.end()
    if 0xD800 <= int(code[3], 16) < 0xE000:
        raise PathError("half of a surrogate pair", at)
    return chr(int(code[3], 16)), code.end()
