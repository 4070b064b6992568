"""What goes wrong in a request of the Ditto face, and the documents that say so."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

from januskv.compat.server.faults import fault_of

# After which a client may try again, in seconds, when the server is not ready.
RETRY_S: Final = 1


class Form(Enum):
    """How an error is told."""

    ERROR = "error"  # {"error": {"code": ..., "message": ..., "data": {...}}}
    MESSAGE = "message"  # {"message": ...}, of store calls
    PROBLEM = "problem"  # RFC 9457, for who accepts it


class DittoError(Exception):
    """A request fails with an HTTP status, a message and facts: the parameter, header or line that is wrong."""

    def __init__(self, status: int, message: str, /, **data: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.data = {name: value for name, value in data.items() if value is not None}

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that belong to the status."""
        match self.status:
            case 401:
                return {"WWW-Authenticate": "Bearer"}  # 'Basic' would open a dialog in browsers
            case 405:
                return {"Allow": ", ".join(self.data.get("allow", ()))}
            case 503:
                return {"Retry-After": str(RETRY_S)}
        return {}

    def document(self, form: Form) -> dict[str, Any]:
        """The error as a JSON document."""
        if form is Form.MESSAGE:
            return {"message": self.message}
        if form is Form.PROBLEM:
            title = HTTPStatus(self.status).phrase
            return {**self.data, "type": "about:blank", "title": title, "status": self.status, "detail": self.message}
        error: dict[str, Any] = {"code": self.status, "message": self.message}
        if self.data:
            error["data"] = self.data
        return {"error": error}


def bad_parameter(name: str, message: str = "", **data: Any) -> DittoError:
    """A parameter has a value that it cannot have."""
    return DittoError(400, message or f"Invalid value for {name}", parameter=name, **data)


def bad_header(name: str, message: str) -> DittoError:
    """A header has a value that it cannot have."""
    return DittoError(400, message, header=name)


def of_engine(error: Exception) -> DittoError | None:
    """The error of the face for one of the engine; None if that was not expected."""
    fault = fault_of(error)
    return None if fault is None else DittoError(fault.http, fault.resp.partition(" ")[2])
