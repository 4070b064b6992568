"""The endpoints of the API: paths, methods, what they are for, who may use them. Requests are routed, and the OpenAPI document made, from this table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import unquote_to_bytes

from januskv.compat.server.hosts import path_of

from . import parameters
from .errors import DittoError, Form
from .parameters import Parameter

MOST_ID: Final = 512
# Names of series that begin so are reserved for collections of the system.
RESERVED: Final = "__"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_VERSION = re.compile(r"v[0-9]{1,3}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_API: Final = "api"
_ID: Final = "{id}"


class Body(Enum):
    """What the body of a request is."""

    NONE = "none"
    EVENTS = "events"
    PARAMETERS = "parameters"  # a JSON object; members go before parameters of the target
    DOCUMENT = "document"  # a JSON object of its own


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """What is done for a request. ``permission`` is that on the series in the path; None: the operation asks for it itself, if at all."""

    name: str
    about: str
    permission: str | None
    body: Body
    parameters: tuple[Parameter, ...] = ()
    form: Form = Form.ERROR
    open: bool = False  # to who has shown no credentials


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path behind ``/api/vN/`` and what its methods do."""

    path: str
    versions: tuple[int, ...]
    methods: dict[str, Operation]
    parts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.path.split("/")))

    @property
    def allow(self) -> tuple[str, ...]:
        """The methods that the path has."""
        return (*self.methods, *(("HEAD",) if "GET" in self.methods else ()), "OPTIONS")

    def operation(self, method: str) -> Operation | None:
        """What a method does; HEAD is GET without its body."""
        return self.methods.get("GET" if method == "HEAD" else method)


INSERT = Operation("insertEvents", "Insert a batch of events, all or none.", "write", Body.EVENTS)
QUERY = Operation("queryEvents", "The events of an interval.", "read", Body.PARAMETERS, parameters.QUERY)
DELETE = Operation("deleteEvents", "Delete the events of an interval.", "write", Body.PARAMETERS, parameters.DELETE)
DISTINCT = Operation("distinctValues", "The distinct values of members.", "read", Body.PARAMETERS, parameters.DISTINCT)
DISTINCT_V1 = Operation(
    "distinctValuesV1",
    "The distinct values of members, by lists of names.",
    "read",
    Body.PARAMETERS,
    parameters.DISTINCT_V1,
)
INDEXES = Operation("listIndexes", "The paths that are indexed.", "read", Body.NONE)
CREATE_INDEX = Operation("createIndex", "Index a path.", "write", Body.PARAMETERS, parameters.INDEX)
DROP_INDEX = Operation("dropIndex", "Index a path no longer.", "write", Body.PARAMETERS, parameters.INDEX)
WRITE = Operation(
    "writeStore", "Maintain the documents of `__timeseries`.", None, Body.DOCUMENT, parameters.WRITE, Form.MESSAGE
)
WRITE_V1 = Operation(
    "writeStoreV1", "Maintain the documents of `__timeseries`.", None, Body.DOCUMENT, parameters.WRITE_V1, Form.MESSAGE
)
OPENAPI = Operation("openapi", "This document.", None, Body.NONE, open=True)

ENDPOINTS: Final = (
    Endpoint("timeseries/{id}/events", (1,), {"GET": QUERY, "QUERY": QUERY, "POST": INSERT, "DELETE": DELETE}),
    Endpoint("timeseries/{id}/events/query", (1,), {"POST": QUERY}),
    Endpoint("timeseries/{id}/indexes", (1,), {"GET": INDEXES, "POST": CREATE_INDEX, "DELETE": DROP_INDEX}),
    Endpoint("timeseries/{id}/distinct_values", (2,), {"POST": DISTINCT, "GET": DISTINCT, "QUERY": DISTINCT}),
    Endpoint("timeseries/{id}/distinct_values", (1,), {"POST": DISTINCT_V1, "GET": DISTINCT_V1, "QUERY": DISTINCT_V1}),
    Endpoint("store/write", (4, 3, 2), {"POST": WRITE}),
    Endpoint("store", (1,), {"POST": WRITE_V1}),
    Endpoint("swagger.json", (1, 2, 3, 4), {"GET": OPENAPI}),
)


# ---------------------------------------------------------------- paths


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names: an endpoint, and the series in it as it stands there."""

    endpoint: Endpoint
    segment: str | None


def _segments(target: str) -> list[str]:
    """The segments of a target's path from ``api`` on, empty ones left out; a UUID before them names the application, of which there is one."""
    segments = [each for each in path_of(target).split("/") if each]
    if len(segments) > 1 and _UUID.fullmatch(segments[0]) and segments[1] == _API:
        del segments[0]
    return segments


def is_ditto(target: str) -> bool:
    """Whether a request target belongs to the API, also where nothing is behind it. The path is not decoded yet."""
    segments = _segments(target)
    return len(segments) >= 2 and segments[0] == _API and _VERSION.fullmatch(segments[1]) is not None


def place_of(target: str) -> Place:
    """What a request target names. Raises DittoError (404)."""
    _, version, *rest = _segments(target)
    number = int(version[1:])
    for endpoint in ENDPOINTS:
        if number in endpoint.versions and len(rest) == len(endpoint.parts) and version == f"v{number}":
            if all(part in (_ID, given) for part, given in zip(endpoint.parts, rest, strict=True)):
                at = endpoint.parts.index(_ID) if _ID in endpoint.parts else None
                return Place(endpoint, None if at is None else rest[at])
    raise DittoError(404, "There is nothing at this path")


def operation_at(place: Place, method: str) -> Operation:
    """What a method does at a place. Raises DittoError (405)."""
    operation = place.endpoint.operation(method)
    if operation is None:
        raise DittoError(405, f"{method} is not allowed here", allow=list(place.endpoint.allow))
    return operation


def decoded_id(segment: str) -> str | None:
    """The name of a series in a segment of a path; None if it is not one."""
    if _BAD_ESCAPE.search(segment):
        return None
    try:
        name = unquote_to_bytes(segment.encode("latin-1")).decode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        return None
    return name if is_name(name) else None


def is_name(name: str) -> bool:
    """Whether a series may have this name."""
    return (
        0 < len(name.encode()) <= MOST_ID
        and not name.startswith(RESERVED)
        and not any(unicodedata.category(letter) == "Cc" for letter in name)
    )


def bad_name() -> DittoError:
    """The name of a series is not one."""
    return DittoError(
        400,
        f"The name of a series is UTF-8, has 1 to {MOST_ID} bytes and no control characters, and does not begin with '{RESERVED}'",
        parameter="id",
    )


def versions(endpoints: Sequence[Endpoint] = ENDPOINTS) -> list[int]:
    """The versions of the API that there are."""
    return sorted({version for endpoint in endpoints for version in endpoint.versions})
