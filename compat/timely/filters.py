"""Which values of tags a request asks for: Timely's patterns and OpenTSDB's filters, as filters of the engine.

Regular expressions run on a linear-time engine and must match the whole value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from januskv.storage.metric_queries import TagFilter
from januskv.storage.regexes import BadPattern, compiled

from .errors import ApiError, BadRequest

Matcher = Callable[[bytes], bool]

_LITERAL = re.compile(r"[A-Za-z0-9_]+")
_MOST_CHARACTERS: Final = 1024
_CALL = re.compile(r"([a-z_]+)\((.*)\)", re.DOTALL)


def encoded(text: str) -> bytes:
    """Text of a request as the bytes of names and values."""
    return text.encode(errors="surrogatepass")


@lru_cache(maxsize=256)
def whole_match(pattern: str) -> Matcher:
    """Whether a value as a whole matches a regular expression. Raises ApiError for what is none; a bare ``*`` is ``.*``."""
    if pattern == "*":
        pattern = ".*"
    if pattern == ".*":
        return _anything
    try:
        match = compiled(encoded(pattern)).fullmatch
    except BadPattern as error:
        raise ApiError(500, f"Invalid regular expression: {error}", f"{error} near {pattern!r}") from None
    return lambda value: match(value) is not None


def _anything(value: bytes) -> bool:
    return True


def expression(pattern: str) -> Matcher:
    """``whole_match`` of a pattern that a client has sent: its length is limited. Raises ApiError."""
    if len(pattern) > _MOST_CHARACTERS:
        raise ApiError(500, "Invalid regular expression", f"A pattern has up to {_MOST_CHARACTERS} characters")
    return whole_match(pattern)


def by_pattern(key: str, pattern: str, *, grouped: bool = True) -> TagFilter:
    """The filter for a pattern of Timely's: a word is meant literally, everything else is a regular expression."""
    if _LITERAL.fullmatch(pattern):
        return TagFilter(encoded(key), values=(encoded(pattern),), grouped=grouped)
    return TagFilter(encoded(key), matches=expression(pattern), grouped=grouped)


def by_type(key: str, kind: str, text: str, *, grouped: bool) -> TagFilter:
    """The filter for one of OpenTSDB's, by the name of its type. Raises BadRequest for a type that there is not."""
    make = FILTERS.get(kind)
    if make is None:
        raise BadRequest(f"Unknown filter type: {kind[:100]}", f"The types of filters are {', '.join(FILTERS)}")
    return make[0](encoded(key), text, grouped)


def from_text(key: str, text: str, *, grouped: bool) -> TagFilter:
    """The filter of a key in the braces of a GET request: ``wildcard(web*)``, or a pattern of Timely's."""
    found = _CALL.fullmatch(text)
    if found is not None and found[1] in FILTERS:
        return by_type(key, found[1], found[2], grouped=grouped)
    return by_pattern(key, text, grouped=grouped)


def _literals(key: bytes, text: str, grouped: bool, negated: bool = False) -> TagFilter:
    return TagFilter(key, values=tuple(map(encoded, _alternatives(text))), negated=negated, grouped=grouped)


def _other_literals(key: bytes, text: str, grouped: bool) -> TagFilter:
    return _literals(key, text, grouped, negated=True)


def _folded(key: bytes, text: str, grouped: bool, negated: bool = False) -> TagFilter:
    wanted = frozenset(each.casefold() for each in _alternatives(text))

    def matches(value: bytes) -> bool:
        return value.decode(errors="surrogateescape").casefold() in wanted

    return TagFilter(key, matches=matches, negated=negated, grouped=grouped)


def _other_folded(key: bytes, text: str, grouped: bool) -> TagFilter:
    return _folded(key, text, grouped, negated=True)


def _alternatives(text: str) -> list[str]:
    found = [each for each in text.split("|") if each]
    if not found:
        raise BadRequest("A filter without values", "Values stand between bars, as in 'web01|web02'")
    return found


def _wildcard(key: bytes, text: str, grouped: bool, fold: bool = False) -> TagFilter:
    if len(text) > _MOST_CHARACTERS:
        raise ApiError(500, "Invalid filter", f"A pattern has up to {_MOST_CHARACTERS} characters")
    pattern = ("(?is)" if fold else "(?s)") + ".*".join(map(_escaped, text.split("*")))
    return TagFilter(key, matches=whole_match(pattern), grouped=grouped)


def _folded_wildcard(key: bytes, text: str, grouped: bool) -> TagFilter:
    return _wildcard(key, text, grouped, fold=True)


def _escaped(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_\x80-\U0010ffff]", lambda found: f"\\x{{{ord(found[0]):x}}}", text)


def _regexp(key: bytes, text: str, grouped: bool) -> TagFilter:
    return TagFilter(key, matches=expression(text), grouped=grouped)


# Name of a type -> what makes the filter, an example and what it does, as /api/config/filters tells them.
FILTERS: Final[dict[str, tuple[Callable[[bytes, str, bool], TagFilter], str, str]]] = {
    "literal_or": (_literals, "host=literal_or(web01|web02)", "One of the values between the bars."),
    "iliteral_or": (_folded, "host=iliteral_or(Web01|web02)", "One of the values, whatever the case of letters."),
    "not_literal_or": (_other_literals, "host=not_literal_or(web01)", "None of the values between the bars."),
    "not_iliteral_or": (_other_folded, "host=not_iliteral_or(WEB01)", "None of them, whatever the case of letters."),
    "wildcard": (_wildcard, "host=wildcard(web*.lax)", "Asterisks stand for any characters."),
    "iwildcard": (_folded_wildcard, "host=iwildcard(WEB*)", "Asterisks for any characters, in any case of letters."),
    "regexp": (_regexp, "host=regexp(web[0-9]+)", "A regular expression that matches the whole value."),
}
