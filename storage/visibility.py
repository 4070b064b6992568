"""Visibility expressions: which users may see the points of a series.

    expression = term, or terms joined by "&", or terms joined by "|"; both need parentheses: a&(b|c)
    term       = label, "quoted label", (expression)
    label      = letters, digits and _ - : . /

The empty expression allows everybody. In a quoted label quotes and backslashes are escaped by a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .errors import BadVisibility

MOST_BYTES: Final = 4096
MOST_DEPTH: Final = 50
_MOST_KEPT: Final = 4096  # texts that have been parsed

_LABEL = re.compile(rb"[A-Za-z0-9_\-:./]+")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\["\\])+)"')
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_AND: Final = b"&"
_OR: Final = b"|"


class Expression:
    """A label, or expressions of which all (``&``) or one (``|``) must allow; without any of them it allows everybody."""

    __slots__ = ("joined_by", "label", "parts")

    def __init__(self, label: bytes = b"", joined_by: bytes = _AND, parts: Sequence[Expression] = ()) -> None:
        self.label = label
        self.joined_by = joined_by
        self.parts = tuple(parts)

    def allows(self, authorizations: frozenset[bytes]) -> bool:
        """Whether a user with these authorizations may see it."""
        if self.label:
            return self.label in authorizations
        if self.joined_by == _AND:
            return all(part.allows(authorizations) for part in self.parts)
        return any(part.allows(authorizations) for part in self.parts)


_kept: dict[bytes, Expression] = {}


def parse(text: bytes) -> Expression:
    """The expression of a text. Raises BadVisibility with the error and its position."""
    found = _kept.get(text)
    if found is None:
        found = _Parser(text).whole()
        if len(_kept) >= _MOST_KEPT:
            del _kept[next(iter(_kept))]
        _kept[text] = found
    return found


class _Parser:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Expression:
        if len(self.text) > MOST_BYTES:
            raise BadVisibility(f"visibility expression is longer than {MOST_BYTES} bytes")
        if not self.text:
            return Expression()
        expression = self.expression(0)
        if self.at < len(self.text):
            raise self.error("unexpected character")
        return expression

    def expression(self, depth: int) -> Expression:
        if depth > MOST_DEPTH:
            raise self.error("too many parentheses")
        parts = [self.term(depth)]
        joined_by = self.next()
        if joined_by not in (_AND, _OR):
            return parts[0]
        while self.next() in (_AND, _OR):
            if self.next() != joined_by:
                raise self.error("cannot mix & and | without parentheses")
            self.at += 1
            parts.append(self.term(depth))
        return Expression(joined_by=joined_by, parts=parts)

    def term(self, depth: int) -> Expression:
        if self.next() == b"(":
            self.at += 1
            expression = self.expression(depth + 1)
            if self.next() != b")":
                raise self.error("missing closing parenthesis")
            self.at += 1
            return expression
        if self.next() == b'"':
            quoted = _QUOTED.match(self.text, self.at)
            if quoted is None:
                raise self.error("bad quoted label")
            self.at = quoted.end()
            return Expression(_ESCAPE.sub(rb"\1", quoted[1]))
        label = _LABEL.match(self.text, self.at)
        if label is None:
            raise self.error("label expected")
        self.at = label.end()
        return Expression(label[0])

    def next(self) -> bytes:
        """The byte that comes next, b"" at the end."""
        return self.text[self.at : self.at + 1]

    def error(self, what: str) -> BadVisibility:
        return BadVisibility(f"{what} at position {self.at} in {self.text.decode('utf-8', 'replace')!r}")
