"""A client of the HTTP port without sockets: requests to the port of a house, answers as values."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from .http_port import HttpPort, Visitor

# The rounds of the event loop that an answer may take.
_MOST_ROUNDS = 20_000


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"].startswith("application/json"), self
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Api:
    """A client that keeps its connection."""

    def __init__(self, port: HttpPort) -> None:
        self.port = port
        self.visitor: Visitor | None = None

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        """Send a request, an object as JSON; names of headers with ``_`` for ``-``."""
        if body is not None and not isinstance(body, bytes):
            body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        lines = {"Host": "localhost:8379", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None:
            lines["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return self.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b""))

    def get(self, target: str, **headers: str) -> Answer:
        return self.ask("GET", target, **headers)

    def post(self, target: str, body: Any = b"", **headers: str) -> Answer:
        return self.ask("POST", target, body, **headers)

    def send(self, data: bytes) -> Answer:
        """Send bytes; the answer once it is whole."""
        if self.visitor is None or self.visitor.closed:
            self.visitor = self.port.connect()
        received = self.visitor.send(data)
        for _ in range(_MOST_ROUNDS):
            answer = read_answer(received)
            if answer is not None:
                return answer
            self.port.settle()
            received = self.visitor.transport.written
        raise AssertionError(f"no answer, but {received[:200]!r}")


def read_answer(data: bytes) -> Answer | None:
    """A whole answer, unpacked; None while something is missing."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    body: bytes | None = rest
    if headers.get("transfer-encoding") == "chunked":
        body = _dechunked(rest)
    elif len(rest) < int(headers.get("content-length", 0)):
        body = None
    if body is None:
        return None
    match headers.get("content-encoding"):
        case "gzip":
            body = gzip.decompress(body)
        case "deflate":
            body = zlib.decompress(body)
    return Answer(int(first.split(" ")[1]), headers, body)


def _dechunked(data: bytes) -> bytes | None:
    body = b""
    while (found := re.match(rb"([0-9a-f]+)\r\n", data)) is not None:
        size = int(found[1], 16)
        if len(data) < found.end() + size + 2:
            return None
        if size == 0:
            return body
        body += data[found.end() : found.end() + size]
        data = data[found.end() + size + 2 :]
    return None
