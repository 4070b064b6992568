"""Regular expressions of users: linear time, little memory, and nothing about them in the log."""

from __future__ import annotations

from typing import Any, Final

import re2

# For an expression and its automata together; a search that needs more goes on without them, slowly.
MOST_MEMORY_BYTES: Final = 512 * 1024


class BadPattern(ValueError):
    """A pattern that is wrong or too large; the text says what is wrong with it."""


def compiled(
    pattern: str | bytes, *, ignore_case: bool = False, captures: bool = False, most_memory: int = MOST_MEMORY_BYTES
) -> Any:
    """A compiled expression. Without ``captures`` groups are not told. Raises BadPattern.

    Search in bytes: for str the module also counts its way back to characters.
    """
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    options.max_mem = most_memory
    options.never_capture = not captures
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise BadPattern(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None
