"""Cheap looks at a valid JSON text and at what a parser made of it. The compiled implementation (``json_scan.pyx``) scans in C:
110 ns instead of 1,300 for a KV_SET of one key, which takes 3,500 in all.
"""

from __future__ import annotations

from typing import Any, Final

# A float of at least this size may have been an integer that did not fit; smaller ones cannot.
_SUSPICIOUS = float(1 << 63)

# Results of count_members other than a number.
DOUBTFUL: Final = -1  # a number may differ from that in the text
TOO_DEEP: Final = -2


def written_members(text: bytes) -> int:
    """How many members the objects in a valid JSON text have as written: its colons outside strings.

    Never fewer; this pure-Python version may count more if a string contains a quote and a colon, or begins with a colon.
    """
    colons = text.count(b":")
    if colons == text.count(b'":'):
        return colons
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(text.split(b'"')[::2]).count(b":")


def count_members(value: Any, room: int) -> int:
    """Members of all objects in a parsed value, which may be nested ``room`` deep; see DOUBTFUL and TOO_DEEP."""
    kind = type(value)
    if kind is dict:
        total = len(value)
        items = value.values()
    elif kind is list:
        total = 0
        items = value
    else:
        return DOUBTFUL if kind is float and abs(value) >= _SUSPICIOUS else 0
    if room == 0:
        return TOO_DEEP
    for item in items:
        kind = type(item)
        if kind is str or kind is int:
            continue
        inner = count_members(item, room - 1)
        if inner < 0:
            return inner
        total += inner
    return total
