"""Lua's patterns with a count of the steps, for texts and patterns that could take long.

Lua's own matcher is C code that nothing can interrupt, and some patterns try all ways to divide a text. This one calls
``tick`` every so often, which may end the script.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import Final

MOST_CAPTURES: Final = 32
# Items of a pattern that recur, one inside the other.
DEEPEST: Final = 200
_STEPS: Final = 1_000_000

_UNFINISHED, _POSITION = -1, -2
_SPECIAL: Final = frozenset(b"^$*+?.([%-")

# Start and end as Lua counts them, captures.
Match = tuple[int, int, list[bytes | int]]


class PatternError(Exception):
    """The pattern is wrong; the text is Lua's."""


class Matcher:
    """A text and a pattern. Captures are those of the last match."""

    def __init__(self, text: bytes, pattern: bytes, tick: Callable[[], object]) -> None:
        self.source = text
        self.plain = pattern
        self.text = text
        self.pattern = pattern
        self.text_size = len(text)
        self.pattern_size = len(pattern)
        self.anchored = pattern[:1] == b"^"
        self.tick = tick
        self.steps = 0
        self.end = 0
        self.level = 0
        self.depth = 0
        self.starts = array("q", bytes(8 * MOST_CAPTURES))
        self.lengths = array("q", bytes(8 * MOST_CAPTURES))

    def search(self, start: int) -> int:
        """Where the first match from here on begins, or -1. ``end`` is behind it."""
        anchored = self.anchored
        while True:
            self.level = 0
            self.depth = 0
            self.end = self.match(start, 1 if anchored else 0)
            if self.end != -1:
                return start
            start += 1
            if anchored or start > self.text_size:
                return -1

    def captures(self) -> list[bytes | int]:
        """What the parentheses have caught; a number for a position."""
        found: list[bytes | int] = []
        for i in range(self.level):
            start, length = self.starts[i], self.lengths[i]
            if length == _UNFINISHED:
                raise PatternError("unfinished capture")
            found.append(start + 1 if length == _POSITION else self.source[start : start + length])
        return found

    def match(self, at: int, place: int) -> int:
        """The end of a match of the pattern from ``place`` on with the text from ``at`` on, or -1."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise PatternError("pattern too complex")
        result = self.match_here(at, place)
        self.depth -= 1
        return result

    def match_here(self, at: int, place: int) -> int:
        """As ``match``, at the same depth."""
        while True:
            self.steps += 1
            if self.steps >= _STEPS:
                self.steps = 0
                self.tick()
            if place >= self.pattern_size:
                return at
            mark = self.pattern[place]
            if mark == 40:
                if place + 1 < self.pattern_size and self.pattern[place + 1] == 41:
                    return self.open_capture(at, place + 2, _POSITION)
                return self.open_capture(at, place + 1, _UNFINISHED)
            if mark == 41:
                return self.close_capture(at, place + 1)
            if mark == 37 and place + 1 < self.pattern_size:
                letter = self.pattern[place + 1]
                if letter == 98:
                    at = self.balance(at, place + 2)
                    if at == -1:
                        return -1
                    place += 4
                    continue
                if letter == 102:
                    place += 2
                    if place >= self.pattern_size or self.pattern[place] != 91:
                        raise PatternError("missing '[' after '%f' in pattern")
                    stop = self.class_end(place)
                    before = self.text[at - 1] if at > 0 else 0
                    here = self.text[at] if at < self.text_size else 0
                    if self.in_set(before, place, stop - 1) or not self.in_set(here, place, stop - 1):
                        return -1
                    place = stop
                    continue
                if 48 <= letter <= 57:
                    at = self.again(at, letter)
                    if at == -1:
                        return -1
                    place += 2
                    continue
            elif mark == 36 and place + 1 == self.pattern_size:
                return at if at == self.text_size else -1
            stop = self.class_end(place)
            fits = at < self.text_size and self.single(at, place, stop)
            suffix = self.pattern[stop] if stop < self.pattern_size else 0
            if suffix == 63:
                if fits:
                    end = self.match(at + 1, stop + 1)
                    if end != -1:
                        return end
                place = stop + 1
                continue
            if suffix == 42:
                return self.longest(at, place, stop)
            if suffix == 43:
                return self.longest(at + 1, place, stop) if fits else -1
            if suffix == 45:
                return self.shortest(at, place, stop)
            if not fits:
                return -1
            at += 1
            place = stop

    def longest(self, at: int, place: int, stop: int) -> int:
        """As many as possible, then fewer."""
        count = 0
        while at + count < self.text_size and self.single(at + count, place, stop):
            count += 1
        self.steps += count >> 2
        while count >= 0:
            end = self.match(at + count, stop + 1)
            if end != -1:
                return end
            count -= 1
        return -1

    def shortest(self, at: int, place: int, stop: int) -> int:
        """As few as possible, then more."""
        while True:
            end = self.match(at, stop + 1)
            if end != -1:
                return end
            if at < self.text_size and self.single(at, place, stop):
                at += 1
            else:
                return -1

    def open_capture(self, at: int, place: int, what: int) -> int:
        """Matches the rest with one more capture."""
        if self.level >= MOST_CAPTURES:
            raise PatternError("too many captures")
        self.starts[self.level] = at
        self.lengths[self.level] = what
        self.level += 1
        end = self.match(at, place)
        if end == -1:
            self.level -= 1
        return end

    def close_capture(self, at: int, place: int) -> int:
        """Matches the rest with the last open capture closed."""
        level = self.level - 1
        while level >= 0 and self.lengths[level] != _UNFINISHED:
            level -= 1
        if level < 0:
            raise PatternError("invalid pattern capture")
        self.lengths[level] = at - self.starts[level]
        end = self.match(at, place)
        if end == -1:
            self.lengths[level] = _UNFINISHED
        return end

    def again(self, at: int, letter: int) -> int:
        """The end of what an earlier capture has, once more; or -1."""
        index = letter - 49
        if index < 0 or index >= self.level or self.lengths[index] == _UNFINISHED:
            raise PatternError("invalid capture index")
        length = self.lengths[index]
        if length < 0 or self.text_size - at < length:
            return -1
        start = self.starts[index]
        self.steps += length >> 4
        return at + length if self.source[start : start + length] == self.source[at : at + length] else -1

    def balance(self, at: int, place: int) -> int:
        """The end of a text between two marks that may be nested, or -1."""
        if place + 1 >= self.pattern_size:
            raise PatternError("unbalanced pattern")
        if at >= self.text_size or self.text[at] != self.pattern[place]:
            return -1
        opening = self.pattern[place]
        closing = self.pattern[place + 1]
        open_ones = 1
        at += 1
        while at < self.text_size:
            self.steps += 1
            here = self.text[at]
            at += 1
            if here == closing:
                open_ones -= 1
                if open_ones == 0:
                    return at
            elif here == opening:
                open_ones += 1
        return -1

    def class_end(self, place: int) -> int:
        """The place behind one item without its suffix."""
        mark = self.pattern[place]
        place += 1
        if mark == 37:
            if place >= self.pattern_size:
                raise PatternError("malformed pattern (ends with '%')")
            return place + 1
        if mark != 91:
            return place
        if place < self.pattern_size and self.pattern[place] == 94:
            place += 1
        while True:
            if place >= self.pattern_size:
                raise PatternError("malformed pattern (missing ']')")
            mark = self.pattern[place]
            place += 1
            if mark == 37 and place < self.pattern_size:
                place += 1
            if place < self.pattern_size and self.pattern[place] == 93:
                return place + 1

    def single(self, at: int, place: int, stop: int) -> bool:
        """Whether the byte fits one item."""
        here = self.text[at]
        mark = self.pattern[place]
        if mark == 46:
            return True
        if mark == 37:
            return self.in_class(here, self.pattern[place + 1])
        if mark == 91:
            return self.in_set(here, place, stop - 1)
        return mark == here

    def in_set(self, here: int, place: int, last: int) -> bool:
        """Whether a byte is in ``[...]``; ``last`` is the place of the bracket that closes it."""
        inside = True
        if self.pattern[place + 1] == 94:
            inside = False
            place += 1
        place += 1
        while place < last:
            mark = self.pattern[place]
            if mark == 37:
                place += 1
                if self.in_class(here, self.pattern[place]):
                    return inside
                place += 1
            elif place + 2 < last and self.pattern[place + 1] == 45:
                if mark <= here <= self.pattern[place + 2]:
                    return inside
                place += 3
            else:
                if mark == here:
                    return inside
                place += 1
        return not inside

    def in_class(self, here: int, letter: int) -> bool:
        """Whether a byte is in a class such as ``%a``."""
        lower = letter | 32
        if lower == 97:
            found = 65 <= here <= 90 or 97 <= here <= 122
        elif lower == 99:
            found = here < 32 or here == 127
        elif lower == 100:
            found = 48 <= here <= 57
        elif lower == 108:
            found = 97 <= here <= 122
        elif lower == 112:
            found = 33 <= here <= 47 or 58 <= here <= 64 or 91 <= here <= 96 or 123 <= here <= 126
        elif lower == 115:
            found = here == 32 or 9 <= here <= 13
        elif lower == 117:
            found = 65 <= here <= 90
        elif lower == 119:
            found = 48 <= here <= 57 or 65 <= here <= 90 or 97 <= here <= 122
        elif lower == 120:
            found = 48 <= here <= 57 or 65 <= here <= 70 or 97 <= here <= 102
        elif lower == 122:
            found = here == 0
        else:
            return letter == here
        if not (65 <= letter <= 90 or 97 <= letter <= 122):
            return letter == here
        return not found if letter < 97 else found


def is_sound(pattern: bytes) -> bool:
    """Whether no text can make this pattern an error."""
    matcher = Matcher(b"", pattern, bool)
    size = len(pattern)
    place = 1 if matcher.anchored else 0
    level = 0
    unfinished: list[int] = []
    finished: set[int] = set()
    try:
        while place < size:
            mark, follower = pattern[place], pattern[place + 1 : place + 2]
            if mark == 40:
                level += 1
                place += 1
                if follower == b")":
                    place += 1
                else:
                    unfinished.append(level)
                continue
            if mark == 41:
                if not unfinished:
                    return False
                finished.add(unfinished.pop())
                place += 1
                continue
            if mark == 37 and follower == b"b":
                place += 4
                if place > size:
                    return False
                continue
            if mark == 37 and follower == b"f":
                place += 2
                if pattern[place : place + 1] != b"[":
                    return False
                place = matcher.class_end(place)
                continue
            if mark == 37 and follower.isdigit():
                if int(follower) not in finished:
                    return False
                place += 2
                continue
            place = matcher.class_end(place)
            if pattern[place : place + 1] in (b"*", b"+", b"-", b"?"):
                place += 1
    except PatternError:
        return False
    return not unfinished and level <= MOST_CAPTURES


def find(matcher: Matcher, start: int, *, whole: bool) -> list[bytes | int] | None:
    """Start, end and captures of the first match from a start that Lua counts; without ``whole`` its captures or its text."""
    size = matcher.text_size
    begin = start - 1 if start > 0 else max(size + start, 0) if start < 0 else 0
    begin = min(begin, size)
    if whole and not _SPECIAL.intersection(matcher.plain):
        # Lua takes such patterns as plain text, even a bracket that closes nothing.
        at = matcher.source.find(matcher.plain, begin)
        return None if at < 0 else [at + 1, at + matcher.pattern_size]
    found = matcher.search(begin)
    if found == -1:
        return None
    captures = matcher.captures()
    if whole:
        return [found + 1, matcher.end, *captures]
    return captures or [matcher.source[found : matcher.end]]


def scan(matcher: Matcher, *, anchors: bool) -> Iterator[Match]:
    """All matches from left to right: start, end, captures. With ``anchors`` a '^' is a character, as in gmatch."""
    at, size = 0, matcher.text_size
    anchored = matcher.anchored and not anchors
    first = 1 if anchored else 0
    while at <= size:
        matcher.level = 0
        matcher.depth = 0
        end = matcher.match(at, first)
        if end != -1:
            yield at + 1, end, matcher.captures()
        at = end if end > at else at + 1
        if anchored:
            return
