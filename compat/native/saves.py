"""Native commands that save and load (specs: nemesis.md, section 8).

A save is written by a forked process, so that service continues and the save is a snapshot of one moment. JSON lines and
WebSocket get two replies, when it begins and when it has ended; RESP gets only the second one. See ``save_queue``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from januskv.commands.declare import Flag, Param, all_keys
from januskv.commands.keyvalues import put_values
from januskv.commands.params import NativeError, ParamCheck, is_uint
from januskv.commands.status import KEY_VALUES as DIALECT
from januskv.commands.status import TIME_SERIES, Status
from januskv.commands.table import Family
from januskv.commands.work import LATER, Later
from januskv.compat.server.context import ServerContext
from januskv.compat.server.save_queue import Saving, folder_of
from januskv.storage.durability import saves
from januskv.storage.durability.saves import BadSave
from januskv.storage.errors import KeyHoldsSeries
from januskv.storage.keyspace import Keyspace
from januskv.storage.values import is_series

if TYPE_CHECKING:
    from januskv.compat.server.server import Server

log = logging.getLogger("januskv")

commands = Family("native")
series_commands = Family("native", TIME_SERIES)

Body = dict[str, Any]

_NAME = Param("name", "string", empty_text="Name empty")
_NAMED = ParamCheck((_NAME,), DIALECT)


def check_tokens(body: Body) -> None:
    """SH_SAVE's own check: the items of ``tkns``."""
    if not all(map(is_uint, body.get("tkns", ()))):
        raise NativeError(Status.VALUE_TYPE, "Param type incorrect")


_SESSIONS = ParamCheck(
    (_NAME, Param("tkns", "array", required=False, empty_text="Tokens empty")), DIALECT, check_tokens
)


# ---------------------------------------------------------------- saving


def save(ctx: ServerContext, command: str, body: Body, kind: int, files: Callable[[], Iterable[bytes]]) -> Body | Later:
    """Begin or queue a save. Returns the first reply, or LATER. Raises NativeError."""
    begun = ctx.server.saves.take(Saving(ctx.server.saves, ctx, command, body["name"], kind, files))
    return {"name": body["name"], "st": Status.SAVE_START.value} if begun and ctx.as_json else LATER


def _switched_off(server: Server) -> Body | None:
    """The reply to a save command while saving is off; NemesisDB has no text for it."""
    if not server.config.native_saves:
        return {"st": Status.COMMAND_DISABLED.value, "m": ""}
    if server.config.keeps_nothing:
        return {"st": Status.COMMAND_DISABLED.value, "m": "'save no' keeps nothing on disk; with 'dir' saves go there"}
    return None


def _here(ctx: ServerContext) -> Keyspace:
    """The connection's database or session. Raises NativeError for a session that is not open."""
    if ctx.nowhere:
        raise NativeError(Status.SESSION_NOT_EXIST, ctx.nowhere)
    return ctx.keyspace


@commands.native(
    "KV_SAVE",
    keys=all_keys("RO", "access"),
    needs_body=True,
    categories=("keyvalue",),
    flags=Flag.ADMIN | Flag.NO_MULTI | Flag.CONNECTION,
)
def kv_save(ctx: ServerContext, body: Body) -> Body | Later:
    """{"KV_SAVE": {"name": name}}

    Saves the key-values of the selected database or session while other clients are served. Two replies:
    status 120 when it has begun, 121 or 123 when it has ended; over RESP only the second one. Saves are queued,
    up to 16 of them; further ones are refused with status 123. Not inside MULTI.

    Cost: O(N) with N keys, in a child process
    """
    if (refusal := _switched_off(ctx.server)) is not None:
        return refusal
    _NAMED.check(body)
    keyspace = _here(ctx)
    return save(ctx, "KV_SAVE", body, saves.KEY_VALUES, lambda: saves.key_value_files(keyspace))


@commands.native(
    "SH_SAVE",
    keys=all_keys("RO", "access"),
    needs_body=True,
    categories=("session",),
    flags=Flag.ADMIN | Flag.NO_MULTI | Flag.CONNECTION,
)
def sh_save(ctx: ServerContext, body: Body) -> Body | Later:
    """{"SH_SAVE": {"name": name, "tkns"?: [token, ...]}}

    Saves sessions with their key-values, all of them or those of some tokens; replies like KV_SAVE.

    Cost: O(N) with N keys, in a child process
    """
    if (refusal := _switched_off(ctx.server)) is not None:
        return refusal
    _SESSIONS.check(body)
    sessions, tokens = ctx.store.sessions.by_token, body.get("tkns")

    def files() -> Iterable[bytes]:
        chosen = sessions.values() if tokens is None else [sessions[token] for token in tokens if token in sessions]
        return saves.session_files(chosen)

    return save(ctx, "SH_SAVE", body, saves.SESSIONS, files)


@series_commands.native(
    "TS_SAVE",
    keys=all_keys("RO", "access"),
    strict=True,
    categories=("timeseries",),
    params=(_NAME,),
    flags=Flag.ADMIN | Flag.NO_MULTI | Flag.CONNECTION,
)
def ts_save(ctx: ServerContext, body: Body) -> Body | Later:
    """{"TS_SAVE": {"name": name}}

    Saves the series of the selected database or session; replies like KV_SAVE. Ours, not NemesisDB's.

    Cost: O(N) with N samples and events, in a child process
    """
    if (refusal := _switched_off(ctx.server)) is not None:
        return refusal
    keyspace = _here(ctx)
    return save(ctx, "TS_SAVE", body, saves.SERIES, lambda: saves.series_files(keyspace))


