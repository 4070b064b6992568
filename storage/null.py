"""The JSON null inside a keyspace."""

from __future__ import annotations

from typing import Final


class Null:
    """The class of ``NULL``, its only instance; None means that a value is absent."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL"

    def __copy__(self) -> Null:
        return self

    def __deepcopy__(self, memo: object) -> Null:
        return self


NULL: Final = Null()
