"""What can be read off a valid JSON text without parsing it. The compiled twin (``json_scan.pyx``) scans in C."""

from __future__ import annotations

import re

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def written_members(text: bytes) -> int:
    """How many members the objects in a valid JSON text have as written: its colons outside strings."""
    # A colon behind a quote ends a name, unless that quote is escaped; so does one behind a blank.
    if b'\\":' not in text and b" :" not in text and b"\n:" not in text and b"\t:" not in text and b"\r:" not in text:
        return text.count(b'":')
    return _STRING.sub(b"", text).count(b":")


def may_nest_deeper(text: bytes, limit: int) -> bool:
    """Whether a JSON text may be nested deeper than a limit; False is certain, True is not."""
    return text.count(b"{") + text.count(b"[") > limit
