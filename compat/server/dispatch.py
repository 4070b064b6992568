"""From a command line to its reply, with all checks that the fast path skips.

A connection's read loop calls the handlers in ``State.fast`` directly. Commands that are not in there, have a wrong
number of arguments, or come while the client or the server is in a special state, come here.
"""

from __future__ import annotations

import logging
from typing import Final

from januskv.commands.context import Refusal
from januskv.commands.declare import Flag
from januskv.commands.table import Command
from januskv.resp.replies import NO_REPLY, QUEUED, ErrorReply, Reply

from .accounting import Accounts
from .blocking import Wait, Waiting
from .client import Client
from .client_context import NEEDS_CONNECTION, ClientContext
from .config import Config
from .core import Core
from .faults import LOADING, Outcomes
from .long_commands import LongCommands
from .pause import Pause
from .state import State
from .stopwatch import now_ns
from .tracking import Tracking
from .watches import Watches

log = logging.getLogger("januskv")

# Commands that act in the selected keyspace have one of these flags; not all
# native commands with one do, and the native protocol checks for itself.
_DATA = Flag.WRITE | Flag.READONLY

# SUBSCRIBE and its family.
_LISTENS = Flag.PUBSUB | Flag.SUBSCRIBED

# After a command that took this long the clock is read again, for the other commands of the batch.
_TIME_PASSES_NS: Final = 1_000_000

_SHOWN_ARGS = 128  # bytes of the arguments that "unknown command" repeats


# The result of a handler.
Result = Reply | Wait | Outcomes


