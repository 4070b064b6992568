"""docs/statuses.md: every ``st`` of the native commands, and its meaning for each command.

The statuses are those of ``commands/status.py``. What follows from a command's declaration (parameters, sessions) is taken
from there; the rest is in ``OWN``. A test compares the commands' replies with this page.
"""

from __future__ import annotations

from collections.abc import Iterable

from .commands.status import TIME_SERIES, SeriesStatus, Status
from .commands.table import Command

MEANINGS: dict[Status, str] = {
    Status.OK: "done",
    Status.OPCODE_INVALID: "a WebSocket message is not text",
    Status.JSON_INVALID: "the request is not JSON, or beyond the limits (nesting, 64 bits, doubles, length: `m` says which)",
    Status.PATH_INVALID: "invalid JSONPath",
    Status.COMMAND_NOT_EXIST: "unknown command",
    Status.COMMAND_MULTIPLE: "more than one command in a request",
    Status.COMMAND_TYPE: "the command's body is not an object",
    Status.COMMAND_SYNTAX: "the request is not an object, or is empty; a parameter is unknown or not what the command takes",
    Status.COMMAND_DISABLED: "saving is switched off; this reply has no `tkn`",
    Status.KEY_NOT_EXIST: "no such key",
    Status.PARAM_MISSING: "a parameter is missing; `param` names it",
    Status.HELD_BY_SERIES: "a series has the name (ours)",
    Status.VALUE_TYPE: "a parameter, or the value of a key, has the wrong type; `param` names the parameter",
    Status.VALUE_SIZE: "a parameter is empty, or a value is too big",
    Status.SESSION_NOT_EXIST: "no session has the token, or the session of the connection has ended",
    Status.SESSION_TOKEN_INVALID: "`tkn` is missing, or not an integer from 0 to 2^64-1",
    Status.SESSION_OPEN_FAIL: "no shared session has the name",
    Status.SESSION_NEW_FAIL: "a shared session of the name is open",
    Status.SAVE_START: "a save has begun; another reply follows",
    Status.SAVE_COMPLETE: "a save is complete",
    Status.SAVE_DIR_WRITE_FAIL: "the directory of a save cannot be made",
    Status.SAVE_ERROR: "a save has failed, or too many wait",
    Status.LOADING: "the data set is being loaded",
    Status.LOAD_COMPLETE: "a save is loaded",
    Status.LOAD_ERROR: "there is no such save, or it cannot be loaded",
    Status.NOT_AUTHENTICATED: "the connection has not logged in, or the login is wrong (ours)",
    Status.NOT_PERMITTED: "not allowed here, as in a transaction, or not to this user (ours)",
    Status.UNKNOWN: "any other failure; `m` says which, or the server's log",
}

SERIES_MEANINGS: dict[SeriesStatus, str] = {
    SeriesStatus.OK: "done",
    SeriesStatus.OPCODE_INVALID: "a WebSocket message is not text",
    SeriesStatus.JSON_INVALID: "the request is not JSON",
    SeriesStatus.UNKNOWN: "any other failure, see the server's log",
    SeriesStatus.COMMAND_SYNTAX: "the request is empty, is not an object, or has several commands",
    SeriesStatus.COMMAND_NOT_EXIST: "unknown command",
    SeriesStatus.PARAM_MISSING: "a parameter is missing; `param` names it",
    SeriesStatus.PARAM_TYPE: "a parameter, or what it holds, has the wrong type",
    SeriesStatus.PARAM_VALUE: "a parameter has a value that it cannot have, or is unknown; `param` names an unknown one",
    SeriesStatus.RANGE_SIZE: "`rng` must be empty or have two items",
    SeriesStatus.RANGE_VALUES: "`rng` begins after its end",
    SeriesStatus.SERIES_NOT_EXIST: "no such series",
    SeriesStatus.SERIES_EXISTS: "a series has the name",
    SeriesStatus.SERIES_TYPE: "no such type of series, or an empty name",
    SeriesStatus.INDEX_EXISTS: "the member is indexed",
    SeriesStatus.NOT_INDEXED: "the member is not indexed",
}

