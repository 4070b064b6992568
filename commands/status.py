"""Native status codes, and how the two families of native commands word their errors.

Specs: NemesisDB 0.6.3, whose key-value and time-series sides have different numbers and members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final


class Status(IntEnum):
    """``st`` in replies of KV_, SH_ and SV_ commands."""

    OK = 1
    OPCODE_INVALID = 2
    JSON_INVALID = 3
    PATH_INVALID = 4
    COMMAND_NOT_EXIST = 10
    COMMAND_MULTIPLE = 11
    COMMAND_TYPE = 12
    COMMAND_SYNTAX = 13
    COMMAND_DISABLED = 14
    KEY_NOT_EXIST = 22
    PARAM_MISSING = 26
    HELD_BY_SERIES = 27  # ours: the name of a key-value is that of a series
    VALUE_TYPE = 41
    VALUE_SIZE = 42
    SESSION_NOT_EXIST = 100
    SESSION_TOKEN_INVALID = 101
    SESSION_OPEN_FAIL = 102
    SESSION_NEW_FAIL = 103
    SAVE_START = 120
    SAVE_COMPLETE = 121
    SAVE_DIR_WRITE_FAIL = 122
    SAVE_ERROR = 123
    LOADING = 140
    LOAD_COMPLETE = 141
    LOAD_ERROR = 142
    NOT_AUTHENTICATED = 170  # ours: the connection has not authenticated
    NOT_PERMITTED = 171  # ours: this user may not do this, or not over this connection
    UNKNOWN = 1000


class SeriesStatus(IntEnum):
    """``st`` in replies of TS_ commands."""

    OK = 1
    OPCODE_INVALID = 2
    JSON_INVALID = 3
    UNKNOWN = 4
    COMMAND_SYNTAX = 5
    COMMAND_NOT_EXIST = 6
    PARAM_MISSING = 7
    PARAM_TYPE = 8
    PARAM_VALUE = 9
    RANGE_SIZE = 10
    RANGE_VALUES = 11
    SERIES_NOT_EXIST = 20
    SERIES_EXISTS = 21
    SERIES_TYPE = 22
    INDEX_EXISTS = 40
    NOT_INDEXED = 41


# The reply of a command that only succeeds. A single object, so that faces can compare by identity.
DONE: Final[dict[str, Any]] = {"st": 1}


NO_SUCH_SESSION: Final = "No such session"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The errors that every command of a family can return, in the family's numbers and members."""

    text: str  # the member that explains an error
    repeats_token: bool  # errors have ``tkn``: what was sent, or null
    reads_any_body: bool  # a body that is not an object counts as an empty one; otherwise it is refused
    names_failures: bool  # replies to unknown commands and failures are called <NAME>_RSP, otherwise ERR
    many_commands: int
    unknown_command: int
    param_missing: int
    param_type: int
    param_empty: int
    param_unknown: int
    failure: int
    texts: Mapping[int, str]  # for errors without a text of their own; NemesisDB has none for the others


KEY_VALUES = Dialect(
    text="m",
    repeats_token=True,
    reads_any_body=False,
    names_failures=True,
    many_commands=Status.COMMAND_MULTIPLE,
    unknown_command=Status.COMMAND_NOT_EXIST,
    param_missing=Status.PARAM_MISSING,
    param_type=Status.VALUE_TYPE,
    param_empty=Status.VALUE_SIZE,
    param_unknown=Status.COMMAND_SYNTAX,
    failure=Status.UNKNOWN,
    texts={
        Status.COMMAND_NOT_EXIST: "Unknown command",
        Status.SESSION_NOT_EXIST: NO_SUCH_SESSION,
    },
)

TIME_SERIES = Dialect(
    text="msg",
    repeats_token=False,
    reads_any_body=True,
    names_failures=False,
    many_commands=SeriesStatus.COMMAND_SYNTAX,
    unknown_command=SeriesStatus.COMMAND_NOT_EXIST,
    param_missing=SeriesStatus.PARAM_MISSING,
    param_type=SeriesStatus.PARAM_TYPE,
    param_empty=SeriesStatus.PARAM_VALUE,
    param_unknown=SeriesStatus.PARAM_VALUE,
    failure=SeriesStatus.UNKNOWN,
    texts={
        SeriesStatus.COMMAND_NOT_EXIST: "Unknown command",
        # Session errors are those of the other family.
        Status.SESSION_NOT_EXIST: NO_SUCH_SESSION,
    },
)


def dialect_of(name: str) -> Dialect:
    """The dialect of the reply to a name, whether or not there is such a command."""
    return TIME_SERIES if name.startswith("TS_") else KEY_VALUES


def code_word(dialect: Dialect, status: int) -> str:
    """The name of an error in the statistics: ``KV_VALUE_TYPE``, ``TS_SERIES_EXISTS``."""
    if dialect is TIME_SERIES and status in _SERIES_STATUSES:
        return f"TS_{SeriesStatus(status).name}"
    return f"KV_{Status(status).name}"


_SERIES_STATUSES = frozenset(SeriesStatus)

# Statuses above OK that are not errors.
GOING_WELL: Final = frozenset((Status.SAVE_START, Status.SAVE_COMPLETE, Status.LOAD_COMPLETE))
