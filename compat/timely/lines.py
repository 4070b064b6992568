"""Lines of ``put``: their points, gathered by series. The compiled implementation (``lines.pyx``) goes over the bytes in C.

Plain lines, whose metric and tags have been seen before, are done here; ``read`` is asked about all others.
"""

from __future__ import annotations

import re
from typing import Final

from .numbers import FIRST_MS
from .points import ReadLine, Run

# put METRIC TIME VALUE TAGS, with one or more blanks between; times and values in the spellings that senders use.
# Leaves out what has another meaning or none; what is read here is read as numbers.py would.
_PLAIN: Final = re.compile(
    rb"put +([^ ]+) +([0-9]{1,18}) +(-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,4})?)(?: +(.*))?", re.DOTALL
).fullmatch


class Lines:
    """Gathers the points of lines by the keys of their series, which it knows by metric and tags as lines have them.

    Once it knows more than ``most`` of these texts, it begins from scratch with the next block. ``seconds``: small timestamps are seconds.
    """

    def __init__(self, read: ReadLine, most: int) -> None:
        self.read = read
        self.most = most
        self.seconds = True
        self.keys: dict[bytes, bytes] = {}  # metric, a blank and tags -> key

    def __len__(self) -> int:
        return len(self.keys)

    def forget(self) -> None:
        """Ask about each text again."""
        self.keys.clear()

    def gather(self, block: bytes) -> list[Run]:
        """The points of lines, which end with line feeds or carriage returns. A line whose end is missing is whole, too."""
        if len(self.keys) > self.most:
            self.forget()
        runs: dict[bytes, tuple[list[int], list[float]]] = {}
        for line in block.replace(b"\r", b"\n").split(b"\n"):
            point = self._point(line) if line else None
            if point is not None:
                key, time, value = point
                run = runs.get(key)
                if run is None:
                    run = runs[key] = [], []
                run[0].append(time)
                run[1].append(value)
        return [(key, tuple(times), tuple(values)) for key, (times, values) in runs.items()]

    def _point(self, line: bytes) -> tuple[bytes, int, float] | None:
        found = _PLAIN(line)
        if found is None:
            return self.read(line)
        metric, time_text, value_text, tags = found.groups(b"")
        text = b"%b %b" % (metric, tags)
        key = self.keys.get(text)
        if key is None:
            point = self.read(line)
            if point is not None:
                self.keys[text] = point[0]
            return point
        time = int(time_text)
        return key, time * 1000 if self.seconds and time < FIRST_MS else time, float(value_text)
