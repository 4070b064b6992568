"""Native status codes of the KV_, SH_ and SV_ families (specs: NemesisDB 0.6.3), and our additions."""

from enum import IntEnum


class Status(IntEnum):
    """``st`` in a native reply. TS_ commands have a table of their own."""

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
    HELD_BY_SERIES = 27  # ours: the name of a key-value is held by a series
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
    LOAD_COMPLETE = 141
    LOAD_ERROR = 142
    NOT_AUTHENTICATED = 170  # ours: the connection has not authenticated
    NOT_PERMITTED = 171  # ours: the user may not do this, or not here
    UNKNOWN = 1000
