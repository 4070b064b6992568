"""What goes wrong in a request of the Timely face, and the document that says so."""

from __future__ import annotations

from typing import Any

from januskv.compat.server.faults import fault_of


class ApiError(Exception):
    """A request fails with an HTTP status, a message and a detail; over WebSocket the message is the reason of the close."""

    def __init__(self, status: int, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail or message

    def document(self) -> dict[str, Any]:
        """The error as Timely's JSON document."""
        return {"message": self.message, "detailMessage": self.detail, "responseCode": self.status}


class BadRequest(ApiError):
    """The request itself is wrong: no JSON, a property that nothing has, a value of a wrong type, something missing."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(400, message, detail)


class UnknownProperty(BadRequest):
    """The request has a property that nothing has."""


class Unauthenticated(ApiError):
    """Nobody, or nobody known, asks for what needs a log-in."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, "User must authenticate", detail)


def nobody() -> Unauthenticated:
    """Who asks has shown no credentials."""
    return Unauthenticated("User must authenticate with a client certificate, OAuth token, or login credentials")


def unknown_session() -> Unauthenticated:
    """Who asks has shown a session that is not open."""
    return Unauthenticated("Unknown session id was submitted, log in again")


def no_matching_tags() -> ApiError:
    """A query or subscription asks for what no series can have."""
    # The two blanks are Timely's.
    return ApiError(
        400, "No matching tags", "No tags were found  that matched the submitted tags. Please fix and retry"
    )


def of_engine(error: Exception) -> ApiError | None:
    """The error of the face for one of the engine; None if that was not expected."""
    fault = fault_of(error)
    if fault is None:
        return None
    return ApiError(fault.http, fault.resp.partition(" ")[2].removeprefix("TSDB: "))
