# cython: annotation_typing=True
"""Commands about the connection itself: protocol, login, selection."""

from __future__ import annotations

from collections.abc import Sequence

from januskv.commands.declare import REDACTED, Flag
from januskv.commands.table import Family
from januskv.compat.server.access import (
    DEFAULT_USER,
    SESSION_USER,
    authenticate,
    enter_session,
    leave_place,
    stay_within_rights,
)
from januskv.compat.server.context import ServerContext
from januskv.compat.server.core import REDIS_VERSION
from januskv.compat.server.faults import RespError
from januskv.resp.replies import OK, PONG, Reply, Simple
from januskv.storage.sessions import LEAST_TOKEN, is_cut_token

from .args import Args
from .client_verbs import check_name
from .keys import check_place, checked_index, database_number
from .server_verbs import module_entries

verbs = Family("connection")

_ANYTIME = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.FAST
_WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
_NO_SUCH_SESSION = (
    "WRONGPASS no such session, or no password: the user 'session' has a session's token as password, followed by a colon"
    " and the server's password if there is one"
)


def _text(word: bytes) -> str:
    return word.decode(errors="surrogateescape")


def _hide_login(argv: Sequence[bytes]) -> list[bytes]:
    return [argv[0], *[REDACTED] * (len(argv) - 1)]


def _hide_hello_login(argv: Sequence[bytes]) -> list[bytes]:
    redacted = list(argv)
    for index, word in enumerate(argv):
        if word.upper() == b"AUTH":
            redacted[index + 1 : index + 3] = [REDACTED] * len(argv[index + 1 : index + 3])
    return redacted


def log_in(ctx: ServerContext, user: bytes, password: bytes, command: bytes) -> None:
    """Authenticate the client. Raises RespError for a wrong name or password."""
    if not authenticate(ctx.server, ctx.connected, _text(user), _text(password), command):
        raise RespError(_WRONG_PASSWORD if _text(user) != SESSION_USER else _NO_SUCH_SESSION)


