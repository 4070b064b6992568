"""Values that no key holds any more and that are too big to be freed in one step: taken apart in slices.

Freeing a set of a million members takes some 100 ms, during which no other client would be served. So every big value
that leaves a keyspace comes here and is freed a few milliseconds at a time. A value that is still being read (a reply
sent in slices) waits until it no longer is.

Compiled (``reclaiming.pyx``) it also gives the memory of long strings and of big tables back to the system in
slices, which takes 0.1 ms for each MB. A string may belong to several keys, or to a reply: the last to release it
hands it over.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from itertools import islice
from time import perf_counter
from typing import Any, Final

from .long_text import LongString
from .null import NULL

MANY: Final = 4096  # members: freeing them takes less than a millisecond
BIG_BYTES: Final = 8 << 20
# How much may wait; anything beyond is freed immediately, or memory would grow without limit.
MOST_WAITING: Final = 10_000

_BATCH: Final = 128  # members between two readings of the clock
_SAMPLE: Final = 4
# References that getrefcount counts besides those of others: its own argument and the variable here.
_OURS: Final = 2


def is_big(value: object) -> bool:
    """Whether freeing a value may take longer than clients should have to wait. O(1)."""
    kind = type(value)
    if kind is bytes or kind is LongString:
        return len(value) > BIG_BYTES  # type: ignore[arg-type]
    if kind is int or kind is float or kind is bool or value is NULL:
        return False
    size = len(value)  # type: ignore[arg-type]
    if size > MANY:
        return True
    if kind is list or kind is set:
        some = list(islice(value, _SAMPLE))  # type: ignore[call-overload]
    elif isinstance(value, dict):
        some = list(islice(value.values(), _SAMPLE))
    else:
        return False
    longest = max([len(each) for each in some if type(each) is bytes], default=0)
    return longest * size > BIG_BYTES or any(type(each) is not bytes and isinstance(each, dict | list) for each in some)


class Reclaimer:
    """Values to be freed. ``freed`` counts those that were handed over and are gone, or nearly."""

    def __init__(self) -> None:
        self.waiting: deque[object] = deque()
        self.loose: list[Any] = []  # parts of the value that is being taken apart, the next one last
        self.freed: int = 0

    @property
    def pending(self) -> int:
        """How many values have not been freed yet."""
        return len(self.waiting) + bool(self.loose)

    def take(self, value: object) -> None:
        """Free a value that no key holds any more, later; immediately if too many wait."""
        if len(self.waiting) < MOST_WAITING:
            self.waiting.append(value)

    def go_on(self, budget_s: float) -> bool:
        """Free values for about this long; return whether there is more to do."""
        deadline = perf_counter() + budget_s
        while self.loose or self._begin():
            self._step()
            if perf_counter() > deadline:
                return True
        return False

    def _begin(self) -> bool:
        """Begin with the first value that nothing else refers to; return whether there was one."""
        for _ in range(len(self.waiting)):
            value = self.waiting.popleft()
            if sys.getrefcount(value) > _OURS:
                if type(value) is not bytes:
                    self.waiting.append(value)
                continue
            self.loose.append(value)
            self.freed += 1
            return True
        return False

    def _step(self) -> None:
        """Free some members of the next value, or the value itself if it is empty."""
        top = self.loose[-1]
        if isinstance(top, dict | set | list) and top:
            for _ in range(min(_BATCH, len(top))):
                if isinstance(top, dict):
                    self._drop([*top.popitem()])
                else:
                    self._drop([top.pop()])
            return
        del self.loose[-1]
        if type(top) is not bytes and not isinstance(top, dict | set | list | LongString):
            parts = gc.get_referents(top)
            del top
            self._drop(parts)

    def _drop(self, things: list[Any]) -> None:
        """Release objects; those with parts are taken apart next, if nothing else refers to them."""
        while things:
            thing = things.pop()
            if isinstance(thing, type):
                continue
            if sys.getrefcount(thing) > _OURS:
                if not isinstance(thing, bytes | str) and hasattr(thing, "__len__") and len(thing) > MANY:
                    self._share(thing)
            elif gc.is_tracked(thing) or isinstance(thing, dict | LongString):
                self.loose.append(thing)

    def _share(self, thing: object) -> None:
        """Have a shared object wait until the others release it; only once, or it would wait for itself."""
        if not any(each is thing for each in self.waiting):
            self.take(thing)
