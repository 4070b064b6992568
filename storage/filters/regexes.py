"""Regular expressions of filters: linear time, little memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

import re2

Search: TypeAlias = "Callable[[str], bool]"

_MOST_BYTES: Final = 1024
# For an expression and its automata together; a search that needs more goes on without them, slowly.
_MOST_MEMORY_BYTES: Final = 512 * 1024


class BadPattern(ValueError):
    """A pattern that is wrong or too large."""


# The cache bounds the memory of patterns that come from documents.
@lru_cache(maxsize=64)
def search(pattern: str) -> Search:
    """Whether a pattern is found anywhere in a text. Raises BadPattern."""
    encoded = pattern.encode(errors="surrogatepass")
    if len(encoded) > _MOST_BYTES:
        raise BadPattern(f"longer than {_MOST_BYTES} bytes")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY_BYTES
    options.never_capture = True
    try:
        compiled = re2.compile(encoded, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise BadPattern(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None
    find = compiled.search
    # As bytes: for str the module also counts its way back to characters.
    return lambda text: find(text.encode(errors="surrogatepass")) is not None


def search_or_none(pattern: str) -> Search | None:
    """``search`` for a pattern that comes from a document; None where it is bad."""
    try:
        return search(pattern)
    except BadPattern:
        return None
