"""Native commands about the server and the connection: SV_, and SH_ENTER."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from januskv import __version__
from januskv.commands.declare import NO_KEYS, REDACTED, ChannelSpec, Flag, Param, member_patterns
from januskv.commands.params import NativeError
from januskv.commands.sessions import token_of
from januskv.commands.status import Status
from januskv.commands.table import Family
from januskv.compat.server.access import DEFAULT_USER, authenticate, enter_session, leave_place, token_in
from januskv.compat.server.context import ServerContext
from januskv.compat.server.subscriptions import CHANNELS, PATTERNS
from januskv.resp.replies import OK, Reply
from januskv.storage.errors import NoSuchSession
from januskv.storage.values import text_from_bytes

commands = Family("native")


def _hide_body(argv: Sequence[bytes]) -> list[bytes]:
    return [argv[0], *[REDACTED] * (len(argv) - 1)]


Body = dict[str, Any]


@commands.native("SV_INFO", keys=NO_KEYS, categories=("connection",), flags=Flag.READONLY)
def sv_info(ctx: ServerContext, body: Body) -> Body:
    """{"SV_INFO": {}}

    Describes the server: version, whether sessions are on (they always are) and whether it can save.

    Ours besides NemesisDB's members: ``server``, ``sessionsRequired``, ``port`` and ``httpPort`` (0: no such listener),
    ``processId``, ``uptime`` in seconds, ``clients``.

    Cost: O(1)
    """
    server = ctx.server
    return {
        "st": 1,
        "serverVersion": __version__,
        "sessionsEnabled": True,
        "persistEnabled": server.config.native_saves and not server.config.keeps_nothing,
        "server": "JanusKV",
        "sessionsRequired": server.config.sessions_required,
        "port": server.process.tcp_port,
        "httpPort": server.process.http_port,
        "processId": server.process.id,
        "uptime": (ctx.store.clock.now_ms - server.started_ms) // 1000,
        "clients": len(server.clients),
    }


_NAMES = (
    Param("channels", "array", required=False),
    Param("patterns", "array", required=False),
    Param("keys", "array", required=False),
)


def _names(body: Body, member: str) -> list[bytes]:
    names = body.get(member, [])
    for name in names:
        if type(name) is not str:
            raise NativeError(Status.VALUE_TYPE, f"{member} holds what is not text")
    return [name.encode() for name in names]


def _listener(ctx: ServerContext, body: Body) -> list[list[bytes]]:
    """The names in a request, once it is clear that its client can receive JSON messages."""
    if not ctx.as_json:
        raise NativeError(
            Status.NOT_PERMITTED, "Messages as JSON go to JSON lines and WebSocket; over RESP use SUBSCRIBE"
        )
    subscriptions = ctx.connected.subscriptions
    if subscriptions is not None and not subscriptions.native:
        raise NativeError(Status.NOT_PERMITTED, "This connection has subscribed over RESP")
    return [_names(body, member) for member in ("channels", "patterns", "keys")]


def _held(ctx: ServerContext) -> Body:
    subscriptions = ctx.connected.subscriptions
    kinds = ("channels", "patterns", "keys")
    names = [
        [] if subscriptions is None else [text_from_bytes(name) for name in getattr(subscriptions, kind)]
        for kind in kinds
    ]
    return {"st": 1, **dict(zip(kinds, names, strict=True))}


@commands.native(
    "SV_SUBSCRIBE",
    keys=member_patterns("keys", "RO", "access"),
    channels=(ChannelSpec(member="channels"), ChannelSpec(member="patterns", patterns=True)),
    strict=True,
    categories=("pubsub",),
    params=_NAMES,
    flags=Flag.CONNECTION,
)
def sv_subscribe(ctx: ServerContext, body: Body) -> Body:
    """{"SV_SUBSCRIBE": {"channels"?: [name, ...], "patterns"?: [pattern, ...], "keys"?: [pattern, ...]}}

    Subscribes the connection to messages that are published to channels (by PUBLISH or SV_PUBLISH), and to changes
    to keys of its keyspace. Ours, not NemesisDB's. Returns all its subscriptions.

    A message is `{"SV_MESSAGE": {"channel": name, "message": text}}`, with `"pattern"` if that was subscribed to;
    a change is `{"SV_KEY_EVENT": {"key": name, "event": event}}`, with the events of Redis' keyspace notifications.
    Only for JSON lines and WebSocket.

    Cost: O(N) with N names
    """
    channels, patterns, keys = _listener(ctx, body)
    pubsub, client = ctx.server.pubsub, ctx.connected
    for name in channels:
        pubsub.subscribe(client, CHANNELS, name, native=True)
    for name in patterns:
        pubsub.subscribe(client, PATTERNS, name, native=True)
    for name in keys:
        pubsub.watch(client, name)
    return _held(ctx)


@commands.native(
    "SV_UNSUBSCRIBE", keys=NO_KEYS, strict=True, categories=("pubsub",), params=_NAMES, flags=Flag.CONNECTION
)
def sv_unsubscribe(ctx: ServerContext, body: Body) -> Body:
    """{"SV_UNSUBSCRIBE": {"channels"?: [name, ...], "patterns"?: [pattern, ...], "keys"?: [pattern, ...]}}

    Ends subscriptions of SV_SUBSCRIBE, all of them if none is named. Ours, not NemesisDB's. Returns those left.

    Cost: O(N) with N names
    """
    channels, patterns, keys = _listener(ctx, body)
    pubsub, client = ctx.server.pubsub, ctx.connected
    if not body:
        pubsub.forget(client)
    for name in channels:
        pubsub.unsubscribe(client, CHANNELS, name)
    for name in patterns:
        pubsub.unsubscribe(client, PATTERNS, name)
    for name in keys:
        pubsub.unwatch(client, name)
    return _held(ctx)


@commands.native(
    "SV_PUBLISH",
    keys=NO_KEYS,
    channels=(ChannelSpec(member="channel"),),
    strict=True,
    categories=("pubsub",),
    params=(Param("channel", "string"), Param("message", "string")),
)
def sv_publish(ctx: ServerContext, body: Body) -> Body:
    """{"SV_PUBLISH": {"channel": name, "message": text}}

    Posts a message to a channel, as PUBLISH does. Ours, not NemesisDB's. Returns how many subscriptions it reached.

    Cost: O(N+M) with N subscribers of the channel and M patterns
    """
    return {"st": 1, "count": ctx.server.pubsub.publish(body["channel"].encode(), body["message"].encode())}


@commands.native(
    "SV_AUTH",
    keys=NO_KEYS,
    strict=True,
    categories=("connection",),
    params=(Param("password", "string"), Param("user", "string", required=False)),
    flags=Flag.NO_AUTH | Flag.LOADING | Flag.CONNECTION,
    redact=_hide_body,
)
def sv_auth(ctx: ServerContext, body: Body) -> Body:
    """{"SV_AUTH": {"password": password, "user"?: name}}

    Authenticates the connection, as AUTH does: the user `session`, with a token as password, enters the session of the token.
    Ours, not NemesisDB's. Status 170 for a wrong name or password.

    Cost: O(1)
    """
    user = body.get("user", DEFAULT_USER)
    if not authenticate(ctx.server, ctx.connected, user, body["password"], b"SV_AUTH"):
        raise NativeError(Status.NOT_AUTHENTICATED, "Invalid user name or password")
    return {"st": 1}


def _enter_by_word(ctx: ServerContext, argv: list[bytes]) -> Reply:
    enter_session(ctx.server, ctx.connected, token_in(argv[1]))
    return OK


@commands.native(
    "SH_ENTER",
    keys=NO_KEYS,
    needs_body=True,
    strict=True,
    taken=("tkn",),
    categories=("connection", "session"),
    flags=Flag.LOADING | Flag.FAST | Flag.CONNECTION,
    plain=_enter_by_word,
)
def sh_enter(ctx: ServerContext, body: Body) -> Body:
    """{"SH_ENTER": {"tkn": token}}

    Enters a session: commands without ``tkn``, and Redis commands, act there from now on.

    Over RESP also as ``SH_ENTER token``, which returns OK or an error. SELECT 0 leads back to the first database.
    Status 100 if there is no such session; the connection then cannot access data until it has selected a database or
    session. Ours, not NemesisDB's.

    Cost: O(1)
    """
    try:
        token = token_of(body)
    except NativeError:
        leave_place(ctx.server, ctx.connected, 0)
        raise
    try:
        enter_session(ctx.server, ctx.connected, token)
    except NoSuchSession:
        raise NativeError(Status.SESSION_NOT_EXIST, token=token) from None
    return {"tkn": token, "st": 1}