# ---------------------------------------------------------------- loading


def _contents(server: Server, name: str, kind: int) -> Iterator[bytes]:
    """The data files of the newest save of a name, which must be of the right kind. Raises BadSave, OSError."""
    path, found = saves.newest(folder_of(server.config), name)
    if found != kind:
        raise BadSave("the save holds something else")
    return saves.contents(path)


def load_key_values(server: Server, keyspace: Keyspace, name: str) -> int:
    """Put saved key-values into a keyspace, replacing equal keys. Returns how many. Raises BadSave, OSError, KeyHoldsSeries."""
    loaded = [saves.read_key_values(content) for content in _contents(server, name, saves.KEY_VALUES)]
    for values in loaded:
        put_values(keyspace, values)
    return sum(map(len, loaded))


def load_sessions(server: Server, name: str) -> tuple[int, int]:
    """Reopen saved sessions that are not open. Returns how many sessions and keys. Raises BadSave, OSError."""
    loaded = [each for content in _contents(server, name, saves.SESSIONS) for each in saves.read_sessions(content)]
    sessions = keys = 0
    for settings, values in loaded:
        session = server.store.sessions.reopen(
            settings["tkn"],
            settings["name"],
            shared=settings["shared"],
            duration_s=settings["duration"],
            delete_on_expiry=settings["deleteSession"],
        )
        if session is not None:
            put_values(session.keyspace, values)
            sessions += 1
            keys += len(values)
    return sessions, keys


def load_series(server: Server, keyspace: Keyspace, name: str) -> int:
    """Put saved series into a keyspace, replacing equal ones. Returns how many. Raises BadSave, OSError, KeyHoldsSeries."""
    loaded = [each for content in _contents(server, name, saves.SERIES) for each in saves.read_series(content)]
    for key, _ in loaded:
        value = keyspace.get(key)
        if value is not None and not is_series(value):
            raise BadSave(f"the key {key!r} holds a key-value")
    for key, _ in loaded:  # first, since that ends the rules of the old ones
        keyspace.delete(key)
    for key, series in loaded:
        keyspace.put_series(key, series, "restore")
    return len(loaded)


def loaded(name: str, work: Callable[[], Body]) -> Body:
    """The reply to a command that loads."""
    try:
        return {"st": Status.LOAD_COMPLETE.value, "name": name, **work()}
    except (BadSave, OSError, KeyHoldsSeries) as error:
        log.warning("the save %r cannot be loaded: %s", name, error)
        return {"st": Status.LOAD_ERROR.value, "name": name}


@commands.native(
    "KV_LOAD", keys=all_keys("OW", "update"), categories=("keyvalue",), params=(_NAME,), flags=Flag.WRITE | Flag.ADMIN
)
def kv_load(ctx: ServerContext, body: Body) -> Body:
    """{"KV_LOAD": {"name": name}}

    Adds the key-values of the newest save of a name to the selected database or session, replacing equal
    keys. Status 141, or 142 if there is no such save, or it is damaged, unfinished or one of sessions.

    Cost: O(N) with N keys
    """

    def work() -> Body:
        started = time.monotonic()
        keys = load_key_values(ctx.server, _here(ctx), body["name"])
        return {"duration": round((time.monotonic() - started) * 1000), "sessions": 0, "keys": keys}

    return loaded(body["name"], work)


@commands.native(
    "SH_LOAD", keys=all_keys("OW", "update"), categories=("session",), params=(_NAME,), flags=Flag.WRITE | Flag.ADMIN
)
def sh_load(ctx: ServerContext, body: Body) -> Body:
    """{"SH_LOAD": {"name": name}}

    Reopens the sessions of the newest save of a name that are not open. Their time restarts.

    Cost: O(N) with N keys
    """

    def work() -> Body:
        sessions, keys = load_sessions(ctx.server, body["name"])
        return {"sessions": sessions, "keys": keys}

    return loaded(body["name"], work)


@series_commands.native(
    "TS_LOAD",
    keys=all_keys("OW", "update"),
    strict=True,
    categories=("timeseries",),
    params=(_NAME,),
    flags=Flag.WRITE | Flag.ADMIN,
)
def ts_load(ctx: ServerContext, body: Body) -> Body:
    """{"TS_LOAD": {"name": name}}

    Adds the series of the newest save of a name to the selected database or session, replacing equal ones.
    Ours, not NemesisDB's. Status 141, or 142.

    Cost: O(N) with N samples and events
    """
    return loaded(body["name"], lambda: {"series": load_series(ctx.server, _here(ctx), body["name"])})


def load_at_start(server: Server, name: str) -> str:
    """Load the newest save of a name, of any kind. Returns a line for the log. Raises BadSave, OSError, KeyHoldsSeries."""
    _, kind = saves.newest(folder_of(server.config), name)
    database = server.store.databases[0]
    if kind == saves.SESSIONS:
        sessions, keys = load_sessions(server, name)
        return f"loaded {sessions} sessions with {keys} keys from the save {name!r}"
    if kind == saves.SERIES:
        return f"loaded {load_series(server, database, name)} series from the save {name!r}"
    return f"loaded {load_key_values(server, database, name)} keys from the save {name!r}"
