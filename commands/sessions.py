"""Native session commands, SH_ (specs: nemesis.md, section 5)."""

from __future__ import annotations

from typing import Any

from januskv.storage.errors import SessionExists
from januskv.storage.sessions import Session

from .context import Context
from .declare import NO_KEYS, Flag, Param, all_keys
from .params import NativeError, ParamCheck, is_uint
from .status import NO_SUCH_SESSION, Status
from .table import Family
from .work import FEW, Steps, Work, at_once, batched

commands = Family("native", categories=("session",))

Body = dict[str, Any]

_NAME = Param("name", "string", empty_text="Session name empty")
# The number of sessions that are ended in a step.
_STEP = 64
_EXPIRY = ParamCheck((Param("deleteSession", "bool"), Param("duration", "uint")))


def check_new(body: Body) -> None:
    """SH_NEW's own check: the members of ``expiry``."""
    if "expiry" in body:
        _EXPIRY.check(body["expiry"])


@commands.native(
    "SH_NEW",
    keys=NO_KEYS,
    params=(_NAME, Param("expiry", "object", required=False), Param("shared", "bool", required=False)),
    check=check_new,
    flags=Flag.WRITE | Flag.DENYOOM,
)
def sh_new(ctx: Context, body: Body) -> Body:
    """{"SH_NEW": {"name": name, "shared"?: bool, "expiry"?: {"duration": seconds, "deleteSession": bool}}}

    Opens a session and returns its token. A shared one can be reopened by its name, a private one only by its token.

    Without ``expiry``, or with duration 0, it never expires. When it expires, it ends or (``deleteSession`` false)
    is emptied. Status 103 if the shared session is open already.

    Cost: O(1)
    """
    expiry = body.get("expiry", {})
    name = body["name"]
    check_name(ctx, name)
    try:
        session = ctx.store.sessions.open_new(
            name,
            shared=body.get("shared", False),
            duration_s=expiry.get("duration", 0),
            delete_on_expiry=expiry.get("deleteSession", False),
        )
    except SessionExists as clash:
        return {"tkn": clash.token, "name": name, "st": Status.SESSION_NEW_FAIL.value}
    return {"tkn": session.token, "name": name, "st": 1}


@commands.native("SH_OPEN", keys=NO_KEYS, params=(_NAME,), flags=Flag.READONLY)
def sh_open(ctx: Context, body: Body) -> Body:
    """{"SH_OPEN": {"name": name}}

    Returns the token of the shared session with a name; status 102 if there is none.

    Cost: O(1)
    """
    session = ctx.store.sessions.shared_by_name(body["name"]) if ctx.caller.user.may_enter(body["name"]) else None
    if session is None:
        return {"tkn": None, "st": Status.SESSION_OPEN_FAIL.value}
    return {"tkn": session.token, "st": 1}


def _session(ctx: Context, token: int) -> Session | None:
    """The open session of a token; to a user who may not use it there is none."""
    session = ctx.store.sessions.by_token.get(token)
    return session if session is None or ctx.caller.user.may_enter(session.name) else None


def check_name(ctx: Context, name: str) -> None:
    """Check that the caller's user may use sessions of a name. Raises NativeError 171."""
    if not ctx.caller.user.may_enter(name):
        raise NativeError(Status.NOT_PERMITTED, "This user may not use sessions of this name")


def token_of(body: Body) -> int:
    """The token in ``tkn``. Raises NativeError 101 unless it is an unsigned 64-bit integer."""
    token = body.get("tkn")
    if not is_uint(token):
        raise NativeError(Status.SESSION_TOKEN_INVALID)
    return int(body["tkn"])