_SAVE: dict[int, str] = {
    Status.COMMAND_DISABLED: "saving is off: `native-saves no`, or `save no` without `dir`",
    Status.PARAM_MISSING: "`name` is missing",
    Status.VALUE_TYPE: "a parameter has the wrong type",
    Status.VALUE_SIZE: "`name` is empty",
    Status.SAVE_START: "begun; not sent over RESP",
    Status.SAVE_COMPLETE: "complete",
    Status.SAVE_DIR_WRITE_FAIL: "the name cannot be that of a directory, or the directory cannot be made",
    Status.SAVE_ERROR: "failed while writing, or 16 saves wait",
    Status.NOT_PERMITTED: "in a transaction",
}
_HERE: dict[int, str] = {Status.SESSION_NOT_EXIST: "the session of the connection has ended"}
_LOAD: dict[int, str] = {
    Status.LOAD_COMPLETE: "loaded",
    Status.LOAD_ERROR: "no such save, or it is damaged, unfinished or of another kind",
    Status.HELD_BY_SERIES: "a series holds one of the names",
}
_SET: dict[int, str] = {Status.HELD_BY_SERIES: "a series holds one of the names; nothing is set"}
_TOKEN: dict[int, str] = {
    Status.SESSION_NOT_EXIST: "session not found",
    Status.SESSION_TOKEN_INVALID: "`tkn` is missing or no token",
}
_OVER_RESP: dict[int, str] = {
    Status.VALUE_TYPE: "a list has an item that is not text",
    Status.NOT_PERMITTED: "over RESP, or beside SUBSCRIBE",
}
_RANGE: dict[int, str] = {each: SERIES_MEANINGS[each] for each in (SeriesStatus.RANGE_SIZE, SeriesStatus.RANGE_VALUES)}
_NONE: dict[int, str] = {SeriesStatus.SERIES_NOT_EXIST: SERIES_MEANINGS[SeriesStatus.SERIES_NOT_EXIST]}
_GET: dict[int, str] = {
    **_RANGE,
    **_NONE,
    SeriesStatus.PARAM_VALUE: "`where` is empty or a term has not one operator; `agg` names no function, or has no bucket",
    SeriesStatus.NOT_INDEXED: "a member in `where` has no index",
}

# The meaning of a status for a command, besides what follows from its parameters.
OWN: dict[str, dict[int, str]] = {
    "KV_SET": _SET,
    "KV_SETQ": _SET,
    "KV_CLEAR_SET": _SET,
    "KV_FIND": {
        Status.PATH_INVALID: "the path is invalid, if any key is looked at",
        Status.COMMAND_SYNTAX: "`rsp` is none of its words",
        Status.VALUE_SIZE: "the path is empty",
        Status.UNKNOWN: "the path takes too much work",
    },
    "KV_UPDATE": {
        Status.KEY_NOT_EXIST: "no such key",
        Status.VALUE_TYPE: "the key holds a set, a sorted set or a stream; or a parameter has the wrong type",
        Status.VALUE_SIZE: "the value would be nested too deep",
        Status.UNKNOWN: "the path is invalid",
    },
    "KV_ARR_APPEND": {Status.KEY_NOT_EXIST: "no such key", Status.UNKNOWN: "there is no such array"},
    "SH_NEW": {Status.SESSION_NEW_FAIL: "the shared session is open; `tkn` is its token"},
    "SH_OPEN": {Status.SESSION_OPEN_FAIL: "no shared session has the name; `tkn` is null"},
    "SH_END": _TOKEN,
    "SH_INFO": {**_TOKEN, Status.COMMAND_SYNTAX: "there are other members than `tkn`"},
    "SH_ENTER": _TOKEN,
    "SH_EXISTS": {Status.SESSION_TOKEN_INVALID: "`tkns` has an item that is not a token"},
    "SH_RESTORE": {
        Status.SESSION_TOKEN_INVALID: "a database could have the token",
        Status.SESSION_NEW_FAIL: "a shared session of the name is open with another token",
    },
    "SV_EXPORT": {Status.SESSION_NOT_EXIST: "session not found"},
    "SV_AUTH": {Status.NOT_AUTHENTICATED: "wrong name, password or token"},
    "SV_SUBSCRIBE": _OVER_RESP,
    "SV_UNSUBSCRIBE": _OVER_RESP,
    "KV_SAVE": {**_SAVE, **_HERE},
    "SH_SAVE": {
        **_SAVE,
        Status.COMMAND_SYNTAX: "a misspelt parameter",
        Status.SESSION_TOKEN_INVALID: "`tkns` has an item that is not a token",
    },
    "KV_LOAD": {**_LOAD, **_HERE},
    "SH_LOAD": _LOAD,
    "TS_SAVE": {each: text for each, text in {**_SAVE, **_HERE}.items() if each not in (26, 41, 42)},
    "TS_LOAD": {**_LOAD, **_HERE},
    "TS_CREATE": {
        SeriesStatus.SERIES_EXISTS: "the name is taken",
        SeriesStatus.SERIES_TYPE: "the type is not `Ordered`, or the name is empty",
    },
    "TS_DELETE": _NONE,
    "TS_ADD_EVT": {**_NONE, SeriesStatus.PARAM_VALUE: "`t` and `evt` have not the same length, or are empty"},
    "TS_CREATE_INDEX": {**_NONE, SeriesStatus.INDEX_EXISTS: SERIES_MEANINGS[SeriesStatus.INDEX_EXISTS]},
    "TS_GET": _GET,
    "TS_GET_MULTI": {
        **_GET,
        SeriesStatus.UNKNOWN: "the body is not an object of objects",
        SeriesStatus.PARAM_MISSING: "the body is empty, or a series has no `rng`",
        SeriesStatus.PARAM_TYPE: "a parameter of a series has the wrong type",
        SeriesStatus.PARAM_VALUE: f"a misspelt parameter of a series; {_GET[SeriesStatus.PARAM_VALUE]}",
    },
    "TS_INFO": _NONE,
    "TS_DEL_EVT": {**_NONE, **_RANGE},
}


