"""The Timely API without sockets."""

from __future__ import annotations

from typing import Any

from . import http_api
from .http_api import Answer as Answer
from .http_api import read_answer as read_answer

T = 1_893_456_000_000  # 2030-01-01T00:00Z
HOUR = 3_600_000


class Api(http_api.Api):
    """A client of the Timely API that keeps its connection."""

    def put_lines(self, *lines: str) -> None:
        """Store points as text."""
        self.port.house.ingest.take_lines("".join(f"put {line}\n" for line in lines).encode())

    def query(self, *queries: dict[str, Any], **members: Any) -> Answer:
        """The queries from T on, for an hour, in milliseconds."""
        document = {"start": T, "end": T + HOUR - 1, "msResolution": True, "queries": list(queries), **members}
        return self.post("/api/query", document)
