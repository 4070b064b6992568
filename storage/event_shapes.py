"""Shapes of documents: the names of their members, kept once for all documents that have the same ones in the same order."""

from __future__ import annotations

from typing import Any, Final

import orjson

# Documents with more members than this, and those of a series that has as many shapes, are kept whole.
MOST_MEMBERS: Final = 128
MOST_SHAPES: Final = 1000


class Shape:
    """The names of a document.

    ``keys``: the texts that stand before each value, ``{"a":`` and ``,"b":``. ``slots``: where the value
    of a name stands. ``whole``: the record is the text of the document, and names are unknown. ``leap``: the first value of
    the record is no member but the fraction, in ns, of the leap second that the event lies in.
    """

    __slots__ = ("keys", "leap", "names", "slots", "whole")

    def __init__(self, names: tuple[str, ...] | None, leap: bool = False) -> None:
        self.names = names
        self.leap = leap
        self.whole = names is None
        self.slots: dict[str, int] = {} if names is None else {name: at + leap for at, name in enumerate(names)}
        self.keys: tuple[bytes, ...] = tuple(
            (b"," if at else b"{") + orjson.dumps(name) + b":" for at, name in enumerate(self.slots)
        )

    @property
    def size_bytes(self) -> int:
        """Memory that it takes, nearly."""
        return 300 + sum(len(key) + 150 for key in self.keys)


WHOLE: Final = Shape(None)


class Shapes:
    """The shapes of one series or batch."""

    __slots__ = ("by_names",)

    def __init__(self) -> None:
        self.by_names: dict[Any, Shape] = {}

    def of(self, names: tuple[str, ...], leap: bool = False) -> Shape:
        """The shape of documents with these names; ``WHOLE`` for too many."""
        key: Any = (names,) if leap else names
        shape = self.by_names.get(key)
        if shape is None:
            if not leap and (len(names) > MOST_MEMBERS or len(self.by_names) >= MOST_SHAPES):
                return WHOLE
            shape = self.by_names[key] = Shape(names, leap)
        return shape
