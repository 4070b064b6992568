"""Glob patterns on bytes, as KEYS, SCAN, CONFIG GET and PSUBSCRIBE take them.

``*`` any bytes, ``?`` one byte, ``[abc]`` ``[^a-z]`` classes, backslash takes the next byte literally.
Matching backtracks to the last star only, so it costs at most O(pattern * text).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_STAR, _ANY, _BYTE, _CLASS = range(4)
_ALL = frozenset(range(256))

# Longer patterns are neither compiled to a regular expression nor kept.
_REGEX_TOKENS = 256

# (kind, byte or members)
Token = tuple[int, int | frozenset[int]]


def _read_class(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    """The members of a class whose ``[`` stands before ``at``, and the index behind it.

    An unclosed class ends with the pattern, and a range may be written backwards (as in Redis).
    """
    size = len(pattern)
    negated = at < size and pattern[at] == 94  # ^
    at += negated
    members: set[int] = set()
    while at < size and pattern[at] != 93:  # ]
        if pattern[at] == 92 and at + 1 < size:
            at += 1
            members.add(pattern[at])
        elif at + 2 < size and pattern[at + 1] == 45:  # -
            first, last = sorted((pattern[at], pattern[at + 2]))
            members.update(range(first, last + 1))
            at += 2
        else:
            members.add(pattern[at])
        at += 1
    return (_ALL - members if negated else frozenset(members)), at + 1


def _read(pattern: bytes) -> list[Token]:
    tokens: list[Token] = []
    at, size = 0, len(pattern)
    while at < size:
        byte = pattern[at]
        at += 1
        if byte == 42:  # *
            if not tokens or tokens[-1][0] != _STAR:
                tokens.append((_STAR, 0))
        elif byte == 63:  # ?
            tokens.append((_ANY, 0))
        elif byte == 91:  # [
            members, at = _read_class(pattern, at)
            tokens.append((_CLASS, members))
        elif byte == 92 and at < size:
            tokens.append((_BYTE, pattern[at]))
            at += 1
        else:
            tokens.append((_BYTE, byte))
    return tokens


def _fits(token: Token, byte: int) -> bool:
    kind, wanted = token
    if kind == _BYTE:
        return byte == wanted
    return kind == _ANY or (kind == _CLASS and byte in wanted)  # type: ignore[operator]


def match_tokens(tokens: list[Token], text: bytes) -> bool:
    """Whether a text matches tokens, step by step: for patterns too long to be worth a regular expression."""
    at = i = 0
    star, resume = -1, 0
    count, size = len(tokens), len(text)
    while at < size:
        if i < count and tokens[i][0] == _STAR:
            star, resume = i, at
            i += 1
        elif i < count and _fits(tokens[i], text[at]):
            i += 1
            at += 1
        elif star >= 0:
            resume += 1
            i, at = star + 1, resume
        else:
            return False
    return i == count or (i == count - 1 and tokens[i][0] == _STAR)


def _as_regex(tokens: list[Token]) -> re.Pattern[bytes]:
    """The pattern as a regular expression for ``fullmatch``.

    What stands between two stars can keep its first match, whatever follows: it is an atomic group, so nothing is
    backtracked into.
    """
    parts: list[bytes] = [b""]
    for kind, wanted in tokens:
        if kind == _STAR:
            parts.append(b"")
        elif kind == _ANY or wanted == _ALL:
            parts[-1] += b"."
        elif isinstance(wanted, int):
            parts[-1] += b"\\x%02x" % wanted
        else:
            members = b"".join(b"\\x%02x" % byte for byte in sorted(wanted))
            parts[-1] += b"[%b]" % members if members else b"(?!)"
    first, *rest = parts
    between = b"".join(b"(?>.*?%b)" % part for part in rest[:-1])
    last = b".*" + rest[-1] if rest else b""
    return re.compile(first + between + last, re.DOTALL)


TEXT, PREFIX = range(2)


def form_of(pattern: bytes) -> tuple[int, bytes] | None:
    """Whether a pattern is a TEXT or a PREFIX, and which one; None for others. What stands for all has the empty prefix."""
    return _form(_read(pattern))


def _form(tokens: list[Token]) -> tuple[int, bytes] | None:
    form, literal = (PREFIX, tokens[:-1]) if tokens and tokens[-1][0] == _STAR else (TEXT, tokens)
    if any(kind != _BYTE for kind, _ in literal):
        return None
    return form, bytes(byte for _, byte in literal if isinstance(byte, int))


def _compile(pattern: bytes) -> Callable[[bytes], bool]:
    tokens = _read(pattern)
    form = _form(tokens)
    if form is not None:
        kind, literal = form
        if kind == TEXT:
            return lambda text: text == literal
        return (lambda text: text.startswith(literal)) if literal else lambda text: True
    if len(tokens) > _REGEX_TOKENS:
        return lambda text: match_tokens(tokens, text)
    fullmatch = _as_regex(tokens).fullmatch
    return lambda text: fullmatch(text) is not None


_compile_cached = lru_cache(maxsize=512)(_compile)


def matcher(pattern: bytes, *, ignore_case: bool = False) -> Callable[[bytes], bool]:
    """A function that tells whether a text matches the pattern."""
    if ignore_case:
        matches = matcher(pattern.lower())
        return lambda text: matches(text.lower())
    return (_compile_cached if len(pattern) <= _REGEX_TOKENS else _compile)(pattern)
