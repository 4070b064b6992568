"""Error replies in place of replies that confirm changes missing in the log."""

from __future__ import annotations

from januskv.commands.status import Status
from januskv.resp.decoder import ReplyReader
from januskv.resp.encoder import encode
from januskv.resp.replies import ErrorReply, Push

from .native_requests import NativeRequests


def denied(data: bytes, text: str, native: NativeRequests) -> tuple[bytes, bool]:
    """Encoded replies of the data port, each replaced by an error unless it is one; push messages stay.

    Also returns False if that does not tell the client of every failure: a JSON line may have been quiet, a reply
    incomplete, and with CLIENT REPLY OFF there are none. Its connection has to be closed then.
    """
    error = encode(ErrorReply(text), 2)
    found: list[bytes] = []
    told = False
    reader = ReplyReader()
    reader.feed(data)
    while rest := reader.buffer:
        if rest.startswith(b"{"):
            return b"".join(found) + native.error_reply(Status.UNKNOWN, text) + b"\n", False
        reply = reader.gets()
        if reply is None:
            return b"".join(found), False
        raw, value = reply
        if isinstance(value, Push):
            found.append(raw)
            continue
        told = True
        found.append(raw if isinstance(value, ErrorReply) else error)
    return b"".join(found), told
