"""Regular expressions of users: linear time, little memory, and paid for by what they read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from januskv.storage.regexes import BadPattern, compiled

from .evaluation import Budget

# How many instructions over how many characters cost one unit: a search without automata does
# about 200 of them in a microsecond.
_CHEAP_SHIFT = 9
_MOST_CHARACTERS = 1024
# Up to some milliseconds.
_COMPILE_WORK = 2_000


class BadRegex(Exception):
    """An expression that re2 does not take: wrong, or too large."""


class Regex:
    """A compiled expression."""

    __slots__ = ("_compiled", "_size")

    def __init__(self, pattern: str, ignore_case: bool) -> None:
        try:
            # Groups count in what a search costs.
            self._compiled = compiled(pattern, ignore_case=ignore_case, captures=True)
        except BadPattern as error:
            raise BadRegex(str(error)) from None
        self._size = max(1, self._compiled.programsize)

    def found_in(self, text: str, budget: Budget) -> bool:
        """Whether the expression matches somewhere in a text. O(len(text))."""
        budget.spend(len(text) * self._size >> _CHEAP_SHIFT)
        # As bytes: for str the module also counts its way back to characters.
        return self._compiled.search(text.encode(errors="surrogatepass")) is not None

    def split(self, text: str, budget: Budget) -> Iterator[str]:
        """The pieces between matches. A last piece that is empty is left out, the others are not."""
        start = 0
        matches = self._compiled.finditer(text)
        while True:
            # Each search may read to the end of the text.
            budget.spend(4 + ((len(text) - start) * self._size >> _CHEAP_SHIFT))
            match = next(matches, None)
            if match is None:
                break
            yield text[start : match.start()]
            start = match.end()
        if start < len(text) or not text:
            yield text[start:]


@lru_cache(maxsize=64)
def regex(pattern: str, ignore_case: bool = False) -> Regex:
    """A compiled expression. Raises BadRegex. Paths keep only the text of theirs: this cache bounds the memory."""
    if len(pattern) > _MOST_CHARACTERS:
        raise BadRegex("it is too long")
    return Regex(pattern, ignore_case)


def regex_from_document(pattern: str, budget: Budget) -> Regex:
    """A compiled expression that may be another one for every element, so compiling it is paid for. Raises BadRegex."""
    compiled = regex.cache_info().misses
    try:
        return regex(pattern)
    finally:
        if regex.cache_info().misses != compiled:
            budget.spend(_COMPILE_WORK)
