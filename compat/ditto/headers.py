"""The headers of requests that say something about the data: whose, how new, for how long."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .errors import DittoError, bad_header

CLIENT_ID: Final = "X-DITTO-CLIENT-ID"
TXN_ID: Final = "X-DITTO-TXN-ID"
ENSURE_INSERT: Final = "X-DITTO-ENSURE-INSERT"
ENSURE_DELETE: Final = "X-DITTO-ENSURE-DELETE"
TTL: Final = "X-EVENT-TTL-SECONDS"
REQUEST_ID: Final = "X-Request-Id"
TRUNCATED: Final = "X-Result-Truncated"

_CLIENT_ID_BYTES: Final = 16
_DIGITS = re.compile(r"[0-9]{1,4000}")
_SECONDS = re.compile(r"[0-9]{1,300}(\.[0-9]{0,300})?|\.[0-9]{1,300}")
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
# Numbers beyond are texts in JSON documents, as most readers round them.
_MOST_EXACT: Final = 1 << 53

# Gives all values of a header.
Values = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Headers:
    """What the headers of a request ask for."""

    txn_text: str | None  # as it was sent
    ttl_ms: float | None

    @property
    def txn(self) -> int | None:
        """The transaction that the request must come after."""
        return None if self.txn_text is None else int(self.txn_text)

    def check_reached(self, last: int) -> None:
        """Raise DittoError (404) where the transaction that is asked for has not been yet."""
        if self.txn is not None and self.txn > last:
            requested: Any = self.txn if self.txn <= _MOST_EXACT else self.txn_text
            raise DittoError(404, "There is no such transaction yet", requested=requested, available=last)


def read_headers(values: Values, *, client_id_needed: bool = False) -> Headers:
    """Read and check the headers of a request. Raises DittoError (400)."""
    given = {name: _only(values, name) for name in (CLIENT_ID, TXN_ID, ENSURE_INSERT, ENSURE_DELETE, TTL)}
    _check_client_id(given[CLIENT_ID], needed=client_id_needed)
    for name in (ENSURE_INSERT, ENSURE_DELETE):
        text = given[name]
        if text is not None and text.lower() not in ("true", "false"):
            raise bad_header(name, f"{name} is true or false")
    txn = given[TXN_ID]
    if txn is not None and not _DIGITS.fullmatch(txn):
        raise bad_header(TXN_ID, f"{TXN_ID} is a number without a sign")
    return Headers(txn, _ttl_ms(given[TTL]))


def request_id(given: str | None) -> str | None:
    """The id that a client has given its request, if it can be repeated."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else None


def _only(values: Values, name: str) -> str | None:
    found = values(name)
    if len(found) > 1:
        raise bad_header(name, f"{name} is there more than once")
    return found[0].strip() if found else None


def _check_client_id(text: str | None, *, needed: bool) -> None:
    if text is None:
        if needed:
            raise bad_header(CLIENT_ID, f"{CLIENT_ID} is missing")
        return
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        size = 0
    if size != _CLIENT_ID_BYTES:
        raise bad_header(CLIENT_ID, f"{CLIENT_ID} is the base64 of {_CLIENT_ID_BYTES} bytes")


def _ttl_ms(text: str | None) -> float | None:
    if text is None:
        return None
    seconds = float(text) if _SECONDS.fullmatch(text) else 0.0
    if seconds <= 0:
        raise bad_header(TTL, f"{TTL} is a number above 0, such as 600 or 0.5")
    return seconds * 1000
