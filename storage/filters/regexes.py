"""Regular expressions of filters: linear time, little memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from januskv.storage.regexes import BadPattern, compiled

Search: TypeAlias = "Callable[[str], bool]"

_MOST_BYTES: Final = 1024


# The cache bounds the memory of patterns that come from documents.
@lru_cache(maxsize=64)
def search(pattern: str) -> Search:
    """Whether a pattern is found anywhere in a text. Raises BadPattern."""
    encoded = pattern.encode(errors="surrogatepass")
    if len(encoded) > _MOST_BYTES:
        raise BadPattern(f"longer than {_MOST_BYTES} bytes")
    find = compiled(encoded).search
    return lambda text: find(text.encode(errors="surrogatepass")) is not None


def search_or_none(pattern: str) -> Search | None:
    """``search`` for a pattern that comes from a document; None where it is bad."""
    try:
        return search(pattern)
    except BadPattern:
        return None
