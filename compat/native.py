"""The native face: JSON text in, JSON text out, over the handlers of ``januskv.commands``.

Four doors lead here: a JSON line, a WebSocket message, a RESP command with the body as argument,
and a RESP command whose only word is the whole JSON object. The checks follow specs/nemesis.md 3.2.
"""

from __future__ import annotations

import logging
from time import perf_counter_ns
from typing import Any

from januskv.commands.context import Context
from januskv.commands.declare import Flag
from januskv.commands.params import NativeError, is_uint
from januskv.commands.status import Status
from januskv.commands.table import Command
from januskv.resp.replies import OK, Reply
from januskv.storage.keyspace import Keyspace

from .faults import INTERNAL, fault_of
from .json_text import JsonError, dumps, loads
from .server import Server

log = logging.getLogger("januskv")

# The most common replies.
_PLAIN_OK = {"st": 1}

_NOT_TEXT = dumps({"ERR": {"st": Status.OPCODE_INVALID, "m": ""}})
_NOT_AUTHENTICATED = "NOAUTH Authentication required."


def error_reply(status: int, text: str = "") -> bytes:
    """The reply to what names no command."""
    return dumps({"ERR": {"st": status, "m": text}})


def refusal(name: str, status: int, text: str, token: int | None = None) -> bytes:
    """The reply to a command that is refused."""
    return dumps({f"{name}_RSP": {"st": status, "tkn": token, "m": text}})


class NativeFace:
    """Answers native JSON requests, whichever door they come through."""

    def __init__(self, server: Server) -> None:
        self.server: Server = server
        self.native: dict[str, Command] = server.table.native
        self.scoped: Context = Context(server.store, server.store.databases[0], None, server)
        self.plain_ok: dict[str, bytes] = {name: dumps({f"{name}_RSP": _PLAIN_OK}) for name in self.native}
        for command in self.native.values():
            command.run = self.verb(command)
        server.table.document.run = self.document

    # ------------------------------------------------------------ doors

    def answer_line(self, context: Context, text: bytes) -> bytes:
        """The reply line to a JSON line; b"" for a quiet command that succeeded."""
        if context.client.queue is not None:
            name = self.name_of(text)
            reason = "a transaction takes native commands as RESP commands only"
            return refusal(name, Status.NOT_PERMITTED, reason) + b"\n" if name else error_reply(3) + b"\n"
        answer = self.answer(context, text)
        return b"" if answer is None else answer + b"\n"

    def refuse_line(self, reason: str) -> bytes:
        """The reply line to a JSON line that is not even read."""
        return error_reply(Status.JSON_INVALID, reason) + b"\n"

    def binary_refusal(self) -> bytes:
        """The reply to a message that is not text."""
        return _NOT_TEXT

    def document(self, context: Context, argv: list[bytes]) -> Reply:
        """The RESP door of a whole JSON object: one bulk string, OK for a quiet command."""
        answer = self.answer(context, argv[0])
        return OK if answer is None else answer

    def verb(self, command: Command) -> Any:
        """The RESP door of one command: its only argument is the body, which may be left out."""

        def run(context: Context, argv: list[bytes]) -> Reply:
            try:
                body = loads(argv[1]) if len(argv) > 1 else {}
            except JsonError:
                return error_reply(Status.JSON_INVALID)
            answer = self.perform(context, command, body)
            return OK if answer is None else answer

        return run

    @staticmethod
    def name_of(text: bytes) -> str | None:
        """The command that a JSON text names, as far as it can be read."""
        try:
            request = loads(text)
        except JsonError:
            return None
        return next(iter(request), None) if type(request) is dict else None

    # ------------------------------------------------------------ one request

    def answer(self, context: Context, text: bytes) -> bytes | None:
        """The reply to one request; None for a quiet command that succeeded."""
        try:
            request = loads(text)
        except JsonError:
            return error_reply(Status.JSON_INVALID)
        if type(request) is not dict or not request:
            return error_reply(Status.COMMAND_SYNTAX)
        if len(request) > 1:
            return error_reply(Status.COMMAND_MULTIPLE)
        name, body = next(iter(request.items()))
        command = self.native.get(name)
        if type(body) is not dict:
            return refusal(name, Status.COMMAND_TYPE, "")
        if command is None:
            if name.startswith("TS_"):
                return dumps({"ERR": {"st": 6, "msg": ""}})
            return refusal(name, Status.COMMAND_NOT_EXIST, "")
        client = context.client
        if not client.authenticated and Flag.NO_AUTH not in command.options.flags:
            return refusal(name, Status.NOT_AUTHENTICATED, _NOT_AUTHENTICATED)
        server = self.server
        started = perf_counter_ns()
        answer = self.perform(context, command, body)
        spent_ns = perf_counter_ns() - started
        command.calls += 1
        command.usec += spent_ns / 1000
        client.connection.timed_ns += spent_ns
        client.connection.last_command = command
        if server.monitors:
            server.feed_monitors(client, command.without_secrets([name.encode(), dumps(body)]))
        if spent_ns >= server.slow_threshold_ns:
            server.note_slow(command, [name.encode(), dumps(body)], spent_ns // 1000, client)
        return answer

    def perform(self, context: Context, command: Command, body: Any) -> bytes | None:
        """Check the body of a known command and run it; None for a quiet one that succeeded."""
        name = command.name
        token: int | None = None
        try:
            if type(body) is not dict:
                raise NativeError(Status.COMMAND_TYPE)
            command.rules.check(body)
            if command.options.in_keyspace and ("tkn" in body or self.server.config.sessions_required):
                token = body.get("tkn")
                scoped = self.scoped
                scoped.keyspace = self.session_keyspace(body)
                scoped.client = context.client
                reply: Any = command.handle(scoped, body)  # type: ignore[misc]
            else:
                reply = command.handle(context, body)  # type: ignore[misc]
        except Exception as error:
            command.failed += 1
            return self.failure(name, error)
        if reply is None:
            return None
        if token is not None:
            return dumps({f"{name}_RSP": {**reply, "tkn": token}})
        if len(reply) == 1 and reply == _PLAIN_OK:
            return self.plain_ok[name]
        return dumps({f"{name}_RSP": reply})

    def session_keyspace(self, body: dict[str, Any]) -> Keyspace:
        """The keyspace of the session that ``tkn`` names, whose time starts anew. Raises NativeError 100, 101."""
        token = body.get("tkn")
        if not is_uint(token):
            raise NativeError(Status.SESSION_TOKEN_INVALID)
        session = self.server.store.sessions.by_token.get(token)  # type: ignore[arg-type]
        if session is None:
            raise NativeError(Status.SESSION_NOT_EXIST, token=token)
        session.renew(self.server.store.clock.now_ms)
        return session.keyspace

    def failure(self, name: str, error: Exception) -> bytes:
        """The reply to a request that is refused or has failed; an unexpected error is logged."""
        if isinstance(error, NativeError):
            return refusal(name, error.status, error.text, error.token)
        fault = fault_of(error)
        if fault is None:
            log.error("unexpected error in %s", name, exc_info=error)
            fault = INTERNAL
            return refusal(name, fault.status, "")
        return refusal(name, fault.status, fault.resp.partition(" ")[2])
