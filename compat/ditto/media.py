"""Media types: what a body is, and what an answer is to be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from januskv.compat.server.accepted import ranked

from .errors import DittoError

LINES: Final = "application/json-l"
JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
# All of them are JSON, one value a line.
LINES_ALIASES: Final = (
    LINES,
    "application/jsonl",
    "application/x-ndjson",
    "application/ndjson",
    "application/x-jsonlines",
)
_BODY_LINES: Final = frozenset((*LINES_ALIASES, "text/plain"))
_CHARSET = re.compile(r"""charset\s*=\s*"?([^\s";]*)"?""", re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii"})


def check_charset(content_type: str) -> None:
    """Raise DittoError (415) if a media type names a charset that is not UTF-8."""
    for part in content_type.split(";")[1:]:
        found = _CHARSET.fullmatch(part.strip())
        if found is not None and found[1].lower() not in _UTF_8:
            raise DittoError(415, "Bodies are in UTF-8", header="Content-Type")


def has_lines(content_type: str | None) -> bool:
    """Whether a body of events has one a line; False: it is one JSON text. Raises DittoError (415)."""
    if content_type is None or not content_type.strip():
        return True
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _BODY_LINES and kind != JSON:
        raise DittoError(415, f"Events come as {LINES} or {JSON}", header="Content-Type")
    check_charset(content_type)
    return kind != JSON


def check_json(content_type: str | None) -> None:
    """Raise DittoError (415) for a body that says it is not JSON: store calls have another form, which is not there."""
    if content_type is None or not content_type.strip():
        return
    if content_type.partition(";")[0].strip().lower() not in (JSON, "text/plain"):
        raise DittoError(415, f"The body is to be {JSON}", header="Content-Type")
    check_charset(content_type)


def answer_type(accept: Sequence[str]) -> str:
    """The media type of an answer with events: what is accepted best, lines before an array. Raises DittoError (406)."""
    qualities = dict(reversed(ranked(accept)))  # of a name that stands there twice the best one counts
    if not qualities:
        return LINES

    def quality(kind: str) -> float:
        return next((qualities[each] for each in (kind, "application/*", "*/*") if each in qualities), 0.0)

    offered = [LINES, *(each for each in LINES_ALIASES if each in qualities and each != LINES), JSON]
    best = max(offered, key=quality)  # the first of equals
    if quality(best) <= 0:
        raise DittoError(406, f"There is {LINES} and {JSON}", header="Accept")
    return best


def wants_problem(accept: Sequence[str]) -> bool:
    """Whether errors are to be problem documents."""
    return any(kind == PROBLEM and quality > 0 for kind, quality in ranked(accept))