@verbs.verb(
    "PING",
    arity=-1,
    flags=Flag.FAST | Flag.SUBSCRIBED | Flag.HEALTH,
    hints=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def ping(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """PING [message]

    Returns PONG, or the message.

    Cost: O(1)
    """
    if len(argv) > 2:
        raise RespError("ERR wrong number of arguments for 'ping' command")
    if ctx.client is not None and ctx.client.subscribing:
        return [b"pong", argv[1] if len(argv) == 2 else b""]
    return PONG if len(argv) == 1 else argv[1]


@verbs.verb("ECHO", arity=2, flags=Flag.LOADING | Flag.STALE | Flag.FAST)
def echo(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """ECHO message

    Returns the message.

    Cost: O(1)
    """
    return argv[1]


@verbs.verb("AUTH", arity=-2, flags=_ANYTIME | Flag.CONNECTION | Flag.NO_AUTH | Flag.ALLOW_BUSY, redact=_hide_login)
def auth(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """AUTH [username] password

    Authenticates the connection. The user ``session``, with a token as password, enters the session of the token.

    If the server has a password, the user ``session`` sends ``<token>:<password>``. If there is no such session, the
    connection cannot access data until it has selected a database or session.

    Cost: O(1)

    Differs: there can be no ACL user of the name session.
    """
    if len(argv) > 3:
        raise RespError("ERR syntax error")
    if len(argv) == 2 and ctx.server.users.default.nopass:
        raise RespError(
            "ERR AUTH <password> called without any password configured for the default user."
            " Are you sure your configuration is correct?"
        )
    log_in(ctx, argv[1] if len(argv) == 3 else DEFAULT_USER.encode(), argv[-1], argv[0])
    return OK


@verbs.verb(
    "HELLO",
    arity=-1,
    flags=_ANYTIME | Flag.CONNECTION | Flag.NO_AUTH | Flag.ALLOW_BUSY,
    since="6.0.0",
    redact=_hide_hello_login,
)
def hello(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """HELLO [protover [AUTH username password] [SETNAME clientname]]

    Switches the protocol, authenticates and names the connection, and describes the server.

    Cost: O(1)
    """
    client = ctx.connected
    protocol, name, login = _hello_options(argv)
    if login is not None:
        log_in(ctx, *login, argv[0])
    if not client.authenticated:
        raise RespError(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH"
            " <user> <pass> option can be used to authenticate the client and select the RESP protocol version at"
            " the same time"
        )
    if name is not None:
        check_name(name)
        client.name = name
    if protocol is not None:
        client.protocol = protocol
        client.refresh()
    return {
        "server": "redis",
        "version": REDIS_VERSION,
        "proto": client.protocol,
        "id": client.id,
        "mode": "standalone",
        "role": "master",
        "modules": module_entries(),
    }


def _hello_options(argv: list[bytes]) -> tuple[int | None, bytes | None, tuple[bytes, bytes] | None]:
    """The protocol, name and login of a HELLO."""
    if len(argv) == 1:
        return None, None, None
    protocol = Args(argv).integer("ERR Protocol version is not an integer or out of range")
    if protocol not in (2, 3):
        raise RespError("NOPROTO unsupported protocol version")
    name: bytes | None = None
    login: tuple[bytes, bytes] | None = None
    index = 2
    while index < len(argv):
        word = argv[index].upper()
        if word == b"AUTH" and index + 2 < len(argv):
            login = (argv[index + 1], argv[index + 2])
            index += 3
        elif word == b"SETNAME" and index + 1 < len(argv):
            name = argv[index + 1]
            index += 2
        else:
            raise RespError(f"ERR Syntax error in HELLO option '{argv[index].decode(errors='surrogateescape')}'")
    return protocol, name, login


@verbs.verb("SELECT", arity=2, flags=Flag.LOADING | Flag.STALE | Flag.FAST)
def select(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """SELECT index

    Selects the connection's database, or enters the session of a token.

    If there is no such session, the connection cannot access data until it has selected a database or session. The same
    applies to numbers from a million on, to which some clients truncate a token: they keep 32 bits of it.

    Cost: O(1)

    Differs: a number beyond the databases can be a session's token.
    """
    number = database_number(ctx, argv[1])
    if number < LEAST_TOKEN:
        check_place(ctx, None)
    if ctx.client is None:  # a script: for its own commands
        ctx.keyspace = ctx.store.databases[checked_index(ctx, number)]
        return OK
    if number >= LEAST_TOKEN:
        enter_session(ctx.server, ctx.connected, number)
        return OK
    try:
        ctx.connected.select(ctx.store.databases[checked_index(ctx, number)])
    except RespError:
        if is_cut_token(number):
            leave_place(ctx.server, ctx.connected, number)
        raise
    return OK


@verbs.verb(
    "QUIT",
    arity=-1,
    flags=_ANYTIME | Flag.CONNECTION | Flag.NO_AUTH | Flag.ALLOW_BUSY | Flag.NO_QUEUE | Flag.SUBSCRIBED,
    deprecated=("7.2.0", "just closing the connection"),
)
def quit_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """QUIT

    Closes the connection after the reply.

    Cost: O(1)
    """
    ctx.connected.close()
    return OK


@verbs.verb(
    "RESET",
    arity=1,
    flags=_ANYTIME | Flag.CONNECTION | Flag.NO_AUTH | Flag.ALLOW_BUSY | Flag.NO_QUEUE | Flag.SUBSCRIBED,
    since="6.2.0",
)
def reset(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """RESET

    Resets the connection to its initial state.

    Cost: O(1)
    """
    client = ctx.connected
    server = ctx.server
    server.watches.forget(client)
    server.monitors.set(client, False)
    server.pubsub.forget(client)
    server.tracking.turn_off(client)
    client.queue = None
    client.queue_failed = False
    client.reply_mode = "on"
    client.protocol = 2
    client.name = b""
    client.no_evict = client.no_touch = False
    client.act_for(server.users.default, authenticated=server.users.default.is_open)
    client.select(ctx.store.databases[0])
    stay_within_rights(server, client)
    return Simple(b"RESET")
