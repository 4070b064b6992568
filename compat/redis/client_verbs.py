"""CLIENT: the connections, this one and the others."""

from __future__ import annotations

from collections.abc import Callable

from januskv.commands.declare import Flag
from januskv.commands.table import Family
from januskv.compat.server.acl.users import SESSION_USER
from januskv.compat.server.client import Client
from januskv.compat.server.client_lines import describe
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import RespError
from januskv.compat.server.tracking_mode import TrackingMode
from januskv.compat.server.tracking_mode import describe as describe_tracking
from januskv.resp.replies import NO_REPLY, OK, Reply, SetReply, Verbatim
from januskv.storage.errors import NotAnInteger

from .args import SYNTAX_ERROR, Args, parse_int
from .help import help_lines, wrong_form

verbs = Family("connection")

_ANY = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.ABOUT_CLIENTS | Flag.CONNECTION
_ADMIN = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.ADMIN | Flag.ABOUT_CLIENTS
_TYPES = (b"NORMAL", b"MASTER", b"REPLICA", b"SLAVE", b"PUBSUB")


@verbs.verb("CLIENT", arity=-2, since="2.4.0")
def client_(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT

    A container for commands about connections.
    """
    raise AssertionError("a container is never run")


# ---------------------------------------------------------------- this connection


@verbs.verb("CLIENT|ID", arity=2, flags=_ANY, since="5.0.0")
def client_id(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT ID

    Returns the id of this connection; ids increase and are not reused.

    Cost: O(1)
    """
    return int(ctx.connected.id)


@verbs.verb("CLIENT|INFO", arity=2, flags=_ANY, since="6.2.0", hints=("nondeterministic_output",))
def client_info(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT INFO

    Describes this connection, in the form of CLIENT LIST.

    Cost: O(1)
    """
    return Verbatim(b"txt", describe(ctx.server.waiting, ctx.connected, argv, ctx.connected) + b"\n")


@verbs.verb("CLIENT|GETNAME", arity=2, flags=_ANY, since="2.6.9")
def client_getname(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT GETNAME

    Returns the name of this connection, null if it has none.

    Cost: O(1)
    """
    return ctx.connected.name or None


def check_name(name: bytes, what: str = "Client names") -> None:
    """Refuse what would break the lines of CLIENT LIST."""
    if any(not 33 <= byte <= 126 for byte in name):
        raise RespError(f"ERR {what} cannot contain spaces, newlines or special characters.")


@verbs.verb(
    "CLIENT|SETNAME",
    arity=3,
    flags=_ANY,
    since="2.6.9",
    hints=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def client_setname(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT SETNAME connection-name

    Names this connection; an empty name removes the name.

    Cost: O(1)
    """
    check_name(argv[2])
    ctx.connected.name = argv[2]
    return OK


@verbs.verb(
    "CLIENT|SETINFO",
    arity=4,
    flags=_ANY,
    since="7.2.0",
    hints=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def client_setinfo(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>

    Stores the name or version of the client's library.

    Cost: O(1)
    """
    attribute = argv[2].lower()
    if attribute not in (b"lib-name", b"lib-ver"):
        raise RespError(f"ERR Unrecognized option '{argv[2].decode(errors='surrogateescape')}'")
    check_name(argv[3], argv[2].decode())
    if attribute == b"lib-name":
        ctx.connected.lib_name = argv[3]
    else:
        ctx.connected.lib_ver = argv[3]
    return OK


@verbs.verb("CLIENT|REPLY", arity=3, flags=_ANY, since="3.2.0")
def client_reply(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT REPLY <ON | OFF | SKIP>

    Turns the replies of this connection off or on, or skips the next one.

    Cost: O(1)
    """
    client = ctx.connected
    mode = argv[2].upper()
    if mode == b"ON":
        client.reply_mode = "on"
    elif mode == b"OFF":
        client.reply_mode = "off"
    elif mode == b"SKIP":
        if client.reply_mode != "off":
            client.reply_mode = "skip"
    else:
        raise RespError(SYNTAX_ERROR)
    client.refresh()
    return OK if mode == b"ON" else NO_REPLY


def _on_off(argv: list[bytes]) -> bool:
    word = argv[2].upper()
    if word not in (b"ON", b"OFF"):
        raise RespError(SYNTAX_ERROR)
    return word == b"ON"


@verbs.verb("CLIENT|NO-EVICT", arity=3, flags=_ADMIN | Flag.CONNECTION, since="7.0.0")
def client_no_evict(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT NO-EVICT <ON | OFF>

    Keeps this connection from being closed to save memory. No connection is closed for that here.

    Cost: O(1)
    """
    ctx.connected.no_evict = _on_off(argv)
    return OK


@verbs.verb("CLIENT|NO-TOUCH", arity=3, flags=_ANY, since="7.2.0")
def client_no_touch(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT NO-TOUCH <ON | OFF>

    Keeps this connection's commands, except TOUCH, from updating keys' access times.

    Cost: O(1)
    """
    ctx.connected.no_touch = _on_off(argv)
    ctx.connected.refresh()
    return OK


@verbs.verb("CLIENT|MAINT_NOTIFICATIONS", arity=-2, flags=_ANY, since="8.0.0")
def client_maint_notifications(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT MAINT_NOTIFICATIONS [option ...]

    Accepted because client libraries send it: there is no maintenance to announce.

    Cost: O(1)
    """
    return OK


# ---------------------------------------------------------------- client-side caching, not built


@verbs.verb("CLIENT|TRACKING", arity=-3, flags=_ANY, since="6.0.0")
def client_tracking(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT TRACKING <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]

    Makes the server notify the connection, or the one that REDIRECT names, when keys that it has read change.

    BCAST: for all keys, or those with a PREFIX. OPTIN and OPTOUT: only for keys read right after CLIENT CACHING, or
    all but those. NOLOOP: not for the connection's own changes.

    Cost: O(N) with N prefixes
    """
    args = Args(argv, 2)
    word = args.word()
    mode = TrackingMode()
    while args.more():
        option = args.word()
        if option == b"REDIRECT" and args.more():
            if mode.redirect:
                raise RespError("ERR A client can only redirect to a single other client")
            mode.redirect = args.integer()
            if mode.redirect not in ctx.server.clients.by_id:
                raise RespError("ERR The client ID you want redirect to does not exist")
        elif option == b"PREFIX" and args.more():
            mode.prefixes.append(args.take())
        elif option == b"BCAST":
            mode.broadcast = True
        elif option == b"OPTIN":
            mode.opt_in = True
        elif option == b"OPTOUT":
            mode.opt_out = True
        elif option == b"NOLOOP":
            mode.no_loop = True
        else:
            raise RespError(SYNTAX_ERROR)
    if word == b"OFF":
        ctx.server.tracking.turn_off(ctx.connected)
        return OK
    if word != b"ON":
        raise RespError(SYNTAX_ERROR)
    if mode.prefixes and not mode.broadcast:
        raise RespError("ERR PREFIX option requires BCAST mode to be enabled")
    if mode.broadcast and (mode.opt_in or mode.opt_out):
        raise RespError("ERR OPTIN and OPTOUT are not compatible with BCAST")
    if mode.opt_in and mode.opt_out:
        raise RespError("ERR You can't specify both OPTIN mode and OPTOUT mode")
    ctx.server.tracking.turn_on(ctx.connected, mode)
    return OK


@verbs.verb("CLIENT|CACHING", arity=3, flags=_ANY, since="6.0.0")
def client_caching(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT CACHING <YES | NO>

    Sets whether the keys that the next command reads are tracked.

    Cost: O(1)
    """
    mode = ctx.connected.tracking
    if mode is None or not (mode.opt_in or mode.opt_out):
        raise RespError(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
        )
    word = argv[2].upper()
    if word == b"YES" and not mode.opt_in:
        raise RespError("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
    if word == b"NO" and not mode.opt_out:
        raise RespError("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
    if word not in (b"YES", b"NO"):
        raise RespError(SYNTAX_ERROR)
    mode.caching = True
    return OK


@verbs.verb("CLIENT|TRACKINGINFO", arity=2, flags=_ANY, since="6.2.0")
def client_trackinginfo(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT TRACKINGINFO

    Describes the connection's tracking of keys.

    Cost: O(1)
    """
    state = describe_tracking(ctx.connected.tracking)
    return {**state, "flags": SetReply(state["flags"])}


@verbs.verb("CLIENT|GETREDIR", arity=2, flags=_ANY, since="6.0.0")
def client_getredir(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT GETREDIR

    Returns the connection that is notified of changed keys: 0 for this one, -1 if tracking is off.

    Cost: O(1)
    """
    mode = ctx.connected.tracking
    return -1 if mode is None else int(mode.redirect)


# ---------------------------------------------------------------- all connections


def _client_id(text: bytes) -> int:
    try:
        return parse_int(text)
    except NotAnInteger:
        raise RespError("ERR Invalid client ID") from None


def _is_type(client: Client, kind: bytes) -> bool:
    return kind == (b"NORMAL" if client.subscriptions is None else b"PUBSUB")  # there are no replicas


def _take_type(args: Args) -> bytes:
    word = args.take()
    if word.upper() not in _TYPES:
        raise RespError(f"ERR Unknown client type '{word.decode(errors='surrogateescape')}'")
    return word.upper()


@verbs.verb("CLIENT|LIST", arity=-2, flags=_ADMIN, since="2.4.0", hints=("nondeterministic_output",))
def client_list(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]

    Describes the connections, one a line.

    Cost: O(N) with N connections
    """
    args = Args(argv, 2)
    clients = ctx.server.clients.everyone()
    if args.left() == 2 and args.flag(b"TYPE"):
        kind = _take_type(args)
        clients = [client for client in clients if _is_type(client, kind)]
    elif args.peek() == b"ID" and args.left() > 1:
        args.take()
        wanted = {_client_id(text) for text in args.rest()}
        clients = [client for client in clients if client.id in wanted]
    args.end()
    return Verbatim(
        b"txt",
        b"".join(
            describe(ctx.server.waiting, client, argv if client is ctx.client else [], ctx.client) + b"\n"
            for client in clients
        ),
    )


Test = Callable[[Client], bool]


def _kill_tests(ctx: ServerContext, args: Args) -> tuple[list[Test], bool]:
    """The conditions for a connection to be killed, and whether this one is spared."""
    tests: list[Test] = []
    spare_me = True
    while args.more():
        word = args.word()
        if not args.more():
            raise RespError(SYNTAX_ERROR)
        if word == b"ID":
            number = args.integer("ERR client-id should be greater than 0")
            if number <= 0:
                raise RespError("ERR client-id should be greater than 0")
            tests.append(lambda client, number=number: client.id == number)  # type: ignore[misc]
        elif word == b"TYPE":
            kind = _take_type(args)
            tests.append(lambda client, kind=kind: _is_type(client, kind))  # type: ignore[misc]
        elif word in (b"ADDR", b"LADDR"):
            address = args.take().decode(errors="replace")
            local = word == b"LADDR"
            tests.append(lambda c, a=address, local=local: (c.local_address if local else c.address) == a)  # type: ignore[misc]
        elif word == b"USER":
            user = args.take().decode(errors="surrogateescape")
            if user != SESSION_USER and user not in ctx.server.users.by_name:
                raise RespError(f"ERR No such user '{user}'")
            tests.append(lambda client, user=user: client.user_name == user)  # type: ignore[misc]
        elif word == b"MAXAGE":
            seconds = args.integer("ERR maxage is not an integer or out of range")
            if seconds <= 0:
                raise RespError("ERR maxage should be greater than 0")
            now_ms = ctx.store.clock.now_ms
            tests.append(lambda c, s=seconds, now_ms=now_ms: now_ms - c.created_ms >= s * 1000)  # type: ignore[misc]
        elif word == b"SKIPME":
            answer = args.word()
            if answer not in (b"YES", b"NO"):
                raise RespError(SYNTAX_ERROR)
            spare_me = answer == b"YES"
        else:
            raise RespError(SYNTAX_ERROR)
    return tests, spare_me


@verbs.verb("CLIENT|KILL", arity=-3, flags=_ADMIN, since="2.4.0")
def client_kill(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT KILL <ip:port | [ID client-id] [TYPE type] [USER username] [ADDR ip:port] [LADDR ip:port]
    [SKIPME <YES | NO>] [MAXAGE maxage]>

    Closes the connection of an address, or all that meet the conditions, and returns their number.

    Cost: O(N) with N connections
    """
    me = ctx.client
    if len(argv) == 3:
        address = argv[2].decode(errors="replace")
        for client in ctx.server.clients.everyone():
            if client.address == address:
                _kill(ctx, [client])
                return OK
        raise RespError("ERR No such client")
    tests, spare_me = _kill_tests(ctx, Args(argv, 2))
    doomed = [c for c in ctx.server.clients.everyone() if all(test(c) for test in tests) and not (spare_me and c is me)]
    _kill(ctx, doomed)
    return len(doomed)


def _kill(ctx: ServerContext, doomed: list[Client]) -> None:
    """Close connections immediately, but the caller's own after its replies."""
    ctx.server.clients.each(doomed, lambda client: client.close() if client is ctx.client else client.kill())


@verbs.verb("CLIENT|PAUSE", arity=-3, flags=_ADMIN, since="3.0.0")
def client_pause(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT PAUSE timeout [WRITE | ALL]

    Suspends the commands of all clients, or those that write, for some milliseconds.

    Cost: O(1)
    """
    if len(argv) > 4:
        raise wrong_form(argv)
    mode = argv[3].upper() if len(argv) == 4 else b"ALL"
    if mode not in (b"ALL", b"WRITE"):
        raise RespError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    timeout = Args(argv, 2).integer("ERR timeout is not an integer or out of range")
    if timeout < 0:
        raise RespError("ERR timeout is negative")
    ctx.server.pause.begin(timeout, writes_only=mode == b"WRITE")
    return OK


@verbs.verb("CLIENT|UNPAUSE", arity=2, flags=_ADMIN, since="6.2.0")
def client_unpause(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT UNPAUSE

    Resumes suspended commands.

    Cost: O(N) with N connections
    """
    ctx.server.pause.end()
    return OK


@verbs.verb("CLIENT|UNBLOCK", arity=-3, flags=_ADMIN, since="5.0.0")
def client_unblock(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT UNBLOCK client-id [TIMEOUT | ERROR]

    Unblocks a client that waits in a blocking command; returns whether it did.

    Cost: O(1)
    """
    if len(argv) > 4:
        raise wrong_form(argv)
    reason = argv[3].upper() if len(argv) == 4 else b"TIMEOUT"
    if reason not in (b"TIMEOUT", b"ERROR"):
        raise RespError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    number = parse_int(argv[2])
    client = ctx.server.clients.by_id.get(number)
    return int(client is not None and ctx.server.waiting.unblock(client, reason == b"ERROR"))


@verbs.verb("CLIENT|HELP", arity=2, flags=Flag.LOADING | Flag.STALE | Flag.ABOUT_CLIENTS, since="5.0.0")
def client_help(ctx: ServerContext, argv: list[bytes]) -> Reply:
    """CLIENT HELP

    Lists the subcommands.
    """
    return help_lines(ctx.server.table, "CLIENT")
