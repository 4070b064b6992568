"""The parameters of requests, declared once: how each is read from the target and from a JSON body, and its schema in the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from januskv.storage.event_batches import depth_of
from januskv.storage.instants import BadInstant, parse_instant
from januskv.storage.values import MOST_DEPTH

from .errors import DittoError, bad_parameter

DEFAULT_LIMIT: Final = 1000
DEFAULT_TIMEOUT_MS: Final = 5000
# Longer than this nobody waits.
MOST_TIMEOUT_MS: Final = 600_000

_DIGITS = re.compile(r"[0-9]{1,18}")
_MOST_COUNT: Final = 10**18
# An offset whose '+' was not escaped in a target, where it means a blank.
_LOST_PLUS = re.compile(r"(.*[0-9]) ([0-9]{2}:[0-9]{2})", re.DOTALL)

Json = dict[str, Any]


class BadValue(Exception):
    """A parameter cannot have this value; the text says what it is to be."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of parameters: its JSON schema, and how a value is read from JSON and, where that is possible, from a text."""

    schema: Json
    of_json: Callable[[Any], Any]
    of_text: Callable[[str], Any] | None = None


def _of_type(kind: type, name: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise BadValue(f"it is to be {name}")
        return value

    return read


def _instant(value: Any) -> int:
    if type(value) is not str:
        raise BadValue("it is to be a text with a date and time")
    try:
        return parse_instant(value)
    except BadInstant as error:
        raise BadValue(str(error)) from None


def _instant_of_text(text: str) -> int:
    return _instant(_LOST_PLUS.sub(r"\1+\2", text) if _LOST_PLUS.fullmatch(text) else text)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_COUNT:
        raise BadValue("it is to be an integer that is not negative")
    return value


def _count_of_text(text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise BadValue("it is to be an integer that is not negative")
    return int(text)


def _flag_of_text(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise BadValue("it is to be true or false")
    return text.lower() == "true"


def _object_of_text(text: str) -> Any:
    try:
        return _object(read_json(text.encode()))
    except DittoError as error:
        raise BadValue(error.message) from None


def _orders(value: Any) -> list[tuple[str, int]]:
    """Paths and directions: 1 ascending, -1 descending."""
    if type(value) is not list:
        raise BadValue("it is to be a list of pairs")
    orders = []
    for each in value:
        if type(each) is not list or len(each) != 2 or type(each[0]) is not str:
            raise BadValue("its elements are to be pairs of a path and a direction")
        if type(each[1]) is not int or not each[1]:
            raise BadValue("a direction is to be an integer above or below 0")
        orders.append((each[0], 1 if each[1] > 0 else -1))
    return orders


def _texts(value: Any) -> list[str]:
    if type(value) is not list or not all(type(each) is str for each in value):
        raise BadValue("it is to be a list of texts")
    return value


def _name_lists(value: Any) -> list[list[str]]:
    if type(value) is not list:
        raise BadValue("it is to be a list of lists of names")
    for each in value:
        if not _texts(each):
            raise BadValue("a list of names is not to be empty")
    return value


def _documents(value: Any) -> list[Json]:
    if type(value) is not list or not all(type(each) is dict for each in value):
        raise BadValue("it is to be a list of objects")
    return value


_object = _of_type(dict, "an object")
_text = _of_type(str, "a text")

INSTANT: Final = Kind({"type": "string", "format": "date-time"}, _instant, _instant_of_text)
COUNT: Final = Kind({"type": "integer", "minimum": 0}, _count, _count_of_text)
FLAG: Final = Kind({"type": "boolean"}, _of_type(bool, "true or false"), _flag_of_text)
TEXT: Final = Kind({"type": "string", "minLength": 1}, _text, _text)
OBJECT: Final = Kind({"type": "object"}, _object, _object_of_text)
_PAIR: Final[Json] = {
    "type": "array",
    "prefixItems": [{"type": "string"}, {"type": "integer", "not": {"const": 0}}],
    "items": False,
    "minItems": 2,
}
ORDERS: Final = Kind({"type": "array", "items": _PAIR}, _orders)
TEXTS: Final = Kind({"type": "array", "items": {"type": "string"}}, _texts)
NAME_LISTS: Final = Kind(
    {"type": "array", "items": {"type": "array", "items": {"type": "string"}, "minItems": 1}}, _name_lists
)
DOCUMENTS: Final = Kind({"type": "array", "items": {"type": "object"}}, _documents)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. It may stand in the target if its kind can be read from a text."""

    name: str
    kind: Kind
    about: str
    default: Any = None  # as the document shows it
    required: bool = False


_START = Parameter("start", INSTANT, "The first instant that is included.", "1970-01-01T00:00:00Z")
_END = Parameter("end", INSTANT, "The first instant that is not included; the time of the request if it is left out.")
_FILTER = Parameter("filter", TEXT, "Which events are meant, in DittoQL; all if it is left out.")
_ARGS = Parameter("args", OBJECT, "The values of `$args` in the filter.")
_TIMEOUT = Parameter(
    "timeout_millis", COUNT, f"Milliseconds that the request may take, {MOST_TIMEOUT_MS} at most.", DEFAULT_TIMEOUT_MS
)
_PATHS = Parameter("paths", TEXTS, "The members whose values are wanted: `a.b`, `tags[*]`.", required=True)

QUERY: Final = (
    _START,
    _END,
    Parameter("limit", COUNT, "Most events.", DEFAULT_LIMIT),
    _FILTER,
    Parameter("fill_template", OBJECT, "Members that are put into events that lack them; `$PREVIOUS` repeats values."),
    _TIMEOUT,
    Parameter("describe", FLAG, "Show the plan for the filter; query nothing.", False),
    Parameter(
        "order_by", ORDERS, "Pairs of a path and a direction, above or below 0; in the order of time if left out."
    ),
    _ARGS,
)
DELETE: Final = (
    _START,
    _END,
    Parameter("limit", COUNT, "Most events; the earliest are deleted."),
    _FILTER,
    _TIMEOUT,
    _ARGS,
)
DISTINCT: Final = (_PATHS, _START, _END, _FILTER, _TIMEOUT, _ARGS)
DISTINCT_V1: Final = (
    Parameter("paths", NAME_LISTS, "The members whose values are wanted, each as a list of names.", required=True),
    *DISTINCT[1:],
)
INDEX: Final = (Parameter("path", TEXT, "A path of members: `a.b`, `a['odd name']`.", required=True),)
WRITE: Final = (Parameter("commands", DOCUMENTS, "What is done, in this order.", required=True),)
WRITE_V1: Final = (
    Parameter("method", TEXT, "`write`", required=True),
    Parameter("parameters", OBJECT, "An object with `commands`.", required=True),
)


# ---------------------------------------------------------------- reading


def read_json(body: bytes) -> Any:
    """The value of a JSON text: of members of one name the last counts, integers beyond 64 bits are doubles. Raises DittoError (400)."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise DittoError(400, f"This is not JSON: {error}") from None
    if body.count(b"[") + body.count(b"{") > MOST_DEPTH and depth_of(value, MOST_DEPTH) > MOST_DEPTH:
        raise DittoError(400, f"The JSON is nested deeper than {MOST_DEPTH}")
    return value


def pairs_of(query: str) -> list[tuple[str, str]]:
    """Names and values in the query of a target. Raises DittoError (400)."""
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        try:
            pairs.append((unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")))
        except UnicodeDecodeError:
            raise DittoError(400, "The query of the target is not UTF-8") from None
    return pairs


def read(parameters: Sequence[Parameter], pairs: Sequence[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """The values that are given, by name: members of the body, which go before those of the target. Raises DittoError (400)."""
    known = {each.name: each for each in parameters}
    given = _of_target(known, pairs)
    if body:
        document = read_json(body)
        if not isinstance(document, dict):
            raise DittoError(400, "The body is to be a JSON object")
        given |= _of_body(known, document)
    for each in parameters:
        if each.required and each.name not in given:
            raise bad_parameter(each.name, f"{each.name} is missing")
    return given


def _of_target(known: Mapping[str, Parameter], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    seen = set()
    for name, text in pairs:
        parameter = known.get(name)
        if parameter is None:
            raise _unknown(name, known)
        if name in seen:
            raise bad_parameter(name, f"{name} is there more than once")
        seen.add(name)
        if not text:
            continue
        if parameter.kind.of_text is None:
            raise bad_parameter(name, f"{name} is to be in the body")
        given[name] = _value(parameter, parameter.kind.of_text, text)
    return given


def _of_body(known: Mapping[str, Parameter], document: Json) -> dict[str, Any]:
    for name in document:
        if name not in known:
            raise _unknown(name, known)
    return {
        name: _value(known[name], known[name].kind.of_json, value)
        for name, value in document.items()
        if value is not None
    }


def _value(parameter: Parameter, reads: Callable[[Any], Any], value: Any) -> Any:
    try:
        return reads(value)
    except BadValue as error:
        raise bad_parameter(parameter.name, f"Invalid value for {parameter.name}: {error}") from None


def _unknown(name: str, known: Mapping[str, Parameter]) -> DittoError:
    names = ", ".join(known) if known else "none"
    return bad_parameter(name[:100], f"There is no parameter {name[:100]!a}; there are: {names}")
