"""What is wrong with the text of a filter."""

from __future__ import annotations


class BadFilter(ValueError):
    """A filter, an expression or a path that cannot be read; ``offset`` counts characters, None is the whole."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
