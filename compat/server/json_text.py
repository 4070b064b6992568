"""JSON text to values and back, with the rules of the native face (specs: nemesis.md 3.5, DESIGN 4).

orjson parses; what it does otherwise than those rules is noticed afterwards by a cheap look at the
result, and only then the text is parsed again, exactly and slowly:

- a name that stands twice in an object: the first one counts (orjson: the last)
- integers beyond 64 bits are refused (orjson: turned into floats)
- numbers too big for a double are refused, and told from what is not JSON (orjson: refused)
- nesting is limited to 128 (orjson: 1024, but it writes only 254)
- a byte order mark at the beginning is ignored (orjson: refused)
"""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

import orjson

from januskv.storage.values import MOST_DEPTH

from .json_scan import TOO_DEEP, count_members, written_members

_DEEP = f"nested deeper than {MOST_DEPTH}"
_LEAST_INT, _MOST_INT = -(1 << 63), (1 << 64) - 1


class JsonError(Exception):
    """The text is not JSON, or not JSON that the native face takes."""


class BeyondLimits(JsonError):
    """The text is JSON, but something in it is bigger than what the native face takes."""


def loads(text: bytes) -> Any:
    """The value of a JSON text. Raises JsonError."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _second_look(text, error)
    members = count_members(value, MOST_DEPTH)
    if members == TOO_DEEP:
        raise BeyondLimits(_DEEP)
    # A name that stands twice is written twice and counted once.
    if members != written_members(text):
        return _exact(text)
    return value


def _second_look(text: bytes, error: orjson.JSONDecodeError) -> Any:
    """What orjson refused: a byte order mark, or a number beyond doubles; else it is not JSON."""
    if text.startswith(codecs.BOM_UTF8):
        rest = text[len(codecs.BOM_UTF8) :]
        if rest.startswith(codecs.BOM_UTF8):
            raise JsonError("two byte order marks")
        return loads(rest)
    if "infinity" in str(error):
        return _exact(text)
    if "depth limit" in str(error):
        raise BeyondLimits(_DEEP)
    raise JsonError(str(error)) from None


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        members.setdefault(name, value)
    return members


def _exact_int(text: str) -> int:
    value = int(text) if len(text) <= 20 else _MOST_INT + 1
    if not _LEAST_INT <= value <= _MOST_INT:
        raise BeyondLimits("an integer does not fit into 64 bits")
    return value


def _exact_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BeyondLimits("a number does not fit into a double")
    return value


def _no_constant(text: str) -> Any:
    raise JsonError(f"{text} is not JSON")


def _exact(text: bytes) -> Any:
    """Parse slowly, with all rules."""
    try:
        value = json.loads(
            text.decode(),
            object_pairs_hook=_first_of_each,
            parse_int=_exact_int,
            parse_float=_exact_float,
            parse_constant=_no_constant,
        )
        # Nested too deep may be what orjson dropped, and the exact parser lets lone surrogates pass: both fail here.
        if count_members(value, MOST_DEPTH) == TOO_DEEP:
            raise BeyondLimits(_DEEP)
        orjson.dumps(value)
    except RecursionError:
        raise BeyondLimits(_DEEP) from None
    except (ValueError, TypeError) as error:
        raise JsonError(str(error)) from None
    return value


def fault_text(error: JsonError) -> str:
    """What a refusal of text that came as NemesisDB takes it says: nothing for no JSON, as there."""
    return str(error) if isinstance(error, BeyondLimits) else ""


def dumps(value: Any) -> bytes:
    """A value as compact JSON text in UTF-8. Integers up to 64 bits, signed or not, are exact."""
    return orjson.dumps(value)
