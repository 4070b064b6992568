"""Integers in canonical form. ``spelling.pyx`` is the compiled implementation."""

from __future__ import annotations


def int64_of(text: bytes) -> int | None:
    """The signed 64-bit integer that a text spells in canonical form; None if it does not."""
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or len(digits) > 19 or (digits[0] == 48 and len(text) > 1):
        return None
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 63 else None
