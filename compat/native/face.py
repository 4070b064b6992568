"""The native face: JSON text in, JSON text out, over the handlers of ``januskv.commands``.

Requests arrive as a JSON line, a WebSocket message, a RESP command with the body as argument,
or a RESP command whose only word is the whole JSON object. The checks follow specs/nemesis.md 3.2.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from januskv.commands.context import Account
from januskv.commands.declare import Flag
from januskv.commands.params import NativeError, is_uint
from januskv.commands.status import DONE, GOING_WELL, KEY_VALUES, TIME_SERIES, Dialect, Status, code_word, dialect_of
from januskv.commands.table import Command
from januskv.commands.work import LATER, Work, text_of
from januskv.compat.server.accounting import Accounts
from januskv.compat.server.acl.rights import uses_in
from januskv.compat.server.client import Client
from januskv.compat.server.client_context import NEEDS_CONNECTION, ClientContext
from januskv.compat.server.config import Config
from januskv.compat.server.context import ServerContext
from januskv.compat.server.faults import fault_of
from januskv.compat.server.json_text import JsonError, dumps, fault_text, loads
from januskv.compat.server.native_requests import NativeRequests
from januskv.compat.server.server import Server
from januskv.compat.server.stopwatch import now_ns
from januskv.resp.replies import NO_REPLY, OK, NoReply, Reply
from januskv.storage.keyspace import Keyspace

log = logging.getLogger("januskv")

_NOT_AUTHENTICATED = "NOAUTH Authentication required."
_LOADING = "LOADING the data set is being loaded into memory"
_IN_TRANSACTION = "a transaction takes native commands as RESP commands only"


def error_reply(status: int, text: str = "", dialect: Dialect = KEY_VALUES) -> bytes:
    """The reply to a request without a command, or (time series) with an unknown one."""
    return dumps({"ERR": {"st": status, dialect.text: text or dialect.texts.get(status, "")}})


def refusal(
    name: str, dialect: Dialect, status: int, text: str = "", token: int | None = None, param: str | None = None
) -> bytes:
    """The error reply to a command, about one of its parameters if that is named."""
    body: dict[str, Any] = {"st": status}
    if dialect.repeats_token:
        body["tkn"] = token
    body[dialect.text] = text or dialect.texts.get(status, "")
    if param is not None:
        body["param"] = param
    return dumps({f"{name}_RSP": body})


class NativeFace(NativeRequests):
    """Handles native JSON requests of all transports."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server: Server = server
        server.serve_native(self)
        self.config: Config = server.config
        self.accounts: Accounts = server.accounts
        self.native: dict[str, Command] = server.table.native
        # Empty while requests need further checks: MONITOR, loading.
        self.fast: dict[bytes, Command] = server.state.fast
        self.scoped: ServerContext = ServerContext(server)
        self.done: dict[str, bytes] = {name: dumps({f"{name}_RSP": DONE}) for name in self.native}
        self.openings: dict[str, bytes] = {name: b'{"%s_RSP":' % name.encode() for name in self.native}
        for command in self.native.values():
            command.run = self.verb(command)
        server.table.document.run = self.document

    # ------------------------------------------------------------ transports

    def answer_line(self, context: ClientContext, text: bytes) -> bytes:
        """The reply line to a JSON line; b"" for a quiet command that succeeded."""
        client = context.client
        if client is not None and client.queue is not None:
            client.queue_failed = True
            return self.refuse_in_transaction(text) + b"\n"
        context.as_json = True
        answer = self.answer(context, text)
        return answer + b"\n" if type(answer) is bytes else b""

    def refuse_in_transaction(self, text: bytes) -> bytes:
        """The reply to a JSON line between MULTI and EXEC, which then fails."""
        try:
            request = loads(text)
        except JsonError as error:
            return self.error(Status.JSON_INVALID, fault_text(error))
        name = next(iter(request), None)
        if name is None:
            return self.error(Status.COMMAND_SYNTAX)
        if name in self.native:
            self.accounts.rejected(self.native[name])
        return self.refused(name, dialect_of(name), Status.NOT_PERMITTED, _IN_TRANSACTION)

    def refuse_line(self, reason: str) -> bytes:
        """The reply line to a JSON line that is refused unread."""
        return self.error(Status.JSON_INVALID, reason) + b"\n"

    def binary_refusal(self) -> bytes:
        """The reply to a message that is not text."""
        return self.error(Status.OPCODE_INVALID)

    def document(self, context: ClientContext, argv: list[bytes]) -> Reply:
        """A whole JSON object over RESP. Returns one bulk string, OK for a quiet command."""
        context.as_json = False
        answer = self.answer(context, argv[0])
        return OK if answer is None else answer

    def verb(self, command: Command) -> Any:
        """One command over RESP: its only argument is the body, which may be left out."""

        plain = command.options.plain

        def run(context: ClientContext, argv: list[bytes]) -> Reply:
            if plain is not None and len(argv) > 1 and argv[1][:1] != b"{":
                return plain(context, argv)  # type: ignore[no-any-return]
            try:
                body = loads(argv[1]) if len(argv) > 1 else {}
            except JsonError as error:
                self.accounts.failed(command)
                return self.error(Status.JSON_INVALID, str(error), command.rules.dialect)
            context.as_json = False
            answer = self.perform(context, command, body)
            return OK if answer is None else answer

        return run

    # ------------------------------------------------------------ refusals

    def error(self, status: int, text: str = "", dialect: Dialect = KEY_VALUES) -> bytes:
        """The reply to a request without a command, or (time series) with an unknown one. It is counted."""
        self.accounts.error(code_word(dialect, status))
        return error_reply(status, text, dialect)

    def refused(
        self,
        name: str,
        dialect: Dialect,
        status: int,
        text: str = "",
        token: int | None = None,
        param: str | None = None,
    ) -> bytes:
        """The error reply to a command. It is counted."""
        self.accounts.error(code_word(dialect, status))
        return refusal(name, dialect, status, text, token, param)

    def error_reply(self, status: int, text: str) -> bytes:
        """The reply to a request without a command. It is not counted."""
        return error_reply(status, text)

    # ------------------------------------------------------------ one request

    def answer(self, context: ClientContext, text: bytes) -> bytes | NoReply | None:
        """The reply to one request; None for a quiet command that succeeded, NO_REPLY if the reply comes later."""
        started = now_ns()
        try:
            request = loads(text)
        except JsonError as error:
            return self.error(Status.JSON_INVALID, fault_text(error))
        if type(request) is not dict or len(request) != 1:
            return self.refuse_request(request)
        members = request  # typed in the compiled build: the cheapest way to the only member
        for name, body in members.items():  # noqa: B007
            pass
        command = self.native.get(name)
        if command is None:
            return self.refuse_name(name, body)
        client = context.client
        if client is None or (not client.trusted and not self.is_guarded(client, command, body)) or not self.fast:
            refused = self.closer_look(context, command, body)
            if refused is not None:
                self.accounts.rejected(command)
                return refused
        answer = self.perform(context, command, body)
        spent_ns = now_ns() - started
        if answer is NO_REPLY and client is not None and client in self.server.long_commands:
            self.accounts.began(command)
        else:
            self.accounts.ran(command, spent_ns, body, client)
        context.command = command
        context.timed_ns += spent_ns
        return answer

    def is_guarded(self, client: Client, command: Command, body: Any) -> bool:
        """Whether a client who has logged in, as a user with limited rights, has those to this request for sure."""
        guard = client.user.guard
        return client.authenticated and guard is not None and bool(guard.allows_body(command, body))

    def refuse_request(self, request: Any) -> bytes:
        """The reply to JSON that is not an object with one member."""
        if type(request) is not dict or not request:
            return self.error(Status.COMMAND_SYNTAX)
        dialect = dialect_of(next(iter(request)))
        return self.error(dialect.many_commands, dialect=dialect)

    def refuse_name(self, name: str, body: Any) -> bytes:
        """The reply to a name that is not a command."""
        dialect = dialect_of(name)
        # A hint for those who write names in lower case, as for Redis.
        text = f"Unknown command, its name is {name.upper()}" if name.upper() in self.native else ""
        if not dialect.names_failures:
            return self.error(dialect.unknown_command, text, dialect)
        if type(body) is not dict:
            return self.refused(name, dialect, Status.COMMAND_TYPE)
        return self.refused(name, dialect, dialect.unknown_command, text)

    def closer_look(self, context: ClientContext, command: Command, body: Any) -> bytes | None:
        """The checks that the fast path skips. Returns an error reply, or None. Feeds MONITOR."""
        server, name, dialect = self.server, command.name, command.rules.dialect
        client = context.client
        if client is None and Flag.CONNECTION in command.flags:
            return self.refused(name, dialect, Status.NOT_PERMITTED, NEEDS_CONNECTION)
        if client is not None and not client.authenticated and Flag.NO_AUTH not in command.flags:
            return self.refused(name, dialect, Status.NOT_AUTHENTICATED, _NOT_AUTHENTICATED)
        user = context.caller.user
        if not user.unrestricted:
            denied = user.refusal_of(command, uses_in(command, body if type(body) is dict else {}))
            if denied is not None:
                text = server.users.denied(denied, "toplevel", context.caller.user_name, client)
                return self.refused(name, dialect, Status.NOT_PERMITTED, text.removeprefix("NOPERM "))
        if server.state.loading and Flag.LOADING not in command.flags:
            return self.refused(name, dialect, Status.LOADING, _LOADING)
        if server.state.busy and Flag.ALLOW_BUSY not in command.flags:
            return self.refused(name, dialect, Status.UNKNOWN, server.state.busy)
        if server.state.write_fault and Flag.WRITE in command.flags:
            return self.refused(name, dialect, Status.UNKNOWN, server.state.write_fault)
        if server.state.monitored and not command.flags & (Flag.SKIP_MONITOR | Flag.ADMIN):
            server.monitors.feed(context, command.without_secrets([name.encode(), dumps(body)]))
        return None

    def holds(self, context: ClientContext, text: bytes) -> bool:
        """Whether a request must wait for the end of a pause; one that is refused anyway does not."""
        try:
            request = loads(text)
        except JsonError:
            return False
        if type(request) is not dict or len(request) != 1:
            return False
        client, command = context.client, self.native.get(next(iter(request)))
        if command is None or client is None or client.queue is not None:
            return False
        if not client.authenticated and Flag.NO_AUTH not in command.flags:
            return False
        return self.server.pause.holds(command, client)

    def perform(self, context: ClientContext, command: Command, body: Any) -> bytes | NoReply | None:
        """Check the body of a known command and run it. None for a quiet success, NO_REPLY if the reply comes later."""
        name = command.name
        token: int | None = None
        try:
            if type(body) is not dict:
                body = self.read_body(command)
            command.rules.check(body)
            if not command.in_keyspace:
                reply = command.handle(context, body)  # type: ignore[misc]
            elif "tkn" in body or self.config.sessions_required:
                token = body.get("tkn")
                scoped = self.scoped
                if not context.caller.user.unrestricted:
                    self.check_session(context.caller.user, token)
                scoped.keyspace = self.session_keyspace(token)
                scoped.client = context.client
                scoped.caller = context.caller
                scoped.as_json = context.as_json
                scoped.in_transaction = context.in_transaction
                reply = command.handle(scoped, body)  # type: ignore[misc]
            else:
                if context.keyspace.index < 0 and context.nowhere:
                    raise NativeError(Status.SESSION_NOT_EXIST, context.nowhere)
                if context.client is None and not context.caller.user.may_enter(None):
                    raise NativeError(Status.NOT_PERMITTED, "This user may not use the databases")
                reply = command.handle(context, body)  # type: ignore[misc]
        except Exception as error:
            return self.failure(command, error)
        if type(reply) is not dict:
            if reply is None:
                return None
            return NO_REPLY if reply is LATER else self.take(context, command, body, token, reply)
        if reply is DONE and token is None:
            return self.done[name]
        status = reply.get("st", 1)
        if status != 1:
            self.count_status(command, status)
        if token is not None:
            return dumps({f"{name}_RSP": {**reply, "tkn": token}})
        return self.openings[name] + dumps(reply) + b"}"

    def take(
        self, context: ClientContext, command: Command, body: Any, token: int | None, work: Work
    ) -> bytes | NoReply:
        """Run a command that works in steps; NO_REPLY if the reply comes later."""
        try:
            reply = self.server.long_commands.take(context, command, body, token, work)
        except Exception as error:
            return self.failure(command, error)
        return NO_REPLY if reply is None else b"".join(self.reply_pieces(command, reply, token))

    def count_status(self, command: Command, status: Any) -> None:
        """Count a reply whose status is an error. ``st`` may also be the name of a series."""
        if isinstance(status, int) and status > 1 and status not in GOING_WELL:
            self.accounts.failed(command)
            self.accounts.error(code_word(command.rules.dialect, status))

    def reply_pieces(self, command: Command, reply: dict[str, Any], token: int | None) -> Iterator[bytes]:
        """The text of a reply with long parts, in pieces."""
        self.count_status(command, reply.get("st", 1))
        return text_of({f"{command.name}_RSP": reply if token is None else {**reply, "tkn": token}})

    def read_body(self, command: Command) -> dict[str, Any]:
        """What a body that is not an object counts as. Raises NativeError if it is refused."""
        if not command.rules.dialect.reads_any_body:
            raise NativeError(Status.COMMAND_TYPE)
        return {}

    def check_session(self, user: Account, token: Any) -> None:
        """Check that a user may use the session of a token. Raises NativeError 100: to the user there is none."""
        session = self.server.store.sessions.by_token.get(token) if is_uint(token) else None
        if session is not None and not user.may_enter(session.name):
            raise NativeError(Status.SESSION_NOT_EXIST, token=token)

    def session_keyspace(self, token: Any) -> Keyspace:
        """The keyspace of the session with a token, whose time restarts. Raises NativeError 100, 101."""
        if not is_uint(token):
            raise NativeError(Status.SESSION_TOKEN_INVALID)
        session = self.server.store.sessions.by_token.get(token)
        if session is None:
            raise NativeError(Status.SESSION_NOT_EXIST, token=token)
        session.renew(self.server.store.clock.now_ms)
        return session.keyspace

    def failure(self, command: Command, error: Exception) -> bytes:
        """The error reply to a failed request, which is counted; an unexpected error is logged."""
        name, dialect = command.name, command.rules.dialect
        self.accounts.failed(command)
        if isinstance(error, NativeError):
            return self.refused(name, dialect, error.status, error.text, error.token, error.param)
        fault = fault_of(error)
        if fault is not None:
            status = fault.series_status if dialect is TIME_SERIES else fault.status
            return self.refused(name, dialect, status, fault.resp.partition(" ")[2])
        self.accounts.unexpected(name, error)
        if dialect.names_failures:
            return self.refused(name, dialect, dialect.failure)
        return self.error(dialect.failure, dialect=dialect)
