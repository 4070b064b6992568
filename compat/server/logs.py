"""Additions to Python's logging: notices, and a rate limit for lines that clients cause."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger("januskv")

# Redis' level between "verbose" and "warning".
NOTICE = 25

# Lines of one kind are logged this often.
_LOG_EVERY_S = 10.0


class LimitedLog:
    """Logs events caused by clients, such as rejected connections: the first of a kind, and later how many more there were."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self.now_s = now_s
        self._logged: dict[str, tuple[float, int]] = {}  # kind -> when it was last logged, how many came since

    def note(self, kind: str, line: str, level: int = logging.WARNING) -> None:
        """Log a line, unless one of its kind has been logged recently."""
        now_s = self.now_s()
        logged_s, more = self._logged.get(kind, (-_LOG_EVERY_S, 0))
        if now_s - logged_s < _LOG_EVERY_S:
            self._logged[kind] = logged_s, more + 1
            return
        self._logged[kind] = now_s, 0
        log.log(level, "%s%s", line, f" ({more} more since the last line like this)" if more else "")
