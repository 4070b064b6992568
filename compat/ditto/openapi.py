"""The OpenAPI document, made from the declarations of endpoints and parameters."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from januskv import __version__

from .endpoints import DELETE, ENDPOINTS, INSERT, QUERY, Body, Endpoint, Operation
from .errors import Form
from .headers import CLIENT_ID, ENSURE_DELETE, ENSURE_INSERT, REQUEST_ID, TRUNCATED, TTL, TXN_ID
from .media import JSON, LINES, LINES_ALIASES, PROBLEM
from .parameters import Parameter

Json = dict[str, Any]

_INTEGER: Final[Json] = {"type": "integer", "minimum": 0}
_FLAG: Final[Json] = {"type": "boolean"}

SCHEMAS: Final[Json] = {
    "Event": {
        "type": "object",
        "required": ["_time"],
        "properties": {
            "_time": {"type": "string", "format": "date-time"},
            "_expiration": {"type": ["string", "number", "null"], "description": "RFC 3339, Unix seconds, or never."},
        },
        "additionalProperties": True,
    },
    "Item": {
        "type": "object",
        "required": ["item"],
        "properties": {
            "item": {
                "type": "object",
                "required": ["_time", "value"],
                "properties": {
                    "_time": {"type": "string", "format": "date-time"},
                    "value": {"type": "object", "additionalProperties": True},
                },
            }
        },
    },
    "Transaction": {"type": "object", "required": ["txn_id"], "properties": {"txn_id": _INTEGER}},
    "Values": {
        "type": "object",
        "required": ["item"],
        "properties": {"item": {"type": "object", "additionalProperties": {"type": "array"}}},
    },
    "Results": {
        "type": "object",
        "properties": {
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["method", "transactionId"],
                    "properties": {"method": {"type": "string"}, "transactionId": _INTEGER, "deleted": _INTEGER},
                },
            }
        },
    },
    "Indexes": {
        "type": "object",
        "properties": {"indexes": {"type": "array", "items": {"$ref": "#/components/schemas/Path"}}},
    },
    "Path": {
        "type": "object",
        "required": ["path"],
        "properties": {"path": {"type": "string"}, "created": _FLAG, "dropped": _FLAG},
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": _INTEGER, "message": {"type": "string"}, "data": {"type": "object"}},
            }
        },
    },
    "StoreError": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
    "Problem": {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": _INTEGER,
            "detail": {"type": "string"},
        },
    },
    "Document": {"type": "object"},
}

# What an operation answers with; that of events is a stream.
_ANSWERS: Final = {
    "insertEvents": "Transaction",
    "deleteEvents": "Transaction",
    "distinctValues": "Values",
    "distinctValuesV1": "Values",
    "listIndexes": "Indexes",
    "createIndex": "Path",
    "dropIndex": "Path",
    "writeStore": "Results",
    "writeStoreV1": "Results",
    "openapi": "Document",
}
# Methods that a path of this version of OpenAPI can have.
_METHODS: Final = frozenset({"GET", "POST", "DELETE"})


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _header(name: str, schema: Json, about: str) -> Json:
    return {"name": name, "in": "header", "schema": schema, "description": about}


_TXN_HEADER: Final = _header(TXN_ID, {**_INTEGER, "examples": [0]}, "The transaction that the request must come after.")
_CLIENT_HEADER: Final = _header(
    CLIENT_ID,
    {"type": "string", "pattern": "^[A-Za-z0-9+/]{21}[AQgw]==$"},
    "Base64 of the 16 bytes that name the client.",
)
_HEADERS: Final = {
    INSERT: (
        _CLIENT_HEADER,
        _header(ENSURE_INSERT, _FLAG, "Without effect on a single server."),
        _header(
            TTL, {"type": "number", "exclusiveMinimum": 0}, "Seconds after which events expire that do not say so."
        ),
    ),
    DELETE: (_CLIENT_HEADER, _header(ENSURE_DELETE, _FLAG, "Without effect on a single server.")),
}


def _schema(parameter: Parameter) -> Json:
    default = {} if parameter.default is None else {"default": parameter.default}
    return {**parameter.kind.schema, **default}


def _in_target(parameter: Parameter) -> Json:
    """A parameter of an operation that has no body in the document."""
    shown: Json = {
        "name": parameter.name,
        "in": "query",
        "description": parameter.about,
        "required": parameter.required,
    }
    if parameter.kind.schema == {"type": "object"}:
        return {**shown, "content": {JSON: {"schema": _schema(parameter)}}}
    return {**shown, "schema": _schema(parameter)}


def _body(operation: Operation) -> Json:
    if operation.body is Body.EVENTS:
        events = {"type": "array", "items": _ref("Event")}
        lines = {
            "schema": {"type": "string", "description": "One event a line, see the schema Event."},
            "example": '{"_time":"2030-01-01T00:00:00Z","celsius":4.5}\n',
        }
        return {
            "required": True,
            "content": {
                **dict.fromkeys(LINES_ALIASES, lines),
                JSON: {"schema": {"oneOf": [_ref("Event"), events]}},
            },
        }
    required = [each.name for each in operation.parameters if each.required]
    schema: Json = {
        "type": "object",
        "properties": {each.name: {**_schema(each), "description": each.about} for each in operation.parameters},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {JSON: {"schema": schema}}}


def _responses(operation: Operation) -> Json:
    error = "StoreError" if operation.form is Form.MESSAGE else "Error"
    told = {
        "description": "What went wrong.",
        "content": {JSON: {"schema": _ref(error)}, PROBLEM: {"schema": _ref("Problem")}},
    }
    headers: Json = {
        TXN_ID: {"schema": _INTEGER, "description": "The transaction that was made or read."},
        REQUEST_ID: {"schema": {"type": "string"}},
    }
    if operation is QUERY:
        headers[TRUNCATED] = {"schema": _FLAG, "description": "The limit has cut the result."}
        headers["Link"] = {"schema": {"type": "string"}, "description": "Where the rest of a cut result is."}
        line = {
            "schema": {
                "type": "string",
                "description": 'One Item a line; after a failure a last line {"error": "..."}.',
            },
            "example": '{"item":{"_time":"2030-01-01T00:00:00Z","value":{"celsius":4.5}}}\n',
        }
        content: Json = {LINES: line, JSON: {"schema": {"type": "array", "items": _ref("Item")}}}
    else:
        content = {JSON: {"schema": _ref(_ANSWERS[operation.name])}}
    return {"200": {"description": operation.about, "headers": headers, "content": content}, "default": told}


def _can_be_asked(operation: Operation, method: str) -> bool:
    """Whether this version of OpenAPI can describe the method: those without a body have what they need in the target."""
    return method == "POST" or all(each.kind.of_text for each in operation.parameters if each.required)


def _operation(endpoint: Endpoint, version: int, method: str, operation: Operation) -> Json:
    parameters: list[Json] = [_TXN_HEADER, *_HEADERS.get(operation, ())]
    if "{id}" in endpoint.parts:
        name = {"type": "string", "minLength": 1, "maxLength": 512, "pattern": r"^(?!__)[^\x00-\x1f\x7f]+$"}
        parameters.insert(0, {"name": "id", "in": "path", "required": True, "schema": name})
    if operation.body is Body.PARAMETERS:
        parameters += [_in_target(each) for each in operation.parameters if each.kind.of_text is not None]
    words = [operation.name] if version == endpoint.versions[0] else [operation.name, f"v{version}"]
    if method != next(iter(each for each, found in endpoint.methods.items() if found is operation)):
        words.append(method.lower())
    if len(endpoint.parts) > 3:
        words.append("ByPost")
    shown: Json = {
        "operationId": "_".join(words),
        "summary": operation.about,
        "parameters": parameters,
        "responses": _responses(operation),
    }
    if operation.open:
        shown["security"] = []
    # Bodies of GET and DELETE have no meaning in this version of OpenAPI.
    if operation.body is not Body.NONE and method == "POST":
        shown["requestBody"] = _body(operation)
    return shown


@lru_cache(maxsize=1)
def openapi() -> Json:
    """The document that describes the API."""
    paths: Json = {}
    for endpoint in ENDPOINTS:
        for version in endpoint.versions:
            paths[f"/api/v{version}/{endpoint.path}"] = {
                method.lower(): _operation(endpoint, version, method, operation)
                for method, operation in endpoint.methods.items()
                if method in _METHODS and _can_be_asked(operation, method)
            }
    return {
        "openapi": "3.1.0",
        "info": {"title": "JanusKV: series of events", "version": __version__},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
