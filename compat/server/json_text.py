"""JSON text to values and back, with the rules of the native protocol (specs: nemesis.md 3.5, DESIGN 4).

orjson parses; deviations from those rules are detected afterwards by a cheap check of the result, and only then the
text is parsed again, exactly and slowly:

- a duplicate name in an object: the first one counts (orjson: the last)
- integers beyond 64 bits are rejected (orjson: turned into floats)
- numbers too big for a double are rejected, and distinguished from invalid JSON (orjson: rejected)
- nesting is limited to 128 (orjson: 1024, but it writes only 254)
- a byte order mark at the beginning is ignored (orjson: rejected)
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
    """The text is not JSON, or not JSON that the native protocol accepts."""


class BeyondLimits(JsonError):
    """The text is JSON, but something in it is bigger than the native protocol accepts."""


def loads(text: bytes) -> Any:
    """The value of a JSON text. Raises JsonError."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _second_look(text, error)
    members = count_members(value, MOST_DEPTH)
    if members == TOO_DEEP:
        raise BeyondLimits(_DEEP)
    # A duplicate name occurs twice in the text and once in the value.
    if members != written_members(text):
        return _exact(text)
    return value


def _second_look(text: bytes, error: orjson.JSONDecodeError) -> Any:
    """Handle a text that orjson rejected: a byte order mark, or a number beyond doubles; otherwise it is not JSON."""
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
        # orjson may have dropped a member nested too deeply, and the exact parser accepts lone surrogates: both fail here.
        if count_members(value, MOST_DEPTH) == TOO_DEEP:
            raise BeyondLimits(_DEEP)
        orjson.dumps(value)
    except RecursionError:
        raise BeyondLimits(_DEEP) from None
    except (ValueError, TypeError) as error:
        raise JsonError(str(error)) from None
    return value


def fault_text(error: JsonError) -> str:
    """The error text for a request in NemesisDB's form: empty for invalid JSON, as there."""
    return str(error) if isinstance(error, BeyondLimits) else ""


def dumps(value: Any) -> bytes:
    """A value as compact JSON text in UTF-8. Integers up to 64 bits, signed or not, are exact."""
    return orjson.dumps(value)