class Dispatcher:
    """Runs commands for all connections of a server."""

    def __init__(
        self,
        core: Core,
        pause: Pause,
        tracking: Tracking,
        waiting: Waiting,
        long_commands: LongCommands,
        watches: Watches,
    ) -> None:
        self.core: Core = core
        self.pause: Pause = pause
        self.tracking: Tracking = tracking
        self.waiting: Waiting = waiting
        self.long_commands: LongCommands = long_commands
        self.watches: Watches = watches
        self.state: State = core.state
        self.accounts: Accounts = core.accounts

    # ------------------------------------------------------------ one request

    def route(self, context: ClientContext, argv: list[bytes]) -> Reply:
        """Check one request in the same order as Redis, then run or queue it; returns the reply."""
        client = context.client
        if client is None:
            return self.call(context, argv)
        command = self.core.table.find(argv)
        refusal = self.refusal(client, command, argv)
        if refusal is not None:
            if client.tracking is not None:
                self.tracking.answered_one(client, command)
            return self.muted(client, self.refuse(client, command, refusal))
        assert command is not None
        context.command = command
        if self.pause.until_ms and self.must_wait(context, client, command, argv):
            client.connection.hold(argv)
            return NO_REPLY
        if client.queue is not None and Flag.NO_QUEUE not in command.flags:
            if Flag.NO_MULTI in command.flags:
                return self.muted(client, self.refuse(client, command, "ERR Command not allowed inside a transaction"))
            client.queue.append((command, argv))
            return self.muted(client, QUEUED)
        reply = self.execute(context, command, argv)
        if command.flags & _LISTENS == _LISTENS and type(reply) is not ErrorReply:
            self.muted(client, reply)
            return reply  # messages: CLIENT REPLY does not suppress them
        return self.muted(client, reply)

    def call(self, context: ClientContext, argv: list[bytes]) -> Reply:
        """Run one command for a caller other than a client: a script, an HTTP request, the server itself; returns the reply."""
        command = self.core.table.find(argv)
        refusal = self.refusal(None, command, argv)
        if refusal is not None:
            return self.refuse(None, command, refusal)
        assert command is not None
        caller = context.caller
        if not caller.user.unrestricted:
            denied = caller.user.refusal(command, argv)
            if denied is not None:
                return self.refuse(None, command, self.denied(None, denied, "toplevel", caller.user_name))
        return self.execute(context, command, argv)

    def must_wait(self, context: ClientContext, client: Client, command: Command, argv: list[bytes]) -> bool:
        """Whether the request has to wait until a pause ends; for a native document its command decides."""
        if command is self.core.table.document and client.queue is None:
            return bool(self.core.native.holds(context, argv[0]))
        return self.pause.holds(command, client)

    def refusal(self, client: Client | None, command: Command | None, argv: list[bytes]) -> str | None:
        """Why the command may not run now, as the text of a RESP error; None if it may."""
        state = self.state
        if command is None:
            return unknown_command(argv)
        if command.subcommands is not None and len(argv) > 1 and argv[1].upper() not in command.subcommands:
            return unknown_subcommand(command, argv[1])
        if not command.min_args <= len(argv) <= command.max_args:
            return f"ERR wrong number of arguments for '{command.text_name}' command"
        if client is None:
            if Flag.CONNECTION in command.flags:
                return f"ERR {NEEDS_CONNECTION}"
        elif not client.authenticated and Flag.NO_AUTH not in command.flags:
            return "NOAUTH Authentication required."
        if Flag.PROTECTED in command.flags and not allows_protected(self.core.config, client, command):
            return (
                f"ERR {command.name.split('|')[0]} command not allowed. If the enable-{command.text_name.split('|')[0]}"
                '-command option is set to "local", you can run it from a local connection, otherwise you need to set'
                " this option in the configuration file, and then restart the server."
            )
        if client is not None and not client.user.unrestricted:
            denied = client.user.refusal(command, argv)
            if denied is not None:
                return self.denied(client, denied, "toplevel" if client.queue is None else "multi")
        if client is not None and client.subscribing and Flag.SUBSCRIBED not in command.flags:
            return (
                f"ERR Can't execute '{command.text_name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET"
                " are allowed in this context"
            )
        if state.busy and Flag.ALLOW_BUSY not in command.flags:
            return state.busy
        if state.loading or state.write_fault or (client is not None and client.nowhere):
            runs = [command]
            if client is not None and Flag.COMMITS in command.flags and client.queue is not None:
                runs += [queued for queued, _ in client.queue]
            return self.refusal_of_state(client, runs)
        return None

    def denied(self, client: Client | None, refusal: Refusal, context: str, name: str = "") -> str:
        """Note that a user lacks a right; the error. ``context``: toplevel, multi or lua."""
        return self.core.users.denied(refusal, context, name if client is None else client.user_name, client)

    def refusal_of_state(self, client: Client | None, runs: list[Command]) -> str | None:
        """Why a command may not run while the server or the session is unavailable; EXEC also runs what is queued."""
        state, nowhere = self.state, "" if client is None else client.nowhere
        if state.loading and not all(Flag.LOADING in each.flags for each in runs):
            return LOADING
        if state.write_fault and (Flag.HEALTH in runs[0].flags or any(Flag.WRITE in each.flags for each in runs)):
            return f"MISCONF {state.write_fault}"
        if nowhere and any(each.flags & _DATA and each.handle is None for each in runs):
            return f"ERR {nowhere}"
        return None

    def refuse(self, client: Client | None, command: Command | None, text: str) -> ErrorReply:
        """Count a command rejected before it ran; inside MULTI it fails the whole transaction."""
        if command is not None:
            self.accounts.rejected(command)
        if client is not None and client.queue is not None:
            client.queue_failed = True
        if client is not None and command is not None and Flag.COMMITS in command.flags:
            self.watches.forget(client)
            client.queue = None
            client.refresh()
            text = f"EXECABORT Transaction discarded because of: {text.removeprefix('ERR ')}"
        self.accounts.error(text)
        return ErrorReply(text)

    def muted(self, client: Client, reply: Reply) -> Reply:
        """Apply CLIENT REPLY: no replies while it is off, and none to the command after SKIP."""
        mode = client.reply_mode
        if mode == "on":
            return reply
        if mode == "skip":  # set by this very command; the next one is the skipped one
            client.reply_mode = "skipping"
        elif mode == "skipping":
            client.reply_mode = "on"
            client.refresh()
        return NO_REPLY

    # ------------------------------------------------------------ running

    def execute(self, context: ClientContext, command: Command, argv: list[bytes]) -> Reply:
        """Run one command, timed and counted; errors become replies."""
        client = context.client
        context.command = command
        tracked = client if client is not None and client.tracking is not None else None
        read: list[bytes] | None = argv
        if tracked is not None:
            self.tracking.began(tracked)
        access = context.keyspace.access if client is not None and client.no_touch else None
        frozen = False
        if access is not None:
            frozen, access.frozen = access.frozen, Flag.TOUCHES not in command.flags
        started = now_ns()
        try:
            result: Result = command.run(context, argv)  # type: ignore[assignment]
            if type(result) is Wait:
                reply = self.waiting.wait(context, command, argv, result)
            elif type(result) is Outcomes:
                reply = self.outcomes(command, result)
            else:
                reply = result  # type: ignore[assignment]
        except Exception as error:
            reply = self.accounts.failure(command, error)
            read = None
        if access is not None:
            access.frozen = frozen
        if tracked is not None:
            answered = not context.in_transaction and client not in self.waiting.by_client
            self.tracking.ended(tracked, command, read, answered=answered)
        spent_ns = now_ns() - started
        if (
            not context.in_transaction
        ):  # its commands' time is part of the transaction's, and they share one clock reading
            context.timed_ns += spent_ns
            if spent_ns >= _TIME_PASSES_NS:
                self.core.store.clock.tick()
        if self.state.monitored and not command.flags & (Flag.SKIP_MONITOR | Flag.ADMIN):
            self.core.monitors.feed(context, command.without_secrets(argv))
        if reply is NO_REPLY and client is not None:
            waiter = self.waiting.by_client.get(client)
            if waiter is not None:
                waiter.spent_ns = spent_ns
            if waiter is not None or client in self.long_commands:
                self.accounts.began(command)
                return reply
        self.accounts.ran(command, spent_ns, argv, client)
        return reply

    def execute_queued(self, context: ClientContext, command: Command, argv: list[bytes]) -> Reply:
        """Run one command of a transaction, unless its user has lost the right to it, or earlier ones have selected a session that is not open."""
        client = context.client
        user = context.caller.user
        if not user.unrestricted:
            denied = user.refusal(command, argv)
            if denied is not None:
                self.denied(client, denied, "multi")
                self.accounts.rejected(command)
                text = _NO_LONGER_ALLOWED + _NO_LONGER[denied.reason]
                self.accounts.error(text)
                return ErrorReply(text)
        if context.nowhere:
            refusal = self.refusal_of_state(client, [command])
            if refusal is not None:
                return self.refuse(client, command, refusal)
        return self.execute(context, command, argv)

    def outcomes(self, command: Command, outcomes: Outcomes) -> Reply:
        """The replies to the parts of a command, errors included; it counts as failed once if any part has."""
        replies: list[Reply] = []
        failed = False
        for each in outcomes.parts:
            if isinstance(each, Exception):
                failed = True
                text = self.accounts.error_text(command.name, each)
                self.accounts.error(text)
                each = ErrorReply(text)
            replies.append(each)
        if failed:
            self.accounts.failed(command)
        return replies


