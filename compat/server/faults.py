"""The texts and codes of errors on the wire.

``FAULTS`` maps each error class to the native status, the RESP error and the HTTP status. A
command whose original has another text raises ``RespError`` with its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from januskv.commands.status import SeriesStatus, Status
from januskv.storage import errors
from januskv.storage.downsampling import MOST_VALUES

# Redis' text while data is loaded; clients know it.
LOADING = "LOADING Redis is loading the dataset in memory"

# Why a client cannot use data in its selected session.
SESSION_ENDED = "the selected session has ended, SELECT another one or a database"
SESSION_MISSING = (
    "the session that was asked for does not exist, SELECT another one or a database (a client that keeps 32 bits of a"
    " database's number logs in as the user 'session', with the token as password)"
)


class Outcomes:
    """The result of a command with several parts: for each its reply, or the exception with which it failed.

    It is not a reply. The caller turns the exceptions into error replies and counts them.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts


class RespError(Exception):
    """An error with its RESP text, code word included: ``RespError("ERR syntax error")``.

    ``counted``: it is in the statistics of errors already, as the reply to a command of a script.
    """

    def __init__(self, text: str, *, counted: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.counted = counted


class LoginsSlowed(Exception):
    """Too many log-ins from an address have failed: others are refused for some seconds without being looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many log-ins of this address have failed, try again in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Fault:
    """The outer forms of one error class. ``series_status`` is the one in replies of TS_ commands."""

    status: int
    resp: str
    http: int
    series_status: int = SeriesStatus.UNKNOWN


FAULTS: dict[type[Exception], Fault] = {
    errors.WrongType: Fault(
        Status.VALUE_TYPE, "WRONGTYPE Operation against a key holding the wrong kind of value", 409
    ),
    errors.NotAnInteger: Fault(Status.VALUE_TYPE, "ERR value is not an integer or out of range", 400),
    errors.NotAFloat: Fault(Status.VALUE_TYPE, "ERR value is not a valid float", 400),
    errors.IncrementOverflow: Fault(Status.VALUE_TYPE, "ERR increment or decrement would overflow", 400),
    errors.IncrementNotFinite: Fault(Status.VALUE_TYPE, "ERR increment would produce NaN or Infinity", 400),
    errors.StringTooLong: Fault(Status.VALUE_SIZE, "ERR string exceeds maximum allowed size (proto-max-bulk-len)", 413),
    errors.NoSuchKey: Fault(Status.KEY_NOT_EXIST, "ERR no such key", 404),
    errors.NoSuchSession: Fault(Status.SESSION_NOT_EXIST, "ERR no such session", 404),
    errors.StillLoading: Fault(Status.LOADING, LOADING, 503),
    errors.SessionExists: Fault(Status.SESSION_NEW_FAIL, "ERR session exists", 409),
    errors.DuplicateSample: Fault(
        Status.VALUE_TYPE,
        "ERR TSDB: Error at upsert, update is not supported when DUPLICATE_POLICY is set to BLOCK mode",
        409,
        SeriesStatus.PARAM_VALUE,
    ),
    errors.SampleTooOld: Fault(
        Status.VALUE_TYPE, "ERR TSDB: Timestamp is older than retention", 400, SeriesStatus.PARAM_VALUE
    ),
    errors.TooManyBuckets: Fault(
        Status.VALUE_SIZE,
        f"ERR TSDB: too many empty buckets, an answer takes {MOST_VALUES} values at most",
        413,
        SeriesStatus.PARAM_VALUE,
    ),
    errors.TooManyValues: Fault(Status.VALUE_SIZE, "ERR the query keeps too many values at a time", 413),
    errors.TooManyFilters: Fault(Status.VALUE_SIZE, "ERR the query has too many filters", 413),
    errors.NoMatchingTags: Fault(Status.KEY_NOT_EXIST, "ERR no matching tags", 400),
    errors.UnknownFunction: Fault(Status.VALUE_TYPE, "ERR unknown function", 400),
    errors.BadVisibility: Fault(Status.VALUE_TYPE, "ERR bad visibility expression", 400),
    errors.IndexExists: Fault(Status.VALUE_TYPE, "ERR the member is indexed already", 409, SeriesStatus.INDEX_EXISTS),
    errors.NotIndexed: Fault(Status.VALUE_TYPE, "ERR the member is not indexed", 400, SeriesStatus.NOT_INDEXED),
    errors.BehindLastSample: Fault(
        Status.VALUE_TYPE, "TSDB: timestamp must be equal to or higher than the maximum existing timestamp", 409
    ),
    errors.IdTooSmall: Fault(
        Status.VALUE_TYPE, "ERR The ID specified in XADD is equal or smaller than the target stream top item", 409
    ),
    errors.IdsExhausted: Fault(
        Status.VALUE_TYPE, "ERR The stream has exhausted the last possible ID, unable to add more items", 409
    ),
    errors.LastIdBehindDeleted: Fault(
        Status.VALUE_TYPE, "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id", 409
    ),
    errors.LastIdBehindEntries: Fault(
        Status.VALUE_TYPE, "ERR The ID specified in XSETID is smaller than the target stream top item", 409
    ),
    errors.FewerAddedThanHeld: Fault(
        Status.VALUE_TYPE, "ERR The entries_added specified in XSETID is smaller than the target stream length", 409
    ),
    errors.GroupExists: Fault(Status.VALUE_TYPE, "BUSYGROUP Consumer Group name already exists", 409),
    errors.NotHyperLogLog: Fault(Status.VALUE_TYPE, "WRONGTYPE Key is not a valid HyperLogLog string value.", 409),
    errors.CorruptHyperLogLog: Fault(Status.VALUE_TYPE, "INVALIDOBJ Corrupted HLL object detected", 409),
    LoginsSlowed: Fault(
        Status.NOT_AUTHENTICATED, "WRONGPASS too many log-ins of this address have failed, try again later", 429
    ),
    errors.KeyHoldsSeries: Fault(Status.HELD_BY_SERIES, "WRONGTYPE the key holds a series", 409),
}

INTERNAL = Fault(Status.UNKNOWN, "ERR internal error", 500)


def fault_of(error: Exception) -> Fault | None:
    """The outer forms of an expected error; None for an unexpected one, which is a bug to be logged."""
    for kind in type(error).__mro__:
        fault = FAULTS.get(kind)
        if fault is not None:
            return fault
    return None