def of_command(command: Command) -> dict[int, str]:
    """The statuses of a command besides success and those of every command, in numerical order."""
    rules, dialect = command.rules, command.rules.dialect
    params = command.params or ()
    found: dict[int, str] = {}
    if any(param.required for param in params):
        found[int(dialect.param_missing)] = _names("missing", (param.name for param in params if param.required))
    if params:
        found[int(dialect.param_type)] = _names("wrong type", (param.name for param in params))
    if rules.filled:
        found[int(dialect.param_empty)] = _names("empty", (name for name, _ in rules.filled))
    if rules.strict or rules.optional:
        found.setdefault(
            int(dialect.param_unknown), "a parameter that it does not take" if rules.strict else "a misspelt parameter"
        )
    if command.in_keyspace:
        found[int(Status.SESSION_NOT_EXIST)] = "session not found, or that of the connection has ended"
        found[int(Status.SESSION_TOKEN_INVALID)] = "`tkn` is not a token, or missing where `sessions-required` is set"
    for status, text in OWN.get(command.name, {}).items():
        found[int(status)] = f"{found[status]}; {text}" if status == dialect.param_unknown and status in found else text
    return dict(sorted(found.items()))


def _names(what: str, names: Iterable[str]) -> str:
    return f"{what}: {', '.join(f'`{name}`' for name in names)}"


# The statuses of every command.
OF_ALL = frozenset({1, 2, 3, 12, 140, 170, 171, 1000})
OF_ALL_SERIES = frozenset({1, 2, 3, 4, 5, 7, 8, 140, 170, 171, 1000})


def sections(commands: Iterable[Command]) -> list[str]:
    """The paragraphs of the page."""
    native = sorted(commands, key=lambda command: command.name)
    plain = [command for command in native if command.rules.dialect is not TIME_SERIES]
    series = [command for command in native if command.rules.dialect is TIME_SERIES]
    return [
        "# Statuses",
        "Every reply of a native command has a status, `st`. `KV_`, `SH_` and `SV_` commands say what is wrong in `m` and repeat the token, or "
        "null, in `tkn`; `TS_` commands have numbers of their own, and say it in `msg`. What names no known command is answered as "
        "`ERR` (`TS_`) or under the name that was sent. Numbers and texts are those of NemesisDB 0.6.3 where it has them.",
        "## KV_, SH_ and SV_: `m`",
        _table(("st", "name", "meaning"), ((int(each), each.name, text) for each, text in MEANINGS.items())),
        "Every command may answer 1, 2, 3, 12, 140, 170, 171 and 1000. 1000 is also the status of a write whose change cannot be logged.",
        _table(("command", "besides"), ((each.name, _besides(each)) for each in plain)),
        "## TS_: `msg`",
        _table(("st", "name", "meaning"), ((int(each), each.name, text) for each, text in SERIES_MEANINGS.items())),
        "Every command may answer 1 to 5, 7 and 8. Sessions, logins and saves have the statuses of the other family.",
        _table(("command", "besides"), ((each.name, _besides(each)) for each in series)),
    ]


def _besides(command: Command) -> str:
    return "<br>".join(f"{status} {text}" for status, text in of_command(command).items())


def _table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    shown = (" | ".join(f"`{cell}`" if number == 0 else str(cell) for number, cell in enumerate(row)) for row in rows)
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *(f"| {row} |" for row in shown)])