# Why EXEC does not run a command that was queued.
_NO_LONGER_ALLOWED: Final = (
    "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call."
    " This command is no longer allowed for the following reason: "
)
_NO_LONGER: Final = {
    "command": "no permission to execute the command or subcommand",
    "key": "no permission to touch the specified keys",
    "channel": "no permission to access one of the channels used as arguments",
}

# Commands of Redis that are not built yet, so that users do not look for a misspelling.
_NOT_BUILT = {
    "DUMP, RESTORE and MIGRATE are": "DUMP RESTORE RESTORE-ASKING MIGRATE",
}
_NOT_BUILT_TEXTS = {
    name.encode(): f"ERR {what} not built yet" for what, names in _NOT_BUILT.items() for name in names.split()
}


def unknown_command(argv: list[bytes]) -> str:
    """Redis' text for a name that is not a command, with the first arguments; ours for one that is not built yet."""
    if (not_built := _NOT_BUILT_TEXTS.get(argv[0].upper())) is not None:
        return not_built
    shown = ""
    for arg in argv[1:]:
        if len(shown) >= _SHOWN_ARGS:
            break
        shown += f"'{arg[: _SHOWN_ARGS - len(shown)].decode(errors='surrogateescape')}' "
    name = argv[0][:_SHOWN_ARGS].decode(errors="surrogateescape")
    return f"ERR unknown command '{name}', with args beginning with: {shown}"


def unknown_subcommand(command: Command, word: bytes) -> str:
    """Redis' text for a container that does not know the subcommand."""
    return f"ERR unknown subcommand '{word[:128].decode(errors='surrogateescape')}'. Try {command.name} HELP."


def allows_protected(config: Config, client: Client | None, command: Command) -> bool:
    """Whether this client, or a caller other than a client, may use DEBUG or MODULE."""
    setting = getattr(config, f"enable_{command.text_name.partition('|')[0]}_command")
    return bool(setting == "yes" or (setting == "local" and client is not None and client.is_local))
