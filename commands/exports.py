"""Native commands that move data between servers: SV_EXPORT reads everything, SH_RESTORE reopens sessions."""

from __future__ import annotations

from typing import Any

from januskv.storage.durability.portable import entry_of, session_entry
from januskv.storage.keyspace import Keyspace
from januskv.storage.sessions import LEAST_TOKEN
from januskv.storage.store import Store

from .context import Context
from .declare import NO_KEYS, Flag, Param, all_keys
from .params import NativeError
from .sessions import check_name, check_new, token_of
from .status import Status
from .table import Family
from .work import FEW, LongArray, Parts, Steps, Work, batched, key_batches

commands = Family("native")

Body = dict[str, Any]

_DEFAULT_COUNT = 100
# Scanning for this many names takes 10 ms.
_MOST_COUNT = 1_000_000


@commands.native(
    "SV_EXPORT",
    keys=all_keys("RO", "access"),
    strict=True,
    params=(
        Param("from", "uint", required=False),
        Param("cursor", "uint", required=False),
        Param("cnt", "uint", required=False),
    ),
    flags=Flag.READONLY | Flag.ADMIN,
)
def sv_export(ctx: Context, body: Body) -> Body | Work:
    """{"SV_EXPORT": {"from"?: database or token, "cursor"?: cursor, "cnt"?: count}}

    Returns about ``cnt`` keys of a database or session with their values in export form, and a cursor to continue
    with, 0 at the end. Without ``from``: how many keys each database has, and all sessions with their tokens.

    A key that exists during the whole iteration is returned; the result is not a snapshot of one moment. Many keys or sessions
    are gathered in batches while other clients are served. Status 100 if there is no such session. Ours, not NemesisDB's.

    Cost: O(M) with M members of the values
    """
    store = ctx.store
    source = body.get("from")
    if source is None:
        parts = Parts()
        return Work(_describe(store, parts.array()), parts)
    if source < len(store.databases):
        keyspace = store.databases[source]
    else:
        session = store.sessions.by_token.get(source)
        if session is None:
            return {"st": Status.SESSION_NOT_EXIST.value, "cursor": 0, "entries": []}
        keyspace = session.keyspace
    count, cursor = max(1, body.get("cnt", _DEFAULT_COUNT)), body.get("cursor", 0)
    names: list[bytes] | None = None
    if cursor or not FEW < len(keyspace.data) <= count:  # otherwise all are returned at once, and copied in steps
        cursor, names = keyspace.scan(cursor, min(count, _MOST_COUNT), keyspace.data)
    if names is not None and len(names) <= FEW:
        entries = [entry_of(keyspace, name, source) for name in names if keyspace.get(name) is not None]
        return {"st": 1, "cursor": cursor, "entries": entries}
    parts = Parts()
    return Work(_gather(store, keyspace, names, source, cursor, parts.array()), parts)


def _describe(store: Store, sessions: LongArray) -> Steps:
    """The steps of SV_EXPORT without ``from``."""
    for batch in batched(list(store.sessions.by_token.values())):
        sessions.extend([{**session_entry(each), "keys": len(each.keyspace)} for each in batch if not each.ended])
        yield
    return {"st": 1, "databases": [len(each) for each in store.databases], "sessions": sessions}


def _gather(
    store: Store, keyspace: Keyspace, names: list[bytes] | None, source: int, cursor: int, entries: LongArray
) -> Steps:
    """The steps of SV_EXPORT for the keys of a keyspace."""
    for holder, batch in key_batches(store, keyspace, names):
        entries.extend([entry_of(holder, name, source) for name in batch if holder.get(name) is not None])
        yield
    return {"st": 1, "cursor": cursor, "entries": entries}


@commands.native(
    "SH_RESTORE",
    keys=NO_KEYS,
    strict=True,
    categories=("session",),
    params=(
        Param("tkn", "uint"),
        Param("name", "string", empty_text="Session name empty"),
        Param("expiry", "object", required=False),
        Param("shared", "bool", required=False),
    ),
    check=check_new,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def sh_restore(ctx: Context, body: Body) -> Body:
    """{"SH_RESTORE": {"tkn": token, "name": name, "shared"?: bool, "expiry"?: {"duration": seconds, "deleteSession": bool}}}

    Reopens a former session with its token; its time restarts. ``new`` is false, and nothing changes, if it
    is open. Status 101 for a token that no session has, 103 for a shared one whose name belongs to an open session with
    another token. Ours, not NemesisDB's.

    Cost: O(1)
    """
    token, name, shared = token_of(body), body["name"], body.get("shared", False)
    check_name(ctx, name)
    if token < LEAST_TOKEN:
        raise NativeError(Status.SESSION_TOKEN_INVALID)
    namesake = ctx.store.sessions.shared_by_name(name) if shared else None
    if namesake is not None and namesake.token != token:
        return {"tkn": token, "name": name, "st": Status.SESSION_NEW_FAIL.value}
    expiry = body.get("expiry", {})
    session = ctx.store.sessions.reopen(
        token,
        name,
        shared=shared,
        duration_s=expiry.get("duration", 0),
        delete_on_expiry=expiry.get("deleteSession", False),
    )
    return {"tkn": token, "st": 1, "new": session is not None}