@commands.native("SH_END", keys=all_keys("RM", "delete"), needs_body=True, flags=Flag.WRITE)
def sh_end(ctx: Context, body: Body) -> Body:
    """{"SH_END": {"tkn": token}}

    Ends a session and deletes all its data at once.

    Cost: O(N) with N keys
    """
    token = token_of(body)
    if _session(ctx, token) is None:
        return {"st": Status.SESSION_NOT_EXIST.value, "tkn": token, "m": NO_SUCH_SESSION}
    ctx.store.sessions.end(token)
    return {"st": 1, "tkn": token}


@commands.native("SH_END_ALL", keys=all_keys("RM", "delete"), flags=Flag.WRITE)
def sh_end_all(ctx: Context, body: Body) -> Body | Work:
    """{"SH_END_ALL": {}}

    Ends all sessions; ``cnt`` says how many. Many are ended in batches while other clients are served; those
    that are opened meanwhile stay.

    Cost: O(N) with N keys in all sessions
    """
    sessions = ctx.store.sessions

    def steps() -> Steps:
        ended = 0
        mine = [token for token, each in sessions.by_token.items() if ctx.caller.user.may_enter(each.name)]
        for some in batched(mine, _STEP):
            ended += sessions.end_some(some)
            yield
        return {"st": 1, "cnt": ended}

    return at_once(steps()) if len(sessions) <= FEW else Work(steps())


def check_info(body: Body) -> None:
    """SH_INFO's own check: exactly one member."""
    if len(body) != 1:
        raise NativeError(Status.COMMAND_SYNTAX)


def _expiry_of(session: Session, now_ms: int) -> Body:
    if not session.duration_s:
        return {"expires": False}
    remaining = (session.deadline_ms - now_ms) // 1000
    settings = {"duration": session.duration_s, "remaining": remaining, "deleteSession": session.delete_on_expiry}
    return {"expires": True, "expiry": settings}


@commands.native("SH_INFO", keys=all_keys("RO", "access"), needs_body=True, check=check_info, flags=Flag.READONLY)
def sh_info(ctx: Context, body: Body) -> Body:
    """{"SH_INFO": {"tkn": token}}

    Describes a session: shared or not, number of keys, expiry. This does not renew it.

    Cost: O(1)
    """
    token = token_of(body)
    session = _session(ctx, token)
    if session is None:
        return {
            "tkn": token,
            "shared": None,
            "keyCnt": None,
            "st": Status.SESSION_NOT_EXIST.value,
            "m": NO_SUCH_SESSION,
        }
    about = {"tkn": token, "shared": session.shared, "keyCnt": len(session.keyspace), "st": 1}
    return about | _expiry_of(session, ctx.store.clock.now_ms)


@commands.native("SH_INFO_ALL", keys=all_keys("RO", "access"), flags=Flag.READONLY)
def sh_info_all(ctx: Context, body: Body) -> Body | Work:
    """{"SH_INFO_ALL": {}}

    Counts the sessions and all their keys.

    Cost: O(N) with N sessions
    """
    sessions = [each for each in ctx.store.sessions.by_token.values() if ctx.caller.user.may_enter(each.name)]
    if len(sessions) <= FEW:
        return {"st": 1, "totalSessions": len(sessions), "totalKeys": sum(len(each.keyspace) for each in sessions)}

    def steps() -> Steps:
        count = keys = 0
        for some in batched(sessions):
            open_ones = [each for each in some if not each.ended]
            count += len(open_ones)
            keys += sum(len(each.keyspace) for each in open_ones)
            yield
        return {"st": 1, "totalSessions": count, "totalKeys": keys}

    return Work(steps())


@commands.native("SH_EXISTS", keys=NO_KEYS, params=(Param("tkns", "array"),), flags=Flag.READONLY)
def sh_exists(ctx: Context, body: Body) -> Body:
    """{"SH_EXISTS": {"tkns": [token, ...]}}

    Returns those of the tokens whose sessions are open, in the given order.

    Cost: O(N) with N tokens
    """
    return {"st": 1, "exist": [token for token in body["tkns"] if is_uint(token) and _session(ctx, token) is not None]}
